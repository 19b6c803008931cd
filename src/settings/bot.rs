//! One bot: how it delivers, and how fast it may.

use super::live::Live;
use super::whatsmate::WhatsMateAccount;
use crate::domain::BotName;
use secrecy::{ExposeSecret, SecretString};

/// A configured bot.
#[derive(Clone, Debug)]
pub struct Bot {
    /// Its name in requests, queues and metrics.
    pub name: BotName,
    /// What it delivers through.
    pub gateway: Gateway,
    /// How fast it may send.
    pub limits: RateLimits,
}

/// What a bot delivers through.
#[derive(Clone, Debug)]
pub enum Gateway {
    /// The Bot API.
    Telegram(TelegramAccount),
    /// WhatsMate's gateway.
    WhatsMate(WhatsMateAccount),
}

/// A bot at Telegram.
#[derive(Clone, Debug)]
pub struct TelegramAccount {
    /// The number in front of the token: its user id at Telegram.
    pub id: u64,
    /// The token; never printed, and replaced by a reload. Only the adapter that sends it makes a URL of it.
    pub token: Live<SecretString>,
    /// Where its Bot API is, `https://api.telegram.org` or a template that holds `{token}` and `{method}`.
    pub api_url: String,
    /// Tokens of ours that stand for it at the Bot API face, so that applications need not hold the real one.
    pub client_tokens: Vec<SecretString>,
    /// Whether its Bot API server is a local one that shares a disk with whoever calls us.
    pub local: bool,
    /// How people register with it; [`Registration::Off`] unless set.
    pub registration: Registration,
}

/// How people register their phone numbers, and groups themselves, with a bot.
#[derive(Clone, Debug, Default)]
pub enum Registration {
    /// Not at all: the bot's updates are left to others.
    #[default]
    Off,
    /// The owner of the bot asks Telegram for updates.
    Polling,
    /// Telegram brings them.
    Webhook {
        /// Where to.
        url: String,
        /// What Telegram shows as `X-Telegram-Bot-Api-Secret-Token`.
        secret: SecretString,
    },
}

impl Bot {
    /// A bot of Telegram from its token, or a message that says what is wrong with it and does not repeat it. The
    /// checks are those of the Bot API server, see [`token_id`].
    pub fn new(name: BotName, token: SecretString, api_url: String, limits: RateLimits) -> Result<Self, &'static str> {
        const WRONG: &str = "is not a bot token: expected <bot user id>:<secret of at least 24 characters of A-Za-z0-9_->, as BotFather gives it";
        let id = token_id(token.expose_secret()).ok_or(WRONG)?;
        let (client_tokens, local, registration) = (Vec::new(), false, Registration::Off);
        let token = Live::new(token);
        let telegram = TelegramAccount { id, token, api_url, client_tokens, local, registration };
        Ok(Self { name, gateway: Gateway::Telegram(telegram), limits })
    }

    /// The bot with something about its account at Telegram changed, if it has one.
    pub fn with(mut self, change: impl FnOnce(&mut TelegramAccount)) -> Self {
        if let Gateway::Telegram(telegram) = &mut self.gateway {
            change(telegram);
        }
        self
    }

    /// Its account at Telegram, unless it delivers through something else.
    pub fn telegram(&self) -> Option<&TelegramAccount> {
        match &self.gateway {
            Gateway::Telegram(telegram) => Some(telegram),
            Gateway::WhatsMate(_) => None,
        }
    }

    /// Its account at WhatsMate, if that is what it delivers through.
    pub fn whatsmate(&self) -> Option<&WhatsMateAccount> {
        match &self.gateway {
            Gateway::WhatsMate(whatsmate) => Some(whatsmate),
            Gateway::Telegram(_) => None,
        }
    }

    /// The largest file that it can send, in bytes: 50 MB, or 2000 MB through a local Bot API server (Bot API).
    pub fn file_limit(&self) -> u64 {
        if self.telegram().is_some_and(|telegram| telegram.local) { 2000 << 20 } else { 50 << 20 }
    }

    /// How people register with it.
    pub fn registration(&self) -> &Registration {
        self.telegram().map_or(&Registration::Off, |telegram| &telegram.registration)
    }
}

impl TelegramAccount {
    /// Whether a token is the bot's own or stands for it. Not in constant time: for what the operator wrote.
    pub(super) fn answers_to(&self, token: &str) -> bool {
        [&*self.token.get()].into_iter().chain(&self.client_tokens).any(|known| known.expose_secret() == token)
    }
}

/// The bot's id in front of a token, or `None` of what is not a token (Bot API server): at most 80 characters, a number
/// up to 2^54, a colon, a secret of at least 24 base64url characters.
pub fn token_id(token: &str) -> Option<u64> {
    let (number, secret) = token.split_once(':')?;
    let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    let digits = !number.is_empty() && !number.starts_with('0') && number.bytes().all(|b| b.is_ascii_digit());
    let whole = token.len() <= 80 && secret.len() >= 24 && secret.bytes().all(fits);
    number.parse().ok().filter(|id| digits && whole && *id <= 1 << 54)
}

/// The rate limits of a bot; 0 means no limit. The defaults are those of Telegram's Bots FAQ.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateLimits {
    /// Messages a second over all chats.
    pub bot_rate: f64,
    /// Messages a second to one chat.
    pub chat_rate: f64,
    /// Messages at once to one private chat, that has not been written to for as many seconds.
    pub chat_burst: u32,
    /// Messages a minute to one group or channel.
    pub group_rate_per_minute: u32,
}

impl Default for RateLimits {
    fn default() -> Self {
        Self { bot_rate: 30.0, chat_rate: 1.0, chat_burst: 3, group_rate_per_minute: 20 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bot(token: &str, url: &str) -> Result<Bot, &'static str> {
        Bot::new(BotName::default_bot(), token.to_owned().into(), url.to_owned(), RateLimits::default())
    }

    #[test]
    fn a_bots_id_is_the_number_in_front_of_its_token() {
        let bot = bot("123456:ABC-DEF1234ghIkl-zyx57W2v1u123ew11", "http://x").unwrap();
        assert_eq!(bot.telegram().unwrap().id, 123_456);
    }

    #[test]
    fn what_is_not_a_token_is_refused_without_being_repeated() {
        for bad in ["", "abc", "0123:ABC-DEF1234ghIkl-zyx57W2v1u", "123:short", "12/3:ABC-DEF1234ghIkl-zyx57W2v1u"] {
            let message = bot(bad, "http://x").err().unwrap();
            assert!(bad.len() < 4 || !message.contains(bad));
        }
    }

    #[test]
    fn debug_hides_the_token() {
        let bot = bot("123456:ABC-DEF1234ghIkl-zyx57W2v1u123ew11", "http://x").unwrap();
        assert!(!format!("{bot:?}").contains("ABC-DEF"));
    }
}
