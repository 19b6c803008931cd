//! Queues beside the lanes, of things that somebody must write into the ledger: consumed one by one, and kept until they
//! are acked.

use super::amqp::{RECONNECT_BACKOFF, consume, consumer_end_reason, setup_step};
use super::broker::Broker;
use super::session::Session;
use futures_util::StreamExt;
use lapin::message::Delivery as AmqpDelivery;
use lapin::options::{BasicAckOptions, BasicQosOptions};
use lapin::types::ShortString;
use std::convert::Infallible;
use std::sync::Arc;
use tokio::sync::mpsc;
use tracing::debug;

/// How many messages may be out unacked at once.
const PREFETCH: u16 = 16;

/// A queue, and how to read its messages.
pub(super) struct SideQueue<T> {
    pub(super) queue: ShortString,
    pub(super) read: fn(&mut AmqpDelivery) -> Result<T, String>,
}

impl<T> SideQueue<T> {
    /// Consumes the queue for as long as the receiver lives.
    pub(super) async fn consume(self, broker: Arc<Broker>, out: mpsc::Sender<T>) {
        let consume_again_and_again = async {
            let mut backoff = RECONNECT_BACKOFF.start();
            while let Some(session) = broker.consuming.wait_for_session().await {
                let Err(reason) = self.consume_on(&session, &broker, &out).await;
                debug!(queue = %self.queue, reason, "consuming again");
                drop(session);
                backoff.wait().await;
            }
        };
        tokio::select! {
            () = broker.stop.cancelled() => {}
            () = out.closed() => {}
            () = consume_again_and_again => {}
        }
    }

    async fn consume_on(
        &self,
        session: &Session,
        broker: &Broker,
        out: &mpsc::Sender<T>,
    ) -> Result<Infallible, String> {
        let channel = setup_step(session.channels.open()).await?;
        setup_step(channel.basic_qos(PREFETCH, BasicQosOptions::default())).await?;
        let mut consumer = consume(&channel, self.queue.clone()).await?;
        loop {
            let mut delivery = match consumer.next().await {
                Some(Ok(delivery)) => delivery,
                ended => return Err(consumer_end_reason(ended)),
            };
            match (self.read)(&mut delivery) {
                Ok(message) => out.send(message).await.map_err(|_| "nobody asks any more")?,
                Err(reason) => {
                    broker.copy_to_unreadable_queue(&delivery, &reason).await;
                    let _ = setup_step(delivery.acker.ack(BasicAckOptions::default())).await?;
                }
            }
        }
    }
}
