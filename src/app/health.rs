//! Asks every part for the metrics whether it answers, and the ledger how much is still to be sent, so that neither an alert nor a
//! page of metrics waits for them.

use super::engine::Engine;
use crate::domain::{BotName, Lane, Status};
use crate::intake::spool::Spool;
use crate::settings::Settings;
use crate::telemetry::Metrics;
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::error::Elapsed;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// How often the parts are asked.
const CHECK_INTERVAL: Duration = Duration::from_secs(5);
/// How long a part may take to answer.
const READY_TIMEOUT: Duration = Duration::from_secs(2);

/// Asks until told to stop.
pub async fn run(
    engine: Engine,
    settings: Arc<Settings>,
    spool: Spool,
    metrics: Arc<Metrics>,
    halt: CancellationToken,
) {
    let bots: Vec<BotName> = settings.bots.keys().cloned().collect();
    loop {
        show_parts(&engine, &spool, &metrics).await;
        show_open(&engine, &bots, &metrics).await;
        show_paused(&engine, &bots, &metrics);
        metrics.damaged.set(i64::from(engine.is_damaged()));
        metrics.ledger_buffered.set(i64::try_from(engine.buffered()).unwrap_or(i64::MAX));
        if let Ok(Ok(waiting)) = timeout(READY_TIMEOUT, engine.ports.callbacks.waiting()).await {
            metrics.callbacks_waiting.set(i64::try_from(waiting).unwrap_or(i64::MAX));
        }
        // Unknown while the broker is away, which another metric shows.
        if let Ok(Some(orphans)) = timeout(READY_TIMEOUT, engine.orphans()).await {
            metrics.orphans.set(i64::try_from(orphans).unwrap_or(i64::MAX));
        }
        tokio::select! {
            () = halt.cancelled() => return,
            () = tokio::time::sleep(CHECK_INTERVAL) => {}
        }
    }
}

async fn show_parts(engine: &Engine, spool: &Spool, metrics: &Metrics) {
    let room = spool.room().clone();
    let (queue, ledger, blobs, disk) = tokio::join!(
        timeout(READY_TIMEOUT, engine.ports.queue.ready()),
        timeout(READY_TIMEOUT, engine.ports.ledger.ready()),
        timeout(READY_TIMEOUT, engine.ports.blobs.ready()),
        tokio::task::spawn_blocking(move || room.is_there()),
    );
    let disk = if disk.unwrap_or(false) {
        Ok(())
    } else {
        Err("it is full: something was refused for want of room".to_owned())
    };
    let parts = [("queue", reason(queue)), ("ledger", reason(ledger)), ("blobs", reason(blobs)), ("disk", disk)];
    for (part, state) in parts {
        let gauge = metrics.part_up.with_label_values(&[part]);
        match (gauge.get(), &state) {
            (1, Err(error)) => tracing::error!(part, %error, "a part is away"),
            (0, Ok(())) => tracing::info!(part, "a part is back"),
            _ => {}
        }
        gauge.set(i64::from(state.is_ok()));
    }
}

/// Why a part is not ready.
fn reason<E: Display>(asked: Result<Result<(), E>, Elapsed>) -> Result<(), String> {
    match asked {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer within {} s", READY_TIMEOUT.as_secs())),
    }
}

/// As far as this process knows.
fn show_paused(engine: &Engine, bots: &[BotName], metrics: &Metrics) {
    let list = engine.ports.pauses.known().borrow().clone();
    for bot in bots {
        let (pauses, label) = (list.of(bot), &[bot.as_str()]);
        let is_paused = pauses.is_some_and(|pauses| pauses.bot.is_some());
        metrics.bots_paused.with_label_values(label).set(i64::from(is_paused));
        let chats = pauses.map_or(0, |pauses| pauses.chats.len());
        metrics.chats_paused.with_label_values(label).set(i64::try_from(chats).unwrap_or(i64::MAX));
    }
}

/// What is not known is not shown, rather than at its last value.
async fn show_open(engine: &Engine, bots: &[BotName], metrics: &Metrics) {
    let told = timeout(READY_TIMEOUT, engine.ports.ledger.count_open(bots)).await;
    let counts = told.ok().and_then(Result::ok);
    for (place, bot) in bots.iter().enumerate() {
        let of_bot = counts.as_ref().and_then(|counts| counts.get(place));
        for (lane, status) in Lane::ALL.into_iter().flat_map(|lane| Status::OPEN.map(|status| (lane, status))) {
            let labels = &[bot.as_str(), lane.as_str(), status.as_str()];
            match of_bot {
                Some(counts) => {
                    let open = i64::try_from(counts.lane(lane).get(status)).unwrap_or(i64::MAX);
                    metrics.open.with_label_values(labels).set(open);
                }
                None => _ = metrics.open.remove_label_values(labels),
            }
        }
    }
}
