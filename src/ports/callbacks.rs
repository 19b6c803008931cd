//! What receivers are still to be told.

use super::LedgerError;
use crate::domain::{CallbackEvent, CallbackId, CallbackState, Timestamp};
use async_trait::async_trait;
use std::collections::BTreeMap;

/// Keeps the callbacks that are not delivered yet. They are made by the [`Ledger`](super::Ledger), in the step that makes a status
/// final, so that no crash comes in between; of a notification without a receiver none is made. Those of one notification stand in
/// line, and only the first is tried; one that was given up stands in line no more.
#[async_trait]
pub trait Callbacks: Send + Sync {
    /// Takes what is due, for whoever delivers it: nobody else gets it before `until`, and at that time everybody does, should its
    /// taker have crashed.
    async fn claim(&self, now: Timestamp, until: Timestamp, room: &CallbackRoom) -> Result<Vec<Callback>, LedgerError>;

    /// Forgets one that was delivered. The next in its line is due now.
    async fn delivered(&self, id: &CallbackId, now: Timestamp) -> Result<(), LedgerError>;

    /// Notes a try that failed: due again at `next`, or else given up, and then the next in its line is due now. Does nothing
    /// to one that was delivered or given up meanwhile.
    async fn failed(
        &self,
        id: &CallbackId,
        now: Timestamp,
        error: &str,
        next: Option<Timestamp>,
    ) -> Result<(), LedgerError>;

    /// Has one that is failing or given up tried again now, from the start: one that was given up stands behind the others of
    /// its line. `false` if there is no such callback.
    async fn replay(&self, id: &CallbackId, now: Timestamp) -> Result<bool, LedgerError>;

    /// One of them.
    async fn get(&self, id: &CallbackId) -> Result<Option<Callback>, LedgerError>;

    /// Those in some states, highest id first.
    async fn list(&self, query: &CallbackQuery) -> Result<CallbackPage, LedgerError>;

    /// How many are still to be delivered, those aside that were given up; at the same cost however many there are.
    async fn waiting(&self) -> Result<u64, LedgerError>;

    /// Forgets those that were given up before a moment; returns how many.
    async fn sweep(&self, given_up_before: Timestamp) -> Result<u64, LedgerError>;
}

/// A callback that is not delivered yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Callback {
    /// What to tell whom.
    pub event: CallbackEvent,
    /// Where it stands.
    pub state: CallbackState,
    /// How often it was tried since `since`.
    pub tries: u32,
    /// Since when it is the first in its line, or was replayed.
    pub since: Timestamp,
    /// Why the last try failed.
    pub error: Option<String>,
    /// When it is tried again, while it is failing.
    pub next_try_at: Option<Timestamp>,
}

/// How many callbacks there is room for.
#[derive(Clone, Debug)]
pub struct CallbackRoom {
    /// In all.
    pub all: usize,
    /// For each host that is not named.
    pub per_host: usize,
    /// For hosts by name, as [`CallbackUrl::host_and_port`](crate::domain::CallbackUrl::host_and_port) has it.
    pub of_hosts: BTreeMap<String, usize>,
}

impl CallbackRoom {
    /// A claim takes no further callback once those that it has are this large in the store, in bytes.
    pub const MAX_CLAIM_BYTES: usize = 4 * 1024 * 1024;
}

/// Which callbacks to list.
#[derive(Clone, Debug)]
pub struct CallbackQuery {
    /// In these states; not empty.
    pub states: Vec<CallbackState>,
    /// At most so many, 1 to 1000.
    pub limit: usize,
    /// Only ids below this one.
    pub before: Option<CallbackId>,
}

/// One page of a listing.
#[derive(Clone, Debug)]
pub struct CallbackPage {
    /// The callbacks, highest id first.
    pub callbacks: Vec<Callback>,
    /// The `before` of the next page, `None` on the last.
    pub next: Option<CallbackId>,
}

impl CallbackPage {
    /// The page of what was found, which is in any order and may be more than fits.
    pub fn of(mut found: Vec<Callback>, limit: usize) -> Self {
        found.sort_by_cached_key(|callback| std::cmp::Reverse(callback.event.id.to_string()));
        let is_last = found.len() <= limit;
        found.truncate(limit);
        let next = found.last().map(|callback| callback.event.id).filter(|_| !is_last);
        Self { callbacks: found, next }
    }
}
