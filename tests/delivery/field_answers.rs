//! What Telegram, and who stands before it, was seen to answer in the field: given by a server that says just that, once, and then
//! takes everything. The numbers are those of the list that the project keeps of public reports.

use crate::support::program::Program;
use crate::support::wait::until;
use reqwest::Client;
use serde_json::{Value, json};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A message as the Bot API answers with it.
const MESSAGE: &str =
    r#"{"ok":true,"result":{"message_id":70,"date":1700000000,"chat":{"id":42,"type":"private","first_name":"Ada"}}}"#;
/// Hangs up instead of an answer.
const SILENCE: &str = "";

fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

fn refusal(code: u16, description: &str) -> String {
    let body = json!({"ok": false, "error_code": code, "description": description}).to_string();
    answer(&format!("{code} Refused"), "Content-Type: application/json\r\n", &body)
}

/// Reads a request to the end of its body; none at a hang-up.
async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let (mut request, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        let read = stream.read(&mut piece).await.ok().filter(|read| *read > 0)?;
        request.extend_from_slice(&piece[..read]);
        let text = String::from_utf8_lossy(&request).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length =
            head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse::<usize>().ok());
        let is_whole = match length {
            Some(length) => body.len() >= length,
            None => !head.to_lowercase().contains("transfer-encoding") || body.ends_with("0\r\n\r\n"),
        };
        if is_whole {
            return Some(text);
        }
    }
}

/// A Bot API that gives these answers to the first sends, one each, and then takes what comes. Also how many sends there were.
async fn upstream(answers: Vec<String>) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let sends = Arc::new(AtomicUsize::new(0));
    let counted = sends.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let Some(request) = read_request(&mut stream).await else { continue };
            let usual = answer("200 OK", "Content-Type: application/json\r\n", MESSAGE);
            let is_send = request.lines().next().is_some_and(|line| line.contains("/send") || line.contains("/edit"));
            let said =
                if is_send { answers.get(counted.fetch_add(1, Ordering::SeqCst)).unwrap_or(&usual) } else { &usual };
            let _ = stream.write_all(said.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    (url, sends)
}

/// How a notification ended to which these answers were given, after how many sends and how long.
async fn outcome(answers: Vec<String>, fields: Value) -> (Value, usize, Duration) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (url, sends) = upstream(answers).await;
    let service = Program::serve(&url, &[], Stdio::null());
    let (client, began) = (Client::new(), std::time::Instant::now());
    let mut body = json!({"chat_id": 42, "text": "x"});
    for (name, value) in fields.as_object().unwrap() {
        body[name] = value.clone();
    }
    if fields.get("photo").is_some() {
        body.as_object_mut().unwrap().remove("text");
    }
    let accepted = client.post(format!("{}/v1/notifications", service.url)).json(&body).send().await.unwrap();
    let accepted: Value = accepted.json().await.unwrap();
    let url = format!("{}/v1/notifications/{}", service.url, accepted["id"].as_str().expect("an id"));
    let view = until("an end", Duration::from_secs(40), async || {
        let view: Value = client.get(&url).send().await.ok()?.json().await.ok()?;
        ["sent", "failed", "unknown", "expired"].contains(&view["status"].as_str()?).then_some(view)
    });
    let view = view.await;
    (view, sends.load(Ordering::SeqCst), began.elapsed())
}

async fn assert_sent_at_the_second_time(what: &str, said: String) {
    let (view, sends, _) = outcome(vec![said], json!({})).await;
    assert_eq!((&view["status"], sends), (&json!("sent"), 2), "{what}: {view:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_72_a_block_page_says_nothing_about_the_chat() {
    let page = "<html><body>Access to this resource is blocked</body></html>";
    assert_sent_at_the_second_time("403", answer("403 Forbidden", "Content-Type: text/html\r\n", page)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_74_pages_of_portals_and_proxies_are_waited_out() {
    let page = "<html>sign in</html>";
    for (status, headers) in [
        ("302 Found", "Location: http://10.0.0.1/login\r\n"),
        ("404 Not Found", "Content-Type: text/html\r\n"),
        ("401 Unauthorized", "WWW-Authenticate: Basic realm=\"proxy\"\r\nContent-Type: text/html\r\n"),
    ] {
        assert_sent_at_the_second_time(status, answer(status, headers, page)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_76_and_78_and_90_waits_are_kept_in_whatever_words_they_come() {
    for (code, words) in [
        (429, "Too Many Requests: retry after 2"),
        (400, "Bad Request: too Many Requests: retry after 2"),
        (400, "Bad Request: FLOOD_WAIT_2"),
        (400, "Bad Request: SLOWMODE_WAIT_2"),
        (420, "FLOOD_WAIT_2"),
    ] {
        let (view, sends, took) = outcome(vec![refusal(code, words)], json!({})).await;
        assert_eq!((&view["status"], sends), (&json!("sent"), 2), "{code} {words}: {view:#}");
        assert!(took >= Duration::from_secs(2), "{code} {words}: {took:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_80_a_lost_answer() {
    let (view, sends, _) = outcome(vec![SILENCE.to_owned()], json!({})).await;
    assert_eq!((&view["status"], sends), (&json!("sent"), 2), "{view:#}");
    assert_eq!(view["attempts"][0]["outcome"], "ambiguous", "{view:#}");
    let (view, sends, _) = outcome(vec![SILENCE.to_owned()], json!({"delivery": "at_most_once"})).await;
    assert_eq!((&view["status"], sends), (&json!("unknown"), 1), "{view:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_86_some_pages_never_become_pictures_and_others_do_later() {
    let photo = json!({"photo": "https://example.org/a.jpg"});
    let never = refusal(400, "Bad Request: wrong type of the web page content");
    let (view, sends, _) = outcome(vec![never], photo.clone()).await;
    assert_eq!((&view["status"], sends), (&json!("failed"), 1), "{view:#}");
    let later = refusal(400, "Bad Request: failed to get HTTP URL content");
    let (view, sends, _) = outcome(vec![later], photo).await;
    assert_eq!((&view["status"], sends), (&json!("sent"), 2), "{view:#}");
}

/// Telegram has looked at the bytes; the same ones again have hardly ever helped.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_89_a_picture_that_telegram_cannot_process_is_final() {
    let photo = json!({"photo": "https://example.org/a.jpg"});
    let (view, sends, _) = outcome(vec![refusal(400, "Bad Request: IMAGE_PROCESS_FAILED")], photo).await;
    assert_eq!((&view["status"], sends), (&json!("failed"), 1), "{view:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_92_answers_in_other_frames_are_read() {
    let pieces: Vec<String> = MESSAGE
        .as_bytes()
        .chunks(20)
        .map(|piece| format!("{:x}\r\n{}\r\n", piece.len(), String::from_utf8_lossy(piece)))
        .collect();
    let chunked = format!(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n{}0\r\n\r\n",
        pieces.concat()
    );
    let until_close = format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{MESSAGE}");
    let old = format!("HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n{MESSAGE}", MESSAGE.len());
    let nothing_to_tell = answer("200 OK", "", r#"{"ok":true,"result":true}"#);
    for (what, said) in
        [("chunked", chunked), ("until close", until_close), ("HTTP/1.0", old), ("result: true", nothing_to_tell)]
    {
        let (view, sends, _) = outcome(vec![said], json!({})).await;
        assert_eq!((&view["status"], sends), (&json!("sent"), 1), "{what}: {view:#}");
    }
}
