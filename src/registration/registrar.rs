//! Who registers the people and groups of one bot, and what they need for it.

use crate::domain::{Address, ChatId, PhoneNumber, RecipientSource, Sha256};
use crate::ports::{AcceptError, Acceptor, LedgerError, Messenger, Recipients};
use crate::settings::{Bot, Registration};
use crate::telemetry::Metrics;
use lru::LruCache;
use secrecy::ExposeSecret;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use subtle::ConstantTimeEq;

/// How many update ids are remembered.
const MAX_REMEMBERED_UPDATES: NonZeroUsize = NonZeroUsize::new(1_000).expect("not zero");

/// Registers the people and groups of one bot.
pub struct Registrar {
    pub(super) bot: Arc<Bot>,
    pub(super) book: Arc<dyn Recipients>,
    pub(super) acceptor: Arc<dyn Acceptor>,
    pub(super) messenger: Arc<dyn Messenger>,
    pub(super) metrics: Arc<Metrics>,
    /// The ids of the updates that were dealt with last, so that those that come again are passed over (deduplication).
    seen: Mutex<LruCache<i64, ()>>,
}

/// Why an update could not be dealt with now. Holds no secret.
#[derive(Debug, thiserror::Error)]
pub enum RegistrationError {
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
        Self { bot, book, acceptor, messenger, metrics, seen: Mutex::new(LruCache::new(MAX_REMEMBERED_UPDATES)) }
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

    pub(super) fn seen(&self) -> MutexGuard<'_, LruCache<i64, ()>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts and logs what an update came to.
    pub(super) fn count(&self, outcome: &str) {
        tracing::info!(bot = %self.bot.name, outcome, "registration");
        self.metrics.registrations.with_label_values(&[self.bot.name.as_str(), outcome]).inc();
    }

    /// The number under which a user is registered; the one they shared themselves, if there are several.
    pub(super) async fn number_of(&self, user: i64) -> Result<Option<PhoneNumber>, LedgerError> {
        let mut entries = self.book.of_chat(&self.bot.name, &ChatId::Id(user)).await?;
        entries.sort_by_key(|entry| entry.source != RecipientSource::Bot);
        let numbers = entries.into_iter().filter_map(|entry| match entry.address {
            Address::Number(number) => Some(number),
            Address::Group { .. } => None,
        });
        Ok(numbers.into_iter().next())
    }
}
