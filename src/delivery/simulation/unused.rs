//! The ports that delivery does not use. What asks them all the same is told that they are away.

use super::link::Link;
use crate::domain::{
    Address, BotName, CallbackId, ChatId, ClientName, EventId, Notification, NotificationId, Operation, OperationId,
    PendingGroup, Recipient, RecipientState, Timestamp,
};
use crate::ports::{
    AcceptError, Accepted, Acceptor, Callback, CallbackPage, CallbackQuery, CallbackRoom, Callbacks, Created, Day,
    EventLog, EventPage, Idempotency, LedgerError, Operations, Outcome, OutcomeNotifier, OutcomeWaiter, Quotas,
    RecipientPage, RecipientQuery, Recipients, Resubmitted, Submission, Taken,
};
use async_trait::async_trait;
use std::time::Duration;

type Book<T> = Result<T, LedgerError>;

fn no_book<T>() -> Book<T> {
    Err(LedgerError::Unavailable("there is no recipient book in this world".to_owned()))
}

fn no_intake<T>() -> Result<T, AcceptError> {
    Err(AcceptError::Unavailable { part: "queue", reason: "a world accepts by itself".to_owned() })
}

#[async_trait]
impl Acceptor for Link {
    async fn accept(&self, _: &Submission) -> Result<Accepted, AcceptError> {
        no_intake()
    }
    async fn recall(&self, _: &Idempotency) -> Result<Option<Accepted>, AcceptError> {
        no_intake()
    }
    async fn resubmit(&self, _: &Notification) -> Result<Resubmitted, AcceptError> {
        no_intake()
    }
    async fn resume(&self, _: &Notification) -> Result<Resubmitted, AcceptError> {
        no_intake()
    }
    async fn ready(&self) -> Result<(), AcceptError> {
        no_intake()
    }
}

#[async_trait]
impl OutcomeNotifier for Link {
    fn listen(&self, _: NotificationId) -> OutcomeWaiter {
        OutcomeWaiter { address: String::new(), outcome: tokio::sync::oneshot::channel().1 }
    }
    async fn notify(&self, _: &str, _: NotificationId, _: &Outcome) {}
}

#[async_trait]
impl Recipients for Link {
    async fn put(&self, _: &[Recipient]) -> Book<()> {
        no_book()
    }
    async fn get(&self, _: &BotName, _: &Address) -> Book<Option<Recipient>> {
        no_book()
    }
    async fn of_chat(&self, _: &BotName, _: &ChatId) -> Book<Vec<Recipient>> {
        no_book()
    }
    async fn delete(&self, _: &BotName, _: &Address) -> Book<bool> {
        no_book()
    }
    async fn list(&self, _: &RecipientQuery) -> Book<RecipientPage> {
        no_book()
    }
    async fn set_state(&self, _: &BotName, _: &ChatId, _: RecipientState) -> Book<u64> {
        no_book()
    }
    async fn rekey(&self, _: &BotName, _: &ChatId, _: &ChatId) -> Book<u64> {
        no_book()
    }
    async fn remove_chat(&self, _: &BotName, _: &ChatId) -> Book<u64> {
        no_book()
    }
    async fn hold_group(&self, _: &PendingGroup) -> Book<()> {
        no_book()
    }
    async fn held_groups(&self, _: &BotName, _: i64) -> Book<Vec<PendingGroup>> {
        no_book()
    }
    async fn held_group(&self, _: &BotName, _: &ChatId) -> Book<Option<PendingGroup>> {
        no_book()
    }
    async fn release_group(&self, _: &BotName, _: &ChatId) -> Book<()> {
        no_book()
    }
    async fn introduce(&self, _: &BotName, _: &str) -> Book<()> {
        no_book()
    }
    async fn username(&self, _: &BotName) -> Book<Option<String>> {
        no_book()
    }
}

#[async_trait]
impl Quotas for Link {
    async fn take(&self, _: &ClientName, _: Day, _: u32, _: u64) -> Result<Taken, LedgerError> {
        no_book()
    }
    async fn give_back(&self, _: &ClientName, _: Day, _: u32) -> Result<(), LedgerError> {
        no_book()
    }
}

#[async_trait]
impl Callbacks for Link {
    async fn claim(&self, _: Timestamp, _: Timestamp, _: &CallbackRoom) -> Book<Vec<Callback>> {
        no_book()
    }
    async fn delivered(&self, _: &CallbackId, _: Timestamp) -> Book<()> {
        no_book()
    }
    async fn failed(&self, _: &CallbackId, _: Timestamp, _: &str, _: Option<Timestamp>) -> Book<()> {
        no_book()
    }
    async fn replay(&self, _: &CallbackId, _: Timestamp) -> Book<bool> {
        no_book()
    }
    async fn get(&self, _: &CallbackId) -> Book<Option<Callback>> {
        no_book()
    }
    async fn list(&self, _: &CallbackQuery) -> Book<CallbackPage> {
        no_book()
    }
    async fn waiting(&self) -> Book<u64> {
        no_book()
    }
    async fn sweep(&self, _: Timestamp) -> Book<u64> {
        no_book()
    }
}

#[async_trait]
impl EventLog for Link {
    async fn keep(&self, _: Duration) -> Book<EventId> {
        no_book()
    }
    async fn after(&self, _: EventId, _: usize) -> Book<Option<EventPage>> {
        no_book()
    }
    async fn sweep(&self, _: EventId) -> Book<u64> {
        no_book()
    }
}

#[async_trait]
impl Operations for Link {
    async fn create(&self, _: &Operation, _: Option<&Idempotency>) -> Result<Created, LedgerError> {
        no_book()
    }
    async fn get(&self, _: OperationId) -> Result<Option<Operation>, LedgerError> {
        no_book()
    }
    async fn list(&self, _: usize) -> Result<Vec<Operation>, LedgerError> {
        no_book()
    }
    async fn take(&self, _: &str, _: Duration) -> Result<Option<Operation>, LedgerError> {
        no_book()
    }
    async fn save(&self, _: &Operation, _: &str, _: Duration) -> Result<bool, LedgerError> {
        no_book()
    }
    async fn sweep(&self, _: Timestamp) -> Result<u64, LedgerError> {
        no_book()
    }
}
