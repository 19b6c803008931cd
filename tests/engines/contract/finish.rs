//! The contract of [`Ledger::finish`], with the queue that the delivery came from: settled and acked, whoever does the second.

use super::acceptor::AcceptorPorts;
use super::{bot, eventually, next, notification, ownership};
use pixcourier::domain::{BotName, MediaKind, Notification, RecordUpdate, Sha256, Status, Timestamp};
use pixcourier::ports::{
    BeginConditions, Cancelled, Delivery, Depth, FileIds, FileKey, Finished, QueueError, Submission, Subscription,
};

/// The bots that the suite uses.
pub const BOTS: [&str; 3] = ["f-acked", "f-final", "f-stale"];

/// Runs every check.
pub async fn suite(ports: AcceptorPorts) {
    what_is_finished_is_settled_and_leaves_the_queue(&ports).await;
    what_has_ended_otherwise_is_not_settled_and_leaves_the_queue(&ports).await;
    under_a_stale_receipt_it_is_settled_and_stays_with_its_owner(&ports).await;
}

async fn accept(ports: &AcceptorPorts, name: &BotName, chat: i64) -> Notification {
    let notification = notification(name, chat);
    let submission = Submission { notification: notification.clone(), idempotency: None };
    ports.acceptor.accept(&submission).await.expect("accept");
    notification
}

async fn subscribe(ports: &AcceptorPorts, name: &BotName, window: u16) -> Subscription {
    let mut subscription = ports.queue.subscribe(name, window).await.expect("subscribe");
    ownership(&mut subscription).await;
    subscription
}

async fn begin(ports: &AcceptorPorts, delivery: &Delivery) {
    let begun = ports.ledger.begin(&delivery.notification, Timestamp::now(), &BeginConditions::NONE).await;
    begun.expect("begin");
}

/// As a courier does it: what the ledger does not ack, the queue does.
async fn finish(ports: &AcceptorPorts, delivery: &Delivery, status: Status, learnt: &FileIds) -> bool {
    let update = RecordUpdate::of(status, Timestamp::now());
    let finished = ports.ledger.finish(&delivery.notification, &delivery.receipt, &update, learnt).await;
    let Finished { recorded, acked } = finished.expect("finish");
    if !acked {
        ports.queue.ack(&delivery.receipt).await.expect("ack");
    }
    recorded
}

async fn status(ports: &AcceptorPorts, notification: &Notification) -> Status {
    ports.ledger.get(notification.id).await.expect("get").expect("a record").status
}

async fn depth_becomes(ports: &AcceptorPorts, name: &BotName, normal: u64) {
    let ask = async || ports.queue.depth(name).await.ok();
    eventually(&format!("the depth of {name}"), Some(Depth { lanes: [0, normal, 0] }), ask).await;
}

/// Its record is final and its file_ids are kept; the next one has its place in the window, and no owner gets it again.
async fn what_is_finished_is_settled_and_leaves_the_queue(ports: &AcceptorPorts) {
    let name = bot("f-acked");
    let (first, second) = (accept(ports, &name, 1).await, accept(ports, &name, 2).await);
    let mut subscription = subscribe(ports, &name, 1).await;
    let delivery = next(&mut subscription).await;
    assert_eq!(delivery.notification.id, first.id);
    begin(ports, &delivery).await;
    let key = FileKey { bot_id: 7, kind: MediaKind::Photo, sha256: Sha256::of(b"finished") };
    assert!(finish(ports, &delivery, Status::Sent, &FileIds::from_iter([(key, "AgAC".to_owned())])).await);
    assert_eq!(status(ports, &first).await, Status::Sent);
    assert_eq!(ports.media.file_id(&key).await.expect("file_id").as_deref(), Some("AgAC"));

    let delivery = next(&mut subscription).await;
    assert_eq!(delivery.notification.id, second.id, "an end makes room in the window");
    depth_becomes(ports, &name, 1).await;
    drop(subscription);
    let mut subscription = subscribe(ports, &name, 8).await;
    let delivery = next(&mut subscription).await;
    assert_eq!(delivery.notification.id, second.id, "the one that is finished is gone");
    begin(ports, &delivery).await;
    assert!(finish(ports, &delivery, Status::Failed, &FileIds::new()).await);
    depth_becomes(ports, &name, 0).await;
}

/// Cancelled while it was held, it stays that.
async fn what_has_ended_otherwise_is_not_settled_and_leaves_the_queue(ports: &AcceptorPorts) {
    let name = bot("f-final");
    let mut subscription = subscribe(ports, &name, 8).await;
    let cancelled = accept(ports, &name, 1).await;
    let delivery = next(&mut subscription).await;
    let answer = ports.ledger.cancel(cancelled.id, Timestamp::now()).await.expect("cancel");
    assert!(matches!(answer, Cancelled::Done(_)), "{answer:?}");
    assert!(!finish(ports, &delivery, Status::Failed, &FileIds::new()).await, "it is final already");
    assert_eq!(status(ports, &cancelled).await, Status::Cancelled);
    depth_becomes(ports, &name, 0).await;
}

/// What happened is written all the same, and the delivery belongs to whoever owns the bot now.
async fn under_a_stale_receipt_it_is_settled_and_stays_with_its_owner(ports: &AcceptorPorts) {
    let name = bot("f-stale");
    let mut former = subscribe(ports, &name, 8).await;
    let sent = accept(ports, &name, 1).await;
    let stale = next(&mut former).await;
    begin(ports, &stale).await;
    drop(former);
    let mut subscription = subscribe(ports, &name, 8).await;
    let current = next(&mut subscription).await;
    assert_eq!(current.notification.id, sent.id, "it was not acked");

    let update = RecordUpdate::of(Status::Sent, Timestamp::now());
    let finished = ports.ledger.finish(&stale.notification, &stale.receipt, &update, &FileIds::new()).await;
    assert_eq!(finished.expect("finish"), Finished { recorded: true, acked: false });
    assert!(matches!(ports.queue.ack(&stale.receipt).await, Err(QueueError::Stale)));
    assert_eq!(status(ports, &sent).await, Status::Sent);
    depth_becomes(ports, &name, 1).await;
    assert!(!finish(ports, &current, Status::Failed, &FileIds::new()).await, "it is final already");
    depth_becomes(ports, &name, 0).await;
}
