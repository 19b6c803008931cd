//! What records cost Redis once their notifications have ended, and how they are kept then.

use crate::engines::acceptor::Outbox;
use crate::engines::contract::{bot, demanding, notification, text_of};
use crate::engines::rabbitmq::namespace;
use crate::engines::redis::ledger_in;
use crate::support::{Redis, redis_url};
use deadpool_redis::redis::{self, aio::MultiplexedConnection};
use pixcourier::adapters::redis::{DistributedAcceptor, RedisLedger, WriteBehindLedger};
use pixcourier::domain::{
    Attempt, AttemptOutcome, BotName, Call, Failure, FailureClass, Filter, Notification, NotificationId, Record,
    RecordUpdate, Status, Timestamp,
};
use pixcourier::ports::{Acceptor, Begin, BeginConditions, Cancelled, Ledger, LedgerError, ListQuery, Resubmitted};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// What a notification that was sent may take of Redis's memory, with all keys that it causes.
const MAX_BYTES_EACH: u64 = 600;

const SENT: u64 = 2_000;

pub async fn connected(url: &str) -> MultiplexedConnection {
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
    written(async || ledger.settle(sent, &queued).await).await;
    let begun = written(async || ledger.begin(sent, Timestamp::now(), &BeginConditions::NONE).await).await;
    assert!(matches!(begun, Begin::Proceed { .. }), "{begun:?}");
    let ended = ended(Status::Sent, result);
    written(async || ledger.settle(sent, &ended).await).await;
}

/// Writes until Redis has answered in time, as on a machine that is busy it may not.
async fn written<T>(write: impl AsyncFn() -> Result<T, LedgerError>) -> T {
    for _ in 0..5 {
        if let Ok(answer) = write().await {
            return answer;
        }
    }
    write().await.expect("an answer")
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
    let mut kinds: Vec<(u64, String)> = Vec::new();
    for key in keys(connection, "pixcourier").await {
        let mut usage = redis::cmd("MEMORY");
        usage.arg("USAGE").arg(&key).arg("SAMPLES").arg(0);
        let bytes: u64 = usage.query_async(connection).await.expect("MEMORY USAGE");
        let kind = if key.starts_with("pixcourier:n:") { "records" } else { &key };
        match kinds.iter_mut().find(|known| known.1 == kind) {
            Some(known) => known.0 += bytes,
            None => kinds.push((bytes, kind.to_owned())),
        }
    }
    kinds.sort_unstable_by(|a, b| b.cmp(a));
    kinds
}

async fn keys(connection: &mut MultiplexedConnection, namespace: &str) -> BTreeSet<String> {
    redis::cmd("KEYS").arg(format!("{namespace}:*")).query_async(connection).await.expect("KEYS")
}

/// Nothing was done before it.
fn never() -> Timestamp {
    Timestamp::from_unix_millis(0)
}

#[tokio::test]
async fn a_text_that_was_sent_costs_little_memory() {
    for with_result in [false, true] {
        let redis = Redis::launch().await;
        let mut connection = connected(&redis.url()).await;
        let ledger = RedisLedger::new(&redis.url().into(), "pixcourier").expect("a valid URL");
        // So that the scripts are there already.
        send(&ledger, &text(0), None).await;
        ledger.sweep(never()).await.expect("sweep");
        let before = dataset_bytes(&mut connection).await;
        for number in 1..=SENT {
            let sent = text(number);
            let result = with_result.then(|| result(&sent, 812_734 + number as i64));
            send(&ledger, &sent, result).await;
        }
        let fresh = (dataset_bytes(&mut connection).await - before) / SENT;
        ledger.sweep(never()).await.expect("sweep");
        let dataset = (dataset_bytes(&mut connection).await - before) / SENT;
        let kinds = bytes_by_kind(&mut connection).await;
        let each = kinds.iter().map(|kind| kind.0).sum::<u64>() / SENT;
        println!("with result: {with_result}: {each} bytes each, {dataset} by the data set, fresh {fresh}; {kinds:?}");
        assert!(each <= MAX_BYTES_EACH && dataset <= MAX_BYTES_EACH, "{each}, {dataset}: {kinds:?}");
    }
}

async fn get(ledger: &dyn Ledger, id: NotificationId) -> Record {
    ledger.get(id).await.expect("get").expect("a record")
}

