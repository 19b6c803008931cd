//! Requests that people met in the field, as public reports show them: read as Telegram's server reads them. The numbers are
//! those of the list that the project keeps of them.

use crate::bot_api::queued_calls::read;
use crate::support::test_app::{NO_LIMITS, On, TOKEN, TestApp, lenient, png};
use pixcourier::sandbox::SandboxMessage;
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

async fn started() -> TestApp {
    TestApp::with(On::Embedded, NO_LIMITS, lenient()).await
}

impl TestApp {
    /// Posts JSON as it is written; gives the status and the answer, which must be what the Bot API itself answers.
    async fn written_json(&self, method: &str, body: impl AsRef<[u8]>) -> (u16, Value) {
        let body = body.as_ref().to_vec();
        self.same(Method::POST, method, |request| request.header("content-type", "application/json").body(body.clone()))
            .await
    }

    /// The description of such an answer, which must be an error.
    async fn error(&self, method: &str, body: impl AsRef<[u8]>) -> String {
        let (status, answer) = self.written_json(method, body).await;
        assert_ne!(status, 200, "{answer:#}");
        answer["description"].as_str().unwrap().to_owned()
    }

    /// The file_id of a picture that was sent before.
    async fn file_id(&self) -> String {
        let form = Form::new().text("chat_id", "1").part("photo", Part::bytes(png(1)).file_name("a.png"));
        let url = format!("{}/bot{TOKEN}/sendPhoto", self.sandbox.url());
        let sent: Value = self.client.post(url).multipart(form).send().await.unwrap().json().await.unwrap();
        sent["result"]["photo"][0]["file_id"].as_str().unwrap().to_owned()
    }

