//! The embedded engine: one process, one SQLite file in write-ahead log (WAL) mode that holds queue, ledger and index; the
//! blobs are in a folder beside it, which another adapter keeps. What is answered `Ok` has been written to the disk and waited for,
//! unless it may be repeated or forgotten without harm.
//!
//! Every write goes through a single writer, which commits what waits in one transaction (group commit, `writer`);
//! reads run beside it. A port (`queue`, `ledger`, ...) says what is written together; the SQL is in the `*_rows`
//! beside it. A `dispatcher` per subscription hands out the notifications of a bot that it owns, at least once each; while it
//! sleeps, what is accepted goes past it (`handing_over`).

mod acceptor;
mod backup;
mod backup_error;
mod callback_rows;
mod callbacks;
mod chat_rows;
mod checkpoints;
mod claim;
mod columns;
mod damage;
mod data_folder;
mod deepest_chats;
mod deliveries;
mod dispatcher;
mod engine;
mod event_log;
mod event_rows;
mod free_pages;
mod handing_over;
mod integrity;
mod ledger;
mod limits;
mod listing;
mod media_index;
mod open_error;
mod operations;
mod outcome_notifier;
mod ownership_table;
mod packed_blobs;
mod pause_rows;
mod paused_rows;
mod pauses;
mod queue;
mod queue_rows;
mod quotas;
mod recipients;
mod record_rows;
mod record_state;
mod row_counts;
mod schema;
mod sqlite_store;
mod store_error;
mod unpacking;
mod writer;

pub use backup::{backup, restore};
pub use backup_error::BackupError;
pub use engine::Embedded;
pub use open_error::OpenError;
