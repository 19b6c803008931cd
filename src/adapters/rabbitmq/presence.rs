//! How many workers there are: each keeps a consumer on one queue to which nobody publishes, and the broker says how many
//! consumers that has.

use super::amqp::{RECONNECT_BACKOFF, consume, consumer_end_reason, setup_step};
use super::connection::BrokerConnection;
use super::session::Session;
use super::topology::Topology;
use futures_util::StreamExt;
use lapin::Channel;
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;
use tracing::debug;

/// Limit for asking how many workers there are, and for coming and going: who does not know goes on without.
const PRESENCE_TIMEOUT: Duration = Duration::from_secs(1);

/// Whether this process is one of the workers.
pub(super) struct Presence {
    wanted: watch::Sender<bool>,
    present: watch::Sender<bool>,
}

impl Presence {
    pub(super) fn new() -> Self {
        Self { wanted: watch::Sender::new(false), present: watch::Sender::new(false) }
    }

    /// Is to be one of them from now on.
    pub(super) fn join(&self) {
        self.wanted.send_replace(true);
    }

    /// Is to be one of them no more.
    pub(super) fn step_back(&self) {
        self.wanted.send_replace(false);
    }

    /// Is one of them no more when this returns, as far as can be told.
    pub(super) async fn leave(&self) {
        self.step_back();
        let _ = timeout(PRESENCE_TIMEOUT, self.present.subscribe().wait_for(|present| !present)).await;
    }

    /// Waits until this process is one of the workers, but not for long.
    pub(super) async fn wait_until_present(&self) {
        let _ = timeout(PRESENCE_TIMEOUT, self.present.subscribe().wait_for(|present| *present)).await;
    }

    /// Whether it is to be one of them.
    pub(super) fn is_wanted(&self) -> bool {
        *self.wanted.borrow()
    }

    /// Keeps the consumer up, whenever that is wanted.
    pub(super) async fn keep(&self, consuming: &BrokerConnection, topology: &Topology) {
        let mut wanted = self.wanted.subscribe();
        let mut backoff = RECONNECT_BACKOFF.start();
        while wanted.wait_for(|wanted| *wanted).await.is_ok() {
            let Some(session) = consuming.wait_for_session().await else { return };
            tokio::select! {
                _ = wanted.wait_for(|wanted| !wanted) => {}
                () = session.wait_until_ended() => {}
                Err(reason) = self.consume(&session, topology) => debug!(reason, "not present"),
            }
            self.present.send_replace(false);
            backoff.wait().await;
        }
    }

    async fn consume(&self, session: &Session, topology: &Topology) -> Result<Infallible, String> {
        let channel = setup_step(session.channels.open()).await?;
        setup_step(topology.declare_workers_queue(&channel)).await?;
        let mut nothing = consume(&channel, topology.workers_queue()).await?;
        self.present.send_replace(true);
        Err(consumer_end_reason(nothing.next().await))
    }
}

/// How many workers there are, this one included; `None` if the broker does not say.
pub(super) async fn count_workers(topology: &Topology, channel: &Channel) -> Option<u32> {
    let queue = timeout(PRESENCE_TIMEOUT, topology.declare_workers_queue(channel)).await.ok()?.ok()?;
    Some(queue.consumer_count()).filter(|count| *count > 0)
}
