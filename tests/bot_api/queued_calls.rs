//! The Bot API face: whoever can talk to Telegram can talk to us, and is answered the same.

use crate::support::test_app::{TOKEN, TestApp, png};
use reqwest::multipart::{Form, Part};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};

on_both_engines!(
    a_photo_is_sent_in_every_encoding_and_the_result_is_telegrams,
    odd_requests_are_answered_as_the_bot_api_answers_them,
    files_are_found_as_the_bot_api_finds_them,
    messages_are_edited_copied_and_deleted_and_errors_come_back_word_for_word,
    an_album_that_is_sent_twice_is_uploaded_once,
    a_flood_behind_us_is_invisible,
    a_call_with_a_key_is_delivered_once_and_answered_the_same,
    a_name_without_extension_does_not_spoil_a_photo,
    the_token_in_front_of_the_method_has_a_status_for_each_error,
);

/// An answer as far as both sides must agree: status and body, ids and times blotted out.
pub async fn read(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    let mut body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    blot(&mut body);
    (status, body)
}

fn blot(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match name.as_str() {
                    "message_id" | "date" | "edit_date" | "file_id" | "media_group_id" | "file_path" => {
                        *value = "*".into();
                    }
                    _ => blot(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(blot),
        _ => {}
    }
}

impl TestApp {
    /// A request of a method, to us.
    pub fn bot(&self, verb: Method, method: &str) -> RequestBuilder {
        self.client.request(verb, format!("{}/bot{TOKEN}/{method}", self.api))
    }

    /// A call with JSON that must succeed; its result.
    pub async fn result(&self, method: &str, params: Value) -> Value {
        let (status, body) = {
            let response = self.bot(Method::POST, method).json(&params).send().await.unwrap();
            (response.status(), response.json::<Value>().await.unwrap())
        };
        assert!(status == 200 && body["ok"] == true, "{method} {params}: {status} {body:#}");
        body["result"].clone()
    }

    /// Sends the same straight to the sandbox and through us, and wants the same answer; returns it.
    pub async fn same(
        &self,
        verb: Method,
        path: &str,
        build: impl Fn(RequestBuilder) -> RequestBuilder,
    ) -> (u16, Value) {
        let ask = async |base: &str| {
            let request = self.client.request(verb.clone(), format!("{base}/bot{TOKEN}/{path}"));
            read(build(request).send().await.unwrap()).await
        };
        let straight = ask(&self.sandbox.url()).await;
        let through = ask(&self.api).await;
        assert_eq!(through, straight, "{verb} {path}");
        through
    }
}

fn file(bytes: Vec<u8>, name: &str) -> Part {
    Part::bytes(bytes).file_name(name.to_owned())
}

/// A body of multipart written by hand.
fn by_hand(parts: &[(&str, &str)]) -> String {
    let mut body = String::new();
    for (head, content) in parts {
        body += &format!("--b\r\nContent-Disposition: form-data; {head}\r\n\r\n{content}\r\n");
    }
    body + "--b--\r\n"
}

async fn a_photo_is_sent_in_every_encoding_and_the_result_is_telegrams(app: &TestApp) {
    let form = || Form::new().text("chat_id", "7").text("caption", "first").part("photo", file(png(1), "a.png"));
    let (status, sent) = app.same(Method::POST, "sendPhoto", |r| r.multipart(form())).await;
    assert_eq!((status, &sent["result"]["caption"]), (200, &json!("first")));
    assert_eq!(sent["result"]["chat"]["id"], 7);
    let answer: Value =
        app.bot(Method::POST, "sendPhoto").multipart(form()).send().await.unwrap().json().await.unwrap();
    let sizes = answer["result"]["photo"].as_array().unwrap();
    let file_id = sizes.last().unwrap()["file_id"].as_str().unwrap().to_owned();

    let pairs = [("chat_id", "7"), ("photo", &file_id), ("caption", "again & again")];
    let query = pairs.map(|(name, value)| format!("{name}={}", value.replace(' ', "+").replace('&', "%26"))).join("&");
    for (status, sent) in [
        app.same(Method::GET, &format!("SENDPHOTO?{query}"), |r| r).await,
        app.same(Method::POST, "sendphoto", |r| {
            r.header("content-type", "application/x-www-form-urlencoded").body(query.clone())
        })
        .await,
        app.same(Method::POST, "sendPhoto", |r| {
            r.json(&serde_json::Map::from_iter(pairs.map(|(name, value)| (name.to_owned(), Value::from(value)))))
        })
        .await,
    ] {
        assert_eq!((status, &sent["result"]["caption"]), (200, &json!("again & again")));
    }
    assert_eq!(app.metric("uploads_total", "").await, 1.0);
}

async fn odd_requests_are_answered_as_the_bot_api_answers_them(app: &TestApp) {
    let post = async |path: &str, kind: &'static str, body: &'static str| {
        app.same(Method::POST, path, |r| r.header("content-type", kind).body(body)).await
    };
    const JSON: &str = "application/json; charset=utf-8";
    const FORM: &str = "application/x-www-form-urlencoded";
    let words = |answer: &(u16, Value)| answer.1["description"].as_str().unwrap_or_default().to_owned();

    // The first of a name wins, and the query string comes first.
    let (_, sent) = post("sendMessage?text=query", JSON, r#"{"chat_id":7,"text":"body","text":"later"}"#).await;
    assert_eq!(sent["result"]["text"], "query");
    let (_, sent) = post("sendMessage", FORM, "chat_id=7&text=a&text=b&tomorrow=x").await;
    assert_eq!(sent["result"]["text"], "a");
    // What comes before a fault in JSON counts.
    let cut = post("sendMessage", JSON, r#"{"text":"x","chat_id":"#).await;
    assert_eq!(words(&cut), "Bad Request: chat_id is empty");
    let (_, sent) = post("sendMessage", JSON, r#"{"chat_id":7,"text":"kept","parse_mode":"HT"#).await;
    assert_eq!(sent["result"]["text"], "kept");
    // null is four letters.
    let (_, sent) = post("sendMessage", JSON, r#"{"chat_id":7,"text":null}"#).await;
    assert_eq!(sent["result"]["text"], "null");
    post("sendMessage", JSON, r#"{"chat_id":7,"text":"x","reply_markup":null}"#).await;
    // Objects and strings that hold JSON are the same.
    for markup in [r#"{"inline_keyboard":[[{"text":"a","url":"https://a.b"}]]}"#] {
        let both = [json!(markup), serde_json::from_str(markup).unwrap()];
        for markup in both {
            let body = json!({"chat_id": "7", "text": "x", "reply_markup": markup, "disable_notification": true});
            let (status, sent) = app.same(Method::POST, "sendMessage", |r| r.json(&body)).await;
            assert_eq!((status, sent["result"]["reply_markup"].is_object()), (200, true));
        }
    }
    // Other content types are ignored.
    let ignored = post("sendMessage?text=x", "text/plain", r#"{"chat_id":7}"#).await;
    assert_eq!(words(&ignored), "Bad Request: chat_id is empty");
    // The method may be an argument.
    assert_eq!(post("", FORM, "method=sendMessage&chat_id=7&text=x").await.0, 200);
    assert_eq!(post("", FORM, "method=GETME").await.0, 200);
    for bad in ["chat_id=abc", "chat_id=0", "chat_id=@x", "chat_id=", "chat_id=9000000400", "chat_id=9000000403"] {
        let body = format!("{bad}&text=x");
        let form = |r: RequestBuilder| r.header("content-type", FORM).body(body.clone());
        let (status, _) = app.same(Method::POST, "sendMessage", form).await;
        assert!([400, 403].contains(&status), "{bad}");
    }
    for (path, body) in [
        ("sendMessage", "chat_id=7"),
        ("sendMessage", "chat_id=7&text=%FF"),
        ("sendMessage", "chat_id=7&text=<b>&parse_mode=HTML"),
        ("sendPhoto", "chat_id=7"),
        ("sendPhoto", "chat_id=7&photo=http://localhost/x"),
        ("sendMediaGroup", "chat_id=7&media=[]"),
        ("sendMediaGroup", "chat_id=7&media=nonsense"),
        ("sendChatAction", "chat_id=7&action=dancing"),
        ("sendChatAction", "chat_id=7&action=typing"),
        ("noSuchMethod", "chat_id=7"),
        ("getChat", "chat_id=7"),
        ("deleteWebhook", ""),
    ] {
        post(path, FORM, body).await;
    }
    for verb in [Method::PUT, Method::DELETE, Method::PATCH] {
        assert_eq!(app.same(verb, "sendMessage", |r| r).await, (501, json!("")));
    }
    let long = "x".repeat(1 << 20);
    let long = format!("chat_id=7&text={long}");
    let too_long = app.same(Method::POST, "sendMessage", |r| r.header("content-type", FORM).body(long.clone())).await;
    assert_eq!(too_long, (413, json!("")));
    let bad_tokens = [("1:short", 404), ("123456:ABC-DEF1234ghIkl-zyx57W2v1u123ew12", 401), ("", 404)];
    for (token, status) in bad_tokens {
        let found = read(app.get(&format!("/bot{token}/getMe")).await).await;
        let words = if status == 401 { "Unauthorized" } else { "Not Found" };
        assert_eq!(found, (status, json!({"ok": false, "error_code": status, "description": words})), "{token}");
    }
    let test = read(app.get(&format!("/bot{TOKEN}/test/getMe")).await).await;
    assert_eq!(test.0, 404);
}

async fn files_are_found_as_the_bot_api_finds_them(app: &TestApp) {
    let send = async |method: &str, parts: &[(&str, &str)]| {
        let body = by_hand(parts);
        let kind = "multipart/form-data; boundary=b";
        app.same(Method::POST, method, |r| r.header("content-type", kind).body(body.clone())).await
    };
    let text = r#"name="chat_id""#;
    let gif = "GIF89a\x05\0\x07\0\0\0\0";
    // A part is a file only if it has a filename, and an empty one counts.
    assert_eq!(send("sendDocument", &[(text, "7"), (r#"name="document"; filename="a.txt""#, "hello")]).await.0, 200);
    assert_eq!(send("sendDocument", &[(text, "7"), (r#"name="document"; filename="""#, "hello")]).await.0, 200);
    assert_eq!(send("sendDocument", &[(text, "7"), (r#"name="document""#, "hello")]).await.0, 400);
    // Names are percent-decoded.
    let (_, sent) =
        send("sendDocument", &[(text, "7"), (r#"name="docume%6Et"; filename="a%20b.txt""#, "decoded")]).await;
    assert_eq!(sent["result"]["document"]["file_name"], "a b.txt");
    // attach:// names a part, a missing one is an error, and a text wins over the file of its name.
    let attached = || Form::new().text("chat_id", "7").text("photo", "attach://x").part("x", file(png(4), "x.png"));
    assert_eq!(app.same(Method::POST, "sendPhoto", |r| r.multipart(attached())).await.0, 200);
    assert_eq!(send("sendPhoto", &[(text, "7"), (r#"name="photo""#, "attach://x")]).await.0, 400);
    let twice = [(text, "7"), (r#"name="photo""#, "AgACx"), (r#"name="photo"; filename="x.gif""#, gif)];
    assert_eq!(send("sendPhoto", &twice).await.0, 400);
    for chat in ["abc", ""] {
        assert_eq!(send("sendPhoto", &[(text, chat), (r#"name="photo"; filename="x.gif""#, gif)]).await.0, 400);
    }
    // Nothing at all, an empty file, and broken multipart.
    assert_eq!(send("sendDocument", &[(text, "7"), (r#"name="document"; filename="a.txt""#, "")]).await.0, 400);
    let broken = |r: RequestBuilder| r.header("content-type", "multipart/form-data; boundary=b").body("--b\r\nx");
    assert_eq!(app.same(Method::POST, "sendPhoto", broken).await, (400, json!("")));
    let many =
        || (0..51).fold(Form::new().text("chat_id", "7"), |form, at| form.part(format!("f{at}"), file(png(at), "x")));
    assert_eq!(app.same(Method::POST, "sendPhoto", |r| r.multipart(many())).await, (413, json!("")));
    // Beside the medium: a thumbnail.
    let with_thumbnail = || {
        Form::new()
            .text("chat_id", "7")
            .text("thumbnail", "attach://t")
            .part("document", file(b"report".to_vec(), "report.txt"))
            .part("t", file(b"\xff\xd8\xff\xe0\0\x04ab\xff\xc0\0\x0b\x08\0\x07\0\x05\x01\x01\x11\0".to_vec(), "t.jpg"))
    };
    app.same(Method::POST, "sendDocument", |r| r.multipart(with_thumbnail())).await;
}

async fn messages_are_edited_copied_and_deleted_and_errors_come_back_word_for_word(app: &TestApp) {
    let sent = app.result("sendMessage", json!({"chat_id": 7, "text": "one"})).await;
    let at = json!({"chat_id": 7, "message_id": sent["message_id"]});
    let with = |more: Value| {
        let mut params = at.clone();
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        params
    };
    let edited = app.result("editMessageText", with(json!({"text": "two"}))).await;
    assert_eq!((&edited["text"], &edited["message_id"]), (&json!("two"), &sent["message_id"]));
    let same = app.bot(Method::POST, "editMessageText").json(&with(json!({"text": "two"}))).send().await.unwrap();
    let (status, body) = read(same).await;
    assert_eq!(status, 400);
    assert!(body["description"].as_str().unwrap().starts_with("Bad Request: message is not modified"), "{body}");
    let copy = json!({"chat_id": 8, "from_chat_id": 7, "message_id": sent["message_id"]});
    assert!(app.result("copyMessage", copy).await["message_id"].is_i64());
    let form = Form::new()
        .text("chat_id", "7")
        .text("message_id", sent["message_id"].to_string())
        .text("media", r#"{"type":"photo","media":"attach://new","caption":"three"}"#)
        .part("new", file(png(5), "5.png"));
    let (status, body) = read(app.bot(Method::POST, "editMessageMedia").multipart(form).send().await.unwrap()).await;
    assert_eq!((status, &body["result"]["caption"]), (200, &json!("three")), "{body}");
    let again = json!({"type": "photo", "media": "nonsense"});
    app.same(Method::POST, "editMessageMedia", |r| r.json(&with(json!({"media": again})))).await;
    assert_eq!(app.result("deleteMessage", at.clone()).await, true);
    let (status, _) = app.same(Method::POST, "deleteMessage", |r| r.json(&at)).await;
    assert_eq!(status, 400);
}

async fn an_album_that_is_sent_twice_is_uploaded_once(app: &TestApp) {
    let album = || {
        let media: Vec<Value> = (0..3)
            .map(|at| json!({"type": "photo", "media": format!("attach://p{at}"), "caption": at.to_string()}))
            .collect();
        let form = Form::new().text("chat_id", "7").text("media", json!(media).to_string());
        (0..3).fold(form, |form, at| form.part(format!("p{at}"), file(png(at), "application.octet-stream")))
    };
    for _ in 0..2 {
        let sent = app.bot(Method::POST, "sendMediaGroup").multipart(album()).send().await.unwrap();
        let body: Value = sent.json().await.unwrap();
        let messages = body["result"].as_array().unwrap_or_else(|| panic!("{body:#}"));
        assert_eq!(messages.iter().map(|message| message["caption"].as_str().unwrap()).collect::<String>(), "012");
        assert!(messages.iter().all(|message| message["media_group_id"] == messages[0]["media_group_id"]));
    }
    assert_eq!(app.messages().len(), 6);
    assert_eq!(app.metric("uploads_total", "").await, 3.0);
}

async fn a_flood_behind_us_is_invisible(app: &TestApp) {
    app.fault(2, json!({"flood": {"retry_after": 1}}));
    let form = Form::new().text("chat_id", "7").part("photo", file(png(1), "a.png"));
    let (status, body) = read(app.bot(Method::POST, "sendPhoto").multipart(form).send().await.unwrap()).await;
    assert_eq!(status, 200, "{body:#}");
    assert_eq!(app.messages().len(), 1);
}

async fn a_name_without_extension_does_not_spoil_a_photo(app: &TestApp) {
    for name in ["application.octet-stream", "photo", "blob", ""] {
        let form = Form::new().text("chat_id", "7").part("photo", file(png(9), name));
        let (status, body) = read(app.bot(Method::POST, "sendPhoto").multipart(form).send().await.unwrap()).await;
        assert_eq!(status, 200, "{name}: {body:#}");
    }
}

async fn the_token_in_front_of_the_method_has_a_status_for_each_error(app: &TestApp) {
    let post = async |token: &str, form: Form| {
        let url = format!("{}/{token}/sendPhoto", app.api);
        read(app.client.post(url).multipart(form).send().await.unwrap()).await
    };
    let photo = || file(png(3), "image.jpg");
    let to = |chat: &str| Form::new().text("chat_id", chat.to_owned());
    let form = to("987654321").part("photo", photo()).text("caption", "This is a sample photo");
    let (status, sent) = post(TOKEN, form).await;
    assert_eq!((status, &sent["result"]["caption"]), (200, &json!("This is a sample photo")));
    let unknown = "123456:ABC-DEF1234ghIkl-zyx57W2v1u123ew12";
    for (token, form, status) in [
        (TOKEN, to("987654321"), 400),
        (TOKEN, to("9000000400").part("photo", photo()), 404),
        (TOKEN, to("abc").part("photo", photo()), 404),
        (TOKEN, to("9000000403").part("photo", photo()), 403),
        (unknown, to("1").part("photo", photo()), 401),
        ("123:expired", to("1").part("photo", photo()), 401),
        (TOKEN, to("1").part("photo", file(vec![7; (10 << 20) + 1], "large.jpg")), 413),
        (TOKEN, to("1").part("photo", file(vec![7; (50 << 20) + 1], "larger.jpg")), 413),
        (TOKEN, to("1").part("photo", file(b"no image".to_vec(), "note.txt")), 400),
    ] {
        let (found, body) = post(token, form).await;
        assert_eq!((found, &body["ok"], &body["error_code"]), (status, &json!(false), &json!(status)), "{body:#}");
        assert!(body["description"].is_string());
    }
    // Nobody else's addresses are taken.
    assert_eq!(app.get("/v1/sendPhoto").await.status(), 404);
    assert_eq!(app.get("/somewhere/sendPhoto").await.json::<Value>().await.unwrap()["code"], "not_found");
}

/// The answer to a call with an idempotency key: status, body as it came, and whether it says that it is a repetition.
async fn keyed(app: &TestApp, key: &str, params: Value) -> (u16, Value, bool) {
    let request = app.bot(Method::POST, "sendMessage").header("Idempotency-Key", key).json(&params);
    let response = request.send().await.unwrap();
    let replayed = response.headers().get("idempotent-replayed").is_some_and(|value| value == "true");
    (response.status().as_u16(), response.json().await.unwrap(), replayed)
}

async fn a_call_with_a_key_is_delivered_once_and_answered_the_same(app: &mut TestApp) {
    let params = json!({"chat_id": 7, "text": "only once"});
    let first = keyed(app, "order-17", params.clone()).await;
    assert_eq!((first.0, first.2), (200, false), "{first:?}");
    let again = keyed(app, "order-17", params).await;
    assert_eq!(again, (200, first.1, true));
    assert_eq!(app.messages().len(), 1);
    let other = keyed(app, "order-17", json!({"chat_id": 7, "text": "another"})).await;
    let words = other.1["description"].as_str().unwrap();
    assert!(other.0 == 400 && words.contains("key was used with another request"), "{other:?}");
    let malformed = keyed(app, "a b", json!({"chat_id": 7, "text": "x"})).await;
    assert!(malformed.0 == 400 && malformed.1["description"].as_str().unwrap().contains("visible ASCII"));
    assert_eq!(app.messages().len(), 1);
    let by_name = |name: &'static str| {
        let form = Form::new().text("chat_id", "7").text("photo", format!("attach://{name}"));
        let part = Part::bytes(png(5)).file_name("a.png");
        let request = app.bot(Method::POST, "sendPhoto").header("Idempotency-Key", "p-1");
        request.multipart(form.part(name, part)).send()
    };
    for name in ["attached-1f0e", "attached-77ab"] {
        let response = by_name(name).await.unwrap();
        assert_eq!(response.status(), 200, "{}", response.text().await.unwrap());
    }
    assert_eq!(app.messages().len(), 2, "client libraries name the parts at random");
}
