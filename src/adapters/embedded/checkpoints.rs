//! Moves the write-ahead log into the file (checkpoints), on a thread of its own: what is committed meanwhile goes on into the log,
//! and nobody waits for the many pages that are written all over the file. The log begins anew once it is moved whole, for which
//! nothing may be written meanwhile: the little that is left then the writer moves itself.

use super::limits::{CHECKPOINT_PAUSE, LOG_MOVED_BY_WRITER_BYTES, LOG_MOVED_BYTES, LOG_RESTART_BYTES};
use super::schema;
use rusqlite::Connection;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Instant;

/// The checkpoints of the file that the writer writes to. Numbers are of pages in the log.
pub struct Checkpoints {
    /// So many after the last commit.
    committed: Arc<AtomicU32>,
    /// The same at the last look; more than now, the log has begun anew.
    seen: u32,
    /// How many of them are in the file.
    moved: u32,
    page_bytes: u32,
    passes: SyncSender<()>,
    /// What each pass has come to, `None` if it failed.
    results: Receiver<Option<u32>>,
    is_under_way: bool,
    not_before: Instant,
    thread: JoinHandle<()>,
}

impl Checkpoints {
    /// Starts the thread, and counts what this connection commits from now on. SQLite moves nothing by itself any more.
    pub fn start(conn: &mut Connection, path: &Path) -> std::io::Result<Self> {
        let page_bytes = conn.pragma_query_value(None, "page_size", |row| row.get(0));
        let committed = Arc::new(AtomicU32::new(0));
        let counted = committed.clone();
        conn.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, pages| {
            counted.store(u32::try_from(pages).unwrap_or(0), Ordering::SeqCst);
            Ok(())
        }))
        .map_err(std::io::Error::other)?;
        let (passes, asked) = sync_channel(1);
        let (done, results) = sync_channel(1);
        let path = path.to_owned();
        let run = move || run_passes(&path, &asked, &done);
        Ok(Self {
            committed,
            seen: 0,
            moved: 0,
            page_bytes: page_bytes.map_err(std::io::Error::other)?,
            passes,
            results,
            is_under_way: false,
            not_before: Instant::now(),
            thread: std::thread::Builder::new().name("pixcourier-checkpoint".to_owned()).spawn(run)?,
        })
    }

    /// Sees to it that the log does not grow too long. For the writer to call between two transactions.
    pub fn after_commit(&mut self, conn: &Connection) {
        if let Ok(result) = self.results.try_recv() {
            self.is_under_way = false;
            self.note(result);
        }
        let committed = self.committed.load(Ordering::SeqCst);
        if committed < self.seen {
            self.moved = 0;
        }
        self.seen = committed;
        if self.is_under_way || Instant::now() < self.not_before {
            return;
        }
        let left = committed.saturating_sub(self.moved);
        let is_long = self.bytes(committed) >= LOG_RESTART_BYTES;
        if is_long && self.bytes(left) <= LOG_MOVED_BY_WRITER_BYTES {
            let moved = move_log(conn);
            self.note(moved);
        } else if is_long || self.bytes(left) >= LOG_MOVED_BYTES {
            self.is_under_way = self.passes.try_send(()).is_ok();
        }
    }

    /// Lets the thread end, with its connection: the last one that is closed takes the log away.
    pub fn end(self) {
        drop(self.passes);
        let _ = self.thread.join();
    }

    fn note(&mut self, moved: Option<u32>) {
        match moved {
            Some(moved) => self.moved = moved,
            None => self.not_before = Instant::now() + CHECKPOINT_PAUSE,
        }
    }

    fn bytes(&self, pages: u32) -> u64 {
        u64::from(pages) * u64::from(self.page_bytes)
    }
}

fn run_passes(path: &Path, asked: &Receiver<()>, done: &SyncSender<Option<u32>>) {
    let mut conn = None;
    while asked.recv().is_ok() {
        conn = conn.or_else(|| {
            let opened = schema::open_checkpointer(path);
            opened.inspect_err(|error| tracing::warn!(%error, "the database cannot be opened for a checkpoint")).ok()
        });
        if done.send(conn.as_ref().and_then(move_log)).is_err() {
            return;
        }
    }
}

/// Moves what is in the log and no reader still needs to see as it was, without waiting for anybody; how much of the log is moved in
/// all, `None` if that failed.
fn move_log(conn: &Connection) -> Option<u32> {
    let moved = conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get::<_, i64>(2));
    let moved = moved.inspect_err(|error| tracing::warn!(%error, "the write-ahead log could not be moved"));
    // -1 where another checkpoint is under way.
    moved.ok().map(|moved| u32::try_from(moved).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::embedded::data_folder;
    use std::time::Duration;

    #[test]
    fn the_log_is_moved_beside_the_commits_and_begins_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.db");
        let mut conn = schema::open_writer(&path).unwrap();
        schema::prepare_writer(&mut conn).unwrap();
        conn.execute_batch("PRAGMA synchronous = OFF; CREATE TABLE t (x)").unwrap();
        let mut checkpoints = Checkpoints::start(&mut conn, &path).unwrap();
        let commit = |checkpoints: &mut Checkpoints, bytes: u32| {
            conn.execute("INSERT INTO t VALUES (zeroblob(?1))", [bytes]).unwrap();
            checkpoints.after_commit(&conn);
        };
        while checkpoints.bytes(checkpoints.seen) < LOG_RESTART_BYTES {
            commit(&mut checkpoints, 200_000);
        }
        let (long, began) = (checkpoints.seen, Instant::now());
        while checkpoints.seen >= long {
            assert!(began.elapsed() < Duration::from_secs(30), "{} of {} moved", checkpoints.moved, checkpoints.seen);
            commit(&mut checkpoints, 100);
        }
        checkpoints.end();
        drop(conn);
        assert!(!data_folder::beside(&path, "-wal").exists(), "the last connection takes the log away");
    }
}
