//! Retries a finished notification under its own id, at its caller's request.

use super::accept::Intake;
use super::rejection::{ProblemCode, Rejection};
use super::send_request::DEFAULT_LIFETIME;
use crate::domain::{BotName, MediaSource, Notification, NotificationId, Record, Status, Timestamp};
use crate::ports::Resubmitted;
use std::time::Duration;

impl Intake {
    /// Accepts one that has ended unsent again, to be sent at its `send_at` if that still lies ahead, else at once, with a
    /// fresh expiry; durable when this returns `Ok`. It stays created when it was.
    ///
    /// # Errors
    /// [`ProblemCode::NotRetryable`] unless its status is retryable ([`Status::is_retryable`]) and what it follows is sent, [`ProblemCode::ImageGone`]
    /// if the bytes of an image were swept, [`ProblemCode::UnknownBot`], [`ProblemCode::NotificationNotFound`], or a part
    /// of the engine is away.
    pub async fn retry(&self, id: NotificationId) -> Result<Record, Rejection> {
        let record = self.record(id).await?;
        if !record.status.is_retryable() {
            return Err(not_retryable(record.status));
        }
        self.resubmit(record.notification, DEFAULT_LIFETIME, None, Timestamp::now()).await
    }

    /// Accepts one that has ended again at a moment, which is now, with a fresh expiry of `lifetime` from its `send_at` or then, and
    /// tells `reply_to` its outcome.
    pub(super) async fn resubmit(
        &self,
        mut notification: Notification,
        lifetime: Duration,
        reply_to: Option<String>,
        now: Timestamp,
    ) -> Result<Record, Rejection> {
        self.check_still_configured(&notification.bot)?;
        for media in &notification.call.media {
            let MediaSource::Blob { sha256, .. } = media.source else { continue };
            if self.ports.blobs.stat(&sha256).await?.is_none() {
                let detail =
                    "The bytes of its image were swept after their retention. Send a new notification with them.";
                return Err(Rejection::new(ProblemCode::ImageGone, detail));
            }
        }
        if let Some(before) = notification.follows.take() {
            notification.call = notification.call.in_reply_to(self.sent_message(before).await?);
        }
        notification.first_accepted_at = Some(notification.created_at());
        notification.send_at = notification.send_at.filter(|at| *at > now);
        notification.accepted_at = now;
        notification.expires_at = notification.send_at.unwrap_or(now).plus(lifetime);
        (notification.attempts, notification.reply_to) = (0, reply_to);
        match self.ports.acceptor.resubmit(&notification).await? {
            Resubmitted::Done(record) => {
                self.count_accepted(&notification.bot, notification.lane);
                Ok(*record)
            }
            Resubmitted::Refused(status) => Err(not_retryable(status)),
            Resubmitted::NotFound => Err(Rejection::no_such_notification()),
        }
    }

    /// The message that another follows, which must be sent by now.
    async fn sent_message(&self, id: NotificationId) -> Result<Option<i64>, Rejection> {
        match self.ports.ledger.get(id).await? {
            Some(record) if record.status == Status::Sent => Ok(record.message_id),
            _ => {
                let detail = format!("It follows {id}, which is not sent. Try that one again first.");
                Err(Rejection::new(ProblemCode::NotRetryable, detail))
            }
        }
    }

    /// The record of a notification whose bot is still configured, so that what it sent can be changed.
    ///
    /// # Errors
    /// [`ProblemCode::UnknownBot`], and as [`Intake::record`].
    pub async fn record_of_configured_bot(&self, id: NotificationId) -> Result<Record, Rejection> {
        let record = self.record(id).await?;
        self.check_still_configured(&record.notification.bot)?;
        Ok(record)
    }

    fn check_still_configured(&self, bot: &BotName) -> Result<(), Rejection> {
        match self.has_bot(bot) {
            true => Ok(()),
            false => Err(Rejection::field(ProblemCode::UnknownBot, "bot", "Its bot is no longer configured.")),
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
        "It is {}; only one that has failed, expired, was refused or cancelled, or is unknown can be tried again.",
        status.as_str()
    );
    Rejection::new(ProblemCode::NotRetryable, detail)
}
