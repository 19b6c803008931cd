//! Calls that go out together: each gets its own answer, and its own error.

use crate::engines::contract::{WAIT_TIMEOUT, bot, notification};
use crate::engines::redis::{ledger, ledger_in};
use crate::support::wait::until_ok;
use crate::support::{Proxy, Redis, port_of, redis_url};
use deadpool_redis::redis;
use futures_util::future::join_all;
use pixcourier::adapters::redis::RedisLedger;
use pixcourier::domain::{MediaKind, Notification, RecordUpdate, Sha256, Status, Timestamp};
use pixcourier::ports::{Begin, BeginConditions, FileIds, FileKey, Ledger};

const GO: Begin = Begin::Proceed { interrupted: false, interrupted_attempts: 0 };

fn key(number: usize) -> FileKey {
    FileKey { bot_id: 1, kind: MediaKind::Photo, sha256: Sha256::of(number.to_string().as_bytes()) }
}

fn many(name: &str, count: usize) -> Vec<Notification> {
    (0..count).map(|number| notification(&bot(name), number as i64 + 1)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_at_once_each_gets_its_own_answer() {
    let (ledger, notifications) = (ledger(), many("grouped", 300));
    let now = Timestamp::now();
    let settled = join_all(notifications.iter().enumerate().filter(|(number, _)| number % 3 == 0).map(
        async |(number, notification)| {
            let (sent, learnt) = (RecordUpdate::of(Status::Sent, now), (key(number), format!("file {number}")));
            ledger.settle_with(notification, &sent, &[learnt].into_iter().collect()).await
        },
    ));
    assert!(settled.await.into_iter().all(|settled| settled.expect("Redis is there")), "each had no record before");

    let begun = join_all(notifications.iter().enumerate().map(async |(number, notification)| {
        let wanted = [key(number - number % 3)];
        ledger.begin_with(notification, now, &BeginConditions::NONE, &wanted).await.expect("Redis is there")
    }));
    for (number, (begin, file_ids)) in begun.await.into_iter().enumerate() {
        let (expected, file_id) = match number % 3 {
            0 => (Begin::Skip(Status::Sent), None),
            rest => (GO, Some(format!("file {}", number - rest))),
        };
        let expected_ids: FileIds = file_id.map(|id| (key(number - number % 3), id)).into_iter().collect();
        assert_eq!((begin, file_ids), (expected, expected_ids), "{number}");
    }
    let found = join_all(notifications.iter().map(|notification| ledger.get(notification.id))).await;
    for (number, record) in found.into_iter().enumerate() {
        let record = record.expect("Redis is there").expect("it has begun");
        let expected = if number % 3 == 0 { Status::Sent } else { Status::Sending };
        assert_eq!((record.notification.id, record.status), (notifications[number].id, expected), "{number}");
    }
}

/// What cannot be written fails by itself: those that go with it are not held up, now or later.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_whose_record_is_broken_fails_no_other() {
    let namespace = format!("test-{:016x}", fastrand::u64(..));
    let (ledger, notifications) = (ledger_in(&namespace), many("broken", 60));
    let mut connection = redis::Client::open(redis_url()).unwrap().get_multiplexed_async_connection().await.unwrap();
    let broken = format!("{namespace}:n:{}", notifications[30].id);
    redis::cmd("SET").arg(&broken).arg("no record").exec_async(&mut connection).await.unwrap();

    for _ in 0..2 {
        let begun = join_all(
            notifications
                .iter()
                .map(async |notification| ledger.begin(notification, Timestamp::now(), &BeginConditions::NONE).await),
        );
        for (number, begin) in begun.await.into_iter().enumerate() {
            match begin {
                Err(error) => {
                    assert_eq!((number, error.to_string().contains("WRONGTYPE")), (30, true), "{number}: {error}");
                }
                Ok(begin) => assert!(matches!(begin, Begin::Proceed { .. }) && number != 30, "{number}: {begin:?}"),
            }
        }
    }
}

/// After a failover the connections that there are still lead to the former primary, which refuses to write.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_to_what_is_a_replica_now_is_given_up() {
    let (former, next) = (Redis::launch().await, Redis::launch().await);
    let proxy = Proxy::to(port_of(&former.url())).await;
    let url = proxy.url(&former.url(), port_of(&former.url()));
    let ledger = RedisLedger::new(&url.into(), "failover").expect("a valid URL");
    let begin =
        async |notification: &Notification| ledger.begin(notification, Timestamp::now(), &BeginConditions::NONE).await;
    for notification in many("before", 20) {
        assert_eq!(begin(&notification).await.expect("Redis is there"), GO);
    }

    let mut connection = redis::Client::open(former.url()).unwrap().get_multiplexed_async_connection().await.unwrap();
    redis::cmd("REPLICAOF").arg("127.0.0.1").arg(port_of(&next.url())).exec_async(&mut connection).await.unwrap();
    proxy.lead_to(port_of(&next.url()));
    let refused = begin(&notification(&bot("between"), 1)).await.expect_err("a replica does not write");
    assert!(refused.to_string().contains("READONLY"), "{refused}");
    let after = notification(&bot("after"), 1);
    let begun = until_ok("the new primary", WAIT_TIMEOUT, async || begin(&after).await).await;
    assert_eq!(begun, GO);
}