    fn last_message(&self) -> SandboxMessage {
        self.messages().pop().unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_32_text_with_a_raw_line_break() {
    let app = started().await;
    for text in ["two\nlines", "a\ttab", "three\n\nlines\r\nof a shell script"] {
        let (status, sent) = app.written_json("sendMessage", format!("{{\"chat_id\": 7, \"text\": \"{text}\"}}")).await;
        assert_eq!(status, 200, "{sent:#}");
        assert_eq!(sent["result"]["text"], text.replace('\r', "").replace('\t', " "));
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_33_caption_with_a_raw_line_break() {
    let app = started().await;
    let photo = app.file_id().await;
    let body =
        format!("{{\"chat_id\":7,\"photo\":\"{photo}\",\"caption\":\"CPU: 93 %\nsince 10:04\",\"has_spoiler\":true}}");
    let (status, sent) = app.written_json("sendPhoto", body).await;
    assert_eq!((status, &sent["result"]["caption"]), (200, &json!("CPU: 93 %\nsince 10:04")), "{sent:#}");
    assert_eq!(sent["result"]["has_media_spoiler"], true, "what came after it");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_35_escape_that_json_has_not() {
    let app = started().await;
    let (_, sent) = app.written_json("sendMessage", r#"{"chat_id":7,"text":"v1\.2 \- it\'s out\!"}"#).await;
    assert_eq!(sent["result"]["text"], "v1.2 - it's out!");
    let once = r#"{"chat_id":7,"parse_mode":"MarkdownV2","text":"v1\.2"}"#;
    assert!(app.error("sendMessage", once).await.contains("Character '.' is reserved"), "escaped once is not at all");
    let twice = r#"{"chat_id":7,"parse_mode":"MarkdownV2","text":"v1\\.2"}"#;
    assert_eq!(app.written_json("sendMessage", twice).await.1["result"]["text"], "v1.2");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_36_half_a_surrogate_pair() {
    let app = started().await;
    let words = "Bad Request: strings must be encoded in UTF-8";
    for text in [r"cut \ud83d", r"\udf89 behind", r"\ud83d\u0041"] {
        assert_eq!(app.error("sendMessage", format!(r#"{{"chat_id":7,"text":"{text}"}}"#)).await, words);
        assert_eq!(
            app.error("sendMessage", format!(r#"{{"chat_id":7,"text":"{text}","parse_mode":"HTML"}}"#)).await,
            "Bad Request: text must be encoded in UTF-8"
        );
    }
    let photo = app.file_id().await;
    let caption = format!(r#"{{"chat_id":7,"photo":"{photo}","caption":"\ud83d"}}"#);
    assert_eq!(app.error("sendPhoto", caption).await, words);
    assert_eq!(app.error("sendMessage", b"{\"chat_id\":7,\"text\":\"\xff\"}").await, words);
    let button = r#"{"chat_id":7,"text":"a","reply_markup":{"inline_keyboard":[[{"text":"\ud83d","url":"e.org"}]]}}"#;
    assert_eq!(
        app.error("sendMessage", button).await,
        "Bad Request: inline keyboard button text must be encoded in UTF-8"
    );
    let (_, sent) = app.written_json("sendMessage", r#"{"chat_id":7,"text":"\ud83c\udf89","tomorrow":"\ud83d"}"#).await;
    assert_eq!(sent["result"]["text"], "🎉", "a whole pair, and what nobody reads");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_38_broken_json_counts_up_to_where_it_breaks() {
    let app = started().await;
    for body in [
        r#"{"chat_id":7,"text":"a",}"#,
        r#"{"chat_id":7,"text":"a","text":"b"}"#,
        r#"{"chat_id":7,"text":"a","disable_notification":true"#,
        r#"{"chat_id":7,"text":"a","latitude":NaN,"parse_mode":"nonsense"}"#,
    ] {
        let (status, sent) = app.written_json("sendMessage", body).await;
        assert_eq!((status, &sent["result"]["text"]), (200, &json!("a")), "{body}");
    }
    assert_eq!(app.error("sendMessage", "{'chat_id':7}").await, "Bad Request: message text is empty");
    assert_eq!(app.error("sendMessage", "\u{feff}{\"chat_id\":7}").await, "Bad Request: message text is empty");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_39_null_is_four_letters() {
    let app = started().await;
    let (_, sent) = app.written_json("sendMessage", r#"{"chat_id":7,"text":null,"x":null}"#).await;
    assert_eq!(sent["result"]["text"], "null");
    let markup = r#"{"chat_id":7,"text":"a","reply_markup":null}"#;
    assert_eq!(app.error("sendMessage", markup).await, "Bad Request: object expected as reply markup");
    app.stop().await;
}

/// The digits that a chat_id begins with count, so such calls are queued, and do not go round the limits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_40_chat_ids_in_other_writings() {
    let app = started().await;
    for chat in ["42.0", "\"123.0\"", "\"42\\n\"", "\"-1001234567890_15\"", "4.2e1"] {
        let accepted = app.metric("notifications_accepted_total", ",lane=\"normal\"").await;
        let (status, sent) = app.written_json("sendMessage", format!("{{\"chat_id\":{chat},\"text\":\"a\"}}")).await;
        assert_eq!(status, 200, "{chat}: {sent:#}");
        assert_eq!(
            app.metric("notifications_accepted_total", ",lane=\"normal\"").await,
            accepted + 1.0,
            "{chat} is queued"
        );
    }
    for chat in ["\" 42\"", "\"+42\"", "\"\u{2212}5\"", "\"t.me/channel\"", "\"\u{feff}42\""] {
        let body = format!("{{\"chat_id\":{chat},\"text\":\"a\"}}");
        assert_eq!(app.error("sendMessage", body).await, "Bad Request: chat not found", "{chat}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_42_album_with_a_raw_line_break() {
    let app = started().await;
    let photo = app.file_id().await;
    let album = format!(
        "[{{\"type\":\"photo\",\"media\":\"{photo}\",\"caption\":\"two\nlines\"}},{{\"type\":\"photo\",\"media\":\"{photo}\"}}]"
    );
    let (status, sent) = app.written_json("sendMediaGroup", format!("{{\"chat_id\":7,\"media\":{album}}}")).await;
    assert_eq!((status, &sent["result"][0]["caption"]), (200, &json!("two\nlines")), "{sent:#}");
    let call = json!({"chat_id": 7, "media": album});
    let (status, _) = app.same(Method::POST, "sendMediaGroup", |request| request.json(&call)).await;
    assert_eq!(status, 200, "the same as text");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_43_what_telegram_trims_does_not_count() {
    let app = started().await;
    let photo = app.file_id().await;
    for ends in ["\n", "  \r\n\t", "\u{2028}", "\r\r\r"] {
        let caption = format!("{}{ends}", "x".repeat(1024));
        let call = json!({"chat_id": 7, "photo": photo, "caption": caption});
        let (status, sent) = app.same(Method::POST, "sendPhoto", |request| request.json(&call)).await;
        assert_eq!((status, sent["result"]["caption"].as_str().map(str::len)), (200, Some(1024)), "{ends:?}");
        let id = app.accept(json!({"chat_id": 7, "photo": photo, "caption": caption})).await;
        assert_eq!(app.sent(&id).await["status"], "sent", "on the native face too");
        assert_eq!(app.last_message().caption.as_deref().map(str::len), Some(1024));
        let text = format!("{}{ends}", "x".repeat(4096));
        app.sent(&app.accept(json!({"chat_id": 7, "text": text})).await).await;
    }
    let marked = json!({"chat_id": 7, "photo": photo, "caption": "\r\n <b>bold</b>\r🎉 ", "parse_mode": "HTML"});
    let (_, sent) = app.same(Method::POST, "sendPhoto", |request| request.json(&marked)).await;
    assert_eq!(sent["result"]["caption"], "bold🎉");
    assert_eq!(sent["result"]["caption_entities"][0]["offset"], 0, "entities move along: {sent:#}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_46_emoji_count_two_on_the_native_face() {
    let app = started().await;
    let photo = app.file_id().await;
    for (count, status) in [(512, 202), (513, 400)] {
        let body = json!({"chat_id": 7, "photo": photo, "caption": "🎉".repeat(count)});
        let response = app.post(body).await;
        assert_eq!(response.status(), status);
        if status == 202 {
            app.sent(response.json::<Value>().await.unwrap()["id"].as_str().unwrap()).await;
        }
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_47_markup_that_does_not_parse_is_told_in_telegrams_words() {
    let app = started().await;
    let photo = app.file_id().await;
    for (mode, caption, words) in [
        ("HTML", "<b>x", "Can't find end tag corresponding to start tag"),
        ("HTML", "cpu < 5", "Unsupported start tag"),
        ("Markdown", "snake_case", "Can't find end of the entity"),
        ("MarkdownV2", "1.5", "is reserved"),
    ] {
        let call = json!({"chat_id": 7, "photo": photo, "caption": caption, "parse_mode": mode});
        let (status, answer) = app.same(Method::POST, "sendPhoto", |request| request.json(&call)).await;
        let description = answer["description"].as_str().unwrap();
        assert!(
            status == 400 && description.contains("can't parse entities") && description.contains(words),
            "{answer}"
        );
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_48_odd_but_good_captions() {
    let app = started().await;
    let photo = app.file_id().await;
    let amps = "&amp;".repeat(1024);
    for (caption, mode, sent_as) in [
        (amps.as_str(), "HTML", Some("&".repeat(1024))),
        ("\u{200b}\u{200d}", "", Some("\u{200b}\u{200d}".to_owned())),
        ("\u{202e}left", "", Some("left".to_owned())),
        ("   \n", "", None),
        ("a\0b", "", Some("a b".to_owned())),
    ] {
        let call = json!({"chat_id": 7, "photo": photo, "caption": caption, "parse_mode": mode});
        let (status, sent) = app.same(Method::POST, "sendPhoto", |request| request.json(&call)).await;
        assert_eq!((status, sent["result"]["caption"].as_str()), (200, sent_as.as_deref()), "{caption:?}: {sent:#}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_49_parse_mode_in_other_writings() {
    let app = started().await;
    for (mode, status) in [("html", 200), ("", 200), ("none", 200), ("None", 200), ("BBCode", 400)] {
        let call = json!({"chat_id": 7, "text": "x", "parse_mode": mode});
        let (found, answer) = app.same(Method::POST, "sendMessage", |request| request.json(&call)).await;
        assert_eq!(found, status, "{mode}: {answer}");
    }
    for (mode, status) in [("html", 202), ("", 400), ("none", 400)] {
        let response = app.post(json!({"chat_id": 7, "text": "x", "parse_mode": mode})).await;
        assert_eq!(response.status(), status, "{mode}");
        let problem: Value = response.json().await.unwrap();
        if status == 202 {
            app.sent(problem["id"].as_str().unwrap()).await;
        } else {
            assert!(problem["detail"].as_str().unwrap().contains("leave it out for plain text"), "{problem}");
        }
    }
    app.stop().await;
}

/// The native face is strict, and says what to write.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_29_and_30_strict_answers_say_what_to_write() {
    let app = started().await;
    for (body, advice) in [
        (json!({"chat_id": "42\n", "text": "x"}), "without the white space"),
        (json!({"chat_id": 42, "text": "x", "reply_markup": {}}), "leave it out"),
        (json!({"chat_id": 42, "text": "x", "message_thread_id": "15"}), "without quotation marks"),
        (json!({"chat_id": 42, "text": "x", "protect_content": "true"}), "without quotation marks"),
        (json!({"chat_id": 42, "text": 5}), "between quotation marks"),
        (json!({"chat_id": 42, "text": "x", "allow_sending_without_reply": true}), "Write reply_parameters"),
    ] {
        let response = app.post(body.clone()).await;
        assert_eq!(response.status(), 400);
        let problem: Value = response.json().await.unwrap();
        assert!(problem["detail"].as_str().unwrap().contains(advice), "{body}: {problem}");
    }
    let url = format!("{}/v1/notifications", app.api);
    let marked = "\u{feff}{\"chat_id\":42,\"text\":\"x\"}";
    let response = app.client.post(url).header("content-type", "application/json").body(marked).send().await.unwrap();
    let (status, problem) = read(response).await;
    assert_eq!(status, 400);
    assert!(problem["detail"].as_str().unwrap().contains("byte order mark"), "{problem}");
    app.stop().await;
}

/// A body of any other type is a file named `file` (Telegram's server source).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_of_no_known_type_is_a_file() {
    let app = started().await;
    let target = "sendDocument?chat_id=7&document=attach://file";
    for content_type in ["image/png", "application/octet-stream", "text/plain"] {
        let (status, sent) =
            app.same(Method::POST, target, |request| request.header("content-type", content_type).body(png(3))).await;
        assert_eq!(status, 200, "{content_type}: {sent:#}");
        assert_eq!(sent["result"]["document"]["file_size"], png(3).len(), "{sent:#}");
    }
    app.stop().await;
}
