//! What becomes, on a cluster, of what a lane does not take: it goes by a detour.

use crate::engines::contract::{bot, eventually, next, notification};
use crate::engines::rabbitmq::{is_ready, namespace};
use crate::support::Rabbit;
use pixcourier::adapters::rabbitmq::RabbitQueue;
use pixcourier::ports::{Queue, QueueError};
use std::collections::BTreeSet;
use std::time::Duration;

/// A lane that is full stands for one without a leader, which refuses what comes just so; two addresses of one node for two
/// nodes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_lane_does_not_take_is_stored_and_arrives_when_it_does() {
    let rabbit = Rabbit::launch().await;
    let (name, namespace) = (bot("full"), namespace());
    let urls = vec![rabbit.url().into(), rabbit.url().into()];
    let queue = RabbitQueue::connect(urls, namespace.clone(), vec![name.clone()]);
    is_ready(&queue).await;
    let detours = async || {
        let queues = rabbit.ctl(&["list_queues", "name"]);
        queues.lines().filter(|queue| queue.starts_with(&format!("{namespace}.detour."))).count()
    };
    eventually("the detour", 1, detours).await;
    let lanes = format!("^{namespace}\\.full\\.");
    rabbit.ctl(&["set_policy", "cap", &lanes, "{\"max-length\":5}", "--apply-to", "queues"]);
    let mut sent = BTreeSet::new();
    for chat in 1..=60 {
        let notification = notification(&name, chat);
        queue.publish(&notification).await.expect("it goes by the detour");
        sent.insert(notification.id);
    }
    let on_detour = async || {
        let queues = rabbit.ctl(&["list_queues", "name", "messages"]);
        queues.lines().any(|queue| queue.contains(".detour.") && !queue.ends_with("\t0"))
    };
    eventually("something on the detour", true, on_detour).await;

    rabbit.ctl(&["clear_policy", "cap"]);
    let mut subscription = queue.subscribe(&name, 100).await.unwrap();
    // One a second tries the lane. When all this has taken ten seconds, the lane counts as full until one gets through.
    let more = async {
        let mut pace = tokio::time::interval(Duration::from_millis(200));
        loop {
            pace.tick().await;
            let published = queue.publish(&notification(&name, 100)).await;
            assert!(matches!(published, Ok(()) | Err(QueueError::Full(_))), "one way or the other: {published:?}");
        }
    };
    let all = async {
        while !sent.is_empty() {
            let delivery = next(&mut subscription).await;
            sent.remove(&delivery.notification.id);
            queue.ack(&delivery.receipt).await.unwrap();
        }
    };
    tokio::select! {
        () = all => {}
        () = more => {}
    }
}
