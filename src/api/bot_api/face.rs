//! What the Bot API face keeps from request to request.

use super::backlog_estimate::BacklogEstimate;
use super::error::BotApiError;
use super::tokens::{TokenError, Tokens};
use crate::domain::BotName;
use crate::settings::Bot;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The bots by their tokens, and how long their queues are.
pub struct BotApiFace {
    tokens: Tokens,
    /// How much waits for each bot.
    pub(super) backlog: BacklogEstimate,
}

impl BotApiFace {
    /// Over the configured bots.
    pub fn new(bots: &BTreeMap<BotName, Arc<Bot>>) -> Self {
        Self { tokens: Tokens::new(bots), backlog: BacklogEstimate::default() }
    }

    /// The bot of a token, or the error that Telegram's own servers answer.
    pub(super) fn bot(&self, token: &[u8]) -> Result<Arc<Bot>, BotApiError> {
        let token = std::str::from_utf8(token).map_err(|_| BotApiError::api(404, "Not Found"))?;
        self.tokens.bot(token).map_err(|error| match error {
            TokenError::Malformed => BotApiError::api(404, "Not Found"),
            TokenError::Unknown => BotApiError::api(401, "Unauthorized"),
        })
    }
}
