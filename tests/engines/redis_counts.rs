//! What of the open records is in which lane, on Redis, where it is counted beside indexes that a version before kept alone.

use crate::engines::contract::{bot, in_lane};
use crate::engines::rabbitmq::namespace;
use crate::engines::redis::ledger_in;
use crate::engines::redis_records::{connected, write_as_before};
use crate::support::redis_url;
use deadpool_redis::redis::{self, aio::MultiplexedConnection};
use pixcourier::adapters::redis::RedisLedger;
use pixcourier::domain::{BotName, Lane, Notification, Record, RecordUpdate, Status, Timestamp};
use pixcourier::ports::{Ledger, OpenByLane};
use std::sync::Arc;

struct Counted {
    ledger: Arc<RedisLedger>,
    connection: MultiplexedConnection,
    namespace: String,
    bots: Vec<BotName>,
    all: Vec<(Notification, Status)>,
}

impl Counted {
    async fn new(name: &str) -> Self {
        let (namespace, all) = (namespace(), Vec::new());
        let (ledger, connection) = (ledger_in(&namespace), connected(&redis_url()).await);
        let bots = ["b", "", "a"].map(|part| bot(&format!("{name}{part}"))).into();
        Self { ledger, connection, namespace, bots, all }
    }

    async fn told(&self) -> Vec<OpenByLane> {
        self.ledger.count_open(&self.bots).await.expect("count_open")
    }

    fn expected(&self) -> Vec<OpenByLane> {
        let mut open = vec![OpenByLane::default(); self.bots.len()];
        for (one, status) in &self.all {
            let of_bot = self.bots.iter().position(|bot| *bot == one.bot).expect("one of them");
            let open = &mut open[of_bot];
            open.set(one.lane, *status, open.lane(one.lane).get(*status) + 1);
        }
        open
    }

    /// One of any of the bots, which nobody has accepted yet.
    fn any(&self, number: usize, lane: Lane) -> Notification {
        in_lane(&self.bots[number % self.bots.len()], 1, lane)
    }

    /// One that an earlier version has accepted.
    async fn accept_as_before(&mut self, lane: Lane, status: Status) {
        let one = self.any(self.all.len() / 2, lane);
        let mut record = Record::accepted(one.clone());
        record.apply(RecordUpdate::of(status, Timestamp::now()));
        write_as_before(&mut self.connection, &self.namespace, &record).await;
        self.all.push((one, status));
    }

    /// What the script of an earlier version does when one has ended.
    async fn end_as_before(&mut self, place: usize) {
        let (one, was) = self.all[place].clone();
        self.all[place].1 = Status::Failed;
        let (namespace, id) = (&self.namespace, one.id.to_string());
        for (command, status) in [("ZREM", was), ("ZADD", Status::Failed)] {
            let status = status.as_str();
            for index in [format!("{namespace}:i:status:{status}"), format!("{namespace}:i:bot:{}:{status}", one.bot)] {
                let mut change = redis::cmd(command);
                change.arg(index);
                if command == "ZADD" {
                    change.arg(0);
                }
                change.arg(&id).query_async::<()>(&mut self.connection).await.expect(command);
            }
        }
        let mut set = redis::cmd("HSET");
        set.arg(format!("{namespace}:n:{id}")).arg("status").arg(Status::Failed.as_str());
        set.query_async::<()>(&mut self.connection).await.expect("HSET");
    }

    async fn settle(&mut self, place: usize, status: Status) {
        let (one, was) = &mut self.all[place];
        if self.ledger.settle(one, &RecordUpdate::of(status, Timestamp::now())).await.expect("settle") {
            *was = status;
        }
    }

    /// As if the last count were an hour old.
    async fn let_an_hour_pass(&mut self) {
        let mut set = redis::cmd("HSET");
        set.arg(format!("{}:lanes", self.namespace)).arg("").arg(0);
        set.query_async::<()>(&mut self.connection).await.expect("HSET");
    }
}

#[tokio::test]
async fn what_an_earlier_version_left_counts_in_its_lane() {
    let mut counted = Counted::new("r-count-left").await;
    for number in 0..700 {
        let status = if number % 2 == 0 { Status::Queued } else { Status::OPEN[number % 5] };
        counted.accept_as_before(Lane::ALL[number % 3], status).await;
    }
    assert_eq!(counted.told().await, counted.expected());
    for place in 0..300 {
        counted.settle(place, [Status::Sent, Status::Retrying, Status::Held][place % 3]).await;
    }
    assert_eq!(counted.told().await, counted.expected());
}

/// How much is open is right at once, and in which lanes within the hour.
#[tokio::test]
async fn what_an_earlier_version_does_beside_is_made_up_for() {
    let mut counted = Counted::new("r-count-beside").await;
    for number in 0..30 {
        counted.all.push((counted.any(number / 5, Lane::ALL[number % 3]), Status::Queued));
        counted.settle(number, Status::Queued).await;
    }
    assert_eq!(counted.told().await, counted.expected());
    for number in 0..8 {
        counted.end_as_before(number).await;
        counted.accept_as_before(Lane::ALL[number * 2 % 3], Status::Queued).await;
        counted.accept_as_before(Lane::Bulk, Status::Scheduled).await;
    }
    let all_lanes = |open: Vec<OpenByLane>| open.iter().map(OpenByLane::all_lanes).collect::<Vec<_>>();
    assert_eq!(all_lanes(counted.told().await), all_lanes(counted.expected()));
    counted.let_an_hour_pass().await;
    assert_eq!(counted.told().await, counted.expected());
}

/// By several at a time.
#[tokio::test]
async fn what_changes_while_lanes_are_counted_anew_is_counted_once() {
    let mut counted = Counted::new("r-count-anew").await;
    let mut random = fastrand::Rng::with_seed(5);
    for number in 0..900 {
        counted.all.push((counted.any(random.usize(..), random.choice(Lane::ALL).expect("some")), Status::Queued));
        counted.settle(number, Status::Queued).await;
    }
    for _ in 0..20 {
        counted.let_an_hour_pass().await;
        let (other, bots) = (ledger_in(&counted.namespace), counted.bots.clone());
        let counting = tokio::spawn(async move {
            let (first, second) = tokio::join!(other.count_open(&bots), other.count_open(&bots));
            first.and(second).expect("count_open")
        });
        for _ in 0..20 {
            let place = random.usize(0..counted.all.len());
            counted.settle(place, random.choice(Status::ALL).expect("some")).await;
        }
        counting.await.expect("no panic");
        assert_eq!(counted.told().await, counted.expected());
    }
}
