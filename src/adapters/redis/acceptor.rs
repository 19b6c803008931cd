//! Accepting notifications on RabbitMQ and Redis.
//!
//! The order of effects, and what a crash after each leaves behind: reserve the idempotency key (the caller's retry takes
//! over the reservation, with the same id), publish and await the publisher confirm
//! (delivered; the courier writes the missing record, and a retry with the key publishes the same id again, which the
//! courier finds sent), write the record and pin the images, mark the key as accepted. So a notification is accepted exactly
//! when the broker has confirmed it; and nobody has been told so before its images are pinned. What is stored is not swept
//! within the hour.
//!
//! While Redis is away a request without a key is accepted all the same: its record and its pins wait in memory. One
//! with a key is not: nobody could tell whether it was used before.

use super::idempotency::Reservation;
use super::reopening::{Reopened, Reopens};
use super::write_behind::WriteBehindLedger;
use crate::domain::{Notification, Record, RecordUpdate, Status, Timestamp};
use crate::ports::{
    AcceptError, Accepted, Acceptor, Idempotency, Ledger, LedgerError, Queue, QueueError, Resubmitted, Submission,
};
use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long to wait for another process that has reserved the same key, and how often to ask.
const RESERVATION_TIMEOUT: Duration = Duration::from_secs(3);
const RESERVATION_POLL_INTERVAL: Duration = Duration::from_millis(50);

/// [`Acceptor`] over a queue and the Redis ledger.
pub struct DistributedAcceptor {
    queue: Arc<dyn Queue>,
    ledger: Arc<WriteBehindLedger>,
}

impl DistributedAcceptor {
    /// An acceptor that publishes to `queue` and records in `ledger`.
    pub fn new(queue: Arc<dyn Queue>, ledger: Arc<WriteBehindLedger>) -> Self {
        Self { queue, ledger }
    }

    /// Reserves the key, waiting for a process that has reserved it. `replayed`: the response to an earlier request.
    async fn reserve_key(&self, key: &Idempotency, notification: &Notification) -> Result<Accepted, AcceptError> {
        let deadline = Instant::now() + RESERVATION_TIMEOUT;
        loop {
            let reservation = self.ledger.redis().reserve_key(key, notification);
            match self.ledger.ask(reservation).await.map_err(ledger_unavailable)? {
                Reservation::Ours(accepted) | Reservation::Done(accepted) => return Ok(accepted),
                Reservation::OtherRequest => return Err(AcceptError::KeyReused),
                Reservation::Busy if Instant::now() < deadline => sleep(RESERVATION_POLL_INTERVAL).await,
                Reservation::Busy => {
                    let reason = "a request with the same idempotency key is under way".to_owned();
                    return Err(AcceptError::Unavailable { part: "ledger", reason });
                }
            }
        }
    }

    async fn publish(&self, notification: &Notification) -> Result<(), AcceptError> {
        if notification.call.blobs().next().is_some() {
            self.ledger.check_room().map_err(ledger_unavailable)?;
        }
        self.queue.publish(notification).await.map_err(queue_unavailable)
    }

    /// Writes the record and marks the key. Logs what fails and returns no error: the broker has the notification, so an
    /// error would only make the caller send it again.
    async fn record_accepted(&self, notification: &Notification, key: Option<&Idempotency>) {
        if let Err(error) = self.ledger.create(notification).await {
            tracing::warn!(notification = %notification.id, %error, "accepted, but not recorded until its courier has it");
        }
        for waiting in notification.waiting() {
            if let Err(error) = self.ledger.create(&waiting).await {
                tracing::warn!(notification = %waiting.id, %error, "accepted, but not recorded until it is sent");
            }
        }
        if let Some(key) = key
            && let Err(error) = self.ledger.mark_key_accepted(&key.key).await
        {
            tracing::warn!(notification = %notification.id, %error, "accepted, but its idempotency key is not marked");
        }
    }
}

impl DistributedAcceptor {
    /// Lets what has ended because this one was not sent wait for it again. Logs what fails: what follows then stays ended.
    async fn reopen_waiting(&self, notification: &Notification) {
        let redis = self.ledger.redis();
        for waiting in notification.waiting() {
            match self.ledger.get(waiting.id).await {
                Ok(Some(former)) if former.ended_unfollowed() => {}
                _ => continue,
            }
            match self.ledger.ask(redis.reopen(&waiting, Reopens::Ended)).await {
                Ok(_) => _ = redis.finish_reopening(waiting.id).await,
                Err(error) => tracing::warn!(notification = %waiting.id, %error, "does not wait again"),
            }
        }
    }

    /// Ends them again: what they follow will not be sent.
    async fn end_waiting(&self, notification: &Notification) {
        let update = RecordUpdate::not_followed(Timestamp::now());
        for waiting in notification.waiting() {
            if let Err(error) = self.ledger.settle(&waiting, &update).await {
                tracing::warn!(notification = %waiting.id, %error, "waits for what will not be sent");
            }
        }
    }
}

