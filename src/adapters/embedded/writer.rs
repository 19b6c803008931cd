//! The thread that writes. It takes every job that waits, runs them in one transaction, commits once, which is one
//! wait for the disk, and answers all of them: group commit.

use super::fault::Fault;
use rusqlite::Connection;
use std::path::PathBuf;
use tokio::sync::{mpsc, oneshot};

/// How many jobs share a commit at the most; bounds how long the first of them waits.
const BATCH: usize = 256;
/// A log this large is cut even if readers must be waited for; it is otherwise reused from its start every few MiB.
const LOG_LIMIT: u64 = 64 * 1024 * 1024;

/// How much an answer promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// It survives a power cut.
    Disk,
    /// It survives the process, and a power cut if anything was committed to [`Durability::Disk`] since. For what may
    /// be repeated or forgotten; spares the wait for the disk.
    Process,
}

/// Work for the writer.
pub trait Job: Send {
    /// What its answer promises.
    fn durability(&self) -> Durability;
    /// Does the work inside the transaction; after an error what this job did is undone.
    fn run(&mut self, conn: &Connection) -> Result<(), Fault>;
    /// Gives the answer, once it is known whether the transaction was committed.
    fn answer(self: Box<Self>, committed: Result<(), Fault>);
}

/// A closure as a job.
pub struct Typed<T, F> {
    durability: Durability,
    work: Option<F>,
    result: Option<Result<T, Fault>>,
    reply: oneshot::Sender<Result<T, Fault>>,
}

impl<T, F> Typed<T, F> {
    /// The job, and where its answer comes.
    pub fn new(durability: Durability, work: F) -> (Self, oneshot::Receiver<Result<T, Fault>>) {
        let (reply, answer) = oneshot::channel();
        (Self { durability, work: Some(work), result: None, reply }, answer)
    }
}

impl<T: Send, F: FnOnce(&Connection) -> Result<T, Fault> + Send> Job for Typed<T, F> {
    fn durability(&self) -> Durability {
        self.durability
    }

    fn run(&mut self, conn: &Connection) -> Result<(), Fault> {
        let result = self.work.take().map_or_else(|| Err(Fault::closed()), |work| work(conn));
        let outcome = result.as_ref().map(|_| ()).map_err(Fault::clone);
        self.result = Some(result);
        outcome
    }

    fn answer(self: Box<Self>, committed: Result<(), Fault>) {
        let result = match (committed, self.result) {
            (Err(fault), None | Some(Ok(_))) => Err(fault),
            (_, Some(own)) => own,
            (Ok(()), None) => Err(Fault::closed()),
        };
        // Whoever asked may have gone; the work is done all the same.
        let _ = self.reply.send(result);
    }
}

/// Works until every sender is gone or `None` comes, then leaves a file without a log. `note` hears how each
/// transaction ended.
pub fn run(
    conn: Connection,
    path: PathBuf,
    mut jobs: mpsc::Receiver<Option<Box<dyn Job>>>,
    note: impl Fn(Option<&Fault>),
) {
    let log = PathBuf::from(format!("{}-wal", path.display()));
    let mut open = true;
    while open {
        let Some(Some(first)) = jobs.blocking_recv() else { break };
        let mut batch = vec![first];
        while batch.len() < BATCH {
            match jobs.try_recv() {
                Ok(Some(job)) => batch.push(job),
                Ok(None) => {
                    open = false;
                    break;
                }
                Err(_) => break,
            }
        }
        commit_together(&conn, batch, &note);
        if std::fs::metadata(&log).is_ok_and(|log| log.len() > LOG_LIMIT) {
            checkpoint(&conn);
        }
    }
    checkpoint(&conn);
}

/// Moves the log into the file and cuts it to nothing. Fails when a reader holds on to it: then the next one does it.
fn checkpoint(conn: &Connection) {
    if let Err(error) = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())) {
        tracing::warn!(%error, "the database log could not be cut");
    }
}

