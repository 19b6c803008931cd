//! Requests that take many times their size in memory, one way or another.

use super::{Siege, Target};
use crate::service::Engine;
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::timeout;

#[tokio::test(flavor = "multi_thread")]
async fn large_records_and_listings() {
    Siege::of("300 posts of 93 kB, 16 listings").by(list_large_records).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn large_records_and_listings_distributed() {
    Siege::of("300 posts of 93 kB, 16 listings").on(Engine::shared()).by(list_large_records).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn long_captions_with_nested_tags() {
    Siege::of("6 splits of 125 kB, 8,000 nested tags").by(split_nested_tags).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn long_captions_with_nested_tags_distributed() {
    Siege::of("6 splits of 125 kB, 8,000 nested tags").on(Engine::shared()).by(split_nested_tags).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn long_lists_of_messages() {
    Siege::of("60 copyMessages of 260 kB, callers gone").by(copy_long_lists).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_that_nobody_knows() {
    Siege::of("200 calls with 1 MB of an unknown parameter").by(call_with_unknown).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_that_nobody_knows_distributed() {
    Siege::of("200 calls with 1 MB of an unknown parameter").on(Engine::shared()).by(call_with_unknown).await;
}

/// To one chat, so that most of them wait; their callers do so for a while.
async fn call_with_unknown(target: &Target) {
    let body = json!({"chat_id": 5, "text": "x", "invented": "x".repeat(1_000_000)});
    call_at_once(target, "sendMessage", &body, 200, Duration::from_secs(5)).await;
}

/// Makes a call many times at once, at the Bot API face; each caller hangs up if it has no answer by then.
async fn call_at_once(target: &Target, method: &str, body: &Value, calls: usize, patience: Duration) {
    let body = body.to_string();
    let path = target.bot_api(method);
    let length = body.len();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    let calls = (0..calls).map(|_| async {
        let stream = target.connect_and_send(request.as_bytes()).await.unwrap();
        let _ = timeout(patience, stream.readable()).await;
    });
    join_all(calls).await;
}

/// Texts with as many entities as fit, for later, so that they stay; then all of them are listed at once, again and again.
async fn list_large_records(target: &Target) {
    // Each just within the 32 kB that a structure may have.
    let entities: Vec<Value> = (0..780).map(|n| json!({"type": "bold", "offset": n, "length": 1})).collect();
    let buttons: Vec<Value> =
        (0..550).map(|n| json!([{"text": format!("button {n}"), "callback_data": format!("{n}")}])).collect();
    let letter = json!({
        "chat_id": 5, "text": "x".repeat(1000), "entities": entities,
        "reply_markup": {"inline_keyboard": buttons},
        "reply_parameters": {"message_id": 1, "quote": "x".repeat(800), "quote_entities": entities},
        "send_at": tomorrow(),
    });
    let size = letter.to_string().len();
    assert!((85_000..100_000).contains(&size), "{size}");
    let first = target.client.post_json(&letter).await.unwrap();
    assert_eq!(first.status, 202, "{}", first.text);
    for _ in 0..30 {
        join_all((0..10).map(|_| target.client.post_json(&letter))).await;
    }
    for _ in 0..5 {
        let listings = (0..16).map(|_| target.client.get("/v1/notifications?limit=1000"));
        join_all(listings).await;
    }
}

fn tomorrow() -> String {
    let tomorrow = time::OffsetDateTime::now_utc() + time::Duration::DAY;
    tomorrow.format(&time::format_description::well_known::Rfc3339).unwrap()
}

async fn split_nested_tags(target: &Target) {
    let text = format!("{}{}{}", "<b>".repeat(8_000), "x ".repeat(34_000), "</b>".repeat(8_000));
    let letter = json!({"chat_id": 5, "text": text, "parse_mode": "HTML", "long_caption": "split"});
    join_all((0..6).map(|_| target.client.post_json(&letter))).await;
}

/// Nobody waits for them: each caller hangs up once it has sent its request.
async fn copy_long_lists(target: &Target) {
    let numbers: Vec<String> = (0..50_000).map(|n| (n % 9_000 + 1_000).to_string()).collect();
    let body = json!({"chat_id": 5, "from_chat_id": 6, "message_ids": format!("[{}]", numbers.join(","))});
    // Long enough for the call to be read.
    call_at_once(target, "copyMessages", &body, 60, Duration::from_secs(1)).await;
}
