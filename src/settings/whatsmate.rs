//! Both sides of WhatsMate: bots that deliver through its gateway, and who may call its face.

use crate::domain::{Address, BotName, ChatId};
use secrecy::SecretString;
use std::collections::BTreeMap;

/// An account at WhatsMate's gateway, through which a bot delivers.
#[derive(Clone, Debug)]
pub struct WhatsMateAccount {
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

impl WhatsMateAccount {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chats_stand_for_numbers_and_named_groups_both_ways() {
        let group = Address::Group { name: "Night shift".parse().unwrap(), admin: "491701234567".parse().unwrap() };
        let chat = ChatId::Username("@nights".to_owned());
        let gateway = WhatsMateAccount {
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
