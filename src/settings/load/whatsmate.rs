//! Both sides of WhatsMate: bots that deliver through its gateway, and the clients of its face.

use crate::domain::{Address, BotName, ChatId};
use crate::settings::bot::Bot;
use crate::settings::value_reader::ValueReader;
use crate::settings::whatsmate::{WhatsMateAccount, WhatsMateClient};
use secrecy::ExposeSecret;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The keys of a bot's table that belong to bots of Telegram alone.
pub const TELEGRAM_KEYS: &[&str] =
    &["token", "api_url", "client_tokens", "api_local", "registration", "registration_secret"];
/// The keys of a bot's table that belong to bots of WhatsMate's gateway alone.
pub const GATEWAY_KEYS: &[&str] = &["gateway_url", "client_id", "client_secret", "instance"];

/// Where WhatsMate's own gateway is.
const GATEWAY_URL: &str = "https://api.whatsmate.net";
/// The shortest secret of a client; those that WhatsMate gives out are longer.
const MIN_SECRET_BYTES: usize = 12;

/// The account of a bot of kind `whatsmate`; `None` after a add_errort.
pub fn gateway(reader: &mut ValueReader, prefix: &str) -> Option<WhatsMateAccount> {
    let errors = reader.layers.errors.len();
    for key in TELEGRAM_KEYS {
        if reader.text(&format!("{prefix}{key}")).is_some() {
            reader.add_error(&format!("{prefix}{key}"), "belongs to bots of kind telegram");
        }
    }
    let at = format!("{prefix}gateway_url");
    let url = reader.text(&at).unwrap_or(GATEWAY_URL).trim_end_matches('/').to_owned();
    reader.plain_url(&at, &url);
    let client_id = header(reader, &format!("{prefix}client_id"), 1).into();
    let client_secret = header(reader, &format!("{prefix}client_secret"), 1).into();
    let at = format!("{prefix}instance");
    if reader.text(&at).is_none() {
        reader.add_error(&at, "missing: the number of the gateway instance that sends");
    }
    let instance = reader.number(&at, 1..=u32::MAX, 1);
    let groups = groups(reader, &format!("{prefix}groups."));
    (errors == reader.layers.errors.len()).then_some(WhatsMateAccount {
        url,
        client_id,
        client_secret,
        instance,
        groups,
    })
}

/// Groups are written `name = "ADMIN'S-NUMBER TITLE"`.
fn groups(reader: &mut ValueReader, prefix: &str) -> BTreeMap<ChatId, Address> {
    let mut groups = BTreeMap::new();
    for (path, text) in reader.below(prefix) {
        let chat = format!("@{}", &path[prefix.len()..]).parse::<ChatId>();
        let address = text
            .split_once(' ')
            .and_then(|(admin, name)| Some(Address::Group { name: name.parse().ok()?, admin: admin.parse().ok()? }));
        match (chat, address) {
            (Ok(chat), Some(address)) => _ = groups.insert(chat, address),
            (Err(_), _) => reader.add_error(&path, "the name of a group is 4 to 32 of A-Z a-z 0-9 _, a letter first"),
            (_, None) => reader.add_error(&path, "expected the admin's phone number in digits, a space, and the title"),
        }
    }
    groups
}

/// The clients of the face: the one of the top-level keys, and those with a table of their own.
pub fn clients(reader: &mut ValueReader, bots: &BTreeMap<BotName, Arc<Bot>>) -> Vec<WhatsMateClient> {
    let mut clients = Vec::new();
    let (id, secret, instance) = ("whatsmate_client_id", "whatsmate_client_secret", "whatsmate_instance");
    if reader.text(id).is_some() || reader.text(secret).is_some() {
        let number = reader.number(instance, 1..=u32::MAX, 1);
        if !bots.contains_key(&BotName::default_bot()) {
            reader.add_error(instance, "means the bot named default, and there is none");
        }
        add(reader, &mut clients, (id, secret), [(number, BotName::default_bot())].into());
    }
    for name in reader.layers.names("whatsmate_clients") {
        let prefix = format!("whatsmate_clients.{name}.");
        let mut instances = BTreeMap::new();
        for (path, bot) in reader.below(&format!("{prefix}instances.")) {
            let number = path.rsplit('.').next().and_then(|number| number.parse::<u32>().ok()).filter(|n| *n > 0);
            let bot = bot.parse::<BotName>().ok().filter(|bot| bots.contains_key(bot));
            match (number, bot) {
                (None, _) => reader.add_error(&path, "an instance is a positive number"),
                (_, None) => reader.add_error(&path, "no bot of this name is configured"),
                (Some(number), Some(bot)) => _ = instances.insert(number, bot),
            }
        }
        if reader.below(&format!("{prefix}instances.")).is_empty() {
            reader.add_error(
                &format!("{prefix}instances"),
                "missing: which bot is meant by which number, 1 = \"default\"",
            );
        }
        add(reader, &mut clients, (&format!("{prefix}client_id"), &format!("{prefix}client_secret")), instances);
    }
    clients
}

fn add(
    reader: &mut ValueReader,
    clients: &mut Vec<WhatsMateClient>,
    (id, secret): (&str, &str),
    instances: BTreeMap<u32, BotName>,
) {
    let text = header(reader, id, 1);
    if clients.iter().any(|other| other.id.expose_secret() == text) {
        reader.add_error(id, "another client has the same id");
    }
    let secret = header(reader, secret, MIN_SECRET_BYTES).into();
    clients.push(WhatsMateClient { id: text.into(), secret, instances });
}

/// A text that can travel in a header. The add_errort does not repeat it.
fn header(reader: &mut ValueReader, path: &str, min_bytes: usize) -> String {
    let text = reader.text(path).unwrap_or_default().to_owned();
    if text.is_empty() {
        reader.add_error(path, "missing");
    } else if text.len() < min_bytes || !text.bytes().all(|b| b.is_ascii_graphic()) {
        reader.add_error(path, format!("expected {min_bytes} or more printable ASCII characters without spaces"));
    }
    text
}