/// All pages of a listing.
async fn listed(ledger: &dyn Ledger, status: Option<Status>, bot: Option<&BotName>, limit: usize) -> Vec<Record> {
    let filter = Filter { statuses: status.into_iter().collect(), bot: bot.cloned(), ..Filter::default() };
    let (mut all, mut query) = (Vec::new(), ListQuery { filter, limit, before: None });
    loop {
        let page = ledger.list(&query).await.expect("list");
        assert!(page.records.len() <= limit, "{} on a page of {limit}", page.records.len());
        all.extend(page.records);
        match page.next {
            Some(next) => query.before = Some(next),
            None => return all,
        }
    }
}

async fn listed_ids(ledger: &dyn Ledger, status: Option<Status>, bot: Option<&BotName>) -> Vec<NotificationId> {
    listed(ledger, status, bot, 3).await.into_iter().map(|record| record.notification.id).collect()
}

/// Whatever it holds, however large it is.
#[tokio::test]
async fn nothing_of_a_record_is_lost_when_it_is_made_small() {
    let namespace = namespace();
    let (ledger, mut connection) = (ledger_in(&namespace), connected(&redis_url()).await);
    let name = bot("r-small");
    let mut plain = text(1);
    plain.client = Some("shop".parse().expect("a client's name"));
    let mut large = text(2);
    large.call.params.insert("text".to_owned(), "ÄÖÜ ".repeat(1_000).into());
    let old_id = Notification { id: NotificationId::from_number(u128::MAX - 5), ..notification(&name, 7) };
    let all = [plain, demanding(&name), large, old_id, notification(&name, -5)];
    for one in &all {
        for retry_after in 1..=Record::ATTEMPTS_KEPT as u64 + 3 {
            ledger.begin(one, Timestamp::now(), &BeginConditions::NONE).await.expect("begin");
            let flood = AttemptOutcome::FloodWait;
            let attempt = Attempt { outcome: flood, retry_after: Some(retry_after), ..Attempt::interrupted(never()) };
            let update = RecordUpdate {
                file_id: Some("AgAC-_".to_owned()),
                attempt: Some(attempt),
                ..ended(Status::Retrying, None)
            };
            assert!(ledger.settle(one, &update).await.expect("settle"));
        }
        let result = result(&Notification { call: text(3).call, ..one.clone() }, i64::MAX);
        assert!(ledger.settle(one, &ended(Status::Sent, Some(result))).await.expect("settle"));
    }
    for one in &all {
        let before = get(&*ledger, one.id).await;
        let of_listing = listed(&*ledger, None, None, 2).await;
        assert_eq!(ledger.sweep(never()).await.expect("sweep"), 0);
        let small: Vec<String> = hash_fields(&mut connection, &format!("{namespace}:n:{}", one.id)).await;
        assert!(!small.iter().any(|field| field == "notification"), "it is small: {small:?}");
        let after = get(&*ledger, one.id).await;
        assert_eq!(after, before);
        assert_eq!(text_of(&after.notification), text_of(one), "byte for byte");
        assert_eq!(listed(&*ledger, None, None, 2).await, of_listing);
    }
}

async fn hash_fields(connection: &mut MultiplexedConnection, key: &str) -> Vec<String> {
    redis::cmd("HKEYS").arg(key).query_async(connection).await.expect("HKEYS")
}

#[tokio::test]
async fn what_is_small_is_final() {
    let ledger = ledger_in(&namespace());
    let sent = text(1);
    send(&*ledger, &sent, None).await;
    ledger.sweep(never()).await.expect("sweep");
    let before = get(&*ledger, sent.id).await;
    let now = Timestamp::now();
    let begun = ledger.begin(&sent, now, &BeginConditions::NONE).await.expect("begin");
    assert_eq!(begun, Begin::Skip(Status::Sent));
    for status in [Status::Retrying, Status::Sent, Status::Failed] {
        assert!(!ledger.settle(&sent, &ended(status, None)).await.expect("settle"));
    }
    assert_eq!(ledger.cancel(sent.id, now).await.expect("cancel"), Cancelled::TooLate(Status::Sent));
    let acceptor = DistributedAcceptor::new(Arc::new(Outbox::default()), WriteBehindLedger::new(ledger.clone()));
    assert_eq!(acceptor.resubmit(&sent).await.expect("resubmit"), Resubmitted::Refused(Status::Sent));
    assert!(ledger.end_lost(now.plus(Duration::from_secs(90_000)), now).await.expect("end_lost").is_empty());
    assert_eq!(get(&*ledger, sent.id).await, before);
}

