//! Pictures that people met in the field: what viewers show is taken, what nobody can show is told at the door. The numbers are
//! those of the list that the project keeps of public reports.

use crate::support::answer::Answer;
use crate::support::api_app::ApiApp;
use crate::support::images::head;
use reqwest::Method;

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

impl ApiApp {
    /// The status of a picture that is to be kept, and the code and the words if it is refused.
    async fn keep(&self, picture: &[u8]) -> (u16, String, String) {
        let request = self.request(Method::PUT, "/v1/images").header("content-type", "application/octet-stream");
        let answer = Answer::of(request.body(picture.to_vec())).await;
        let problem = answer.json();
        let word = |name: &str| problem[name].as_str().unwrap_or_default().to_owned();
        (answer.status.as_u16(), word("code"), word("detail"))
    }

    async fn assert_taken(&self, what: &str, picture: &[u8]) {
        let (status, code, detail) = self.keep(picture).await;
        assert_eq!(status, 200, "{what}: {code}: {detail}");
    }

    async fn assert_refused(&self, what: &str, picture: &[u8], codes: &[&str]) -> String {
        let (status, code, detail) = self.keep(picture).await;
        assert!(status == 400 && codes.contains(&code.as_str()), "{what}: {status} {code}: {detail}");
        detail
    }
}

#[tokio::test]
async fn case_50_and_51_and_52_what_every_viewer_shows_is_taken() {
    let app = ApiApp::start().await;
    for name in ["mjpeg-without-tables.jpg", "without-trailer.gif", "without-end-mark.jpg"] {
        app.assert_taken(name, &fixture(&format!("field-images/{name}"))).await;
    }
    app.stop().await;
}

#[tokio::test]
async fn case_55_a_bitmap_of_negative_width_nobody_opens() {
    let app = ApiApp::start().await;
    app.assert_refused("negative", &fixture("field-images/negative-width.bmp"), &["image_damaged", "not_an_image"])
        .await;
    app.stop().await;
}

#[tokio::test]
async fn case_58_garbage_before_a_restart_marker() {
    let app = ApiApp::start().await;
    let mut jpeg = fixture("images/baseline-420-restarts.jpg");
    let marker = jpeg.windows(2).position(|two| two == [0xff, 0xd0]).expect("a restart marker");
    jpeg.splice(marker..marker, [0x55, 0xaa, 0x12]);
    app.assert_taken("garbage", &jpeg).await;
    app.stop().await;
}

#[tokio::test]
async fn case_60_and_61_what_stands_behind_a_picture_or_between_its_blocks() {
    let app = ApiApp::start().await;
    for name in ["baseline-444.jpg", "progressive-420.jpg", "palette.png", "animated-interlaced.gif", "colour.bmp"] {
        let picture = fixture(&format!("images/{name}"));
        app.assert_taken(name, &[&picture[..], b"dhav\x01\x02\x03\x04"].concat()).await;
        app.assert_taken(name, &[&picture[..], &[0; 300]].concat()).await;
    }
    app.stop().await;
}

#[tokio::test]
async fn case_62_snapshots_that_were_read_while_they_were_written() {
    let app = ApiApp::start().await;
    for name in ["baseline-420-restarts.jpg", "progressive-420.jpg", "grey.jpg"] {
        let jpeg = fixture(&format!("images/{name}"));
        let damaged = ["image_damaged", "not_an_image"];
        app.assert_refused(name, &jpeg[..jpeg.len() / 2], &damaged).await;
        app.assert_refused(name, &[&[0; 32], &jpeg[32..]].concat(), &damaged).await;
        app.assert_refused(name, &[&jpeg[..jpeg.len() / 2], &vec![0; jpeg.len() / 2]].concat(), &damaged).await;
    }
    app.stop().await;
}

#[tokio::test]
async fn case_64_an_empty_file() {
    let app = ApiApp::start().await;
    let detail = app.assert_refused("empty", b"", &["not_an_image", "invalid_file", "missing_field"]).await;
    assert!(detail.contains("empty"), "{detail}");
    app.stop().await;
}

#[tokio::test]
async fn case_66_more_pixels_than_telegram_takes() {
    let app = ApiApp::start().await;
    for (width, height) in [(9_702, 7_168), (22_500, 33_300)] {
        let detail = app.assert_refused("large", &head(width, height, 8, 2), &["image_dimensions"]).await;
        assert!(detail.contains(&width.to_string()) && detail.contains("document"), "{detail}");
    }
    app.stop().await;
}

#[tokio::test]
async fn case_67_formats_that_are_no_photos_are_refused_with_advice() {
    let app = ApiApp::start().await;
    for (name, bytes) in [
        ("WebP", fixture("images/lossy.webp")),
        ("AVIF", b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf".to_vec()),
        ("HEIC", b"\0\0\0\x18ftypheic\0\0\0\0heicmif1".to_vec()),
        ("SVG", b"<svg xmlns='http://www.w3.org/2000/svg'/>".to_vec()),
    ] {
        let detail = app.assert_refused(name, &bytes, &["not_an_image"]).await;
        assert!(detail.contains(name) && detail.contains("document"), "{name}: {detail}");
    }
    app.stop().await;
}

/// What Telegram decodes of them is not known, so they are looked through and taken.
#[tokio::test]
async fn case_68_tiffs_in_lzma_and_zstandard() {
    let app = ApiApp::start().await;
    for compression in [34925_u16, 50000] {
        let mut tiff = fixture("images/deflate.tif");
        // The directory's entry for the compression: one short.
        let entry = tiff.windows(8).position(|entry| entry == [3, 1, 3, 0, 1, 0, 0, 0]).expect("little-endian");
        tiff[entry + 8..entry + 10].copy_from_slice(&compression.to_le_bytes());
        app.assert_taken(&compression.to_string(), &tiff).await;
    }
    app.stop().await;
}
