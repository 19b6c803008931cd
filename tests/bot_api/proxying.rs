//! What the Bot API face passes through: streamed, patient, and without a token in sight.

use crate::bot_api::queued_calls::read;
use crate::project::manual::root;
use crate::support::program::Program;
use crate::support::test_app::{NO_LIMITS, On, TOKEN, TestApp, png};
use pixcourier::app::Role;
use pixcourier::domain::Sha256;
use pixcourier::sandbox::SandboxOptions;
use pixcourier::settings::Bot;
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use std::io::Read;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub const OURS: &str = "77:ours-ours-ours-ours-ours-ours-ours";

/// A service whose bot talks to another server than the sandbox.
pub async fn before(upstream: &str) -> TestApp {
    TestApp::tuned(On::Embedded, Role::All, NO_LIMITS, SandboxOptions::default(), |settings| {
        let bot = settings.bots.values().next().unwrap();
        let bot = Bot::clone(bot).with(|telegram| {
            telegram.api_url = upstream.to_owned();
            telegram.client_tokens = vec![OURS.to_owned().into()];
        });
        settings.bots.insert(bot.name.clone(), bot.into());
    })
    .await
}

/// A server that answers every request on a connection of its own with the same, and notes what it was sent.
pub async fn recorder(answer: &'static str) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let heard = Arc::new(Mutex::new(Vec::new()));
    let notes = heard.clone();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let notes = notes.clone();
            tokio::spawn(async move {
                let request = whole_request(&mut socket).await;
                notes.lock().unwrap().push(request);
                let _ = socket.write_all(answer.as_bytes()).await;
            });
        }
    });
    (url, heard)
}

