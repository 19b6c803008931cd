//! The queue on a real RabbitMQ: the contract, and what happens when the broker or a worker goes.

use crate::contract::{self, notification};
use crate::support::{Rabbit, amqp_url};
use pixcourier::adapters::rabbitmq::RabbitQueue;
use std::sync::Arc;
use std::time::Duration;

/// A namespace that no other test uses.
fn namespace() -> String {
    format!("test-{:08x}", fastrand::u32(..))
}

fn connect(url: &str, namespace: &str) -> Arc<RabbitQueue> {
    RabbitQueue::connect(vec![url.to_owned().into()], namespace.to_owned(), Vec::new())
}

async fn ready(queue: &RabbitQueue) {
    use pixcourier::ports::Queue;
    contract::eventually("readiness", true, async || queue.ready().await.is_ok()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rabbitmq_keeps_the_contract_of_the_queue() {
    let namespace = namespace();
    let (one, other) = (connect(&amqp_url(), &namespace), connect(&amqp_url(), &namespace));
    ready(&one).await;
    ready(&other).await;
    contract::queue::suite(one.clone(), other.clone()).await;
    one.close().await;
    other.close().await;
}
