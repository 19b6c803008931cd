//! What an operator has paused: nothing is sent for it until somebody lets it go on.

use super::client_name::ClientName;
use super::ids::{BotName, ChatId, InvalidIdError};
use super::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// That a bot, or a chat of it, is paused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Since when.
    pub since: Timestamp,
    /// Who asked for it, if that was a client with a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientName>,
    /// Why, in the words of who asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Pause {
    /// The longest reason in bytes.
    pub const REASON_LIMIT_BYTES: usize = 500;

    /// A reason that can be kept: 1 to [`Pause::REASON_LIMIT_BYTES`] bytes, and no control characters, since it stands in log lines.
    ///
    /// # Errors
    /// It is not like that.
    pub fn check_reason(reason: &str) -> Result<(), InvalidIdError> {
        if reason.is_empty() || reason.len() > Self::REASON_LIMIT_BYTES || reason.chars().any(char::is_control) {
            return Err(InvalidIdError("a reason is a line of 1 to 500 bytes"));
        }
        Ok(())
    }
}

/// What is paused: a bot, or one of its chats.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PauseTarget {
    /// The bot.
    pub bot: BotName,
    /// The chat; `None` for the whole bot.
    pub chat: Option<ChatId>,
}

/// All pauses at a moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PauseList(BTreeMap<BotName, BotPauses>);

/// The pauses of one bot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BotPauses {
    /// Of the whole bot.
    pub bot: Option<Pause>,
    /// Of its chats.
    pub chats: BTreeMap<ChatId, Pause>,
}

impl PauseList {
    /// Adds one.
    pub fn put(&mut self, target: PauseTarget, pause: Pause) {
        let of_bot = self.0.entry(target.bot).or_default();
        match target.chat {
            None => of_bot.bot = Some(pause),
            Some(chat) => _ = of_bot.chats.insert(chat, pause),
        }
    }

    /// Takes one out.
    pub fn remove(&mut self, target: &PauseTarget) {
        let Some(of_bot) = self.0.get_mut(&target.bot) else { return };
        match &target.chat {
            None => of_bot.bot = None,
            Some(chat) => _ = of_bot.chats.remove(chat),
        }
        if of_bot.bot.is_none() && of_bot.chats.is_empty() {
            self.0.remove(&target.bot);
        }
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = (PauseTarget, &Pause)> {
        self.0.iter().flat_map(|(bot, pauses)| {
            let of_chats = pauses.chats.iter().map(|(chat, pause)| (Some(chat.clone()), pause));
            let all = pauses.bot.iter().map(|pause| (None, pause)).chain(of_chats);
            all.map(|(chat, pause)| (PauseTarget { bot: bot.clone(), chat }, pause))
        })
    }

    /// Those of a bot; `None` if it has none.
    pub fn of(&self, bot: &BotName) -> Option<&BotPauses> {
        self.0.get(bot)
    }

    /// Whether nothing may be sent by a bot to a chat.
    pub fn forbid(&self, bot: &BotName, chat: &ChatId) -> bool {
        self.of(bot).is_some_and(|pauses| pauses.bot.is_some() || pauses.chats.contains_key(chat))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paused_bot_forbids_all_its_chats_and_a_paused_chat_itself() {
        let (one, other): (BotName, BotName) = ("one".parse().unwrap(), "other".parse().unwrap());
        let pause = Pause { since: Timestamp::now(), client: None, reason: None };
        let mut list = PauseList::default();
        list.put(PauseTarget { bot: one.clone(), chat: None }, pause.clone());
        list.put(PauseTarget { bot: other.clone(), chat: Some(ChatId::Id(7)) }, pause);
        let forbidden = |list: &PauseList| {
            [(&one, 7), (&one, 8), (&other, 7), (&other, 8)].map(|(bot, chat)| list.forbid(bot, &ChatId::Id(chat)))
        };
        assert_eq!(forbidden(&list), [true, true, true, false]);
        let all: Vec<_> = list.iter().map(|(target, _)| target).collect();
        list.remove(&all[0]);
        assert_eq!(forbidden(&list), [false, false, true, false]);
        list.remove(&all[1]);
        assert_eq!(list, PauseList::default());
    }

    #[test]
    fn a_reason_is_one_line_of_bounded_length() {
        assert!(Pause::check_reason(&"é".repeat(250)).is_ok());
        for wrong in ["", "two\nlines", &"x".repeat(501)] {
            assert!(Pause::check_reason(wrong).is_err(), "{wrong:?}");
        }
    }
}
