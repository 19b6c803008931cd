//! Both sides of WhatsMate: bots that deliver through its gateway, and who may call its face.

use super::Bot;
use super::reader::Reader;
use crate::domain::{Address, BotName, ChatId};
use secrecy::SecretString;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Where WhatsMate's own gateway is.
const GATEWAY_URL: &str = "https://api.whatsmate.net";
/// The shortest secret of a client; those that WhatsMate gives out are longer.
const SHORTEST_SECRET: usize = 12;

/// An account at WhatsMate's gateway, through which a bot delivers.
#[derive(Clone, Debug)]
pub struct WhatsMate {
    /// The gateway's address, without a slash at its end.
    pub url: String,
    /// Sent as `X-WM-CLIENT-ID`; never printed.
    pub client_id: SecretString,
    /// Sent as `X-WM-CLIENT-SECRET`; never printed.
    pub client_secret: SecretString,
    /// The gateway instance that sends.
    pub instance: u32,
    /// The groups that it can send to, under the usernames that stand for them here.
    pub groups: BTreeMap<ChatId, Address>,
}

impl WhatsMate {
    /// Who is meant by a chat: a positive number is a phone number, a username one of the groups.
    pub fn address(&self, chat: &ChatId) -> Option<Address> {
        match chat {
            ChatId::Id(id) => id.to_string().parse().ok().map(Address::Number),
            ChatId::Username(_) => self.groups.get(chat).cloned(),
        }
    }

    /// The chat that stands for an address, the other way round.
    pub fn chat_of(&self, address: &Address) -> Option<ChatId> {
        match address {
            Address::Number(number) => number.as_str().parse().ok(),
            group => self.groups.iter().find(|(_, known)| *known == group).map(|(chat, _)| chat.clone()),
        }
    }
}

/// A client of the WhatsMate face.
#[derive(Clone, Debug)]
pub struct WhatsMateClient {
    /// What it shows as `X-WM-CLIENT-ID`.
    pub id: SecretString,
    /// What it shows as `X-WM-CLIENT-SECRET`.
    pub secret: SecretString,
    /// The bots that it may send with, by instance number.
    pub instances: BTreeMap<u32, BotName>,
}

/// The keys of a bot's table that belong to one kind of bot only.
pub(super) const TELEGRAM_KEYS: &[&str] =
    &["token", "api_url", "client_tokens", "api_local", "registration", "registration_secret"];
pub(super) const GATEWAY_KEYS: &[&str] = &["gateway_url", "client_id", "client_secret", "instance"];

/// The account of a bot of kind `whatsmate`; `None` after a complaint.
pub(super) fn gateway(reader: &mut Reader, prefix: &str) -> Option<WhatsMate> {
    let problems = reader.layers.problems.len();
    for key in TELEGRAM_KEYS {
        if reader.text(&format!("{prefix}{key}")).is_some() {
            reader.complain(&format!("{prefix}{key}"), "belongs to bots of kind telegram");
        }
    }
    let at = format!("{prefix}gateway_url");
    let url = reader.text(&at).unwrap_or(GATEWAY_URL).trim_end_matches('/').to_owned();
    reader.plain_url(&at, &url);
    let client_id = header(reader, &format!("{prefix}client_id"), 1).into();
    let client_secret = header(reader, &format!("{prefix}client_secret"), 1).into();
    let at = format!("{prefix}instance");
    if reader.text(&at).is_none() {
        reader.complain(&at, "missing: the number of the gateway instance that sends");
    }
    let instance = reader.number(&at, 1..=u32::MAX, 1);
    let groups = groups(reader, &format!("{prefix}groups."));
    (problems == reader.layers.problems.len()).then_some(WhatsMate { url, client_id, client_secret, instance, groups })
}

/// Groups are written `name = "ADMIN'S-NUMBER TITLE"`.
fn groups(reader: &mut Reader, prefix: &str) -> BTreeMap<ChatId, Address> {
    let mut groups = BTreeMap::new();
    for (path, text) in reader.below(prefix) {
        let chat = format!("@{}", &path[prefix.len()..]).parse::<ChatId>();
        let address = text
            .split_once(' ')
            .and_then(|(admin, name)| Some(Address::Group { name: name.parse().ok()?, admin: admin.parse().ok()? }));
        match (chat, address) {
            (Ok(chat), Some(address)) => _ = groups.insert(chat, address),
            (Err(_), _) => reader.complain(&path, "the name of a group is 4 to 32 of A-Z a-z 0-9 _, a letter first"),
            (_, None) => reader.complain(&path, "expected the admin's phone number in digits, a space, and the title"),
        }
    }
    groups
}

