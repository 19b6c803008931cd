//! The callers' API keys: those without a name, and the clients that have a table of their own.

use super::callbacks::{receiver, secrets};
use crate::domain::{BotName, ClientName};
use crate::settings::bot::{Bot, token_id};
use crate::settings::callback::CallbackSettings;
use crate::settings::client::{Client, KeyDigest, Scope};
use crate::settings::value_reader::ValueReader;
use secrecy::SecretString;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::sync::Arc;

/// The shortest key in bytes.
const MIN_KEY_BYTES: usize = 16;
/// The longest file of a key in bytes.
const MAX_KEY_FILE_BYTES: u64 = 4096;
/// The highest rate in requests a second.
const MAX_RATE: f64 = 100_000.0;
/// The highest daily quota.
const MAX_DAILY_QUOTA: u64 = 1_000_000_000;

type Bots = BTreeMap<BotName, Arc<Bot>>;

/// The keys at the top of the file, which open everything.
pub fn api_keys(reader: &mut ValueReader) -> Vec<SecretString> {
    let keys = reader.list("api_keys");
    for (number, key) in (1..).zip(&keys) {
        if !is_key(key) {
            reader.add_error("api_keys", format!("key {number} is not {KEY_SHAPE}"));
        }
    }
    keys.into_iter().map(SecretString::from).collect()
}

/// What a key looks like, in the words of an error.
const KEY_SHAPE: &str = "16 or more printable ASCII characters without spaces";

fn is_key(key: &str) -> bool {
    key.len() >= MIN_KEY_BYTES && key.bytes().all(|b| b.is_ascii_graphic())
}

/// The clients of `[clients.NAME]`. A key or a token means one caller, so none is given twice.
pub fn clients(
    reader: &mut ValueReader,
    bots: &Bots,
    api_keys: &[SecretString],
    callbacks: &CallbackSettings,
) -> Vec<Arc<Client>> {
    let mut known: Vec<(KeyDigest, String)> =
        api_keys.iter().map(|key| (KeyDigest::of(key), "api_keys".to_owned())).collect();
    let mut clients: Vec<Arc<Client>> = Vec::new();
    for name in reader.layers.names("clients") {
        let prefix = format!("clients.{name}.");
        let errors = reader.layers.errors.len();
        let key = key(reader, &prefix);
        if let Some(key) = key {
            match known.iter().find(|(other, _)| *other == key) {
                Some((_, owner)) => {
                    let message = format!("the same key as in {owner}: each caller has one of its own");
                    reader.add_error(&format!("clients.{name}"), message);
                }
                None => known.push((key, format!("clients.{name}"))),
            }
        }
        let bots_allowed = allowed_bots(reader, &format!("{prefix}bots"), bots);
        let scopes = scopes(reader, &format!("{prefix}scopes"));
        let rate = reader.number(&format!("{prefix}rate"), 0.0..=MAX_RATE, 0.0);
        let daily_quota = reader.number(&format!("{prefix}daily_quota"), 0..=MAX_DAILY_QUOTA, 0);
        let tokens = tokens(reader, &format!("{prefix}tokens."), bots, &clients, bots_allowed.as_ref());
        let callback_secrets = secrets(reader, &format!("{prefix}callback_secret"));
        let callback_url = receiver(reader, &format!("{prefix}callback_url"), !callback_secrets.is_empty(), callbacks);
        let client_name = name.as_str().parse::<ClientName>().ok();
        if let (Some(name), Some(key), true) = (client_name, key, errors == reader.layers.errors.len()) {
            clients.push(Arc::new(Client {
                name,
                key,
                bots: bots_allowed,
                scopes,
                rate,
                daily_quota,
                tokens,
                callback_url,
                callback_secrets,
            }));
        }
    }
    clients
}

