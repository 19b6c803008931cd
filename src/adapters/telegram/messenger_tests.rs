use super::*;
use crate::ports::OutgoingFile;
use crate::settings::RateLimits;
use futures_util::stream;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const TOKEN: &str = "123456:ABC-DEF1234ghIkl-zyx57W2v1u123ew11";

fn telegram(address: &str) -> TelegramMessenger {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let name = BotName::default_bot();
    let bot =
        Bot::new(name.clone(), TOKEN.to_owned().into(), format!("http://{address}"), RateLimits::default()).unwrap();
    TelegramMessenger::new([(name, Arc::new(bot))].into()).unwrap()
}

fn request(files: Vec<OutgoingFile>) -> MessengerRequest {
    let params = serde_json::json!({"chat_id": 7, "reply_markup": {"remove_keyboard": true}});
    MessengerRequest {
        bot: BotName::default_bot(),
        method: "sendPhoto".into(),
        params: params.as_object().unwrap().clone(),
        files,
        timeout: Duration::from_secs(5),
    }
}

fn file(pieces: usize) -> OutgoingFile {
    let content = stream::iter((0..pieces).map(|_| Ok(bytes::Bytes::from(vec![7; 100_000]))));
    OutgoingFile {
        field: "photo".into(),
        filename: "photo.jpg".into(),
        size: pieces as u64 * 100_000,
        content: Box::pin(content),
    }
}

/// Accepts one connection, reads until `enough` says so, answers, closes; returns what it read.
async fn serve_once(listener: TcpListener, answer: &'static str, enough: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let (mut socket, _) = listener.accept().await.unwrap();
    let mut read = Vec::new();
    while !enough(&read) {
        let mut piece = vec![0; 65_536];
        let n = socket.read(&mut piece).await.unwrap();
        assert!(n > 0, "the client went early");
        read.extend_from_slice(&piece[..n]);
    }
    socket.write_all(answer.as_bytes()).await.unwrap();
    read
}

async fn call(
    answer: &'static str,
    files: Vec<OutgoingFile>,
    enough: fn(&[u8]) -> bool,
) -> (Result<MessengerResponse, CallError>, Vec<u8>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let telegram = telegram(&listener.local_addr().unwrap().to_string());
    tokio::join!(telegram.call(request(files)), serve_once(listener, answer, enough))
}

fn ends_with_json(read: &[u8]) -> bool {
    read.ends_with(b"}}")
}

fn ends_with_boundary(read: &[u8]) -> bool {
    read.ends_with(b"--\r\n")
}

#[tokio::test]
async fn parameters_go_as_json_and_the_answer_comes_back() {
    let ok = "HTTP/1.1 200 OK\r\ncontent-length: 38\r\n\r\n{\"ok\":true,\"result\":{\"message_id\":12}}\n";
    let (result, read) = call(ok, vec![], ends_with_json).await;
    assert!(result.unwrap().reply.unwrap().ok);
    let text = String::from_utf8(read).unwrap();
    assert!(text.starts_with(&format!("POST /bot{TOKEN}/sendPhoto HTTP/1.1")), "{text}");
    assert!(text.contains("\"reply_markup\":{\"remove_keyboard\":true}"));
}

#[tokio::test]
async fn files_go_as_multipart_with_a_length_and_a_fitting_name() {
    let ok = "HTTP/1.1 429 Too Many Requests\r\nretry-after: 9\r\ncontent-length: 0\r\n\r\n";
    let (result, read) = call(ok, vec![file(3)], ends_with_boundary).await;
    assert_eq!(result.unwrap().retry_after, Some(9));
    let text = String::from_utf8_lossy(&read);
    assert!(text.contains("content-length: 300"), "{}", &text[..300]);
    assert!(text.contains("name=\"photo\"; filename=\"photo.jpg\""));
}

/// Telegram takes no notice of `name*=utf-8''...`: what `attach://` names must stand there as it is.
#[tokio::test]
async fn names_of_parts_go_as_raw_utf_8() {
    let ok = "HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n{\"ok\":true}";
    let name = "\u{433}\u{440}\u{430}\u{444}\u{438}\u{43a} #1 100%.png";
    let (_, read) = call(ok, vec![OutgoingFile { field: name.into(), ..file(1) }], ends_with_boundary).await;
    let written = format!("name=\"{}\"; filename=", name.replace('%', "%25"));
    assert!(read.windows(written.len()).any(|part| part == written.as_bytes()));
}

#[tokio::test]
async fn a_cut_before_the_body_is_whole_was_not_sent_and_one_after_it_may_have_been() {
    let (early, _) = call("", vec![file(200)], |read| read.len() > 1000).await;
    assert!(matches!(early, Err(CallError::NotSent(_))), "{early:?}");
    let (late, _) = call("", vec![file(3)], ends_with_boundary).await;
    assert!(matches!(late, Err(CallError::MaybeSent(_))), "{late:?}");
    let (cut, _) = call("HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"ok\":tr", vec![], ends_with_json).await;
    assert!(matches!(cut, Err(CallError::MaybeSent(_))), "{cut:?}");
}

#[tokio::test]
async fn no_error_holds_the_token() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let refused = telegram(&address).call(request(vec![])).await.unwrap_err();
    assert!(matches!(refused, CallError::NotSent(_)));
    let (cut, _) = call("", vec![], ends_with_json).await;
    for error in [refused, cut.unwrap_err()] {
        let text = format!("{error} {error:?}");
        assert!(!text.contains("ABC-DEF") && !text.contains("/bot"), "{text}");
    }
}

#[tokio::test]
async fn an_unreadable_image_is_our_fault_not_telegrams() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let telegram = telegram(&listener.local_addr().unwrap().to_string());
    let broken = stream::iter([Err(crate::ports::BlobError::Unavailable("away".into()))]);
    let file = OutgoingFile { content: Box::pin(broken), ..file(1) };
    let result = telegram.call(request(vec![file])).await;
    assert!(matches!(result, Err(CallError::Content(_))), "{result:?}");
}
