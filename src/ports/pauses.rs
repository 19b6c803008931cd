//! What operators have paused.

use super::LedgerError;
use crate::domain::{Pause, PauseList, PauseTarget};
use async_trait::async_trait;
use std::sync::Arc;
use tokio::sync::watch;

/// Keeps which bots and chats are paused, durably, until somebody lets them go on. [`Ledger::begin`](super::Ledger::begin) obeys it:
/// once [`Pauses::pause`] has returned, no attempt begins for what is paused, whichever process owns the bot.
#[async_trait]
pub trait Pauses: Send + Sync {
    /// Pauses a bot or a chat. A group that has become a supergroup is paused under its present id, by whichever it is named.
    async fn pause(&self, target: &PauseTarget, pause: &Pause) -> Result<Paused, LedgerError>;

    /// Lets a bot or a chat go on. What it was paused by, if it was.
    async fn resume(&self, target: &PauseTarget) -> Result<Option<Pause>, LedgerError>;

    /// All pauses.
    async fn list(&self) -> Result<PauseList, LedgerError>;

    /// The pauses as this process knows them, for what must not ask: a change is known within a second or so, whichever process made
    /// it, while the ledger is there.
    fn known(&self) -> watch::Receiver<Arc<PauseList>>;
}

/// How many chats of a bot may be paused at a time: each process holds all pauses.
pub const MAX_PAUSED_CHATS: usize = 1_000;

/// What came of a pause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Paused {
    /// It is paused from now on.
    New,
    /// It was paused already, by this.
    Already(Pause),
    /// It is not: [`MAX_PAUSED_CHATS`] of its bot are.
    TooMany,
}
