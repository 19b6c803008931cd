//! Putting a fresh row into the queue. Where nothing of its lane is ahead of it and the dispatcher of its bot sleeps, it goes to the
//! owner without a claim: the transaction that inserts it marks it as handed out, and it leaves once that is committed.

use super::limits::MAX_BYTES_HANDED_OVER;
use super::ownership_table::OwnershipTable;
use super::queue_rows::QueueRow;
use super::store_error::StoreError;
use crate::domain::Notification;
use crate::ports::{Delivery, Receipt};
use rusqlite::Connection;
use tokio::sync::mpsc::OwnedPermit;

/// A delivery with its place among those that its owner takes. Dropped, as after a transaction that was not committed, it gives the
/// place back.
pub struct DirectDelivery {
    delivery: Delivery,
    place: OwnedPermit<Delivery>,
}

impl DirectDelivery {
    /// Sends it to the owner. If that has gone meanwhile, its successor finds the row unacked.
    pub fn hand_over(self) {
        self.place.send(self.delivery);
    }
}

/// Puts the row of a notification at the end of its lane: for the dispatcher, which is woken, or handed out already.
pub fn enqueue(
    conn: &Connection,
    owners: &OwnershipTable,
    row: &QueueRow,
    notification: Notification,
) -> Result<Option<DirectDelivery>, StoreError> {
    // Asked on the writer's thread: what the dispatcher claims once it wakes, and what a later owner requeues, runs after this.
    let lane = owners.present_lanes_of(&row.bot)[notification.lane as usize];
    if row.is_ready()
        && row.bytes() <= MAX_BYTES_HANDED_OVER
        && let Some((place, epoch, window)) = owners.reserve_place(&row.bot)
        && lane.is_free(window)
    {
        let tag = row.insert_unacked(conn)?;
        let receipt = Receipt { bot: row.bot.clone(), lane: notification.lane, epoch, tag };
        return Ok(Some(DirectDelivery { delivery: Delivery { notification, receipt, redeliveries: 0 }, place }));
    }
    row.insert(conn)?;
    if owners.is_news(&row.bot, lane, row.due()) {
        owners.wake_dispatcher(&row.bot);
    }
    Ok(None)
}