/// Of many bots, small ones among those that are not, and among those that did not arrive.
#[tokio::test]
async fn a_listing_gives_small_records_in_their_order() {
    let ledger = ledger_in(&namespace());
    let bots: Vec<_> = (0..30).map(|number| bot(&format!("r-list-{number}"))).collect();
    let statuses = [Status::Sent, Status::Sent, Status::Sent, Status::Failed, Status::Queued];
    let mut all = Vec::new();
    for number in 0..600 {
        let one = notification(&bots[number * number % 31 % 30], number as i64);
        let status = statuses[number * 7 % 11 % 5];
        assert!(ledger.settle(&one, &ended(status, None)).await.expect("settle"));
        all.insert(0, (one.id, one.bot, status));
        if number % 250 == 200 {
            ledger.sweep(never()).await.expect("sweep");
        }
    }
    for status in [None, Some(Status::Sent), Some(Status::Failed), Some(Status::Queued)] {
        for name in [None, Some(&bots[0]), Some(&bots[7])] {
            let fits = |one: &&(_, BotName, Status)| {
                status.is_none_or(|status| one.2 == status) && name.is_none_or(|name| one.1 == *name)
            };
            let expected: Vec<_> = all.iter().filter(fits).map(|one| one.0).collect();
            for limit in [1, 20, 50, 1_000] {
                let found = listed(&*ledger, status, name, limit).await;
                let found: Vec<_> = found.into_iter().map(|record| record.notification.id).collect();
                assert_eq!(found, expected, "{status:?} of {name:?}, {limit} at a time");
            }
        }
    }
}

/// To the millisecond, though they are kept by the hour; and nothing stays behind.
#[tokio::test]
async fn small_records_are_swept_once_they_are_done() {
    let namespace = namespace();
    let (ledger, mut connection) = (ledger_in(&namespace), connected(&redis_url()).await);
    let start = Timestamp::from_unix_millis(1_000_000_000_000);
    let minutes = |number: u64| start.plus(Duration::from_secs(60 * number));
    let mut all = Vec::new();
    for number in 0..400 {
        // In an order of their own, over six hours and more.
        let done_at = minutes(number * 149 % 400);
        let sent = Notification { accepted_at: start, expires_at: done_at, ..text(number) };
        let update = RecordUpdate { at: start, ..ended(Status::Sent, None) };
        assert!(ledger.settle(&sent, &update).await.expect("settle"));
        all.push((done_at, sent.id));
    }
    let sweep = async |before| ledger.sweep(before).await.expect("sweep");
    assert_eq!(sweep(never()).await, 0);
    let mut gone = 0;
    for before in [minutes(0), minutes(1), minutes(100), minutes(101), minutes(250), minutes(399)] {
        let due = all.iter().filter(|(done_at, _)| *done_at < before).count() as u64;
        assert_eq!(sweep(before).await, due - gone);
        gone = due;
        let mut left: Vec<_> = all.iter().filter(|(done_at, _)| *done_at >= before).map(|(_, id)| *id).collect();
        left.reverse();
        assert_eq!(listed_ids(&*ledger, None, None).await, left);
    }
    assert_eq!(sweep(minutes(400)).await, 1);
    assert_eq!(Vec::from_iter(keys(&mut connection, &namespace).await), [format!("{namespace}:i:bots")]);
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("plain data")
}

/// A record as the program wrote it that knew no small ones, with its index entries.
pub async fn write_as_before(connection: &mut MultiplexedConnection, namespace: &str, record: &Record) {
    let Record { notification, status, attempts, message_id, failure, updated_at, .. } = record;
    let (id, bot, status_name) = (notification.id.to_string(), notification.bot.as_str(), status.as_str());
    let lines: Vec<_> = attempts.iter().map(json).collect();
    let millis = |at: Timestamp| at.unix_millis().to_string();
    let mut hash = redis::cmd("HSET");
    hash.arg(format!("{namespace}:n:{id}"))
        .arg("bot")
        .arg(bot)
        .arg("accepted_at")
        .arg(millis(notification.accepted_at));
    hash.arg("expires_at").arg(millis(notification.expires_at)).arg("notification").arg(json(notification));
    hash.arg("status")
        .arg(status_name)
        .arg("updated_at")
        .arg(millis(*updated_at))
        .arg("attempts")
        .arg(lines.join("\n"));
    if let Some(message_id) = message_id {
        hash.arg("message_id").arg(message_id);
    }
    if let Some(failure) = failure {
        hash.arg("failure").arg(json(failure));
    }
    let mut ended = redis::cmd("ZADD");
    let expires_at = millis(notification.expires_at);
    if status.is_final() {
        hash.arg("done_at").arg(&expires_at);
        ended.arg(format!("{namespace}:done"));
    } else {
        ended.arg(format!("{namespace}:open"));
    }
    hash.query_async::<()>(connection).await.expect("HSET");
    ended.arg(expires_at).arg(&id).query_async::<()>(connection).await.expect("ZADD");
    let indexes =
        ["all".to_owned(), format!("bot:{bot}"), format!("status:{status_name}"), format!("bot:{bot}:{status_name}")];
    for index in indexes {
        let mut add = redis::cmd("ZADD");
        add.arg(format!("{namespace}:i:{index}")).arg(0).arg(&id).query_async::<()>(connection).await.expect("ZADD");
    }
}

