//! How many calls may be under way at once, as the Bot API server counts them. The updates of the last minute, by which the
//! real server allows more, are not counted.

use super::State;
use super::arguments::Arguments;
use serde_json::Value;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

/// The most calls of a bot (Bot API server).
const MAX_CALLS: u64 = 1000;
/// The most calls of a bot that bring files (Bot API server).
const MAX_UPLOADS: u64 = 100;
/// The most bytes that these bring together (Bot API server).
const MAX_BYTES: u64 = 4 << 30;
/// The most messages to a chat that are not sent yet; items of albums count singly (Bot API server).
const MAX_UNSENT: u64 = 310;
/// What is not counted (Bot API server).
const EXEMPT: [&str; 7] = ["getMe", "getUpdates", "setWebhook", "deleteWebhook", "getWebhookInfo", "close", "logOut"];

/// What is under way.
#[derive(Default)]
pub(super) struct Crowd {
    bots: HashMap<u64, Bot>,
    unsent: HashMap<(u64, i64), u64>,
}

#[derive(Clone, Copy, Default, PartialEq)]
struct Bot {
    calls: u64,
    uploads: u64,
    bytes: u64,
}

/// What one call adds.
#[derive(Clone, Copy)]
struct Share {
    bot: u64,
    bytes: u64,
    /// The chat to which it sends, and how many messages.
    sends: Option<(i64, u64)>,
}

/// A call under way, until it is dropped. Not to be dropped by who holds the desk.
pub(super) struct Ticket {
    state: Arc<State>,
    share: Share,
}

impl Ticket {
    /// Counts a call, or says that there are too many.
    pub fn take(
        state: &Arc<State>,
        bot: u64,
        method: &str,
        chat: Option<i64>,
        arguments: &Arguments,
    ) -> Result<Option<Self>, TooMany> {
        if !state.options.in_flight_limits || state.options.local || EXEMPT.contains(&method) {
            return Ok(None);
        }
        let share = Share { bot, bytes: arguments.file_bytes(), sends: chat.zip(messages(method, arguments)) };
        state.desk().crowd.enter(share)?;
        Ok(Some(Self { state: state.clone(), share }))
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.state.desk().crowd.leave(self.share);
    }
}

/// There are too many calls under way.
#[derive(Debug, PartialEq)]
pub(super) struct TooMany;

impl Crowd {
    fn enter(&mut self, share: Share) -> Result<(), TooMany> {
        let bot = self.bots.get(&share.bot).copied().unwrap_or_default();
        let unsent = share.sends.and_then(|(chat, _)| self.unsent.get(&(share.bot, chat)));
        let upload = share.bytes > 0;
        if bot.calls >= MAX_CALLS
            || upload && (bot.uploads >= MAX_UPLOADS || bot.bytes + share.bytes > MAX_BYTES)
            || unsent.is_some_and(|unsent| *unsent >= MAX_UNSENT)
        {
            return Err(TooMany);
        }
        let bot = self.bots.entry(share.bot).or_default();
        bot.calls += 1;
        bot.uploads += u64::from(upload);
        bot.bytes += share.bytes;
        if let Some((chat, messages)) = share.sends {
            *self.unsent.entry((share.bot, chat)).or_default() += messages;
        }
        Ok(())
    }

    fn leave(&mut self, share: Share) {
        change(&mut self.bots, share.bot, |bot| {
            bot.calls -= 1;
            bot.uploads -= u64::from(share.bytes > 0);
            bot.bytes -= share.bytes;
        });
        if let Some((chat, messages)) = share.sends {
            change(&mut self.unsent, (share.bot, chat), |unsent| *unsent -= messages);
        }
    }
}

/// Changes an entry, and forgets it when nothing is left.
fn change<K: Eq + Hash, V: Default + PartialEq>(map: &mut HashMap<K, V>, key: K, change: impl FnOnce(&mut V)) {
    if let Some(value) = map.get_mut(&key) {
        change(value);
        if *value == V::default() {
            map.remove(&key);
        }
    }
}

/// How many messages a call sends, if it is one that sends.
fn messages(method: &str, arguments: &Arguments) -> Option<u64> {
    let items = |name| match serde_json::from_str(arguments.text(name)?) {
        Ok(Value::Array(items)) => Some(items.len() as u64),
        _ => None,
    };
    match method {
        "sendMediaGroup" => items("media"),
        "copyMessages" | "forwardMessages" => items("message_ids"),
        "sendChatAction" => None,
        "copyMessage" | "forwardMessage" => Some(1),
        _ => method.starts_with("send").then_some(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_uploads_and_unsent_messages_are_bounded_and_leave_nothing_behind() {
        let mut crowd = Crowd::default();
        let plain = Share { bot: 1, bytes: 0, sends: None };
        let upload = Share { bytes: 9, ..plain };
        let album = Share { sends: Some((7, 10)), ..plain };
        let count = |crowd: &mut Crowd, share| (0..2000).take_while(|_| crowd.enter(share).is_ok()).count();
        assert_eq!(count(&mut crowd, upload), 100);
        assert_eq!(count(&mut crowd, album), 31);
        assert_eq!(count(&mut crowd, Share { sends: Some((8, 1)), ..plain }), 310);
        assert_eq!(count(&mut crowd, plain), 1000 - 100 - 31 - 310);
        assert_eq!(crowd.enter(Share { bot: 2, ..plain }), Ok(()), "another bot is free");
        (0..100).for_each(|_| crowd.leave(upload));
        (0..31).for_each(|_| crowd.leave(album));
        assert_eq!(count(&mut crowd, plain), 131);
        assert_eq!(crowd.unsent.len(), 1);
    }
}
