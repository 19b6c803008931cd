//! Takes an installation of the distributed engine off its brokers.

use crate::adapters::{rabbitmq, redis};
use crate::domain::BotName;
use crate::settings::DistributedSettings;
use anyhow::Context;

/// Removes all queues, exchanges and keys of the namespace, and whatever is in them; no process may use it any more. Of bots it
/// knows the default one. The images stay.
///
/// # Errors
/// A broker or Redis does not answer.
pub async fn remove(parts: &DistributedSettings) -> anyhow::Result<()> {
    let ca = parts.ca.as_ref();
    let from_rabbitmq =
        rabbitmq::remove_namespace(&parts.amqp_urls, ca, &parts.namespace, &[BotName::default_bot()]).await;
    let from_redis = redis::remove_namespace(&parts.redis_url, ca.map(AsRef::as_ref), &parts.namespace).await;
    from_rabbitmq.context("clean up on RabbitMQ").and(from_redis.context("clean up on Redis"))
}