#[tokio::test]
async fn what_an_earlier_version_left_is_read_listed_retried_made_small_and_swept() {
    let namespace = namespace();
    let (ledger, mut connection) = (ledger_in(&namespace), connected(&redis_url()).await);
    let names = [bot("r-before-1"), bot("r-before-2")];
    let mut all = Vec::new();
    for number in 0..40 {
        let notification = Notification { bot: names[number % 2].clone(), ..text(number as u64) };
        let status = [Status::Sent, Status::Sent, Status::Failed, Status::Sent, Status::Queued][number % 5];
        let mut record = Record::accepted(notification);
        let failure =
            Failure { class: FailureClass::Recipient, error_code: Some(403), description: "blocked".to_owned() };
        match status {
            Status::Sent => record.apply(ended(status, None)),
            Status::Failed => record.apply(RecordUpdate { failure: Some(failure), ..ended(status, None) }),
            _ => {}
        }
        write_as_before(&mut connection, &namespace, &record).await;
        all.insert(0, record);
    }
    let ids = |status: Option<Status>, name: Option<&BotName>| -> Vec<_> {
        let fits = |one: &&Record| {
            status.is_none_or(|status| one.status == status) && name.is_none_or(|name| one.notification.bot == *name)
        };
        all.iter().filter(fits).map(|one| one.notification.id).collect()
    };
    // As it was left, and once it is small.
    for _ in 0..2 {
        for record in &all {
            assert_eq!(get(&*ledger, record.notification.id).await, *record);
        }
        for status in [None, Some(Status::Sent), Some(Status::Failed), Some(Status::Queued), Some(Status::Expired)] {
            for name in [None, Some(&names[0]), Some(&names[1])] {
                assert_eq!(listed_ids(&*ledger, status, name).await, ids(status, name), "{status:?} of {name:?}");
            }
        }
        assert_eq!(ledger.sweep(never()).await.expect("sweep"), 0);
    }
    let acceptor = DistributedAcceptor::new(Arc::new(Outbox::default()), WriteBehindLedger::new(ledger.clone()));
    let failed = all.iter().find(|record| record.status == Status::Failed).expect("one").notification.clone();
    let again = Notification { accepted_at: failed.accepted_at.plus(Duration::from_secs(1)), ..failed };
    assert!(matches!(acceptor.resubmit(&again).await.expect("resubmit"), Resubmitted::Done(_)));
    assert_eq!(get(&*ledger, again.id).await.status, Status::Queued);
    let sent = all.iter().find(|record| record.status == Status::Sent).expect("one");
    assert_eq!(acceptor.resubmit(&sent.notification).await.expect("resubmit"), Resubmitted::Refused(Status::Sent));

    let open = ids(Some(Status::Queued), None).len() + 1;
    let later = Timestamp::now().plus(Duration::from_secs(2 * 86_400));
    assert_eq!(ledger.sweep(later).await.expect("sweep"), (all.len() - open) as u64);
    assert_eq!(listed_ids(&*ledger, None, None).await.len(), open, "what is open stays");
    assert_eq!(ledger.end_lost(later, later).await.expect("end_lost").len(), open);
    let last = later.plus(Duration::from_secs(1));
    assert_eq!(ledger.sweep(last).await.expect("sweep"), open as u64);
    let left = keys(&mut connection, &namespace).await;
    assert!(
        !left.iter().any(|key| key.contains(":n:") || key.contains(":i:") && !key.ends_with(":i:bots")),
        "{left:?}"
    );
}
