//! The same requests straight to a Bot API and through the service: the same answers but for ids and times.

mod calls;
mod case;
mod media;
mod messages;
mod odd;
mod raw;
mod values;

use crate::support::test_app::{NO_LIMITS, OTHER_TOKEN, On, TOKEN, TestApp, lenient};
use case::{CHAT, Case, PICTURE};
use futures_util::StreamExt;
use pixcourier::sandbox::Sandbox;
use reqwest::multipart::{Form, Part};
use reqwest::{Client, Response};
use serde_json::{Value, json};
use std::net::TcpListener;
use tokio::sync::Mutex;

/// Requests at a time.
const AT_ONCE: usize = 8;
/// The distributed engine is asked one in so many: what answers is the same, only its way to the courier differs.
const SELECTION: usize = 6;

/// What differs by design: the beginning of the names of requests, and why.
const DELIBERATE: &[(&str, &str)] = &[
    ("photo to the chat -9000000301", MIGRATED),
    ("text to the chat -9000000301", MIGRATED),
    ("album to the chat -9000000301", MIGRATED),
    ("action to the chat -9000000301", MIGRATED),
    ("a picture called \"\"", NAMED),
    ("a picture called \"photo\"", NAMED),
    ("a picture called \"photo.webp\"", NAMED),
    ("a picture called \"photo.txt\"", NAMED),
    ("a picture called \".jpg\"", NAMED),
];
const MIGRATED: &str = "a chat that has moved is followed, as the queue promises; Telegram would only tell where to";
const NAMED: &str =
    "a picture is told by its bytes, not by the name that a client gives it, and sent under a fitting one";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn embedded_answers_as_the_bot_api_does() {
    compare(On::Embedded, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn distributed_answers_as_the_bot_api_does() {
    compare(On::Distributed, SELECTION).await;
}

async fn compare(on: On, every: usize) {
    let alone = Sandbox::start(TcpListener::bind("127.0.0.1:0").unwrap(), lenient()).unwrap();
    let app = TestApp::with(on, NO_LIMITS, lenient()).await;
    let straight = Side::prepared(alone.url(), alone.url()).await;
    let through = Side::prepared(app.api.clone(), app.sandbox.url()).await;
    let corpus =
        [calls::cases(), values::cases(), media::cases(), messages::cases(), raw::cases(), odd::cases()].concat();
    assert!(corpus.len() > 2 * 967, "{} requests", corpus.len());
    let chosen: Vec<_> = corpus.into_iter().step_by(every).collect();
    let count = chosen.len();
    let polling = Mutex::new(());
    let answers = futures_util::stream::iter(chosen).map(|case| async {
        // There can be but one of these at a time.
        let _poll = if case.mentions("getUpdates") { Some(polling.lock().await) } else { None };
        let (expected, actual) = tokio::join!(straight.ask(case.clone()), through.ask(case.clone()));
        (case.name, expected, actual)
    });
    let answers: Vec<_> = answers.buffered(AT_ONCE).collect().await;
    drop((straight, through));
    alone.stop().await;
    let (mut wrong, mut stale) = (Vec::new(), Vec::new());
    for (name, expected, actual) in answers {
        let deliberate = DELIBERATE.iter().any(|(start, _)| name.starts_with(start));
        match (expected == actual, deliberate) {
            (false, false) => wrong.push(format!("{name}\n    straight {expected}\n    through  {actual}")),
            (true, true) => stale.push(name),
            _ => {}
        }
    }
    let number = wrong.len();
    assert!(wrong.is_empty(), "{number} of {count} answers differ:\n{}", wrong.join("\n"));
    assert!(stale.is_empty(), "these do not differ any more: {stale:?}");
    app.stop().await;
}

/// A Bot API, and the sandbox that it is, or that is behind it.
struct Side {
    client: Client,
    url: String,
    sandbox: String,
    /// What to fill into the gaps of requests.
    gaps: Vec<(&'static str, String)>,
}

impl Side {
    /// Sends one of each kind straight to the sandbox.
    async fn prepared(url: String, sandbox: String) -> Self {
        let mut side = Self { client: Client::new(), url, sandbox, gaps: vec![("@TOKEN@", TOKEN.into())] };
        let file = |name: &'static str| {
            let path = format!("{}/tests/clients/media/{name}", env!("CARGO_MANIFEST_DIR"));
            let mut bytes = std::fs::read(path).unwrap();
            // Unlike any that the corpus uploads, whose names and lengths the sandbox would remember.
            bytes.push(0);
            Part::bytes(bytes).file_name(name)
        };
        for (gap, kind, name) in [
            ("@PHOTO@", "Photo", "photo.jpg"),
            ("@VIDEO@", "Video", "film.mp4"),
            ("@AUDIO@", "Audio", "music.mp3"),
            ("@VOICE@", "Voice", "speech.ogg"),
            ("@ANIMATION@", "Animation", "moving.gif"),
            ("@DOCUMENT@", "Document", "report.pdf"),
        ] {
            let field = kind.to_lowercase();
            let form = Form::new().part(field.clone(), file(name)).part("thumbnail", file("thumbnail.jpg"));
            let message = side.send(TOKEN, &format!("send{kind}"), form).await;
            let media = &message[&field];
            let media = media.as_array().and_then(|sizes| sizes.last()).unwrap_or(media);
            side.gaps.push((gap, media["file_id"].as_str().unwrap().to_owned()));
            if kind == "Document" {
                let id = &media["thumbnail"]["file_id"];
                side.gaps.push(("@THUMBNAIL@", id.as_str().unwrap().to_owned()));
                let id = media["file_id"].as_str().unwrap();
                let file = side.send(TOKEN, "getFile", Form::new().text("file_id", id.to_owned())).await;
                side.gaps.push(("@PATH@", file["file_path"].as_str().unwrap().to_owned()));
            }
        }
        let foreign = side.send(OTHER_TOKEN, "sendPhoto", Form::new().part("photo", file("photo.jpg"))).await;
        side.gaps.push(("@FOREIGN@", foreign["photo"][0]["file_id"].as_str().unwrap().to_owned()));
        side
    }

    /// The message that the sandbox makes of it.
    async fn send(&self, token: &str, method: &str, form: Form) -> Value {
        let form = form.text("chat_id", CHAT.to_string());
        let url = format!("{}/bot{token}/{method}", self.sandbox);
        let mut answer: Value = self.client.post(url).multipart(form).send().await.unwrap().json().await.unwrap();
        assert_eq!(answer["ok"], true, "{method}: {answer}");
        answer["result"].take()
    }

    /// The answer in a form that can be compared.
    async fn ask(&self, mut case: Case) -> String {
        if case.mentions("@SENT@") {
            let form = Form::new().part("photo", Part::bytes(PICTURE).file_name("a.png")).text("caption", "before");
            let message = self.send(TOKEN, "sendPhoto", form).await;
            case.fill("@SENT@", &message["message_id"].to_string());
        }
        if case.mentions("@TEXT@") {
            let message = self.send(TOKEN, "sendMessage", Form::new().text("text", "before")).await;
            case.fill("@TEXT@", &message["message_id"].to_string());
        }
        for (gap, value) in &self.gaps {
            case.fill(gap, value);
        }
        let mut request = self.client.request(case.verb, format!("{}{}", self.url, case.target)).body(case.body);
        if let Some(content_type) = case.content_type {
            request = request.header("content-type", content_type);
        }
        match request.send().await {
            Ok(response) => comparable(response).await,
            Err(error) => format!("no answer: {}", error.without_url()),
        }
    }
}

async fn comparable(response: Response) -> String {
    let status = response.status().as_u16();
    let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let (content_type, wait) = (header("content-type").unwrap_or_default(), header("retry-after").is_some());
    let body = response.bytes().await.unwrap();
    let body = match serde_json::from_slice::<Value>(&body) {
        Ok(mut value) => {
            blank(&mut value);
            value.to_string()
        }
        Err(_) if body.is_empty() => "nothing".to_owned(),
        Err(_) => format!("{} bytes: {}", body.len(), String::from_utf8_lossy(&body[..body.len().min(60)])),
    };
    format!("{status} {content_type}{} {body}", if wait { " Retry-After" } else { "" })
}

/// Blanks ids and times, which differ between any two servers, and sorts the fields.
fn blank(value: &mut Value) {
    const BLANK: [&str; 9] = [
        "message_id",
        "date",
        "edit_date",
        "file_id",
        "file_unique_id",
        "file_path",
        "media_group_id",
        "update_id",
        "retry_after",
    ];
    match value {
        Value::Array(items) => items.iter_mut().for_each(blank),
        Value::Object(fields) => {
            for (name, value) in fields.iter_mut() {
                if BLANK.contains(&name.as_str()) { *value = json!("~") } else { blank(value) }
            }
            fields.sort_keys();
        }
        _ => {}
    }
}
