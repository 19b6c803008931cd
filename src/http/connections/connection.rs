//! One connection of a caller: whether it is in use, since when it is not, and how much of a body is read ahead.

use futures_util::task::AtomicWaker;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::Context;
use std::time::{Duration, Instant};

/// A connection whose caller has taken nothing for so long makes room for others like an idle one.
const SLOW_READER_TIME: Duration = Duration::from_secs(1);

/// A connection that is younger than this is about to be used.
const ARRIVAL_TIME: Duration = Duration::from_secs(1);

/// So many bytes of a body are read, and no more until its request has taken them. The server on its own reads ahead several times
/// as many, for each of the callers whose bodies wait for memory or a slow disk.
const READ_AHEAD_BYTES: usize = 32 * 1024;

/// So many bytes are read before the server has looked for a request in them. On its own it reads 128 KiB first, nearly all of
/// which is the body of a request that it does not know of yet.
const LOOK_BYTES: usize = 16 * 1024;

/// See the module. Shared by the stream, the requests on it, and the register of all connections.
pub struct Connection {
    pub(super) peer: Option<IpAddr>,
    begun: Instant,
    /// Requests whose responses are not written yet.
    requests: AtomicUsize,
    /// When bytes came or went last, in milliseconds since it began and one more; 0 if none have.
    moved_at: AtomicU64,
    /// When the first byte came that belongs to no request yet, in the same measure.
    head_at: AtomicU64,
    /// Since when the caller takes no bytes of what is written, in the same measure.
    blocked_at: AtomicU64,
    /// Bytes that have come within a request and that it has not taken yet.
    untaken: AtomicUsize,
    /// Bytes that belong to no request yet, and that the server has not looked at.
    unseen: AtomicUsize,
    closed: AtomicBool,
    reader: AtomicWaker,
}

/// Marks its connection as in use until it is dropped.
pub struct InUse(Arc<Connection>);

impl Connection {
    pub(super) fn new(peer: Option<IpAddr>) -> Self {
        Self {
            peer,
            begun: Instant::now(),
            requests: AtomicUsize::new(0),
            moved_at: AtomicU64::new(0),
            head_at: AtomicU64::new(0),
            blocked_at: AtomicU64::new(0),
            untaken: AtomicUsize::new(0),
            unseen: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
            reader: AtomicWaker::new(),
        }
    }

    /// A request on it begins, and lasts until what this returns is dropped.
    pub fn begin_request(self: &Arc<Self>) -> InUse {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.untaken.store(0, Ordering::Relaxed);
        self.unseen.store(0, Ordering::Relaxed);
        self.head_at.store(0, Ordering::Relaxed);
        InUse(self.clone())
    }

    /// For how long no byte has come or gone; `None` if none can have come yet, while a request is under way whose caller takes
    /// the response, or if it is closed already.
    pub(super) fn idle(&self) -> Option<Duration> {
        if self.closed.load(Ordering::Relaxed) {
            return None;
        }
        match self.requests.load(Ordering::Relaxed) {
            0 => match self.moved_at.load(Ordering::Relaxed) {
                0 => Some(self.begun.elapsed()).filter(|age| *age >= ARRIVAL_TIME),
                at => Some(self.since(at - 1)),
            },
            _ => self.blocked().filter(|time| *time >= SLOW_READER_TIME),
        }
    }

    /// For how long the caller has taken nothing of what is written.
    pub(super) fn blocked(&self) -> Option<Duration> {
        let at = self.blocked_at.load(Ordering::Relaxed);
        (at > 0).then(|| self.since(at - 1))
    }

    /// The caller takes no more bytes for now.
    pub(super) fn block(&self) {
        let _ = self.blocked_at.compare_exchange(0, self.now() + 1, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Bytes have gone.
    pub(super) fn written(&self) {
        self.blocked_at.store(0, Ordering::Relaxed);
        self.moved();
    }

    /// For how long a head has been arriving that is not whole yet.
    pub(super) fn head_pending(&self) -> Option<Duration> {
        let at = self.head_at.load(Ordering::Relaxed);
        let is_free = self.requests.load(Ordering::Relaxed) == 0 && !self.closed.load(Ordering::Relaxed);
        (at > 0 && is_free).then(|| self.since(at - 1))
    }

    /// Has it closed as if the caller had hung up.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.reader.wake();
    }

    /// Whether it is to be closed; if not, the task of this context is woken when it is.
    pub(super) fn is_closed(&self, cx: &Context<'_>) -> bool {
        self.reader.register(cx.waker());
        self.closed.load(Ordering::Acquire)
    }

    /// Bytes have come.
    pub(super) fn read(&self, bytes: usize) {
        let now = self.moved();
        if self.requests.load(Ordering::Relaxed) == 0 {
            let _ = self.head_at.compare_exchange(0, now + 1, Ordering::Relaxed, Ordering::Relaxed);
            self.unseen.fetch_add(bytes, Ordering::Relaxed);
        } else {
            self.untaken.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    /// Whether enough is read ahead; the reader is woken when it is not any more.
    pub(super) fn is_ahead(&self) -> bool {
        self.untaken.load(Ordering::Relaxed) >= READ_AHEAD_BYTES && self.requests.load(Ordering::Relaxed) > 0
    }

    /// Whether the server is to look for a request in what has come, before it reads more. True once; a longer head is read on.
    pub(super) fn is_due_for_a_look(&self) -> bool {
        let is_due = self.unseen.load(Ordering::Relaxed) >= LOOK_BYTES && self.requests.load(Ordering::Relaxed) == 0;
        if is_due {
            self.unseen.store(0, Ordering::Relaxed);
        }
        is_due
    }

    /// The request has taken so many bytes of its body.
    pub fn take(&self, bytes: usize) {
        let take = |untaken: usize| Some(untaken.saturating_sub(bytes));
        let before = self.untaken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).unwrap_or_default();
        if before >= READ_AHEAD_BYTES {
            self.reader.wake();
        }
    }

    /// The request has taken all that has come: what is still counted was the framing of chunks.
    pub fn take_all(&self) {
        self.take(usize::MAX);
    }

    /// Bytes have come or gone; says when.
    pub(super) fn moved(&self) -> u64 {
        let now = self.now();
        self.moved_at.store(now + 1, Ordering::Relaxed);
        now
    }

    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX - 1)
    }

    fn since(&self, at: u64) -> Duration {
        self.begun.elapsed().saturating_sub(Duration::from_millis(at))
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        self.0.moved();
        self.0.requests.fetch_sub(1, Ordering::Relaxed);
        // What is left of its body is thrown away.
        self.0.take_all();
    }
}
