//! What the Redis ledger remembers of chats and of open records: what is its own beside the contract, since there may be
//! several processes, and Redis may forget.

use crate::engines::contract::{bot, notification};
use crate::engines::redis::{ledger, ledger_in};
use crate::support::redis_url;
use pixcourier::adapters::redis::RedisLedger;
use pixcourier::domain::{Attempt, AttemptOutcome, ChatId, Notification, RecordUpdate, Status, Timestamp};
use pixcourier::ports::{Begin, BeginConditions, Cancelled, ChatWindow, Ledger};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

const GO: Begin = Begin::Proceed { interrupted: false, interrupted_attempts: 0 };
const IN_ORDER: BeginConditions = BeginConditions { in_order: true, ..BeginConditions::NONE };
const MINUTE: Duration = Duration::from_secs(60);
const ONE_A_MINUTE: BeginConditions =
    BeginConditions { chat_window: Some(ChatWindow { limit: 1, span: MINUTE, cost: 1 }), ..BeginConditions::NONE };

async fn begin(ledger: &RedisLedger, notification: &Notification, at: Timestamp, on: BeginConditions) -> Begin {
    ledger.begin(notification, at, &on).await.expect("begin")
}

fn answered(outcome: AttemptOutcome, status: Status, at: Timestamp) -> RecordUpdate {
    let attempt = Attempt { outcome, ..Attempt::interrupted(at) };
    RecordUpdate { attempt: Some(attempt), message_id: Some(7), ..RecordUpdate::of(status, at) }
}

/// Puts each into the order of its chat, as an acceptance does.
async fn pending(ledger: &RedisLedger, name: &str, count: usize) -> Vec<Notification> {
    let all: Vec<_> = (0..count).map(|_| notification(&bot(name), -1)).collect();
    for one in &all {
        assert!(ledger.settle(one, &RecordUpdate::of(Status::Queued, one.accepted_at)).await.unwrap());
    }
    all
}

/// A process and another one, which has a memory of its own.
fn two_processes() -> (Arc<RedisLedger>, Arc<RedisLedger>, String) {
    let namespace = format!("test-{:016x}", fastrand::u64(..));
    (ledger_in(&namespace), ledger_in(&namespace), namespace)
}

/// Runs a command in Redis; its first line of answer.
async fn command(words: &[&str]) -> String {
    let url = redis_url();
    let address = url.trim_start_matches("redis://").trim_end_matches('/');
    let mut server = BufReader::new(TcpStream::connect(address).await.expect("Redis is there"));
    let mut request = format!("*{}\r\n", words.len());
    for word in words {
        request += &format!("${}\r\n{word}\r\n", word.len());
    }
    server.write_all(request.as_bytes()).await.expect("Redis is there");
    let mut answer = String::new();
    server.read_line(&mut answer).await.expect("an answer");
    answer.trim_end().to_owned()
}

/// It lost the bot before its request left, and says so: then the next owner sends it as if nothing had been.
#[tokio::test]
async fn an_owner_that_stops_before_its_request_leaves_no_doubt_and_takes_no_room() {
    let (former, successor, _) = two_processes();
    let (name, now) = (bot("r-stops"), Timestamp::now());
    let back = RecordUpdate::of(Status::Retrying, now);
    let sent = notification(&name, -1);
    assert_eq!(begin(&former, &sent, now, ONE_A_MINUTE).await, GO);
    assert!(former.settle(&sent, &back).await.unwrap());
    assert_eq!(begin(&successor, &sent, now, ONE_A_MINUTE).await, GO, "neither interrupted nor too soon");

    assert!(successor.settle(&sent, &answered(AttemptOutcome::Transient, Status::Retrying, now)).await.unwrap());
    let later = now.plus(MINUTE);
    assert_eq!(begin(&former, &sent, later, ONE_A_MINUTE).await, GO);
    let cut_off = Begin::Proceed { interrupted: true, interrupted_attempts: 1 };
    let last = later.plus(MINUTE);
    assert_eq!(begin(&successor, &sent, last, ONE_A_MINUTE).await, cut_off);
    let before = successor.get(sent.id).await.unwrap();
    assert!(!former.settle(&sent, &back).await.unwrap(), "the new owner has begun");
    assert_eq!(successor.get(sent.id).await.unwrap(), before);
    let next = notification(&name, -1);
    assert_eq!(
        begin(&successor, &next, last, ONE_A_MINUTE).await,
        Begin::TooSoon(last.plus(MINUTE)),
        "its note is not taken back"
    );

    let slow = notification(&name, 1);
    begin(&former, &slow, now, BeginConditions::NONE).await;
    begin(&successor, &slow, now, BeginConditions::NONE).await;
    assert!(successor.settle(&slow, &RecordUpdate::of(Status::Held, now)).await.unwrap());
    assert!(!former.settle(&slow, &back).await.unwrap(), "nor when the new owner has ended its attempt");
    assert_eq!(successor.get(slow.id).await.unwrap().unwrap().status, Status::Held);
}

