//! Everything that a notification can consist of, in every way to hand it in, on both engines.

use crate::support::images::png as picture;
use crate::support::test_app::{TestApp, base64_png, png};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pixcourier::domain::Sha256;
use pixcourier::sandbox::{FileKind, MediaOrigin, SandboxMessage};
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

on_both_engines!(
    each_kind_arrives_in_each_way_and_is_uploaded_once,
    a_thumbnail_goes_along,
    an_album_arrives_in_order_and_its_files_are_uploaded_once,
    an_album_of_a_form_names_its_parts,
    a_long_caption_is_continued_in_replies,
    what_is_no_photo_becomes_a_document_or_a_photo,
    case_70_whatever_it_is_becomes_a_document,
    an_image_by_its_digest_is_checked_like_one_in_the_body,
);

const FILM: &[u8] = b"\0\0\0\x18ftypisom\0\0\0\0 and so on";
const SONG: &[u8] = b"ID3\x04\0\0 and so on";
const SPEECH: &[u8] = b"OggS\0\x02 OpusHead and so on";

fn base64(bytes: &[u8]) -> Value {
    json!({"base64": STANDARD.encode(bytes)})
}

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/fixtures/images/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

impl TestApp {
    /// Posts a notification to chat 42 that must be sent; returns the answer and the message.
    async fn delivered(&self, given: Value) -> (Value, SandboxMessage) {
        let mut body = json!({"chat_id": 42});
        given.as_object().unwrap().iter().for_each(|(name, value)| body[name] = value.clone());
        let response = self.post(body).await;
        self.last(response).await
    }

    async fn delivered_form(&self, form: Form) -> (Value, SandboxMessage) {
        let url = format!("{}/v1/notifications", self.api);
        let response = self.client.post(url).multipart(form.text("chat_id", "42")).send().await.unwrap();
        self.last(response).await
    }

    async fn last(&self, response: reqwest::Response) -> (Value, SandboxMessage) {
        let status = response.status();
        let answer: Value = response.json().await.unwrap();
        assert_eq!(status, 202, "{answer:#}");
        let record = self.sent(answer["id"].as_str().unwrap()).await;
        let message = self.messages().into_iter().find(|m| Some(m.message_id) == record["message_id"].as_i64());
        (answer, message.unwrap())
    }
}

async fn each_kind_arrives_in_each_way_and_is_uploaded_once(app: &TestApp) {
    for (name, kind, filename, bytes) in [
        ("photo", FileKind::Photo, "x", &png(7)[..]),
        ("document", FileKind::Document, "\u{c4}rger.txt", b"a text"),
        ("animation", FileKind::Animation, "loop.mp4", FILM),
        ("video", FileKind::Video, "film.mp4", FILM),
        ("audio", FileKind::Audio, "song.mp3", SONG),
        ("voice", FileKind::Voice, "speech.ogg", SPEECH),
    ] {
        let part = Part::bytes(bytes.to_vec()).file_name(filename.to_owned());
        let (answer, first) = app.delivered_form(Form::new().part(name, part).text("caption", "hello")).await;
        let media = first.media.unwrap();
        assert_eq!((media.kind, media.how, media.sha256), (kind, MediaOrigin::Upload, Sha256::of(bytes)), "{name}");
        assert_eq!(first.caption.as_deref(), Some("hello"), "{name}");
        if name == "document" {
            assert_eq!(media.file_name.as_deref(), Some(filename));
        }
        let digest = Sha256::of(bytes).to_string();
        assert_eq!(answer["files"], json!([{"kind": name, "sha256": digest, "size": bytes.len()}]));
        let again = json!({"base64": STANDARD.encode(bytes), "filename": filename});
        for again in [again, json!({"sha256": digest, "filename": filename})] {
            let (_, message) = app.delivered(json!({name: again})).await;
            let media = message.media.unwrap();
            assert_eq!((media.kind, media.how, media.sha256), (kind, MediaOrigin::FileId, Sha256::of(bytes)), "{name}");
        }
        let record = app.record(answer["id"].as_str().unwrap()).await;
        let (_, message) = app.delivered(json!({name: record["file_id"]})).await;
        assert_eq!(message.media.unwrap().how, MediaOrigin::FileId, "{name}");
        let extension = match name {
            "photo" => "png",
            "document" => "zip",
            _ => filename.rsplit('.').next().unwrap(),
        };
        let (_, message) = app.delivered(json!({name: format!("https://example.com/a.{extension}")})).await;
        assert_eq!(message.media.unwrap().how, MediaOrigin::Url, "{name}");
    }
    let (_, message) = app.delivered(json!({"text": "<b>hello</b>", "parse_mode": "HTML"})).await;
    assert_eq!((message.caption.as_deref(), message.media), (Some("hello"), None));
    assert_eq!(message.entities, [json!({"type": "bold", "offset": 0, "length": 5})]);
    assert_eq!(app.sandbox.stats().uploads, 6);
}

