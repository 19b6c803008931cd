//! How much waits for a bot: asked of the broker only where it is not known here.

use crate::engines::contract::{bot, eventually, next, notification};
use crate::engines::rabbitmq::{connected, namespace};
use crate::support::{Proxy, amqp_url, port_of};
use pixcourier::ports::Queue;
use std::time::Duration;
use tokio::time::{sleep, timeout};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_depth_is_right_and_of_a_quiet_owner_the_broker_is_not_asked() {
    const WINDOW: u16 = 5;
    let (url, namespace, name) = (amqp_url(), namespace(), bot("quiet"));
    let port = port_of(&url);
    let network = Proxy::to(port).await;
    let queue = connected(&network.url(&url, port), &namespace).await;
    let mut subscription = queue.subscribe(&name, WINDOW).await.unwrap();
    for chat in 1..=3 {
        queue.publish(&notification(&name, chat)).await.unwrap();
    }
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(next(&mut subscription).await);
    }
    eventually("what is out", [0, 3, 0], async || queue.depth(&name).await.unwrap().lanes).await;

    // Longer than what an owner must have got nothing for.
    sleep(Duration::from_millis(1_200)).await;
    network.freeze();
    let known = timeout(Duration::from_millis(500), queue.depth(&name)).await;
    network.restore();
    assert_eq!(known.expect("without the broker").unwrap().lanes, [0, 3, 0]);

    // More than it has room for: what is left lies at the broker.
    for chat in 1..=10 {
        queue.publish(&notification(&name, chat)).await.unwrap();
    }
    eventually("what is out and what lies there", [0, 13, 0], async || queue.depth(&name).await.unwrap().lanes).await;
    sleep(Duration::from_millis(1_200)).await;
    assert_eq!(queue.depth(&name).await.unwrap().lanes, [0, 13, 0], "quiet, since there is no room");
    for delivery in held {
        queue.ack(&delivery.receipt).await.unwrap();
    }
    for _ in 0..10 {
        queue.ack(&next(&mut subscription).await.receipt).await.unwrap();
    }
    eventually("nothing", [0, 0, 0], async || queue.depth(&name).await.unwrap().lanes).await;
}
