//! The open SQLite file as the ports see it: writes go to the single writer, reads to a small pool of connections.

use super::checkpoints::Checkpoints;
use super::damage::Damage;
use super::limits::{MAX_CONCURRENT_READS, MAX_QUEUED_WRITES, UNREADY_AFTER_WRITE_ERROR};
use super::row_counts::RowCounts;
use super::schema;
use super::store_error::StoreError;
use super::writer::{self, Durability, WriteClosure, WriteJob};
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

/// The open file.
pub struct SqliteStore {
    path: PathBuf,
    /// Jobs for the writer; `None` stops it.
    writes: mpsc::Sender<Option<Box<dyn WriteJob>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
    idle_readers: Mutex<Vec<Connection>>,
    read_permits: Arc<Semaphore>,
    /// How and when the last write failed; `None` after one that did not.
    write_error: Arc<Mutex<Option<(Instant, StoreError)>>>,
    damage: Arc<Damage>,
    counts: Arc<RowCounts>,
    closed: CancellationToken,
}

impl SqliteStore {
    /// Starts the writer. `lock` is released when the writer is done with the file.
    pub fn start(
        path: &Path,
        (mut conn, counts): (Connection, Arc<RowCounts>),
        lock: std::fs::File,
        damage: Damage,
    ) -> std::io::Result<Arc<Self>> {
        let (writes, queued) = mpsc::channel(MAX_QUEUED_WRITES);
        let write_error = Arc::new(Mutex::new(None));
        let damage = Arc::new(damage);
        let (last_error, seen) = (write_error.clone(), damage.clone());
        let record_result = move |error: Option<&StoreError>| {
            _ = error.inspect(|error| seen.notice(error));
            *locked(&last_error) = error.map(|error| (Instant::now(), error.clone()));
        };
        let checkpoints = Checkpoints::start(&mut conn, path)?;
        let (file, tally) = (path.to_owned(), counts.clone());
        let thread = std::thread::Builder::new().name("pixcourier-store".to_owned()).spawn(move || {
            writer::run(conn, &tally, checkpoints, file, queued, record_result);
            drop(lock);
        })?;
        Ok(Arc::new(Self {
            path: path.to_owned(),
            writes,
            writer: Mutex::new(Some(thread)),
            idle_readers: Mutex::default(),
            read_permits: Arc::new(Semaphore::new(MAX_CONCURRENT_READS)),
            write_error,
            damage,
            counts,
            closed: CancellationToken::new(),
        }))
    }

    /// Runs `work` in a transaction, unless damage was found; `Ok` means that it is committed. The work is done even if the future is dropped
    /// once it was handed over.
    pub async fn write<T, F>(&self, durability: Durability, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        self.write_then(durability, work, |result| result).await
    }

    /// The same, and does something with what is committed that must not be left undone either if the future is dropped: on the
    /// writer's thread, in the order of the writes.
    pub async fn write_then<T, R, F, G>(&self, durability: Durability, work: F, then: G) -> Result<R, StoreError>
    where
        T: Send + 'static,
        R: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
        G: FnOnce(T) -> R + Send + 'static,
    {
        let damage = self.damage.clone();
        // Asked when its turn comes: damage may be found while it waits.
        let unless_damaged = move |conn: &Connection| {
            damage.refuse_if_any()?;
            work(conn)
        };
        let (job, result) = WriteClosure::new(durability, unless_damaged, then);
        self.writes.send(Some(Box::new(job))).await.map_err(|_| StoreError::closed())?;
        result.await.map_err(|_| StoreError::closed())?
    }

    /// The counts of rows, as they are committed.
    pub fn counts(&self) -> Result<&RowCounts, StoreError> {
        if self.closed.is_cancelled() {
            return Err(StoreError::closed());
        }
        self.damage.refuse_if_any()?;
        Ok(&self.counts)
    }

    /// Runs `work` on a connection that cannot write.
    pub async fn read<T, F>(self: &Arc<Self>, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let permit = self.read_permits.clone().acquire_owned().await.map_err(|_| StoreError::closed())?;
        let store = self.clone();
        let reading = tokio::task::spawn_blocking(move || {
            let idle = locked(&store.idle_readers).pop();
            let opened = idle.map_or_else(|| schema::open_reader(&store.path), Ok);
            let result = opened.map_err(StoreError::from).and_then(|conn| {
                let result = work(&conn);
                locked(&store.idle_readers).push(conn);
                result
            });
            drop(permit);
            result.inspect_err(|error| store.damage.notice(error))
        });
        reading.await.map_err(|_| StoreError::closed())?
    }

    /// Whether the file can be read, no damage was found, and the last write succeeded or failed some seconds ago.
    pub async fn ready(self: &Arc<Self>) -> Result<(), StoreError> {
        if self.closed.is_cancelled() {
            return Err(StoreError::closed());
        }
        self.damage.refuse_if_any()?;
        let last = locked(&self.write_error).clone();
        if let Some((_, error)) = last.filter(|(at, _)| at.elapsed() < UNREADY_AFTER_WRITE_ERROR) {
            return Err(error);
        }
        self.read(|conn| Ok(conn.query_row("SELECT 1", [], |_| Ok(()))?)).await
    }

    /// Whether damage was found since the start.
    pub fn is_damaged(&self) -> bool {
        self.damage.refuse_if_any().is_err()
    }

    /// Cancelled when the store is closed.
    pub fn closed(&self) -> &CancellationToken {
        &self.closed
    }

    /// Lets the writer finish the jobs it was given, truncates the write-ahead log and closes the file. Later work is
    /// refused.
    pub async fn close(&self) {
        self.closed.cancel();
        self.read_permits.close();
        locked(&self.idle_readers).clear();
        // Fails if it is closed already.
        let _ = self.writes.send(None).await;
        let writer = locked(&self.writer).take();
        if let Some(writer) = writer {
            let joined = tokio::task::spawn_blocking(move || writer.join()).await;
            if !matches!(joined, Ok(Ok(()))) {
                tracing::error!("the writer of the database did not end well");
            }
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
