//! The task that takes callbacks that are due and tells their receivers.

use super::receiver_client::ReceiverClient;
use super::schedule;
use super::try_error::TryError;
use super::try_result::TryResult;
use crate::domain::Timestamp;
use crate::ports::{Callback, CallbackRoom, Callbacks};
use crate::settings::{CallbackSecrets, Live};
use crate::telemetry::Metrics;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::{Id, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// Requests at the same time.
const MAX_REQUESTS: usize = 128;
/// Requests to one host at the same time: one that hangs takes no more of the others' places.
const MAX_REQUESTS_PER_HOST: usize = 8;
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
        let mut requests = Requests::default();
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

    /// Tells one receiver, and notes what came of it.
    async fn tell(&self, callback: Callback) {
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

/// The requests under way, by host.
#[derive(Default)]
struct Requests {
    tasks: JoinSet<()>,
    hosts: HashMap<Id, String>,
}

impl Requests {
    fn room(&self) -> CallbackRoom {
        let mut taken: BTreeMap<String, usize> = BTreeMap::new();
        for host in self.hosts.values() {
            *taken.entry(host.clone()).or_default() += 1;
        }
        CallbackRoom { all: MAX_REQUESTS.saturating_sub(self.hosts.len()), per_host: MAX_REQUESTS_PER_HOST, taken }
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

    fn note_end(&mut self, ended: Result<(Id, ()), tokio::task::JoinError>) {
        let id = ended.map_or_else(|error| error.id(), |(id, ())| id);
        self.hosts.remove(&id);
    }
}
