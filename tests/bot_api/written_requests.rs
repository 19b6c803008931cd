//! Calls as odd clients write them, from public reports; the numbers are those of `native::written_requests`. What Telegram
//! takes of them, we take.

use super::queued_calls::read;
use crate::support::test_app::{TOKEN, TestApp, png};
use bytes::Bytes;
use futures_util::stream;
use reqwest::{Body, Method};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

on_both_engines!(
    case_01_part_named_after_its_file,
    case_03_boundary_with_equals_signs,
    case_05_file_part_of_type_multipart,
    case_07_filename_in_another_character_set,
    case_09_content_length_of_a_part_in_characters,
    case_11_something_behind_the_last_boundary,
    case_14_small_headers_in_small_writes,
    case_15_a_line_break_behind_the_body,
    case_16_boundary_of_dashes,
    case_18_filename_in_raw_utf_8_of_a_part_with_a_number,
    case_20_only_an_extended_filename,
    case_21_photo_without_a_filename,
    case_23_preamble_and_missing_last_line_break,
    case_25_content_type_with_more_in_it,
    case_26_address_with_a_slash_or_encoded,
    what_is_no_form_is_refused_as_telegram_refuses_it,
);

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
const PHOTO: &str = "Content-Disposition: form-data; name=\"photo\"; filename=\"a.png\"";

impl TestApp {
    /// Posts a body to a method, to the sandbox and to us; the answers are the same.
    async fn written(&self, method: &str, content_type: &str, body: Vec<u8>) -> (u16, Value) {
        self.same(Method::POST, method, |request| request.header("content-type", content_type).body(body.clone())).await
    }

    /// The same with the boundary `b`.
    async fn form(&self, method: &str, parts: &[(&str, &[u8])]) -> (u16, Value) {
        self.written(method, "multipart/form-data; boundary=b", body("b", parts)).await
    }
}

async fn case_01_part_named_after_its_file(app: &TestApp) {
    for (at, name) in [
        "my plot.png",
        "\u{433}\u{440}\u{430}\u{444}\u{438}\u{43a} 1.png",
        "plot #1.png",
        "100% sure.png",
        "\u{1F408};=:.png",
        "a'b&c.png",
    ]
    .into_iter()
    .enumerate()
    {
        let image = png(u32::try_from(at).unwrap());
        let head = format!("Content-Disposition: form-data; name=\"{name}\"; filename=\"{name}\"");
        let photo = ("Content-Disposition: form-data; name=\"photo\"", format!("attach://{name}"));
        let (status, sent) = app.form("sendPhoto", &[CHAT, (photo.0, photo.1.as_bytes()), (&head, &image)]).await;
        assert_eq!((status, sent["result"]["photo"].is_array()), (200, true), "{name}: {sent}");
        let media = json!([
            {"type": "photo", "media": format!("attach://{name}")},
            {"type": "photo", "media": "attach://second"},
        ]);
        let media = media.to_string();
        let second = "Content-Disposition: form-data; name=second; filename=b.png";
        let album: [(&str, &[u8]); 4] = [
            CHAT,
            ("Content-Disposition: form-data; name=\"media\"", media.as_bytes()),
            (&head, &image),
            (second, &image),
        ];
        let (status, sent) = app.form("sendMediaGroup", &album).await;
        assert_eq!((status, sent["result"].as_array().map(Vec::len)), (200, Some(2)), "{name}: {sent}");
    }
}

async fn case_03_boundary_with_equals_signs(app: &TestApp) {
    for boundary in ["====1700000000000===", "a:b/c?d", "=", "a b", "'()+_,-./:=?"] {
        let form = body(boundary, &[CHAT, (PHOTO, &png(1))]);
        let (status, sent) = app.written("sendPhoto", &format!("multipart/form-data; boundary={boundary}"), form).await;
        assert_eq!(status, 200, "{boundary}: {sent}");
    }
}

async fn case_05_file_part_of_type_multipart(app: &TestApp) {
    for kind in ["multipart/form-data", "multipart/mixed; boundary=b", "text/plain", "nonsense", ""] {
        let head = format!("{PHOTO}\r\nContent-Type: {kind}");
        let (status, sent) = app.form("sendPhoto", &[CHAT, (&head, &png(1))]).await;
        assert_eq!(status, 200, "{kind}: {sent}");
    }
}

