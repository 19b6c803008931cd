//! The Redis ledger: its contracts, and what happens while Redis is away.

use crate::engines::contract::{self, bot, eventually, notification};
use crate::engines::rabbitmq::{connected, namespace};
use crate::support::wait::until_ok;
use crate::support::{Redis, amqp_url, port_of, redis_url};
use pixcourier::adapters::redis::{RedisLedger, WriteBehindLedger};
use pixcourier::domain::{
    Attempt, AttemptOutcome, DeliveryGuarantee, MediaKind, Notification, RecordUpdate, Sha256, Status, Timestamp,
};
use pixcourier::ports::{
    Begin, BeginConditions, Cancelled, ChatWindow, FileIds, FileKey, Ledger, LedgerError, MediaIndex,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};

/// A ledger in a namespace of its own on the shared server.
pub fn ledger() -> Arc<RedisLedger> {
    at(&redis_url())
}

pub fn ledger_in(namespace: &str) -> Arc<RedisLedger> {
    Arc::new(RedisLedger::new(&redis_url().into(), namespace).expect("a valid URL"))
}

fn at(url: &str) -> Arc<RedisLedger> {
    let namespace = format!("test-{:016x}", fastrand::u64(..));
    Arc::new(RedisLedger::new(&url.to_owned().into(), &namespace).expect("a valid URL"))
}

fn key(content: &[u8]) -> FileKey {
    FileKey { bot_id: 1, kind: MediaKind::Photo, sha256: Sha256::of(content) }
}

fn ended(status: Status) -> RecordUpdate {
    RecordUpdate { message_id: Some(7), ..RecordUpdate::of(status, Timestamp::now()) }
}

async fn status(ledger: &dyn Ledger, notification: &Notification) -> Option<Status> {
    ledger.get(notification.id).await.expect("get").map(|record| record.status)
}

const GO: Begin = Begin::Proceed { interrupted: false, interrupted_attempts: 0 };

/// For so long after Redis went away, no attempt begins without it.
const OUTAGE_GRACE: Duration = Duration::from_secs(5);

/// Begins as a courier does, again and again until it may; when it first was told that it may not.
async fn begin_persistently(ledger: &WriteBehindLedger, notification: &Notification) -> (Begin, Option<Instant>) {
    let mut refused = None;
    let begin = until_ok("the attempt to begin", contract::WAIT_TIMEOUT, async || {
        let asked = Instant::now();
        let begun = ledger.begin(notification, Timestamp::now(), &BeginConditions::NONE).await;
        begun.inspect_err(|_| _ = refused.get_or_insert(asked))
    })
    .await;
    (begin, refused)
}

/// Nothing may wait longer than this for a Redis that does not answer: a second for a connection, one for an answer.
const FAIL_FAST_LIMIT: Duration = Duration::from_millis(2_500);

#[tokio::test]
async fn the_ledger_keeps_its_contract() {
    contract::ledger::suite(ledger()).await;
}