async fn a_thumbnail_goes_along(app: &TestApp) {
    let small = fixture("grey.jpg");
    let given = json!({"video": base64(FILM), "thumbnail": base64(&small), "duration": 7, "width": 640, "height": 480});
    let (answer, message) = app.delivered(given).await;
    let media = message.media.unwrap();
    assert_eq!((media.duration, media.width, media.height), (Some(7), 640, 480));
    assert!(media.thumbnail.is_some());
    assert_eq!(answer["files"][1]["kind"], "other");
    let wrong = json!({"chat_id": 42, "video": "AgAC", "thumbnail": base64_png(1)});
    let problem: Value = app.post(wrong).await.json().await.unwrap();
    assert_eq!((&problem["code"], &problem["field"]), (&json!("invalid_thumbnail"), &json!("thumbnail")));
}

async fn an_album_arrives_in_order_and_its_files_are_uploaded_once(app: &TestApp) {
    let photo = |number: u32| json!({"type": "photo", "media": base64_png(number), "caption": number.to_string()});
    let album = json!([photo(1), photo(2), {"type": "video", "media": base64(FILM)}]);
    let (answer, first) = app.delivered(json!({"album": album})).await;
    let record = app.record(answer["id"].as_str().unwrap()).await;
    assert_eq!(record["message_ids"].as_array().map(Vec::len), Some(3), "{record:#}");
    assert_eq!(record["message_ids"][0], first.message_id);
    let group = |messages: Vec<SandboxMessage>| -> Vec<_> {
        messages.into_iter().filter(|m| m.media_group_id.is_some()).map(|m| m.media.unwrap().sha256).collect()
    };
    let wanted = [png(1), png(2), FILM.to_vec()].map(|bytes| Sha256::of(&bytes));
    assert_eq!(group(app.messages()), wanted);
    let (_, single) = app.delivered(json!({"photo": base64_png(2)})).await;
    assert_eq!(single.media.unwrap().how, MediaOrigin::FileId);
    let unknown = json!({"type": "photo", "media": {"sha256": Sha256::of(b"never seen")}});
    let response = app.post(json!({"chat_id": 42, "album": [photo(1), unknown]})).await;
    let problem: Value = response.json().await.unwrap();
    assert_eq!(problem["field"], "album[1].media.sha256", "{problem:#}");
    app.delivered(json!({"album": [photo(2), photo(3)]})).await;
    assert_eq!(app.sandbox.stats().uploads, 4, "two photos, a film, and one photo more");
}

async fn an_album_of_a_form_names_its_parts(app: &TestApp) {
    let part = |number| Part::bytes(png(number)).file_name("a.png");
    let media = json!([{"type": "photo", "media": "attach://one"}, {"type": "photo", "media": "attach://two"}]);
    let form = || Form::new().part("one", part(1)).text("album", media.to_string()).part("two", part(2));
    let (answer, _) = app.delivered_form(form()).await;
    assert_eq!(answer["files"].as_array().map(Vec::len), Some(2));
    let url = format!("{}/v1/notifications", app.api);
    let form = form().text("chat_id", "42").part("captoin", part(3));
    let problem: Value = app.client.post(url).multipart(form).send().await.unwrap().json().await.unwrap();
    assert_eq!((&problem["code"], &problem["field"]), (&json!("unknown_field"), &json!("captoin")));
}

