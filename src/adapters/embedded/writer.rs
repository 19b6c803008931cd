//! The single writer: one thread through which every write goes, so that no two transactions ever wait for each other's
//! locks. It takes every job that waits, runs them in one transaction, commits once, which is one wait for the disk,
//! and answers all of them (group commit). SQLite writes to a write-ahead log, so readers are not held up meanwhile.

use super::checkpoints::Checkpoints;
use super::data_folder;
use super::limits::{MAX_JOBS_PER_COMMIT, WAL_LIMIT_BYTES, WAL_TRUNCATION_PAUSE, WAL_TRUNCATION_WAIT};
use super::row_counts::RowCounts;
use super::schema::BUSY_TIMEOUT;
use super::store_error::StoreError;
use rusqlite::Connection;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

/// What the `Ok` of a write promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// It survives a power cut.
    Disk,
    /// It survives the process, and a power cut if anything was committed to [`Durability::Disk`] since. For what may
    /// be repeated or forgotten; spares the wait for the disk.
    Process,
}

/// Work for the writer.
pub trait WriteJob: Send {
    /// What its reply promises.
    fn durability(&self) -> Durability;
    /// Does the work inside the transaction; after an error what this job did is rolled back.
    fn run(&mut self, conn: &Connection) -> Result<(), StoreError>;
    /// Replies to the sender, once it is known whether the transaction was committed.
    fn reply(self: Box<Self>, committed: Result<(), StoreError>);
}

/// A closure as a job, and another for its result.
pub struct WriteClosure<T, R, F, G> {
    durability: Durability,
    work: Option<F>,
    result: Option<Result<T, StoreError>>,
    once_committed: G,
    reply: oneshot::Sender<Result<R, StoreError>>,
}

impl<T, R, F, G> WriteClosure<T, R, F, G> {
    /// The job, and where its result arrives. `once_committed` makes the reply of what `work` returned, on the writer's thread and in
    /// the order of the jobs; it is not called for what is not committed.
    pub fn new(durability: Durability, work: F, once_committed: G) -> (Self, oneshot::Receiver<Result<R, StoreError>>) {
        let (reply, result) = oneshot::channel();
        (Self { durability, work: Some(work), result: None, once_committed, reply }, result)
    }
}

impl<T, R, F, G> WriteJob for WriteClosure<T, R, F, G>
where
    T: Send,
    R: Send,
    F: FnOnce(&Connection) -> Result<T, StoreError> + Send,
    G: FnOnce(T) -> R + Send,
{
    fn durability(&self) -> Durability {
        self.durability
    }

    fn run(&mut self, conn: &Connection) -> Result<(), StoreError> {
        let result = self.work.take().map_or_else(|| Err(StoreError::closed()), |work| work(conn));
        let outcome = result.as_ref().map(|_| ()).map_err(StoreError::clone);
        self.result = Some(result);
        outcome
    }

    fn reply(self: Box<Self>, committed: Result<(), StoreError>) {
        let result = match (committed, self.result) {
            (Err(error), None | Some(Ok(_))) => Err(error),
            (_, Some(own)) => own.map(self.once_committed),
            (Ok(()), None) => Err(StoreError::closed()),
        };
        // The sender may have gone; the work is done all the same.
        let _ = self.reply.send(result);
    }
}

