//! The state of the Bot API face.

use super::backlog_estimate::BacklogEstimate;
use super::bot_tokens::{BotTokens, TokenError};
use super::error::BotApiError;
use crate::domain::BotName;
use crate::settings::Bot;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The bots by their tokens, and estimates of their backlogs.
pub struct BotApiFace {
    tokens: BotTokens,
    pub(super) backlog: BacklogEstimate,
}

impl BotApiFace {
    /// For the configured bots.
    pub fn new(bots: &BTreeMap<BotName, Arc<Bot>>) -> Self {
        Self { tokens: BotTokens::new(bots), backlog: BacklogEstimate::default() }
    }

    /// The bot of a token, or the error that Telegram's own servers give.
    pub(super) fn bot(&self, token: &[u8]) -> Result<Arc<Bot>, BotApiError> {
        let token = std::str::from_utf8(token).map_err(|_| BotApiError::api(404, "Not Found"))?;
        self.tokens.bot(token).map_err(|error| match error {
            TokenError::Malformed => BotApiError::api(404, "Not Found"),
            TokenError::Unknown => BotApiError::api(401, "Unauthorized"),
        })
    }
}
