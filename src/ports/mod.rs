//! What the rest needs from the world, as object-safe traits over domain types. Every adapter passes the same contract
//! suite (`tests/api/contract/`).
//!
//! The way of a notification: [`Blobs::put`] its image, [`Acceptor::accept`] it, [`Queue::attend`] hands it to the
//! courier of its bot, [`Ledger::begin`], [`Messenger::call`], [`Ledger::settle`], [`Queue::ack`].

mod acceptor;
mod blobs;
mod journal;
mod ledger;
mod media_index;
mod messenger;
mod passage;
mod queue;
mod recipients;
mod switchboard;

pub use acceptor::{AcceptError, Accepted, Acceptor, Idempotency, Resubmitted, Submission};
pub use blobs::{BlobError, BlobStream, Blobs, Spooled};
pub use journal::{Entry, Journal};
pub use ledger::{Begin, Cancelled, Ledger, LedgerError, ListQuery, Page};
pub use media_index::{FileIds, FileKey, MediaIndex};
pub use messenger::{Answer, ApiReply, CallError, Messenger, OutgoingFile, Request};
pub use passage::{ByteStream, Passage, PassageError, Passed, Passenger, To};
pub use queue::{Attendance, Delivered, Depth, Queue, QueueError, Receipt};
pub use recipients::{RecipientPage, RecipientQuery, Recipients};
pub use switchboard::{Listening, Outcome, Switchboard};
