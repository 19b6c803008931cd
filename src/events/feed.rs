//! Reads the log of ends once for all who listen to this process.

use super::listeners::{Listener, Listeners};
use super::recent::{Look, Recent};
use crate::domain::EventId;
use crate::ports::{EventLog, EventPage, LedgerError};
use prometheus::IntGauge;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// How often the log is looked at while somebody listens.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);
/// After how long it is looked at again after the ledger did not answer.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);
/// How often the log is asked to be kept on: much more often than it would end otherwise.
const KEEP_INTERVAL: Duration = Duration::from_secs(600);
/// Events that are read at a time.
const PAGE_EVENTS: usize = 100;
/// How many who are behind read the log at a time.
const MAX_CONCURRENT_READS: usize = 2;

/// See the module.
pub struct EventFeed {
    log: Arc<dyn EventLog>,
    /// For how long the log is kept after somebody has listened.
    retention: Duration,
    /// What the ledger's connections belong to.
    runtime: Handle,
    listeners: Arc<Listeners>,
    /// While it reads.
    recent: Mutex<Option<Recent>>,
    changes: watch::Sender<()>,
    reads: Arc<Semaphore>,
}

impl EventFeed {
    /// A feed for at most so many listeners, whose number `gauge` shows. Must be called on the runtime that the ledger's
    /// connections belong to.
    pub fn new(log: Arc<dyn EventLog>, retention: Duration, limit: usize, gauge: IntGauge) -> Self {
        Self {
            log,
            retention,
            runtime: Handle::current(),
            listeners: Arc::new(Listeners::new(limit, gauge)),
            recent: Mutex::new(None),
            changes: watch::Sender::new(()),
            reads: Arc::new(Semaphore::new(MAX_CONCURRENT_READS)),
        }
    }

    /// Takes in a listener of a caller; `None` if there are too many.
    pub fn admit(&self, caller: &str) -> Option<Listener> {
        self.listeners.admit(caller)
    }

    /// Where the log ends: what ends from now on comes after that. From now on the log is kept.
    ///
    /// # Errors
    /// The ledger is away.
    pub async fn end(&self) -> Result<EventId, LedgerError> {
        if let Some(last) = self.last() {
            return Ok(last);
        }
        let (log, retention) = (self.log.clone(), self.retention);
        self.on_runtime(async move { log.keep(retention).await }).await
    }

    /// What the feed knows of what came after an event.
    pub fn look(&self, after: EventId) -> Look {
        self.recent().as_ref().map_or(Look::Elsewhere, |recent| recent.look(after))
    }

    /// Reads the log itself after an event, for one that the feed does not help.
    ///
    /// # Errors
    /// The ledger is away.
    pub async fn read(&self, after: EventId) -> Result<EventPage, LedgerError> {
        let turn = self.reads.clone().acquire_owned().await;
        let (log, retention) = (self.log.clone(), self.retention);
        self.on_runtime(async move {
            // Kept to the end, also if whoever asked is gone by then.
            let _turn = turn;
            if let Some(page) = log.after(after, PAGE_EVENTS).await? {
                return Ok(page);
            }
            let next = log.keep(retention).await?;
            Ok(EventPage { events: Vec::new(), next, more: false, gap: Some(next) })
        })
        .await
    }

    /// Tells each time that the feed has read on.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// Reads while somebody listens, until told to stop.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut count = self.listeners.count();
        // What `wait_for` returns locks the count, and must not be held while somebody is admitted.
        while stop.run_until_cancelled(async { count.wait_for(|count| *count > 0).await.is_ok() }).await == Some(true) {
            stop.run_until_cancelled(self.follow(&mut count)).await;
            *self.recent() = None;
        }
    }

    async fn follow(&self, count: &mut watch::Receiver<usize>) {
        let mut kept_at = Instant::now();
        while *count.borrow_and_update() > 0 {
            match self.step(&mut kept_at).await {
                Ok(true) => {}
                Ok(false) => sleep(LOOK_INTERVAL).await,
                Err(error) => {
                    tracing::debug!(%error, "events wait for the ledger");
                    sleep(RETRY_INTERVAL).await;
                }
            }
        }
    }

    /// Reads on; whether there is more.
    async fn step(&self, kept_at: &mut Instant) -> Result<bool, LedgerError> {
        if kept_at.elapsed() >= KEEP_INTERVAL {
            self.log.keep(self.retention).await?;
            *kept_at = Instant::now();
        }
        let page = match self.last() {
            Some(last) => self.log.after(last, PAGE_EVENTS).await?.map(|page| (last, page)),
            None => None,
        };
        let Some((last, page)) = page else {
            // It begins, or the ledger has lost its log.
            let end = self.log.keep(self.retention).await?;
            *self.recent() = Some(Recent::begin(end));
            self.changes.send_replace(());
            return Ok(false);
        };
        let more = page.more;
        if page.next != last {
            if let Some(recent) = self.recent().as_mut() {
                recent.append(page);
            }
            self.changes.send_replace(());
        }
        Ok(more)
    }

    async fn on_runtime<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, LedgerError>> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let crashed = |_| LedgerError::Unavailable("reading the events crashed".to_owned());
        self.runtime.spawn(work).await.map_err(crashed)?
    }

    fn last(&self) -> Option<EventId> {
        self.recent().as_ref().map(|recent| recent.last)
    }

    fn recent(&self) -> MutexGuard<'_, Option<Recent>> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
