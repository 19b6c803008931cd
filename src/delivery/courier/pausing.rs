//! What somebody has paused is not started here, and what is on its way turns back.

use super::state::Courier;

impl Courier {
    /// Takes in what is paused now.
    pub(super) fn follow_pauses(&mut self) {
        let now = self.now();
        let list = self.pauses.borrow_and_update().clone();
        let was_paused = self.scheduler.is_paused();
        self.scheduler.set_paused(now, list.of(&self.context.bot.name));
        let is_paused = self.scheduler.is_paused();
        if is_paused != was_paused {
            tracing::debug!(bot = %self.context.bot.name, is_paused, "the courier knows of a pause or its end");
        }
    }
}
