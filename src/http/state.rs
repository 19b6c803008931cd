//! What the handlers of all faces share.

use super::callers::Callers;
use super::document_memory::DocumentMemory;
use super::to_the_end::ToTheEnd;
use crate::domain::{BotName, PauseList};
use crate::events::EventFeed;
use crate::intake::Intake;
use crate::intake::rejection::{ProblemCode, Rejection};
use crate::ports::{BotApiProxy, Ports};
use crate::registration::Registrar;
use crate::settings::{Live, Settings};
use crate::telemetry::Metrics;
use futures_util::TryFutureExt;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::watch;

/// The state of the HTTP API, shared by all workers of the server.
pub struct AppState {
    /// Accepts what a face has read.
    pub intake: Arc<Intake>,
    /// The ports of the engine.
    pub ports: Ports,
    /// Tells who listens how notifications end.
    pub events: Arc<EventFeed>,
    /// The reverse proxy to Bot API servers, for calls that are no delivery.
    pub proxy: Arc<dyn BotApiProxy>,
    /// By bot, what handles its updates, if registration is switched on.
    pub registrars: Arc<BTreeMap<BotName, Arc<Registrar>>>,
    /// The metrics of the process.
    pub metrics: Arc<Metrics>,
    /// Who may call, by API key.
    pub callers: Live<Callers>,
    /// The configuration that the process was started with.
    pub settings: Arc<Settings>,
    /// Memory for the documents of requests.
    pub documents: DocumentMemory,
    /// What the readiness probe says: false while the process starts, and as the first step of a graceful shutdown.
    pub ready: watch::Receiver<bool>,
    /// Whether an operator has drained the process, which couriers and the readiness probe follow.
    pub draining: watch::Sender<bool>,
    /// The runtime that the engine's connections belong to.
    pub runtime: Handle,
}

impl AppState {
    /// Does work to its end even if the caller hangs up meanwhile: no acceptance is left half done.
    ///
    /// # Errors
    /// [`ProblemCode::Internal`] if the work panicked.
    pub fn run<T: Send + 'static, F>(&self, work: F) -> impl Future<Output = Result<T, Rejection>> + use<T, F>
    where
        F: Future<Output = T> + Send + 'static,
    {
        ToTheEnd::new(&self.runtime, work).map_err(|_| panicked())
    }

    /// Runs work for the processor on a thread for that, so that no other request waits for it.
    ///
    /// # Errors
    /// [`ProblemCode::Internal`] if the work panicked.
    pub async fn run_blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Rejection> {
        self.runtime.spawn_blocking(work).await.map_err(|_| panicked())
    }

    /// Runs work with the intake, as [`AppState::run`] does.
    pub fn with_intake<T, E, F>(
        &self,
        work: impl FnOnce(Arc<Intake>) -> F,
    ) -> impl Future<Output = Result<T, Rejection>>
    where
        T: Send + 'static,
        E: Into<Rejection> + Send + 'static,
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        let work = self.run(work(self.intake.clone()));
        async move { work.await?.map_err(|error| self.rejection(error)) }
    }

    /// Runs work with the ports of the engine, as [`AppState::run`] does.
    pub fn with_ports<T, E, F>(&self, work: impl FnOnce(Ports) -> F) -> impl Future<Output = Result<T, Rejection>>
    where
        T: Send + 'static,
        E: Into<Rejection> + Send + 'static,
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        let work = self.run(work(self.ports.clone()));
        async move { work.await?.map_err(|error| self.rejection(error)) }
    }

    /// What is paused, as far as this process knows.
    pub fn pauses(&self) -> Arc<PauseList> {
        self.ports.pauses.known().borrow().clone()
    }

    /// The rejection; if it is for want of room, the readiness probe is told.
    fn rejection(&self, error: impl Into<Rejection>) -> Rejection {
        let rejection = error.into();
        self.intake.spool().room().notice(&rejection);
        rejection
    }

    /// Completes `time` after the graceful shutdown has begun.
    pub fn stopping_for(&self, time: Duration) -> impl Future<Output = ()> + Send + use<> {
        let mut ready = self.ready.clone();
        async move {
            let _ = ready.wait_for(|ready| !ready).await;
            tokio::time::sleep(time).await;
        }
    }
}

/// The panic itself, with its place, is in the log already.
fn panicked() -> Rejection {
    tracing::error!("work for a request ended abnormally");
    let detail = "Something went wrong on our side; whether it took effect is not known.";
    Rejection::new(ProblemCode::Internal, detail)
}