/// A request with its body, by its Content-Length; bytes that are no text become one question mark each.
async fn whole_request(socket: &mut TcpStream) -> String {
    let mut text = String::new();
    let mut piece = vec![0; 65_536];
    loop {
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return text;
            }
        }
        match socket.read(&mut piece).await {
            Ok(read @ 1..) => {
                text.extend(piece[..read].iter().map(|b| if b.is_ascii() { char::from(*b) } else { '?' }));
            }
            _ => return text,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_polls_are_held_for_as_long_as_telegram_holds_them() {
    let app = TestApp::start(On::Embedded).await;
    let began = Instant::now();
    let (status, body) = read(app.get(&format!("/bot{TOKEN}/getUpdates?timeout=3")).await).await;
    assert_eq!((status, body), (200, json!({"ok": true, "result": []})));
    assert!(began.elapsed() >= Duration::from_secs(3));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_leaves_a_poll_takes_it_along() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let app = before(&format!("http://{}", listener.local_addr().unwrap())).await;
    let poll = app.bot(Method::POST, "getUpdates").json(&json!({"timeout": 50}));
    let asking = tokio::spawn(poll.timeout(Duration::from_millis(500)).send());
    let (mut upstream, _) = listener.accept().await.unwrap();
    let mut piece = [0; 4096];
    assert!(upstream.read(&mut piece).await.unwrap() > 0);
    assert!(asking.await.unwrap().unwrap_err().is_timeout());
    let end = tokio::time::timeout(Duration::from_secs(5), async {
        while !matches!(upstream.read(&mut piece).await, Ok(0) | Err(_)) {}
    });
    end.await.expect("the poll behind us ends as well");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_are_passed_on_untouched_but_for_the_token() {
    const ANSWER: &str = "HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/json\r\nRetry-After: 3\r\n\
                          Content-Length: 12\r\nX-Other: y\r\nConnection: close\r\n\r\n{\"ok\":false}";
    let (upstream, heard) = recorder(ANSWER).await;
    let app = before(&upstream).await;
    let certificate =
        Form::new().text("url", "https://x.y").part("certificate", Part::bytes(vec![b'c'; 300_000]).file_name("c"));
    let url = format!("{}/bot{OURS}/SetChatPhoto?max_connections=4%205", app.api);
    let response = app.client.post(url).header("cookie", "a=b").multipart(certificate).send().await.unwrap();
    assert_eq!((response.status().as_u16(), &response.headers()["retry-after"]), (429, &"3".parse().unwrap()));
    assert!(!response.headers().contains_key("x-other"));
    assert_eq!(response.text().await.unwrap(), "{\"ok\":false}");
    let request = heard.lock().unwrap().pop().unwrap();
    assert!(
        request.starts_with(&format!("POST /bot{TOKEN}/SetChatPhoto?max_connections=4%205 HTTP/1.1\r\n")),
        "{request:.200}"
    );
    let head = request.split("\r\n\r\n").next().unwrap().to_ascii_lowercase();
    assert!(head.contains("content-type: multipart/form-data; boundary="), "{head}");
    assert!(head.contains("content-length: 300"), "{head}");
    assert!(!request.contains("cookie") && !request.contains(OURS), "{head}");
    assert!(request.matches('c').count() > 300_000);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn downloads_are_streamed_with_range_and_length_and_any_spelling_of_their_path() {
    const ANSWER: &str = "HTTP/1.1 206 Partial Content\r\nContent-Type: text/plain\r\nContent-Range: bytes 2-5/10\r\n\
                          Accept-Ranges: bytes\r\nContent-Length: 4\r\nConnection: close\r\n\r\n2345";
    let (upstream, heard) = recorder(ANSWER).await;
    let app = before(&upstream).await;
    for path in ["documents/file_3.txt", "documents%2Ffile_3.txt", "documents%2ffile_3.txt"] {
        let url = format!("{}/file/bot{OURS}/{path}", app.api);
        let response = app.client.get(url).header("range", "bytes=2-5").send().await.unwrap();
        assert_eq!((response.status().as_u16(), response.content_length()), (206, Some(4)));
        assert_eq!(response.headers()["content-range"], "bytes 2-5/10");
        assert_eq!(response.text().await.unwrap(), "2345");
        let request = heard.lock().unwrap().pop().unwrap().to_ascii_lowercase();
        let wanted = format!("get /file/bot{TOKEN}/documents/file_3.txt http/1.1\r\n").to_ascii_lowercase();
        assert!(request.starts_with(&wanted) && request.contains("range: bytes=2-5"), "{request}");
    }
    for path in ["..%2Fbot/x", "a%2F..%2Fb"] {
        let response = app.get(&format!("/file/bot{OURS}/{path}")).await;
        assert_eq!(response.status(), 404);
    }
    assert!(heard.lock().unwrap().is_empty());
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_the_sandbox_is_found_and_downloaded() {
    let app = TestApp::start(On::Embedded).await;
    let form = Form::new().text("chat_id", "7").part("document", Part::bytes(png(1)).file_name("a.png"));
    let sent: Value = app.bot(Method::POST, "sendDocument").multipart(form).send().await.unwrap().json().await.unwrap();
    let file_id = &sent["result"]["document"]["file_id"];
    let found = app.result("getFile", json!({"file_id": file_id})).await;
    let path = found["file_path"].as_str().unwrap();
    for path in [path.to_owned(), path.replace('/', "%2F")] {
        let response = app.get(&format!("/file/bot{TOKEN}/{path}")).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.bytes().await.unwrap(), png(1));
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_away_is_a_bad_gateway_without_its_address() {
    let app = before("http://127.0.0.1:9").await;
    let (status, body) = read(app.get(&format!("/bot{OURS}/getMe")).await).await;
    assert_eq!((status, &body["ok"], &body["error_code"]), (502, &json!(false), &json!(502)));
    assert!(!body.to_string().contains("ABC-DEF") && !body.to_string().contains("127.0.0.1"));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inline_results_name_images_by_their_digest() {
    const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 83\r\nConnection: close\r\n\r\n\
                          {\"ok\":true,\"result\":{\"message_id\":5,\"photo\":[{\"file_id\":\"THE-ID-OF-THE-PICTURE\"}]}}";
    assert_eq!(ANSWER.split("\r\n\r\n").nth(1).unwrap().len(), 83);
    let (upstream, heard) = recorder(ANSWER).await;
    let app = before(&upstream).await;
    let form = Form::new().text("chat_id", "7").part("photo", Part::bytes(png(1)).file_name("a.png"));
    assert_eq!(app.bot(Method::POST, "sendPhoto").multipart(form).send().await.unwrap().status(), 200);
    let digest = Sha256::of(&png(1));
    let results = |digest: &dyn std::fmt::Display| json!([{"type": "photo", "id": "1", "photo_file_id": format!("sha256:{digest}")}, {"type": "article", "id": "2"}]);
    for results in [results(&digest), results(&digest).to_string().into()] {
        let answer = app.bot(Method::POST, "answerinlinequery");
        let answer = answer.json(&json!({"inline_query_id": "9", "results": results, "cache_time": 0}));
        assert_eq!(answer.send().await.unwrap().status(), 200);
        let request = heard.lock().unwrap().pop().unwrap();
        assert!(request.contains("THE-ID-OF-THE-PICTURE") && !request.contains("sha256"), "{request}");
        assert!(request.contains("\"inline_query_id\":\"9\"") && request.contains("/answerInlineQuery "), "{request}");
    }
    for (unknown, words) in [(&Sha256::of(b"?") as &dyn std::fmt::Display, "/v1/images"), (&"abc", "64 hexadecimal")] {
        let answer = app.bot(Method::POST, "answerInlineQuery");
        let answer = answer.json(&json!({"inline_query_id": "9", "results": results(unknown)})).send().await.unwrap();
        let (status, body) = read(answer).await;
        assert_eq!(status, 400);
        assert!(body["description"].as_str().unwrap().contains(words), "{body}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_of_a_shared_disk_go_by_their_path() {
    let options = SandboxOptions { local: true, limits: None, pace_uploads: false, ..SandboxOptions::default() };
    let app = TestApp::tuned(On::Embedded, Role::All, NO_LIMITS, options, |settings| {
        let bot = Bot::clone(settings.bots.values().next().unwrap()).with(|telegram| telegram.local = true);
        settings.bots.insert(bot.name.clone(), bot.into());
    })
    .await;
    let picture = root().join("src/cli/demo/assets/coffee.jpg");
    let sent = app.result("sendPhoto", json!({"chat_id": 7, "photo": format!("file://{}", picture.display())})).await;
    assert!(sent["photo"].is_array());
    let large = Part::bytes(vec![7; (60 << 20) + 1]).file_name("large.bin");
    let form = Form::new().text("chat_id", "7").part("document", large);
    let (status, body) = read(app.bot(Method::POST, "sendDocument").multipart(form).send().await.unwrap()).await;
    assert_eq!(status, 200, "{body:#}");
    app.stop().await;
}

/// Every line that the program logs, however much it is asked to log, while it is used well and badly.
#[test]
fn no_token_is_ever_logged() {
    let environment = [
        ("PIXCOURIER_BOT_CLIENT_TOKENS", OURS),
        ("PIXCOURIER_BOT_API_PATIENCE_SECONDS", "1"),
        ("PIXCOURIER_LOG", "debug,pixcourier=trace,reqwest=trace,hyper_util=trace"),
    ];
    let mut service = Program::serve("http://127.0.0.1:9", &environment, Stdio::piped());
    let (address, mut errors) = (service.url.clone(), service.log());
    let logged = std::thread::spawn(move || {
        let mut log = String::new();
        let _ = errors.read_to_string(&mut log);
        log
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let answers = runtime.block_on(async {
        let client = reqwest::Client::new();
        let mut answers = String::new();
        for token in [TOKEN, OURS] {
            for path in ["getMe", "sendMessage?chat_id=7&text=x", "answerInlineQuery?results=[]", "nothing", "test/x"] {
                answers +=
                    &client.get(format!("{address}/bot{token}/{path}")).send().await.unwrap().text().await.unwrap();
            }
            answers +=
                &client.get(format!("{address}/file/bot{token}/a/b")).send().await.unwrap().text().await.unwrap();
            answers += &client.post(format!("{address}/{token}/sendPhoto")).send().await.unwrap().text().await.unwrap();
            answers += &client.get(format!("{address}/{token}/other")).send().await.unwrap().text().await.unwrap();
        }
        answers + &client.get(format!("{address}/metrics")).send().await.unwrap().text().await.unwrap()
    });
    service.stop();
    let log = logged.join().unwrap();
    assert!(log.contains("could not be passed through") && log.len() > 1000, "{log}");
    for secret in [TOKEN, OURS, "ABC-DEF1234", "ours-ours"] {
        assert!(!log.contains(secret), "{}", log.lines().find(|line| line.contains(secret)).unwrap_or_default());
        assert!(!answers.contains(secret), "{answers}");
    }
}
