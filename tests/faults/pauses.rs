//! `kill -9` in the middle of a pause.

use crate::sandbox::{FaultRule, InjectedFault};
use crate::service::{Engine, Service};
use crate::{sandbox, wait};
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

const WAIT_TIMEOUT: Duration = Duration::from_secs(60);
const CHATS: i64 = 10;
const EACH: u64 = 100;
/// The chat that is paused.
const PAUSED: i64 = 4;

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_outlives_a_kill_on_the_embedded_engine() {
    outlive(Engine::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_outlives_a_kill_on_the_distributed_engine() {
    outlive(Engine::shared()).await;
}

/// A thousand wait in ten chats; one chat is paused while they are sent, and the process killed. The others finish; of the paused
/// one nothing begins before it goes on; nothing is lost, and no more sent twice than was in flight at the kill.
async fn outlive(engine: Engine) {
    let sandbox = sandbox::start();
    sandbox.add_fault(FaultRule::next("sendMessage", InjectedFault::Slow { ms: 30 }).times(0)).unwrap();
    let mut service = Service::new("pauses", engine.clone(), &sandbox.url());
    // Slower than what is posted.
    service.set("BOT_RATE", "60");
    service.start().await;
    let client = service.client();
    let posting = (1..=CHATS).map(async |chat| {
        for number in 0..EACH {
            let answer = client.post_json(&json!({"chat_id": chat, "text": format!("{chat}-{number}")})).await.unwrap();
            assert_eq!(answer.status, 202, "{}", answer.text);
        }
    });
    join_all(posting).await;
    let arrived = |chat: i64| sandbox::in_order(&sandbox).filter(|(of, _)| *of == chat).count() as u64;
    let some = async || (arrived(PAUSED) >= 5).then_some(());
    wait::until("some in the chat", WAIT_TIMEOUT, some).await;
    let path = format!("/v1/bots/default/chats/{PAUSED}");
    let answer = client.post_to(&format!("{path}/pause"), &json!({"reason": "a test"})).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text);
    // The one that had begun.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let before = arrived(PAUSED);
    assert!(before < EACH, "all were sent before the pause");
    service.kill9();
    let in_flight = service.in_flight().await;
    service.start().await;
    let began = Instant::now();
    let client = service.client();
    let sent = async || {
        let summary: Value = client.get("/v1/notifications/summary").await.unwrap().json();
        summary["by_status"]["sent"].as_u64().unwrap_or(0)
    };
    let others = async || (sent().await == EACH * 9 + before).then_some(());
    wait::until("the others", WAIT_TIMEOUT, others).await;
    let took = began.elapsed();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(arrived(PAUSED), before, "nothing of the paused chat was sent");
    let deepest: Value = client.get("/v1/bots/default/chats").await.unwrap().json();
    assert_eq!(deepest["chats"][0]["open"]["total"], json!(EACH - before), "{deepest:#}");
    assert_eq!(deepest["chats"][0]["paused"]["reason"], "a test", "{deepest:#}");
    let answer = client.post_to(&format!("{path}/resume"), &json!({})).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text);
    wait::until("the rest", WAIT_TIMEOUT, async || (sent().await == EACH * 10).then_some(())).await;

    let mut times = BTreeMap::<String, usize>::new();
    let mut firsts = BTreeMap::<i64, Vec<String>>::new();
    for (chat, text) in sandbox::in_order(&sandbox) {
        let arrivals = times.entry(text.clone()).or_default();
        *arrivals += 1;
        if *arrivals == 1 {
            firsts.entry(chat).or_default().push(text);
        }
    }
    let twice: BTreeSet<_> = times.iter().filter(|(_, times)| **times > 1).map(|(text, _)| text.clone()).collect();
    println!(
        "a pause and a kill -9, {}: 1,000 in 10 chats, {before} of the paused one sent before; the others done {:.1} s after the start; {} sent twice of {} in flight at the kill",
        engine.name(),
        took.as_secs_f64(),
        twice.len(),
        in_flight.len(),
    );
    assert!(twice.is_subset(&in_flight), "{twice:?} of {in_flight:?}");
    assert!(times.values().all(|times| *times <= 2), "{times:?}");
    for chat in 1..=CHATS {
        let expected: Vec<_> = (0..EACH).map(|number| format!("{chat}-{number}")).collect();
        assert_eq!(firsts[&chat], expected, "in order, nothing lost");
    }
}