/// Works until every sender is gone or `None` comes, then truncates the write-ahead log. `record_result` hears how each
/// transaction ended.
pub fn run(
    conn: Connection,
    tally: &RowCounts,
    mut checkpoints: Checkpoints,
    path: PathBuf,
    mut jobs: mpsc::Receiver<Option<Box<dyn WriteJob>>>,
    record_result: impl Fn(Option<&StoreError>),
) {
    let wal = data_folder::beside(&path, "-wal");
    let mut open = true;
    let mut truncate_after = Instant::now();
    while open {
        let Some(Some(first)) = jobs.blocking_recv() else { break };
        let mut group = vec![first];
        while group.len() < MAX_JOBS_PER_COMMIT {
            match jobs.try_recv() {
                Ok(Some(job)) => group.push(job),
                Ok(None) => {
                    open = false;
                    break;
                }
                Err(_) => break,
            }
        }
        commit_group(&conn, tally, group, &record_result);
        checkpoints.after_commit(&conn);
        let large = std::fs::metadata(&wal).is_ok_and(|wal| wal.len() > WAL_LIMIT_BYTES);
        if large && Instant::now() >= truncate_after && !truncate_wal(&conn, WAL_TRUNCATION_WAIT) {
            truncate_after = Instant::now() + WAL_TRUNCATION_PAUSE;
        }
    }
    checkpoints.end();
    truncate_wal(&conn, BUSY_TIMEOUT);
}

/// Moves the write-ahead log into the file and empties it (a checkpoint). `false` when a reader holds on to it for longer
/// than this, or the disk fails.
fn truncate_wal(conn: &Connection, wait: Duration) -> bool {
    let truncate = || {
        conn.busy_timeout(wait)?;
        let busy = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, bool>(0));
        conn.busy_timeout(BUSY_TIMEOUT)?;
        Ok(!busy?)
    };
    truncate().unwrap_or_else(|error: rusqlite::Error| {
        tracing::warn!(%error, "the write-ahead log of the database could not be truncated");
        false
    })
}

/// Commits all jobs in one transaction; when it fails as a whole, those that had not run yet get a fresh one, unless the
/// file is damaged.
fn commit_group(
    conn: &Connection,
    tally: &RowCounts,
    group: Vec<Box<dyn WriteJob>>,
    record_result: &impl Fn(Option<&StoreError>),
) {
    let mut waiting = group.into_iter();
    while waiting.len() > 0 {
        let mut done = Vec::with_capacity(waiting.len());
        let committed = run_transaction(conn, tally, &mut waiting, &mut done).inspect_err(|_| {
            tally.undo_to(0);
            if !conn.is_autocommit() {
                // A rollback fails only when there is nothing left to roll back.
                let _ = conn.execute_batch("ROLLBACK");
            }
        });
        tally.keep();
        record_result(committed.as_ref().err());
        if done.is_empty() || matches!(committed, Err(StoreError::Damaged(_))) {
            // It did not even begin, or nothing may follow.
            done.extend(waiting.by_ref());
        }
        for job in done {
            job.reply(committed.clone());
        }
    }
}

/// Moves the jobs that it has run from `waiting` to `done`. A job that fails is rolled back alone, to its savepoint.
fn run_transaction(
    conn: &Connection,
    tally: &RowCounts,
    waiting: &mut std::vec::IntoIter<Box<dyn WriteJob>>,
    done: &mut Vec<Box<dyn WriteJob>>,
) -> Result<(), StoreError> {
    let durable = waiting.as_slice().iter().any(|job| job.durability() == Durability::Disk);
    // With NORMAL a commit is handed to the operating system and not waited for; the next FULL one covers it.
    conn.execute_batch(if durable { "PRAGMA synchronous=FULL" } else { "PRAGMA synchronous=NORMAL" })?;
    run_statement(conn, "BEGIN IMMEDIATE")?;
    for mut job in waiting.by_ref() {
        run_statement(conn, "SAVEPOINT job")?;
        let unchanged = tally.changes();
        let outcome = job.run(conn);
        done.push(job);
        if let Err(error) = outcome {
            if conn.is_autocommit() || matches!(error, StoreError::Damaged(_)) {
                // On some faults of the disk SQLite gives the whole transaction up. In a damaged file nothing is believed.
                return Err(error);
            }
            run_statement(conn, "ROLLBACK TO job")?;
            tally.undo_to(unchanged);
        }
        run_statement(conn, "RELEASE job")?;
    }
    run_statement(conn, "COMMIT")
}

