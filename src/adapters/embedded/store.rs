//! The way to the file, for the ports: writes go to the one writer, reads to a few readers.

use super::fault::Fault;
use super::schema;
use super::writer::{self, Durability, Job, Typed};
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

/// Jobs that may wait for the writer before their senders do.
const QUEUE: usize = 1_024;
/// Reads at the same time.
const READERS: usize = 4;
/// How long after a failed write the store says that it is not ready. No probe ever writes, so this must pass by itself.
const FAULT_SHOWN: Duration = Duration::from_secs(3);

/// The open file.
pub struct Store {
    path: PathBuf,
    jobs: mpsc::Sender<Option<Box<dyn Job>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
    last_fault: Arc<Mutex<Option<(Instant, Fault)>>>,
    closed: CancellationToken,
}

impl Store {
    /// Starts the writer. `lock` is given back when the writer is done with the file.
    pub fn start(path: &Path, conn: Connection, lock: std::fs::File) -> std::io::Result<Arc<Self>> {
        let (jobs, waiting) = mpsc::channel(QUEUE);
        let last_fault = Arc::new(Mutex::new(None));
        let shown = last_fault.clone();
        let note = move |fault: Option<&Fault>| {
            let mut last = shown.lock().unwrap_or_else(PoisonError::into_inner);
            *last = fault.map(|fault| (Instant::now(), fault.clone()));
        };
        let file = path.to_owned();
        let thread = std::thread::Builder::new().name("pixcourier-store".to_owned()).spawn(move || {
            writer::run(conn, file, waiting, note);
            drop(lock);
        })?;
        Ok(Arc::new(Self {
            path: path.to_owned(),
            jobs,
            thread: Mutex::new(Some(thread)),
            idle: Mutex::default(),
            permits: Arc::new(Semaphore::new(READERS)),
            last_fault,
            closed: CancellationToken::new(),
        }))
    }

    /// Runs `work` in a transaction; `Ok` means that it is committed. The work is done even if the future is dropped
    /// once it was handed over.
    pub async fn write<T, F>(&self, durability: Durability, work: F) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    {
        let (job, answer) = Typed::new(durability, work);
        self.jobs.send(Some(Box::new(job))).await.map_err(|_| Fault::closed())?;
        answer.await.map_err(|_| Fault::closed())?
    }

    /// Runs `work` on a connection that cannot write.
    pub async fn read<T, F>(self: &Arc<Self>, work: F) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    {
        let permit = self.permits.clone().acquire_owned().await.map_err(|_| Fault::closed())?;
        let store = self.clone();
        let reading = tokio::task::spawn_blocking(move || {
            let idle = || store.idle.lock().unwrap_or_else(PoisonError::into_inner);
            let rested = idle().pop();
            let conn = match rested {
                Some(conn) => conn,
                None => schema::reader(&store.path)?,
            };
            let result = work(&conn);
            idle().push(conn);
            drop(permit);
            result
        });
        reading.await.map_err(|_| Fault::closed())?
    }

    /// Whether the file can be read, and the last write succeeded or was long ago.
    pub async fn ready(self: &Arc<Self>) -> Result<(), Fault> {
        if self.closed.is_cancelled() {
            return Err(Fault::closed());
        }
        let last = self.last_fault.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((_, fault)) = last.filter(|(at, _)| at.elapsed() < FAULT_SHOWN) {
            return Err(fault);
        }
        self.read(|conn| Ok(conn.query_row("SELECT 1", [], |_| Ok(()))?)).await
    }

    /// Ends when the store is closed.
    pub fn closed(&self) -> &CancellationToken {
        &self.closed
    }

    /// Lets the writer finish what it was given, cuts the log, lets go of the file. Later work is refused.
    pub async fn close(&self) {
        self.closed.cancel();
        self.permits.close();
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
        // Fails if it is closed already.
        let _ = self.jobs.send(None).await;
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let joined = tokio::task::spawn_blocking(move || thread.join()).await;
            if !matches!(joined, Ok(Ok(()))) {
                tracing::error!("the writer of the database did not end well");
            }
        }
    }
}
