//! The recipient book: who is meant by a phone number, or by a group's name and its admin's number. Telegram itself
//! tells no bot (Bot API), so it is kept here, per bot.

use super::LedgerError;
use crate::domain::{Address, BotName, ChatId, GroupName, PendingGroup, Recipient, RecipientState};
use async_trait::async_trait;

/// Keeps a [`Recipient`] per bot and address. Every change is on stable storage when it returns `Ok`, and harmless to
/// repeat: the updates that lead to them come at least once.
#[async_trait]
pub trait Recipients: Send + Sync {
    /// Writes entries, each in place of what its address led to before. After an error some may have been written.
    async fn put(&self, recipients: &[Recipient]) -> Result<(), LedgerError>;

    /// The entry of an address.
    async fn get(&self, bot: &BotName, address: &Address) -> Result<Option<Recipient>, LedgerError>;

    /// All entries that lead to a chat, in the order of their keys.
    async fn of_chat(&self, bot: &BotName, chat: &ChatId) -> Result<Vec<Recipient>, LedgerError>;

    /// Removes an entry; returns whether there was one.
    async fn delete(&self, bot: &BotName, address: &Address) -> Result<bool, LedgerError>;

    /// Entries in the order of [`Address::key`]: groups, then numbers.
    async fn list(&self, query: &RecipientQuery) -> Result<RecipientPage, LedgerError>;

    /// Sets the state of every entry that leads to a chat; returns how many there are.
    async fn set_state(&self, bot: &BotName, chat: &ChatId, state: RecipientState) -> Result<u64, LedgerError>;

    /// Makes every entry that leads to a chat lead to another, when Telegram has moved the chat; returns how many. Pending
    /// groups are moved too.
    async fn rekey(&self, bot: &BotName, from: &ChatId, to: &ChatId) -> Result<u64, LedgerError>;

    /// Removes every entry that leads to a chat; returns how many. A pending group is removed too.
    async fn remove_chat(&self, bot: &BotName, chat: &ChatId) -> Result<u64, LedgerError>;

    /// Remembers a group that has no address yet, in place of what was remembered of the same chat.
    async fn hold_group(&self, group: &PendingGroup) -> Result<(), LedgerError>;

    /// The groups that wait for their creator's number, at most 1,000, in no certain order.
    async fn held_groups(&self, bot: &BotName, creator: i64) -> Result<Vec<PendingGroup>, LedgerError>;

    /// The pending group of a chat.
    async fn held_group(&self, bot: &BotName, chat: &ChatId) -> Result<Option<PendingGroup>, LedgerError>;

    /// Removes a pending group.
    async fn release_group(&self, bot: &BotName, chat: &ChatId) -> Result<(), LedgerError>;

    /// Remembers a bot's username, without `@`, so that people can be told where to register.
    async fn introduce(&self, bot: &BotName, username: &str) -> Result<(), LedgerError>;

    /// A bot's username, if it has been introduced.
    async fn username(&self, bot: &BotName) -> Result<Option<String>, LedgerError>;
}

/// Which entries to list.
#[derive(Clone, Debug)]
pub struct RecipientQuery {
    /// Of this bot.
    pub bot: BotName,
    /// Only groups of this name.
    pub group_name: Option<GroupName>,
    /// At most so many, 1 to 1000.
    pub limit: usize,
    /// Only those behind this one.
    pub after: Option<Address>,
}

impl RecipientQuery {
    /// The keys of the entries lie between these two.
    pub fn bounds(&self) -> (String, String) {
        let (from, to) = match &self.group_name {
            Some(name) => Address::group_bounds(name),
            None => (String::new(), "~".to_owned()),
        };
        (self.after.as_ref().map(Address::key).unwrap_or_default().max(from), to)
    }
}

/// One page of a listing.
#[derive(Clone, Debug)]
pub struct RecipientPage {
    /// The entries.
    pub recipients: Vec<Recipient>,
    /// The `after` of the next page, `None` on the last.
    pub next: Option<Address>,
}

impl RecipientPage {
    /// A page from the entries found, which are one more than `limit` if there is a next page.
    pub fn of(mut recipients: Vec<Recipient>, limit: usize) -> Self {
        let more = recipients.len() > limit;
        recipients.truncate(limit);
        let next = recipients.last().filter(|_| more).map(|last| last.address.clone());
        Self { recipients, next }
    }
}
