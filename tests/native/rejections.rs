//! What cannot be delivered is refused at once, by name.

use crate::support::answer::Answer;
use crate::support::api_app::{ApiApp, form, png};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pixcourier::domain::Sha256;
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE};
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

fn base64_of(image: &[u8]) -> Value {
    json!({"base64": STANDARD.encode(image)})
}

#[tokio::test]
async fn every_fault_in_a_json_request_has_its_code_and_field() {
    let app = ApiApp::start().await;
    let with = |changes: Value| {
        let mut body = json!({"chat_id": 42, "photo": "AgACAgIAAxkBAAI"});
        changes.as_object().unwrap().iter().for_each(|(name, value)| body[name] = value.clone());
        body
    };
    let table = [
        ("not an image", json!({"photo": base64_of(b"hello, this is no image")}), "not_an_image", "photo"),
        ("a WebP", json!({"photo": base64_of(b"RIFF\x01\x02\x03\x04WEBPVP8 ")}), "not_an_image", "photo"),
        ("an empty image", json!({"photo": {"base64": ""}}), "not_an_image", "photo"),
        ("a cut off head", json!({"photo": base64_of(b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01")}), "image_damaged", "photo"),
        ("a cut off image", json!({"photo": base64_of(&png(640, 480, 9000)[..8980])}), "image_damaged", "photo"),
        ("over 10,000 pixels", json!({"photo": base64_of(&png(9000, 1001, 100))}), "image_dimensions", "photo"),
        ("ratio over 20", json!({"photo": base64_of(&png(2100, 100, 100))}), "image_ratio", "photo"),
        ("no pixels", json!({"photo": base64_of(&png(0, 100, 100))}), "not_an_image", "photo"),
        ("broken base64", json!({"photo": {"base64": "aGV*sbG8="}}), "invalid_base64", "photo.base64"),
        (
            "a data: prefix",
            json!({"photo": {"base64": "data:image/png;base64,iVBO"}}),
            "invalid_base64",
            "photo.base64",
        ),
        (
            "base64 and a digest",
            json!({"photo": {"base64": STANDARD.encode(png(5, 5, 99)), "sha256": "0"}}),
            "invalid_field",
            "photo",
        ),
        ("an unknown digest", json!({"photo": {"sha256": Sha256::of(b"never seen")}}), "unknown_image", "photo.sha256"),
        ("no digest", json!({"photo": {"sha256": "abc"}}), "invalid_field", "photo.sha256"),
        ("another member", json!({"photo": {"url": "https://example.com/a.png"}}), "unknown_field", "photo.url"),
        ("no photo", json!({"photo": null}), "missing_field", "photo"),
        ("a URL without a dot", json!({"photo": "http://localhost/pic"}), "invalid_photo", "photo"),
        ("a file name", json!({"photo": "picture.png"}), "invalid_photo", "photo"),
        ("a long caption", json!({"caption": "\u{1F408}".repeat(513)}), "caption_too_long", "caption"),
        ("an unknown bot", json!({"bot": "nobody"}), "unknown_bot", "bot"),
        ("a malformed chat_id", json!({"chat_id": "bob"}), "invalid_chat_id", "chat_id"),
        ("no chat_id", json!({"chat_id": null}), "missing_field", "chat_id"),
        ("markup as an array", json!({"reply_markup": []}), "invalid_field", "reply_markup"),
        ("markup as a string", json!({"reply_markup": "{}"}), "invalid_field", "reply_markup"),
        ("a typo", json!({"captoin": "x"}), "unknown_field", "captoin"),
        ("webhook_url", json!({"webhook_url": "https://example.com"}), "unknown_field", "webhook_url"),
        ("callback_url", json!({"callback_url": "example.com"}), "invalid_field", "callback_url"),
        ("update_key", json!({"update_key": "a"}), "unknown_field", "update_key"),
        ("send_at too far", json!({"send_at": "2999-01-01T00:00:00Z"}), "invalid_field", "send_at"),
        ("expired already", json!({"expires_at": "2020-01-01T00:00:00Z"}), "invalid_field", "expires_at"),
        ("eleven tags", json!({"tags": vec!["a"; 11]}), "invalid_field", "tags"),
        ("a flag as a string", json!({"has_spoiler": "true"}), "invalid_field", "has_spoiler"),
    ];
    for (case, changes, code, field) in table {
        app.post_json(&with(changes)).await.assert_problem(case, 400, code, Some(field));
    }
    assert_eq!(app.get("/v1/notifications").await.json()["notifications"], json!([]), "nothing was accepted");
    app.stop().await;
}

#[tokio::test]
async fn every_fault_in_a_body_has_its_code() {
    let app = ApiApp::start().await;
    let json_type = "application/json";
    let form_type = "multipart/form-data; boundary=b";
    let part = |head: &str, body: &str| format!("--b\r\nContent-Disposition: form-data; {head}\r\n\r\n{body}\r\n");
    let end = "--b--\r\n";
    let chat = part("name=\"chat_id\"", "42");
    let table = vec![
        ("no JSON", json_type, b"{\"chat_id\": 42,".to_vec(), 400, "malformed_json", None),
        ("nothing", json_type, Vec::new(), 400, "malformed_json", None),
        ("not UTF-8", json_type, b"{\"caption\": \"\xff\"}".to_vec(), 400, "malformed_json", None),
        ("an array", json_type, b"[]".to_vec(), 400, "malformed_json", None),
        ("deep nesting", json_type, "[".repeat(100_000).into_bytes(), 400, "malformed_json", None),
        ("a field twice", json_type, br#"{"chat_id":1,"chat_id":2}"#.to_vec(), 400, "duplicate_field", Some("chat_id")),
        (
            "two images",
            json_type,
            br#"{"photo":{"base64":"R0lG"},"photo":{"base64":"R0lG"}}"#.to_vec(),
            400,
            "duplicate_field",
            Some("photo.base64"),
        ),
        (
            "a huge caption",
            json_type,
            format!("{{\"caption\":\"{}\"}}", "x".repeat(2 << 20)).into_bytes(),
            413,
            "body_too_large",
            None,
        ),
        ("no boundary at all", "multipart/form-data", b"x".to_vec(), 400, "malformed_multipart", None),
        ("another boundary", form_type, b"--c\r\n\r\n--c--\r\n".to_vec(), 400, "malformed_multipart", None),
        ("no form at all", form_type, Vec::new(), 400, "malformed_multipart", None),
        (
            "line feeds alone",
            form_type,
            format!("{chat}{end}").replace('\r', "").into_bytes(),
            400,
            "malformed_multipart",
            None,
        ),
        ("no last boundary", form_type, chat.clone().into_bytes(), 400, "malformed_multipart", None),
        (
            "a part in base64",
            form_type,
            format!("{}{end}", part("name=\"caption\"\r\nContent-Transfer-Encoding: Base64", "aGVsbG8=")).into_bytes(),
            400,
            "invalid_field",
            Some("caption"),
        ),
        (
            "an empty form field that is needed",
            form_type,
            format!("{}{end}", part("name=\"chat_id\"", "")).into_bytes(),
            400,
            "missing_field",
            Some("chat_id"),
        ),
        (
            "eleven tags",
            form_type,
            format!("{}{end}", part("name=\"tags\"", "").repeat(11)).into_bytes(),
            400,
            "invalid_field",
            Some("tags"),
        ),
        (
            "deeply nested markup",
            form_type,
            format!(
                "{chat}{}{}{end}",
                part("name=\"photo\"", "AgACAgIAAxk"),
                part("name=\"reply_markup\"", &"[".repeat(33))
            )
            .into_bytes(),
            400,
            "invalid_field",
            Some("reply_markup"),
        ),
        (
            "a form with inputs left alone",
            form_type,
            format!(
                "{chat}{}{}{}{end}",
                part("name=\"photo\"", "AgACAgIAAxk"),
                part("name=\"parse_mode\"", ""),
                part("name=\"tags\"", "")
            )
            .into_bytes(),
            202,
            "",
            None,
        ),
        (
            "a file cut off",
            form_type,
            format!("{chat}--b\r\nContent-Disposition: form-data; name=\"photo\"; filename=\"a\"\r\n\r\nGIF89a")
                .into_bytes(),
            400,
            "malformed_multipart",
            None,
        ),
        (
            "a part without a name",
            form_type,
            format!("{}{end}", part("x=\"y\"", "42")).into_bytes(),
            400,
            "malformed_multipart",
            None,
        ),
        (
            "endless part headers",
            form_type,
            format!("--b\r\nX: {}", "x".repeat(200_000)).into_bytes(),
            400,
            "malformed_multipart",
            None,
        ),
        (
            "an unknown part",
            form_type,
            format!("{chat}{}{end}", part("name=\"captoin\"", "x")).into_bytes(),
            400,
            "unknown_field",
            Some("captoin"),
        ),
        ("a part twice", form_type, format!("{chat}{chat}{end}").into_bytes(), 400, "duplicate_field", Some("chat_id")),
        (
            "a file for a text",
            form_type,
            format!("{}{end}", part("name=\"caption\"; filename=\"a.txt\"", "x")).into_bytes(),
            400,
            "invalid_field",
            Some("caption"),
        ),
        (
            "markup that is no object",
            form_type,
            format!("{chat}{}{}{end}", part("name=\"photo\"", "AgACAgIAAxk"), part("name=\"reply_markup\"", "[]"))
                .into_bytes(),
            400,
            "invalid_field",
            Some("reply_markup"),
        ),
        (
            "markup that is no JSON",
            form_type,
            format!("{chat}{}{}{end}", part("name=\"photo\"", "AgACAgIAAxk"), part("name=\"reply_markup\"", "{"))
                .into_bytes(),
            400,
            "invalid_field",
            Some("reply_markup"),
        ),
        ("no photo", form_type, format!("{chat}{end}").into_bytes(), 400, "missing_field", Some("photo")),
        (
            "a text file",
            form_type,
            format!("{chat}{}{end}", part("name=\"photo\"; filename=\"a.png\"", "hello, I am a text")).into_bytes(),
            400,
            "not_an_image",
            Some("photo"),
        ),
        (
            "photo text and file",
            form_type,
            format!("{}{}{end}", part("name=\"photo\"", "AgACAgIAAxk"), chat).replace("42", "42").into_bytes(),
            202,
            "",
            None,
        ),
        ("plain text", "text/plain", b"hello".to_vec(), 415, "unsupported_media_type", Some("Content-Type")),
        (
            "urlencoded",
            "application/x-www-form-urlencoded",
            b"chat_id=42".to_vec(),
            400,
            "missing_field",
            Some("photo"),
        ),
        (
            "an image that is said to be a form",
            "application/x-www-form-urlencoded",
            png(5, 5, 200_000),
            415,
            "unsupported_media_type",
            Some("Content-Type"),
        ),
        ("a long form", "application/x-www-form-urlencoded", vec![b'x'; 200_000], 413, "body_too_large", None),
        ("an image without a chat", "image/png", png(5, 5, 100), 400, "missing_field", Some("chat_id")),
    ];
    for (case, content_type, body, status, code, field) in table {
        let answer = Answer::of(app.post().header(CONTENT_TYPE, content_type).body(body)).await;
        if status == 202 {
            assert_eq!(answer.status, 202, "{case}: {}", answer.text);
        } else {
            answer.assert_problem(case, status, code, field);
        }
    }
    let text = app.request(Method::POST, "/v1/notifications?chat_id=7").header(CONTENT_TYPE, "image/png");
    let answer = Answer::of(text.body("hello, I am a text")).await;
    answer.assert_problem("no image as the body", 400, "not_an_image", Some("photo"));
    let answer = Answer::of(app.post().body("{}")).await;
    answer.assert_problem("no type", 415, "unsupported_media_type", Some("Content-Type"));
    let answer = Answer::of(app.post().header(CONTENT_ENCODING, "gzip").json(&json!({}))).await;
    answer.assert_problem("compressed", 415, "unsupported_media_type", Some("Content-Encoding"));
    let body = json!({"chat_id": 42, "photo": "AgACAgIAAxk"});
    let answer = Answer::of(app.post().header(CONTENT_ENCODING, "Identity").json(&body)).await;
    assert_eq!(answer.status, 202, "not compressed");
    let twice = Form::new()
        .text("photo", "AgACAgIAAxk")
        .part("photo", Part::bytes(png(5, 5, 100)).file_name("a.png"))
        .text("chat_id", "42");
    app.post_form(twice).await.assert_problem("text and file", 400, "duplicate_field", Some("photo"));
    app.stop().await;
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_and_the_caller_gets_to_see_it() {
    let app = ApiApp::start().await;
    let size = usize::try_from(app.body_limit).unwrap() + 1;
    let told = Answer::of(app.post().header(CONTENT_TYPE, "application/json").body(vec![b' '; size])).await;
    told.assert_problem("with a length", 413, "body_too_large", None);
    assert!(told.text.contains(&app.body_limit.to_string()), "{}", told.text);
    let pieces = futures_util::stream::iter((0..=320).map(|_| Ok::<_, std::io::Error>(vec![b'x'; 65_536])));
    let body = reqwest::Body::wrap_stream(pieces);
    let form_type = "multipart/form-data; boundary=b";
    let untold = Answer::of(app.post().header(CONTENT_TYPE, form_type).body(body)).await;
    untold.assert_problem("without line breaks", 413, "body_too_large", None);
    let lines = futures_util::stream::iter((0..=320).map(|_| Ok::<_, std::io::Error>(vec![b'\n'; 65_536])));
    let body = reqwest::Body::wrap_stream(lines);
    let untold = Answer::of(app.post().header(CONTENT_TYPE, form_type).body(body)).await;
    untold.assert_problem("without a length", 413, "body_too_large", None);
    app.stop().await;
}

#[tokio::test]
async fn only_callers_with_a_key_are_served() {
    let app = ApiApp::with_keys(&["first-key-of-the-test", "second-key-of-the-test"]).await;
    let id = "01890a5d-ac96-774b-bcce-b302099a8057";
    for (method, path) in [
        (Method::POST, "/v1/notifications".to_owned()),
        (Method::GET, "/v1/notifications".to_owned()),
        (Method::GET, format!("/v1/notifications/{id}")),
        (Method::DELETE, format!("/v1/notifications/{id}")),
        (Method::POST, format!("/v1/notifications/{id}/retry")),
    ] {
        for key in
            [None, Some("Bearer wrong"), Some("Basic first-key-of-the-test"), Some("Bearer first-key-of-the-tes")]
        {
            let mut request = app.request(method.clone(), &path);
            if let Some(key) = key {
                request = request.header(AUTHORIZATION, key);
            }
            let answer = Answer::of(request).await;
            answer.assert_problem(&path, 401, "unauthorized", Some("Authorization"));
            assert!(answer.header("www-authenticate").starts_with("Bearer"));
            assert!(!answer.text.contains("first-key"));
        }
    }
    for key in ["first-key-of-the-test", "second-key-of-the-test"] {
        let answer = Answer::of(app.request(Method::GET, "/v1/notifications").bearer_auth(key)).await;
        assert_eq!(answer.status, 200);
    }
    for open in ["/healthz", "/readyz", "/metrics", "/openapi.json", "/docs/"] {
        assert_eq!(app.get(open).await.status, 200, "{open}");
    }
    app.stop().await;
}

/// A record wraps what it was made of, and a reader stops at 128 levels: such a request was accepted once, and neither
/// its lane nor its listing could be read any more.
#[tokio::test]
async fn what_is_nested_deep_is_refused_and_what_is_accepted_can_be_listed() {
    let app = ApiApp::start().await;
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let body = |levels: usize| {
        let button = format!(r#"{{"text":"a","callback_data":"a","later":{}}}"#, nested(levels - 4));
        format!(r#"{{"chat_id":1,"photo":"AgACAgIAAxk","reply_markup":{{"inline_keyboard":[[{button}]]}}}}"#)
    };
    let post = |body: String| Answer::of(app.post().header(CONTENT_TYPE, "application/json").body(body));
    assert_eq!(post(body(32)).await.status, 202);
    for levels in [33, 119, 126, 5000] {
        let answer = post(body(levels)).await;
        answer.assert_problem(&levels.to_string(), 400, "invalid_field", Some("reply_markup"));
        assert!(answer.text.contains("32 levels"), "{}", answer.text);
    }
    let listed = app.get("/v1/notifications").await;
    assert_eq!((listed.status.as_u16(), listed.json()["notifications"].as_array().unwrap().len()), (200, 1));
    app.stop().await;
}

#[tokio::test]
async fn unknown_addresses_and_methods_get_problems_too() {
    let app = ApiApp::start().await;
    for (method, path, status, code) in [
        (Method::GET, "/", 404, "not_found"),
        (Method::GET, "/v1", 404, "not_found"),
        (Method::GET, "/v1/notifications/", 404, "not_found"),
        (Method::GET, "/v1/notifications/no-id", 404, "notification_not_found"),
        (Method::GET, "/v1/notifications/01890a5d-ac96-774b-bcce-b302099a8057", 404, "notification_not_found"),
        (Method::DELETE, "/v1/notifications/01890a5d-ac96-774b-bcce-b302099a8057", 404, "notification_not_found"),
        (Method::POST, "/v1/notifications/01890a5d-ac96-774b-bcce-b302099a8057/retry", 404, "notification_not_found"),
        (Method::PATCH, "/v1/notifications", 405, "method_not_allowed"),
        (Method::POST, "/v1/notifications/01890a5d-ac96-774b-bcce-b302099a8057", 405, "method_not_allowed"),
        (Method::GET, "/v1/notifications/01890a5d-ac96-774b-bcce-b302099a8057/retry", 405, "method_not_allowed"),
        (Method::POST, "/metrics", 405, "method_not_allowed"),
        (Method::DELETE, "/healthz", 405, "method_not_allowed"),
        (Method::POST, "/docs", 405, "method_not_allowed"),
        (Method::POST, "/docs/", 405, "method_not_allowed"),
        (Method::GET, "/docs/nothing.css", 404, "not_found"),
        (Method::DELETE, "/openapi.json", 405, "method_not_allowed"),
    ] {
        let answer = Answer::of(app.request(method.clone(), path)).await;
        answer.assert_problem(&format!("{method} {path}"), status, code, None);
        assert_eq!(answer.headers.contains_key("allow"), status == 405);
    }
    for (query, field) in [("status=lost", "status"), ("limit=0", "limit"), ("cursor=x", "cursor"), ("page=2", "page")]
    {
        let answer = app.get(&format!("/v1/notifications?{query}")).await;
        answer.assert_problem(query, 400, "invalid_query", Some(field));
    }
    app.stop().await;
}

#[tokio::test]
async fn when_the_engine_is_away_it_is_503_with_a_time_to_come_back() {
    let app = ApiApp::start().await;
    app.engine.close(tokio::time::Instant::now()).await;
    let id = "/v1/notifications/01890a5d-ac96-774b-bcce-b302099a8057";
    app.post_form(form("42", png(5, 5, 100))).await.assert_problem("an upload", 503, "unavailable", None);
    let by_file_id = app.post_json(&json!({"chat_id": 42, "photo": "AgACAgIAAxk"})).await;
    by_file_id.assert_problem("a file_id", 503, "unavailable", None);
    app.get(id).await.assert_problem("a question", 503, "unavailable", None);
    app.get("/v1/notifications").await.assert_problem("a listing", 503, "unavailable", None);
    let cancel = Answer::of(app.request(Method::DELETE, id)).await;
    cancel.assert_problem("a cancel", 503, "unconfirmed", None);
    let ready = app.get("/readyz").await;
    assert_eq!((ready.status.as_u16(), &ready.json()["status"]), (503, &json!("unavailable")));
    assert!(!ready.json()["away"].as_array().unwrap().is_empty());
    assert_eq!(app.get("/healthz").await.status, 200);
    assert_eq!(app.get("/metrics").await.status, 200);
    app.stop().await;
}
