//! The state of the Bot API face.

use super::backlog_estimate::BacklogEstimate;
use super::bot_tokens::{BotTokens, TokenError};
use super::caller::BotApiCaller;
use super::error::BotApiError;
use crate::domain::BotName;
use crate::http::callers::ClientAccess;
use crate::settings::{Bot, Live};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// How many calls with large parameters are in memory at a time; the others wait on the disk.
const MAX_LARGE_CALLS: usize = 1;

/// The callers by their tokens, and estimates of the bots' backlogs.
pub struct BotApiFace {
    tokens: Live<BotTokens>,
    pub(super) backlog: BacklogEstimate,
    /// What a call with large parameters holds until it is accepted or passed on.
    pub(super) large_calls: Arc<Semaphore>,
}

impl BotApiFace {
    /// For the configured bots and clients.
    pub fn new(bots: &BTreeMap<BotName, Arc<Bot>>, clients: &[Arc<ClientAccess>]) -> Self {
        let large_calls = Arc::new(Semaphore::new(MAX_LARGE_CALLS));
        let tokens = Live::new(BotTokens::new(bots, clients));
        Self { tokens, backlog: BacklogEstimate::default(), large_calls }
    }

    /// Takes other tokens from now on.
    pub fn replace_tokens(&self, bots: &BTreeMap<BotName, Arc<Bot>>, clients: &[Arc<ClientAccess>]) {
        self.tokens.replace(BotTokens::new(bots, clients));
    }

    /// The caller with a token, or the error that Telegram's own servers give.
    pub(super) fn caller(&self, token: &[u8]) -> Result<BotApiCaller, BotApiError> {
        let token = std::str::from_utf8(token).map_err(|_| BotApiError::api(404, "Not Found"))?;
        self.tokens.get().caller(token).map_err(|error| match error {
            TokenError::Malformed => BotApiError::api(404, "Not Found"),
            TokenError::Misdirected => BotApiError::api(421, "Misdirected Request: unallowed token specified"),
            TokenError::Unknown => BotApiError::api(401, "Unauthorized"),
        })
    }
}
