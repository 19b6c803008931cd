//! How many calls may be in flight at once, as the Bot API server counts them. The updates of the last minute, by which the
//! real server allows more, are not counted.

use crate::sandbox::locked::Locked;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

/// The most calls of a bot (Bot API server).
const MAX_CALLS: u64 = 1000;
/// The most calls of a bot that bring files (Bot API server).
const MAX_UPLOADS: u64 = 100;
/// The most bytes that these bring together (Bot API server).
const MAX_UPLOAD_BYTES: u64 = 4 << 30;
/// The most messages to a chat that are not sent yet; items of albums count singly (Bot API server).
const MAX_UNSENT: u64 = 310;

#[derive(Default)]
pub struct InFlightLimits {
    bots: HashMap<u64, BotInFlight>,
    /// Messages by bot and chat.
    unsent: HashMap<(u64, i64), u64>,
}

#[derive(Clone, Copy, Default, PartialEq)]
struct BotInFlight {
    calls: u64,
    uploads: u64,
    bytes: u64,
}

/// What one call adds.
#[derive(Clone, Copy)]
pub struct CallShare {
    pub bot: u64,
    /// The bytes of its files.
    pub bytes: u64,
    /// The chat to which it sends, and how many messages.
    pub sends: Option<(i64, u64)>,
}

/// A call in flight, counted until it is dropped.
pub struct InFlightCall {
    limits: Arc<Locked<InFlightLimits>>,
    share: CallShare,
}

impl InFlightCall {
    /// Counts a call, or says that there are too many.
    pub fn begin(limits: &Arc<Locked<InFlightLimits>>, share: CallShare) -> Result<Self, InFlightRejection> {
        limits.lock().enter(share)?;
        Ok(Self { limits: limits.clone(), share })
    }
}

impl Drop for InFlightCall {
    fn drop(&mut self) {
        self.limits.lock().leave(self.share);
    }
}

/// There are too many calls in flight.
#[derive(Debug, PartialEq)]
pub struct InFlightRejection;

impl InFlightLimits {
    fn enter(&mut self, share: CallShare) -> Result<(), InFlightRejection> {
        let bot = self.bots.get(&share.bot).copied().unwrap_or_default();
        let unsent = share.sends.and_then(|(chat, _)| self.unsent.get(&(share.bot, chat)));
        let upload = share.bytes > 0;
        if bot.calls >= MAX_CALLS
            || upload && (bot.uploads >= MAX_UPLOADS || bot.bytes + share.bytes > MAX_UPLOAD_BYTES)
            || unsent.is_some_and(|unsent| *unsent >= MAX_UNSENT)
        {
            return Err(InFlightRejection);
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

    fn leave(&mut self, share: CallShare) {
        update_entry(&mut self.bots, share.bot, |bot| {
            bot.calls -= 1;
            bot.uploads -= u64::from(share.bytes > 0);
            bot.bytes -= share.bytes;
        });
        if let Some((chat, messages)) = share.sends {
            update_entry(&mut self.unsent, (share.bot, chat), |unsent| *unsent -= messages);
        }
    }
}

/// Changes an entry, and forgets it when nothing is left.
fn update_entry<K: Eq + Hash, V: Default + PartialEq>(map: &mut HashMap<K, V>, key: K, change: impl FnOnce(&mut V)) {
    if let Some(value) = map.get_mut(&key) {
        change(value);
        if *value == V::default() {
            map.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_uploads_and_unsent_messages_are_bounded_and_leave_nothing_behind() {
        let mut limits = InFlightLimits::default();
        let plain = CallShare { bot: 1, bytes: 0, sends: None };
        let upload = CallShare { bytes: 9, ..plain };
        let album = CallShare { sends: Some((7, 10)), ..plain };
        let count = |limits: &mut InFlightLimits, share| (0..2000).take_while(|_| limits.enter(share).is_ok()).count();
        assert_eq!(count(&mut limits, upload), 100);
        assert_eq!(count(&mut limits, album), 31);
        assert_eq!(count(&mut limits, CallShare { sends: Some((8, 1)), ..plain }), 310);
        assert_eq!(count(&mut limits, plain), 1000 - 100 - 31 - 310);
        assert_eq!(limits.enter(CallShare { bot: 2, ..plain }), Ok(()), "another bot is free");
        (0..100).for_each(|_| limits.leave(upload));
        (0..31).for_each(|_| limits.leave(album));
        assert_eq!(count(&mut limits, plain), 131);
        assert_eq!(limits.unsent.len(), 1);
    }
}
