//! From what somebody wrote to [`Settings`], or to everything that is wrong with it.

use super::engine::engine;
use super::layers::{Flags, Layers};
use super::problem::Problem;
use super::reader::Reader;
use super::whatsmate::{self, GATEWAY_KEYS};
use super::{Bot, Gateway, Limits, LogFormat, Registration, Settings, Telegram, token_id};
use crate::domain::BotName;
use secrecy::SecretString;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tracing_subscriber::EnvFilter;

/// The settings that a file, the environment and flags come to, over the defaults.
///
/// # Errors
/// Everything that is wrong, in the order of the names.
pub fn load(file: Option<&str>, env: &BTreeMap<String, String>, flags: &Flags) -> Result<Settings, Vec<Problem>> {
    let layers = Layers::gather(file, env, flags);
    if layers.unreadable {
        return Err(layers.problems);
    }
    let mut reader = Reader { layers };
    let settings = settings(&mut reader);
    let mut problems = reader.layers.problems;
    problems.sort();
    if problems.is_empty() { Ok(settings) } else { Err(problems) }
}

/// The environment of this process: the one place that reads it.
pub fn environment() -> BTreeMap<String, String> {
    let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
    std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect()
}

fn settings(reader: &mut Reader) -> Settings {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    const MIB: u64 = 1 << 20;
    let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let listen = reader.parsed("listen", "an IP address and a port such as 127.0.0.1:8080", loopback);
    let bots = bots(reader);
    Settings {
        listen,
        data_dir: data_dir(reader),
        engine: engine(reader),
        whatsmate_clients: whatsmate::clients(reader, &bots),
        bots,
        api_keys: api_keys(reader, listen),
        body_limit: reader.number("body_limit_mb", 1..=4096, 1u64) * MIB,
        bot_api_patience: Duration::from_secs(reader.number("bot_api_patience_seconds", 1..=3600, 1)),
        window: reader.number("window", 1..=2000, 1),
        max_attempts: reader.number("max_attempts", 1..=1000, 1),
        grace_period: Duration::from_secs(reader.number("grace_period_seconds", 0..=3600, 0)),
        record_retention: DAY * reader.number("record_retention_days", 1..=3650, 1),
        blob_retention: DAY * reader.number("blob_retention_days", 1..=3650, 1),
        log: log(reader),
        log_format: log_format(reader),
    }
}

fn data_dir(reader: &mut Reader) -> PathBuf {
    let folder = PathBuf::from(reader.text("data_dir").unwrap_or_default());
    if folder.as_os_str().is_empty() {
        reader.complain("data_dir", "expected a folder");
    }
    folder
}

/// Without keys everybody who can connect may send, so then only this machine may.
fn api_keys(reader: &mut Reader, listen: SocketAddr) -> Vec<SecretString> {
    const SHORTEST: usize = 16;
    let keys = reader.list("api_keys");
    for (number, key) in (1..).zip(&keys) {
        if key.len() < SHORTEST || !key.bytes().all(|b| b.is_ascii_graphic()) {
            let message = format!("key {number} is not {SHORTEST} or more printable ASCII characters without spaces");
            reader.complain("api_keys", message);
        }
    }
    if keys.is_empty() && !listen.ip().is_loopback() {
        let message = format!(
            "{listen} can be reached from other machines: set PIXCOURIER_API_KEYS (16 or more characters each), or listen on a loopback address such as 127.0.0.1:8080"
        );
        reader.complain("listen", message);
    }
    keys.into_iter().map(SecretString::from).collect()
}

/// The bot of the top-level keys, named `default`, and those with a table of their own.
fn bots(reader: &mut Reader) -> BTreeMap<BotName, Arc<Bot>> {
    let limits = limits(reader, "", Limits::default());
    let api_url = api_url(reader, "bot_api_url", "");
    let local = reader.parsed("bot_api_local", "true or false", false);
    if let Some(public_url) = reader.text("public_url").map(str::to_owned) {
        reader.plain_url("public_url", &public_url);
    }
    let mut bots = BTreeMap::new();
    if reader.text("bot_token").is_some() {
        let name = BotName::default_bot();
        let client_tokens = client_tokens(reader, &bots, "bot_client_tokens");
        let registration = registration(reader, "", &name);
        let complete = |telegram: &mut Telegram| {
            (telegram.client_tokens, telegram.local, telegram.registration) = (client_tokens, local, registration);
        };
        add(reader, &mut bots, name, "bot_token", &api_url, limits, complete);
    }
    for name in reader.layers.bots.clone() {
        let prefix = format!("bots.{name}.");
        if bots.contains_key(&name) {
            reader.complain(&format!("bots.{name}"), "bot_token configures this bot already: keep one of the two");
            continue;
        }
        let limits = self::limits(reader, &prefix, limits);
        match reader.text(&format!("{prefix}kind")) {
            Some("whatsmate") => {
                if let Some(gateway) = whatsmate::gateway(reader, &prefix) {
                    let gateway = Gateway::WhatsMate(gateway);
                    bots.insert(name.clone(), Arc::new(Bot { name, gateway, limits }));
                }
                continue;
            }
            None | Some("telegram") => foreign_keys(reader, &prefix),
            Some(_) => reader.complain(&format!("{prefix}kind"), "expected telegram or whatsmate"),
        }
        let api_url = self::api_url(reader, &format!("{prefix}api_url"), &api_url);
        let local = reader.parsed(&format!("{prefix}api_local"), "true or false", local);
        let client_tokens = client_tokens(reader, &bots, &format!("{prefix}client_tokens"));
        let registration = registration(reader, &prefix, &name);
        let complete = |telegram: &mut Telegram| {
            (telegram.client_tokens, telegram.local, telegram.registration) = (client_tokens, local, registration);
        };
        add(reader, &mut bots, name, &format!("{prefix}token"), &api_url, limits, complete);
    }
    if reader.text("bot_token").is_none() && reader.layers.bots.is_empty() {
        reader.complain(
            "bot_token",
            "no bot is configured: set PIXCOURIER_BOT_TOKEN to the token that BotFather gave you, or add a [bots.NAME] to the file given by --config; to look around without a bot, run `pixcourier demo`",
        );
    }
    bots
}

