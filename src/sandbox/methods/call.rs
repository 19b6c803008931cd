//! One call of a bot, and what most methods ask of it.

use crate::sandbox::arguments::{Json, SandboxArguments};
use crate::sandbox::chats::parse_chat_id;
use crate::sandbox::clock::pause;
use crate::sandbox::sandbox_error::{ApiResult, SandboxError};
use crate::sandbox::state::SandboxState;
use std::cell::{Cell, OnceCell};
use std::sync::Arc;

/// The most messages that one call copies, forwards or deletes (Bot API).
const MAX_MESSAGE_IDS: usize = 100;

/// A call whose arguments were read.
pub struct SandboxCall {
    pub state: Arc<SandboxState>,
    pub bot: u64,
    pub arguments: SandboxArguments,
    /// The `description` of a good answer.
    pub note: OnceCell<&'static str>,
    /// The turn of a webhook that the call has set, and whose deliveries are to begin.
    pub webhook_turn: Cell<Option<u64>>,
}

impl SandboxCall {
    pub fn new(state: Arc<SandboxState>, bot: u64, arguments: SandboxArguments) -> Self {
        Self { state, bot, arguments, note: OnceCell::new(), webhook_turn: Cell::new(None) }
    }

    /// Puts a `description` into the answer, unless there is one.
    pub fn note(&self, text: &'static str) {
        let _ = self.note.set(text);
    }

    /// Slows down repeated uploads of the same size, as the Bot API server does.
    pub async fn pace(&self) -> ApiResult<()> {
        let bytes = self.arguments.file_bytes();
        let options = &self.state.options;
        if !options.pace_uploads || options.local || bytes == 0 {
            return Ok(());
        }
        let wait = self.state.pacing.lock().wait(self.state.clock.now(), self.bot, bytes);
        match wait {
            Some(wait) => {
                pause(wait).await;
                Ok(())
            }
            None => Err(self.state.refuse_after_delay(self.bot).await),
        }
    }

    /// A text that must be given.
    pub fn required(&self, name: &str) -> ApiResult<&str> {
        self.arguments.text(name).ok_or_else(|| SandboxError::bad(format!("parameter \"{name}\" is required")))
    }

    /// The chat that a call is about; with `speaking` the special chats refuse.
    pub fn chat(&self, speaking: bool) -> ApiResult<i64> {
        let text = self.arguments.text("chat_id").ok_or_else(|| SandboxError::bad("chat_id is empty"))?;
        self.chat_named(text, speaking)
    }

    /// The chat of this id or username.
    pub fn chat_named(&self, text: &str, speaking: bool) -> ApiResult<i64> {
        let id = parse_chat_id(text).ok_or_else(|| SandboxError::bad("chat not found"))?;
        let chats = self.state.chats.lock();
        if let Some(to) = chats.migrated_to(id) {
            return Err(SandboxError::migrated(to));
        }
        match chats.rejection(self.bot, id).filter(|_| speaking) {
            Some(rejection) => Err(rejection),
            None => Ok(id),
        }
    }

    pub fn message_id(&self) -> ApiResult<i64> {
        let id = self.arguments.integer("message_id").filter(|id| *id > 0);
        id.ok_or_else(|| SandboxError::bad("message identifier is not specified"))
    }

    pub fn message_ids(&self) -> ApiResult<Vec<i64>> {
        let text = self.arguments.bytes("message_ids");
        if text.is_empty() {
            return Err(SandboxError::bad("message identifiers are not specified"));
        }
        let value = Json::parse(text).ok_or_else(|| SandboxError::bad("can't parse message_ids JSON object"))?;
        let Json::Array(values) = value else {
            return Err(SandboxError::bad("expected an Array of message identifiers"));
        };
        if values.len() > MAX_MESSAGE_IDS {
            return Err(SandboxError::bad("too many message identifiers specified"));
        }
        let ids = values.iter().map(|value| {
            let text = match value {
                Json::Number(number) => number.clone(),
                Json::String(said) => String::from_utf8_lossy(said).into_owned(),
                _ => return Err(SandboxError::bad("message identifier must be a Number")),
            };
            let number = text.parse::<i32>().ok().filter(|number| number.to_string() == text);
            let number = number.ok_or_else(|| SandboxError::bad("can't parse message identifier as a Number"))?;
            if number > 0 {
                Ok(i64::from(number))
            } else {
                Err(SandboxError::bad("invalid message identifier specified"))
            }
        });
        let ids = ids.collect::<Result<Vec<_>, _>>()?;
        if ids.is_empty() { Err(SandboxError::bad("message identifiers are not specified")) } else { Ok(ids) }
    }
}
