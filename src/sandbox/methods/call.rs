//! One call of a bot, and what most methods ask of it.

use crate::sandbox::arguments::CallArguments;
use crate::sandbox::chats::parse_chat_id;
use crate::sandbox::clock::pause;
use crate::sandbox::sandbox_error::SandboxError;
use crate::sandbox::state::SandboxState;
use std::cell::{Cell, OnceCell};
use std::sync::Arc;

/// A call whose arguments were read.
pub struct SandboxCall {
    pub state: Arc<SandboxState>,
    pub bot: u64,
    pub arguments: CallArguments,
    /// The `description` of a good answer.
    pub note: OnceCell<&'static str>,
    /// The turn of a webhook that the call has set, and whose deliveries are to begin.
    pub webhook_turn: Cell<Option<u64>>,
}

impl SandboxCall {
    pub fn new(state: Arc<SandboxState>, bot: u64, arguments: CallArguments) -> Self {
        Self { state, bot, arguments, note: OnceCell::new(), webhook_turn: Cell::new(None) }
    }

    /// Puts a `description` into the answer, unless there is one.
    pub fn note(&self, text: &'static str) {
        let _ = self.note.set(text);
    }

    /// Slows down repeated uploads of the same size, as the Bot API server does.
    pub async fn pace(&self) -> Result<(), SandboxError> {
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
    pub fn required(&self, name: &str) -> Result<&str, SandboxError> {
        self.arguments.text(name).ok_or_else(|| SandboxError::bad(format!("parameter \"{name}\" is required")))
    }

    /// The chat that a call is about; with `speaking` the special chats refuse.
    pub fn chat(&self, speaking: bool) -> Result<i64, SandboxError> {
        let text = self.arguments.text("chat_id").ok_or_else(|| SandboxError::bad("chat_id is empty"))?;
        self.chat_named(text, speaking)
    }

    /// The chat of this id or username.
    pub fn chat_named(&self, text: &str, speaking: bool) -> Result<i64, SandboxError> {
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
}
