//! What could not be written yet: the changes of each entity, in order. Pure.

use super::ledger_change::{EntityKey, LedgerChange};
use crate::domain::{Notification, Status, Timestamp};
use std::collections::{HashMap, VecDeque};

/// There is no room for another change; so many wait.
#[derive(Debug, thiserror::Error)]
#[error("Redis is away and {0} changes wait for it already")]
pub(super) struct PendingWritesFullError(usize);

/// Changes waiting to be written.
pub(super) struct PendingWrites {
    by_entity: HashMap<EntityKey, EntityWrites>,
    /// The entities that nobody is writing at the moment, the longest waiting first.
    idle: VecDeque<EntityKey>,
    count: usize,
    limit: usize,
}

/// The changes of one entity, at least one.
#[derive(Default)]
struct EntityWrites {
    changes: VecDeque<LedgerChange>,
    /// The first change is being written: it may neither be changed nor dropped.
    is_writing: bool,
}

impl PendingWrites {
    pub(super) fn new(limit: usize) -> Self {
        Self { by_entity: HashMap::new(), idle: VecDeque::new(), count: 0, limit }
    }

    /// How many changes are waiting.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    pub(super) fn contains(&self, entity: &EntityKey) -> bool {
        self.by_entity.contains_key(entity)
    }

    /// The last change of an entity, which is what holds once all are written.
    pub(super) fn latest(&self, entity: &EntityKey) -> Option<&LedgerChange> {
        self.by_entity.get(entity)?.changes.back()
    }

    /// The status that forbids this copy of a notification to be sent or settled, once all is written: it is final, or
    /// that of a later acceptance.
    pub(super) fn superseding_status(&self, notification: &Notification) -> Option<Status> {
        let writes = self.by_entity.get(&EntityKey::Notification(notification.id))?;
        let forbids = |(accepted_at, status): &(Timestamp, Status)| {
            *accepted_at > notification.accepted_at || (*accepted_at == notification.accepted_at && status.is_final())
        };
        writes.changes.iter().rev().filter_map(LedgerChange::status).find(forbids).map(|(_, status)| status)
    }

    /// Whether there is room for another change.
    pub(super) fn check_room(&self) -> Result<(), PendingWritesFullError> {
        if self.count < self.limit { Ok(()) } else { Err(PendingWritesFullError(self.count)) }
    }

    /// Adds the mark of an attempt that begins. Returns whether the attempt before it has no outcome, and how many such
    /// interrupted attempts are pending here.
    pub(super) fn push_begin(
        &mut self,
        notification: &Notification,
        at: Timestamp,
    ) -> Result<(bool, u32), PendingWritesFullError> {
        let entity = EntityKey::Notification(notification.id);
        let sending = Some((notification.accepted_at, Status::Sending));
        let interrupted = self.latest(&entity).and_then(LedgerChange::status) == sending;
        self.push(LedgerChange::Begin { notification: notification.clone(), at, interrupted })?;
        let is_interrupted = |change: &&LedgerChange| {
            matches!(change, LedgerChange::Begin { interrupted: true, notification: one, .. }
                if one.accepted_at == notification.accepted_at)
        };
        let interrupted_attempts =
            self.by_entity.get(&entity).map_or(0, |writes| writes.changes.iter().filter(is_interrupted).count());
        Ok((interrupted, u32::try_from(interrupted_attempts).unwrap_or(u32::MAX)))
    }

    /// Adds a change behind the others of its entity, or in place of the last if that is covered by it.
    pub(super) fn push(&mut self, change: LedgerChange) -> Result<(), PendingWritesFullError> {
        let entity = change.entity();
        if let Some(writes) = self.by_entity.get_mut(&entity) {
            let is_last_writing = writes.is_writing && writes.changes.len() == 1;
            let last = writes.changes.back_mut().expect("an entity is removed with its last change");
            if !is_last_writing && last.is_covered_by(&change) {
                *last = change;
                return Ok(());
            }
        }
        self.check_room()?;
        self.count += 1;
        let writes = self.by_entity.entry(entity.clone()).or_default();
        if writes.changes.is_empty() {
            self.idle.push_back(entity);
        }
        writes.changes.push_back(change);
        Ok(())
    }

    /// The next change to write; nobody else gets one of its entity before [`PendingWrites::mark_written`] or
    /// [`PendingWrites::mark_failed`].
    pub(super) fn start_next(&mut self) -> Option<(EntityKey, LedgerChange)> {
        let entity = self.idle.pop_front()?;
        let writes = self.by_entity.get_mut(&entity).expect("idle entities have changes");
        writes.is_writing = true;
        let change = writes.changes.front().expect("an entity is removed with its last change").clone();
        Some((entity, change))
    }

    /// The change last started of this entity is written.
    pub(super) fn mark_written(&mut self, entity: EntityKey) {
        let Some(writes) = self.by_entity.get_mut(&entity) else { return };
        writes.changes.pop_front();
        writes.is_writing = false;
        self.count -= 1;
        if writes.changes.is_empty() {
            self.by_entity.remove(&entity);
        } else {
            self.idle.push_back(entity);
        }
    }

    /// The change last started of this entity is not written; it stays the first.
    pub(super) fn mark_failed(&mut self, entity: EntityKey) {
        if let Some(writes) = self.by_entity.get_mut(&entity) {
            writes.is_writing = false;
            self.idle.push_back(entity);
        }
    }
}

#[cfg(test)]
#[path = "pending_writes_tests.rs"]
mod tests;
