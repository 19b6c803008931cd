//! What an operator pauses in a world, and how its workers learn of it.

use super::link::Link;
use super::state::{Part, Shared};
use crate::domain::{ChatId, Pause, PauseList, PauseTarget};
use crate::ports::{LedgerError, Paused, Pauses};
use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::sleep;

/// How long the news may be on its way, in milliseconds.
const LONGEST_NEWS: u64 = 1_100;

impl Shared {
    /// Pauses the bot or a chat, or lets it go on: the ledger does so at once, and workers learn of it within a second, or when the
    /// ledger is there again.
    pub fn set_paused(&self, chat: Option<i64>, is_paused: bool) {
        let (shared, pause) = (self.clone(), {
            let state = &mut *self.lock();
            let (now, present) = (state.now(), state.ledger.set_paused(chat.map(ChatId::Id), is_paused));
            state.note(|| format!("paused is {present:?}: {is_paused}"));
            state.judge.paused(now, chat_number(present), is_paused);
            Duration::from_millis(state.random.u64(..LONGEST_NEWS))
        });
        tokio::spawn(async move {
            sleep(pause).await;
            while shared.lock().is_ledger_away() {
                sleep(Duration::from_millis(100)).await;
            }
            let state = &mut *shared.lock();
            let now = state.now();
            state.judge.news_of_pause(now);
            state.pauses.send_replace(Arc::new(state.ledger.pauses()));
        });
    }
}

fn chat_number(chat: Option<ChatId>) -> Option<i64> {
    chat.map(|chat| match chat {
        ChatId::Id(id) => id,
        ChatId::Username(_) => 0,
    })
}

impl super::state::State {
    fn is_ledger_away(&self) -> bool {
        self.is_away(Part::Ledger, 0)
    }
}

#[async_trait]
impl Pauses for Link {
    async fn pause(&self, _: &PauseTarget, _: &Pause) -> Result<Paused, LedgerError> {
        Err(LedgerError::Unavailable("no courier pauses".to_owned()))
    }
    async fn resume(&self, _: &PauseTarget) -> Result<Option<Pause>, LedgerError> {
        Err(LedgerError::Unavailable("no courier resumes".to_owned()))
    }
    async fn list(&self) -> Result<PauseList, LedgerError> {
        Ok(self.shared.lock().ledger.pauses())
    }
    fn known(&self) -> watch::Receiver<Arc<PauseList>> {
        self.shared.lock().pauses.subscribe()
    }
}
