//! Redis goes away and comes back: who may still be sent, how soon it is used again, and what callers are told.

use crate::engines::contract::{WAIT_TIMEOUT, bot, later, notification};
use crate::engines::rabbitmq::{connected, namespace};
use crate::support::event_reader::{EventReader, Told};
use crate::support::settings::NO_LIMITS;
use crate::support::test_app::{On, TestApp, lenient};
use crate::support::wait::{until_ok, until_true};
use crate::support::{Redis, amqp_url, port_of};
use pixcourier::adapters::redis::{RedisLedger, WriteBehindLedger};
use pixcourier::app::Role;
use pixcourier::domain::{Attempt, AttemptOutcome, Notification, Pause, PauseTarget, RecordUpdate, Status, Timestamp};
use pixcourier::ports::{Begin, BeginConditions, Cancelled, ChatWindow, Ledger, Paused, Pauses};
use pixcourier::settings::EngineSettings;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

const GO: Begin = Begin::Proceed { interrupted: false, interrupted_attempts: 0 };

/// How soon Redis must be used again; twice what is promised, for a machine that is busy with other tests.
const BACK_LIMIT: Duration = Duration::from_millis(400);

fn process(redis: &Redis) -> Arc<WriteBehindLedger> {
    let ledger = RedisLedger::new(&redis.url().into(), "test").expect("a valid URL");
    WriteBehindLedger::new(Arc::new(ledger))
}

async fn begin_persistently(ledger: &WriteBehindLedger, notification: &Notification) -> Begin {
    until_ok("the attempt to begin", WAIT_TIMEOUT, async || {
        ledger.begin(notification, Timestamp::now(), &BeginConditions::NONE).await
    })
    .await
}

/// All that Redis answers to a command.
async fn ask(redis: &Redis, command: &str) -> String {
    let mut server = TcpStream::connect(("127.0.0.1", port_of(&redis.url()))).await.expect("Redis is there");
    server.write_all(format!("{command}\r\nQUIT\r\n").as_bytes()).await.expect("Redis is there");
    let mut answer = String::new();
    server.read_to_string(&mut answer).await.expect("an answer");
    answer
}

/// How often the list of cancels was read, by anybody.
async fn reads_of_cancels(redis: &Redis) -> u64 {
    let answer = ask(redis, "INFO commandstats").await;
    let calls = answer.lines().find_map(|line| line.strip_prefix("cmdstat_zrangebyscore:calls="));
    calls.and_then(|calls| calls.split(',').next()?.parse().ok()).unwrap_or(0)
}

