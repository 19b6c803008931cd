//! Bots, what they have to send and what of them is paused, as an operator sees it.

use crate::domain::{BotPauses, ChatId, Pause, PauseTarget, Status, Timestamp};
use crate::ports::{ChatBacklog, DeepestChats, OpenCounts};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The configured bots.
#[derive(Serialize, ToSchema)]
#[schema(as = Bots)]
pub struct BotViews {
    /// The bots, by name.
    pub bots: Vec<BotView>,
}

/// A bot.
#[derive(Serialize, ToSchema)]
#[schema(as = Bot)]
pub struct BotView {
    /// Its name.
    pub name: String,
    /// What it delivers through: `telegram` or `whatsmate`.
    pub kind: &'static str,
    /// How much it has to send.
    pub open: OpenView,
    /// The pause of the whole bot; `null` if it is not paused.
    pub paused: Option<PauseView>,
    /// How many of its chats are paused by themselves.
    pub paused_chats: usize,
    /// Whether the process that answers owns it.
    pub owned_here: bool,
    /// Whether Telegram does not answer it, so that the circuit breaker is open; `null` where another process owns it.
    pub breaker_open: Option<bool>,
}

/// What is still to be sent, by status, wherever it waits.
#[derive(Serialize, ToSchema)]
#[schema(as = Open)]
pub struct OpenView {
    /// All of it.
    total: u64,
    /// Waits for its turn.
    queued: u64,
    /// Waits for its `send_at`.
    scheduled: u64,
    /// An attempt is under way.
    sending: u64,
    /// An attempt failed for a reason that passes, or was held back before its request left.
    retrying: u64,
    /// Waits for the operator: the bot's token is refused.
    held: u64,
}

impl From<OpenCounts> for OpenView {
    fn from(counts: OpenCounts) -> Self {
        Self {
            total: counts.total(),
            queued: counts.get(Status::Queued),
            scheduled: counts.get(Status::Scheduled),
            sending: counts.get(Status::Sending),
            retrying: counts.get(Status::Retrying),
            held: counts.get(Status::Held),
        }
    }
}

/// That nothing is sent until somebody lets it go on.
#[derive(Serialize, ToSchema)]
#[schema(as = Pause)]
pub struct PauseView {
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
    /// Who asked for it: the name of the client, if its API key has one.
    client: Option<String>,
    /// Why.
    reason: Option<String>,
}

impl From<Pause> for PauseView {
    fn from(pause: Pause) -> Self {
        Self { since: pause.since, client: pause.client.map(|client| client.to_string()), reason: pause.reason }
    }
}

/// What is asked of a pause.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "it is only described")]
pub struct PauseRequest {
    /// Why: one line of at most 500 bytes, for who looks at it later.
    #[schema(min_length = 1, max_length = 500, pattern = "^[ -~]+$")]
    reason: Option<String>,
}

/// Whether a bot or a chat is paused.
#[derive(Serialize, ToSchema)]
pub struct PauseState {
    /// The bot.
    bot: String,
    /// The chat; `null` for the whole bot.
    chat_id: Option<ChatId>,
    /// The pause; `null` if it is not paused.
    paused: Option<PauseView>,
    /// How many attempts of the bot were under way when it was answered: these may still be sent.
    sending: u64,
}

impl PauseState {
    /// Of what was asked for.
    pub fn new(target: PauseTarget, paused: Option<Pause>, sending: u64) -> Self {
        Self { bot: target.bot.into(), chat_id: target.chat, paused: paused.map(PauseView::from), sending }
    }
}

/// What of a bot is paused.
#[derive(Serialize, ToSchema)]
#[schema(as = Pauses)]
pub struct PausesView {
    /// The pause of the whole bot; `null` if it is not paused.
    paused: Option<PauseView>,
    /// The chats that are paused by themselves, 1,000 at most.
    chats: Vec<PausedChat>,
}

/// A paused chat.
#[derive(Serialize, ToSchema)]
pub struct PausedChat {
    /// The chat, under its present id.
    chat_id: ChatId,
    /// Its pause.
    paused: PauseView,
}

impl From<BotPauses> for PausesView {
    fn from(pauses: BotPauses) -> Self {
        let chats = pauses.chats.into_iter().map(|(chat_id, pause)| PausedChat { chat_id, paused: pause.into() });
        Self { paused: pauses.bot.map(PauseView::from), chats: chats.collect() }
    }
}

/// The chats of a bot that hold the most of its backlog.
#[derive(Serialize, ToSchema)]
pub struct ChatBacklogs {
    /// The chats, the deepest first.
    chats: Vec<ChatBacklogView>,
    /// How many notifications of the bot are still to be sent.
    open: u64,
    /// How many of them were looked at.
    looked_at: u64,
    /// Whether those were all. If not, they are an even sample, from which the numbers of each chat are estimated, and its oldest is the
    /// oldest of the sample.
    complete: bool,
}

/// What is still to be sent to a chat.
#[derive(Serialize, ToSchema)]
#[schema(as = ChatBacklog)]
pub struct ChatBacklogView {
    /// The chat.
    chat_id: ChatId,
    /// How much.
    open: OpenView,
    /// When the oldest of it was taken in, by the time in its id.
    #[schema(value_type = String, format = DateTime)]
    oldest_at: Timestamp,
    /// The chat's own pause; `null` if it has none.
    paused: Option<PauseView>,
    /// Until when Telegram has asked the chat to wait.
    #[schema(value_type = Option<String>, format = DateTime)]
    flood_wait_until: Option<Timestamp>,
}

impl ChatBacklogs {
    /// With what of the bot is paused.
    pub fn new(deepest: DeepestChats, pauses: &BotPauses) -> Self {
        let DeepestChats { chats, open, looked_at } = deepest;
        let view = |ChatBacklog { chat, open, oldest_at, flood_wait_until }| ChatBacklogView {
            paused: pauses.chats.get(&chat).cloned().map(PauseView::from),
            chat_id: chat,
            open: open.into(),
            oldest_at,
            flood_wait_until,
        };
        Self { chats: chats.into_iter().map(view).collect(), open, looked_at, complete: looked_at >= open }
    }
}
