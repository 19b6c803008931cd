//! Images come in whole, whatever they come in.

use crate::support::answer::Answer;
use crate::support::api_app::{ApiApp, form, png};
use crate::support::wait::until_true;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use pixcourier::domain::Sha256;
use reqwest::Body;
use reqwest::header::CONTENT_TYPE;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use std::time::Duration;

async fn held(app: &ApiApp, sha256: &Sha256) -> Option<Vec<u8>> {
    let (size, mut pieces) = app.engine.ports.blobs.open(sha256).await.unwrap()?;
    let mut bytes = Vec::new();
    while let Some(piece) = pieces.next().await {
        bytes.extend_from_slice(&piece.unwrap());
    }
    assert_eq!(size, bytes.len() as u64);
    Some(bytes)
}

/// A body that comes in pieces of one size.
fn in_pieces(bytes: Vec<u8>, size: usize) -> Body {
    let pieces: Vec<_> = bytes.chunks(size).map(Bytes::copy_from_slice).collect();
    Body::wrap_stream(stream::iter(pieces.into_iter().map(Ok::<_, std::io::Error>)))
}

#[tokio::test]
async fn one_image_is_the_same_by_file_by_base64_and_by_digest() {
    let app = ApiApp::start().await;
    let image = png(640, 480, 300_000);
    let digest = Sha256::of(&image);
    let base64 = STANDARD.encode(&image);
    let by_file = app.post_form(form("42", image.clone())).await;
    let by_base64 = app.post_json(&json!({"chat_id": 42, "photo": {"base64": base64}})).await;
    let by_digest = app.post_json(&json!({"chat_id": 42, "photo": {"sha256": digest}})).await;
    let by_digest_in_form = Form::new().text("chat_id", "42").text("photo", json!({"sha256": digest}).to_string());
    let by_digest_in_form = app.post_form(by_digest_in_form).await;
    for answer in [by_file, by_base64, by_digest, by_digest_in_form] {
        let id = answer.id();
        assert_eq!(answer.header("location"), format!("/v1/notifications/{id}"));
        let expected = json!({"sha256": digest, "size": 300_000});
        assert_eq!(answer.json()["photo"], expected);
        let record = app.get(&format!("/v1/notifications/{id}")).await.json();
        assert_eq!((&record["status"], &record["photo"]), (&json!("queued"), &expected));
    }
    assert_eq!(held(&app, &digest).await, Some(image));
    app.stop().await;
}

#[tokio::test]
async fn bodies_may_be_cut_anywhere() {
    let app = ApiApp::start().await;
    for (i, size) in [1, 2, 3, 7, 61, 1021, 65_537].into_iter().enumerate() {
        // Line breaks, dashes and boundary-like bytes in the image must not confuse the form parser.
        let mut image = png(100, 100 + u32::try_from(i).unwrap(), 400 * size.min(100));
        for decoy in [&b"\r\n--"[..], b"\r\n--bound", b"\r\r\n-", b"\n--boundary\r\n", b"\r"] {
            image.extend_from_slice(decoy);
        }
        let json =
            json!({"caption": "\u{1F408} \"x\" \\", "photo": {"base64": STANDARD.encode(&image)}, "chat_id": "42"});
        let json = json.to_string().replace('/', "\\/").into_bytes();
        let request = app.post().header(CONTENT_TYPE, "application/json").body(in_pieces(json, size));
        let by_json = Answer::of(request).await;
        let mut body =
            b"preamble\r\n--boundary\r\nContent-Disposition: form-data; name=\"photo\"; filename=\"\"\r\n\r\n".to_vec();
        body.extend_from_slice(&image);
        body.extend_from_slice(
            b"\r\n--boundary\r\nContent-Disposition: form-data; name=\"chat_id\"\r\n\r\n-42\r\n--boundary--\r\n",
        );
        let request = app.post().header(CONTENT_TYPE, "multipart/form-data; boundary=boundary");
        let by_form = Answer::of(request.body(in_pieces(body, size))).await;
        for answer in [by_json, by_form] {
            assert_eq!(
                answer.json()["photo"]["sha256"],
                Sha256::of(&image).to_string(),
                "in pieces of {size}: {answer:?}"
            );
        }
        assert_eq!(held(&app, &Sha256::of(&image)).await.as_deref(), Some(image.as_slice()));
    }
    app.stop().await;
}

