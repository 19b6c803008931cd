//! A WhatsMate client as its public contract has it: every path, with good and bad input, and the Python guide.

use crate::project::manual::root;
use crate::support::test_app::{TestApp, png, whatsmate_client};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use pixcourier::domain::Sha256;
use pixcourier::sandbox::FileKind;
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::Command;

on_both_engines!(
    every_kind_reaches_a_person_and_a_group,
    clients_of_version_1_find_success_in_the_answer,
    the_body_is_json_whatever_its_content_type_says,
    without_valid_credentials_it_is_a_401_that_says_what_is_missing,
    bad_input_is_a_400_with_one_error_message,
    an_unregistered_recipient_gets_a_400_that_says_how_to_register,
    what_is_no_photo_is_a_400_that_names_the_document_path,
    files_have_the_documented_limits_after_encoding,
    special_characters_are_removed_from_file_names,
    an_idempotency_key_is_honoured_though_no_contract_asks_for_it,
    the_python_guide_works_with_only_the_host_changed,
    other_paths_and_methods_are_refused_in_the_same_shape,
);

/// The phone number of whoever is registered, and the chats behind it and behind the group.
pub const NUMBER: &str = "491701234567";
pub const PERSON: i64 = 77;
pub const GROUP: i64 = -500;

/// Registers the person, and the group whose admin they are.
pub async fn register(app: &TestApp) {
    let book = json!([
        {"number": NUMBER, "chat_id": PERSON},
        {"group_name": "Night shift", "group_admin": NUMBER, "chat_id": GROUP},
    ]);
    let put = app.client.put(format!("{}/v1/recipients", app.api)).json(&book).send().await.unwrap();
    assert_eq!(put.status(), 200, "{}", put.text().await.unwrap());
}

/// A request of the client, yet without a body.
fn request(app: &TestApp, path: &str) -> RequestBuilder {
    let (id, secret) = whatsmate_client();
    let post = Client::new().post(format!("{}{path}", app.api));
    post.header("X-WM-CLIENT-ID", id).header("X-WM-CLIENT-SECRET", secret)
}

pub async fn post(app: &TestApp, path: &str, body: &Value) -> Response {
    request(app, path).json(body).send().await.unwrap()
}

/// The id of a message that must be queued.
pub async fn queued(answer: Response) -> String {
    let status = answer.status();
    let body: Value = answer.json().await.unwrap();
    assert_eq!((status.as_u16(), &body["status"]), (200, &json!("queued")), "{body}");
    let id = body["id"].as_str().unwrap();
    assert!(uuid::Uuid::try_parse(id).is_ok(), "{id}");
    id.to_owned()
}

/// The words of a rejection, which has nothing else.
async fn refused(answer: Response, status: u16) -> String {
    let found = answer.status();
    let body: Value = answer.json().await.unwrap();
    assert_eq!((found.as_u16(), body.as_object().map(|members| members.len())), (status, Some(1)), "{body}");
    body["error_message"].as_str().unwrap_or_else(|| panic!("{body}")).to_owned()
}

