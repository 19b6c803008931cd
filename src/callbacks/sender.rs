//! The task that takes callbacks that are due and tells their receivers.

use super::receiver_client::ReceiverClient;
use super::schedule;
use super::try_error::TryError;
use super::try_result::TryResult;
use crate::domain::Timestamp;
use crate::ports::{Callback, CallbackRoom, Callbacks};
use crate::settings::{CallbackSecrets, Live};
use crate::telemetry::Metrics;
use lru::LruCache;
use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// Requests at the same time.
const MAX_REQUESTS: usize = 128;
/// Requests at the same time to a host that has taken its last callback.
const MAX_REQUESTS_TO_PROVEN_HOST: usize = 64;
/// The same to one that has not, or has got none yet: one that hangs takes no more of the others' places.
const MAX_REQUESTS_TO_HOST: usize = 8;
/// Hosts that are remembered as having taken their last callback.
const MAX_PROVEN_HOSTS: NonZeroUsize = NonZeroUsize::new(256).expect("not zero");
/// How long what was taken is left to whoever took it: longer than a request and the note of its end take.
const CLAIM_DURATION: Duration = Duration::from_secs(30);
/// How often to look for what is due.
const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// How long to wait after the end of a request for others to end, before what takes their places is asked for together.
const GATHERING_PAUSE: Duration = Duration::from_millis(10);
/// How long a stop waits for requests; what has not ended then is sent again by whoever takes it next.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);

/// Tells receivers, in every process that delivers: they share the work by claiming it.
pub struct CallbackSender {
    callbacks: Arc<dyn Callbacks>,
    secrets: Live<CallbackSecrets>,
    client: ReceiverClient,
    metrics: Arc<Metrics>,
}

impl CallbackSender {
    /// A sender that signs with these secrets.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub fn new(
        callbacks: Arc<dyn Callbacks>,
        secrets: Live<CallbackSecrets>,
        allow_private: bool,
        metrics: Arc<Metrics>,
    ) -> Result<Self, reqwest::Error> {
        // What is missing looks like what was never counted.
        for result in TryResult::ALL {
            let _ = metrics.callbacks.with_label_values(&[result.as_str()]);
        }
        Ok(Self { callbacks, secrets, client: ReceiverClient::new(allow_private)?, metrics })
    }

    /// Tells receivers until told to stop.
    pub async fn run(self: Arc<Self>, halt: CancellationToken) {
        let mut requests = Requests::new();
        loop {
            for callback in self.claim(&requests).await {
                requests.start(self.clone(), callback);
            }
            tokio::select! {
                () = halt.cancelled() => break,
                () = requests.some_end() => {}
                () = sleep(POLL_INTERVAL) => {}
            }
        }
        let _ = timeout(STOP_TIMEOUT, requests.all_end()).await;
    }

    async fn claim(&self, requests: &Requests) -> Vec<Callback> {
        let room = requests.room();
        if room.all == 0 {
            return Vec::new();
        }
        let now = Timestamp::now();
        let claimed = self.callbacks.claim(now, now.plus(CLAIM_DURATION), &room).await;
        claimed.unwrap_or_else(|error| {
            tracing::debug!(%error, "callbacks wait");
            Vec::new()
        })
    }

    /// Tells one receiver, and notes what came of it; whether it was taken.
    async fn tell(&self, callback: Callback) -> bool {
        let event = &callback.event;
        let secrets = self.secrets.get();
        let told = self.client.tell(event, secrets.of(event.client.as_ref())).await;
        let now = Timestamp::now();
        let (result, noted) = match told {
            Ok(()) => (TryResult::Delivered, self.callbacks.delivered(&event.id, now).await),
            Err(error) => {
                let next = schedule::next_try(&callback, &error, now, fastrand::f64());
                log_failure(&callback, &error, next.is_some());
                let result = TryResult::of(&error, next.is_some());
                (result, self.callbacks.failed(&event.id, now, &error.to_string(), next).await)
            }
        };
        self.metrics.callbacks.with_label_values(&[result.as_str()]).inc();
        if let Err(error) = noted {
            tracing::debug!(callback = %event.id, %error, "it is sent again once its claim has ended");
        }
        result == TryResult::Delivered
    }
}

