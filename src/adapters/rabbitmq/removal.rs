//! Takes a namespace off the broker.

use super::address::BrokerAddress;
use super::amqp::{error_text, setup_step};
use super::delay_levels;
use super::topology::{NodeLabel, Topology};
use crate::domain::BotName;
use crate::ports::QueueError;
use lapin::ConnectionProperties;
use lapin::options::{ExchangeDeleteOptions, QueueDeleteOptions};
use lapin::types::ShortString;
use secrecy::SecretString;
use std::sync::Arc;

/// Deletes every queue and exchange of the namespace and of these bots in it, with all that is in them, on the first broker that
/// can be reached. What is not there is no error. Detours are those of
/// the nodes at these addresses.
///
/// # Errors
/// If no broker can be reached, or it stops answering.
pub async fn remove_namespace(
    urls: &[SecretString],
    ca: Option<&Arc<str>>,
    namespace: &str,
    bots: &[BotName],
) -> Result<(), QueueError> {
    let addresses: Vec<_> = urls.iter().filter_map(|url| BrokerAddress::parse(url, ca)).collect();
    let topology = Topology::new(namespace.to_owned());
    let nodes = addresses.iter().map(|address| NodeLabel::of(address.label()));
    let (queues, exchanges) = (queues(&topology, bots, nodes), exchanges(&topology, bots));
    let mut reason = "no usable broker address is configured".to_owned();
    for address in &addresses {
        let connect = address.connect(ConnectionProperties::default());
        let connection = match setup_step(connect).await {
            Ok(connection) => connection,
            Err(error) => {
                reason = error;
                continue;
            }
        };
        let removed = async {
            let channel = setup_step(connection.create_channel()).await?;
            for queue in queues {
                setup_step(channel.queue_delete(queue, QueueDeleteOptions::default())).await?;
            }
            for exchange in exchanges {
                setup_step(channel.exchange_delete(exchange, ExchangeDeleteOptions::default())).await?;
            }
            connection.close(200, "OK".into()).await.map_err(|error| error_text(&error))
        };
        return removed.await.map_err(QueueError::Unavailable);
    }
    Err(QueueError::Unavailable(reason))
}

/// All that there may be.
fn queues(topology: &Topology, bots: &[BotName], nodes: impl Iterator<Item = NodeLabel>) -> Vec<ShortString> {
    let mut queues = vec![topology.workers_queue(), topology.moves_queue()];
    queues.extend(topology.shared_queues().map(|queue| queue.name));
    queues.extend(delay_levels::all().map(|seconds| topology.delay_queue(seconds).name));
    queues.extend(nodes.map(|node| topology.detour(&node).name));
    for bot in bots {
        queues.push(topology.owner_queue(bot));
        queues.extend(topology.bot_queues(bot).map(|queue| queue.name));
    }
    queues
}

fn exchanges(topology: &Topology, bots: &[BotName]) -> Vec<ShortString> {
    let shared = topology.shared_exchanges().into_iter();
    shared.chain(bots.iter().map(|bot| topology.bot_marker(bot))).map(|exchange| exchange.name).collect()
}
