//! Trying a finished notification again under its own id.

use super::Intake;
use super::rejection::{ProblemCode, Rejection};
use super::send_request::DEFAULT_LIFE;
use crate::domain::{MediaSource, NotificationId, Record, Status, Timestamp};
use crate::ports::Resubmitted;

impl Intake {
    /// Puts one that has ended unsent on its way again, without a due time and with a fresh expiry; durable when this
    /// returns.
    ///
    /// # Errors
    /// [`ProblemCode::NotRetryable`] unless its status is retryable ([`Status::is_retryable`]), [`ProblemCode::ImageGone`]
    /// if the bytes of an image were swept, [`ProblemCode::UnknownBot`], [`ProblemCode::NotificationNotFound`], or a part
    /// of the engine is away.
    pub async fn retry(&self, id: NotificationId) -> Result<Record, Rejection> {
        let record = self.record(id).await?;
        if !record.status.is_retryable() {
            return Err(not_retryable(record.status));
        }
        let mut notification = record.notification;
        if !self.has_bot(&notification.bot) {
            return Err(Rejection::field(ProblemCode::UnknownBot, "bot", "Its bot is no longer configured."));
        }
        for media in &notification.call.media {
            let MediaSource::Blob { sha256, .. } = media.source else { continue };
            if self.ports.blobs.stat(&sha256).await?.is_none() {
                let detail =
                    "The bytes of its image were swept after their retention. Send a new notification with them.";
                return Err(Rejection::new(ProblemCode::ImageGone, detail));
            }
        }
        let now = Timestamp::now();
        (notification.accepted_at, notification.expires_at) = (now, now.plus(DEFAULT_LIFE));
        // Nobody waits for it any more.
        (notification.send_at, notification.attempts, notification.reply_to) = (None, 0, None);
        match self.ports.acceptor.resubmit(&notification).await? {
            Resubmitted::Done(record) => {
                self.count_accepted(&notification.bot, notification.lane);
                Ok(*record)
            }
            Resubmitted::Refused(status) => Err(not_retryable(status)),
            Resubmitted::NotFound => Err(Rejection::no_such_notification()),
        }
    }

    /// The record of a notification.
    ///
    /// # Errors
    /// [`ProblemCode::NotificationNotFound`], or the ledger is away.
    pub async fn record(&self, id: NotificationId) -> Result<Record, Rejection> {
        self.ports.ledger.get(id).await?.ok_or_else(Rejection::no_such_notification)
    }
}

fn not_retryable(status: Status) -> Rejection {
    let detail = format!(
        "It is {}; only one that has failed, expired, was cancelled or is unknown can be tried again.",
        status.as_str()
    );
    Rejection::new(ProblemCode::NotRetryable, detail)
}
