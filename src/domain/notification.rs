//! The notification as it lies in the queue: small, complete, versioned.

use super::{BotName, Call, ChatId, NotificationId, Timestamp};
use serde::{Deserialize, Serialize};

/// A notification on its way. Carries everything a courier needs, so that delivery goes on while the ledger is away.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Notification {
    /// The version of this layout; readers refuse a newer one.
    pub v: u8,
    /// Its id, also the message id at the broker.
    pub id: NotificationId,
    /// The bot that sends it.
    pub bot: BotName,
    /// Where it goes; replaced when Telegram says that the chat has migrated.
    pub chat_id: ChatId,
    /// Which lane it waits in.
    pub lane: Lane,
    /// What to do when nobody can know whether it arrived.
    pub delivery: Delivery,
    /// What to call.
    pub call: Call,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// Not to be sent before this.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub send_at: Option<Timestamp>,
    /// Not to be sent after this.
    pub expires_at: Timestamp,
    /// The caller's own labels, given back with the status.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub tags: Vec<String>,
    /// How many attempts have got an answer, or may have; rides along when the notification is deferred.
    #[serde(default)]
    pub attempts: u32,
}

impl Notification {
    /// The layout version that this program writes.
    pub const VERSION: u8 = 1;
}

/// The lane of a notification, named by `priority` in requests. Lower sorts first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lane {
    /// Before everything else.
    Urgent,
    /// The default.
    #[default]
    Normal,
    /// When there is room; never starved entirely.
    Bulk,
}

impl Lane {
    /// All lanes, first served first.
    pub const ALL: [Lane; 3] = [Lane::Urgent, Lane::Normal, Lane::Bulk];

    /// The name in requests, queue names and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Urgent => "urgent",
            Self::Normal => "normal",
            Self::Bulk => "bulk",
        }
    }
}

/// What to do when a request may or may not have reached Telegram: the Bot API has no idempotency keys
/// (`bot-api.md` 7.4), so somebody must choose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// Try again; the recipient may see it twice.
    #[default]
    AtLeastOnce,
    /// Stop and say `unknown`; the recipient may not see it.
    AtMostOnce,
}
