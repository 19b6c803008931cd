//! The bots: the one of the top-level keys, and those with a table of their own.

use super::whatsmate::{self, GATEWAY_KEYS};
use crate::domain::BotName;
use crate::settings::bot::{Bot, Gateway, RateLimits, Registration, token_id};
use crate::settings::value_reader::ValueReader;
use secrecy::SecretString;
use std::collections::BTreeMap;
use std::sync::Arc;

type Bots = BTreeMap<BotName, Arc<Bot>>;

/// What a bot has of its own, or inherits from the top of the file.
#[derive(Clone)]
struct Shared {
    limits: RateLimits,
    api_url: String,
    local: bool,
}

/// The bot of the top-level keys, named `default`, and those with a table of their own.
pub fn bots(reader: &mut ValueReader) -> Bots {
    let top = Shared {
        limits: limits(reader, "", RateLimits::default()),
        api_url: api_url(reader, "bot_api_url", ""),
        local: reader.parsed("bot_api_local", "true or false", false),
    };
    if let Some(public_url) = reader.text("public_url").map(str::to_owned) {
        reader.plain_url("public_url", &public_url);
    }
    let mut bots = Bots::new();
    let has_default = reader.text("bot_token").is_some();
    if has_default {
        add_telegram(reader, &mut bots, BotName::default_bot(), "", top.clone());
    }
    for name in reader.layers.names("bots") {
        let prefix = format!("bots.{name}.");
        if bots.contains_key(&name) {
            reader.add_error(&format!("bots.{name}"), "bot_token configures this bot already: keep one of the two");
            continue;
        }
        let limits = limits(reader, &prefix, top.limits);
        match reader.text(&format!("{prefix}kind")) {
            Some("whatsmate") => {
                if let Some(account) = whatsmate::gateway(reader, &prefix) {
                    let gateway = Gateway::WhatsMate(account);
                    bots.insert(name.clone(), Arc::new(Bot { name, gateway, limits }));
                }
                continue;
            }
            None | Some("telegram") => refuse_gateway_keys(reader, &prefix),
            Some(_) => reader.add_error(&format!("{prefix}kind"), "expected telegram or whatsmate"),
        }
        let api_url = api_url(reader, &format!("{prefix}api_url"), &top.api_url);
        let local = reader.parsed(&format!("{prefix}api_local"), "true or false", top.local);
        add_telegram(reader, &mut bots, name, &prefix, Shared { limits, api_url, local });
    }
    if !has_default && reader.layers.names("bots").is_empty() {
        reader.add_error(
            "bot_token",
            "no bot is configured: set PIXCOURIER_BOT_TOKEN to the token that BotFather gave you, or add a [bots.NAME] to the file given by --config; to look around without a bot, run `pixcourier demo`",
        );
    }
    bots
}

/// Adds a bot of Telegram, from its table or from the keys at the top. Telegram's limits are per bot, so a bot under two
/// names would break them.
fn add_telegram(reader: &mut ValueReader, bots: &mut Bots, name: BotName, prefix: &str, shared: Shared) {
    let Shared { limits, api_url, local } = shared;
    let path = |key: &str| if prefix.is_empty() { format!("bot_{key}") } else { format!("{prefix}{key}") };
    let client_tokens = client_tokens(reader, bots, &path("client_tokens"));
    let registration = registration(reader, prefix, &name);
    let path = path("token");
    let Some(token) = reader.text(&path).map(|token| token.trim().to_owned()) else {
        return reader.add_error(&path, "missing: every bot has a token");
    };
    match Bot::new(name.clone(), SecretString::from(token.as_str()), api_url, limits) {
        Err(message) => reader.add_error(&path, message),
        Ok(bot) => match bots.values().find(|other| answers_to(other, &token)) {
            Some(other) => reader.add_error(&path, format!("the bot {} has the same token", other.name)),
            None => {
                let bot = bot.with(|telegram| {
                    (telegram.client_tokens, telegram.local, telegram.registration) =
                        (client_tokens, local, registration);
                });
                bots.insert(name, Arc::new(bot));
            }
        },
    }
}