/// The clients of the face: the one of the top-level keys, and those with a table of their own.
pub(super) fn clients(reader: &mut Reader, bots: &BTreeMap<BotName, Arc<Bot>>) -> Vec<WhatsMateClient> {
    let mut clients = Vec::new();
    let (id, secret, instance) = ("whatsmate_client_id", "whatsmate_client_secret", "whatsmate_instance");
    if reader.text(id).is_some() || reader.text(secret).is_some() {
        let number = reader.number(instance, 1..=u32::MAX, 1);
        if !bots.contains_key(&BotName::default_bot()) {
            reader.complain(instance, "means the bot named default, and there is none");
        }
        add(reader, &mut clients, (id, secret), [(number, BotName::default_bot())].into());
    }
    for name in reader.layers.clients.clone() {
        let prefix = format!("whatsmate_clients.{name}.");
        let mut instances = BTreeMap::new();
        for (path, bot) in reader.below(&format!("{prefix}instances.")) {
            let number = path.rsplit('.').next().and_then(|number| number.parse::<u32>().ok()).filter(|n| *n > 0);
            let bot = bot.parse::<BotName>().ok().filter(|bot| bots.contains_key(bot));
            match (number, bot) {
                (None, _) => reader.complain(&path, "an instance is a positive number"),
                (_, None) => reader.complain(&path, "no bot of this name is configured"),
                (Some(number), Some(bot)) => _ = instances.insert(number, bot),
            }
        }
        if reader.below(&format!("{prefix}instances.")).is_empty() {
            reader.complain(
                &format!("{prefix}instances"),
                "missing: which bot is meant by which number, 1 = \"default\"",
            );
        }
        add(reader, &mut clients, (&format!("{prefix}client_id"), &format!("{prefix}client_secret")), instances);
    }
    clients
}

fn add(
    reader: &mut Reader,
    clients: &mut Vec<WhatsMateClient>,
    (id, secret): (&str, &str),
    instances: BTreeMap<u32, BotName>,
) {
    use secrecy::ExposeSecret;
    let text = header(reader, id, 1);
    if clients.iter().any(|other| other.id.expose_secret() == text) {
        reader.complain(id, "another client has the same id");
    }
    let secret = header(reader, secret, SHORTEST_SECRET).into();
    clients.push(WhatsMateClient { id: text.into(), secret, instances });
}

/// A text that can travel in a header. The complaint does not repeat it.
fn header(reader: &mut Reader, path: &str, shortest: usize) -> String {
    let text = reader.text(path).unwrap_or_default().to_owned();
    if text.is_empty() {
        reader.complain(path, "missing");
    } else if text.len() < shortest || !text.bytes().all(|b| b.is_ascii_graphic()) {
        reader.complain(path, format!("expected {shortest} or more printable ASCII characters without spaces"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chats_stand_for_numbers_and_named_groups_both_ways() {
        let group = Address::Group { name: "Night shift".parse().unwrap(), admin: "491701234567".parse().unwrap() };
        let chat = ChatId::Username("@nights".to_owned());
        let gateway = WhatsMate {
            url: String::new(),
            client_id: SecretString::default(),
            client_secret: "hunter2".into(),
            instance: 1,
            groups: [(chat.clone(), group.clone())].into(),
        };
        let number = Address::Number("15551234567".parse().unwrap());
        for (chat, address) in [(chat, group), (ChatId::Id(15_551_234_567), number)] {
            assert_eq!((gateway.address(&chat), gateway.chat_of(&address)), (Some(address.clone()), Some(chat)));
        }
        for stranger in [ChatId::Id(-5), ChatId::Id(7), ChatId::Username("@days".to_owned())] {
            assert_eq!(gateway.address(&stranger), None);
        }
        assert!(!format!("{gateway:?}").contains("hunter2"));
    }
}