#[tokio::test]
async fn the_media_index_keeps_its_contract() {
    let ledger = ledger();
    contract::media_index::suite(ledger.clone(), ledger).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_recipient_book_keeps_its_contract() {
    contract::recipients::suite(ledger()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_quotas_keep_their_contract() {
    contract::quotas::suite(ledger()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_operations_keep_their_contract() {
    contract::operations::suite(ledger()).await;
}

#[tokio::test]
async fn the_write_behind_ledger_keeps_the_contract_of_the_ledger() {
    contract::ledger::suite(WriteBehindLedger::new(ledger())).await;
}

#[tokio::test]
async fn the_write_behind_ledger_keeps_the_contract_of_the_media_index() {
    let ledger = WriteBehindLedger::new(ledger());
    contract::media_index::suite(ledger.clone(), ledger).await;
}

#[tokio::test]
async fn a_settlement_written_again_after_a_lost_answer_adds_no_attempt() {
    let ledger = ledger();
    let sent = notification(&bot("r-again"), 1);
    let attempt = Attempt {
        at: Timestamp::now(),
        duration_ms: 1,
        uploaded: false,
        outcome: AttemptOutcome::Transient,
        error_code: None,
        reason: None,
        retry_after: None,
    };
    let update = RecordUpdate { attempt: Some(attempt), ..ended(Status::Retrying) };
    for _ in 0..2 {
        assert!(ledger.settle(&sent, &update).await.unwrap());
    }
    assert_eq!(ledger.get(sent.id).await.unwrap().unwrap().attempts.len(), 1);
}

/// Frozen with a request under way, it lost the bot, and wakes up while its successor sends.
#[tokio::test]
async fn a_former_owner_does_not_take_the_mark_of_its_successor_away() {
    let former = ledger_in("test-marks");
    let successor = ledger_in("test-marks");
    for end in [Status::Sent, Status::Retrying] {
        let sent = notification(&bot("r-marks"), 1);
        assert_eq!(former.begin(&sent, Timestamp::now(), &BeginConditions::NONE).await.unwrap(), GO);
        let cut_off = Begin::Proceed { interrupted: true, interrupted_attempts: 1 };
        assert_eq!(successor.begin(&sent, Timestamp::now(), &BeginConditions::NONE).await.unwrap(), cut_off);
        assert!(!former.settle(&sent, &ended(Status::Retrying)).await.unwrap());
        assert_eq!(status(&*former, &sent).await, Some(Status::Sending));
        assert!(successor.settle(&sent, &ended(end)).await.unwrap());
        assert_eq!(status(&*former, &sent).await, Some(end));
    }
    let sent = notification(&bot("r-marks"), 2);
    former.begin(&sent, Timestamp::now(), &BeginConditions::NONE).await.unwrap();
    successor.begin(&sent, Timestamp::now(), &BeginConditions::NONE).await.unwrap();
    assert!(former.settle(&sent, &ended(Status::Sent)).await.unwrap(), "what was sent was sent, whoever did it");
}

/// The script runs and its answer is lost. Nothing was sent, so `at_most_once` must not end as `unknown`.
#[tokio::test]
async fn a_begin_whose_answer_was_lost_is_not_an_interrupted_attempt() {
    // So that the server knows the script: only its name travels then.
    ledger().begin(&notification(&bot("r-lost"), 2), Timestamp::now(), &BeginConditions::NONE).await.unwrap();
    let (port, deaf) = deaf_to_scripts(redis_url()).await;
    let ledger = at(&format!("redis://127.0.0.1:{port}/"));
    let sent = notification(&bot("r-lost"), 1);
    let begin = async || ledger.begin(&sent, Timestamp::now(), &BeginConditions::NONE).await;
    assert!(begin().await.is_err());
    assert!(begin().await.is_err());
    deaf.store(false, Ordering::Relaxed);
    assert_eq!(status(&*ledger, &sent).await, Some(Status::Sending), "it took effect");
    assert_eq!(begin().await.unwrap(), GO);
    let cut_off = Begin::Proceed { interrupted: true, interrupted_attempts: 1 };
    assert_eq!(begin().await.unwrap(), cut_off, "two begins with nothing between");
    assert!(ledger.settle(&sent, &ended(Status::Retrying)).await.unwrap());
    assert_eq!(begin().await.unwrap(), Begin::Proceed { interrupted: false, interrupted_attempts: 1 });
    deaf.store(true, Ordering::Relaxed);
    assert!(begin().await.is_err());
    assert!(begin().await.is_err());
    deaf.store(false, Ordering::Relaxed);
    let cut_off = Begin::Proceed { interrupted: true, interrupted_attempts: 2 };
    assert_eq!(begin().await.unwrap(), cut_off, "the answer that was lost, and counted once");
    assert_eq!(ledger.get(sent.id).await.unwrap().unwrap().attempts.len(), 2);
}

/// It is the same attempt, and nothing has left.
#[tokio::test]
async fn what_a_begin_noted_whose_answer_was_lost_can_be_taken_back() {
    ledger().begin(&notification(&bot("r-lost"), 3), Timestamp::now(), &BeginConditions::NONE).await.unwrap();
    let (port, deaf) = deaf_to_scripts(redis_url()).await;
    let ledger = at(&format!("redis://127.0.0.1:{port}/"));
    let minute = Duration::from_secs(60);
    let chat_window = Some(ChatWindow { limit: 1, span: minute, cost: 1 });
    let conditions = BeginConditions { chat_window, then_pause: minute, ..BeginConditions::NONE };
    let (lost, next) = (notification(&bot("r-lost"), -4), notification(&bot("r-lost"), -4));
    let begin = async |one| ledger.begin(one, Timestamp::now(), &conditions).await;
    assert!(begin(&lost).await.is_err());
    deaf.store(false, Ordering::Relaxed);
    assert_eq!(begin(&lost).await.unwrap(), GO, "the answer that was lost");
    assert!(matches!(begin(&next).await.unwrap(), Begin::TooSoon(_)));
    assert!(ledger.settle(&lost, &ended(Status::Retrying)).await.unwrap());
    assert_eq!(begin(&next).await.unwrap(), GO);
}

/// A way to Redis on which, while the switch is on, nothing comes back any more once a script was called.
async fn deaf_to_scripts(url: String) -> (u16, Arc<AtomicBool>) {
    let address = url.trim_start_matches("redis://").trim_end_matches('/').to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let switch = Arc::new(AtomicBool::new(true));
    let deaf = Arc::clone(&switch);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(&address).await.expect("Redis is there");
            let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
                (client.into_split(), server.into_split());
            let deaf = Arc::clone(&deaf);
            tokio::spawn(async move {
                let answers = tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
                let mut buffer = [0; 65_536];
                while let Ok(size @ 1..) = from_client.read(&mut buffer).await {
                    let is_script = buffer[..size].windows(7).any(|word| word == b"EVALSHA");
                    if is_script && deaf.load(Ordering::Relaxed) {
                        answers.abort();
                    }
                    to_server.write_all(&buffer[..size]).await.expect("Redis is there");
                }
            });
        }
    });
    (port, switch)
}

#[tokio::test]
async fn a_ledger_starts_without_redis_and_fails_fast_while_it_is_frozen() {
    let mut redis = Redis::launch().await;
    redis.stop().await;
    let ledger = at(&redis.url());
    assert!(matches!(ledger.ready().await, Err(LedgerError::Unavailable(_))));
    redis.start().await;
    ledger.ready().await.expect("it connects when Redis is there");
    redis.pause();
    let started = Instant::now();
    let asked = futures_util::future::join_all((0..200).map(|_| ledger.ready())).await;
    assert!(asked.iter().all(Result::is_err));
    assert!(started.elapsed() < FAIL_FAST_LIMIT, "200 callers waited {:?}", started.elapsed());
    redis.resume();
    eventually("the ledger", true, async || ledger.ready().await.is_ok()).await;
}

#[tokio::test]
async fn sending_goes_on_while_redis_is_away_and_everything_is_written_when_it_is_back() {
    let mut redis = Redis::launch().await;
    let plain = at(&redis.url());
    let ledger = WriteBehindLedger::new(Arc::clone(&plain));
    let name = bot("r-away");
    let (before, during, begun) = (notification(&name, 1), notification(&name, 2), notification(&name, 3));
    let careful = Notification { delivery: DeliveryGuarantee::AtMostOnce, ..notification(&name, 4) };
    ledger.begin(&before, Timestamp::now(), &BeginConditions::NONE).await.unwrap();
    ledger.keep(&key(b"known"), "known before").await.unwrap();

    redis.kill9();
    let begin = async |one: &Notification| ledger.begin(one, Timestamp::now(), &BeginConditions::NONE).await;
    assert!(ledger.settle(&before, &ended(Status::Sent)).await.unwrap());
    assert_eq!(begin_persistently(&ledger, &during).await.0, GO);
    assert!(ledger.settle(&during, &ended(Status::Retrying)).await.unwrap());
    assert_eq!(begin(&during).await.unwrap(), GO);
    let learnt = FileIds::from([(key(b"new"), "learnt meanwhile".to_owned())]);
    assert!(ledger.settle_with(&during, &ended(Status::Sent), &learnt).await.unwrap());
    let wanted = [key(b"new"), key(b"known"), key(b"never seen")];
    let begun_at = Timestamp::now();
    let found = ledger.begin_with(&begun, begun_at, &BeginConditions::NONE, &wanted).await.unwrap();
    let known = FileIds::from([(key(b"known"), "known before".to_owned())]).into_iter().chain(learnt).collect();
    assert_eq!(found, (GO, known));
    for interrupted_attempts in 1..=2 {
        assert_eq!(begin(&begun).await.unwrap(), Begin::Proceed { interrupted: true, interrupted_attempts });
    }
    assert!(begin(&careful).await.is_err(), "at_most_once has to wait for its mark");
    assert_eq!(begin(&before).await.unwrap(), Begin::Skip(Status::Sent), "what waits counts");
    assert!(!ledger.settle(&before, &ended(Status::Failed)).await.unwrap(), "final is final");
    assert_eq!(ledger.file_id(&key(b"new")).await.unwrap().as_deref(), Some("learnt meanwhile"));
    assert_eq!(ledger.file_id(&key(b"known")).await.unwrap().as_deref(), Some("known before"));
    assert!(ledger.file_id(&key(b"never seen")).await.is_err(), "nobody knows");
    let soon = Timestamp::now().plus(Duration::from_secs(60));
    ledger.pin(&Sha256::of(b"pinned"), soon).await.unwrap();
    assert!(ledger.is_pinned(&Sha256::of(b"pinned"), Timestamp::now()).await.unwrap());
    assert!(ledger.is_pinned(&Sha256::of(b"other"), Timestamp::now()).await.is_err(), "nobody knows");
    assert!(ledger.get(before.id).await.is_err() && ledger.cancel(during.id, soon).await.is_err());
    assert_eq!(ledger.buffered(), 8, "an update of each, one retry, three begins, a file_id and a pin");
    assert_eq!(ledger.flush(Instant::now() + Duration::from_millis(300)).await, 8, "not longer than the deadline");

    redis.start().await;
    assert_eq!(ledger.flush(Instant::now() + contract::WAIT_TIMEOUT).await, 0);
    assert_eq!(status(&*plain, &before).await, Some(Status::Sent));
    assert_eq!(status(&*plain, &during).await, Some(Status::Sent));
    assert_eq!(status(&*plain, &begun).await, Some(Status::Sending));
    assert_eq!(plain.get(begun.id).await.unwrap().unwrap().attempts.len(), 2, "cut off twice");
    assert_eq!(begin(&begun).await.unwrap(), Begin::Proceed { interrupted: true, interrupted_attempts: 3 });
    assert_eq!(plain.file_id(&key(b"new")).await.unwrap().as_deref(), Some("learnt meanwhile"));
    assert!(plain.is_pinned(&Sha256::of(b"pinned"), Timestamp::now()).await.unwrap());
    eventually("the careful one", true, async || begin(&careful).await.is_ok()).await;
    assert_eq!(status(&*plain, &careful).await, Some(Status::Sending));
    assert_eq!(ledger.buffered(), 0);
}

/// A freeze and a restart pass before an attempt begins without asking; a lasting absence does not.
#[tokio::test]
async fn a_short_outage_of_redis_does_not_override_a_cancel() {
    let mut redis = Redis::launch().await;
    let ledger = WriteBehindLedger::new(at(&redis.url()));
    let fresh = || notification(&bot("r-outage"), 2);
    let (cancelled, other) = (notification(&bot("r-outage"), 1), fresh());
    assert!(ledger.settle(&cancelled, &RecordUpdate::of(Status::Queued, Timestamp::now())).await.unwrap());
    let answer = ledger.cancel(cancelled.id, Timestamp::now()).await.unwrap();
    assert!(matches!(answer, Cancelled::Done(_)), "{answer:?}");
    let begin = async |one| ledger.begin(one, Timestamp::now(), &BeginConditions::NONE).await;
    let back = async || {
        let (begun, refused) = begin_persistently(&ledger, &fresh()).await;
        assert_eq!(begun, GO);
        assert!(refused.is_none_or(|since| since.elapsed() < OUTAGE_GRACE), "Redis is asked as soon as it is back");
    };

    // Together they last longer than the grace period: each is counted by itself.
    for _ in 0..2 {
        redis.pause();
        let paused = Instant::now();
        while paused.elapsed() < OUTAGE_GRACE.mul_f64(0.6) {
            assert!(matches!(begin(&other).await, Err(LedgerError::Unavailable(_))), "it may be cancelled");
            assert_eq!(begin(&cancelled).await.unwrap(), Begin::Skip(Status::Cancelled), "known here");
            // The pace of a courier that asks, for as long as the pause is to last.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        redis.resume();
        back().await;
    }
    redis.kill9();
    assert!(begin(&other).await.is_err());
    redis.start().await;
    back().await;

    redis.kill9();
    let (begun, refused) = begin_persistently(&ledger, &other).await;
    assert_eq!(begun, GO, "Redis is missed, and sending goes on");
    assert_eq!(
        begin(&cancelled).await.unwrap(),
        Begin::Skip(Status::Cancelled),
        "but not what is known to be cancelled"
    );
    let waited = refused.expect("not at once").elapsed();
    // It may have been missed a moment before, when the list of cancels was read.
    let at_least = OUTAGE_GRACE - Duration::from_millis(100);
    assert!(waited >= at_least && waited < OUTAGE_GRACE + FAIL_FAST_LIMIT, "{waited:?}");
}

/// The process dies with all that waits in its memory, after the queue has forgotten the notification.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outcome_outlives_its_process_while_redis_is_away() {
    let mut redis = Redis::launch().await;
    let (plain, namespace) = (at(&redis.url()), namespace());
    let queue = connected(&amqp_url(), &namespace).await;
    let ledger = WriteBehindLedger::with_journal(Arc::clone(&plain), queue.clone(), None);
    let name = bot("r-outlives");
    let (begun, fresh, open) = (notification(&name, 1), notification(&name, 2), notification(&name, 3));
    ledger.begin(&begun, Timestamp::now(), &BeginConditions::NONE).await.unwrap();
    redis.kill9();
    let attempt = Attempt { outcome: AttemptOutcome::Sent, ..Attempt::interrupted(Timestamp::now()) };
    let sent = RecordUpdate { attempt: Some(attempt), ..ended(Status::Sent) };
    for one in [&begun, &fresh] {
        assert!(ledger.settle(one, &sent).await.unwrap());
        assert!(!ledger.settle(one, &ended(Status::Failed)).await.unwrap(), "final is final");
        assert_eq!(
            ledger.begin(one, Timestamp::now(), &BeginConditions::NONE).await.unwrap(),
            Begin::Skip(Status::Sent)
        );
    }
    assert!(ledger.settle(&open, &ended(Status::Retrying)).await.unwrap());
    drop(ledger);
    redis.start().await;
    assert_eq!(status(&*plain, &begun).await, Some(Status::Sending), "nobody has written it");

    let successor = WriteBehindLedger::with_journal(Arc::clone(&plain), queue.clone(), None);
    successor.caught_up().await;
    let mut journal = queue.subscribe_journal();
    for _ in 0..2 {
        let noted = timeout(contract::WAIT_TIMEOUT, journal.recv()).await.expect("in time").expect("open");
        for _ in 0..2 {
            successor.apply_journal_entry(&noted.outcome).await.expect("Redis is there");
        }
        noted.ack().await;
    }
    for one in [&begun, &fresh] {
        let record = plain.get(one.id).await.unwrap().expect("recorded");
        assert_eq!((record.status, record.attempts.len()), (Status::Sent, 1), "taken over twice, written once");
    }
    assert_eq!(status(&*plain, &open).await, None, "what is not final comes back from the queue");
    assert!(timeout(contract::QUIET_PERIOD, journal.recv()).await.is_err(), "the journal is empty");
}

/// Neither in Redis nor in the journal: then it is not settled, and the queue must keep the notification.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outcome_that_is_safe_nowhere_is_not_settled() {
    let mut redis = Redis::launch().await;
    let (plain, namespace) = (at(&redis.url()), namespace());
    let queue = connected(&amqp_url(), &namespace).await;
    let ledger = WriteBehindLedger::with_journal(Arc::clone(&plain), queue.clone(), None);
    let sent = notification(&bot("r-nowhere"), 1);
    ledger.begin(&sent, Timestamp::now(), &BeginConditions::NONE).await.unwrap();
    queue.close().await;
    redis.kill9();
    for _ in 0..2 {
        assert!(matches!(ledger.settle(&sent, &ended(Status::Sent)).await, Err(LedgerError::Unavailable(_))));
    }
    let (begun, _) = begin_persistently(&ledger, &sent).await;
    assert!(matches!(begun, Begin::Proceed { .. }), "{begun:?}");
    redis.start().await;
    assert_eq!(ledger.flush(Instant::now() + contract::WAIT_TIMEOUT).await, 0);
    assert!(ledger.settle(&sent, &ended(Status::Sent)).await.unwrap());
    assert_eq!(status(&*plain, &sent).await, Some(Status::Sent));
}

/// Its memory is full, say: it answers, and takes no change.
#[tokio::test]
async fn a_redis_that_takes_no_changes_counts_as_away() {
    let redis = Redis::launch().await;
    let ledger = WriteBehindLedger::new(at(&redis.url()));
    let sent = notification(&bot("r-full"), 1);
    let configure = async |limit: &str| {
        let mut server = TcpStream::connect(("127.0.0.1", port_of(&redis.url()))).await.unwrap();
        server.write_all(format!("CONFIG SET maxmemory {limit}\r\n").as_bytes()).await.unwrap();
        let mut answer = [0; 5];
        server.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"+OK\r\n");
    };
    configure("1").await;
    assert_eq!(begin_persistently(&ledger, &sent).await.0, GO);
    assert!(ledger.settle(&sent, &ended(Status::Sent)).await.unwrap());
    assert_eq!(ledger.buffered(), 1);
    configure("0").await;
    assert_eq!(ledger.flush(Instant::now() + contract::WAIT_TIMEOUT).await, 0);
    assert_eq!(status(&*ledger, &sent).await, Some(Status::Sent));
}

