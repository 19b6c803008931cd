//! Giving the bot to another process in order: nothing more is started, what is under way ends, and what the next owner
//! must know goes with the ownership. What is held and not sent comes to the next owner from the queue.

use super::state::Courier;
use crate::ports::{HandOver, QueueError};
use tokio::sync::watch;

impl Courier {
    /// Hands the bot over if that is asked for and nothing is under way any more.
    pub(super) async fn hand_over_if_asked(&mut self, release: &mut watch::Receiver<bool>) {
        self.is_handing_over = *release.borrow_and_update();
        if !self.is_handing_over {
            // What has begun and not left turns back when the bot is paused.
            return if self.scheduler.is_paused() { self.departures.close() } else { self.departures.open() };
        }
        self.departures.close();
        if self.attempts.is_empty() {
            self.hand_over().await;
        }
    }

    /// Gives up the ownership, if it is held.
    pub(super) async fn hand_over(&mut self) {
        let Some(epoch) = self.epoch else { return };
        let bot = &self.context.bot.name;
        let left = self.scheduler.hand_over(self.now(), self.departures.recent());
        match self.context.ports.queue.release(bot, epoch, left).await {
            Ok(()) => {
                tracing::info!(%bot, "handed over");
                self.context.metrics.hand_overs.with_label_values(&[self.context.bot_label()]).inc();
            }
            Err(QueueError::Stale) => {}
            Err(error) => tracing::warn!(%bot, %error, "cannot hand over"),
        }
    }

    /// Begins to own the bot: where the owner before left off, or with a second of silence if that one went without a word.
    pub(super) fn take_over(&mut self, inherited: Option<HandOver>) {
        let now = self.now();
        match inherited {
            Some(left) => {
                self.departures.inherit(&left.departures);
                self.scheduler.inherit(now, &left);
            }
            None => self.scheduler.take_over(now),
        }
    }
}
