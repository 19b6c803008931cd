//! The log of ends: which notifications have ended, in order.

use super::LedgerError;
use crate::domain::{EventId, Record};
use async_trait::async_trait;
use std::time::Duration;

/// Tells which notifications have ended, in the order in which that was written. The [`Ledger`](super::Ledger) writes an event in
/// the step that makes a status final, so that no crash comes in between; of one that was refused it writes none. It writes only
/// while the log is kept, so that it costs nothing where nobody reads it.
#[async_trait]
pub trait EventLog: Send + Sync {
    /// Begins to keep the log, or goes on with it, for so long from now at least. Returns where it ends: what ends from now on comes
    /// after that.
    async fn keep(&self, retention: Duration) -> Result<EventId, LedgerError>;

    /// What has ended after an event, or after where the log ended once; `None` if no log is kept. Looks at `limit` events at the
    /// most.
    async fn after(&self, id: EventId, limit: usize) -> Result<Option<EventPage>, LedgerError>;

    /// Forgets the events from before a moment, all of them if the log is not kept any more. Returns how many.
    async fn sweep(&self, before: EventId) -> Result<u64, LedgerError>;
}

/// A piece of the log.
#[derive(Clone, Debug)]
pub struct EventPage {
    /// The events, oldest first, with the records as listings have them. An end that is none any more, since its notification was tried again,
    /// is left out.
    pub events: Vec<(EventId, Record)>,
    /// Where to read on.
    pub next: EventId,
    /// Whether there is more already.
    pub more: bool,
    /// Where the log goes on, if what came after the id asked for is not kept any more, at least not all of it; or was lost.
    pub gap: Option<EventId>,
}
