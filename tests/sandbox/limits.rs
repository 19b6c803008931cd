//! How fast one may send.

use super::{ANNE, last_file_id, picture, png, sandbox};
use pixcourier::sandbox::{SandboxLimits, SandboxOptions};
use serde_json::{Value, json};
use std::net::TcpStream;
use std::time::{Duration, Instant};

#[tokio::test]
async fn whoever_sends_too_fast_is_told_to_wait_and_counted_when_not_waiting() {
    let api = sandbox(SandboxOptions::default());
    let send = |chat: i64| api.post(ANNE, "sendMessage").json(&json!({"chat_id": chat, "text": "x"})).send();
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
    assert_eq!(api.sandbox.stats().violations, 0);
    assert_eq!(send(7).await.unwrap().status(), 429);
    assert_eq!(send(8).await.unwrap().status(), 200, "another chat is not held back");
    // As long as it was told, and a little.
    tokio::time::sleep(Duration::from_millis(1050)).await;
    assert_eq!(send(7).await.unwrap().status(), 200);
    let stats = api.sandbox.stats();
    assert_eq!((stats.too_many_requests, stats.violations), (2, 1));
    assert_eq!((stats.bots[&1001].max_per_second_per_chat, stats.bots[&1001].sends), (5, 7));
}

#[tokio::test]
async fn limits_can_be_set_and_albums_cost_their_items() {
    let limits = SandboxLimits { group_per_minute: 4, group_burst: 100.0, bot_rate: 0.0, ..SandboxLimits::default() };
    let api = sandbox(SandboxOptions { limits: Some(limits), ..SandboxOptions::default() });
    let photo = last_file_id(&api.send_photo(ANNE, 5, picture(1)).await).to_owned();
    let item = json!({"type": "photo", "media": photo});
    let album = json!({"chat_id": -7, "media": [item, item, item]});
    assert_eq!(api.call(ANNE, "sendMediaGroup", album.clone()).await.0, 200);
    let (status, body) = api.call(ANNE, "sendMediaGroup", album).await;
    assert_eq!(status, 429);
    assert!(body["parameters"]["retry_after"].as_u64().unwrap() >= 59);
    assert_eq!(api.sandbox.stats().bots[&1001].max_per_minute_per_group, 3);
}

#[tokio::test]
async fn strict_limits_count_over_any_second() {
    let api = sandbox(SandboxOptions { limits: Some(SandboxLimits::strict()), ..SandboxOptions::default() });
    let send = |chat: i64| api.call(ANNE, "sendMessage", json!({"chat_id": chat, "text": "x"}));
    let answers = futures_util::future::join_all((100..200).map(send)).await;
    let refused = answers.iter().filter(|(status, _)| *status == 429).count() as u64;
    let stats = api.sandbox.stats();
    assert!(refused > 0, "a hundred at once are more than thirty in a second");
    assert_eq!((stats.too_many_requests, stats.bots[&1001].max_per_second), (refused, 30));
    // Until the second is over.
    tokio::time::sleep(Duration::from_millis(1050)).await;
    for _ in 0..3 {
        assert_eq!(send(7).await.0, 200);
    }
    assert_eq!(send(7).await.0, 429, "three at once, and then one a second");
}

#[tokio::test]
async fn uploads_of_one_size_are_slowed_down() {
    let api = sandbox(SandboxOptions { limits: None, ..SandboxOptions::default() });
    let started = Instant::now();
    for _ in 0..8 {
        api.send_photo(ANNE, 5, png(640, 480, 1, 200_000)).await;
    }
    assert!(started.elapsed() >= Duration::from_millis(350), "six are free, two wait 0.2 s each");
    let started = Instant::now();
    for length in 0..8 {
        api.send_photo(ANNE, 5, png(640, 480, 1, 200_001 + length)).await;
    }
    assert!(started.elapsed() < Duration::from_secs(1), "other sizes are free");
}

#[tokio::test]
async fn it_takes_as_long_as_asked_and_its_port_is_free_after_the_stop() {
    let api = sandbox(SandboxOptions { latency: Duration::from_millis(200), ..SandboxOptions::default() });
    let started = Instant::now();
    api.send_photo(ANNE, 5, picture(1)).await;
    assert!(started.elapsed() >= Duration::from_millis(200), "every call takes as long as was asked");
    let addr = api.sandbox.addr();
    api.sandbox.stop().await;
    assert!(TcpStream::connect(addr).is_err());
}

#[tokio::test]
async fn too_many_calls_at_once_are_held_back_and_refused() {
    let latency = Duration::from_secs(2);
    let api = sandbox(SandboxOptions { limits: None, in_flight_limits: true, latency, ..SandboxOptions::default() });
    let send = |chat: i64| {
        let request = api.post(ANNE, "sendMessage").json(&json!({"chat_id": chat, "text": "x"}));
        async move { request.send().await.unwrap().status().as_u16() }
    };
    let started = Instant::now();
    let statuses = futures_util::future::join_all((0..320).map(|_| send(7))).await;
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 310);
    assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 10);
    assert!(started.elapsed() >= Duration::from_secs(3), "a rejection is held for three seconds");
    assert_eq!(send(7).await, 200, "nothing is left behind");
    assert_eq!(api.sandbox.stats().too_many_requests, 10);
}
