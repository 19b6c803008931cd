//! The sandbox, as clients of a Bot API meet it.

use crate::support::images;
use pixcourier::sandbox::{Bots, Fault, Filter, How, Kind, Limits, Match, Options, Rule, Sandbox};
use reqwest::multipart::{Form, Part};
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Once;
use std::time::{Duration, Instant};

const ANNE: &str = "1001:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const BERT: &str = "1002:BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB";

const FORM: &str = "application/x-www-form-urlencoded";

struct World {
    sandbox: Sandbox,
    http: Client,
}

fn world(options: Options) -> World {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
    let sandbox = Sandbox::start(TcpListener::bind("127.0.0.1:0").unwrap(), options).unwrap();
    let http = Client::builder().no_proxy().timeout(Duration::from_secs(20)).build().unwrap();
    World { sandbox, http }
}

/// Without limits and pacing, for what has nothing to do with them.
fn free() -> World {
    world(Options { limits: None, pace_uploads: false, ..Options::default() })
}

impl World {
    fn url(&self, token: &str, method: &str) -> String {
        format!("{}/bot{token}/{method}", self.sandbox.url())
    }

    fn post(&self, token: &str, method: &str) -> RequestBuilder {
        self.http.post(self.url(token, method))
    }

    async fn call(&self, token: &str, method: &str, arguments: Value) -> (StatusCode, Value) {
        answer(self.post(token, method).json(&arguments)).await
    }

    async fn upload(&self, token: &str, method: &str, form: Form) -> (StatusCode, Value) {
        answer(self.post(token, method).multipart(form)).await
    }

    async fn send_photo(&self, token: &str, chat: i64, bytes: Vec<u8>) -> Value {
        let (status, body) = self.upload(token, "sendPhoto", photo_form(chat, "photo.png", bytes)).await;
        assert_eq!(status, 200, "{body}");
        body["result"].clone()
    }

    async fn control(&self, path: &str) -> Value {
        let answer = self.http.get(format!("{}{path}", self.sandbox.url())).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
    }

    async fn queue(&self, rule: Value) -> StatusCode {
        self.http.post(format!("{}/sandbox/faults", self.sandbox.url())).json(&rule).send().await.unwrap().status()
    }

    /// Sends raw bytes and reads all that comes until the connection ends.
    fn raw(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.sandbox.addr()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        // A reset ends it as well.
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }
}

async fn answer(request: RequestBuilder) -> (StatusCode, Value) {
    let answer = request.send().await.unwrap();
    let status = answer.status();
    let body: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    assert_eq!(body["ok"], status == 200);
    if status != 200 {
        assert_eq!(body["error_code"], status.as_u16());
    }
    (status, body)
}

fn photo_form(chat: i64, name: &str, bytes: Vec<u8>) -> Form {
    Form::new().text("chat_id", chat.to_string()).part("photo", Part::bytes(bytes).file_name(name.to_owned()))
}

/// A PNG of the given size; `salt` makes its content its own.
fn png(width: u32, height: u32, salt: u8, length: usize) -> Vec<u8> {
    images::png(width, height, length, salt.into())
}

fn picture(salt: u8) -> Vec<u8> {
    png(640, 480, salt, 2000)
}

fn description(body: &Value) -> &str {
    body["description"].as_str().unwrap()
}

fn last_file_id(message: &Value) -> &str {
    message["photo"].as_array().unwrap().last().unwrap()["file_id"].as_str().unwrap()
}

