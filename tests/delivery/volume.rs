//! Many at once, on both engines: the limits are used and kept, images are uploaded once, order holds.

use crate::support::test_app::{On, TestApp, base64_png};
use futures_util::StreamExt;
use pixcourier::sandbox::SandboxOptions;
use pixcourier::settings::RateLimits;
use serde_json::json;
use std::collections::HashMap;
use std::time::Instant;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_notifications_of_ten_images_make_ten_uploads_embedded() {
    thousand_of_ten(On::Embedded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_notifications_of_ten_images_make_ten_uploads_distributed() {
    thousand_of_ten(On::Distributed).await;
}

async fn thousand_of_ten(on: On) {
    let app = TestApp::start(on).await;
    let began = Instant::now();
    let posts = futures_util::stream::iter(0..1000_u32).map(|n| {
        let body = json!({"chat_id": 1 + n % 200, "caption": n.to_string(), "photo": base64_png(n % 10)});
        app.accept(body)
    });
    let ids: Vec<_> = posts.buffer_unordered(64).collect().await;
    let accepted = began.elapsed();
    for id in &ids {
        app.sent(id).await;
    }
    let stats = app.sandbox.stats();
    println!("{on:?}: 1,000 accepted in {accepted:?}, sent in {:?}, {} uploads", began.elapsed(), stats.uploads);
    assert_eq!((stats.sends, stats.uploads, stats.by_file_id), (1000, 10, 990));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_hundred_chats_use_the_bots_rate_without_a_429_embedded() {
    three_hundred_chats(On::Embedded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_hundred_chats_use_the_bots_rate_without_a_429_distributed() {
    three_hundred_chats(On::Distributed).await;
}

async fn three_hundred_chats(on: On) {
    let app = TestApp::with(on, RateLimits::default(), SandboxOptions::default()).await;
    let first = app.accept(json!({"chat_id": 1_000, "photo": base64_png(1)})).await;
    app.sent(&first).await;
    let posts = futures_util::stream::iter(1..=300_u32)
        .map(|chat| app.accept(json!({"chat_id": chat, "photo": base64_png(1)})));
    let ids: Vec<_> = posts.buffer_unordered(64).collect().await;
    for id in &ids {
        app.sent(id).await;
    }
    let times: Vec<_> = app.messages().iter().skip(1).map(|message| message.at_ms).collect();
    let seconds = (times[times.len() - 1] - times[0]) as f64 / 1000.0;
    let rate = (times.len() - 1) as f64 / seconds;
    let stats = app.sandbox.stats();
    println!("{on:?}: 300 to 300 chats at {rate:.2}/s of 30/s, {} refused", stats.too_many_requests);
    assert_eq!(stats.too_many_requests, 0);
    assert!(rate >= 0.97 * 30.0, "{rate:.2}/s");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chat_receives_in_the_order_of_acceptance_embedded() {
    in_order(On::Embedded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chat_receives_in_the_order_of_acceptance_distributed() {
    in_order(On::Distributed).await;
}

/// More for one chat than its share of the window, so that most are deferred to their turns and come back.
async fn in_order(on: On) {
    let limits = RateLimits { bot_rate: 0.0, chat_rate: 20.0, chat_burst: 3, group_rate_per_minute: 0 };
    let app = TestApp::with(on, limits, SandboxOptions { limits: None, ..SandboxOptions::default() }).await;
    let mut ids = Vec::new();
    for n in 0..300 {
        ids.push(app.accept(json!({"chat_id": 1 + n % 2, "caption": n.to_string(), "photo": base64_png(1)})).await);
    }
    for id in &ids {
        app.sent(id).await;
    }
    let mut last: HashMap<i64, i64> = HashMap::new();
    for message in app.messages() {
        let number: i64 = message.caption.unwrap().parse().unwrap();
        let before = last.insert(message.chat_id, number).unwrap_or(-1);
        assert!(before < number, "{number} came after {before}");
    }
    assert_eq!(app.sandbox.stats().sends, 300);
    app.stop().await;
}
