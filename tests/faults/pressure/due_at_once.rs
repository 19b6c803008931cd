//! Very many notifications that are due at one moment: callers are answered meanwhile, another bot's arrive in time, and
//! nobody's metrics vanish.

use super::{BOT_RATE, judge, on_both_engines, posting, scale};
use crate::load::Client;
use crate::sandbox;
use crate::service::{Engine, Service};
use futures_util::stream::{self, StreamExt};
use pixcourier::domain::Timestamp;
use serde_json::json;
use std::time::{Duration, Instant};

const FIRST_BOT_ID: u64 = 700_000;
const FIRST_CHAT: i64 = 1_000;
/// The chats of another bot, which has a few that are due at the same moment.
const OTHERS_CHATS: i64 = 5_000_000;
const OTHERS: i64 = 20;
const CALLERS: usize = 32;
/// Notifications after which the rate of posting is known.
const TRIAL: i64 = 300;
/// The slowest answers, and the latest of another bot's.
const MOST: Duration = Duration::from_secs(1);
const MOST_LATE: Duration = Duration::from_secs(3);
/// What is sent of what the bot may send.
const LEAST_SHARE: f64 = 0.8;

#[tokio::test(flavor = "multi_thread")]
async fn very_many_that_are_due_at_one_moment_stop_nobody_else() {
    on_both_engines(be_due_at_once).await;
}

async fn be_due_at_once(engine: Engine) {
    let is_embedded = matches!(engine, Engine::Embedded);
    let count = scale(2_000, if is_embedded { 500_000 } else { 20_000 });
    let sandbox = sandbox::start();
    let mut service = Service::new("due", engine.clone(), &sandbox.url());
    let token =
        |number| (format!("bot{number}"), format!("{}:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", FIRST_BOT_ID + number));
    service.set_bots((0..2).map(token));
    service.set("BOT_RATE", &BOT_RATE.to_string());
    service.start().await;
    let client = service.client();
    let due = schedule(&client, count).await;
    let until_due = due.since(Timestamp::now());
    println!("due at once, {}: {count} scheduled, {:.0} s before they are due", engine.name(), until_due.as_secs_f64());
    tokio::time::sleep(until_due.saturating_sub(Duration::from_millis(500))).await;

    let watched = scale(Duration::from_secs(4), Duration::from_secs(30));
    let end = due.plus(watched);
    let (accepts, (slowest_page, vanished)) = tokio::join!(keep_posting(&client, end), keep_looking(&client, end));
    let due_ms = due.unix_millis().unsigned_abs();
    let arrivals = judge::arrivals(&sandbox);
    let late = |at_ms: u64| Duration::from_millis(at_ms.saturating_sub(due_ms));
    let late_others =
        arrivals.iter().filter(|it| it.chat >= OTHERS_CHATS).map(|it| late(it.at_ms)).max().unwrap_or_default();
    let first = arrivals.iter().filter(|it| it.chat < OTHERS_CHATS).map(|it| late(it.at_ms)).min().unwrap_or_default();
    let sent = arrivals.iter().filter(|it| it.chat < OTHERS_CHATS).count() as f64;
    let share = sent / (BOT_RATE as f64 * watched.as_secs_f64());
    println!(
        "due at once, {}: {count} at one moment: the first {:.2} s late, {:.0} % of the rate for {} s, another bot's {:.2} s late at most; \
         meanwhile {} accepts, median {:.3} s, the slowest {:.2} s, the slowest page of metrics {:.2} s, on {vanished} of them a bot had vanished",
        engine.name(),
        first.as_secs_f64(),
        share * 100.0,
        watched.as_secs(),
        late_others.as_secs_f64(),
        accepts.len(),
        accepts[accepts.len() / 2].as_secs_f64(),
        accepts[accepts.len() - 1].as_secs_f64(),
        slowest_page.as_secs_f64(),
    );
    assert_eq!(vanished, 0, "pages of metrics without a bot");
    assert!(accepts[accepts.len() - 1] <= MOST, "an accept took {:?}", accepts[accepts.len() - 1]);
    assert_eq!(arrivals.iter().filter(|it| it.chat >= OTHERS_CHATS).count() as i64, OTHERS, "another bot's are there");
    assert!(late_others <= MOST_LATE, "another bot's arrived {late_others:?} late");
    assert!(share >= LEAST_SHARE, "{:.0} % of the rate", share * 100.0);
    let early = arrivals.iter().filter(|arrival| arrival.at_ms < due_ms).count();
    assert_eq!(early, 0, "nothing arrives before its time");
}

/// Schedules so many for a moment at which all of them are in.
async fn schedule(client: &Client, count: i64) -> Timestamp {
    let began = Instant::now();
    // It is known only once some are in, so these are for much later.
    let far = Timestamp::now().plus(Duration::from_secs(86_400));
    post_all(client, "bot0", 0..TRIAL, far).await;
    let each = began.elapsed() / TRIAL as u32;
    let due = Timestamp::now().plus(Duration::from_secs(3) + each.mul_f64(1.5 * count as f64));
    // Without milliseconds, as callers write it.
    let due = Timestamp::from_unix_millis(due.unix_millis() / 1000 * 1000);
    post_all(client, "bot1", OTHERS_CHATS..OTHERS_CHATS + OTHERS, due).await;
    post_all(client, "bot0", 0..count, due).await;
    assert!(due > Timestamp::now(), "posting became slower: {count} took {:?}", began.elapsed());
    due
}

async fn post_all(client: &Client, bot: &str, numbers: std::ops::Range<i64>, due: Timestamp) {
    let post = |number: i64| async move {
        let (chat, text) = (FIRST_CHAT + number, posting::text(FIRST_CHAT + number, 0));
        posting::post_one(client, &json!({"bot": bot, "chat_id": chat, "text": text, "send_at": due.to_string()}))
            .await;
    };
    stream::iter(numbers).map(post).buffer_unordered(CALLERS).for_each(async |()| ()).await;
}

/// Posts for now and for later until then; how long each took, the slowest last.
async fn keep_posting(client: &Client, end: Timestamp) -> Vec<Duration> {
    let later = Timestamp::now().plus(Duration::from_secs(86_400)).to_string();
    let mut took = Vec::new();
    while Timestamp::now() < end {
        let mut notification = json!({"bot": "bot1", "chat_id": OTHERS_CHATS * 2, "text": "another"});
        if took.len() % 20 != 0 {
            notification["send_at"] = later.clone().into();
        }
        let began = Instant::now();
        posting::post_one(client, &notification).await;
        took.push(began.elapsed());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    took.sort_unstable();
    took
}

/// Reads the metrics until then; the slowest page, and on how many a bot's depth was missing.
async fn keep_looking(client: &Client, end: Timestamp) -> (Duration, u64) {
    let (mut slowest, mut vanished) = (Duration::ZERO, 0);
    while Timestamp::now() < end {
        let began = Instant::now();
        let page = client.metrics().await.expect("the metrics");
        slowest = slowest.max(began.elapsed());
        let depths = page.lines().filter(|line| line.starts_with("pixcourier_queue_depth{")).count();
        vanished += u64::from(depths < 6);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    (slowest, vanished)
}