/// Telegram refuses a photo without an extension; ours gets one that fits its bytes, so only we take it.
async fn case_07_filename_in_another_character_set(app: &TestApp) {
    let kind = "multipart/form-data; boundary=b";
    for name in [&b"\xee\xf2\xf7\xb8\xf2.png"[..], b"\xb1\xa8\xb8\xe6.png", b"\xb1\x5c\xb8.png"] {
        let form = |field: &str| {
            let mut form = format!("--b\r\nContent-Disposition: form-data; name={field}; filename=\"").into_bytes();
            form.extend_from_slice(name);
            form.extend_from_slice(b"\"\r\n\r\n");
            form.extend_from_slice(&png(1));
            form.extend_from_slice(b"\r\n");
            form.extend_from_slice(&body("b", &[CHAT]));
            form
        };
        let (status, sent) = app.written("sendDocument", kind, form("document")).await;
        assert_eq!(status, 200, "{name:?}: {sent}");
        let photo = app.bot(Method::POST, "sendPhoto").header("content-type", kind).body(form("photo"));
        let (status, sent) = read(photo.send().await.unwrap()).await;
        assert_eq!(status, 200, "{name:?}: {sent}");
    }
}

async fn case_09_content_length_of_a_part_in_characters(app: &TestApp) {
    for length in ["5", "0", "100", "x"] {
        let caption = format!("Content-Disposition: form-data; name=\"caption\"\r\nContent-Length: {length}");
        let photo = format!("{PHOTO}\r\nContent-Length: 3");
        let parts = [CHAT, (&caption, "T\u{fc}r auf".as_bytes()), (photo.as_str(), &png(1))];
        let (status, sent) = app.form("sendPhoto", &parts).await;
        assert_eq!((status, &sent["result"]["caption"]), (200, &json!("T\u{fc}r auf")), "{length}");
    }
}

async fn case_11_something_behind_the_last_boundary(app: &TestApp) {
    for end in ["", "\n", "\r", " ", "  \r\n", "\r\n\r\n", "\r\nepilogue", "text", "\r\n--b\r\nX: y"] {
        let mut form = body("b", &[CHAT, (PHOTO, &png(1))]);
        form.truncate(form.len() - 2);
        form.extend_from_slice(end.as_bytes());
        let (status, sent) = app.written("sendPhoto", "multipart/form-data; boundary=b", form).await;
        assert_eq!(status, 200, "{end:?}: {sent}");
    }
}

async fn case_14_small_headers_in_small_writes(app: &TestApp) {
    let photo = "content-disposition:form-data; name=\"photo\"; filename=\"esp32-cam.jpg\"\r\ncontent-type:image/jpeg";
    let chat = ("content-disposition: form-data; name=\"chat_id\"\r\nContent-Length:2", &b"42"[..]);
    let form = body("b", &[chat, (photo, &png(1))]);
    let pieces = || {
        let pieces = form.chunks(512).map(|piece| Ok::<_, std::io::Error>(Bytes::copy_from_slice(piece)));
        Body::wrap_stream(stream::iter(pieces.collect::<Vec<_>>()))
    };
    let kind = "multipart/form-data; boundary=b";
    let (status, sent) = app.same(Method::POST, "sendPhoto", |r| r.header("content-type", kind).body(pieces())).await;
    assert_eq!(status, 200, "{sent}");
}

async fn case_15_a_line_break_behind_the_body(app: &TestApp) {
    let mut socket = TcpStream::connect(app.api.trim_start_matches("http://")).await.unwrap();
    for text in ["first", "second"] {
        let json = json!({"chat_id": 42, "text": text}).to_string();
        let request = format!(
            "POST /bot{TOKEN}/sendMessage HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{json}\r\n",
            json.len()
        );
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        while !answer.ends_with("}}") {
            let mut piece = [0; 4096];
            let read = socket.read(&mut piece).await.unwrap();
            assert!(read > 0, "{text}: closed after {answer}");
            answer.push_str(&String::from_utf8_lossy(&piece[..read]));
        }
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains(text), "{answer}");
    }
    let mut socket = TcpStream::connect(app.api.trim_start_matches("http://")).await.unwrap();
    let request = format!("GET /bot{TOKEN}/getMe HTTP/1.0\r\nHost: localhost\r\n\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    assert!(answer.contains(" 200 OK\r\n") && answer.contains("is_bot"), "{answer}");
}

async fn case_16_boundary_of_dashes(app: &TestApp) {
    for boundary in ["----7e83e29bb8f61021----", "--", "-", &"-".repeat(70)] {
        let form = body(boundary, &[CHAT, (PHOTO, &png(1))]);
        let (status, sent) = app.written("sendPhoto", &format!("multipart/form-data; boundary={boundary}"), form).await;
        assert_eq!(status, 200, "{boundary}: {sent}");
    }
}

