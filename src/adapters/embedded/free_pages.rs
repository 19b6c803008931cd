//! Pages of the database that nothing stands in any more, and how the file system gets them back.

use super::limits::{FREE_PAGES_KEPT, PAGES_PER_VACUUM_STEP};
use super::sqlite_store::SqliteStore;
use super::store_error::StoreError;
use super::writer::Durability;
use rusqlite::Connection;

/// Gives all but [`FREE_PAGES_KEPT`] back, in steps that let other writes in between.
pub async fn give_back(store: &SqliteStore) -> Result<(), StoreError> {
    while store.write(Durability::Process, give_some_back).await? {}
    Ok(())
}

/// `true` if there are more to give.
fn give_some_back(conn: &Connection) -> Result<bool, StoreError> {
    let free: i64 = conn.pragma_query_value(None, "freelist_count", |row| row.get(0))?;
    if free <= FREE_PAGES_KEPT {
        return Ok(false);
    }
    // Every step of the statement moves one page, so it must be run to its end.
    let mut vacuum = conn.prepare(&format!("PRAGMA incremental_vacuum({PAGES_PER_VACUUM_STEP})"))?;
    let mut pages = vacuum.query([])?;
    while pages.next()?.is_some() {}
    Ok(true)
}
