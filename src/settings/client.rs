//! A client with an API key of its own, and what that opens.

use super::callback_secret::CallbackSecret;
use crate::domain::{BotName, CallbackUrl, ClientName, Sha256};
use secrecy::{ExposeSecret, SecretString};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A named client, `[clients.NAME]`.
#[derive(Clone, Debug)]
pub struct Client {
    /// Its name in records, log lines and metrics.
    pub name: ClientName,
    /// What its API key is told by.
    pub key: KeyDigest,
    /// The bots that it may use; `None` for all.
    pub bots: Option<BTreeSet<BotName>>,
    /// What it may do.
    pub scopes: BTreeSet<Scope>,
    /// Requests a second; 0 for no limit.
    pub rate: f64,
    /// Notifications a day (UTC); 0 for no limit.
    pub daily_quota: u64,
    /// Tokens that stand for bots at the Bot API face when this client calls.
    pub tokens: BTreeMap<BotName, SecretString>,
    /// Who is told how its notifications end, unless they name another receiver.
    pub callback_url: Option<CallbackUrl>,
    /// What its callbacks are signed with; without any, as those of everybody.
    pub callback_secrets: Vec<CallbackSecret>,
}

impl Client {
    /// Whether it may use a bot.
    pub fn may_use(&self, bot: &BotName) -> bool {
        self.bots.as_ref().is_none_or(|bots| bots.contains(bot))
    }
}

/// What a client may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Post notifications and images; change and take back its own.
    Send,
    /// Ask what became of its own notifications; list recipients.
    Read,
    /// See and change everybody's notifications, write the recipient book, manage bots.
    Manage,
}

impl Scope {
    /// All scopes.
    pub const ALL: [Self; 3] = [Self::Send, Self::Read, Self::Manage];

    /// The name in the settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Read => "read",
            Self::Manage => "manage",
        }
    }

    /// The scope of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == name)
    }
}

/// The SHA-256 of an API key: keys are kept and compared by it, in constant time, and it is never printed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyDigest(Sha256);

impl KeyDigest {
    /// Of a key.
    pub fn of(key: &SecretString) -> Self {
        Self(Sha256::of(key.expose_secret().as_bytes()))
    }

    /// One that was given as such.
    pub fn new(digest: Sha256) -> Self {
        Self(digest)
    }

    /// Its 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyDigest(***)")
    }
}