/// Refuses what only bots of kind `whatsmate` have.
fn refuse_gateway_keys(reader: &mut ValueReader, prefix: &str) {
    let named = GATEWAY_KEYS.iter().map(|key| format!("{prefix}{key}"));
    let groups = reader.below(&format!("{prefix}groups.")).into_iter().map(|(path, _)| path);
    for path in named.chain(groups).collect::<Vec<_>>() {
        if reader.text(&path).is_some() {
            reader.add_error(&path, "belongs to bots of kind whatsmate");
        }
    }
}

fn answers_to(bot: &Bot, token: &str) -> bool {
    bot.telegram().is_some_and(|telegram| telegram.answers_to(token))
}

/// A webhook needs an address, and a secret of which the Bot API takes up to 256 of `A-Za-z0-9_-`.
fn registration(reader: &mut ValueReader, prefix: &str, name: &BotName) -> Registration {
    const MIN_BYTES: usize = 16;
    let path = |reader: &ValueReader, key: &str| {
        let own = format!("{prefix}{key}");
        if reader.text(&own).is_some() { own } else { key.to_owned() }
    };
    let at = path(reader, "registration");
    match reader.text(&at) {
        Some("off") => Registration::Off,
        Some("polling") => Registration::Polling,
        Some("webhook") => {
            let at_secret = path(reader, "registration_secret");
            let secret = reader.text(&at_secret).unwrap_or_default().to_owned();
            let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
            if !(MIN_BYTES..=256).contains(&secret.len()) || !secret.bytes().all(fits) {
                reader
                    .add_error(&at_secret, format!("a webhook needs {MIN_BYTES} to 256 characters of A-Z a-z 0-9 _ -"));
            }
            let Some(base) = reader.text("public_url").map(|url| url.trim_end_matches('/').to_owned()) else {
                reader.add_error("public_url", "missing: a webhook needs to know where Telegram reaches this service");
                return Registration::Off;
            };
            Registration::Webhook { url: format!("{base}/webhook/{name}"), secret: SecretString::from(secret) }
        }
        other => {
            let message = format!("expected off, polling or webhook, found {:?}", other.unwrap_or_default());
            reader.add_error(&at, message);
            Registration::Off
        }
    }
}

/// Tokens that stand for a bot. They look like Telegram's own, since client libraries check that, and each stands for one
/// bot.
fn client_tokens(reader: &mut ValueReader, bots: &Bots, path: &str) -> Vec<SecretString> {
    let tokens = reader.list(path);
    for (number, token) in (1..).zip(&tokens) {
        let taken = bots.values().any(|bot| answers_to(bot, token));
        if token_id(token).is_none() {
            let message = format!("token {number} is not <digits>:<at least 24 characters of A-Za-z0-9_->");
            reader.add_error(path, message);
        } else if taken {
            reader.add_error(path, format!("token {number} stands for another bot already"));
        }
    }
    tokens.into_iter().map(SecretString::from).collect()
}

fn limits(reader: &mut ValueReader, prefix: &str, inherited: RateLimits) -> RateLimits {
    const MAX_RATE: f64 = 100_000.0;
    RateLimits {
        bot_rate: reader.number(&format!("{prefix}bot_rate"), 0.0..=MAX_RATE, inherited.bot_rate),
        chat_rate: reader.number(&format!("{prefix}chat_rate"), 0.0..=MAX_RATE, inherited.chat_rate),
        chat_burst: reader.number(&format!("{prefix}chat_burst"), 1..=1_000, inherited.chat_burst),
        group_rate_per_minute: reader.number(
            &format!("{prefix}group_rate_per_minute"),
            0..=1_000_000,
            inherited.group_rate_per_minute,
        ),
    }
}

fn api_url(reader: &mut ValueReader, path: &str, inherited: &str) -> String {
    let Some(text) = reader.text(path).map(str::to_owned) else { return inherited.to_owned() };
    if text.contains("{token}") != text.contains("{method}") {
        reader.add_error(path, "a template holds both {token} and {method}");
    }
    reader.plain_url(path, &text);
    text
}