/// The five kinds with the content of each.
fn contents() -> [(&'static str, Value); 5] {
    let base64 = |bytes: &[u8]| STANDARD.encode(bytes);
    [
        ("text", json!({"message": "Good <b>night</b> \u{1F31B}"})),
        ("image", json!({"image": base64(&png(1)), "caption": "A chart"})),
        ("document", json!({"document": base64(b"%PDF-1.7 a report"), "filename": "report 1.pdf", "caption": "Q1"})),
        ("audio", json!({"audio": base64(b"ID3\x04music"), "filename": "alarm.mp3"})),
        ("voice_note", json!({"voice_note": base64(b"OggS\0\x02speech"), "filename": "note.ogg", "caption": "Listen"})),
    ]
}

fn with(mut content: Value, more: Value) -> Value {
    content.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    content
}

fn to(word: &str) -> Value {
    match word {
        "single" => json!({"number": NUMBER}),
        _ => json!({"group_name": "Night shift", "group_admin": NUMBER}),
    }
}

async fn every_kind_reaches_a_person_and_a_group(app: &TestApp) {
    register(app).await;
    for word in ["single", "group"] {
        for (kind, content) in contents() {
            let path = format!("/v3/telegram/{word}/{kind}/message/1");
            let id = queued(post(app, &path, &with(content, to(word))).await).await;
            app.sent(&id).await;
        }
    }
    let mut arrived = BTreeMap::new();
    for message in app.messages() {
        let media = message.media.map(|media| (media.kind, media.file_name.map(String::from), media.sha256));
        let caption = message.caption.map(String::from);
        assert!(arrived.insert((message.chat_id, message.method), (caption, media)).is_none(), "sent twice");
    }
    assert_eq!(arrived.len(), 10);
    for chat in [PERSON, GROUP] {
        let mut of = |method: &str| arrived.remove(&(chat, method.to_owned())).unwrap();
        let words = |text: &str| Some(text.to_owned());
        assert_eq!(of("sendMessage"), (words("Good <b>night</b> \u{1F31B}"), None));
        let (caption, image) = of("sendPhoto");
        let image = image.unwrap();
        assert_eq!((caption, image.0, image.2), (words("A chart"), FileKind::Photo, Sha256::of(&png(1))));
        let document = (FileKind::Document, words("report 1.pdf"), Sha256::of(b"%PDF-1.7 a report"));
        assert_eq!(of("sendDocument"), (words("Q1"), Some(document)));
        let (caption, audio) = of("sendAudio");
        let audio = audio.unwrap();
        assert_eq!((caption, audio.0, audio.2), (None, FileKind::Audio, Sha256::of(b"ID3\x04music")));
        let (caption, voice) = of("sendVoice");
        let voice = voice.unwrap();
        assert_eq!((caption, voice.0, voice.2), (words("Listen"), FileKind::Voice, Sha256::of(b"OggS\0\x02speech")));
    }
}

async fn clients_of_version_1_find_success_in_the_answer(app: &TestApp) {
    register(app).await;
    let image = json!({"number": NUMBER, "caption": "A chart", "image": STANDARD.encode(png(1))});
    for (path, body, chat, method) in [
        ("/v1/telegram/single/message/1", with(to("single"), json!({"message": "one"})), PERSON, "sendMessage"),
        ("/v1/telegram/group/message/1", with(to("group"), json!({"message": "two"})), GROUP, "sendMessage"),
        ("/v1/telegram/single/photo/binary/1", image, PERSON, "sendPhoto"),
    ] {
        let answer: Value = post(app, path, &body).await.json().await.unwrap();
        assert_eq!((&answer["success"], &answer["status"]), (&json!(true), &json!("queued")), "{path}: {answer}");
        app.sent(answer["id"].as_str().unwrap()).await;
        let message = app.messages().pop().unwrap();
        assert_eq!((message.chat_id, message.method.as_str()), (chat, method));
    }
    let old = json!({"group": "Night shift", "message": "x"});
    let words = refused(post(app, "/v1/telegram/group/message/1", &old).await, 400).await;
    assert!(words.contains("group_name"), "an older client's field: {words}");
}

async fn the_body_is_json_whatever_its_content_type_says(app: &TestApp) {
    register(app).await;
    let body = with(to("single"), json!({"message": "x"})).to_string();
    for content_type in [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("nonsense")] {
        let request = request(app, "/v3/telegram/single/text/message/1").body(body.clone());
        let request = content_type.into_iter().fold(request, |request, kind| request.header("Content-Type", kind));
        queued(request.send().await.unwrap()).await;
    }
    app.until("all sent", async || app.messages().len() == 4).await;
}

async fn without_valid_credentials_it_is_a_401_that_says_what_is_missing(app: &TestApp) {
    let (id, secret) = whatsmate_client();
    let other = "another-secret-of-a-client";
    for (shown, word) in [
        (&[][..], "Missing client ID"),
        (&[("X-WM-CLIENT-SECRET", secret)], "Missing client ID"),
        (&[("X-WM-CLIENT-ID", id)], "Missing client secret"),
        (&[("X-WM-CLIENT-ID", id), ("X-WM-CLIENT-SECRET", other)], "Wrong client ID or client secret"),
        (
            &[("X-WM-CLIENT-ID", "other@example.org"), ("X-WM-CLIENT-SECRET", secret)],
            "Wrong client ID or client secret",
        ),
    ] {
        let post = Client::new().post(format!("{}/v3/telegram/single/text/message/1", app.api));
        let post = shown.iter().fold(post, |post, (name, value)| post.header(*name, *value));
        let words = refused(post.json(&json!({"number": NUMBER, "message": "x"})).send().await.unwrap(), 401).await;
        assert!(words.contains(word) && !words.contains(secret) && !words.contains(other), "{words}");
    }
}

async fn bad_input_is_a_400_with_one_error_message(app: &TestApp) {
    register(app).await;
    let raw = |path: &str, body: &'static str| request(app, path).body(body);
    let text = "/v3/telegram/single/text/message/1";
    for (body, word) in [
        ("", "empty"),
        ("no json", "not valid JSON"),
        ("[]", "not an object"),
        ("{\"number\":\"491701234567\",\"message\":\"x\"", "not valid JSON"),
    ] {
        let words = refused(raw(text, body).send().await.unwrap(), 400).await;
        assert!(words.contains(word), "{body}: {words}");
    }
    for (number, word) in [
        (json!(null), "number is missing"),
        (json!("+491701234567"), "number has 5 to 15 digits"),
        (json!("49 170"), "number has 5 to 15 digits"),
        (json!("1234"), "number has 5 to 15 digits"),
        (json!("1234567890123456"), "number has 5 to 15 digits"),
        (json!("01701234567"), "country code"),
        (json!(true), "number is a string of digits"),
    ] {
        for (kind, content) in contents() {
            let path = format!("/v3/telegram/single/{kind}/message/1");
            let words = refused(post(app, &path, &with(content, json!({"number": number}))).await, 400).await;
            assert!(words.contains(word), "{kind} {number}: {words}");
        }
    }
    for (group, word) in [
        (json!({"group_admin": NUMBER}), "group_name is missing"),
        (json!({"group_name": "Night shift"}), "group_admin is missing"),
        (json!({"group_name": "", "group_admin": NUMBER}), "1 to 150"),
        (json!({"group_name": "x".repeat(151), "group_admin": NUMBER}), "1 to 150"),
        (json!({"group_name": "Night shift", "group_admin": "+49"}), "group_admin has 5 to 30 digits"),
        (json!({"group_name": "Night shift", "group_admin": "1".repeat(31)}), "group_admin has 5 to 30 digits"),
    ] {
        for (kind, content) in contents() {
            let path = format!("/v3/telegram/group/{kind}/message/1");
            let words = refused(post(app, &path, &with(content, group.clone())).await, 400).await;
            assert!(words.contains(word), "{kind} {group}: {words}");
        }
    }
    let file = STANDARD.encode(b"ID3\x04music");
    let bare = STANDARD_NO_PAD.encode(b"ID3\x04sound!");
    for (kind, content, word) in [
        ("text", json!({}), "message is missing"),
        ("text", json!({"message": ""}), "message is missing"),
        ("text", json!({"message": 5}), "message is a string"),
        ("text", json!({"message": "\u{fc}".repeat(901)}), "900 characters"),
        ("image", json!({}), "image is missing"),
        ("image", json!({"image": 5}), "image is a string of base64"),
        ("image", json!({"image": ""}), "image is empty"),
        ("image", json!({"image": "data:image/png;base64,AAAA"}), "standard base64"),
        ("image", json!({"image": STANDARD.encode(png(1)), "caption": "\u{fc}".repeat(251)}), "250 characters"),
        ("image", json!({"image": STANDARD.encode(png(1)), "caption": []}), "caption is a string"),
        ("document", json!({"document": file}), "filename is missing"),
        ("document", json!({"document": file, "filename": ""}), "1 to 80"),
        ("document", json!({"document": file, "filename": "x".repeat(81)}), "1 to 80"),
        ("document", json!({"document": file, "filename": "\"?*"}), "1 to 80"),
        ("document", json!({"filename": "a.pdf"}), "document is missing"),
        ("audio", json!({"audio": bare, "filename": "a.mp3"}), "padded"),
        ("audio", json!({"voice_note": file, "filename": "a.mp3"}), "audio is missing"),
        ("voice_note", json!({"voice_note": "AAA\n", "filename": "a.ogg"}), "standard base64"),
    ] {
        let path = format!("/v3/telegram/single/{kind}/message/1");
        let words = refused(post(app, &path, &with(content, to("single"))).await, 400).await;
        assert!(words.contains(word), "{kind}: {words}");
    }
    for instance in ["2", "0", "-1", "one", "99999999999999"] {
        let path = format!("/v3/telegram/single/text/message/{instance}");
        let words = refused(post(app, &path, &with(to("single"), json!({"message": "x"}))).await, 400).await;
        assert!(words.contains("no instance"), "{instance}: {words}");
    }
    assert!(app.messages().is_empty());
}

async fn an_unregistered_recipient_gets_a_400_that_says_how_to_register(app: &TestApp) {
    for (kind, content) in contents() {
        for word in ["single", "group"] {
            let path = format!("/v3/telegram/{word}/{kind}/message/1");
            let words = refused(post(app, &path, &with(content.clone(), to(word))).await, 400).await;
            assert!(words.contains("registered") && words.contains("share their own contact"), "{words}");
        }
    }
    let admin = json!({"group_name": "Night shift", "group_admin": "1".repeat(30), "message": "x"});
    let words = refused(post(app, "/v3/telegram/group/text/message/1", &admin).await, 400).await;
    assert!(words.contains("5 to 15 digits"), "nobody has such a number: {words}");
    register(app).await;
    let now = post(app, "/v3/telegram/single/text/message/1", &with(to("single"), json!({"message": "x"}))).await;
    app.sent(&queued(now).await).await;
}

async fn what_is_no_photo_is_a_400_that_names_the_document_path(app: &TestApp) {
    register(app).await;
    for (bytes, word) in [
        (&b"RIFF\x01\x02\x03\x04WEBPVP8 "[..], "WebP"),
        (b"%PDF-1.7 no picture at all", "PDF"),
        (b"just some words", "no image"),
    ] {
        let body = with(to("single"), json!({"image": STANDARD.encode(bytes)}));
        let words = refused(post(app, "/v3/telegram/single/image/message/1", &body).await, 400).await;
        assert!(words.contains(word) && words.contains("The document path takes any file"), "{words}");
    }
}

async fn files_have_the_documented_limits_after_encoding(app: &TestApp) {
    register(app).await;
    for (kind, megabytes) in [("document", 9), ("audio", 3), ("voice_note", 3)] {
        let path = format!("/v3/telegram/single/{kind}/message/1");
        // Neither is any known format, so that the sandbox takes it as what it is sent as.
        let largest = "AAAA".repeat(megabytes << 18);
        let body = |content: &str| with(to("single"), json!({"filename": "a.bin", kind: content}));
        app.sent(&queued(post(app, &path, &body(&largest)).await).await).await;
        let words = refused(post(app, &path, &body(&format!("{largest}AAAA"))).await, 400).await;
        assert!(words.contains(&format!("{megabytes} MB")), "{words}");
    }
    let mut image = png(1);
    image.resize(5 << 20, 0);
    let body = with(to("single"), json!({"image": STANDARD.encode(image)}));
    let words = refused(post(app, "/v3/telegram/single/image/message/1", &body).await, 400).await;
    assert!(words.contains("6 MB"), "{words}");
}

async fn special_characters_are_removed_from_file_names(app: &TestApp) {
    register(app).await;
    let body = with(to("single"), json!({"document": "AAAA", "filename": "../a:b \"c\"_1-2.bin"}));
    let id = queued(post(app, "/v3/telegram/single/document/message/1", &body).await).await;
    app.sent(&id).await;
    let name = app.messages().pop().unwrap().media.unwrap().file_name;
    assert_eq!(name.as_deref(), Some("..ab c_1-2.bin"));
}

async fn an_idempotency_key_is_honoured_though_no_contract_asks_for_it(app: &TestApp) {
    register(app).await;
    let send = async |caption: &str| {
        let body = with(to("single"), json!({"image": STANDARD.encode(png(1)), "caption": caption}));
        let request = request(app, "/v3/telegram/single/image/message/1").header("Idempotency-Key", "once");
        request.json(&body).send().await.unwrap()
    };
    let first = queued(send("a").await).await;
    assert_eq!(queued(send("a").await).await, first);
    let words = refused(send("b").await, 400).await;
    assert!(words.contains("key"), "{words}");
    app.sent(&first).await;
    assert_eq!(app.messages().len(), 1);
}

async fn the_python_guide_works_with_only_the_host_changed(app: &TestApp) {
    register(app).await;
    let (id, secret) = whatsmate_client();
    let picture = root().join("src/cli/demo/assets/coffee.jpg");
    let guide = |number: &str, caption: Option<&str>| {
        let mut command = Command::new("python3");
        command.arg(root().join("tests/clients/whatsmate_guide.py"));
        command.args([&app.api, "1", id, secret, number]).arg(&picture).args(caption);
        tokio::task::spawn_blocking(move || {
            let output = command.output().expect("python3 runs");
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            let said: Value = serde_json::from_str(&said)
                .unwrap_or_else(|_| panic!("{said}{}", String::from_utf8_lossy(&output.stderr)));
            (output.status.code(), said)
        })
    };
    for caption in [Some("The caf\u{e9} at nine"), None] {
        let (code, said) = guide(NUMBER, caption).await.unwrap();
        assert_eq!((code, &said["answer"]["status"]), (Some(0), &json!("queued")), "{said}");
        app.sent(said["answer"]["id"].as_str().unwrap()).await;
        let message = app.messages().pop().unwrap();
        let digest = Sha256::of(&std::fs::read(&picture).unwrap());
        assert_eq!((message.chat_id, message.caption.as_deref()), (PERSON, caption));
        assert_eq!(message.media.unwrap().sha256, digest);
    }
    // Where the guide warns that an unregistered one silently gets nothing, it is said here.
    let (code, said) = guide("15551234567", None).await.unwrap();
    assert_eq!((code, &said["status"]), (Some(1), &json!(400)));
    assert!(said["answer"]["error_message"].as_str().unwrap().contains("has not registered"), "{said}");
}

async fn other_paths_and_methods_are_refused_in_the_same_shape(app: &TestApp) {
    for path in
        ["/v3/telegram/single/video/message/1", "/v3/telegram/both/text/message/1", "/v1/telegram/x", "/v3/telegram/"]
    {
        refused(post(app, path, &json!({})).await, 404).await;
    }
    let get = Client::new().get(format!("{}/v3/telegram/single/text/message/1", app.api)).send().await.unwrap();
    assert_eq!(get.headers()["allow"], "POST");
    refused(get, 405).await;
    let whatsapp = post(app, "/v3/whatsapp/single/text/message/1", &json!({})).await;
    assert_eq!(whatsapp.status(), 404, "another product");
}
