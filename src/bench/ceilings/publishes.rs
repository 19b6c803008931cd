//! Messages that RabbitMQ confirms, in a quorum queue as those of the distributed engine.

use anyhow::{Context, anyhow, ensure};
use futures_util::{StreamExt, TryStreamExt, stream};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::uri::AMQPUri;
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties};
use secrecy::{ExposeSecret, SecretString};
use std::time::Instant;

/// How large a message is, in bytes: about as a notification with a text.
const MESSAGE_BYTES: usize = 600;
/// The delivery mode of what survives a restart of the broker.
const PERSISTENT: u8 = 2;

/// A queue that takes messages, on one channel.
pub struct Publishes {
    connection: Connection,
    channel: Channel,
    queue: ShortString,
}

impl Publishes {
    /// Declares the queue.
    pub async fn open(url: &SecretString, queue: &str) -> anyhow::Result<Self> {
        let uri: Result<AMQPUri, String> = url.expose_secret().parse();
        // The reason may repeat a password.
        let mut uri = uri.map_err(|_| anyhow!("the address of RabbitMQ is not understood"))?;
        if uri.vhost.is_empty() {
            uri.vhost = "/".to_owned();
        }
        let connection = Connection::connect_uri(uri, ConnectionProperties::default()).await;
        let connection = connection.context("connect to RabbitMQ")?;
        let channel = connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        let mut arguments = FieldTable::default();
        arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
        let queue = ShortString::from(queue);
        channel.queue_declare(queue.clone(), QueueDeclareOptions::durable(), arguments).await?;
        Ok(Self { connection, channel, queue })
    }

    /// Publishes one and waits until it is confirmed.
    pub async fn publish(&self) -> anyhow::Result<()> {
        let (exchange, options) = (ShortString::default(), BasicPublishOptions::default());
        let properties = BasicProperties::default().with_delivery_mode(PERSISTENT);
        let body = [b'x'; MESSAGE_BYTES];
        let publish = self.channel.basic_publish(exchange, self.queue.clone(), options, &body, properties);
        ensure!(matches!(publish.await?.await?, Confirmation::Ack(None)), "RabbitMQ has not taken a message");
        Ok(())
    }

    /// How many a second, with so many under way.
    pub async fn rate(&self, at_once: usize, count: usize) -> anyhow::Result<f64> {
        let began = Instant::now();
        stream::iter(0..count).map(|_| self.publish()).buffer_unordered(at_once).try_collect::<()>().await?;
        Ok(count as f64 / began.elapsed().as_secs_f64())
    }

    /// Deletes the queue.
    pub async fn close(self) -> anyhow::Result<()> {
        self.channel.queue_delete(self.queue, QueueDeleteOptions::default()).await?;
        Ok(self.connection.close(200, "OK".into()).await?)
    }
}
