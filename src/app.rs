//! The composition root: the only place that names adapters, and the order of start and stop.

mod engine;
mod sweeper;
mod watch;

use crate::adapters::messenger_by_kind::MessengerByKind;
use crate::adapters::telegram::TelegramProxy;
use crate::delivery::{Courier, Desk};
use crate::domain::BotName;
use crate::intake::http::{self, Door, HttpState};
use crate::intake::{Intake, Parts, Spool};
use crate::ports::Messenger;
use crate::registration::{self, Registrar};
use crate::settings::{Bot, Registration, Settings};
use crate::telemetry::Metrics;
use anyhow::Context;
use engine::Engine;
use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// What this process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Both.
    All,
    /// Takes notifications.
    Api,
    /// Delivers them; over HTTP it answers only about itself.
    Worker,
}

/// How long requests are still taken after `/readyz` has said no, so that whoever sends them can hear it.
const DRAIN: Duration = Duration::from_secs(1);

/// How long the HTTP server has to begin with what it has accepted before it is told to stop: it would forget that.
const SETTLE: Duration = Duration::from_millis(100);

/// The least time for writing what waits for the ledger.
const FLUSH: Duration = Duration::from_secs(3);

/// Runs the service until told to stop. Stops in this order: readiness off; couriers start nothing new and finish what
/// is in flight, while HTTP drains; both within the grace period; what is left goes back to the queue; outcomes that
/// wait for the ledger are written; the engine is closed.
pub async fn serve(
    settings: Settings,
    role: Role,
    listener: TcpListener,
    stop: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let settings = Arc::new(settings);
    let metrics = Arc::new(Metrics::new());
    let spool = Spool::open(settings.data_dir.join("spool")).context("prepare the folder for uploads")?;
    let engine = Engine::open(&settings).await?;
    let router = MessengerByKind::new(settings.bots.clone()).context("start the HTTP client")?;
    let messenger: Arc<dyn Messenger> = Arc::new(router);
    let registrars = registrars(&settings, &engine, &messenger, &metrics);
    let halt = CancellationToken::new();
    tokio::spawn(sweeper::sweep_spool(spool.clone(), halt.clone()));
    let (ready, is_ready) = tokio::sync::watch::channel(false);
    let parts = Parts {
        blobs: engine.blobs.clone(),
        acceptor: engine.acceptor.clone(),
        outcome_notifier: engine.outcome_notifier.clone(),
        ledger: engine.ledger.clone(),
    };
    let intake = Arc::new(Intake::new(spool, parts, metrics.clone(), settings.clone()));
    let state = HttpState {
        intake,
        ledger: engine.ledger.clone(),
        acceptor: engine.acceptor.clone(),
        blobs: engine.blobs.clone(),
        recipients: engine.recipients.clone(),
        registrars: registrars.clone(),
        media: engine.media.clone(),
        proxy: Arc::new(TelegramProxy::new(settings.bots.clone()).context("start the HTTP client")?),
        queue: engine.queue.clone(),
        metrics: metrics.clone(),
        settings: settings.clone(),
        ready: is_ready,
    };
    let door = Door::at(&listener).context("watch the port")?;
    let server = http::serve(listener, state, role != Role::Worker).context("start the HTTP server")?;
    let server_handle = server.handle();
    let mut serving = tokio::spawn(server);

    let mut couriers = JoinSet::new();
    if role != Role::Api {
        for bot in settings.bots.values() {
            let desk = Desk {
                bot: bot.clone(),
                queue: engine.queue.clone(),
                ledger: engine.ledger.clone(),
                media: engine.media.clone(),
                blobs: engine.blobs.clone(),
                messenger: messenger.clone(),
                outcome_notifier: engine.outcome_notifier.clone(),
                metrics: metrics.clone(),
                max_attempts: settings.max_attempts,
            };
            let courier = Courier::new(desk, settings.window);
            if let Some(registrar) = registrars.get(&bot.name) {
                let reading = registration::run(registrar.clone(), courier.owned(), halt.clone());
                couriers.spawn(async {
                    reading.await;
                    0
                });
            }
            couriers.spawn(courier.run(halt.clone(), settings.grace_period));
        }
        tokio::spawn(sweeper::run(engine.clone(), settings.clone(), halt.clone()));
        engine.watch_buried(metrics.clone(), halt.clone());
    }
    engine.take_over_journal(halt.clone());
    tokio::spawn(watch::run(engine.clone(), metrics.clone(), halt.clone()));
    ready.send_replace(true);

    tokio::select! {
        () = stop => {}
        ended = &mut serving => {
            ended.context("the HTTP server crashed")?.context("the HTTP server ended")?;
        }
        // Only a crash ends a courier now. Better to be started again than to take what nobody delivers.
        Some(ended) = couriers.join_next() => {
            ended.context("a courier crashed")?;
            anyhow::bail!("a courier ended: its queue was closed");
        }
    }
    tracing::info!("stopping");
    ready.send_replace(false);
    let deadline = Instant::now() + settings.grace_period;
    halt.cancel();
    let http = async {
        tokio::time::sleep(DRAIN).await;
        server_handle.pause().await;
        let gone = CancellationToken::new();
        let turning_away = tokio::spawn(door.turn_away(gone.clone()));
        tokio::time::sleep(SETTLE).await;
        // Idle connections are not waited for beyond the grace period.
        let _ = tokio::time::timeout_at(deadline, server_handle.stop(true)).await;
        gone.cancel();
        let _ = turning_away.await;
    };
    let ((), late) = tokio::join!(http, finish(couriers));
    if late > 0 {
        tracing::warn!(late, "attempts were cut off by the end of the grace period; they may have been sent");
    }
    // Outcomes of what has been sent and acked must not die for want of a grace period.
    engine.close(deadline.max(Instant::now() + FLUSH)).await;
    tracing::info!("stopped");
    Ok(())
}

/// A registrar for every bot that has registration switched on.
fn registrars(
    settings: &Settings,
    engine: &Engine,
    messenger: &Arc<dyn Messenger>,
    metrics: &Arc<Metrics>,
) -> Arc<BTreeMap<BotName, Arc<Registrar>>> {
    let bots = settings.bots.values().filter(|bot| !matches!(bot.registration(), Registration::Off));
    let registrar = |bot: &Arc<Bot>| {
        let (book, acceptor) = (engine.recipients.clone(), engine.acceptor.clone());
        Registrar::new(bot.clone(), book, acceptor, messenger.clone(), metrics.clone())
    };
    Arc::new(bots.map(|bot| (bot.name.clone(), Arc::new(registrar(bot)))).collect())
}

/// Waits for the couriers; each keeps to the grace period itself. Returns how many attempts were cut off.
async fn finish(mut couriers: JoinSet<usize>) -> usize {
    let mut late = 0;
    while let Some(ended) = couriers.join_next().await {
        late += ended.unwrap_or(0);
    }
    late
}
