//! Intake on RabbitMQ and Redis: the contract, and what remains when a step fails in between. There the queue only keeps
//! what is published, and can be told to refuse or to hang.

use crate::engines::contract::{
    WAIT_TIMEOUT, acceptor as contract, bot, callbacks, callbacks::CallbackPorts, event_log, event_log::EventPorts,
    eventually, finish, in_lane, ledger_backlog, ledger_conditions, ledger_counts, ledger_migrations, notification,
    pauses, pauses::PausePorts, with_image,
};
use crate::support::{Redis, amqp_url, redis_url};
use async_trait::async_trait;
use pixcourier::adapters::rabbitmq::RabbitQueue;
use pixcourier::adapters::redis::{DistributedAcceptor, RedisLedger, WriteBehindLedger};
use pixcourier::domain::{
    BotName, Failure, FailureClass, FollowUp, Lane, Notification, RecordUpdate, Sha256, Status, Timestamp,
};
use pixcourier::ports::{
    AcceptError, Acceptor, Begin, BeginConditions, Depth, HandOver, Idempotency, Ledger, MediaIndex, OpenByLane, Queue,
    QueueError, Receipt, Resubmitted, Submission, Subscription,
};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

/// The counter's side of a queue.
#[derive(Default)]
pub struct Outbox {
    published: Mutex<Vec<Notification>>,
    asked: AtomicUsize,
    refuses: AtomicBool,
    hangs: AtomicBool,
}

impl Outbox {
    fn published(&self) -> Vec<Notification> {
        self.published.lock().expect("no test panics with it").clone()
    }

    fn answer(&self) -> Result<(), QueueError> {
        match self.refuses.load(Ordering::Relaxed) {
            true => Err(QueueError::Unavailable("told to refuse".to_owned())),
            false => Ok(()),
        }
    }
}

#[async_trait]
impl Queue for Outbox {
    async fn publish(&self, notification: &Notification) -> Result<(), QueueError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if self.hangs.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        self.answer()?;
        self.published.lock().expect("no test panics with it").push(notification.clone());
        Ok(())
    }
    async fn subscribe(&self, _: &BotName, _: u16) -> Result<Subscription, QueueError> {
        Err(QueueError::Stale)
    }
    async fn ack(&self, _: &Receipt) -> Result<(), QueueError> {
        Err(QueueError::Stale)
    }
    async fn defer(&self, _: &Receipt, _: &Notification, _: Timestamp) -> Result<(), QueueError> {
        Err(QueueError::Stale)
    }
    async fn release(&self, _: &BotName, _: u64, _: HandOver) -> Result<(), QueueError> {
        Err(QueueError::Stale)
    }
    async fn depth(&self, _: &BotName) -> Result<Depth, QueueError> {
        Ok(Depth::default())
    }
    async fn ready(&self) -> Result<(), QueueError> {
        self.answer()
    }
}

struct TestAcceptor {
    redis: Redis,
    outbox: Arc<Outbox>,
    ledger: Arc<WriteBehindLedger>,
    acceptor: DistributedAcceptor,
}

async fn setup() -> TestAcceptor {
    let redis = Redis::launch().await;
    let ledger = RedisLedger::new(&redis.url().into(), "test").expect("a valid URL");
    let ledger = WriteBehindLedger::new(Arc::new(ledger));
    let outbox = Arc::new(Outbox::default());
    let acceptor = DistributedAcceptor::new(Arc::clone(&outbox) as Arc<dyn Queue>, Arc::clone(&ledger));
    TestAcceptor { redis, outbox, ledger, acceptor }
}

fn plainly(notification: Notification) -> Submission {
    Submission { notification, idempotency: None }
}

fn with_key(chat: i64, key: &str) -> Submission {
    let idempotency = Idempotency { key: key.to_owned(), fingerprint: "the same".to_owned() };
    Submission { notification: notification(&bot("a-fault"), chat), idempotency: Some(idempotency) }
}

