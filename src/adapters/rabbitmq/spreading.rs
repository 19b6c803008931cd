//! Spreading the bots over the workers: who has more than its share gives one away at a time.
//!
//! Never two at once, over all workers: a move needs the right to move, which is to be the active consumer of a queue with
//! a single active consumer. It is held from the last look at the numbers until the bot has its next owner, so that the next
//! who looks sees them as they are. A worker that dies with the right loses it with its connection. Each move takes one
//! from who has too many to who has too few (others pass it on), so moves come to an end.

use super::amqp::{consume, consumer_end_reason, setup_step};
use super::broker::Broker;
use super::presence::count_workers;
use super::session::Session;
use super::stakes::Surplus;
use futures_util::StreamExt;
use lapin::Channel;
use lapin::options::{BasicAckOptions, BasicQosOptions};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tracing::{debug, info};

/// How often a worker looks whether it has too many; varied at random by a half.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// How long to wait for the right to move, while others have it.
const RIGHT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long to wait for the next owner of a bot that was given away, and how often to look.
const NEXT_OWNER_TIMEOUT: Duration = Duration::from_secs(5);
const NEXT_OWNER_POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Gives bots away for as long as the queue runs.
pub(super) async fn spread(broker: &Arc<Broker>) {
    let mut last_count = None;
    loop {
        sleep(LOOK_INTERVAL.mul_f64(0.5 + fastrand::f64())).await;
        let Ok(session) = broker.consuming.session() else { continue };
        if !broker.presence.is_wanted() {
            continue;
        }
        let workers = look(broker, &session).await;
        // Twice the same: when all come back after an outage, the first to look would see itself alone, and later too few.
        let is_settled = workers.is_some() && workers == last_count;
        last_count = workers;
        if is_settled && workers.is_some_and(|workers| broker.stakes.is_over_share(workers)) {
            let moved = tokio::select! {
                () = session.wait_until_ended() => continue,
                moved = move_one(broker, &session) => moved,
            };
            if let Err(reason) = moved {
                debug!(reason, "no bot was moved");
            }
        }
    }
}

async fn look(broker: &Broker, session: &Session) -> Option<u32> {
    let channel = timeout(LOOK_INTERVAL, session.channels.open()).await.ok()?.ok()?;
    count_workers(&broker.topology, &channel).await
}

/// Gets the right to move, and moves a bot if there still are too many.
async fn move_one(broker: &Arc<Broker>, session: &Session) -> Result<(), String> {
    // Closed as this returns, and with it ends the right.
    let channel = setup_step(session.channels.open()).await?;
    setup_step(broker.topology.declare_moves_queue(&channel)).await?;
    setup_step(channel.basic_qos(1, BasicQosOptions::default())).await?;
    let mut rights = consume(&channel, broker.topology.moves_queue()).await?;
    // To be the active consumer is shown by a message, whoever has published it.
    broker.publish_move().await.map_err(|error| error.to_string())?;
    let right = match timeout(RIGHT_TIMEOUT, rights.next()).await {
        Ok(Some(Ok(right))) => right,
        Ok(ended) => return Err(consumer_end_reason(ended)),
        Err(_) => return Err("others are moving".to_owned()),
    };
    let workers = count_workers(&broker.topology, &channel).await.ok_or("the number of workers is not known")?;
    let weight = |bot: &_| broker.unacked.count(bot).iter().sum();
    let Some(surplus) = broker.stakes.surplus(workers, weight) else {
        setup_step(right.ack(BasicAckOptions::default())).await?;
        return Ok(());
    };
    // Unacked until the bot has moved: so nothing more is delivered, and this ends only with the channel.
    tokio::select! {
        ended = rights.next() => return Err(consumer_end_reason(ended)),
        moved = give_away(broker, &channel, &surplus) => moved?,
    }
    setup_step(right.ack(BasicAckOptions::default())).await?;
    Ok(())
}

/// Asks the courier for its bot, and waits until somebody else has it.
async fn give_away(broker: &Broker, channel: &Channel, surplus: &Surplus) -> Result<(), String> {
    let Surplus { stake, bot, release, drain_time } = surplus;
    let since = Instant::now();
    // Taken back when the ownership ends, or by the guard.
    release.send_replace(true);
    let _guard = TakeBack(release);
    if timeout(*drain_time, release.subscribe().wait_for(|asked| !asked)).await.is_err() {
        broker.stakes.record_busy(*stake);
        return Err(format!("the attempts of {bot} did not end in time"));
    }
    let drained = since.elapsed();
    // Should nobody come forward, the bot is this worker's again.
    let _ = timeout(NEXT_OWNER_TIMEOUT, wait_for_next_owner(broker, channel, surplus)).await;
    info!(%bot, drained_ms = drained.as_millis(), took_ms = since.elapsed().as_millis(), "gave the bot away");
    Ok(())
}

async fn wait_for_next_owner(broker: &Broker, channel: &Channel, surplus: &Surplus) -> Result<(), String> {
    while broker.stakes.is_claimed(surplus.stake) {
        sleep(NEXT_OWNER_POLL_INTERVAL).await;
    }
    loop {
        // At first too: the broker needs a moment to see that the consumers of the old owner are gone.
        sleep(NEXT_OWNER_POLL_INTERVAL).await;
        let lanes = setup_step(broker.topology.inspect_bot(channel, &surplus.bot)).await?;
        if lanes.iter().any(|lane| lane.consumer_count() > 0) {
            return Ok(());
        }
    }
}

/// Takes the request for a bot back when dropped.
struct TakeBack<'a>(&'a watch::Sender<bool>);

impl Drop for TakeBack<'_> {
    fn drop(&mut self) {
        self.0.send_replace(false);
    }
}