#[async_trait]
impl Acceptor for DistributedAcceptor {
    async fn accept(&self, submission: &Submission) -> Result<Accepted, AcceptError> {
        let mut notification = submission.notification.clone();
        let key = submission.idempotency.as_ref();
        let accepted = match key {
            Some(key) => Box::pin(self.reserve_key(key, &notification)).await?,
            None => Accepted {
                id: notification.id,
                status: Status::accepted(&notification),
                accepted_at: notification.accepted_at,
                replayed: false,
            },
        };
        if accepted.replayed {
            return Ok(accepted);
        }
        // Those of an earlier request with this key that came to nothing, if there was one.
        notification.accepted_at = accepted.accepted_at;
        let notification = notification.identified(accepted.id);
        if let Err(error) = self.publish(&notification).await {
            if let Some(key) = key {
                // Without this the retry has to wait until the reservation counts as abandoned.
                let _ = self.ledger.redis().release_key(&key.key).await;
            }
            return Err(error);
        }
        self.record_accepted(&notification, key).await;
        Ok(accepted)
    }

    async fn recall(&self, key: &Idempotency) -> Result<Option<Accepted>, AcceptError> {
        let recalled = self.ledger.redis().recall_key(key);
        match self.ledger.ask(recalled).await.map_err(ledger_unavailable)? {
            Some(Reservation::OtherRequest) => Err(AcceptError::KeyReused),
            Some(Reservation::Done(accepted)) => Ok(Some(accepted)),
            Some(Reservation::Ours(_) | Reservation::Busy) | None => Ok(None),
        }
    }

    async fn resubmit(&self, notification: &Notification) -> Result<Resubmitted, AcceptError> {
        self.reopen_and_publish(notification, Reopens::Ended).await
    }

    async fn resume(&self, notification: &Notification) -> Result<Resubmitted, AcceptError> {
        self.reopen_and_publish(notification, Reopens::Abandoned).await
    }

    /// Asks the queue alone: without Redis, requests without a key are still accepted.
    async fn ready(&self) -> Result<(), AcceptError> {
        self.queue.ready().await.map_err(queue_unavailable)
    }
}

impl DistributedAcceptor {
    /// Opens the record, and pins, before it publishes, since a courier stops at a final one; puts it back if that fails. After a
    /// crash in between, the next resubmission finds it open with nothing on its way, and publishes.
    async fn reopen_and_publish(
        &self,
        notification: &Notification,
        reopens: Reopens,
    ) -> Result<Resubmitted, AcceptError> {
        let former = self.ledger.get(notification.id).await.map_err(ledger_unavailable)?;
        let Some(former) = former else { return Ok(Resubmitted::NotFound) };
        // Couriers tell the copies apart by it, also when another machine's clock, ahead of ours, wrote the former.
        let accepted_at = notification.accepted_at.max(former.notification.accepted_at.plus(Duration::from_millis(1)));
        let notification = &Notification { accepted_at, ..notification.clone() };
        let redis = self.ledger.redis();
        let reopened = self.ledger.ask(redis.reopen(notification, reopens)).await;
        let reopening = match reopened.map_err(ledger_unavailable)? {
            Reopened::Done(reopening) => reopening,
            Reopened::Refused(status) => return Ok(Resubmitted::Refused(status)),
            Reopened::NotFound => return Ok(Resubmitted::NotFound),
        };
        // Before it can be sent, and what follows with it.
        self.reopen_waiting(notification).await;
        if let Err(error) = self.publish(notification).await {
            let restored = redis.restore(&reopening).await;
            if let Ok(true) = restored {
                self.end_waiting(notification).await;
            }
            match (restored, error) {
                // A courier has it.
                (Ok(false), AcceptError::Unconfirmed(_)) => {}
                // Final again: a courier that gets it sends nothing.
                (Ok(true), AcceptError::Unconfirmed(reason)) => {
                    return Err(AcceptError::Unavailable { part: "queue", reason });
                }
                (Ok(_), error) => return Err(error),
                (Err(_), error) => {
                    tracing::warn!(notification = %notification.id, "its record stays open until it is retried");
                    return Err(error);
                }
            }
        }
        // Forgetting this mark is harmless once its courier has begun.
        let _ = redis.finish_reopening(notification.id).await;
        let attempts = reopening.before.attempts;
        Ok(Resubmitted::Done(Box::new(Record { attempts, ..Record::accepted(notification.clone()) })))
    }
}

fn ledger_unavailable(LedgerError::Unavailable(reason): LedgerError) -> AcceptError {
    AcceptError::Unavailable { part: "ledger", reason }
}

fn queue_unavailable(error: QueueError) -> AcceptError {
    match error {
        QueueError::Full(reason) => AcceptError::Full(reason),
        QueueError::Unconfirmed(reason) => AcceptError::Unconfirmed(reason),
        QueueError::Unavailable(reason) => AcceptError::Unavailable { part: "queue", reason },
        QueueError::Stale => AcceptError::Unavailable { part: "queue", reason: error.to_string() },
    }
}