#[tokio::test]
async fn the_largest_photo_is_taken_and_one_byte_more_is_not() {
    let app = ApiApp::start().await;
    let limit = 10_485_760;
    for (size, status) in [(limit, 202), (limit + 1, 413)] {
        let image = png(800, 600, size);
        let base64 = json!({"chat_id": 1, "photo": {"base64": STANDARD.encode(&image)}});
        let by_json = app.post_json(&base64).await;
        let by_form = app.post_form(form("1", image)).await;
        for answer in [by_json, by_form] {
            if status == 202 {
                assert!(!answer.id().is_empty());
            } else {
                answer.assert_problem("10 MiB + 1", 413, "photo_too_large", Some("photo"));
            }
        }
    }
    app.stop().await;
}

#[tokio::test]
async fn every_way_to_name_an_image_reaches_the_queue_with_its_parameters() {
    let app = ApiApp::start().await;
    let image = b"GIF89a\x01\0\x01\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;".to_vec();
    let table: [(&str, Value, Value); 3] = [
        ("a URL", json!("https://example.com/a.png"), json!({"url": "https://example.com/a.png"})),
        ("a file_id", json!("AgACAgIAAxkBAAI"), json!({"file_id": "AgACAgIAAxkBAAI"})),
        (
            "base64",
            json!({"base64": STANDARD.encode(&image)}),
            json!({"sha256": Sha256::of(&image), "size": image.len()}),
        ),
    ];
    for (case, photo, shown) in table {
        let answer = app
            .post_json(&json!({
                "chat_id": "@some_channel", "photo": photo, "bot": "alerts", "priority": "urgent", "tags": ["a"],
                "caption": "hello", "delivery": "at_most_once", "send_at": "2020-01-01T00:00:00Z",
            }))
            .await;
        let id = answer.id();
        let record = app.engine.ports.ledger.get(id.parse().unwrap()).await.unwrap().unwrap();
        let call = &record.notification.call;
        assert_eq!((call.method.as_str(), &call.params["caption"]), ("sendPhoto", &json!("hello")), "{case}");
        assert_eq!(call.media[0].filename, if case == "base64" { "photo.gif" } else { "photo.jpg" });
        let view = app.get(&format!("/v1/notifications/{id}")).await.json();
        for (member, value) in [
            ("photo", shown),
            ("chat_id", json!("@some_channel")),
            ("bot", json!("alerts")),
            ("priority", json!("urgent")),
            ("delivery", json!("at_most_once")),
            ("tags", json!(["a"])),
            ("status", json!("queued")),
            ("send_at", Value::Null),
            ("attempts", json!([])),
            ("failure", Value::Null),
        ] {
            assert_eq!(view[member], value, "{case}: {member}");
        }
    }
    app.stop().await;
}

#[tokio::test]
async fn an_image_part_counts_as_a_file_by_its_type_too() {
    let app = ApiApp::start().await;
    let part = Part::bytes(png(10, 10, 100)).mime_str("image/png").unwrap();
    let answer = app.post_form(Form::new().text("chat_id", "42").part("photo", part)).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    app.stop().await;
}

#[tokio::test]
async fn a_caller_that_hangs_up_in_the_middle_leaves_nothing() {
    let app = ApiApp::start().await;
    let image = png(800, 600, 2_000_000);
    let half = stream::iter([Ok(Bytes::from(image))]).chain(stream::pending::<Result<Bytes, std::io::Error>>());
    let part = Part::stream(Body::wrap_stream(half)).file_name("a.png");
    let request = app.post().multipart(Form::new().text("chat_id", "42").part("photo", part)).send();
    let hung_up = tokio::time::timeout(Duration::from_millis(500), request).await;
    assert!(hung_up.is_err(), "the upload was not to end");
    until_true("the upload to leave the spool", Duration::from_secs(10), async || app.spooled() == 0).await;
    assert_eq!(app.get("/v1/notifications").await.json()["notifications"], json!([]));
    app.stop().await;
}
