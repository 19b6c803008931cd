//! What records cost Redis once their notifications have ended, and how they are kept then.

use crate::engines::contract::{bot, notification};
use crate::engines::redis::ledger_in;
use crate::support::{Redis, redis_url};
use deadpool_redis::redis::{self, aio::MultiplexedConnection};
use pixcourier::domain::{
    Attempt, AttemptOutcome, BotName, Call, Notification, Record, RecordUpdate, Status, Timestamp,
};
use pixcourier::ports::{Begin, BeginConditions, Ledger, ListQuery};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// What a notification that was sent may take of Redis's memory, with all keys that it causes.
const MAX_BYTES_EACH: u64 = 600;

const SENT: u64 = 2_000;

async fn connected(url: &str) -> MultiplexedConnection {
    let client = redis::Client::open(url).expect("a valid URL");
    client.get_multiplexed_async_connection().await.expect("Redis is there")
}

/// A text of about sixty characters, each another.
fn text(number: u64) -> Notification {
    let words = ["parcel", "invoice", "ticket", "refund", "order", "repair"];
    let word = words[number as usize % words.len()];
    let text = format!("Your {word} {} is ready: come by before {:02}:30 on Friday.", 48_213 + 7 * number, number % 24);
    let call = Call {
        method: "sendMessage".to_owned(),
        params: Map::from_iter([("text".to_owned(), text.into())]),
        media: Vec::new(),
    };
    Notification { call, ..notification(&BotName::default_bot(), 987_000_000 + 31 * number as i64) }
}

/// Telegram's answer to it.
fn result(sent: &Notification, message_id: i64) -> Value {
    let chat = json!({"id": sent.chat_id, "first_name": "Ada", "username": "adalovelace", "type": "private"});
    json!({
        "message_id": message_id,
        "from": {"id": 7_123_456_789_u64, "is_bot": true, "first_name": "Our Shop", "username": "ourshop_bot"},
        "chat": chat, "date": sent.accepted_at.unix_millis() / 1000, "text": sent.call.params["text"],
    })
}

/// Accepts and sends it, as a courier writes that down.
async fn send(ledger: &dyn Ledger, sent: &Notification, result: Option<Value>) {
    let queued = RecordUpdate::of(Status::Queued, sent.accepted_at);
    assert!(ledger.settle(sent, &queued).await.expect("settle"));
    let begun = ledger.begin(sent, Timestamp::now(), &BeginConditions::NONE).await.expect("begin");
    assert_eq!(begun, Begin::Proceed { interrupted: false, interrupted_attempts: 0 });
    assert!(ledger.settle(sent, &ended(Status::Sent, result)).await.expect("settle"));
}

fn ended(status: Status, result: Option<Value>) -> RecordUpdate {
    let at = Timestamp::now();
    let attempt = Attempt { duration_ms: 183, outcome: AttemptOutcome::Sent, reason: None, ..Attempt::interrupted(at) };
    RecordUpdate { attempt: Some(attempt), message_id: Some(812_734), result, ..RecordUpdate::of(status, at) }
}

async fn dataset_bytes(connection: &mut MultiplexedConnection) -> u64 {
    let info: String = redis::cmd("INFO").arg("memory").query_async(connection).await.expect("INFO");
    let line = info.lines().find_map(|line| line.strip_prefix("used_memory_dataset:")).expect("a figure");
    line.trim().parse().expect("bytes")
}

/// The bytes of all keys, the largest kinds first.
async fn bytes_by_kind(connection: &mut MultiplexedConnection) -> Vec<(u64, String)> {
    let keys: Vec<String> = redis::cmd("KEYS").arg("pixcourier:*").query_async(connection).await.expect("KEYS");
    let mut kinds: Vec<(u64, String)> = Vec::new();
    for key in keys {
        let mut usage = redis::cmd("MEMORY");
        usage.arg("USAGE").arg(&key).arg("SAMPLES").arg(0);
        let bytes: u64 = usage.query_async(connection).await.expect("MEMORY USAGE");
        let kind = if key.starts_with("pixcourier:n:") { "a record" } else { &key };
        match kinds.iter_mut().find(|known| known.1 == kind) {
            Some(known) => known.0 += bytes,
            None => kinds.push((bytes, kind.to_owned())),
        }
    }
    kinds.sort_unstable_by(|a, b| b.cmp(a));
    kinds
}

#[tokio::test]
async fn a_text_that_was_sent_costs_little_memory() {
    for with_result in [false, true] {
        let redis = Redis::launch().await;
        let mut connection = connected(&redis.url()).await;
        let ledger = pixcourier::adapters::redis::RedisLedger::new(&redis.url().into(), "pixcourier").expect("a URL");
        // Scripts, and what is there once.
        send(&ledger, &text(0), None).await;
        ledger.sweep(Timestamp::from_unix_millis(0)).await.expect("sweep");
        let before = dataset_bytes(&mut connection).await;
        for number in 1..=SENT {
            let sent = text(number);
            let result = with_result.then(|| result(&sent, 812_734 + number as i64));
            send(&ledger, &sent, result).await;
        }
        let full = (dataset_bytes(&mut connection).await - before) / SENT;
        let started = std::time::Instant::now();
        ledger.sweep(Timestamp::from_unix_millis(0)).await.expect("sweep");
        let took = started.elapsed();
        let kinds = bytes_by_kind(&mut connection).await;
        let each = kinds.iter().map(|kind| kind.0).sum::<u64>() / SENT;
        let dataset = (dataset_bytes(&mut connection).await - before) / SENT;
        println!(
            "with result: {with_result}; bytes each: {each}, by the data set {dataset}, {full} before; {took:?}; {kinds:?}"
        );
        if std::env::var("ONLY").is_ok() {
            continue;
        }
        assert!(each <= MAX_BYTES_EACH && dataset <= MAX_BYTES_EACH, "{each}, {dataset}: {kinds:?}");
    }
}
