//! Writes what must not be lost: outcomes to the ledger, follow-ups and acks to the queue. Each is tried until it is
//! written.

use super::count::count_finished;
use crate::delivery::context::CourierContext;
use crate::delivery::timeouts::WRITE_BACKOFF;
use crate::domain::{Notification, RecordUpdate, Status, Timestamp};
use crate::ports::{FileIds, Finished, LedgerError, Outcome, QueueError, Receipt};

/// Records a final status and the file_ids that were learnt, tells a caller who waits, acks, and counts.
pub(super) async fn finish(
    context: &CourierContext,
    notification: &Notification,
    receipt: &Receipt,
    update: &RecordUpdate,
    learnt: &FileIds,
) {
    let ends_followers = update.status != Status::Sent && !notification.then.is_empty();
    let Finished { recorded, acked } = if ends_followers {
        // They end before the ack: after a crash in between it is delivered again, and they end then.
        let recorded = record_outcome(context, notification, update, learnt).await;
        Box::pin(end_followers(context, notification, update.at)).await;
        Finished { recorded, acked: false }
    } else {
        let ledger = &context.ports.ledger;
        until_written(update, || ledger.finish(notification, receipt, update, learnt)).await
    };
    if let Some(address) = notification.reply_to.as_deref().filter(|_| recorded) {
        context.ports.outcome_notifier.notify(address, notification.id, &Outcome::of(update)).await;
    }
    if !acked {
        ack(context, receipt).await;
    }
    if recorded {
        count_finished(context, notification, update);
    }
}

/// Ends what follows one that has ended unsent.
pub(super) async fn end_followers(context: &CourierContext, notification: &Notification, at: Timestamp) {
    let update = RecordUpdate::not_followed(at);
    for waiting in notification.waiting() {
        if record_outcome(context, &waiting, &update, &FileIds::new()).await {
            count_finished(context, &waiting, &update);
        }
    }
}

/// Writes to the ledger. Returns whether the record took it (it does not if it was final already).
pub(super) async fn record_outcome(
    context: &CourierContext,
    notification: &Notification,
    update: &RecordUpdate,
    learnt: &FileIds,
) -> bool {
    let ledger = &context.ports.ledger;
    until_written(update, || ledger.settle_with(notification, update, learnt)).await
}

/// Repeats a write of an outcome until it succeeds.
async fn until_written<T, W>(update: &RecordUpdate, write: impl Fn() -> W) -> T
where
    W: Future<Output = Result<T, LedgerError>>,
{
    let mut backoff = WRITE_BACKOFF.start();
    loop {
        match write().await {
            Ok(written) => return written,
            Err(error) => {
                tracing::warn!(%error, status = update.status.as_str(), "cannot record the outcome yet");
                backoff.wait().await;
            }
        }
    }
}

/// Queues what follows a notification: it was accepted with what it follows.
pub(super) async fn publish_follow_up(context: &CourierContext, next: &Notification) {
    let mut backoff = WRITE_BACKOFF.start();
    while let Err(error) = context.ports.queue.publish(next).await {
        tracing::warn!(%error, next = %next.id, "cannot queue what follows yet");
        backoff.wait().await;
    }
}

/// Acks a delivery, unless it is no longer ours.
pub async fn ack(context: &CourierContext, receipt: &Receipt) {
    let mut backoff = WRITE_BACKOFF.start();
    while let Err(QueueError::Unavailable(reason) | QueueError::Unconfirmed(reason) | QueueError::Full(reason)) =
        context.ports.queue.ack(receipt).await
    {
        tracing::warn!(%reason, "cannot ack yet");
        backoff.wait().await;
    }
}