/// Whoever was told it: Telegram means it.
#[tokio::test]
async fn a_flood_wait_that_a_former_owner_was_told_counts_all_the_same() {
    let (former, successor, _) = two_processes();
    let (sent, now) = (notification(&bot("r-flood"), 1), Timestamp::now());
    begin(&former, &sent, now, IN_ORDER).await;
    begin(&successor, &sent, now, IN_ORDER).await;
    let mut told = answered(AttemptOutcome::FloodWait, Status::Retrying, now);
    told.attempt.as_mut().unwrap().retry_after = Some(20);
    assert!(!former.settle(&sent, &told).await.unwrap(), "the record is the new owner's");
    let next = notification(&bot("r-flood"), 1);
    assert_eq!(begin(&successor, &next, now, IN_ORDER).await, Begin::TooSoon(now.plus(Duration::from_secs(20))));
}

/// The end was lost with the primary, after the queue had forgotten the notification.
#[tokio::test]
async fn what_a_process_has_settled_is_not_waited_for_when_redis_has_forgotten_it() {
    let (owner, stranger, namespace) = two_processes();
    let all = pending(&owner, "r-forgets", 3).await;
    let now = Timestamp::now();
    for one in &all[..2] {
        begin(&owner, one, now, BeginConditions::NONE).await;
        let record = format!("{namespace}:n:{}", one.id);
        let before = command(&["COPY", &record, &format!("{record}:before")]).await;
        assert_eq!(before, ":1");
        assert!(owner.settle(one, &answered(AttemptOutcome::Sent, Status::Sent, now)).await.unwrap());
        command(&["RENAME", &format!("{record}:before"), &record]).await;
        command(&["ZADD", &format!("{namespace}:o:r-forgets:-1:normal"), "0", &one.id.to_string()]).await;
    }
    assert_eq!(begin(&stranger, &all[2], now, IN_ORDER).await, Begin::Behind(all[0].id), "who knows?");
    assert_eq!(begin(&owner, &all[2], now, IN_ORDER).await, GO, "who has sent them knows");
}

/// Neither a record that is gone nor one whose message is gone blocks its chat for good.
#[tokio::test]
async fn what_is_lost_does_not_hold_its_chat_back_for_good() {
    let (ledger, _, namespace) = two_processes();
    let all = pending(&ledger, "r-lost", 4).await;
    assert_eq!(command(&["DEL", &format!("{namespace}:n:{}", all[0].id)]).await, ":1");
    let start = Timestamp::now();
    let at = |minute: u32| start.plus(MINUTE * minute);
    for minute in (0..=30).step_by(3) {
        assert_eq!(begin(&ledger, &all[2], at(minute), IN_ORDER).await, Begin::Behind(all[1].id), "after {minute}");
    }
    assert!(ledger.settle(&all[1], &answered(AttemptOutcome::Transient, Status::Retrying, at(31))).await.unwrap());
    for minute in (33..=60).step_by(3) {
        assert_eq!(begin(&ledger, &all[2], at(minute), IN_ORDER).await, Begin::Behind(all[1].id), "it lives");
    }
    assert_eq!(begin(&ledger, &all[2], at(90), IN_ORDER).await, Begin::Behind(all[1].id), "nobody has asked since");
    for minute in (93..=120).step_by(3) {
        assert_eq!(begin(&ledger, &all[2], at(minute), IN_ORDER).await, Begin::Behind(all[1].id));
    }
    assert_eq!(begin(&ledger, &all[2], at(121), IN_ORDER).await, GO, "nothing was heard of it all the time");
    assert_eq!(begin(&ledger, &all[1], at(122), IN_ORDER).await, GO, "should it come after all, it is sent");
}