/// The key of a client: itself, its digest, or the file that holds it.
fn key(reader: &mut ValueReader, prefix: &str) -> Option<KeyDigest> {
    let at = |name: &str| format!("{prefix}{name}");
    let given = ["key", "key_sha256", "key_file"].map(|name| reader.text(&at(name)).map(str::to_owned));
    match given {
        [Some(key), None, None] => checked(reader, &at("key"), &key),
        [None, Some(digest), None] => {
            let digest = digest.trim().parse().ok().map(KeyDigest::new);
            if digest.is_none() {
                reader.add_error(&at("key_sha256"), "expected the SHA-256 of the key in 64 hexadecimal digits");
            }
            digest
        }
        [None, None, Some(file)] => match read(&file) {
            Ok(key) => checked(reader, &at("key_file"), key.trim()),
            Err(error) => {
                reader.add_error(&at("key_file"), format!("cannot be read: {error}"));
                None
            }
        },
        given => {
            let what = if given.iter().all(Option::is_none) { "missing" } else { "too many" };
            let message = format!("{what}: a client has one of key, key_sha256 and key_file");
            reader.add_error(prefix.trim_end_matches('.'), message);
            None
        }
    }
}

fn checked(reader: &mut ValueReader, at: &str, key: &str) -> Option<KeyDigest> {
    if !is_key(key) {
        reader.add_error(at, format!("the key is not {KEY_SHAPE}"));
        return None;
    }
    Some(KeyDigest::of(&SecretString::from(key)))
}

fn read(file: &str) -> std::io::Result<String> {
    let mut key = String::new();
    std::fs::File::open(file)?.take(MAX_KEY_FILE_BYTES).read_to_string(&mut key)?;
    Ok(key)
}

/// A list that is given and empty would be read as all by one and as none by another.
fn given(reader: &mut ValueReader, at: &str) -> Option<Vec<String>> {
    let texts = reader.list(at);
    if texts.is_empty() && reader.layers.values.contains_key(at) {
        reader.add_error(at, "names nothing: name some, or leave it out for the default");
    }
    (!texts.is_empty()).then_some(texts)
}

fn allowed_bots(reader: &mut ValueReader, at: &str, bots: &Bots) -> Option<BTreeSet<BotName>> {
    let names = given(reader, at)?;
    let known = |name: &String| name.parse::<BotName>().ok().filter(|bot| bots.contains_key(bot));
    for unknown in names.iter().filter(|name| known(name).is_none()) {
        reader.add_error(at, format!("no bot named {unknown:?} is configured"));
    }
    Some(names.iter().filter_map(known).collect())
}

fn scopes(reader: &mut ValueReader, at: &str) -> BTreeSet<Scope> {
    let Some(names) = given(reader, at) else { return [Scope::Send, Scope::Read].into() };
    for unknown in names.iter().filter(|name| Scope::named(name).is_none()) {
        reader.add_error(at, format!("expected send, read or manage, found {unknown:?}"));
    }
    names.iter().filter_map(|name| Scope::named(name)).collect()
}

/// The tokens under which a client calls the Bot API face, by the bot that each stands for.
fn tokens(
    reader: &mut ValueReader,
    prefix: &str,
    bots: &Bots,
    clients: &[Arc<Client>],
    allowed: Option<&BTreeSet<BotName>>,
) -> BTreeMap<BotName, SecretString> {
    use secrecy::ExposeSecret;
    let mut tokens: BTreeMap<BotName, SecretString> = BTreeMap::new();
    for (path, token) in reader.below(prefix) {
        let bot = path[prefix.len()..].parse::<BotName>().ok().and_then(|name| bots.get(&name));
        let Some(bot) = bot.filter(|bot| bot.telegram().is_some()) else {
            reader.add_error(&path, "no bot of Telegram of this name is configured");
            continue;
        };
        let of_bot = bots.values().any(|bot| bot.telegram().is_some_and(|telegram| telegram.answers_to(&token)));
        let of_client = clients.iter().flat_map(|client| client.tokens.values()).chain(tokens.values());
        let taken = of_bot || of_client.into_iter().any(|known| known.expose_secret() == token);
        if token_id(&token).is_none() {
            reader.add_error(&path, "is not <digits>:<at least 24 characters of A-Za-z0-9_->");
        } else if taken {
            reader.add_error(&path, "stands for another caller already");
        } else if allowed.is_some_and(|allowed| !allowed.contains(&bot.name)) {
            reader.add_error(&path, "its bots do not hold this one");
        } else {
            tokens.insert(bot.name.clone(), SecretString::from(token));
        }
    }
    tokens
}
