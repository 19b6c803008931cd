//! The events that one client is sent. It holds no more of them than it writes at a time: what is written follows what the client
//! reads, and one that reads slowly falls behind and reads the log by itself.

use crate::callbacks::payload;
use crate::domain::{EventId, Filter, Timestamp};
use crate::events::{Event, EventFeed, Listener, Look};
use crate::http::callers::Callers;
use crate::http::state::AppState;
use crate::settings::Live;
use actix_web::web::Bytes;
use futures_util::{Stream, stream};
use serde_json::json;
use std::convert::Infallible;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// After so long without an event the client is sent its place, so that neither it nor a proxy takes the connection for dead.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(15);
/// After so many milliseconds a client that lost its connection is to come again.
const COME_AGAIN_MILLIS: u32 = 2_000;
/// How long a stream waits that is behind, when the ledger does not answer.
const LEDGER_PAUSE: Duration = Duration::from_secs(1);

/// See the module.
pub struct EventStream {
    feed: Arc<EventFeed>,
    _listener: Listener,
    filter: Filter,
    /// What has been told, or passed by the filter.
    position: EventId,
    changes: watch::Receiver<()>,
    ready: watch::Receiver<bool>,
    callers: Live<Callers>,
    /// Those among whom the client's key was found.
    admitted_by: Arc<Callers>,
    is_new: bool,
}

impl EventStream {
    /// What comes after an event and meets a filter.
    pub fn new(state: &AppState, listener: Listener, filter: Filter, position: EventId) -> Self {
        Self {
            feed: state.events.clone(),
            _listener: listener,
            filter,
            position,
            changes: state.events.changes(),
            ready: state.ready.clone(),
            callers: state.callers.clone(),
            admitted_by: state.callers.get(),
            is_new: true,
        }
    }

    /// The body of the response.
    pub fn into_chunks(self) -> impl Stream<Item = Result<Bytes, Infallible>> {
        stream::unfold(self, |mut stream| async move {
            let chunk = stream.next().await?;
            Some((Ok(Bytes::from(chunk)), stream))
        })
    }

    /// The next piece; `None` once this process is about to stop, or the keys have changed: the client then comes again, and is
    /// judged anew.
    async fn next(&mut self) -> Option<String> {
        if std::mem::take(&mut self.is_new) {
            return Some(format!("retry: {COME_AGAIN_MILLIS}\n{}", self.place()));
        }
        let silent_until = Instant::now() + KEEP_ALIVE_INTERVAL;
        while *self.ready.borrow() && Arc::ptr_eq(&self.admitted_by, &self.callers.get()) {
            if Instant::now() >= silent_until {
                return Some(format!(": keep-alive\n{}", self.place()));
            }
            let told = match self.feed.look(self.position) {
                Look::Events(events, next) => {
                    self.position = next;
                    self.tell(&events)
                }
                Look::UpToDate => {
                    self.wait_until(silent_until).await;
                    continue;
                }
                Look::Elsewhere => self.read(silent_until).await,
            };
            if !told.is_empty() {
                return Some(told);
            }
        }
        None
    }

    /// Tells what the log has; waits if that is nothing.
    async fn read(&mut self, silent_until: Instant) -> String {
        let page = tokio::select! {
            page = self.feed.read(self.position) => page,
            _ = self.ready.wait_for(|is_ready| !is_ready) => return String::new(),
        };
        let Ok(page) = page else {
            self.wait_until(silent_until.min(Instant::now() + LEDGER_PAUSE)).await;
            return String::new();
        };
        let mut told = page.gap.map(|at| gap(self.position, at)).unwrap_or_default();
        let (next, more) = (page.next, page.more);
        told += &self.tell(&Event::of(page));
        self.position = next;
        if told.is_empty() && !more {
            // The feed is behind.
            self.wait_until(silent_until).await;
        }
        told
    }

    /// Waits for something new, until then at the most.
    async fn wait_until(&mut self, end: Instant) {
        tokio::select! {
            _ = self.changes.changed() => {}
            _ = self.ready.wait_for(|is_ready| !is_ready) => {}
            () = sleep_until(end) => {}
        }
    }

    /// Those that the client is to be told.
    fn tell(&self, events: &[Arc<Event>]) -> String {
        let mut told = String::new();
        for event in events.iter().filter(|event| self.filter.matches(&event.record)) {
            write_event(&mut told, event.id, &payload::event_type(event.record.status), &event.payload);
        }
        told
    }

    /// An id without an event: what a client remembers of it is where to go on.
    fn place(&self) -> String {
        format!("id: {}\n\n", self.position)
    }
}

/// What came after an event is not kept, and the log goes on at another.
fn gap(after: EventId, at: EventId) -> String {
    let detail = "Not all that came after last_event_id is kept. Ask GET /v1/notifications what became of those that are missed.";
    let data = json!({
        "type": "events.gap", "timestamp": Timestamp::now(), "data": {"last_event_id": after.to_string(), "detail": detail},
    });
    let mut told = String::new();
    write_event(&mut told, at, "events.gap", &data.to_string());
    told
}

/// Neither a type nor JSON has an end of line in it.
fn write_event(told: &mut String, id: EventId, kind: &str, data: &str) {
    let _ = write!(told, "id: {id}\nevent: {kind}\ndata: {data}\n\n");
}
