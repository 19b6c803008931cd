//! Requests as odd clients write them, from public reports: each `case` has a number of its own, and a name at the Bot API
//! face (`bot_api::written_requests`) if it is about that too.

use crate::support::answer::Answer;
use crate::support::api_app::{ApiApp, png};
use bytes::Bytes;
use futures_util::stream;
use pixcourier::domain::Sha256;
use reqwest::Method;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE};
use serde_json::{Value, json};

const GIF: &[u8] = b"GIF89a\x01\0\x01\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;";

/// A body of parts, each the headers and the value.
fn body(boundary: &str, parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (head, value) in parts {
        body.extend_from_slice(format!("--{boundary}\r\n{head}\r\n\r\n").as_bytes());
        body.extend_from_slice(value);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    body
}

const CHAT: (&str, &[u8]) = ("Content-Disposition: form-data; name=\"chat_id\"", b"42");
const PHOTO: (&str, &[u8]) = ("Content-Disposition: form-data; name=\"photo\"; filename=\"a.gif\"", GIF);

impl ApiApp {
    async fn written(&self, content_type: &str, body: Vec<u8>) -> Answer {
        Answer::of(self.post().header(CONTENT_TYPE, content_type).body(body)).await
    }

    /// Posts a form with the boundary `b`.
    async fn form(&self, body: Vec<u8>) -> Answer {
        self.written("multipart/form-data; boundary=b", body).await
    }

    /// The call of a notification that was accepted.
    async fn call(&self, answer: &Answer) -> pixcourier::domain::Call {
        let record = self.engine.ports.ledger.get(answer.id().parse().unwrap()).await.unwrap().unwrap();
        record.notification.call
    }

    /// Posts a form with a document under this name; returns the name that it goes out with.
    async fn document_name(&self, attributes: &[u8]) -> String {
        let mut form = b"--b\r\nContent-Disposition: form-data; name=document; ".to_vec();
        form.extend_from_slice(attributes);
        form.extend_from_slice(b"\r\n\r\nhello\r\n");
        form.extend_from_slice(&body("b", &[CHAT]));
        let answer = self.form(form).await;
        self.call(&answer).await.media[0].filename.clone()
    }
}

#[tokio::test]
async fn case_03_boundary_with_equals_signs() {
    let app = ApiApp::start().await;
    for boundary in ["====1700000000000===", "a:b/c?d", "----=_Part_1_2.3", "=", "a b", "'()+_,-./:=?"] {
        let answer =
            app.written(&format!("multipart/form-data; boundary={boundary}"), body(boundary, &[CHAT, PHOTO])).await;
        assert_eq!(answer.json()["photo"]["sha256"], Sha256::of(GIF).to_string(), "{boundary}");
    }
    for boundary in ["a;b", "a, b"] {
        let answer =
            app.written(&format!("multipart/form-data; boundary=\"{boundary}\""), body(boundary, &[CHAT, PHOTO])).await;
        assert_eq!(answer.status, 202, "{boundary}");
    }
    app.stop().await;
}

#[tokio::test]
async fn case_05_file_part_of_type_multipart() {
    let app = ApiApp::start().await;
    for kind in ["multipart/form-data", "multipart/mixed; boundary=b", "text/plain", "nonsense", "", "image/*"] {
        let head = format!("{}\r\nContent-Type: {kind}", PHOTO.0);
        let answer = app.form(body("b", &[CHAT, (&head, GIF)])).await;
        assert_eq!(answer.status, 202, "{kind}: {}", answer.text);
    }
    app.stop().await;
}

#[tokio::test]
async fn case_07_filename_in_another_character_set() {
    let app = ApiApp::start().await;
    for (attributes, name) in [
        (&b"filename=\"\xee\xf2\xf7\xb8\xf2 2024.pdf\""[..], "2024.pdf"),
        (b"filename=\"\xb1\xa8\xb8\xe6.pdf\"", "file.pdf"),
        (b"filename=\"\xb5\x5c\"", "document"),
        (b"filename=\"\xd0\xb4.pdf\"", "\u{434}.pdf"),
        (b"filename=\"%D0%B4.pdf\"", "\u{434}.pdf"),
        (b"filename=\"100%.pdf\"", "100%.pdf"),
        (b"filename*=utf-8''%D0%B4.pdf", "\u{434}.pdf"),
        (b"filename=\"x.pdf\"; filename*=UTF-8''%e2%82%ac.pdf", "\u{20ac}.pdf"),
    ] {
        assert_eq!(app.document_name(attributes).await, name, "{}", String::from_utf8_lossy(attributes));
    }
    app.stop().await;
}

#[tokio::test]
async fn case_09_content_length_of_a_part_in_characters() {
    let app = ApiApp::start().await;
    let caption =
        |length: &str| format!("Content-Disposition: form-data; name=\"caption\"\r\nContent-Length: {length}");
    for length in ["5", "0", "100", "-1", "x"] {
        let head = caption(length);
        let photo = format!("{}\r\nContent-Length: 3", PHOTO.0);
        let answer = app.form(body("b", &[CHAT, (&head, "T\u{fc}r auf".as_bytes()), (&photo, GIF)])).await;
        assert_eq!(app.call(&answer).await.params["caption"], "T\u{fc}r auf", "{length}");
        assert_eq!(answer.json()["photo"]["size"], GIF.len());
    }
    app.stop().await;
}

#[tokio::test]
async fn case_11_something_behind_the_last_boundary() {
    let app = ApiApp::start().await;
    for end in ["", "\n", "\r", " ", "  \r\n", "\r\n\r\n", "\r\nepilogue", "text", "\r\n--b\r\nX: y", "\0"] {
        let mut form = body("b", &[CHAT, PHOTO]);
        form.truncate(form.len() - 2);
        form.extend_from_slice(end.as_bytes());
        assert_eq!(app.form(form).await.status, 202, "{end:?}");
    }
    app.stop().await;
}

#[tokio::test]
async fn case_13_windows_path_as_a_filename() {
    let app = ApiApp::start().await;
    for attributes in [
        "filename=\"C:\\temp\\new.pdf\"",
        "filename=C:\\temp\\new.pdf",
        "filename=\"C:\\\\temp\\\\new.pdf\"",
        "filename=\"\\\\server\\share\\new.pdf\"",
        "filename=\"/tmp/new.pdf\"",
        "filename=\"..\\new.pdf\"",
    ] {
        assert_eq!(app.document_name(attributes.as_bytes()).await, "new.pdf", "{attributes}");
    }
    assert_eq!(app.document_name(b"filename=\"C:\\temp\\\"").await, "document");
    app.stop().await;
}

#[tokio::test]
async fn case_14_small_headers_in_small_writes() {
    let app = ApiApp::start().await;
    let form = body(
        "b",
        &[
            ("content-disposition:form-data;name=\"chat_id\"\r\ncontent-length:2", b"42"),
            ("content-disposition: form-data; name=\"photo\"; filename=\"a\"\r\ncontent-type:image/gif", GIF),
        ],
    );
    let pieces: Vec<_> = form.chunks(5).map(|piece| Ok::<_, std::io::Error>(Bytes::copy_from_slice(piece))).collect();
    let request = app.post().header(CONTENT_TYPE, "multipart/form-data; boundary=b");
    let answer = Answer::of(request.body(reqwest::Body::wrap_stream(stream::iter(pieces)))).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    app.stop().await;
}

#[tokio::test]
async fn case_16_boundary_of_dashes() {
    let app = ApiApp::start().await;
    for boundary in ["----7e83e29bb8f61021----", "--", "-", &"-".repeat(70)] {
        let answer =
            app.written(&format!("multipart/form-data; boundary={boundary}"), body(boundary, &[CHAT, PHOTO])).await;
        assert_eq!(answer.status, 202, "{boundary}: {}", answer.text);
    }
    app.stop().await;
}

#[tokio::test]
async fn case_20_only_an_extended_filename() {
    let app = ApiApp::start().await;
    let photo = ("Content-Disposition: form-data; name=\"photo\"; filename*=utf-8''a.gif", GIF);
    assert_eq!(app.form(body("b", &[CHAT, photo])).await.status, 202);
    let named = ("Content-Disposition: form-data; name*=utf-8''photo; filename=a", GIF);
    assert_eq!(app.form(body("b", &[CHAT, named])).await.status, 202);
    app.stop().await;
}

#[tokio::test]
async fn case_21_photo_without_a_filename() {
    let app = ApiApp::start().await;
    let head = "Content-Disposition: form-data; name=\"photo\"";
    for kind in ["image/gif", "IMAGE/GIF; x=y", "application/octet-stream"] {
        let typed = format!("{head}\r\nContent-Type: {kind}");
        assert_eq!(app.form(body("b", &[CHAT, (&typed, GIF)])).await.status, 202, "{kind}");
    }
    let answer = app.form(body("b", &[CHAT, (head, b"GIF89a\xff\xfe")])).await;
    answer.assert_problem("untyped", 400, "invalid_field", Some("photo"));
    assert!(answer.text.contains("send the part with a filename"), "{}", answer.text);
    app.stop().await;
}

#[tokio::test]
async fn case_23_preamble_and_missing_last_line_break() {
    let app = ApiApp::start().await;
    for before in ["\r\n", "preamble\r\n", "This is a multi-part message in MIME format.\r\n\r\n", "--"] {
        let mut form = [before.as_bytes(), &body("b", &[CHAT, PHOTO])].concat();
        form.truncate(form.len() - 2);
        assert_eq!(app.form(form).await.status, 202, "{before}");
    }
    app.stop().await;
}

#[tokio::test]
async fn case_25_content_type_with_more_in_it() {
    let app = ApiApp::start().await;
    let seventy = "b".repeat(70);
    for (header, boundary) in [
        ("multipart/form-data; charset=utf-8; boundary=b", "b"),
        ("multipart/form-data; boundary=b; charset=utf-8", "b"),
        ("Multipart/Form-Data; Boundary=B", "B"),
        ("multipart/form-data; boundary=b;", "b"),
        ("multipart/form-data;boundary=\"b\"", "b"),
        ("multipart/form-data; boundary = b", "b"),
        (&format!("multipart/form-data; boundary={seventy}"), &seventy),
    ] {
        let answer = app.written(header, body(boundary, &[CHAT, PHOTO])).await;
        assert_eq!(answer.status, 202, "{header}: {}", answer.text);
    }
    app.stop().await;
}

#[tokio::test]
async fn case_27_compressed_body() {
    let app = ApiApp::start().await;
    let request = app.post().header(CONTENT_TYPE, "multipart/form-data; boundary=b").header(CONTENT_ENCODING, "gzip");
    let answer = Answer::of(request.body(body("b", &[CHAT, PHOTO]))).await;
    answer.assert_problem("gzip", 415, "unsupported_media_type", Some("Content-Encoding"));
    app.stop().await;
}

#[tokio::test]
async fn what_is_no_form_is_told_what_to_do() {
    let app = ApiApp::start().await;
    let whole = body("b", &[CHAT, PHOTO]);
    let cut = |at: usize| whole[..at].to_vec();
    let lines = String::from_utf8(body("b", &[CHAT])).unwrap().replace('\r', "").into_bytes();
    for (case, header, form, words) in [
        ("no boundary", "multipart/form-data", whole.clone(), "leave that to your HTTP client"),
        ("71 characters", &format!("multipart/form-data; boundary={}", "b".repeat(71)), whole.clone(), "70 characters"),
        ("another boundary", "multipart/form-data; boundary=c", whole.clone(), "nowhere in the body"),
        ("the dashes in the header", "multipart/form-data; boundary=--b", whole.clone(), "two dashes"),
        ("no bytes", "multipart/form-data; boundary=b", Vec::new(), "nowhere in the body"),
        ("cut in the picture", "multipart/form-data; boundary=b", cut(whole.len() - 20), "Content-Length"),
        ("cut in the last boundary", "multipart/form-data; boundary=b", cut(whole.len() - 4), "last boundary"),
        ("cut in the headers", "multipart/form-data; boundary=b", cut(20), "last boundary"),
        ("bare line feeds", "multipart/form-data; boundary=b", lines, "CRLF"),
        ("no name", "multipart/form-data; boundary=b", body("b", &[("Content-Type: image/gif", GIF)]), "no name"),
        ("no headers", "multipart/form-data; boundary=b", body("b", &[("nonsense", GIF)]), "cannot be read"),
    ] {
        let answer = app.written(header, form).await;
        answer.assert_problem(case, 400, "malformed_multipart", None);
        assert!(answer.text.contains(words), "{case}: {}", answer.text);
    }
    for (case, part, code, words) in [
        ("without @", ("photo", "plot.png"), "invalid_photo", "-F photo=@FILE"),
        ("chat", ("chat", "1"), "unknown_field", "Did you mean chat_id?"),
    ] {
        let head = format!("Content-Disposition: form-data; name=\"{}\"", part.0);
        let answer = app.form(body("b", &[CHAT, (&head, part.1.as_bytes())])).await;
        answer.assert_problem(case, 400, code, Some(part.0));
        assert!(answer.text.contains(words), "{case}: {}", answer.text);
    }
    app.stop().await;
}

#[tokio::test]
async fn a_file_may_be_the_body_and_the_fields_the_query() {
    let app = ApiApp::start().await;
    let image = png(640, 480, 200_000);
    let path = "/v1/notifications?chat_id=42&caption=a+b%21&priority=urgent&tags=x&tags=y&has_spoiler=yes";
    for (method, kind) in [
        (Method::PUT, None),
        (Method::PUT, Some("image/png")),
        (Method::POST, Some("image/png")),
        (Method::POST, Some("image/jpeg")),
        (Method::POST, Some("application/octet-stream")),
    ] {
        let mut request = app.request(method.clone(), path).body(image.clone());
        if let Some(kind) = kind {
            request = request.header(CONTENT_TYPE, kind);
        }
        let answer = Answer::of(request).await;
        let call = app.call(&answer).await;
        assert_eq!((call.method.as_str(), &call.params["caption"]), ("sendPhoto", &json!("a b!")), "{method} {kind:?}");
        assert_eq!(call.params["has_spoiler"], true);
        assert_eq!(answer.json()["photo"], json!({"sha256": Sha256::of(&image), "size": 200_000}));
        let record: Value = app.get(&format!("/v1/notifications/{}", answer.id())).await.json();
        assert_eq!((&record["priority"], &record["tags"]), (&json!("urgent"), &json!(["x", "y"])));
    }
    let video = app.request(Method::POST, "/v1/notifications?chat_id=42").header(CONTENT_TYPE, "video/mp4");
    let video = Answer::of(video.body("a film")).await;
    assert_eq!(app.call(&video).await.method, "sendVideo");
    for (path, kind, bytes, status, code, field) in [
        ("?chat_id=42", "application/pdf", image.clone(), 415, "unsupported_media_type", "Content-Type"),
        ("", "image/png", image.clone(), 400, "missing_field", "chat_id"),
        ("?chat_id=42&captoin=x", "image/png", image.clone(), 400, "unknown_field", "captoin"),
        ("?chat_id=42&photo=AgACAgIAAxk", "image/png", image.clone(), 400, "duplicate_field", "photo"),
        ("?chat_id=42", "image/png", Vec::new(), 400, "not_an_image", "photo"),
        ("?chat_id=42", "image/png", png(640, 480, 10_485_761), 413, "photo_too_large", "photo"),
    ] {
        let request = app.request(Method::PUT, &format!("/v1/notifications{path}")).header(CONTENT_TYPE, kind);
        Answer::of(request.body(bytes)).await.assert_problem(&format!("{path} {kind}"), status, code, Some(field));
    }
    app.stop().await;
}

#[tokio::test]
async fn one_key_makes_a_put_a_form_and_json_the_same_notification() {
    let app = ApiApp::start().await;
    let image = png(64, 48, 500);
    let put = app.request(Method::PUT, "/v1/notifications?chat_id=42&caption=x").body(image.clone());
    let put = Answer::of(put.header("Idempotency-Key", "k1")).await;
    let form = body("b", &[CHAT, (PHOTO.0, &image), ("Content-Disposition: form-data; name=caption", b"x")]);
    let posted = app.post().header("Idempotency-Key", "k1").header(CONTENT_TYPE, "multipart/form-data; boundary=b");
    assert_eq!(Answer::of(posted.body(form)).await.id(), put.id());
    app.stop().await;
}

#[tokio::test]
async fn a_url_encoded_form_is_taken_with_fields_in_the_query_too() {
    let app = ApiApp::start().await;
    let post = |query: &str, body: &str| {
        let request = app.request(Method::POST, &format!("/v1/notifications{query}"));
        let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded; charset=utf-8");
        Answer::of(request.body(body.to_owned()))
    };
    let markup = "%7B%22remove_keyboard%22%3Atrue%7D";
    let answer =
        post("", &format!("chat_id=42&text=T%C3%BCr+auf%0A%26+zu&reply_markup={markup}&disable_notification=1")).await;
    let call = app.call(&answer).await;
    assert_eq!((call.method.as_str(), &call.params["text"]), ("sendMessage", &json!("T\u{fc}r auf\n& zu")));
    assert_eq!(call.params["reply_markup"], json!({"remove_keyboard": true}));
    assert_eq!(post("?chat_id=42", "photo=https%3A%2F%2Fexample.com%2Fa.png").await.status, 202);
    post("?chat_id=42", "chat_id=42&text=x").await.assert_problem("twice", 400, "duplicate_field", Some("chat_id"));
    post("", "chat_id=42&text=%ff").await.assert_problem("no UTF-8", 400, "invalid_field", Some("text"));
    post("", "chat_id=42&photo=@plot.png").await.assert_problem("a path", 400, "invalid_photo", Some("photo"));
    let form = app
        .request(Method::POST, "/v1/notifications?chat_id=42")
        .header(CONTENT_TYPE, "multipart/form-data; boundary=b");
    assert_eq!(Answer::of(form.body(body("b", &[PHOTO]))).await.status, 202);
    app.stop().await;
}