#[tokio::test]
async fn nobody_waits_for_a_frozen_redis_more_than_once() {
    let redis = Redis::launch().await;
    let ledger = WriteBehindLedger::new(at(&redis.url()));
    ledger.ready().await.unwrap();
    redis.pause();
    let name = bot("r-freeze");
    begin_persistently(&ledger, &notification(&name, -1)).await;
    let started = Instant::now();
    let sent: Vec<_> = (0..2_000).map(|chat| notification(&name, chat)).collect();
    for one in &sent {
        assert!(matches!(ledger.begin(one, Timestamp::now(), &BeginConditions::NONE).await, Ok(Begin::Proceed { .. })));
        assert!(ledger.settle(one, &ended(Status::Sent)).await.unwrap());
    }
    assert!(started.elapsed() < Duration::from_secs(2), "2,000 attempts took {:?}", started.elapsed());
    redis.resume();
    assert_eq!(ledger.flush(Instant::now() + contract::WAIT_TIMEOUT).await, 0);
    for one in &sent {
        assert_eq!(status(&*ledger, one).await, Some(Status::Sent));
    }
}

/// 100,000 changes fit and the next is refused; those are written when Redis is back.
#[tokio::test]
async fn the_buffer_is_bounded() {
    let mut redis = Redis::launch().await;
    let ledger = WriteBehindLedger::new(at(&redis.url()));
    redis.kill9();
    let pin = async |number: u32| ledger.pin(&Sha256::of(&number.to_be_bytes()), Timestamp::now()).await;
    for number in 0..100_000 {
        pin(number).await.expect("room");
    }
    assert!(pin(100_000).await.is_err());
    assert_eq!(ledger.buffered(), 100_000);
    redis.start().await;
    eventually("the refused one", true, async || pin(100_000).await.is_ok()).await;
    // This Redis syncs every change to disk.
    assert_eq!(ledger.flush(Instant::now() + 6 * contract::WAIT_TIMEOUT).await, 0);
}
