//! What the handlers of all faces work on.

use crate::domain::BotName;
use crate::intake::Intake;
use crate::intake::rejection::{ProblemCode, Rejection};
use crate::ports::{BotApiProxy, Ports};
use crate::registration::Registrar;
use crate::settings::Settings;
use crate::telemetry::Metrics;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::watch;

/// The state of the HTTP API. One is shared by all workers of the server.
pub struct AppState {
    /// Accepts what a face has read.
    pub intake: Arc<Intake>,
    /// The engine.
    pub ports: Ports,
    /// Passes through what is no delivery.
    pub proxy: Arc<dyn BotApiProxy>,
    /// Take the updates of bots that have a webhook.
    pub registrars: Arc<BTreeMap<BotName, Arc<Registrar>>>,
    /// The metrics of the process.
    pub metrics: Arc<Metrics>,
    /// Bots, keys, limits.
    pub settings: Arc<Settings>,
    /// Whether the process wants requests: false while it starts and as the first thing when it stops.
    pub ready: watch::Receiver<bool>,
    /// The runtime that the engine's connections belong to.
    pub runtime: Handle,
}

impl AppState {
    /// Does some work on the engine's runtime, to its end even if the caller hangs up meanwhile: no acceptance is left
    /// half done.
    ///
    /// # Errors
    /// [`ProblemCode::Internal`] if the work panicked.
    pub async fn run<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Result<T, Rejection> {
        self.runtime.spawn(work).await.map_err(|error| {
            tracing::error!(%error, "work for a request ended abnormally");
            let detail = "Something went wrong on our side; whether it took effect is not known.";
            Rejection::new(ProblemCode::Internal, detail)
        })
    }

    /// Ends so long after the process has begun to stop.
    pub fn stopping_for(&self, time: Duration) -> impl Future<Output = ()> + Send + use<> {
        let mut ready = self.ready.clone();
        async move {
            let _ = ready.wait_for(|ready| !ready).await;
            tokio::time::sleep(time).await;
        }
    }
}
