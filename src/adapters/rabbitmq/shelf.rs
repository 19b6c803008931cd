//! Queues of things that somebody must write into the ledger: handed over one by one, kept until that is done.

use super::link::Backoff;
use super::office::{Office, PATIENCE};
use super::session::Session;
use super::stand::{consume, ended_by, step};
use futures_util::StreamExt;
use lapin::Acker;
use lapin::message::Delivery as AmqpDelivery;
use lapin::options::{BasicAckOptions, BasicQosOptions};
use lapin::types::{FieldTable, ShortString};
use std::convert::Infallible;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tracing::debug;

/// How many are out at once.
const WINDOW: u16 = 16;

/// A shelf: its queue, and how to read what lies in it.
pub(super) struct Shelf<T> {
    pub(super) queue: ShortString,
    pub(super) read: fn(&mut AmqpDelivery) -> Result<T, String>,
}

impl<T> Shelf<T> {
    /// Hands over what lies here for as long as the receiver lives.
    pub(super) async fn subscribe(self, office: Arc<Office>, out: mpsc::Sender<T>) {
        let watch = async {
            let mut backoff = Backoff::default();
            while let Some(session) = office.consuming.up().await {
                let Err(reason) = self.hand_over(&office, &session, &out).await;
                debug!(queue = %self.queue, reason, "watching again");
                drop(session);
                backoff.pause().await;
            }
        };
        tokio::select! {
            () = office.stop.cancelled() => {}
            () = out.closed() => {}
            () = watch => {}
        }
    }

    async fn hand_over(&self, office: &Office, session: &Session, out: &mpsc::Sender<T>) -> Result<Infallible, String> {
        let channel = step(session.channel()).await?;
        step(channel.basic_qos(WINDOW, BasicQosOptions::default())).await?;
        let mut consumer = consume(&channel, self.queue.clone(), FieldTable::default()).await?;
        loop {
            let mut delivery = match consumer.next().await {
                Some(Ok(delivery)) => delivery,
                ended => return Err(ended_by(ended)),
            };
            match (self.read)(&mut delivery) {
                Ok(found) => out.send(found).await.map_err(|_| "nobody asks any more")?,
                Err(reason) => {
                    office.put_aside(&delivery, &reason).await;
                    let _ = step(delivery.acker.ack(BasicAckOptions::default())).await?;
                }
            }
        }
    }
}

/// It is written down elsewhere; the queue may forget it. Should that not get through, it comes again.
pub(super) async fn done(acker: Acker) {
    let _ = timeout(PATIENCE, acker.ack(BasicAckOptions::default())).await;
}