#[tokio::test]
async fn all_encodings_say_the_same_and_the_first_of_a_name_wins() {
    let world = free();
    let url = world.url(ANNE, "SENDmessage");
    let text = |body: &Value| body["result"]["text"].as_str().unwrap().to_owned();
    let (_, query) = answer(world.http.get(format!("{url}?chat_id=5&text=a%20b"))).await;
    let (_, form) =
        answer(world.http.post(&url).header("content-type", FORM).body("chat_id=5&text=a+b&text=late")).await;
    let (_, json) = answer(world.http.post(&url).json(&json!({"chat_id": 5, "text": "a b", "surprise": [1]}))).await;
    let (_, multi) =
        answer(world.http.post(&url).multipart(Form::new().text("chat_id", "5").text("text", "a b"))).await;
    let (_, both) =
        answer(world.http.post(format!("{url}?text=a+b")).json(&json!({"chat_id": 5, "text": "late"}))).await;
    for body in [query, form, json, multi, both] {
        assert_eq!(text(&body), "a b");
    }
    let body = |kind: &str, body: &'static str| world.http.post(&url).header("content-type", kind).body(body);
    let (_, kept) = answer(body("application/json", r#"{"chat_id":"5","text":"kept","caption":"#)).await;
    assert_eq!(text(&kept), "kept");
    for ignored in [
        body("application/json", r#"{"text":"x" "chat_id":5}"#),
        body("text/plain", "chat_id=5&text=x"),
        body("application/json; charset=utf-8", r#"["chat_id",5]"#),
    ] {
        let (status, error) = answer(ignored).await;
        assert_eq!((status.as_u16(), description(&error).starts_with("Bad Request: ")), (400, true), "{error}");
    }
    let (_, garbled) = answer(world.http.get(format!("{url}?chat_id=5&text=%FF"))).await;
    assert_eq!(description(&garbled), "Bad Request: strings must be encoded in UTF-8");
    let (_, spelled_null) = world.call(ANNE, "sendMessage", json!({"chat_id": 5, "text": null})).await;
    assert_eq!(text(&spelled_null), "null");
    let (_, by_argument) = answer(world.http.get(world.url(ANNE, "?method=getMe"))).await;
    assert_eq!(by_argument["result"]["id"], 1001);
    let long = world.http.post(&url).header("content-type", FORM).body("x".repeat(1 << 21)).send().await.unwrap();
    assert_eq!(long.status(), 413);
    assert_eq!(long.bytes().await.unwrap().len(), 0);
}

#[tokio::test]
async fn a_part_is_a_file_only_with_a_file_name_and_text_wins() {
    let world = free();
    let send = |form: Form| world.upload(ANNE, "sendPhoto", form.text("chat_id", "5"));
    let file = || Part::bytes(picture(1)).file_name("a.jpg");
    let (_, sent) = send(Form::new().part("photo", file())).await;
    assert_eq!(sent["result"]["chat"]["type"], "private");
    let (_, sent) = send(Form::new().text("photo", "attach://pic").part("pic", file())).await;
    assert_eq!(sent["ok"], true);
    let (_, nameless) = send(Form::new().part("photo", Part::bytes(b"only text".to_vec()))).await;
    assert!(description(&nameless).starts_with("Bad Request: wrong remote file identifier specified: "));
    let (_, both) = send(Form::new().part("photo", file()).text("photo", "AAAA")).await;
    assert!(description(&both).starts_with("Bad Request: wrong remote file identifier specified: "));
    let (_, none) = send(Form::new().part("foto", file())).await;
    assert_eq!(description(&none), "Bad Request: there is no photo in the request");
    let (_, elsewhere) = send(Form::new().text("photo", "attach://pic").part("photo", file())).await;
    assert_eq!(description(&elsewhere), "Bad Request: there is no photo in the request");
    assert_eq!(world.sandbox.stats().uploads, 2);
    assert_eq!(world.sandbox.stats().distinct_contents, 1);
}

#[tokio::test]
async fn photos_are_refused_in_telegrams_words() {
    let world = free();
    let limit = 10_485_760;
    for (name, bytes, says) in [
        ("a.png", Vec::new(), "file must be non-empty"),
        ("a.webp", picture(1), "photo has unsupported extension. Use one of .jpg, .jpeg, .gif, .png, .tif or .bmp"),
        (
            "application.octet-stream",
            picture(1),
            "photo has unsupported extension. Use one of .jpg, .jpeg, .gif, .png, .tif or .bmp",
        ),
        ("a.jpg", b"<svg xmlns='x'/>".repeat(9), "IMAGE_PROCESS_FAILED"),
        ("a.png", png(9000, 1001, 1, 2000), "PHOTO_INVALID_DIMENSIONS"),
        ("a.png", png(2100, 100, 1, 2000), "PHOTO_INVALID_DIMENSIONS"),
        (
            "a.PNG",
            png(9, 9, 1, limit + 1),
            "file of size 10485761 bytes is too big for a photo; the maximum size is 10485760 bytes",
        ),
    ] {
        let (status, error) = world.upload(ANNE, "sendPhoto", photo_form(5, name, bytes)).await;
        assert_eq!((status.as_u16(), description(&error)), (400, format!("Bad Request: {says}").as_str()));
    }
    world.send_photo(ANNE, 5, png(5000, 5000, 1, limit)).await;
    let huge = "POST /bot1001:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA/sendPhoto HTTP/1.1\r\nhost: x\r\ncontent-length: 60000000\r\n\r\n";
    let refused = world.raw(huge);
    assert!(refused.starts_with("HTTP/1.1 413 ") && refused.contains("Request Entity Too Large"), "{refused}");
    assert_eq!(world.sandbox.stats().uploads, 1);
}

#[tokio::test]
async fn a_file_id_sends_again_without_an_upload_for_its_own_bot_and_kind_only() {
    let world = free();
    let first = world.send_photo(ANNE, 5, png(1600, 1200, 1, 50_000)).await;
    let sizes = first["photo"].as_array().unwrap();
    assert_eq!(sizes.iter().map(|size| size["width"].as_u64().unwrap()).collect::<Vec<_>>(), [90, 320, 800, 1280]);
    let id = last_file_id(&first);
    let (_, again) = world.call(ANNE, "sendPhoto", json!({"chat_id": 6, "photo": id, "caption": "again"})).await;
    assert_eq!(again["result"]["caption"], "again");
    assert_eq!(again["result"]["photo"].as_array().unwrap().len(), 4);
    let small = sizes[0]["file_id"].as_str().unwrap();
    let (_, whole) = world.call(ANNE, "sendPhoto", json!({"chat_id": 6, "photo": small})).await;
    assert_eq!(whole["result"]["photo"].as_array().unwrap().len(), 4, "any size sends the whole photo");

    let (_, foreign) = world.call(BERT, "sendPhoto", json!({"chat_id": 5, "photo": id})).await;
    assert_eq!(description(&foreign), "Bad Request: wrong file identifier/HTTP URL specified");
    let (_, as_document) = world.call(ANNE, "sendDocument", json!({"chat_id": 5, "document": id})).await;
    assert_eq!(description(&as_document), "Bad Request: can't use file of type Photo as Document");
    let (_, made_up) = world.call(ANNE, "sendPhoto", json!({"chat_id": 5, "photo": "AgACAgIAAxkBAAI"})).await;
    assert!(description(&made_up).starts_with("Bad Request: wrong remote file identifier specified: "));

    let same = world.send_photo(BERT, 5, png(1600, 1200, 1, 50_000)).await;
    assert_ne!(last_file_id(&same), id);
    assert_eq!(same["photo"][3]["file_unique_id"], first["photo"][3]["file_unique_id"]);
    let stats = world.sandbox.stats();
    assert_eq!((stats.sends, stats.uploads, stats.by_file_id, stats.distinct_contents), (4, 2, 2, 1));
    let messages = world.sandbox.messages(&Filter { chat_id: Some(6), ..Filter::default() });
    assert!(messages.iter().all(|message| message.media.as_ref().unwrap().how == How::FileId));

    let (_, refused) = world.call(ANNE, "sendDocument", json!({"chat_id": 5, "document": "http://e.org/a.docx"})).await;
    assert_eq!(description(&refused), "Bad Request: wrong type of the web page content");
    let form = Form::new().text("chat_id", "5").part("document", Part::bytes(b"text".to_vec()).file_name("a.txt"));
    let (_, document) = world.upload(ANNE, "sendDocument", form).await;
    assert_eq!(document["result"]["document"]["file_name"], "a.txt");
    let id = &document["result"]["document"]["file_id"];
    let (_, as_photo) = world.call(ANNE, "sendPhoto", json!({"chat_id": 5, "photo": id})).await;
    assert_eq!(description(&as_photo), "Bad Request: can't use file of type Document as Photo");
}

#[tokio::test]
async fn a_url_is_recorded_and_not_fetched() {
    let world = free();
    let send = |photo: String| world.call(ANNE, "sendPhoto", json!({"chat_id": 5, "photo": photo}));
    let (_, sent) = send("https://example.com/a.jpg".into()).await;
    let (_, again) = send(last_file_id(&sent["result"]).to_owned()).await;
    assert_eq!(again["ok"], true);
    let messages = world.sandbox.messages(&Filter::default());
    let media = messages[0].media.as_ref().unwrap();
    assert_eq!(
        (media.how, media.url.as_deref(), media.kind),
        (How::Url, Some("https://example.com/a.jpg"), Kind::Photo)
    );
    for (url, says) in [
        ("ftp://example.com/a.jpg", "invalid file HTTP URL specified: Unsupported URL protocol"),
        ("http:///a.jpg", "invalid file HTTP URL specified: URL host is empty"),
        ("a.jpg", "wrong HTTP URL specified"),
        (&format!("{}/nothing.jpg", world.sandbox.url()), "failed to get HTTP URL content"),
    ] {
        let (_, error) = send(url.to_owned()).await;
        assert_eq!(description(&error), format!("Bad Request: {says}"));
    }
    let (_, nodot) = send("http://localhost/pic".into()).await;
    assert!(
        description(&nodot).starts_with("Bad Request: wrong remote file identifier specified: "),
        "read as a file_id"
    );
}

#[tokio::test]
async fn files_can_be_downloaded_again_by_their_bot() {
    let world = free();
    let sent = world.send_photo(ANNE, 5, picture(3)).await;
    let id = last_file_id(&sent);
    let (_, file) = world.call(ANNE, "getFile", json!({"file_id": id})).await;
    let path = file["result"]["file_path"].as_str().unwrap();
    assert_eq!(file["result"]["file_size"], 2000);
    for path in [path.to_owned(), path.replace('/', "%2F")] {
        let url = format!("{}/file/bot{ANNE}/{path}", world.sandbox.url());
        let bytes = world.http.get(url).send().await.unwrap().bytes().await.unwrap();
        assert_eq!(bytes, picture(3));
    }
    let foreign = world.http.get(format!("{}/file/bot{BERT}/{path}", world.sandbox.url())).send().await.unwrap();
    assert_eq!(foreign.status(), 404);
    let (_, refused) = world.call(BERT, "getFile", json!({"file_id": id})).await;
    assert_eq!(description(&refused), "Bad Request: wrong file_id or the file is temporarily unavailable");
    let (_, invalid) = world.call(ANNE, "getFile", json!({"file_id": "x"})).await;
    assert_eq!(description(&invalid), "Bad Request: invalid file_id");
    let (_, own) = world
        .call(
            ANNE,
            "sendPhoto",
            json!({"chat_id": 5,
        "photo": format!("{}/file/bot{ANNE}/{path}", world.sandbox.url())}),
        )
        .await;
    assert_eq!(own["ok"], true, "the sandbox knows its own pictures by URL");
}

#[tokio::test]
async fn captions_keyboards_and_replies_are_checked() {
    let world = free();
    let sent = world.send_photo(ANNE, 5, picture(1)).await;
    let id = last_file_id(&sent);
    let send = |mut more: Value| {
        more["photo"] = id.into();
        more["chat_id"] = 5.into();
        world.call(ANNE, "sendPhoto", more)
    };
    let (_, good) = send(json!({"caption": "<b>bold</b> & more", "parse_mode": "html", "protect_content": true,
        "reply_parameters": {"message_id": sent["message_id"]},
        "reply_markup": {"inline_keyboard": [[{"text": "Open", "url": "https://example.com"}]]}}))
    .await;
    let good = &good["result"];
    assert_eq!(good["caption"], "bold & more");
    assert_eq!(good["caption_entities"], json!([{"offset": 0, "length": 4, "type": "bold"}]));
    assert_eq!(good["reply_markup"]["inline_keyboard"][0][0]["text"], "Open");
    assert_eq!(good["reply_to_message"]["message_id"], sent["message_id"]);
    assert_eq!(good["has_protected_content"], true);
    assert!(good["message_id"].as_i64() > sent["message_id"].as_i64());
    for (more, says) in [
        (json!({"caption": "x".repeat(1025)}), "message caption is too long"),
        (
            json!({"caption": "<b>x", "parse_mode": "HTML"}),
            "can't parse entities: Can't find end tag corresponding to start tag \"b\"",
        ),
        (
            json!({"caption": "x.", "parse_mode": "MarkdownV2"}),
            "can't parse entities: Character '.' is reserved and must be escaped with the preceding '\\'",
        ),
        (json!({"reply_markup": null}), "object expected as reply markup"),
        (json!({"reply_to_message_id": 99_999}), "message to be replied not found"),
        (json!({"message_thread_id": 7}), "message thread not found"),
    ] {
        let (_, error) = send(more).await;
        assert_eq!(description(&error), format!("Bad Request: {says}"));
    }
    let (_, lenient) =
        send(json!({"reply_parameters": {"message_id": 99_999, "allow_sending_without_reply": true}})).await;
    assert_eq!(lenient["ok"], true);
}

#[tokio::test]
async fn chats_are_what_their_ids_say() {
    let world = free();
    let send = |chat: Value| world.call(ANNE, "sendMessage", json!({"chat_id": chat, "text": "x"}));
    for (chat, kind) in [
        (json!(1), "private"),
        (json!("-5"), "group"),
        (json!(-1_001_234_567_890_i64), "supergroup"),
        (json!("@some_channel"), "channel"),
    ] {
        assert_eq!(send(chat).await.1["result"]["chat"]["type"], kind);
    }
    for (chat, code, says) in [
        (json!("somebody"), 400, "Bad Request: chat not found"),
        (json!(0), 400, "Bad Request: chat not found"),
        (json!(""), 400, "Bad Request: chat_id is empty"),
        (json!(9_000_000_403_i64), 403, "Forbidden: bot was blocked by the user"),
        (json!(9_000_000_410_i64), 403, "Forbidden: user is deactivated"),
        (json!(-9_000_000_301_i64), 400, "Bad Request: group chat was upgraded to a supergroup chat"),
    ] {
        let (status, error) = send(chat).await;
        assert_eq!((status.as_u16(), description(&error)), (code, says));
    }
    assert_eq!(send(json!(-9_000_000_301_i64)).await.1["parameters"]["migrate_to_chat_id"], -1_009_000_000_301_i64);
}

#[tokio::test]
async fn tokens_and_methods_are_checked() {
    let only = Bots::Only(vec![ANNE.to_owned().into()]);
    let world = world(Options { bots: only, ..Options::default() });
    let get = |token: &str, method: &str| answer(world.http.get(world.url(token, method)));
    let (_, me) = get(ANNE, "GetMe").await;
    assert_eq!((&me["result"]["id"], &me["result"]["is_bot"]), (&json!(1001), &json!(true)));
    assert_eq!(get(BERT, "getMe").await.1, json!({"ok": false, "error_code": 401, "description": "Unauthorized"}));
    assert_eq!(description(&get("1001:short", "getMe").await.1), "Not Found");
    assert_eq!(description(&get(ANNE, "sendFoto").await.1), "Not Found: method not found");
    assert_eq!(description(&answer(world.http.get(format!("{}/nothing", world.sandbox.url()))).await.1), "Not Found");
    let put = world.http.put(world.url(ANNE, "getMe")).send().await.unwrap();
    assert_eq!((put.status().as_u16(), put.bytes().await.unwrap().len()), (501, 0));
    let started = Instant::now();
    assert_eq!(get(ANNE, "getUpdates?timeout=1").await.1["result"], json!([]));
    assert!(started.elapsed() >= Duration::from_secs(1));
    assert_eq!(get(ANNE, "sendChatAction?chat_id=5&action=upload_photo").await.1["result"], true);
    assert_eq!(
        description(&get(ANNE, "sendChatAction?chat_id=5&action=dance").await.1),
        "Bad Request: wrong parameter action in request"
    );
    assert_eq!(world.sandbox.stats().requests["getMe"], 1);
}

#[tokio::test]
async fn whoever_sends_too_fast_is_told_to_wait_and_counted_when_not_waiting() {
    let world = world(Options::default());
    let send = |chat: i64| world.post(ANNE, "sendMessage").json(&json!({"chat_id": chat, "text": "x"})).send();
    for _ in 0..5 {
        assert_eq!(send(7).await.unwrap().status(), 200);
    }
    let refused = send(7).await.unwrap();
    assert_eq!((refused.status().as_u16(), refused.headers()["retry-after"].to_str().unwrap()), (429, "1"));
    let body: Value = serde_json::from_slice(&refused.bytes().await.unwrap()).unwrap();
    assert_eq!(
        body,
        json!({"ok": false, "error_code": 429, "description": "Too Many Requests: retry after 1",
        "parameters": {"retry_after": 1}})
    );
    assert_eq!(world.sandbox.stats().violations, 0);
    assert_eq!(send(7).await.unwrap().status(), 429);
    assert_eq!(send(8).await.unwrap().status(), 200, "another chat is not held back");
    tokio::time::sleep(Duration::from_millis(1050)).await;
    assert_eq!(send(7).await.unwrap().status(), 200);
    let stats = world.sandbox.stats();
    assert_eq!((stats.too_many_requests, stats.violations), (2, 1));
    assert_eq!((stats.bots[&1001].max_per_second_per_chat, stats.bots[&1001].sends), (5, 7));
}

#[tokio::test]
async fn limits_can_be_set_and_albums_cost_their_items() {
    let limits = Limits { group_per_minute: 4, group_burst: 100.0, bot_rate: 0.0, ..Limits::default() };
    let world = world(Options { limits: Some(limits), ..Options::default() });
    let photo = last_file_id(&world.send_photo(ANNE, 5, picture(1)).await).to_owned();
    let item = json!({"type": "photo", "media": photo});
    let album = json!({"chat_id": -7, "media": [item, item, item]});
    assert_eq!(world.call(ANNE, "sendMediaGroup", album.clone()).await.0, 200);
    let (status, body) = world.call(ANNE, "sendMediaGroup", album).await;
    assert_eq!(status, 429);
    assert!(body["parameters"]["retry_after"].as_u64().unwrap() >= 59);
    assert_eq!(world.sandbox.stats().bots[&1001].max_per_minute_per_group, 3);
}

#[tokio::test]
async fn uploads_of_one_size_are_slowed_down() {
    let world = world(Options { limits: None, ..Options::default() });
    let started = Instant::now();
    for _ in 0..8 {
        world.send_photo(ANNE, 5, png(640, 480, 1, 200_000)).await;
    }
    assert!(started.elapsed() >= Duration::from_millis(350), "six are free, two wait 0.2 s each");
    let started = Instant::now();
    for length in 0..8 {
        world.send_photo(ANNE, 5, png(640, 480, 1, 200_001 + length)).await;
    }
    assert!(started.elapsed() < Duration::from_secs(1), "other sizes are free");
}

#[tokio::test]
async fn an_album_is_all_or_nothing_and_passes_core_errors_on_unmapped() {
    let world = free();
    let photo = last_file_id(&world.send_photo(ANNE, 5, picture(9)).await).to_owned();
    let album = |media: Value| {
        Form::new()
            .text("chat_id", "5")
            .text("media", media.to_string())
            .part("a", Part::bytes(picture(1)).file_name("a.jpg"))
            .part("b", Part::bytes(b"no image".to_vec()).file_name("b.jpg"))
    };
    let item = |media: &str| json!({"type": "photo", "media": media});
    let first = json!({"type": "photo", "media": "attach://a", "caption": "Both"});
    let (_, sent) = world.upload(ANNE, "sendMediaGroup", album(json!([first, item(&photo)]))).await;
    let messages = sent["result"].as_array().unwrap();
    assert_eq!((messages.len(), &messages[0]["caption"]), (2, &json!("Both")));
    assert_eq!(messages[0]["media_group_id"], messages[1]["media_group_id"]);
    assert_ne!(messages[0]["message_id"], messages[1]["message_id"]);
    let foreign = last_file_id(&world.send_photo(BERT, 5, picture(9)).await).to_owned();
    for (media, says) in [
        (json!([first, item(&foreign)]), "failed to send message #2 with the error message \"MEDIA_EMPTY\""),
        (
            json!([first, item("attach://b")]),
            "failed to send message #2 with the error message \"IMAGE_PROCESS_FAILED\"",
        ),
        (json!([first, item("attach://c")]), "can't parse InputMedia: media not found"),
        (json!([first, {"type": "document", "media": "attach://b"}]), "document can't be mixed with other media types"),
        (
            json!([first, {"type": "animation", "media": "attach://b"}]),
            "can't parse InputMedia: type \"animation\" can't be used in sendMediaGroup",
        ),
        (json!([]), "there are no messages to send"),
        (json!(vec![item(&photo); 11]), "too many messages to send as an album"),
        (json!({}), "expected an Array of InputMedia"),
    ] {
        let (_, error) = world.upload(ANNE, "sendMediaGroup", album(media)).await;
        assert_eq!(description(&error), format!("Bad Request: {says}"));
    }
    let stats = world.sandbox.stats();
    assert_eq!((stats.sends, stats.uploads, stats.by_file_id), (4, 3, 1));
}

#[tokio::test]
async fn messages_can_be_edited_and_deleted() {
    let world = free();
    let sent = world.send_photo(ANNE, 5, picture(1)).await;
    let about = |more: Value| {
        let mut arguments = json!({"chat_id": 5, "message_id": sent["message_id"]});
        arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        arguments
    };
    let caption = about(json!({"caption": "new"}));
    let (_, edited) = world.call(ANNE, "editMessageCaption", caption.clone()).await;
    assert_eq!((&edited["result"]["caption"], &edited["result"]["message_id"]), (&json!("new"), &sent["message_id"]));
    assert!(edited["result"]["edit_date"].is_i64());
    let (_, same) = world.call(ANNE, "editMessageCaption", caption).await;
    assert!(description(&same).starts_with("Bad Request: message is not modified: "));
    let form = Form::new()
        .text("chat_id", "5")
        .text("message_id", sent["message_id"].to_string())
        .text("media", json!({"type": "photo", "media": "attach://p"}).to_string())
        .part("p", Part::bytes(png(100, 100, 2, 900)).file_name("p.png"));
    let (_, replaced) = world.upload(ANNE, "editMessageMedia", form).await;
    assert_eq!(replaced["result"]["photo"][1]["width"], 100);
    let (_, foreign) = world.call(BERT, "deleteMessage", about(json!({}))).await;
    assert_eq!(description(&foreign), "Bad Request: message to delete not found");
    assert_eq!(world.call(ANNE, "deleteMessage", about(json!({}))).await.1["result"], true);
    let (_, gone) = world.call(ANNE, "editMessageCaption", about(json!({"caption": "x"}))).await;
    assert_eq!(description(&gone), "Bad Request: message to edit not found");
    let kept = world.sandbox.messages(&Filter::default());
    assert!(kept[0].deleted && kept[0].media.as_ref().unwrap().width == 100);
    let stats = world.sandbox.stats();
    assert_eq!((stats.sends, stats.edits, stats.deletes, stats.uploads), (1, 2, 1, 2));
}

#[tokio::test]
async fn faults_answer_instead_of_the_sandbox() {
    let world = free();
    let text = json!({"chat_id": -5, "text": "x"});
    let send = || world.call(ANNE, "sendMessage", text.clone());
    let matching = json!({"method": "sendMessage"});
    for (fault, code, says) in [
        (json!("blocked"), 403, "Forbidden: bot was blocked by the user"),
        (json!("unauthorized"), 401, "Unauthorized"),
        (
            json!({"status": {"code": 500, "description": "Internal Server Error: restart"}}),
            500,
            "Internal Server Error: restart",
        ),
        (json!({"flood": {"retry_after": 0, "as_400": true}}), 400, "Bad Request: too Many Requests: retry after 0"),
    ] {
        assert_eq!(world.queue(json!({"match": matching, "fault": fault})).await, 200);
        let (status, error) = send().await;
        assert_eq!((status.as_u16(), description(&error)), (code, says));
    }
    assert_eq!(send().await.0, 200, "each fired once");

    world.queue(json!({"fault": {"migrated": {"to": -1_001_000_000_005_i64}}})).await;
    for _ in 0..2 {
        let (status, migrated) = send().await;
        assert_eq!(status, 400);
        assert_eq!(migrated["parameters"]["migrate_to_chat_id"], -1_001_000_000_005_i64, "the old id stays refused");
    }
    let (status, _) = world.call(ANNE, "sendMessage", json!({"chat_id": -1_001_000_000_005_i64, "text": "x"})).await;
    assert_eq!(status, 200);

    world.queue(json!([{"match": {"chat_id": 6}, "fault": {"flood": {"retry_after": 1, "delay_ms": 300}}}])).await;
    let started = Instant::now();
    let flooded = || world.call(ANNE, "sendMessage", json!({"chat_id": 6, "text": "x"}));
    assert_eq!(flooded().await.1["parameters"]["retry_after"], 1);
    assert!(started.elapsed() >= Duration::from_millis(300));
    assert_eq!(flooded().await.0, 429, "the chat has to wait");
    assert_eq!(world.sandbox.stats().violations, 1);
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(flooded().await.0, 200);

    let rule = Rule { matching: Match { times: 0, bot: Some(1002), ..Match::default() }, fault: Fault::NotJson };
    world.sandbox.add_fault(rule).unwrap();
    let html = world.post(BERT, "getMe").send().await.unwrap();
    assert_eq!((html.status().as_u16(), html.headers()["content-type"].to_str().unwrap()), (502, "text/html"));
    assert_eq!(world.call(ANNE, "getMe", json!({})).await.0, 200);
    world.sandbox.clear_faults();
    assert_eq!(world.call(BERT, "getMe", json!({})).await.0, 200);
    assert_eq!(world.queue(json!({"fault": "no_such"})).await, 400);
    assert_eq!(world.queue(json!({"match": {"chat_id": 5}, "fault": "reset_before"})).await, 400);
}

#[tokio::test]
async fn faults_cut_connections_where_they_say() {
    let world = free();
    let request = format!(
        "POST /bot{ANNE}/sendMessage HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 26\r\n\r\n{}",
        r#"{"chat_id":5,"text":"abc"}"#
    );
    let rule = |fault| world.sandbox.add_fault(Rule::next("sendMessage", fault)).unwrap();
    let sent = || world.sandbox.stats().sends;

    rule(Fault::LostAfter);
    assert_eq!(world.raw(&request), "", "not a byte of an answer");
    assert_eq!(sent(), 1, "but the message is there");

    rule(Fault::ResetBefore);
    let head = request.split(r#"{"chat"#).next().unwrap();
    assert_eq!(world.raw(head), "", "nobody waits for the body");
    assert_eq!(sent(), 1);

    rule(Fault::CutJson);
    let half = world.raw(&request);
    let (head, body) = half.split_once("\r\n\r\n").unwrap();
    let length: usize = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
    assert!(head.starts_with("HTTP/1.1 200 ") && body.starts_with("{\"ok\":true,"));
    assert_eq!(body.len(), length / 2);
    assert_eq!(sent(), 2);

    rule(Fault::Empty413);
    let empty = world.raw(&request);
    assert!(empty.starts_with("HTTP/1.1 413 ") && empty.ends_with("\r\n\r\n"), "{empty}");
    assert_eq!(sent(), 2);

    rule(Fault::Slow { ms: 400 });
    let started = Instant::now();
    assert_eq!(world.call(ANNE, "sendMessage", json!({"chat_id": 5, "text": "x"})).await.0, 200);
    assert!(started.elapsed() >= Duration::from_millis(400));
    assert_eq!((sent(), world.sandbox.stats().faults), (3, 5));
}

#[tokio::test]
async fn forgotten_file_ids_are_refused_until_the_picture_is_uploaded_again() {
    let world = free();
    let old = last_file_id(&world.send_photo(ANNE, 5, picture(1)).await).to_owned();
    let others = last_file_id(&world.send_photo(BERT, 5, picture(1)).await).to_owned();
    world.sandbox.add_fault(Rule::next("sendPhoto", Fault::FileIdsForgotten)).unwrap();
    for _ in 0..2 {
        let (_, refused) = world.call(ANNE, "sendPhoto", json!({"chat_id": 5, "photo": old})).await;
        assert_eq!(description(&refused), "Bad Request: wrong file identifier/HTTP URL specified");
    }
    let new = last_file_id(&world.send_photo(ANNE, 5, picture(1)).await).to_owned();
    assert_eq!(world.call(ANNE, "sendPhoto", json!({"chat_id": 5, "photo": new})).await.0, 200);
    assert_eq!(world.call(BERT, "sendPhoto", json!({"chat_id": 5, "photo": others})).await.0, 200);
}

#[tokio::test]
async fn what_was_accepted_can_be_asked_for() {
    let world = free();
    for chat in [5, 6, 5] {
        world.send_photo(ANNE, chat, picture(chat as u8)).await;
    }
    world.call(BERT, "sendMessage", json!({"chat_id": 5, "text": "<script>"})).await;
    let all = world.control("/sandbox/messages").await["messages"].clone();
    assert_eq!(all.as_array().unwrap().len(), 4);
    assert_eq!(all[0]["media"]["how"], "upload");
    assert_eq!(all[0]["media"]["bytes"], 2000);
    assert!(all[0]["at_ms"].as_u64().unwrap() <= all[3]["at_ms"].as_u64().unwrap());
    let count = |messages: Value| messages["messages"].as_array().unwrap().len();
    assert_eq!(count(world.control("/sandbox/messages?chat_id=5").await), 3);
    assert_eq!(count(world.control("/sandbox/messages?chat_id=5&bot=1002").await), 1);
    assert_eq!(count(world.control("/sandbox/messages?after=3").await), 1);
    assert_eq!(world.control("/sandbox/messages?limit=2").await["messages"][0]["seq"], 3, "the newest");
    assert_eq!(world.control("/sandbox/messages?limit=2&after=0").await["messages"][0]["seq"], 1);
    let digest = all[0]["media"]["sha256"].as_str().unwrap();
    let url = format!("{}/sandbox/pictures/{digest}", world.sandbox.url());
    let answer = world.http.get(url).send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "image/png");
    assert_eq!(answer.bytes().await.unwrap(), picture(5));
    assert_eq!(world.control("/sandbox/stats").await["sends"], 4);
    let reset = world.http.post(format!("{}/sandbox/reset", world.sandbox.url())).send().await.unwrap();
    assert_eq!(reset.status(), 204);
    assert_eq!(count(world.control("/sandbox/messages").await), 0);
    assert_eq!(world.sandbox.stats(), Default::default());
    assert_eq!(count(world.control("/sandbox/messages").await), 0);
}

#[tokio::test]
async fn long_lists_come_whole_and_in_order() {
    let world = free();
    for text in 0..1100 {
        world.call(ANNE, "sendMessage", json!({"chat_id": 5, "text": text})).await;
    }
    let all = world.control("/sandbox/messages").await;
    let texts: Vec<_> = all["messages"].as_array().unwrap().iter().map(|m| m["caption"].as_str().unwrap()).collect();
    assert_eq!(texts, (0..1100).map(|n| n.to_string()).collect::<Vec<_>>());
    assert_eq!(world.control("/sandbox/messages?limit=0").await, json!({"messages": []}));
}

#[tokio::test]
async fn the_page_brings_all_it_needs_and_hears_of_messages_as_they_arrive() {
    let world = free();
    let page = world.http.get(world.sandbox.url()).send().await.unwrap();
    let policy = page.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"));
    let html = String::from_utf8(page.bytes().await.unwrap().to_vec()).unwrap();
    assert!(!html.contains("://"), "nothing comes from elsewhere");
    for asset in ["/sandbox/page.css", "/sandbox/page.js", "/sandbox/icon.svg"] {
        assert!(html.contains(asset));
        let answer = world.http.get(format!("{}{asset}", world.sandbox.url())).send().await.unwrap();
        assert_eq!(answer.status(), 200);
    }
    let mut events = world.http.get(format!("{}/sandbox/events", world.sandbox.url())).send().await.unwrap();
    assert_eq!(events.headers()["content-type"], "text/event-stream");
    let mut heard = String::from_utf8(events.chunk().await.unwrap().unwrap().to_vec()).unwrap();
    world.call(ANNE, "sendMessage", json!({"chat_id": 5, "text": "as it arrives"})).await;
    while !heard.contains("as it arrives") {
        heard += std::str::from_utf8(&events.chunk().await.unwrap().unwrap()).unwrap();
    }
    assert!(heard.contains("event: message\ndata: {\"seq\":1,"));
}

#[tokio::test]
async fn it_takes_as_long_as_asked_and_its_port_is_free_after_the_stop() {
    let world = world(Options { latency: Duration::from_millis(200), ..Options::default() });
    let started = Instant::now();
    world.send_photo(ANNE, 5, picture(1)).await;
    assert!(started.elapsed() >= Duration::from_millis(200), "every call takes as long as was asked");
    let addr = world.sandbox.addr();
    world.sandbox.stop().await;
    assert!(TcpStream::connect(addr).is_err());
}