async fn case_18_filename_in_raw_utf_8_of_a_part_with_a_number(app: &TestApp) {
    let document = ("Content-Disposition: form-data; name=document", &b"attach://0"[..]);
    let file = (
        "Content-Disposition: form-data; name=\"0\"; filename=\"\u{43e}\u{442}\u{447}\u{451}\u{442}.pdf\"",
        &b"%PDF"[..],
    );
    let (status, sent) = app.form("sendDocument", &[CHAT, document, file]).await;
    assert_eq!(
        (status, &sent["result"]["document"]["file_name"]),
        (200, &json!("\u{43e}\u{442}\u{447}\u{451}\u{442}.pdf"))
    );
}

async fn case_20_only_an_extended_filename(app: &TestApp) {
    let photo = ("Content-Disposition: form-data; name=\"photo\"; filename*=utf-8''a.png", &b"no file"[..]);
    let (status, refused) = app.form("sendPhoto", &[CHAT, photo]).await;
    assert_eq!(status, 400);
    assert!(refused["description"].as_str().unwrap().contains("wrong remote file identifier"), "{refused}");
}

async fn case_21_photo_without_a_filename(app: &TestApp) {
    let image = png(1);
    let photo = ("Content-Disposition: form-data; name=\"photo\"\r\nContent-Type: image/png", image.as_slice());
    let (status, refused) = app.form("sendPhoto", &[CHAT, photo]).await;
    assert_eq!((status, &refused["description"]), (400, &json!("Bad Request: strings must be encoded in UTF-8")));
}

async fn case_23_preamble_and_missing_last_line_break(app: &TestApp) {
    for before in ["\r\n", "preamble\r\n", "This is a multi-part message in MIME format.\r\n\r\n", "--"] {
        let mut form = [before.as_bytes(), &body("b", &[CHAT, (PHOTO, &png(1))])].concat();
        form.truncate(form.len() - 2);
        let (status, sent) = app.written("sendPhoto", "multipart/form-data; boundary=b", form).await;
        assert_eq!(status, 200, "{before}: {sent}");
    }
}

async fn case_25_content_type_with_more_in_it(app: &TestApp) {
    let seventy = "b".repeat(70);
    for (header, boundary) in [
        ("multipart/form-data; charset=utf-8; boundary=b", "b"),
        ("multipart/form-data; boundary=b; charset=utf-8", "b"),
        ("Multipart/Form-Data; Boundary=B", "B"),
        ("multipart/form-data; boundary=b;", "b"),
        ("multipart/form-data;boundary=\"b\"", "b"),
        (&format!("multipart/form-data; boundary={seventy}"), &seventy),
    ] {
        let (status, sent) = app.written("sendPhoto", header, body(boundary, &[CHAT, (PHOTO, &png(1))])).await;
        assert_eq!(status, 200, "{header}: {sent}");
    }
}

async fn case_26_address_with_a_slash_or_encoded(app: &TestApp) {
    let encoded = TOKEN.replace(':', "%3A");
    for path in [
        format!("/bot{TOKEN}/sendMessage/"),
        format!("/bot{encoded}/sendMessage"),
        format!("/bot{TOKEN}/SENDMESSAGE"),
        format!("/bot{TOKEN}/?method=sendMessage"),
    ] {
        let request = app.client.post(format!("{}{path}", app.api)).json(&json!({"chat_id": 42, "text": "hello"}));
        let (status, sent) = read(request.send().await.unwrap()).await;
        assert_eq!((status, &sent["result"]["text"]), (200, &json!("hello")), "{path}");
    }
}

async fn what_is_no_form_is_refused_as_telegram_refuses_it(app: &TestApp) {
    let whole = body("b", &[CHAT, (PHOTO, &png(1))]);
    let kind = "multipart/form-data; boundary=b";
    for (case, header, form, status) in [
        ("no boundary", "multipart/form-data", whole.clone(), 400),
        ("71 characters", &format!("multipart/form-data; boundary={}", "b".repeat(71)), whole.clone(), 400),
        ("a quoted semicolon", "multipart/form-data; boundary=\"a;b\"", body("a;b", &[CHAT]), 400),
        ("another boundary", "multipart/form-data; boundary=c", whole.clone(), 400),
        ("no part", kind, b"--b--\r\n".to_vec(), 400),
        ("cut", kind, whole[..whole.len() - 20].to_vec(), 400),
        ("bare line feeds", kind, String::from_utf8(body("b", &[CHAT])).unwrap().replace('\r', "").into_bytes(), 400),
        ("another disposition", kind, body("b", &[("Content-Disposition: attachment; name=a", b"")]), 400),
        ("no name", kind, body("b", &[("Content-Type: image/gif", b"")]), 400),
        ("an open quote", kind, body("b", &[("Content-Disposition: form-data; name=\"a", b"")]), 400),
        ("long headers", kind, body("b", &[(&"x".repeat(300_000), b"")]), 431),
    ] {
        assert_eq!(app.written("sendPhoto", header, form).await, (status, json!("")), "{case}");
    }
}
