//! An attempt under way, and the two ways in which it can end without an answer of Telegram.

use super::recording;
use super::report::AttemptReport;
use crate::delivery::context::CourierContext;
use crate::delivery::next_step::NextStep;
use crate::delivery::rate_limit::{BOT_SPAN, ChatRateLimiter, GROUP_SPAN};
use crate::delivery::timeouts::{BEHIND_BACKOFF, POSTPONE_BACKOFF};
use crate::domain::{Failure, FailureClass, Notification, RecordUpdate, Status, Timestamp};
use crate::ports::{BeginConditions, ChatWindow, FileIds, Receipt};
use std::time::Duration;
use tokio::sync::watch;

/// One attempt under way.
pub struct AttemptRun {
    /// What its courier works with.
    pub context: CourierContext,
    /// What is to be sent; changed by what is learnt.
    pub notification: Notification,
    /// What to ack.
    pub receipt: Receipt,
    /// Telegram was down when it started, so that it fails is not held against the notification.
    pub telegram_down: bool,
    /// How many times in a row the notification was postponed before.
    pub postponements: u32,
    /// For how long its chat must not be written to once it is sent, as far as the chat's rate goes. Longer than a new owner is
    /// silent, the ledger is to know it.
    pub then_pause: Duration,
}

/// Tells whether this process still owns the bot.
#[derive(Clone)]
pub struct OwnershipCheck {
    /// The ownership as it is now.
    pub ownership: watch::Receiver<Option<u64>>,
    /// The ownership under which the attempt was started.
    pub epoch: u64,
}

impl OwnershipCheck {
    pub(super) fn is_owner(&self) -> bool {
        *self.ownership.borrow() == Some(self.epoch)
    }

    /// Returns when this process owns the bot no more.
    pub(super) async fn lost(&mut self) {
        // Closed, it belongs to nobody.
        let _ = self.ownership.wait_for(|epoch| *epoch != Some(self.epoch)).await;
    }
}

impl AttemptRun {
    /// The first attempt, while Telegram is up.
    pub fn new(context: CourierContext, notification: Notification, receipt: Receipt) -> Self {
        Self { context, notification, receipt, telegram_down: false, postponements: 0, then_pause: Duration::ZERO }
    }

    /// Records a final status and acks.
    pub(super) async fn finish(&self, update: RecordUpdate) -> AttemptReport {
        recording::finish(&self.context, &self.notification, &self.receipt, &update, &FileIds::new()).await;
        AttemptReport::unasked(NextStep::Done)
    }

    /// Records that it failed for a reason of ours.
    pub(super) async fn fail(&self, class: FailureClass, description: &str) -> AttemptReport {
        let failure = Failure { class, error_code: None, description: description.to_owned() };
        self.finish(RecordUpdate { failure: Some(failure), ..RecordUpdate::of(Status::Failed, Timestamp::now()) }).await
    }

    /// What must hold before it begins, besides what this courier knows itself.
    pub(super) fn begin_conditions(&self) -> BeginConditions {
        let (limits, chat, cost) =
            (&self.context.bot.limits, &self.notification.chat_id, self.notification.call.cost());
        let limit = limits.group_rate_per_minute;
        let is_limited = limit > 0 && chat.is_group();
        BeginConditions {
            chat_window: is_limited.then_some(ChatWindow { limit, span: GROUP_SPAN, cost }),
            in_order: true,
            then_pause: Some(self.then_pause).filter(|pause| *pause > BOT_SPAN).unwrap_or_default(),
            headroom: ChatRateLimiter::headroom(chat, limits, cost),
        }
    }

    /// What to do when a part of ours is away.
    pub(super) fn await_part(&self) -> NextStep {
        NextStep::AwaitPart(self.postponement())
    }

    /// How long to wait when what was asked for cannot be had now.
    pub(super) fn postponement(&self) -> Duration {
        POSTPONE_BACKOFF.pause(self.postponements.saturating_add(1), 1.0)
    }

    /// What to do when an earlier notification of the chat is still to be sent, which is not here.
    pub(super) fn fall_behind(&self) -> NextStep {
        NextStep::Postpone(BEHIND_BACKOFF.pause(self.postponements.saturating_add(1), 1.0))
    }
}
