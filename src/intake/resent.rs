//! What senders have sent again by themselves, so that a retry need not. The Bot API and the clients that post know nothing of each
//! other, so it is told by what is sent: the same call for the same chat by the same client, later.

use crate::domain::{Notification, NotificationId, Operation, Record, Status};
use crate::ports::{Ledger, LedgerError, ListQuery};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Records that are looked at by one step.
const PAGE_RECORDS: usize = 1_000;

/// So many are remembered at the most, in some 30 bytes each: the newest ones.
const MAX_REMEMBERED: usize = 500_000;

/// What was sent, or is about to be, from a moment until now: by what a listing shows of it, the newest of each.
#[derive(Default)]
pub(super) struct Resent {
    seen: HashMap<u64, NotificationId>,
    before: Option<NotificationId>,
    is_complete: bool,
}

impl Resent {
    /// Looks at some more, from the newest on; whether there are others down to an id.
    pub(super) async fn look_further(
        &mut self,
        ledger: &dyn Ledger,
        operation: &Operation,
        down_to: NotificationId,
    ) -> Result<bool, LedgerError> {
        if self.is_complete || self.before.is_some_and(|before| before <= down_to) {
            return Ok(false);
        }
        let alive = |status: &Status| !status.is_final() || *status == Status::Sent;
        let mut filter = operation.filter.clone();
        // Of the conditions only those that both have: what was sent again later has no failure, and may have other tags.
        (filter.tag, filter.class, filter.reason, filter.since, filter.until) = (None, None, None, None, None);
        filter.statuses = Status::ALL.into_iter().filter(alive).collect();
        let page = ledger.list(&ListQuery { filter, limit: PAGE_RECORDS, before: self.before }).await?;
        for record in page.records {
            let notification = &record.notification;
            // What was tried again was not sent again.
            if notification.first_accepted_at.is_none() && self.seen.len() < MAX_REMEMBERED {
                self.seen.entry(look(notification)).or_insert(notification.id);
            }
        }
        self.is_complete = page.next.is_none() || self.seen.len() >= MAX_REMEMBERED;
        self.before = page.next;
        Ok(!self.is_complete)
    }

    /// Whether the sender of one that ended unsent has sent the same again since.
    pub(super) async fn is_resent(&self, ledger: &dyn Ledger, record: &Record) -> Result<bool, LedgerError> {
        let notification = &record.notification;
        let Some(id) = self.seen.get(&look(notification)).filter(|id| **id > notification.id) else { return Ok(false) };
        let Some(later) = ledger.get(*id).await? else { return Ok(false) };
        let is_alive = !later.status.is_final() || later.status == Status::Sent;
        Ok(is_alive && later.notification.call == notification.call)
    }
}

/// What a listing shows of a notification that another must have too to be the same.
fn look(notification: &Notification) -> u64 {
    let mut hasher = DefaultHasher::new();
    (&notification.bot, &notification.client, &notification.chat_id).hash(&mut hasher);
    (&notification.call.method, notification.call.excerpt(), notification.call.changes()).hash(&mut hasher);
    for sha256 in notification.call.blobs() {
        sha256.hash(&mut hasher);
    }
    hasher.finish()
}
