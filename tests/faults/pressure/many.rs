//! What is done to many at once is done to each once, also through a kill in the middle, and holds up nobody who posts.

use super::{WAIT_TIMEOUT, on_both_engines, posting, scale};
use crate::load::Client;
use crate::sandbox::{FaultRule, InjectedFault};
use crate::service::{Engine, Service};
use crate::{sandbox, wait};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// How long all may take that is not timed.
const PATIENCE: Duration = Duration::from_secs(900);
/// What a cancel of a hundred thousand may take.
const MOST: Duration = Duration::from_secs(60);
const CHATS: i64 = 500;

#[tokio::test(flavor = "multi_thread")]
async fn many_failed_ones_are_found_and_tried_again_each_once_through_a_kill() {
    on_both_engines(retry).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_scheduled_ones_are_cancelled_by_tag_through_a_kill() {
    on_both_engines(cancel).await;
}

async fn json_of(client: &Client, path: &str) -> Value {
    client.get(path).await.map(|answer| answer.json()).unwrap_or_default()
}

async fn begin(client: &Client, path: &str, body: Value) -> String {
    let answer = client.post_to(path, &body).await.unwrap();
    assert_eq!(answer.status, 202, "{}", answer.text);
    format!("/v1/operations/{}", answer.id())
}

/// Waits until an operation has done so much; then how it stands.
async fn until(client: &Client, path: &str, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
    wait::until(what, PATIENCE, async || Some(json_of(client, path).await).filter(|operation| holds(operation))).await
}

fn is_finished(operation: &Value) -> bool {
    operation["finished_at"].is_string()
}

fn number(value: &Value, name: &str) -> u64 {
    value[name].as_u64().unwrap_or(0)
}

async fn until_counted(client: &Client, filter: &str, expected: Value) {
    let path = format!("/v1/notifications/summary?{filter}");
    wait::until_true("the counts", PATIENCE, async || json_of(client, &path).await["by_status"] == expected).await;
}

async fn retry(engine: Engine) {
    let many: u64 = scale(600, 10_000);
    let sandbox = sandbox::start();
    sandbox.add_fault(FaultRule::next("sendMessage", InjectedFault::Blocked).times(0)).unwrap();
    let mut service = Service::new("many-failed", engine.clone(), &sandbox.url());
    service.start().await;
    let client = service.client();
    let each = many / 20;
    posting::post(&client, (1..=20).map(|chat| (chat, 0..each)), posting::plain).await;
    until_counted(&client, "", json!({"failed": many})).await;
    sandbox.clear_faults();

    let found_at = Instant::now();
    let (mut found, mut cursor) = (0, String::new());
    loop {
        let page =
            json_of(&client, &format!("/v1/notifications?reason=blocked&class=recipient&limit=1000{cursor}")).await;
        found += page["notifications"].as_array().unwrap().len() as u64;
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    let found_in = found_at.elapsed();
    let dry = json!({"class": "recipient", "reason": "blocked", "dry_run": true});
    let dry = client.post_to("/v1/notifications/retry", &dry).await.unwrap().json();
    assert_eq!((found, number(&dry, "matched"), &dry["complete"]), (many, many, &json!(true)));
    assert_eq!(sandbox.stats().sends, 0, "a dry run sends nothing");

    let began = Instant::now();
    let path = begin(&client, "/v1/notifications/retry", json!({"class": "recipient", "reason": "blocked"})).await;
    let midway = until(&client, &path, "a part to be done", |it| number(it, "done") >= many / 6).await;
    assert!(!is_finished(&midway), "killed too late");
    service.kill9();
    let in_flight = service.in_flight().await;
    service.start().await;
    let ended = until(&client, &path, "the end", is_finished).await;
    let took = began.elapsed();
    assert_eq!((number(&ended, "matched"), number(&ended, "done")), (many, many), "{ended:#}");
    until_counted(&client, "", json!({"sent": many})).await;
    let arrivals = sandbox::arrivals(&sandbox);
    let again: Vec<_> = arrivals.iter().filter(|(_, times)| **times > 1).collect();
    println!(
        "many failed, {}: {many} found in {:.1} s, tried again in {:.1} s with a kill at {}; {} in flight at the kill, {} sent twice",
        engine.name(),
        found_in.as_secs_f64(),
        took.as_secs_f64(),
        number(&midway, "done"),
        in_flight.len(),
        again.len(),
    );
    assert_eq!(arrivals.len() as u64, many);
    assert!(again.iter().all(|(text, times)| **times == 2 && in_flight.contains(*text)), "{again:?}");
}

async fn cancel(engine: Engine) {
    let many: u64 = scale(2_000, 100_000);
    let kept = 50;
    let sandbox = sandbox::start();
    let mut service = Service::new("many-scheduled", engine.clone(), &sandbox.url());
    service.start().await;
    let client = service.client();
    let each = many / CHATS as u64;
    posting::post(&client, (1..=CHATS).map(|chat| (chat, 0..each)), |chat, number| later(chat, number, "batch")).await;
    posting::post(&client, [(7, 0..kept)], |chat, number| later(chat, number, "kept")).await;
    until_counted(&client, "", json!({"scheduled": many + kept})).await;

    let began = Instant::now();
    let path = begin(&client, "/v1/notifications/cancel", json!({"tag": "batch"})).await;
    let poster = tokio::spawn(post_meanwhile(client.clone(), path.clone()));
    let midway = until(&client, &path, "a part to be done", |it| number(it, "done") >= many / 3).await;
    assert!(!is_finished(&midway), "killed too late");
    let before_the_kill = began.elapsed();
    poster.abort();
    service.kill9();
    service.start().await;
    let restarted = Instant::now();
    let poster = tokio::spawn(post_meanwhile(client.clone(), path.clone()));
    let ended = until(&client, &path, "the end", is_finished).await;
    let took = before_the_kill + restarted.elapsed();
    assert_eq!((number(&ended, "matched"), number(&ended, "done")), (many, many), "{ended:#}");
    let slowest = poster.await.unwrap();
    until_counted(&client, "status=cancelled", json!({"cancelled": many})).await;
    until_counted(&client, "status=scheduled", json!({"scheduled": kept})).await;
    println!(
        "many scheduled, {}: {many} cancelled by tag in {:.1} s, with a kill at {} and the wait for its lease; a post meanwhile took {} ms at most",
        engine.name(),
        took.as_secs_f64(),
        number(&midway, "done"),
        slowest.as_millis(),
    );
    assert!(took <= MOST, "{:.1} s", took.as_secs_f64());
    wait::until_true("the texts that were posted meanwhile", WAIT_TIMEOUT, async || client.waiting().await == Some(0))
        .await;
    assert!(
        sandbox::arrivals(&sandbox).keys().all(|text| text.starts_with("meanwhile")),
        "nothing that was cancelled is sent"
    );
}

fn later(chat: i64, number: u64, tag: &str) -> Value {
    let then = time::OffsetDateTime::now_utc() + time::Duration::hours(5);
    let then = then.format(&time::format_description::well_known::Rfc3339).unwrap();
    json!({"chat_id": chat, "text": posting::text(chat, number), "send_at": then, "tags": [tag]})
}

/// Posts one text after the other until an operation is finished; how long the slowest took to be accepted.
async fn post_meanwhile(client: Client, operation: String) -> Duration {
    let mut slowest = Duration::ZERO;
    for number in 0.. {
        let began = Instant::now();
        posting::post_one(&client, &json!({"chat_id": 999, "text": format!("meanwhile {number}")})).await;
        slowest = slowest.max(began.elapsed());
        if number % 20 == 0 && is_finished(&json_of(&client, &operation).await) {
            break;
        }
        // The pace of the caller.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    slowest
}
