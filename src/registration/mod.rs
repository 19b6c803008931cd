//! The registration courier: how people and groups get into the recipient book by themselves.
//!
//! Telegram tells no bot whose chat a phone number is, so each must come and say so (Bot API): a person opens the bot,
//! presses Start and shares their own contact; a group is registered when the bot is added to it, under its title and
//! the number of who created it. Blocks, removals, new titles and migrations are followed.
//!
//! The owner of a bot reads its updates ([`run`]: long polling, or a webhook that it sets); a webhook's updates come to
//! whichever process the counter is in. [`event`] says what an update means, [`Registrar::handle`] does it. Updates come
//! at least once, and are confirmed only after the book has been written and the answer has been accepted: every step
//! may be repeated, and an answer has an idempotency key made of its update.

mod caller;
mod event;
mod groups;
mod people;
mod updates;
mod voice;

pub use updates::run;

use crate::domain::{Address, ChatId, PhoneNumber, RecipientSource, Sha256};
use crate::ports::{AcceptError, Acceptor, LedgerError, Messenger, Recipients};
use crate::settings::{Bot, Registration};
use crate::telemetry::Metrics;
use event::Event;
use secrecy::ExposeSecret;
use serde_json::Value;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use subtle::ConstantTimeEq;

/// How many update ids are remembered, to pass over those that come again.
const SEEN_KEPT: usize = 1_000;

/// Registers the people and groups of one bot.
pub struct Registrar {
    bot: Arc<Bot>,
    book: Arc<dyn Recipients>,
    acceptor: Arc<dyn Acceptor>,
    messenger: Arc<dyn Messenger>,
    metrics: Arc<Metrics>,
    seen: Mutex<VecDeque<i64>>,
}

/// Why an update could not be dealt with now. Holds no secret.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// The book is away.
    #[error(transparent)]
    Book(#[from] LedgerError),
    /// The answer could not be handed in.
    #[error(transparent)]
    Answer(#[from] AcceptError),
    /// Telegram does not answer, or not as it should.
    #[error("Telegram: {0}")]
    Telegram(String),
}

impl Registrar {
    /// A registrar of a bot.
    pub fn new(
        bot: Arc<Bot>,
        book: Arc<dyn Recipients>,
        acceptor: Arc<dyn Acceptor>,
        messenger: Arc<dyn Messenger>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self { bot, book, acceptor, messenger, metrics, seen: Mutex::default() }
    }

    /// Whether a caller of the webhook shows its secret, compared in constant time; never without a webhook.
    pub fn is_telegram(&self, shown: &[u8]) -> bool {
        match self.bot.registration() {
            Registration::Webhook { secret, .. } => {
                // Digests have one length, so that comparing them tells nothing of the secret's.
                let digest = |bytes| *Sha256::of(bytes).as_bytes();
                digest(secret.expose_secret().as_bytes()).ct_eq(&digest(shown)).into()
            }
            Registration::Off | Registration::Polling => false,
        }
    }

    /// Does what an update asks for. Harmless to repeat; after an error it must be repeated.
    pub async fn handle(&self, update: &Value) -> Result<(), Trouble> {
        let Some((id, event)) = event::read(update) else { return Ok(()) };
        if self.seen().contains(&id) {
            return Ok(());
        }
        match event {
            Event::Wrote { user, started } => self.wrote(id, user, started).await?,
            Event::Contact(contact) => self.contact(id, contact).await?,
            Event::Blocked { user, blocked } => self.blocked(user, blocked).await?,
            Event::Joined { chat, title, by } => self.joined(id, chat, &title, by).await?,
            Event::Left { chat } => self.left(chat).await?,
            Event::Moved { from, to } => self.moved(from, to).await?,
            Event::Renamed { chat, title } => self.renamed(id, chat, &title).await?,
        }
        let mut seen = self.seen();
        seen.push_back(id);
        if seen.len() > SEEN_KEPT {
            seen.pop_front();
        }
        Ok(())
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, VecDeque<i64>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, outcome: &str) {
        tracing::info!(bot = %self.bot.name, outcome, "registration");
        self.metrics.registrations.with_label_values(&[self.bot.name.as_str(), outcome]).inc();
    }

    /// The number under which a user is registered; the one they shared themselves, if there are several.
    async fn number_of(&self, user: i64) -> Result<Option<PhoneNumber>, LedgerError> {
        let mut entries = self.book.of_chat(&self.bot.name, &ChatId::Id(user)).await?;
        entries.sort_by_key(|entry| entry.source != RecipientSource::Bot);
        let numbers = entries.into_iter().filter_map(|entry| match entry.address {
            Address::Number(number) => Some(number),
            Address::Group { .. } => None,
        });
        Ok(numbers.into_iter().next())
    }
}