fn is_away(error: &AcceptError, which: &str) -> bool {
    matches!(error, AcceptError::Unavailable { part, .. } if *part == which)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rabbitmq_and_redis_keep_the_contract_of_the_acceptor() {
    let namespace = format!("test-{:08x}", fastrand::u32(..));
    let bots = contract::BOTS.into_iter().chain(finish::BOTS).map(bot).collect();
    let queue = RabbitQueue::connect(vec![amqp_url().into()], namespace.clone(), bots);
    eventually("readiness", true, async || queue.ready().await.is_ok()).await;
    let ledger = RedisLedger::new(&redis_url().into(), &namespace).expect("a valid URL");
    let ledger = WriteBehindLedger::new(Arc::new(ledger));
    let acceptor = Arc::new(DistributedAcceptor::new(Arc::clone(&queue) as Arc<dyn Queue>, Arc::clone(&ledger)));
    let media = Arc::clone(&ledger) as Arc<dyn MediaIndex>;
    let ports = contract::AcceptorPorts { acceptor, queue: queue.clone(), ledger, media };
    contract::suite(ports.clone()).await;
    finish::suite(ports).await;
    queue.close().await;
}

#[tokio::test]
async fn the_ledger_keeps_the_contract_of_begin() {
    let setup = setup().await;
    let acceptor = Arc::new(setup.acceptor);
    ledger_conditions::suite(acceptor.clone(), setup.ledger.clone()).await;
    ledger_migrations::suite(acceptor, setup.ledger).await;
}

#[tokio::test]
async fn what_is_accepted_counts_in_its_lane_in_every_process() {
    let setup = setup().await;
    let ledger: Arc<dyn Ledger> = setup.ledger;
    let acceptor: Arc<dyn Acceptor> = Arc::new(setup.acceptor);
    let counted = ledger_counts::what_is_accepted_counts_in_its_lane(&acceptor, &ledger).await;
    let other = RedisLedger::new(&setup.redis.url().into(), "test").expect("a valid URL");
    ledger_counts::they_are_the_same(&(Arc::new(other) as Arc<dyn Ledger>), counted).await;
}

#[tokio::test]
async fn what_could_not_be_taken_in_again_counts_nowhere() {
    let setup = setup().await;
    let bulk = in_lane(&bot("a-fault"), 1, Lane::Bulk);
    let urgent = Notification { lane: Lane::Urgent, ..bulk.clone() };
    let counted = async || setup.ledger.count_open(&[bot("a-fault")]).await.expect("count_open")[0];
    let mut expected = OpenByLane::default();
    setup.acceptor.accept(&plainly(bulk.clone())).await.expect("accepted");
    expected.set(Lane::Bulk, Status::Queued, 1);
    assert_eq!(counted().await, expected);
    setup.ledger.cancel(bulk.id, Timestamp::now()).await.expect("cancel");
    setup.outbox.refuses.store(true, Ordering::Relaxed);
    setup.acceptor.resubmit(&urgent).await.expect_err("not published");
    assert_eq!(counted().await, OpenByLane::default());
    setup.outbox.refuses.store(false, Ordering::Relaxed);
    setup.acceptor.resubmit(&urgent).await.expect("resubmit");
    expected = OpenByLane::default();
    expected.set(Lane::Urgent, Status::Queued, 1);
    assert_eq!(counted().await, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_pauses_keep_their_contract() {
    let setup = setup().await;
    let acceptor = Arc::new(setup.acceptor);
    let other = RedisLedger::new(&setup.redis.url().into(), "test").expect("a valid URL");
    let other = WriteBehindLedger::new(Arc::new(other));
    let (ledger, pauses) = (setup.ledger.clone(), setup.ledger.clone());
    pauses::suite(PausePorts { acceptor: acceptor.clone(), ledger, pauses }, other).await;
    ledger_backlog::suite(acceptor, setup.ledger).await;
}

#[tokio::test]
async fn the_callbacks_keep_their_contract() {
    let ledger = Arc::new(RedisLedger::new(&redis_url().into(), &format!("test-{:08x}", fastrand::u32(..))).unwrap());
    let outbox = Arc::new(Outbox::default());
    let acceptor = DistributedAcceptor::new(outbox, WriteBehindLedger::new(ledger.clone()));
    let ports = CallbackPorts { acceptor: Arc::new(acceptor), ledger: ledger.clone(), callbacks: ledger };
    callbacks::suite(ports).await;
}

#[tokio::test]
async fn the_event_log_keeps_its_contract() {
    let ledger = Arc::new(RedisLedger::new(&redis_url().into(), &format!("test-{:08x}", fastrand::u32(..))).unwrap());
    let acceptor = DistributedAcceptor::new(Arc::new(Outbox::default()), WriteBehindLedger::new(ledger.clone()));
    event_log::suite(EventPorts { acceptor: Arc::new(acceptor), ledger: ledger.clone(), log: ledger }).await;
}

#[tokio::test]
async fn what_the_queue_refuses_is_not_accepted_and_its_retry_keeps_the_id() {
    let setup = setup().await;
    setup.outbox.refuses.store(true, Ordering::Relaxed);
    assert!(is_away(&setup.acceptor.ready().await.unwrap_err(), "queue"));
    let first = with_key(1, "order");
    assert!(is_away(&setup.acceptor.accept(&first).await.unwrap_err(), "queue"));
    assert_eq!(setup.ledger.get(first.notification.id).await.unwrap(), None, "nothing is on record");

    setup.outbox.refuses.store(false, Ordering::Relaxed);
    let started = Instant::now();
    let accepted = setup.acceptor.accept(&with_key(1, "order")).await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(1), "the reservation was let go of");
    assert_eq!((accepted.id, accepted.accepted_at), (first.notification.id, first.notification.accepted_at));
    assert!(!accepted.replayed, "it is the first acceptance");
    let published = setup.outbox.published();
    assert_eq!(published.iter().map(|one| one.id).collect::<Vec<_>>(), [first.notification.id]);
    let record = setup.ledger.get(accepted.id).await.unwrap().expect("recorded");
    assert_eq!((record.status, &record.notification), (Status::Queued, &published[0]));
    assert!(setup.acceptor.accept(&with_key(1, "order")).await.unwrap().replayed);
    assert_eq!(setup.outbox.published().len(), 1);
}

/// The caller, or the process, went away in the middle of the publish.
#[tokio::test]
async fn a_reservation_that_came_to_nothing_is_taken_over() {
    let setup = Arc::new(setup().await);
    setup.outbox.hangs.store(true, Ordering::Relaxed);
    let first = with_key(1, "dropped");
    let accepting = tokio::spawn({
        let (setup, first) = (Arc::clone(&setup), first.clone());
        async move { setup.acceptor.accept(&first).await.map(drop) }
    });
    eventually("the publish", 1, async || setup.outbox.asked.load(Ordering::Relaxed)).await;
    accepting.abort();
    setup.outbox.hangs.store(false, Ordering::Relaxed);

    let busy = setup.acceptor.accept(&with_key(1, "dropped")).await.unwrap_err();
    assert!(is_away(&busy, "ledger"), "it may still be at it: {busy}");
    let mut other = Submission { notification: notification(&bot("a-fault"), 1), ..with_key(1, "dropped") };
    let (id, call) = (other.notification.id.following(), other.notification.call.clone());
    other.notification.then = vec![FollowUp { id, call }];
    let retry = async || setup.acceptor.accept(&other).await.ok().map(|accepted| (accepted.id, accepted.replayed));
    eventually("the retry", Some((first.notification.id, false)), retry).await;
    let published = setup.outbox.published();
    assert_eq!(published.iter().map(|one| one.id).collect::<Vec<_>>(), [first.notification.id]);
    assert_eq!(published[0].then[0].id, first.notification.id.following(), "what follows is numbered from there");
    assert_eq!(setup.ledger.get(other.notification.id).await.unwrap(), None);
}

#[tokio::test]
async fn without_redis_only_requests_without_a_key_are_accepted() {
    let mut setup = setup().await;
    setup.redis.kill9();
    assert!(is_away(&setup.acceptor.accept(&with_key(1, "key")).await.unwrap_err(), "ledger"));
    let sent = with_image(&bot("a-fault"), 2, Sha256::of(b"an image"));
    let accepted = setup.acceptor.accept(&plainly(sent.clone())).await.unwrap();
    assert_eq!((accepted.id, accepted.status, accepted.replayed), (sent.id, Status::Queued, false));
    assert!(is_away(&setup.acceptor.resubmit(&sent).await.unwrap_err(), "ledger"));
    setup.acceptor.ready().await.expect("intake goes on");
    assert_eq!(setup.outbox.published(), std::slice::from_ref(&sent));

    setup.redis.start().await;
    assert_eq!(setup.ledger.flush(Instant::now() + WAIT_TIMEOUT).await, 0);
    assert_eq!(setup.ledger.get(sent.id).await.unwrap().expect("recorded").notification, sent);
    assert!(setup.ledger.is_pinned(&Sha256::of(b"an image"), Timestamp::now()).await.unwrap());
    eventually("requests with a key", true, async || setup.acceptor.accept(&with_key(1, "key")).await.is_ok()).await;
}

#[tokio::test]
async fn a_retry_that_cannot_be_published_leaves_the_record_as_it_was() {
    let setup = setup().await;
    let sent = notification(&bot("a-fault"), 3);
    let sent = Notification { expires_at: sent.accepted_at, ..sent };
    setup.acceptor.accept(&plainly(sent.clone())).await.unwrap();
    let failure = Failure { class: FailureClass::Content, error_code: Some(400), description: "no".to_owned() };
    let end = RecordUpdate { failure: Some(failure), ..RecordUpdate::of(Status::Failed, Timestamp::now()) };
    assert!(setup.ledger.settle(&sent, &end).await.unwrap());
    let before = setup.ledger.get(sent.id).await.unwrap().expect("recorded");

    setup.outbox.refuses.store(true, Ordering::Relaxed);
    let fresh = Notification { accepted_at: Timestamp::now().plus(Duration::from_secs(1)), ..sent.clone() };
    assert!(is_away(&setup.acceptor.resubmit(&fresh).await.unwrap_err(), "queue"));
    assert_eq!(setup.ledger.get(sent.id).await.unwrap().as_ref(), Some(&before));
    assert_eq!(setup.ledger.sweep(end.at).await.unwrap(), 0);
    let later = end.at.plus(Duration::from_millis(1));

    setup.outbox.refuses.store(false, Ordering::Relaxed);
    let answer = setup.acceptor.resubmit(&fresh).await.unwrap();
    assert!(matches!(answer, Resubmitted::Done(_)), "{answer:?}");
    assert_eq!(setup.ledger.sweep(later).await.unwrap(), 0, "an open record is not swept");
    let begun = setup.ledger.begin(&fresh, Timestamp::now(), &BeginConditions::NONE).await.unwrap();
    assert_eq!(begun, Begin::Proceed { interrupted: false, interrupted_attempts: 0 });
    assert!(setup.ledger.settle(&fresh, &RecordUpdate::of(Status::Sent, end.at)).await.unwrap());
    assert_eq!(setup.ledger.sweep(later).await.unwrap(), 1);
}
