//! What the rest needs from the world, as object-safe traits over domain types. Every adapter passes the same contract
//! suite (`tests/engines/contract/`).
//!
//! The way of a notification: [`Blobs::put`] stores its image and [`Acceptor::accept`] the notification;
//! [`Queue::subscribe`] delivers it to the courier of its bot, which calls [`Ledger::begin`], [`Messenger::call`],
//! [`Ledger::settle`] and [`Queue::ack`], in this order; [`Ledger::finish`] is both where one store can do it.

mod acceptor;
mod backlog;
mod blobs;
mod bot_api_proxy;
mod callbacks;
mod event_log;
mod file_ids;
mod hand_over;
mod journal;
mod ledger;
mod media_index;
mod messenger;
mod operations;
mod outcome_notifier;
mod pauses;
mod queue;
mod quotas;
mod recipients;

pub use acceptor::{AcceptError, Accepted, Acceptor, Idempotency, Resubmitted, Submission};
pub use backlog::{BacklogTally, ChatBacklog, DeepestChats, MAX_TALLIED, OpenByLane, OpenCounts};
pub use blobs::{BlobError, BlobStream, Blobs, Spooled};
pub use bot_api_proxy::{BotApiProxy, ByteStream, ProxyError, ProxyRequest, ProxyResponse, ProxyTarget};
pub use callbacks::{Callback, CallbackPage, CallbackQuery, CallbackRoom, Callbacks};
pub use event_log::{EventLog, EventPage};
pub use file_ids::{FileIds, FileKey};
pub use hand_over::{Departure, FrozenChat, HandOver};
pub use journal::{Journal, JournalEntry};
pub use ledger::{Begin, BeginConditions, Cancelled, ChatWindow, Finished, Ledger, LedgerError, ListQuery, RecordPage};
pub use media_index::MediaIndex;
pub use messenger::{
    ANSWER_TIMEOUT, ApiReply, CallError, Messenger, MessengerRequest, MessengerResponse, OutgoingFile,
};
pub use operations::{Created, Operations};
pub use outcome_notifier::{Outcome, OutcomeNotifier, OutcomeWaiter};
pub use pauses::{MAX_PAUSED_CHATS, Paused, Pauses};
pub use queue::{Delivery, Depth, Queue, QueueError, Receipt, Subscription};
pub use quotas::{Day, Quotas, Taken};
pub use recipients::{RecipientPage, RecipientQuery, Recipients};

use std::sync::Arc;

/// The ports of an engine. Cheap to clone.
#[derive(Clone)]
pub struct Ports {
    /// Accepts notifications.
    pub acceptor: Arc<dyn Acceptor>,
    /// Delivers them to the courier of their bot.
    pub queue: Arc<dyn Queue>,
    /// Keeps what became of each.
    pub ledger: Arc<dyn Ledger>,
    /// Remembers file_ids, and until when blobs are needed.
    pub media: Arc<dyn MediaIndex>,
    /// Holds file contents by digest.
    pub blobs: Arc<dyn Blobs>,
    /// Tells a caller that waits how its notification ended.
    pub outcome_notifier: Arc<dyn OutcomeNotifier>,
    /// The recipient book.
    pub recipients: Arc<dyn Recipients>,
    /// Counts what named clients post.
    pub quotas: Arc<dyn Quotas>,
    /// Keeps what receivers are still to be told.
    pub callbacks: Arc<dyn Callbacks>,
    /// Tells which notifications have ended, in order.
    pub event_log: Arc<dyn EventLog>,
    /// What is done to many notifications.
    pub operations: Arc<dyn Operations>,
    /// Which bots and chats are paused.
    pub pauses: Arc<dyn Pauses>,
}
