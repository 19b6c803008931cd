//! All parts of one sandbox, each with its own lock. Only the methods, the server and `Sandbox` know them all.

use crate::sandbox::chats::ChatDirectory;
use crate::sandbox::clock::SandboxClock;
use crate::sandbox::faults::FaultQueue;
use crate::sandbox::files::MediaFiles;
use crate::sandbox::limits::{
    InFlightLimits, REJECTION_DELAY, REJECTION_RETRY_AFTER_SECONDS, RateDecision, SandboxRateLimiter, UploadPacing,
};
use crate::sandbox::locked::Locked;
use crate::sandbox::log::{ChatHistory, PageEvents, StatsCounters};
use crate::sandbox::options::SandboxOptions;
use crate::sandbox::sandbox_error::{ApiResult, SandboxError};
use crate::sandbox::updates::{InlineAnswer, InlineQueries, UpdateQueues, UserAction, UserActionResult, UserActionRun};
use serde_json::Value;
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

/// All parts. Their locks are taken in the order of the fields: who holds `history` has a send, an edit, an action of a
/// user or a reset to itself.
pub struct SandboxState {
    pub options: SandboxOptions,
    /// Where it listens, to know its own URLs.
    pub addr: SocketAddr,
    pub clock: SandboxClock,
    pub events: Arc<PageEvents>,
    pub history: Locked<ChatHistory>,
    pub updates: Locked<UpdateQueues>,
    pub chats: Locked<ChatDirectory>,
    pub inline_queries: Locked<InlineQueries>,
    /// What `setMyCommands` set, by bot.
    pub commands: Locked<HashMap<u64, Value>>,
    pub faults: Locked<FaultQueue>,
    pub pacing: Locked<UploadPacing>,
    pub rate_limiter: Locked<SandboxRateLimiter>,
    pub in_flight: Arc<Locked<InFlightLimits>>,
    pub stats: Locked<StatsCounters>,
    /// Has its locks inside.
    pub files: Arc<MediaFiles>,
}

impl SandboxState {
    /// Opens the folder for the pictures; all else begins empty.
    pub fn new(addr: SocketAddr, options: SandboxOptions, dir: PathBuf) -> io::Result<Self> {
        let clock = SandboxClock::start();
        Ok(Self {
            addr,
            events: Arc::new(PageEvents::new(clock.started_unix.as_millis())),
            clock,
            history: Locked::new(ChatHistory::new(options.messages_kept)),
            updates: Locked::default(),
            chats: Locked::default(),
            inline_queries: Locked::default(),
            commands: Locked::default(),
            faults: Locked::new(FaultQueue::new(options.seed)),
            pacing: Locked::default(),
            rate_limiter: Locked::new(SandboxRateLimiter::new(options.limits)),
            in_flight: Arc::default(),
            stats: Locked::default(),
            files: Arc::new(MediaFiles::open(dir, options.store_files, options.store_bytes)?),
            options,
        })
    }

    /// Asks the rate limits, and counts a rejection.
    pub fn admit(&self, now: f64, bot: u64, chat_id: i64, cost: usize, edit: bool) -> ApiResult<()> {
        match self.rate_limiter.lock().admit(now, bot, chat_id, cost, edit) {
            RateDecision::Allowed => Ok(()),
            RateDecision::Limited { retry_after, violation } => {
                self.stats.lock().refused(bot, violation);
                Err(SandboxError::flood(retry_after))
            }
        }
    }

    /// The 429 of the Bot API server itself, which it holds back for a while.
    pub async fn refuse_after_delay(&self, bot: u64) -> SandboxError {
        self.stats.lock().refused(bot, false);
        tokio::time::sleep(REJECTION_DELAY).await;
        SandboxError::flood(REJECTION_RETRY_AFTER_SECONDS)
    }

    /// Lets a user do something of which the bot hears. Refuses what cannot be, saying why.
    pub fn perform(&self, bot: u64, action: UserAction) -> Result<UserActionResult, String> {
        let run = UserActionRun {
            history: &mut self.history.lock(),
            updates: &mut self.updates.lock(),
            chats: &mut self.chats.lock(),
            inline_queries: &mut self.inline_queries.lock(),
            files: &self.files,
            bot,
            at_ms: self.clock.unix_millis(self.clock.now()),
            result: UserActionResult::default(),
        };
        run.perform(action)
    }

    /// How an inline query was answered, if it was.
    pub fn inline_answer(&self, inline_query_id: &str) -> Option<InlineAnswer> {
        self.inline_queries.lock().get(inline_query_id)?.answer.clone()
    }

    /// Starts again, and tells the open pages. Only files, file_ids, numbers, commands and webhooks stay.
    pub fn reset(&self) {
        let mut history = self.history.lock();
        history.clear();
        self.updates.lock().clear();
        *self.chats.lock() = ChatDirectory::default();
        *self.inline_queries.lock() = InlineQueries::default();
        *self.faults.lock() = FaultQueue::new(self.options.seed);
        *self.pacing.lock() = UploadPacing::default();
        *self.rate_limiter.lock() = SandboxRateLimiter::new(self.options.limits);
        *self.stats.lock() = StatsCounters::default();
        self.events.reset();
    }
}
