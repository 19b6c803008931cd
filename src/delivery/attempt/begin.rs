//! The start of an attempt, and notifications that end without a request: expired, or buried.

use super::attempt_run::AttemptRun;
use super::recording;
use super::report::AttemptReport;
use crate::delivery::next_step::NextStep;
use crate::delivery::timeouts::RETRY_BACKOFF;
use crate::domain::{Attempt, ChatId, DeliveryGuarantee, Failure, FailureClass, RecordUpdate, Status, Timestamp};
use crate::ports::{Begin, BeginConditions, FileIds, FileKey, QueueError};
use std::time::Duration;
use tokio::time::Instant;

/// For how long the end of an expired notification is tried to be written while it is held, and when it is delivered again then:
/// its courier may have held it for 20 minutes before, and a broker closes the channel of a consumer that holds a delivery for half
/// an hour (RabbitMQ).
const MAX_EXPIRING_TIME: Duration = Duration::from_secs(300);
const EXPIRING_AGAIN_AFTER: Duration = Duration::from_secs(300);

/// When the ledger is asked again about what it says is paused: by then the scheduler should know.
pub(super) const ASK_AGAIN_IF_PAUSED: Duration = Duration::from_secs(1);

/// How many attempts at a notification may be interrupted by the end of their process before the notification is taken
/// for the cause and buried, as poison messages are. Not related to `max_attempts`.
const MAX_INTERRUPTED_ATTEMPTS: u32 = 5;

impl AttemptRun {
    /// Marks the start in the ledger; returns the file_ids that there are of the files wanted, or a report if there is
    /// nothing to start.
    pub(super) async fn begin(
        &mut self,
        at: Timestamp,
        conditions: &BeginConditions,
        wanted: &[FileKey],
    ) -> Result<FileIds, AttemptReport> {
        let begun = self.context.ports.ledger.begin_with(&self.notification, at, conditions, wanted).await;
        let (begun, found) = match begun {
            Ok(begun) => begun,
            Err(error) => {
                tracing::warn!(%error, "cannot begin");
                return Err(AttemptReport::unasked(self.await_part()));
            }
        };
        match begun {
            Begin::Proceed { interrupted: false, .. } => Ok(found),
            Begin::Proceed { interrupted: true, interrupted_attempts } => {
                let ended = Box::pin(self.begin_after_interruption(at, interrupted_attempts)).await;
                ended.map_or(Ok(found), Err)
            }
            Begin::Skip(status) => {
                tracing::debug!(status = status.as_str(), "nothing to send");
                if status.is_final() && status != Status::Sent {
                    // Ended while it waited, or just before a crash.
                    Box::pin(recording::end_followers(&self.context, &self.notification, at)).await;
                }
                recording::ack(&self.context, &self.receipt).await;
                Err(AttemptReport::unasked(NextStep::Done))
            }
            Begin::TooSoon(until) => {
                tracing::debug!(%until, "too soon for its chat");
                Err(AttemptReport::unasked(NextStep::TooSoon(until.since(at))))
            }
            Begin::Behind(first) => {
                tracing::debug!(%first, "an earlier one of its chat is still to be sent");
                Err(AttemptReport::unasked(self.fall_behind()))
            }
            Begin::Paused => {
                tracing::debug!("its bot or its chat is paused");
                Err(AttemptReport::unasked(NextStep::Paused(ASK_AGAIN_IF_PAUSED)))
            }
            Begin::Migrated(to) => {
                self.notification.chat_id = ChatId::Id(to);
                Err(AttemptReport::unasked(NextStep::Migrate(ChatId::Id(to))))
            }
        }
    }

    /// The attempt before this one may have sent it: ends it if it must not be sent twice, or is a poison message.
    async fn begin_after_interruption(&self, at: Timestamp, interrupted_attempts: u32) -> Option<AttemptReport> {
        tracing::warn!(interrupted_attempts, "an attempt was interrupted; it may have been sent");
        self.context.metrics.attempts.with_label_values(&[self.context.bot_label(), "ambiguous"]).inc();
        if self.notification.delivery == DeliveryGuarantee::AtMostOnce {
            let description = "cut off before its end was seen; it may have been sent".to_owned();
            let failure = Some(Failure { class: FailureClass::Ambiguous, error_code: None, description });
            return Some(self.finish(RecordUpdate { failure, ..RecordUpdate::of(Status::Unknown, at) }).await);
        }
        if interrupted_attempts >= MAX_INTERRUPTED_ATTEMPTS {
            let description =
                format!("cut off {interrupted_attempts} times by the end of its courier; it may be what ends it");
            return Some(self.fail(FailureClass::Buried, &description).await);
        }
        None
    }

    /// How it ends when it is too late to send it: a caller who waits is refused, and told when to come again.
    pub(super) fn too_late(&self) -> Status {
        if self.notification.reply_to.is_some() { Status::Refused } else { Status::Expired }
    }

    /// Records that it has expired or is refused, unless it may have been sent. `turn`: when it would have been sent.
    pub async fn expire(mut self, turn: Timestamp) {
        let started = Instant::now();
        loop {
            let now = Timestamp::now();
            let next_attempt_at = self.notification.reply_to.is_some().then_some(turn);
            match self.begin(now, &BeginConditions::NONE, &[]).await {
                Ok(_) => {
                    self.finish(RecordUpdate { next_attempt_at, ..RecordUpdate::of(self.too_late(), now) }).await;
                    break;
                }
                Err(AttemptReport { next: NextStep::TooSoon(_) | NextStep::Paused(_), .. }) => {
                    // No mark was set, so whether one is left of an earlier attempt must be asked for.
                    let attempt = self.is_marked().await.then(|| Attempt::interrupted(now));
                    let interrupted = attempt.is_some() && self.notification.delivery == DeliveryGuarantee::AtMostOnce;
                    let status = if interrupted { Status::Unknown } else { self.too_late() };
                    self.finish(RecordUpdate { attempt, next_attempt_at, ..RecordUpdate::of(status, now) }).await;
                    break;
                }
                Err(AttemptReport { next: NextStep::AwaitPart(_), .. }) => {
                    if started.elapsed() >= MAX_EXPIRING_TIME && self.put_back(now.plus(EXPIRING_AGAIN_AFTER)).await {
                        break;
                    }
                    tokio::time::sleep(RETRY_BACKOFF.pause(4, fastrand::f64())).await;
                }
                Err(AttemptReport { next: NextStep::Migrate(_), .. }) => {}
                Err(_) => break,
            }
        }
    }

    /// Whether it is held here no longer, but comes back from the queue.
    async fn put_back(&self, until: Timestamp) -> bool {
        match self.context.ports.queue.defer(&self.receipt, &self.notification, until).await {
            Ok(()) | Err(QueueError::Stale) => true,
            Err(QueueError::Unavailable(_) | QueueError::Unconfirmed(_) | QueueError::Full(_)) => false,
        }
    }

    /// Whether its record says that an attempt is under way.
    async fn is_marked(&self) -> bool {
        let found = self.context.ports.ledger.get(self.notification.id).await;
        matches!(found, Ok(Some(record)) if record.status == Status::Sending)
    }

    /// Records that its attempts have panicked too often.
    pub async fn bury(self, description: &str) {
        self.fail(FailureClass::Buried, description).await;
    }
}
