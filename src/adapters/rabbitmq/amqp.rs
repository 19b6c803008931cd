//! Helpers over the AMQP client: time limits, backoff, consumers, and errors as text.

use crate::backoff::BackoffPolicy;
use lapin::message::Delivery as AmqpDelivery;
use lapin::options::{BasicAckOptions, BasicConsumeOptions};
use lapin::types::{FieldTable, ShortString};
use lapin::{Acker, Channel, Consumer};
use std::time::Duration;
use tokio::time::timeout;

/// Limit for one publish, ack or inspection, the wait for a channel included. A confirm that never comes is a normal
/// event: the outcome is unknown then, and the caller tries again under the same id.
pub(super) const REQUEST_TIMEOUT: Duration = Duration::from_millis(2_500);

/// Limit for one request while a channel is set up.
const SETUP_TIMEOUT: Duration = Duration::from_secs(10);

/// Between tries to connect or to set up a channel again: after an outage all clients come back at once.
pub(super) const RECONNECT_BACKOFF: BackoffPolicy =
    BackoffPolicy::new(Duration::from_millis(100), Duration::from_secs(1)).with_jitter(0.5);

/// Makes one request of a setup, within [`SETUP_TIMEOUT`].
pub(super) async fn setup_step<T>(request: impl Future<Output = lapin::Result<T>>) -> Result<T, String> {
    match timeout(SETUP_TIMEOUT, request).await {
        Ok(result) => result.map_err(|error| error_text(&error)),
        Err(_) => Err("RabbitMQ does not answer".to_owned()),
    }
}

/// Starts a consumer with manual acks.
pub(super) async fn consume(channel: &Channel, queue: ShortString) -> Result<Consumer, String> {
    let (tag, options) = (ShortString::default(), BasicConsumeOptions::default());
    setup_step(channel.basic_consume(queue, tag, options, FieldTable::default())).await
}

/// Why a consumer gave no more: the end of its stream without an error is a fault like any other.
pub(super) fn consumer_end_reason(last: Option<lapin::Result<AmqpDelivery>>) -> String {
    match last {
        Some(Err(error)) => error_text(&error),
        Some(Ok(_)) => "more was delivered than asked for".to_owned(),
        None => "RabbitMQ has cancelled the consumer".to_owned(),
    }
}

/// Acks, within [`REQUEST_TIMEOUT`]. Should that not get through, the message is delivered again.
pub(super) async fn try_ack(acker: Acker) {
    let _ = timeout(REQUEST_TIMEOUT, acker.ack(BasicAckOptions::default())).await;
}

/// An error as text. lapin's errors hold no address, so no password.
pub(super) fn error_text(error: &lapin::Error) -> String {
    let text = error.to_string();
    if text.contains("UnknownIssuer") { format!("{text}; name its authority in ca_file") } else { text }
}
