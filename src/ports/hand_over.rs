//! What an owner of a bot leaves to the next.

use crate::domain::ChatId;
use serde::{Deserialize, Serialize};

/// What the next owner of a bot must know so as to break no limit: without it, it would have to begin with a second of
/// silence. Ages and not times, so that no two clocks are compared: what comes late counts for longer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandOver {
    /// What left in the last seconds, oldest first.
    pub departures: Vec<Departure>,
    /// For how long the whole bot may still send nothing, because Telegram has asked it to wait; milliseconds.
    pub frozen_ms: u64,
    /// The chats that Telegram has asked to wait: the ledger knows of them too, unless it is away.
    #[serde(default)]
    pub frozen_chats: Vec<FrozenChat>,
}

/// A chat that may not be written to for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrozenChat {
    /// Which.
    pub chat: ChatId,
    /// For how long, in milliseconds.
    pub frozen_ms: u64,
}

/// One request that left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Departure {
    /// How long before the hand-over, in milliseconds.
    pub age_ms: u64,
    /// To which chat.
    pub chat: ChatId,
    /// How many messages it made.
    pub messages: u32,
}
