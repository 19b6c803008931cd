//! Every time, size and number that bounds the embedded engine. Page, WAL and cache sizes of SQLite itself are in
//! [`schema`](super::schema).

use std::time::Duration;

/// Write jobs that may wait for the writer; further senders wait themselves (back-pressure).
pub const MAX_QUEUED_WRITES: usize = 1_024;
/// Write jobs that share a commit at the most; bounds how long the first of them waits.
pub const MAX_JOBS_PER_COMMIT: usize = 256;
/// Reads at the same time, each on a connection of its own.
pub const MAX_CONCURRENT_READS: usize = 4;
/// So many bytes of the write-ahead log that are not in the file yet are moved there, while others are committed.
pub const LOG_MOVED_BYTES: u64 = 8 * 1024 * 1024;
/// A log of so many bytes is to begin anew.
pub const LOG_RESTART_BYTES: u64 = 16 * 1024 * 1024;
/// The writer moves the rest of such a log itself once it is no more than this, in bytes; what is written waits as long.
pub const LOG_MOVED_BY_WRITER_BYTES: u64 = 256 * 1024;
/// How long no part of the log is moved after that has failed, as on a full disk.
pub const CHECKPOINT_PAUSE: Duration = Duration::from_secs(1);
/// A write-ahead log larger than this is truncated after the next commit, even if readers must be waited for. It grows beyond
/// [`LOG_RESTART_BYTES`] while a reader holds on to it, or more is written than is moved.
pub const WAL_LIMIT_BYTES: u64 = 64 * 1024 * 1024;
/// How long a truncation of the write-ahead log waits for readers; what is written waits as long.
pub const WAL_TRUNCATION_WAIT: Duration = Duration::from_millis(100);
/// How long the next truncation is put off when a reader, such as a backup, did not let go of the log.
pub const WAL_TRUNCATION_PAUSE: Duration = Duration::from_secs(5);
/// How long a start may look for damage; a file that is not done by then is used as it is.
pub const START_CHECK_TIME: Duration = Duration::from_secs(2);
/// How long the store reports itself as not ready after a failed write. No readiness probe ever writes, so this must
/// pass by itself.
pub const UNREADY_AFTER_WRITE_ERROR: Duration = Duration::from_secs(3);

/// How long a dispatcher waits after a failed write before it tries again.
pub const DISPATCH_RETRY_DELAY: Duration = Duration::from_secs(1);
/// The longest sleep of a dispatcher: due times are of the wall clock, which may be set while it sleeps.
pub const MAX_DISPATCHER_SLEEP: Duration = Duration::from_secs(60);
/// The longest rest of a dispatcher between the steps that make very many ready.
pub const MAX_REST: Duration = Duration::from_millis(100);
/// How long a dispatcher with less room than [`CLAIM_ROOM`] waits for more before it claims.
pub const CLAIM_PAUSE: Duration = Duration::from_millis(10);
/// Acks wake the dispatcher when so many rows of a lane may be claimed again, or an eighth of the window if that is less.
pub const CLAIM_ROOM: u64 = 64;
/// Queue rows of a lane that one transaction claims at the most; bounds its time.
pub const MAX_ROWS_PER_CLAIM: u64 = 64;
/// A claim takes no further row once those that it has are this large, in bytes; bounds its memory.
pub const MAX_BYTES_PER_CLAIM: u64 = 2 * 1024 * 1024;
/// Deliveries that wait for their owner to take them, at the most.
pub const MAX_WAITING_DELIVERIES: usize = 16;
/// A notification of more bytes than this is claimed and not handed to its owner at once: so that all that wait to be taken are not
/// more than a claim.
pub const MAX_BYTES_HANDED_OVER: usize = 64 * 1024;
/// Scheduled rows that one transaction makes ready at the most: when very many are due at one moment, what is accepted
/// meanwhile must not wait for all of them.
pub const MAX_ROWS_MADE_READY: usize = 200;
/// Rows of a former owner that one transaction makes ready at the most.
pub const MAX_ROWS_REQUEUED: i64 = 500;

/// Rows that one step of a ledger sweep deletes at the most.
pub const SWEEP_STEP_ROWS: i64 = 500;
/// Records on a page of a listing at the most.
pub const MAX_PAGE_RECORDS: usize = 1_000;
/// Records that a page of a listing looks at, at the most, where its filter has no index.
pub const MAX_RECORDS_LOOKED_AT: usize = 10_000;
/// A page of a listing ends early once its records have more bytes than this, so that it takes no long time. In memory it
/// takes less, since it has no parameters of calls.
pub const MAX_PAGE_BYTES: usize = 8 * 1024 * 1024;
/// How long a file_id is kept after it was learnt; then the image is uploaded once more.
pub const FILE_ID_RETENTION: Duration = Duration::from_secs(180 * 24 * 3600);
/// How long it is remembered where a group has migrated to, since it was last written to under its old id.
pub const MIGRATION_RETENTION: Duration = Duration::from_secs(30 * 24 * 3600);
/// How long the pause of a chat is kept after its end: longer than an album waits until the rest of its chat's rate is there.
pub const PAUSE_RETENTION: Duration = Duration::from_secs(900);
/// Groups that are listed as waiting for the number of one user.
pub const MAX_HELD_GROUPS: u32 = 1_000;

/// The size of a packed blob's piece, which is one row.
pub const PIECE_BYTES: usize = 256 * 1024;
/// Pieces that one step of a deletion removes.
pub const PIECES_PER_DELETION_STEP: i64 = 16;
/// Free database pages that are kept for the next notifications: 4 MiB, 16 in a file with pages of 4 KiB.
pub const FREE_PAGES_KEPT: i64 = 4_096;
/// Free database pages that one step gives back to the file system.
pub const PAGES_PER_VACUUM_STEP: u32 = 512;