/// Names the receiver without its path and query, which may hold a secret.
fn log_failure(callback: &Callback, error: &TryError, is_tried_again: bool) {
    let (notification, receiver) = (callback.event.id.notification, callback.event.url.host_and_port());
    if is_tried_again {
        tracing::debug!(%notification, receiver, %error, "a callback failed and is tried again");
    } else {
        tracing::warn!(%notification, receiver, %error, "a callback is given up; it can be replayed");
    }
}

/// The requests under way, by host, and which hosts may have many.
struct Requests {
    tasks: JoinSet<bool>,
    hosts: HashMap<Id, String>,
    proven: LruCache<String, ()>,
}

impl Requests {
    fn new() -> Self {
        Self { tasks: JoinSet::new(), hosts: HashMap::new(), proven: LruCache::new(MAX_PROVEN_HOSTS) }
    }

    fn room(&self) -> CallbackRoom {
        let most = |host: &str| match self.proven.contains(host) {
            true => MAX_REQUESTS_TO_PROVEN_HOST,
            false => MAX_REQUESTS_TO_HOST,
        };
        let hosts = self.proven.iter().map(|(host, ())| host).chain(self.hosts.values());
        let mut of_hosts: BTreeMap<String, usize> = hosts.map(|host| (host.clone(), most(host))).collect();
        for host in self.hosts.values() {
            of_hosts.entry(host.clone()).and_modify(|places| *places = places.saturating_sub(1));
        }
        CallbackRoom { all: MAX_REQUESTS.saturating_sub(self.hosts.len()), per_host: MAX_REQUESTS_TO_HOST, of_hosts }
    }

    fn start(&mut self, sender: Arc<CallbackSender>, callback: Callback) {
        let host = callback.event.url.host_and_port().to_owned();
        let task = self.tasks.spawn(async move { sender.tell(callback).await });
        self.hosts.insert(task.id(), host);
    }

    /// Waits until one has ended, and a moment for others; for ever if there is none. May be dropped.
    async fn some_end(&mut self) {
        if self.tasks.is_empty() {
            std::future::pending::<()>().await;
        }
        if let Some(ended) = self.tasks.join_next_with_id().await {
            self.note_end(ended);
        }
        sleep(GATHERING_PAUSE).await;
        while let Some(ended) = self.tasks.try_join_next_with_id() {
            self.note_end(ended);
        }
    }

    async fn all_end(&mut self) {
        while let Some(ended) = self.tasks.join_next_with_id().await {
            self.note_end(ended);
        }
    }

    fn note_end(&mut self, ended: Result<(Id, bool), JoinError>) {
        let (id, was_taken) = ended.unwrap_or_else(|crash| (crash.id(), false));
        let Some(host) = self.hosts.remove(&id) else { return };
        if was_taken {
            self.proven.put(host, ());
        } else {
            self.proven.pop(&host);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_host_that_takes_its_callbacks_may_have_more_at_a_time() {
        let mut requests = Requests::new();
        for (taken, before, during) in [(true, 8, 7), (true, 64, 63), (false, 64, 63), (false, 8, 7)] {
            let room = requests.room();
            assert_eq!(room.of_hosts.get("a.example").copied().unwrap_or(room.per_host), before);
            let task = requests.tasks.spawn(async move { taken });
            requests.hosts.insert(task.id(), "a.example".to_owned());
            let room = requests.room();
            assert_eq!((room.all, room.of_hosts["a.example"]), (MAX_REQUESTS - 1, during));
            requests.all_end().await;
        }
    }
}