fn run_statement(conn: &Connection, sql: &str) -> Result<(), StoreError> {
    conn.prepare_cached(sql)?.execute([])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    fn put(value: i64, then: Result<(), StoreError>) -> (Box<dyn WriteJob>, oneshot::Receiver<Result<(), StoreError>>) {
        let (job, answer) = WriteClosure::new(
            Durability::Disk,
            move |conn: &Connection| {
                conn.execute("INSERT INTO t VALUES (?1)", [value])?;
                then
            },
            |()| (),
        );
        (Box::new(job), answer)
    }

    fn run_all(conn: &Connection, jobs: Vec<Box<dyn WriteJob>>) -> (i64, Vec<bool>) {
        let results = RefCell::new(Vec::new());
        commit_group(conn, &RowCounts::default(), jobs, &|error: Option<&StoreError>| {
            results.borrow_mut().push(error.is_none())
        });
        let sum = conn.query_row("SELECT coalesce(sum(x), 0) FROM t", [], |row| row.get(0)).unwrap();
        (sum, results.into_inner())
    }

    #[test]
    fn a_job_that_fails_is_undone_and_spoils_no_other() {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch("CREATE TABLE t (x)").unwrap();
        let (first, mut one) = put(1, Ok(()));
        let (second, mut two) = put(10, Err(StoreError::closed()));
        let (third, mut three) = put(100, Ok(()));
        assert_eq!(run_all(&conn, vec![first, second, third]), (101, vec![true]), "one transaction for all");
        assert!(one.try_recv().unwrap().is_ok() && three.try_recv().unwrap().is_ok());
        assert!(two.try_recv().unwrap().is_err());
    }

    #[test]
    fn when_a_transaction_cannot_be_committed_nobody_is_told_that_it_was() {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch("CREATE TABLE t (x)").unwrap();
        let put_one = |conn: &Connection| Ok(conn.execute("INSERT INTO t VALUES (1)", [])?);
        let (first, mut one) =
            WriteClosure::new(Durability::Disk, put_one, |_: usize| -> usize { panic!("it is not committed") });
        // Ends the transaction under the writer's feet, as SQLite does on some faults of the disk.
        let breaking = |conn: &Connection| -> Result<(), StoreError> {
            conn.execute_batch("ROLLBACK")?;
            Err(StoreError::Full("full".to_owned()))
        };
        let (breaks, mut two) = WriteClosure::new(Durability::Disk, breaking, |()| ());
        let (third, mut three) = put(100, Ok(()));
        let result = run_all(&conn, vec![Box::new(first), Box::new(breaks), third]);
        assert_eq!(result, (100, vec![false, true]), "those that had not run yet get a transaction of their own");
        assert!(matches!(one.try_recv().unwrap(), Err(StoreError::Full(_))));
        assert!(matches!(two.try_recv().unwrap(), Err(StoreError::Full(_))));
        assert!(three.try_recv().unwrap().is_ok());
    }

    #[test]
    fn a_long_reader_puts_the_truncation_of_the_log_off_and_holds_up_nobody_for_long() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.db");
        let conn = Connection::open(&path).unwrap();
        conn.execute_batch("PRAGMA journal_mode=WAL; CREATE TABLE t (x); INSERT INTO t VALUES (1)").unwrap();
        let reader = Connection::open(&path).unwrap();
        reader.execute_batch("BEGIN; SELECT * FROM t").unwrap();
        conn.execute_batch("INSERT INTO t VALUES (2)").unwrap();
        let began = Instant::now();
        assert!(!truncate_wal(&conn, Duration::from_millis(50)));
        assert!(began.elapsed() < BUSY_TIMEOUT / 2, "{:?}", began.elapsed());
        conn.execute_batch("INSERT INTO t VALUES (3)").unwrap();
        reader.execute_batch("COMMIT").unwrap();
        assert!(truncate_wal(&conn, Duration::from_millis(50)));
        assert!(data_folder::beside(&path, "-wal").metadata().unwrap().len() == 0);
    }
}