/// Complains of what only bots of kind `whatsmate` have.
fn foreign_keys(reader: &mut Reader, prefix: &str) {
    let named = GATEWAY_KEYS.iter().map(|key| format!("{prefix}{key}"));
    let groups = reader.below(&format!("{prefix}groups.")).into_iter().map(|(path, _)| path);
    for path in named.chain(groups).collect::<Vec<_>>() {
        if reader.text(&path).is_some() {
            reader.complain(&path, "belongs to bots of kind whatsmate");
        }
    }
}

/// Telegram's limits are per bot, so a bot under two names would break them.
fn add(
    reader: &mut Reader,
    bots: &mut BTreeMap<BotName, Arc<Bot>>,
    name: BotName,
    path: &str,
    api_url: &str,
    limits: Limits,
    complete: impl FnOnce(&mut Telegram),
) {
    let Some(token) = reader.text(path).map(str::to_owned) else {
        return reader.complain(path, "missing: every bot has a token");
    };
    match Bot::new(name.clone(), SecretString::from(token.trim()), api_url.to_owned(), limits) {
        Err(message) => reader.complain(path, message),
        Ok(bot) => match bots.values().find(|other| answers_to(other, token.trim())) {
            Some(other) => reader.complain(path, format!("the bot {} has the same token", other.name)),
            None => _ = bots.insert(name, Arc::new(bot.with(complete))),
        },
    }
}

fn answers_to(bot: &Bot, token: &str) -> bool {
    bot.telegram().is_some_and(|telegram| telegram.answers_to(token))
}

/// A webhook needs an address, and a secret of which the Bot API takes up to 256 of `A-Za-z0-9_-`.
fn registration(reader: &mut Reader, prefix: &str, name: &BotName) -> Registration {
    const SHORTEST: usize = 16;
    let path = |reader: &Reader, key: &str| {
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
            if !(SHORTEST..=256).contains(&secret.len()) || !secret.bytes().all(fits) {
                reader.complain(&at_secret, format!("a webhook needs {SHORTEST} to 256 characters of A-Z a-z 0-9 _ -"));
            }
            let Some(base) = reader.text("public_url").map(|url| url.trim_end_matches('/').to_owned()) else {
                reader.complain("public_url", "missing: a webhook needs to know where Telegram reaches this service");
                return Registration::Off;
            };
            Registration::Webhook { url: format!("{base}/webhook/{name}"), secret: SecretString::from(secret) }
        }
        other => {
            let message = format!("expected off, polling or webhook, found {:?}", other.unwrap_or_default());
            reader.complain(&at, message);
            Registration::Off
        }
    }
}

/// Tokens that stand for a bot. They look like Telegram's own, since client libraries check that, and each stands for one
/// bot.
fn client_tokens(reader: &mut Reader, bots: &BTreeMap<BotName, Arc<Bot>>, path: &str) -> Vec<SecretString> {
    let tokens = reader.list(path);
    for (number, token) in (1..).zip(&tokens) {
        let taken = bots.values().any(|bot| answers_to(bot, token));
        if token_id(token).is_none() {
            let message = format!("token {number} is not <digits>:<at least 24 characters of A-Za-z0-9_->");
            reader.complain(path, message);
        } else if taken {
            reader.complain(path, format!("token {number} stands for another bot already"));
        }
    }
    tokens.into_iter().map(SecretString::from).collect()
}

fn limits(reader: &mut Reader, prefix: &str, inherited: Limits) -> Limits {
    const FASTEST: f64 = 100_000.0;
    Limits {
        bot_rate: reader.number(&format!("{prefix}bot_rate"), 0.0..=FASTEST, inherited.bot_rate),
        chat_rate: reader.number(&format!("{prefix}chat_rate"), 0.0..=FASTEST, inherited.chat_rate),
        group_rate_per_minute: reader.number(
            &format!("{prefix}group_rate_per_minute"),
            0..=1_000_000,
            inherited.group_rate_per_minute,
        ),
    }
}

fn api_url(reader: &mut Reader, path: &str, inherited: &str) -> String {
    let Some(text) = reader.text(path).map(str::to_owned) else { return inherited.to_owned() };
    if text.contains("{token}") != text.contains("{method}") {
        reader.complain(path, "a template holds both {token} and {method}");
    }
    reader.plain_url(path, &text);
    text
}

fn log(reader: &mut Reader) -> String {
    let filter = reader.text("log").unwrap_or_default().to_owned();
    if let Err(error) = EnvFilter::builder().parse(&filter) {
        reader.complain("log", format!("not a log filter: {error}"));
    }
    filter
}

fn log_format(reader: &mut Reader) -> LogFormat {
    match reader.text("log_format") {
        Some("text") => LogFormat::Text,
        Some("json") => LogFormat::Json,
        other => {
            let message = format!("expected text or json, found {:?}", other.unwrap_or_default());
            reader.complain("log_format", message);
            LogFormat::Text
        }
    }
}
