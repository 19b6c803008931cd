//! The state of the Bot API face.

use super::backlog_estimate::BacklogEstimate;
use super::bot_tokens::{BotTokens, TokenError};
use super::error::BotApiError;
use crate::domain::BotName;
use crate::settings::Bot;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// How many calls with large parameters are in memory at a time; the others wait on the disk.
const MAX_LARGE_CALLS: usize = 4;

/// The bots by their tokens, and estimates of their backlogs.
pub struct BotApiFace {
    tokens: BotTokens,
    pub(super) backlog: BacklogEstimate,
    /// What a call with large parameters holds until it is accepted or passed on.
    pub(super) large_calls: Arc<Semaphore>,
}

impl BotApiFace {
    /// For the configured bots.
    pub fn new(bots: &BTreeMap<BotName, Arc<Bot>>) -> Self {
        let large_calls = Arc::new(Semaphore::new(MAX_LARGE_CALLS));
        Self { tokens: BotTokens::new(bots), backlog: BacklogEstimate::default(), large_calls }
    }

    /// The bot of a token, or the error that Telegram's own servers give.
    pub(super) fn bot(&self, token: &[u8]) -> Result<Arc<Bot>, BotApiError> {
        let token = std::str::from_utf8(token).map_err(|_| BotApiError::api(404, "Not Found"))?;
        self.tokens.bot(token).map_err(|error| match error {
            TokenError::Malformed => BotApiError::api(404, "Not Found"),
            TokenError::Misdirected => BotApiError::api(421, "Misdirected Request: unallowed token specified"),
            TokenError::Unknown => BotApiError::api(401, "Unauthorized"),
        })
    }
}
