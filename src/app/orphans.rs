//! Looks at orphans: notifications that were due and could be brought nowhere, because their bot had no queues at the
//! broker any more.

use crate::adapters::rabbitmq::inspect_orphans;
use crate::domain::Notification;
use crate::settings::{EngineSettings, Settings};
use anyhow::{Context, bail};

/// Gives every orphan, `None` for one that cannot be read, and whether it was put back into a queue of its bot. With
/// `replay`, that is done for those whose bot has queues again.
///
/// # Errors
/// If the engine has no broker, or the broker does not answer.
pub async fn inspect(
    settings: &Settings,
    replay: bool,
    mut found: impl FnMut(Option<Notification>, bool),
) -> anyhow::Result<()> {
    let EngineSettings::Distributed(parts) = &settings.engine else {
        bail!("the embedded engine has no orphans: only RabbitMQ does, and amqp_url is not set");
    };
    let inspected = inspect_orphans(&parts.amqp_urls, parts.ca.as_ref(), &parts.namespace, replay, |orphan| {
        found(orphan.notification, orphan.replayed);
    });
    inspected.await.context("look at the orphans")
}
