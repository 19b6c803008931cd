//! The composition root: the only place that names adapters and all faces. [`App::build`] opens what is needed,
//! [`App::run`] serves until told to stop, and stops in order (graceful shutdown).

pub mod backup;
pub mod chats;
mod delivery;
mod engine;
mod health;
pub mod orphans;
mod reload;
pub mod removal;
mod role;
pub mod routes;
mod series;
mod start_checks;
mod stop;
mod sweeper;

pub use engine::{Engine, open_embedded};
pub use reload::Reloader;
pub use role::Role;

use crate::adapters::messenger_by_kind::MessengerByKind;
use crate::adapters::telegram::TelegramProxy;
use crate::callbacks::CallbackSender;
use crate::domain::BotName;
use crate::events::EventFeed;
use crate::http::callers::Callers;
use crate::http::connections::{Connections, connection_limit};
use crate::http::document_memory::DocumentMemory;
use crate::http::drain::DrainListener;
use crate::http::server;
use crate::http::state::AppState;
use crate::intake::Intake;
use crate::intake::caller_quota::CallerQuotas;
use crate::intake::spool::Spool;
use crate::ports::Messenger;
use crate::registration::Registrar;
use crate::settings::{Bot, CallbackSecrets, Live, Registration, Settings};
use crate::telemetry::Metrics;
use actix_web::dev::Server;
use actix_web::web::Data;
use anyhow::Context;
use routes::FaceStates;
use std::collections::BTreeMap;
use std::fs::DirBuilder;
use std::net::TcpListener;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A process of the service, built and not yet running.
pub struct App {
    role: Role,
    settings: Arc<Settings>,
    metrics: Arc<Metrics>,
    spool: Spool,
    engine: Engine,
    messenger: Arc<dyn Messenger>,
    registrars: Registrars,
    callback_sender: Arc<CallbackSender>,
    intake: Arc<Intake>,
    events: Arc<EventFeed>,
    server: Server,
    connections: Arc<Connections>,
    drain: DrainListener,
    reloader: Reloader,
    /// What the readiness probe `/readyz` says.
    ready: watch::Sender<bool>,
    /// Whether an operator has drained it.
    draining: watch::Sender<bool>,
    /// Ends the couriers and the background tasks.
    halt: CancellationToken,
    background: TaskTracker,
}

/// By bot, what handles its updates, if registration is switched on.
type Registrars = Arc<BTreeMap<BotName, Arc<Registrar>>>;

impl App {
    /// Opens the engine and the HTTP server on a port that is bound already. Call it on the runtime that the engine's
    /// connections shall belong to.
    ///
    /// # Errors
    /// What the operator has to mend: the data folder, the database, an address. A broker, Redis or object store that is
    /// away is no error: it may come later.
    pub async fn build(settings: Settings, role: Role, listener: TcpListener) -> anyhow::Result<Self> {
        let settings = Arc::new(settings);
        let metrics = Arc::new(Metrics::new());
        series::create(&metrics, &settings, &routes::statuses(role));
        make_private(&settings.data_dir).with_context(|| format!("make the folder {}", settings.data_dir.display()))?;
        let quotas = CallerQuotas::new(settings.caller_spool, settings.caller_kept, settings.blob_retention);
        let spool = Spool::open(settings.data_dir.join("spool")).context("prepare the folder for uploads")?;
        let mut spool = spool.with_quotas(quotas);
        if let Some(folder) = settings.engine.image_folder() {
            spool = spool.with_images_in(folder.to_owned());
        }
        let engine = Engine::open(&settings).await?;
        let messengers = MessengerByKind::new(settings.bots.clone()).context("start the HTTP client")?;
        let messenger: Arc<dyn Messenger> = Arc::new(messengers);
        let registrars = registrars(&settings, &engine, &messenger, &metrics);
        let (ready, is_ready) = watch::channel(false);
        let draining = watch::Sender::new(false);
        let drain = DrainListener::new(&listener).context("watch the port")?;
        let secrets = Live::new(CallbackSecrets::new(&settings.callbacks, &settings.clients));
        let (callbacks, allow_private) = (engine.ports.callbacks.clone(), settings.callbacks.allow_private);
        let callback_sender = CallbackSender::new(callbacks, secrets.clone(), allow_private, metrics.clone());
        let callback_sender = Arc::new(callback_sender.context("start the HTTP client")?);
        let intake =
            Intake::new(spool.clone(), engine.ports.clone(), metrics.clone(), settings.clone(), secrets.clone());
        let intake = Arc::new(intake);
        let (log, retention) = (engine.ports.event_log.clone(), settings.record_retention);
        let events = EventFeed::new(log, retention, settings.event_streams, metrics.event_streams.clone());
        let events = Arc::new(events);
        let callers = Callers::new(&settings);
        let faces = FaceStates::new(&settings, &callers);
        let callers = Live::new(callers);
        let reloader = Reloader::new(settings.clone(), listener.local_addr()?, callers.clone(), secrets, faces.clone());
        let state = AppState {
            intake: intake.clone(),
            ports: engine.ports.clone(),
            events: events.clone(),
            proxy: Arc::new(TelegramProxy::new(settings.bots.clone()).context("start the HTTP client")?),
            registrars: registrars.clone(),
            metrics: metrics.clone(),
            callers,
            settings: settings.clone(),
            documents: DocumentMemory::new(),
            ready: is_ready,
            draining: draining.clone(),
            runtime: Handle::current(),
        };
        let routes = routes::of(role, faces);
        let connections = Arc::new(Connections::new(connection_limit()));
        let server = server::start(listener, Data::new(state), connections.clone(), routes);
        let server = server.context("start the HTTP server")?;
        let (halt, background) = (CancellationToken::new(), TaskTracker::new());
        Ok(Self {
            role,
            settings,
            metrics,
            spool,
            engine,
            messenger,
            registrars,
            callback_sender,
            intake,
            events,
            server,
            connections,
            drain,
            reloader,
            ready,
            draining,
            halt,
            background,
        })
    }

