//! What came back too often: somebody has to say so in the ledger.

use super::link::Backoff;
use super::office::{Office, PATIENCE};
use super::parcel::{Parcel, returns};
use super::session::Session;
use super::stand::{consume, ended_by, step};
use crate::domain::Notification;
use futures_util::StreamExt;
use lapin::Acker;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicQosOptions};
use lapin::types::{AMQPValue, FieldTable};
use std::convert::Infallible;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tracing::{debug, warn};

/// How many buried ones are out at once.
const WINDOW: u16 = 16;

/// A notification that the broker has buried. Until [`Buried::done`] it lies in the queue of the buried, and comes
/// again after a restart or a lost connection.
#[derive(Debug)]
pub struct Buried {
    /// The notification, as it was when it was delivered last.
    pub notification: Notification,
    /// Why it is here, as the broker says: `delivery_limit` after too many returns without an ack.
    pub reason: String,
    acker: Acker,
}

impl Buried {
    /// It is written down elsewhere; the queue may forget it. Should that not get through, it comes again.
    pub async fn done(self) {
        let _ = timeout(PATIENCE, self.acker.ack(BasicAckOptions::default())).await;
    }
}

/// Hands over what is buried for as long as the receiver lives.
pub(super) async fn attend(office: Arc<Office>, buried: mpsc::Sender<Buried>) {
    let watch = async {
        let mut backoff = Backoff::default();
        while let Some(session) = office.consuming.up().await {
            let Err(reason) = hand_over(&office, &session, &buried).await;
            debug!(reason, "watching the buried again");
            drop(session);
            backoff.pause().await;
        }
    };
    tokio::select! {
        () = office.stop.cancelled() => {}
        () = buried.closed() => {}
        () = watch => {}
    }
}

async fn hand_over(office: &Office, session: &Session, buried: &mpsc::Sender<Buried>) -> Result<Infallible, String> {
    let channel = step(session.channel()).await?;
    step(channel.basic_qos(WINDOW, BasicQosOptions::default())).await?;
    let mut consumer = consume(&channel, office.topology.buried(), FieldTable::default()).await?;
    loop {
        let mut delivery = match consumer.next().await {
            Some(Ok(delivery)) => delivery,
            ended => return Err(ended_by(ended)),
        };
        let (reason, acker) = (reason_of(&delivery), delivery.acker.clone());
        match Parcel::read(&mut delivery) {
            Ok(parcel) => {
                warn!(notification = %parcel.notification.id, bot = %parcel.notification.bot, reason, "buried");
                let found = Buried { notification: parcel.notification, reason, acker };
                buried.send(found).await.map_err(|_| "nobody asks any more")?;
            }
            Err(reason) => {
                office.put_aside(&delivery, &reason).await;
                let _ = step(acker.ack(BasicAckOptions::default())).await?;
            }
        }
    }
}

/// What the broker wrote down when it put the message here.
fn reason_of(delivery: &Delivery) -> String {
    let headers = delivery.properties.headers().as_ref();
    match headers.and_then(|headers| headers.inner().get("x-first-death-reason")) {
        Some(AMQPValue::LongString(reason)) => reason.to_string(),
        _ => format!("put here by hand, after {} returns", returns(delivery)),
    }
}
