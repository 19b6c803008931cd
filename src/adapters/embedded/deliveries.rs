//! What becomes of a delivery that is out, inside a transaction. Each asks on the writer's thread whether the receipt is of the
//! present ownership: a later owner requeues its rows only after this transaction.

use super::ownership_table::OwnershipTable;
use super::queue_rows::{self, QueueRow};
use super::store_error::StoreError;
use crate::ports::Receipt;
use rusqlite::Connection;

/// Removes its row, unless that delivery was acked or deferred already, and wakes the dispatcher if there is enough room for a
/// claim now. `false` if the receipt is stale.
pub fn ack(conn: &Connection, owners: &OwnershipTable, receipt: &Receipt) -> Result<bool, StoreError> {
    let ownership = owners.of(&receipt.bot);
    if !ownership.is_current(receipt.epoch) {
        return Ok(false);
    }
    if queue_rows::delete(conn, receipt)? {
        let lanes = owners.present_lanes_of(&receipt.bot);
        if lanes.iter().any(|lane| lane.ready > 0) {
            ownership.make_room();
        }
        if lanes.iter().any(|lane| lane.wants_claim(ownership.window())) {
            owners.wake_dispatcher(&receipt.bot);
        }
    }
    Ok(true)
}

/// Puts it back as `row`, unless it was acked or deferred already. `false` if the receipt is stale.
pub fn defer(
    conn: &Connection,
    owners: &OwnershipTable,
    receipt: &Receipt,
    row: &QueueRow,
) -> Result<bool, StoreError> {
    if !owners.of(&receipt.bot).is_current(receipt.epoch) {
        return Ok(false);
    }
    if row.put_back(conn, receipt.tag)? {
        owners.wake_dispatcher(&receipt.bot);
    }
    Ok(true)
}