    /// What puts a changed configuration into effect while it runs.
    pub fn reloader(&self) -> Reloader {
        self.reloader.clone()
    }

    /// Its engine, for what looks behind the API: tests.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Has the log tell, once it runs, how it is set up where that breaks the promise.
    pub fn check_set_up(&self) {
        let checks = start_checks::run(self.engine.clone(), self.settings.clone(), self.messenger.clone());
        let halt = self.halt.clone();
        self.background.spawn(async move { halt.run_until_cancelled(checks).await });
    }

    /// Serves until told to stop, then stops within the grace period.
    ///
    /// # Errors
    /// If the HTTP server or a courier ends by itself, which only happens in a crash.
    pub async fn run(self, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
        let mut couriers = if self.role == Role::Api { JoinSet::new() } else { self.start_delivery() };
        self.start_background();
        let Self { settings, engine, server, drain, ready, halt, background, .. } = self;
        let server_handle = server.handle();
        let mut serving = tokio::spawn(server);
        ready.send_replace(true);
        tokio::select! {
            () = stop => {}
            ended = &mut serving => {
                ended.context("the HTTP server crashed")?.context("the HTTP server ended")?;
            }
            // Better to be restarted than to accept what nobody delivers.
            Some(ended) = couriers.join_next() => {
                ended.context("a courier crashed")?;
                anyhow::bail!("a courier ended: its queue was closed");
            }
        }
        let stopping = stop::Stopping { ready, server_handle, drain, couriers, halt, background, engine };
        stopping.run(settings.grace_period).await;
        Ok(())
    }

    /// Starts the tasks that every process has, whatever its role.
    fn start_background(&self) {
        let background = &self.background;
        background.spawn(sweeper::sweep_spool(self.spool.clone(), self.halt.clone()));
        let (intake, halt) = (self.intake.clone(), self.halt.clone());
        background.spawn(async move { intake.work_on_operations(halt).await });
        background.spawn(self.connections.clone().watch(self.halt.clone()));
        background.spawn(self.events.clone().run(self.halt.clone()));
        background.spawn(health::run(
            self.engine.clone(),
            self.settings.clone(),
            self.spool.clone(),
            self.metrics.clone(),
            self.halt.clone(),
        ));
        if let Some(applying) = self.engine.apply_journal(self.halt.clone()) {
            background.spawn(applying);
        }
    }
}

/// Makes a folder if it is missing, and what of the way to it is, for its owner alone: captions and pictures lie in it.
fn make_private(folder: &Path) -> std::io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// A registrar for every bot that has registration switched on.
fn registrars(
    settings: &Settings,
    engine: &Engine,
    messenger: &Arc<dyn Messenger>,
    metrics: &Arc<Metrics>,
) -> Registrars {
    let bots = settings.bots.values().filter(|bot| !matches!(bot.registration(), Registration::Off));
    let registrar = |bot: &Arc<Bot>| {
        let (book, acceptor) = (engine.ports.recipients.clone(), engine.ports.acceptor.clone());
        Registrar::new(bot.clone(), book, acceptor, messenger.clone(), metrics.clone())
    };
    Arc::new(bots.map(|bot| (bot.name.clone(), Arc::new(registrar(bot)))).collect())
}