/// In the meantime it was cancelled, as far as anybody could tell.
#[tokio::test]
async fn what_was_sent_without_the_ledger_after_its_cancel_is_sent() {
    let ledger = ledger();
    let sent = notification(&bot("r-cancel"), 1);
    let now = Timestamp::now();
    for cancelled in [&sent, &notification(&bot("r-cancel"), 1)] {
        ledger.settle(cancelled, &RecordUpdate::of(Status::Queued, now)).await.unwrap();
        assert!(matches!(ledger.cancel(cancelled.id, now).await, Ok(Cancelled::Done(_))));
        let failed = answered(AttemptOutcome::Permanent, Status::Failed, now);
        assert!(!ledger.settle(cancelled, &failed).await.unwrap(), "what was not sent stays cancelled");
    }
    for _ in 0..2 {
        ledger.settle(&sent, &answered(AttemptOutcome::Sent, Status::Sent, now)).await.unwrap();
        let record = ledger.get(sent.id).await.unwrap().unwrap();
        assert_eq!((record.status, record.attempts.len(), record.message_id), (Status::Sent, 1, Some(7)));
    }
    let older = Notification { accepted_at: sent.accepted_at.minus(MINUTE), ..sent.clone() };
    assert!(!ledger.settle(&older, &answered(AttemptOutcome::Sent, Status::Sent, now)).await.unwrap());
}

/// The first that is refused for it tells the ledger, and so every owner to come.
#[tokio::test]
async fn a_migrated_group_is_known_to_the_next_owner_and_in_the_record() {
    let (former, successor, _) = two_processes();
    let all = pending(&former, "r-migrates", 3).await;
    let now = Timestamp::now();
    assert_eq!(begin(&former, &all[0], now, IN_ORDER).await, GO);
    let moved = |one: &Notification| Notification { chat_id: ChatId::Id(-100_123), ..one.clone() };
    let refused = answered(AttemptOutcome::Migrated, Status::Retrying, now);
    for _ in 0..2 {
        former.settle(&moved(&all[0]), &refused).await.unwrap();
    }
    assert_eq!(former.get(all[0].id).await.unwrap().unwrap().notification, moved(&all[0]));
    assert_eq!(begin(&successor, &all[1], now, IN_ORDER).await, Begin::Migrated(-100_123));
    assert_eq!(successor.get(all[1].id).await.unwrap().unwrap().status, Status::Queued, "no mark");
    assert_eq!(begin(&successor, &moved(&all[1]), now, IN_ORDER).await, Begin::Behind(all[0].id), "order holds");
    assert_eq!(begin(&successor, &moved(&all[0]), now, IN_ORDER).await, GO);
    assert!(successor.settle(&moved(&all[0]), &answered(AttemptOutcome::Sent, Status::Sent, now)).await.unwrap());
    assert_eq!(begin(&successor, &moved(&all[1]), now, IN_ORDER).await, GO);
    assert_eq!(successor.get(all[1].id).await.unwrap().unwrap().notification, moved(&all[1]));
    let straight = moved(&all[2]);
    assert!(successor.settle(&straight, &answered(AttemptOutcome::Sent, Status::Sent, now)).await.unwrap());
    assert_eq!(successor.get(straight.id).await.unwrap().unwrap().notification, straight);
}

/// Nothing is kept of a private chat that was only written to, nor of one whose notifications have all ended.
#[tokio::test]
async fn nothing_is_left_of_a_chat_that_has_nothing_to_remember() {
    let (ledger, _, namespace) = two_processes();
    let now = Timestamp::now();
    let of = |chat| notification(&bot("r-clean"), chat);
    for (one, conditions) in [(of(1), IN_ORDER), (of(-2), BeginConditions { in_order: true, ..ONE_A_MINUTE })] {
        assert_eq!(begin(&ledger, &one, now, conditions).await, GO);
        assert!(ledger.settle(&one, &answered(AttemptOutcome::Sent, Status::Sent, now)).await.unwrap());
    }
    for gone in ["o:r-clean:1:normal", "o:r-clean:-2:normal", "chat:r-clean:1", "open"] {
        assert_eq!(command(&["EXISTS", &format!("{namespace}:{gone}")]).await, ":0", "{gone}");
    }
    let kept = command(&["PTTL", &format!("{namespace}:chat:r-clean:-2")]).await;
    let kept: i64 = kept.trim_start_matches(':').parse().unwrap();
    assert!((1..=60_000).contains(&kept), "{kept} ms");
}

/// An album waits for more than its end; and it does not stay for good.
#[tokio::test]
async fn a_pause_is_remembered_for_longer_than_it_lasts() {
    let (ledger, _, namespace) = two_processes();
    let conditions = BeginConditions { then_pause: MINUTE, ..IN_ORDER };
    assert_eq!(begin(&ledger, &notification(&bot("r-pause"), 1), Timestamp::now(), conditions).await, GO);
    let kept = command(&["PTTL", &format!("{namespace}:chat:r-pause:1")]).await;
    let kept: i64 = kept.trim_start_matches(':').parse().unwrap();
    assert!((31 * 60_000 - 10_000..=31 * 60_000).contains(&kept), "{kept} ms");
}