/// One transaction for all; when it fails as a whole, a fresh one for those that had not run yet.
fn commit_together(conn: &Connection, batch: Vec<Box<dyn Job>>, note: &impl Fn(Option<&Fault>)) {
    let mut waiting = batch.into_iter();
    while waiting.len() > 0 {
        let mut done = Vec::with_capacity(waiting.len());
        let committed = transaction(conn, &mut waiting, &mut done).inspect_err(|_| {
            if !conn.is_autocommit() {
                // A rollback fails only when there is nothing left to roll back.
                let _ = conn.execute_batch("ROLLBACK");
            }
        });
        note(committed.as_ref().err());
        if done.is_empty() {
            // It did not even begin.
            done.extend(waiting.by_ref());
        }
        for job in done {
            job.answer(committed.clone());
        }
    }
}

fn transaction(
    conn: &Connection,
    waiting: &mut std::vec::IntoIter<Box<dyn Job>>,
    done: &mut Vec<Box<dyn Job>>,
) -> Result<(), Fault> {
    let durable = waiting.as_slice().iter().any(|job| job.durability() == Durability::Disk);
    // With NORMAL a commit is handed to the operating system and not waited for; the next FULL one covers it.
    conn.execute_batch(if durable { "PRAGMA synchronous=FULL" } else { "PRAGMA synchronous=NORMAL" })?;
    run_statement(conn, "BEGIN IMMEDIATE")?;
    for mut job in waiting.by_ref() {
        run_statement(conn, "SAVEPOINT job")?;
        let outcome = job.run(conn);
        done.push(job);
        if let Err(fault) = outcome {
            if conn.is_autocommit() {
                // On some faults of the disk SQLite gives the whole transaction up.
                return Err(fault);
            }
            run_statement(conn, "ROLLBACK TO job")?;
        }
        run_statement(conn, "RELEASE job")?;
    }
    run_statement(conn, "COMMIT")
}

fn run_statement(conn: &Connection, sql: &str) -> Result<(), Fault> {
    conn.prepare_cached(sql)?.execute([])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    fn put(value: i64, then: Result<(), Fault>) -> (Box<dyn Job>, oneshot::Receiver<Result<(), Fault>>) {
        let (job, answer) = Typed::new(Durability::Disk, move |conn: &Connection| {
            conn.execute("INSERT INTO t VALUES (?1)", [value])?;
            then
        });
        (Box::new(job), answer)
    }

    fn run_all(conn: &Connection, jobs: Vec<Box<dyn Job>>) -> (i64, Vec<bool>) {
        let notes = RefCell::new(Vec::new());
        commit_together(conn, jobs, &|fault: Option<&Fault>| notes.borrow_mut().push(fault.is_none()));
        let sum = conn.query_row("SELECT coalesce(sum(x), 0) FROM t", [], |row| row.get(0)).unwrap();
        (sum, notes.into_inner())
    }

    #[test]
    fn a_job_that_fails_is_undone_and_spoils_no_other() {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch("CREATE TABLE t (x)").unwrap();
        let (first, mut one) = put(1, Ok(()));
        let (second, mut two) = put(10, Err(Fault::closed()));
        let (third, mut three) = put(100, Ok(()));
        assert_eq!(run_all(&conn, vec![first, second, third]), (101, vec![true]), "one transaction for all");
        assert!(one.try_recv().unwrap().is_ok() && three.try_recv().unwrap().is_ok());
        assert!(two.try_recv().unwrap().is_err());
    }

    #[test]
    fn when_a_transaction_cannot_be_committed_nobody_is_told_that_it_was() {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch("CREATE TABLE t (x)").unwrap();
        let (first, mut one) = put(1, Ok(()));
        // Ends the transaction under the writer's feet, as SQLite does on some faults of the disk.
        let (breaks, mut two) = Typed::new(Durability::Disk, |conn: &Connection| -> Result<(), Fault> {
            conn.execute_batch("ROLLBACK")?;
            Err(Fault::Full("full".to_owned()))
        });
        let (third, mut three) = put(100, Ok(()));
        let result = run_all(&conn, vec![first, Box::new(breaks), third]);
        assert_eq!(result, (100, vec![false, true]), "those that had not run yet get a transaction of their own");
        assert!(matches!(one.try_recv().unwrap(), Err(Fault::Full(_))));
        assert!(matches!(two.try_recv().unwrap(), Err(Fault::Full(_))));
        assert!(three.try_recv().unwrap().is_ok());
    }
}