async fn a_long_caption_is_continued_in_replies(app: &TestApp) {
    let caption = format!("<b>{}</b>", "word ".repeat(1500).trim_end());
    let given = json!({"photo": base64_png(1), "caption": caption, "parse_mode": "HTML", "long_caption": "split"});
    let (answer, first) = app.delivered(given).await;
    let then: Vec<&str> = answer["then"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
    assert_eq!(then.len(), 2);
    let mut before = first.message_id;
    let mut text = first.caption.clone().unwrap().into_string();
    for id in then {
        let record = app.sent(id).await;
        let message = app.messages().into_iter().find(|m| Some(m.message_id) == record["message_id"].as_i64()).unwrap();
        assert_eq!(message.reply_to_message_id, Some(before));
        assert_eq!(message.entities[0]["type"], "bold");
        before = message.message_id;
        text = format!("{text} {}", message.caption.unwrap());
    }
    assert_eq!(text, "word ".repeat(1500).trim_end());
}

async fn what_is_no_photo_becomes_a_document_or_a_photo(app: &TestApp) {
    let large = picture(9000, 1500, 0, 1);
    let webp = fixture("lossy.webp");
    for (bytes, code) in [(&large, "image_dimensions"), (&webp, "not_an_image")] {
        let problem: Value = app.post(json!({"chat_id": 42, "photo": base64(bytes)})).await.json().await.unwrap();
        assert_eq!((&problem["code"], &problem["field"]), (&json!(code), &json!("photo")));
        let given = json!({"photo": base64(bytes), "oversize": "document", "has_spoiler": true, "caption": "a"});
        let (answer, message) = app.delivered(given).await;
        assert_eq!(answer["oversize"], "document");
        let media = message.media.unwrap();
        assert_eq!((media.kind, media.sha256), (FileKind::Document, Sha256::of(bytes)));
        assert_eq!(message.caption.as_deref(), Some("a"));
        let (answer, message) = app.delivered(json!({"photo": base64(bytes), "oversize": "shrink"})).await;
        assert_eq!(answer["oversize"], "shrink");
        assert_eq!(message.media.unwrap().kind, FileKind::Photo);
    }
    let heavy = picture(100, 100, 11 << 20, 2);
    let (_, message) = app.delivered(json!({"photo": base64(&heavy), "oversize": "document"})).await;
    assert_eq!(message.media.unwrap().bytes, 11 << 20);
    let (answer, _) = app.delivered(json!({"photo": base64_png(1), "oversize": "shrink"})).await;
    assert_eq!(answer["oversize"], Value::Null, "nothing had to be done");
    for (bad, way) in [
        (&large[..large.len() - 20], "document"),
        (b"", "document"),
        (&large[..large.len() - 20], "shrink"),
        (&webp[..5], "shrink"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "shrink"),
    ] {
        let response = app.post(json!({"chat_id": 42, "photo": base64(bad), "oversize": way})).await;
        assert_eq!(response.status(), 400, "{way}");
    }
}

async fn case_70_whatever_it_is_becomes_a_document(app: &TestApp) {
    for bytes in [
        &b"\0\0\x01\0\x01\0\x10\x10\0\0\x01\0\x20\0"[..],
        b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x14ftypjp2 ",
        b"\xff\x0a\x7f\x3f\0\0\0\0\0\0\0\0\0",
        b"\0\0\0\x0cJXL \r\n\x87\n\0\0\0\x14ftypjxl ",
        b"II+\0\x08\0\0\0\0\0\0\0\0\0\0\0",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%PDF-1.7\n",
        b"x",
    ] {
        let given = json!({"chat_id": 42, "photo": base64(bytes)});
        let problem: Value = app.post(given).await.json().await.unwrap();
        assert_eq!(problem["code"], "not_an_image", "{problem:#}");
        assert!(problem["detail"].as_str().unwrap().contains("as a document"), "{problem:#}");
        let (answer, message) = app.delivered(json!({"photo": base64(bytes), "oversize": "document"})).await;
        assert_eq!((&answer["oversize"], message.media.unwrap().sha256), (&json!("document"), Sha256::of(bytes)));
    }
}

async fn an_image_by_its_digest_is_checked_like_one_in_the_body(app: &TestApp) {
    let (large, small) = (picture(9000, 2000, 0, 3), picture(640, 480, 0, 4));
    let cut = &small[..small.len() - 20];
    let mut digests = Vec::new();
    for bytes in [&large[..], &small, cut, b"no image"] {
        let (answer, _) = app.delivered(json!({"document": base64(bytes)})).await;
        digests.push(answer["files"][0]["sha256"].clone());
    }
    for (digest, code) in
        [(&digests[0], "image_dimensions"), (&digests[2], "image_damaged"), (&digests[3], "not_an_image")]
    {
        // The second time what was found is known.
        for _ in 0..2 {
            let given = json!({"chat_id": 42, "photo": {"sha256": digest}});
            let problem: Value = app.post(given).await.json().await.unwrap();
            assert_eq!((&problem["code"], &problem["field"]), (&json!(code), &json!("photo")), "{problem:#}");
        }
    }
    let in_an_album = json!({"chat_id": 42, "album": [
        {"type": "photo", "media": {"sha256": digests[1]}}, {"type": "photo", "media": {"sha256": digests[0]}},
    ]});
    let problem: Value = app.post(in_an_album).await.json().await.unwrap();
    assert_eq!((&problem["code"], &problem["field"]), (&json!("image_dimensions"), &json!("album[1].media")));
    for (way, kind) in [("document", FileKind::Document), ("shrink", FileKind::Photo)] {
        let given = json!({"photo": {"sha256": digests[0]}, "oversize": way});
        let (answer, message) = app.delivered(given).await;
        assert_eq!((&answer["oversize"], message.media.unwrap().kind), (&json!(way), kind));
    }
    let (answer, message) = app.delivered(json!({"photo": {"sha256": digests[1]}, "oversize": "shrink"})).await;
    assert_eq!((&answer["oversize"], message.media.unwrap().kind), (&Value::Null, FileKind::Photo));
}
