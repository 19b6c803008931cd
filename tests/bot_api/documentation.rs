//! What two public documents say of the Bot API, statement by statement: the description of a service that has
//! `POST /:token/sendPhoto`, and the guide "Working with files and media" of python-telegram-bot.
//!
//! The guide's own code runs in `clients`; here is what it states.

use crate::support::test_app::{NO_LIMITS, OTHER_TOKEN, On, TOKEN, TestApp, lenient};
use pixcourier::app::Role;
use pixcourier::sandbox::{MediaOrigin, SandboxOptions};
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/clients/media").join(name)
}

fn file(name: &'static str) -> Part {
    Part::bytes(std::fs::read(path(name)).unwrap()).file_name(name)
}

fn form(fields: &[(&'static str, &str)]) -> Form {
    fields.iter().fold(Form::new(), |form, (name, value)| form.text(*name, (*value).to_owned()))
}

impl TestApp {
    /// The described service's own address, with a multipart body.
    async fn post_photo(&self, token: &str, form: Form) -> (u16, Value) {
        let answer = self.client.post(format!("{}/{token}/sendPhoto", self.api)).multipart(form).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// The same with a JSON body.
    async fn post_photo_as_json(&self, body: Value) -> (u16, Value) {
        let answer = self.client.post(format!("{}/{TOKEN}/sendPhoto", self.api)).json(&body).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// A call of the Bot API that must succeed.
    async fn done(&self, method: &str, form: Form) -> Value {
        let (status, mut answer) = self.ask(TOKEN, method, form).await;
        assert_eq!(status, 200, "{method}: {answer:#}");
        answer["result"].take()
    }

    async fn ask(&self, token: &str, method: &str, form: Form) -> (u16, Value) {
        let url = format!("{}/bot{token}/{method}", self.api);
        let answer = self.client.post(url).multipart(form).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// Runs one of the description's examples in a shell, as printed but for the host and what its reader must fill in.
    fn run(&self, example: &str, file_id: &str) -> Value {
        let image = path("photo.jpg");
        let command = example
            .replace("https://api.example.com", &self.api)
            .replace("<token>", TOKEN)
            .replace("<file_id>", file_id)
            .replace("/path/to/image.jpg", image.to_str().unwrap());
        let output = Command::new("sh").args(["-c", &command]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

/// The largest size of a photo.
fn largest(message: &Value) -> String {
    message["photo"].as_array().unwrap().last().unwrap()["file_id"].as_str().unwrap().to_owned()
}

async fn the_two_curl_examples_run_as_printed(app: &TestApp) {
    let upload = r#"curl -X POST "https://api.example.com/<token>/sendPhoto" \
        -F chat_id=987654321 \
        -F photo=@/path/to/image.jpg \
        -F "caption=This is a sample photo""#;
    let uploaded = app.run(upload, "");
    assert_eq!(uploaded["ok"], true, "{uploaded:#}");
    assert_eq!(uploaded["result"]["chat"]["id"], 987_654_321);
    assert_eq!(uploaded["result"]["caption"], "This is a sample photo");
    let forward = r#"curl -X POST "https://api.example.com/<token>/sendPhoto" \
        -H "Content-Type: application/json" \
        -d '{"chat_id": 987654321, "photo": "<file_id>", "caption": "Forwarding a photo"}'"#;
    let forwarded = app.run(forward, &largest(&uploaded["result"]));
    assert_eq!(forwarded["result"]["caption"], "Forwarding a photo", "{forwarded:#}");
    let ways: Vec<_> = app.messages().iter().map(|message| message.media.as_ref().unwrap().how).collect();
    assert_eq!(ways, [MediaOrigin::Upload, MediaOrigin::FileId]);
}

async fn send_photo_answers_with_the_message(app: &TestApp) {
    let fields = form(&[("chat_id", "987654321"), ("caption", "This is a sample photo")]);
    let (status, answer) = app.post_photo(TOKEN, fields.part("photo", file("photo.jpg"))).await;
    assert_eq!((status, &answer["ok"]), (200, &json!(true)));
    let message = &answer["result"];
    assert!(message["message_id"].is_i64() && message["date"].is_i64(), "{message:#}");
    assert_eq!([&message["from"]["id"], &message["from"]["is_bot"]], [&json!(123_456), &json!(true)]);
    assert!(message["from"]["first_name"].is_string() && message["from"]["username"].is_string());
    assert_eq!([&message["chat"]["id"], &message["chat"]["type"]], [&json!(987_654_321), &json!("private")]);
    assert!(message["chat"]["first_name"].is_string());
    let sizes = message["photo"].as_array().unwrap();
    for size in sizes {
        assert!(size["file_id"].is_string() && size["file_unique_id"].is_string(), "{size}");
        assert!(["file_size", "width", "height"].iter().all(|name| size[name].as_u64().unwrap() > 0), "{size}");
    }
    assert!(sizes.len() > 1 && sizes.is_sorted_by_key(|size| size["width"].as_u64()), "smallest first");
    assert_eq!(message["caption"], "This is a sample photo");
}

async fn send_photo_takes_each_of_its_parameters(app: &TestApp) {
    // The chat: an id or a username, as a number or a text.
    let first = app.post_photo(TOKEN, form(&[("chat_id", "42")]).part("photo", file("photo.jpg"))).await.1;
    let photo = largest(&first["result"]);
    for chat in [json!(42), json!("42"), json!("@channel_name"), json!(-1_001_234_567_890_i64)] {
        let (status, answer) = app.post_photo_as_json(json!({"chat_id": chat, "photo": photo})).await;
        assert_eq!(status, 200, "{chat}: {answer:#}");
    }
    // parse_mode: HTML or Markdown.
    for (mode, caption) in [("HTML", "<b>bold</b>"), ("Markdown", "*bold*")] {
        let body = json!({"chat_id": 42, "photo": photo, "caption": caption, "parse_mode": mode});
        let message = &app.post_photo_as_json(body).await.1["result"];
        assert_eq!([&message["caption"], &message["caption_entities"][0]["type"]], ["bold", "bold"], "{mode}");
    }
    // reply_markup: a custom or an inline keyboard, as an object or serialised.
    let inline = json!({"inline_keyboard": [[{"text": "Open", "url": "https://example.org"}]]});
    for markup in [inline.clone(), inline.to_string().into()] {
        let message = &app.post_photo_as_json(json!({"chat_id": 42, "photo": photo, "reply_markup": markup})).await.1;
        assert_eq!(message["result"]["reply_markup"]["inline_keyboard"][0][0]["text"], "Open", "{message:#}");
    }
    let custom = json!({"keyboard": [["Yes", "No"]], "resize_keyboard": true});
    assert_eq!(app.post_photo_as_json(json!({"chat_id": 42, "photo": photo, "reply_markup": custom})).await.0, 200);
    // reply_to_message_id.
    let replied = &first["result"]["message_id"];
    let body = json!({"chat_id": 42, "photo": photo, "reply_to_message_id": replied});
    let message = &app.post_photo_as_json(body).await.1["result"];
    assert_eq!(message["reply_to_message"]["message_id"], *replied);
}

async fn send_photo_has_a_status_for_each_error(app: &TestApp) {
    let to = |chat: &str| form(&[("chat_id", chat)]);
    let with = |chat: &str| to(chat).part("photo", file("photo.jpg"));
    let large = Part::bytes(vec![7; 10 * 1024 * 1024 + 1]).file_name("large.jpg");
    let page = Part::bytes(&b"<html></html>"[..]).file_name("page.html");
    for (why, token, form, expected) in [
        ("no photo", TOKEN, to("42"), 400),
        ("no chat", TOKEN, Form::new().part("photo", file("photo.jpg")), 400),
        ("an unsupported format", TOKEN, to("42").part("photo", page), 400),
        ("an invalid token", "123456:not-the-secret-of-this-bot-at-all", with("42"), 401),
        ("what is no token", "123456:expired", with("42"), 401),
        ("the bot may not send to this chat", TOKEN, with("9000000403"), 403),
        ("the chat is not found", TOKEN, with("9000000400"), 404),
        ("over 10 MB", TOKEN, to("42").part("photo", large), 413),
    ] {
        let (status, answer) = app.post_photo(token, form).await;
        assert_eq!(status, expected, "{why}: {answer:#}");
        assert_eq!([&answer["ok"], &answer["error_code"]], [&json!(false), &json!(expected)], "{why}");
        assert!(answer["description"].as_str().is_some_and(|words| !words.is_empty()), "{why}");
    }
    assert!(app.messages().is_empty());
}

/// Each kind with a file of it, and what a URL of one ends with.
const KINDS: [(&str, &str); 6] = [
    ("photo", "photo.jpg"),
    ("document", "report.pdf"),
    ("video", "film.mp4"),
    ("audio", "music.mp3"),
    ("animation", "moving.gif"),
    ("voice", "speech.ogg"),
];

/// The file_id in a message.
fn file_id(message: &Value, kind: &str) -> String {
    if kind == "photo" { largest(message) } else { message[kind]["file_id"].as_str().unwrap().to_owned() }
}

async fn a_file_is_uploaded_or_named_by_url_or_by_the_file_id_that_its_message_told(app: &TestApp) {
    for (kind, name) in KINDS {
        let method = format!("send{kind}");
        let uploaded = app.done(&method, form(&[("chat_id", "42")]).part(kind, file(name))).await;
        let known = file_id(&uploaded, kind);
        let again = app.done(&method, form(&[("chat_id", "43"), (kind, &known)])).await;
        let unique = |message: &Value| match kind {
            "photo" => message["photo"].as_array().unwrap().last().unwrap()["file_unique_id"].clone(),
            _ => message[kind]["file_unique_id"].clone(),
        };
        assert_eq!(unique(&again), unique(&uploaded), "{kind}");
        let url = format!("https://example.org/{name}");
        assert!(app.done(&method, form(&[("chat_id", "42"), (kind, &url)])).await["message_id"].is_i64(), "{kind}");
        // Each bot has its own file_ids.
        let (status, answer) = app.ask(OTHER_TOKEN, &method, form(&[("chat_id", "42"), (kind, &known)])).await;
        assert_eq!((status, answer["ok"].as_bool()), (400, Some(false)), "{kind}: {answer:#}");
        assert_eq!(answer["description"], "Bad Request: wrong file identifier/HTTP URL specified");
    }
}

async fn a_thumbnail_takes_no_file_id(app: &TestApp) {
    let small = app.done("sendPhoto", form(&[("chat_id", "42")]).part("photo", file("thumbnail.jpg"))).await;
    let send = async |thumbnail: Form| {
        let form = thumbnail.text("chat_id", "42").part("document", file("report.pdf"));
        app.done("sendDocument", form).await["document"]["thumbnail"].clone()
    };
    assert!(send(form(&[("thumbnail", &largest(&small))])).await.is_null());
    assert_eq!(send(Form::new().part("thumbnail", file("thumbnail.jpg"))).await["width"], 320);
}

async fn an_album_takes_each_kind_by_upload_url_and_file_id(app: &TestApp) {
    for (kind, name) in KINDS.into_iter().filter(|(kind, _)| !["animation", "voice"].contains(kind)) {
        let uploaded = app.done(&format!("send{kind}"), form(&[("chat_id", "42")]).part(kind, file(name))).await;
        let media = json!([
            {"type": kind, "media": "attach://one", "caption": "three ways"},
            {"type": kind, "media": format!("https://example.org/{name}")},
            {"type": kind, "media": file_id(&uploaded, kind)},
        ]);
        let album = form(&[("chat_id", "42"), ("media", &media.to_string())]).part("one", file(name));
        let messages = app.done("sendMediaGroup", album).await;
        let messages = messages.as_array().unwrap();
        assert_eq!(messages.len(), 3, "{kind}");
        assert!(messages.iter().all(|message| message["media_group_id"] == messages[0]["media_group_id"]), "{kind}");
        assert_eq!(messages[0]["caption"], "three ways");
    }
}

async fn inline_answers_name_files_by_url_or_file_id_and_upload_none(app: &TestApp) {
    let sent = app.done("sendPhoto", form(&[("chat_id", "42")]).part("photo", file("photo.jpg"))).await;
    let asked = json!({"bot": 123_456, "inline_query": {"user_id": 7, "query": "a picture"}});
    let sandbox = format!("{}/sandbox", app.sandbox.url());
    let received = app.client.post(format!("{sandbox}/incoming")).json(&asked).send().await.unwrap();
    let received: Value = received.json().await.unwrap();
    let query = received["inline_query_id"].as_str().unwrap();
    let results = json!([
        {"type": "photo", "id": "cached", "photo_file_id": largest(&sent)},
        {"type": "document", "id": "url", "title": "Report", "document_url": "https://example.org/report.pdf",
         "mime_type": "application/pdf"},
    ]);
    let uploads = app.sandbox.stats().uploads;
    let answer = form(&[("inline_query_id", query), ("results", &results.to_string())]);
    assert_eq!(app.done("answerInlineQuery", answer).await, true);
    assert_eq!(app.sandbox.stats().uploads, uploads);
    let told = app.client.get(format!("{sandbox}/inline/{query}")).send().await.unwrap().text().await.unwrap();
    assert!(told.contains("cached") && told.contains("report.pdf"), "{told}");
}

async fn a_message_is_edited_with_an_input_media(app: &TestApp) {
    let sent = app.done("sendPhoto", form(&[("chat_id", "42")]).part("photo", file("photo.jpg"))).await;
    let id = sent["message_id"].to_string();
    let edit = async |media: Value| {
        let fields = form(&[("chat_id", "42"), ("message_id", &id), ("media", &media.to_string())]);
        app.done("editMessageMedia", fields.part("new", file("report.pdf"))).await
    };
    let edited = edit(json!({"type": "document", "media": "attach://new", "caption": "as a document"})).await;
    assert_eq!([&edited["document"]["file_name"], &edited["caption"]], ["report.pdf", "as a document"]);
    assert!(edit(json!({"type": "photo", "media": "https://example.org/a.jpg"})).await["photo"].is_array());
    assert!(edit(json!({"type": "photo", "media": largest(&sent)})).await["photo"].is_array());
    // The restrictions are Telegram's.
    let wrong = json!({"type": "voice", "media": "https://example.org/a.ogg"}).to_string();
    let fields = form(&[("chat_id", "42"), ("message_id", &id), ("media", &wrong)]);
    assert_eq!(app.ask(TOKEN, "editMessageMedia", fields).await.0, 400);
}

async fn a_file_is_downloaded_after_get_file_and_the_last_size_is_the_largest(app: &TestApp) {
    let sent = app.done("sendDocument", form(&[("chat_id", "42")]).part("document", file("report.pdf"))).await;
    let told = app.done("getFile", form(&[("file_id", &file_id(&sent, "document"))])).await;
    let download = async |told: &Value| {
        let path = told["file_path"].as_str().unwrap();
        app.get(&format!("/file/bot{TOKEN}/{path}")).await.bytes().await.unwrap()
    };
    assert_eq!(download(&told).await, std::fs::read(path("report.pdf")).unwrap());
    let sent = app.done("sendPhoto", form(&[("chat_id", "42")]).part("photo", file("photo.jpg"))).await;
    let sizes = sent["photo"].as_array().unwrap();
    assert!(sizes.is_sorted_by_key(|size| size["width"].as_u64().unwrap() * size["height"].as_u64().unwrap()));
    let told = app.done("getFile", form(&[("file_id", &largest(&sent))])).await;
    assert!(!download(&told).await.is_empty());
}

/// python-telegram-bot with `local_mode`, against a local Bot API server.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_local_server_the_path_is_handed_over_and_nothing_is_uploaded() {
    let options = SandboxOptions { local: true, ..lenient() };
    let app = TestApp::tuned(On::Embedded, Role::All, NO_LIMITS, options, |settings| {
        for bot in settings.bots.values_mut() {
            *bot = Arc::new(pixcourier::settings::Bot::clone(bot).with(|telegram| telegram.local = true));
        }
    })
    .await;
    crate::bot_api::clients::run(
        &app,
        crate::bot_api::clients::python("ptb_local.py"),
        &["paths_are_handed_over", "files_stay_where_they_are"],
    )
    .await;
    assert_eq!(app.sandbox.stats().received_bytes, 0);
    app.stop().await;
}

on_both_engines!(
    the_two_curl_examples_run_as_printed,
    send_photo_answers_with_the_message,
    send_photo_takes_each_of_its_parameters,
    send_photo_has_a_status_for_each_error,
);

mod guide {
    use super::*;
    use crate::support::test_app::TestApp;

    macro_rules! on_two_bots {
        ($($name:ident),* $(,)?) => {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let app = TestApp::with_two_bots(On::Embedded).await;
                super::$name(&app).await;
                app.stop().await;
            })*
        };
    }

    on_two_bots!(
        a_file_is_uploaded_or_named_by_url_or_by_the_file_id_that_its_message_told,
        a_thumbnail_takes_no_file_id,
        an_album_takes_each_kind_by_upload_url_and_file_id,
        inline_answers_name_files_by_url_or_file_id_and_upload_none,
        a_message_is_edited_with_an_input_media,
        a_file_is_downloaded_after_get_file_and_the_last_size_is_the_largest,
    );
}