/// Gone or frozen for two seconds, again and again: as soon as it is there it is asked.
#[tokio::test]
async fn redis_is_used_at_once_when_it_is_back() {
    let mut redis = Redis::launch().await;
    let ledger = process(&redis);
    let mut times = Vec::new();
    for round in 0..4 {
        ledger.ready().await.expect("Redis is there");
        let is_frozen = round % 2 == 0;
        if is_frozen {
            redis.pause()
        } else {
            redis.kill9()
        }
        let gone = Instant::now();
        while gone.elapsed() < Duration::from_secs(2) {
            assert!(ledger.ready().await.is_err(), "it says truly that Redis is away");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        if is_frozen {
            redis.resume()
        } else {
            redis.start().await
        }
        let back = Instant::now();
        until_ok("the ledger", WAIT_TIMEOUT, async || ledger.ready().await).await;
        times.push(back.elapsed());
    }
    assert!(times.iter().all(|time| *time < BACK_LIMIT), "used again after {times:?}");
}

/// Cancelled by another process; told "cancelled", its caller was told the truth.
#[tokio::test]
async fn what_was_cancelled_is_not_sent_while_redis_is_away() {
    let mut redis = Redis::launch().await;
    let (counter, courier) = (process(&redis), process(&redis));
    let name = bot("o-cancel");
    let (cancelled, queued) = (later(&name, 1, Duration::from_secs(2)), notification(&name, 2));
    for one in [&cancelled, &queued] {
        assert!(counter.settle(one, &RecordUpdate::of(Status::accepted(one), one.accepted_at)).await.unwrap());
    }
    assert!(matches!(counter.cancel(cancelled.id, Timestamp::now()).await, Ok(Cancelled::Done(_))));
    // Of any four, two are the courier's, and one of these began after the cancel.
    let reads = reads_of_cancels(&redis).await;
    until_true("the courier to know", WAIT_TIMEOUT, async || reads_of_cancels(&redis).await >= reads + 4).await;
    redis.kill9();
    let late = process(&redis);
    for ledger in [&counter, &courier, &late] {
        assert_eq!(begin_persistently(ledger, &queued).await, GO, "sending goes on");
    }
    for ledger in [&counter, &courier] {
        assert_eq!(begin_persistently(ledger, &cancelled).await, Begin::Skip(Status::Cancelled));
        let retry =
            Notification { accepted_at: cancelled.accepted_at.plus(Duration::from_secs(1)), ..cancelled.clone() };
        assert_eq!(begin_persistently(ledger, &retry).await, GO, "accepted again since");
    }
    let begun = late.begin(&cancelled, Timestamp::now(), &BeginConditions::NONE).await;
    assert!(begun.is_err(), "who does not know asks first: {begun:?}");
    let begun = late.begin(&later(&name, 3, Duration::from_secs(1)), Timestamp::now(), &BeginConditions::NONE).await;
    assert!(begun.is_err(), "who does not know asks first: {begun:?}");
}

/// Paused by another process; and a process that is started meanwhile keeps to what the one before it has read.
#[tokio::test]
async fn what_is_paused_is_not_sent_while_redis_is_away() {
    let mut redis = Redis::launch().await;
    let folder = tempfile::tempdir().unwrap();
    let at = || Arc::new(RedisLedger::new(&redis.url().into(), "outage").unwrap());
    let journal = connected(&amqp_url(), &namespace()).await;
    let courier = |ledger| WriteBehindLedger::with_journal(ledger, journal.clone(), Some(folder.path()));
    let (counter, first) = (WriteBehindLedger::new(at()), courier(at()));
    let late = at();
    let (paused, free) = (notification(&bot("o-paused"), 1), notification(&bot("o-free"), 1));
    let target = PauseTarget { bot: bot("o-paused"), chat: None };
    let pause = Pause { since: Timestamp::now(), client: None, reason: None };
    assert_eq!(counter.pause(&target, &pause).await.unwrap(), Paused::New);
    let known = first.known();
    let knows = async || known.borrow().of(&target.bot).is_some() && folder.path().join("pauses.json").exists();
    until_true("the courier to know", WAIT_TIMEOUT, knows).await;
    redis.kill9();
    assert!(counter.resume(&target).await.is_err(), "nothing can be resumed now");
    let second = courier(late);
    for ledger in [&first, &second] {
        assert_eq!(begin_persistently(ledger, &free).await, GO, "sending goes on");
        assert_eq!(begin_persistently(ledger, &paused).await, Begin::Paused);
    }
    redis.start().await;
    until_ok("the resume", WAIT_TIMEOUT, async || counter.resume(&target).await).await;
    for known in [first.known(), second.known()] {
        until_true("the news", WAIT_TIMEOUT, async || known.borrow().of(&target.bot).is_none()).await;
    }
    assert_eq!(begin_persistently(&second, &paused).await, GO);
}

/// Whether its answer was there before Redis was or came after it.
#[tokio::test]
async fn what_a_group_gets_while_redis_is_away_counts_for_the_next_owner() {
    let mut redis = Redis::launch().await;
    let courier = process(&redis);
    let group = || notification(&bot("o-group"), -1);
    courier.ready().await.expect("Redis is there");
    redis.kill9();
    let (answered, under_way) = (group(), group());
    for one in [&answered, &under_way] {
        assert_eq!(begin_persistently(&courier, one).await, GO);
    }
    let sent_at = Timestamp::now();
    let attempt = Some(Attempt { outcome: AttemptOutcome::Sent, ..Attempt::interrupted(sent_at) });
    let sent = RecordUpdate { attempt, ..RecordUpdate::of(Status::Sent, sent_at) };
    courier.settle(&answered, &sent).await.expect("it waits in memory");
    redis.start().await;
    until_true("all to be written", WAIT_TIMEOUT, async || courier.buffered() == 0).await;
    courier.settle(&under_way, &sent).await.expect("Redis is there");
    let next = process(&redis);
    let asks = async |limit| {
        let chat_window = Some(ChatWindow { limit, span: Duration::from_secs(60), cost: 1 });
        let conditions = BeginConditions { chat_window, ..BeginConditions::NONE };
        next.begin(&group(), sent_at.plus(Duration::from_secs(1)), &conditions).await.expect("begin")
    };
    assert_eq!(asks(2).await, Begin::TooSoon(sent_at.plus(Duration::from_secs(60))), "both count, once");
    assert_eq!(asks(3).await, GO);
}

/// A failover or a restore may bring a Redis back that knows nothing of a cancel, and maybe nothing of the notification.
#[tokio::test]
async fn what_a_process_knows_to_be_cancelled_is_not_sent_when_redis_has_forgotten_it() {
    let redis = Redis::launch().await;
    let (counter, courier) = (process(&redis), process(&redis));
    let name = bot("o-forgot");
    let all = [notification(&name, 1), notification(&name, 2), notification(&name, 3)];
    let [restored, gone, retried] = &all;
    let accept = async |ledger: &WriteBehindLedger, one: &Notification| {
        assert!(ledger.settle(one, &RecordUpdate::of(Status::Queued, one.accepted_at)).await.unwrap());
    };
    for one in &all {
        accept(&counter, one).await;
        assert!(matches!(counter.cancel(one.id, Timestamp::now()).await, Ok(Cancelled::Done(_))));
    }
    let reads = reads_of_cancels(&redis).await;
    until_true("the courier to know", WAIT_TIMEOUT, async || reads_of_cancels(&redis).await >= reads + 4).await;
    ask(&redis, "FLUSHALL").await;
    let again = Notification { accepted_at: retried.accepted_at.plus(Duration::from_secs(1)), ..retried.clone() };
    accept(&counter, &again).await;
    // As it was before the cancel.
    accept(&process(&redis), restored).await;
    let now = Timestamp::now();
    for (one, status) in all.iter().zip([Status::Cancelled, Status::Cancelled, Status::Queued]) {
        let begun = courier.begin(one, now, &BeginConditions::NONE).await.expect("begin");
        assert_eq!(begun, Begin::Skip(status), "to {}", one.chat_id);
    }
    let status = async |id| counter.get(id).await.unwrap().map(|record| record.status);
    assert_eq!(status(restored.id).await, Some(Status::Cancelled), "its caller was told so");
    assert_eq!(status(gone.id).await, None);
    assert_eq!(status(again.id).await, Some(Status::Queued), "the older copy says nothing of it");
    assert_eq!(courier.begin(&again, now, &BeginConditions::NONE).await.expect("begin"), GO, "accepted again since");
}

async fn on(redis: &Redis) -> TestApp {
    TestApp::tuned(On::Distributed, Role::All, NO_LIMITS, lenient(), |settings| {
        if let EngineSettings::Distributed(parts) = &mut settings.engine {
            parts.redis_url = redis.url().into();
        }
    })
    .await
}

/// With its status, and the parts that it names.
async fn readiness(app: &TestApp) -> (u16, Value) {
    let answer = app.get("/readyz").await;
    (answer.status().as_u16(), answer.json::<Value>().await.unwrap()["away"].clone())
}

/// What `/readyz` says is what a notification meets; a cancel that was answered 200 is kept although Redis is away when it
/// would have been due.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_it_is_ready_and_what_was_cancelled_stays_unsent() {
    let mut redis = Redis::launch().await;
    let app = on(&redis).await;
    let due = Timestamp::now().plus(Duration::from_secs(3)).to_string();
    let cancelled = app.accept(json!({"chat_id": 1, "photo": "AgACAgIAAxk", "send_at": due})).await;
    let answer = app.client.delete(format!("{}/v1/notifications/{cancelled}", app.api)).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    redis.kill9();
    until_true("it to miss Redis", WAIT_TIMEOUT, async || readiness(&app).await == (200, json!(["ledger"]))).await;
    let taken = app.accept(json!({"chat_id": 2, "text": "meanwhile"})).await;
    let with_key = app.client.post(format!("{}/v1/notifications", app.api)).header("Idempotency-Key", "k");
    assert_eq!(with_key.json(&json!({"chat_id": 2, "text": "keyed"})).send().await.unwrap().status(), 503);
    app.until("a send without Redis", async || app.messages().len() == 1).await;
    redis.start().await;
    app.until("Redis to be back", async || readiness(&app).await == (200, Value::Null)).await;
    app.sent(&taken).await;
    let record = app.settled(&cancelled).await;
    assert_eq!((&record["status"], record["attempts"].as_array().map(Vec::len)), (&json!("cancelled"), Some(0)));
    assert_eq!(app.messages().len(), 1, "nothing else was sent");
    app.stop().await;
}

/// What is sent while Redis is away is told once Redis knows of it, over the connection that was open all the time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_go_on_when_redis_is_back() {
    let mut redis = Redis::launch().await;
    let app = on(&redis).await;
    let mut stream = EventReader::open(app.client.get(format!("{}/v1/events", app.api)), "").await;
    let mut ids = vec![app.accept(json!({"chat_id": 1, "text": "before"})).await];
    assert_eq!(stream.take(1).await[0].notification(), ids[0]);
    redis.kill9();
    until_true("it to miss Redis", WAIT_TIMEOUT, async || readiness(&app).await == (200, json!(["ledger"]))).await;
    let sent = app.messages().len();
    ids.push(app.accept(json!({"chat_id": 2, "text": "meanwhile"})).await);
    until_true("it to be sent", WAIT_TIMEOUT, async || app.messages().len() > sent).await;
    redis.start().await;
    ids.push(app.accept(json!({"chat_id": 3, "text": "after"})).await);
    let mut told: Vec<String> = stream.take(2).await.iter().map(Told::notification).collect();
    told.sort();
    assert_eq!(told, ids[1..]);
    drop(stream);
    app.stop().await;
}
