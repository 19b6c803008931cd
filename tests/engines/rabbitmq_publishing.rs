//! Many publishes in flight on one channel: each caller gets its own outcome, whatever becomes of the others.

use crate::engines::contract::{bot, later, notification};
use crate::engines::rabbitmq::{behind_the_scenes, connected, namespace};
use crate::support::{Proxy, Rabbit, amqp_url, port_of};
use futures_util::future::join_all;
use lapin::Channel;
use lapin::options::{BasicGetOptions, ExchangeDeleteOptions};
use lapin::types::FieldTable;
use pixcourier::adapters::rabbitmq::RabbitQueue;
use pixcourier::domain::{Notification, NotificationId};
use pixcourier::ports::{Queue, QueueError};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// Longer than the longest delay level that these tests use, whose queue keeps all that is published.
const LATER: Duration = Duration::from_secs(28 * 86_400);
const DELAY_QUEUE: &str = "wait.2359296";
const DELAY_BINDING: &str = "2359296.#";

/// No publish takes longer than this, whatever happens.
const ANSWERED_WITHIN: Duration = Duration::from_secs(4);

type Outcomes = Vec<(NotificationId, Result<(), QueueError>)>;

/// Publishes all, so many at a time.
async fn publish_all(queue: &Arc<RabbitQueue>, all: Vec<Notification>, at_a_time: usize) -> Outcomes {
    let all = Arc::new(std::sync::Mutex::new(all));
    let publishers = (0..at_a_time).map(|_| {
        let (queue, all) = (queue.clone(), all.clone());
        tokio::spawn(async move {
            let mut outcomes = Outcomes::new();
            loop {
                let Some(next) = all.lock().unwrap().pop() else { return outcomes };
                let answer = timeout(ANSWERED_WITHIN, queue.publish(&next)).await.expect("an answer in time");
                if answer.is_err() {
                    // The pace of a publisher that is refused.
                    sleep(Duration::from_millis(10)).await;
                }
                outcomes.push((next.id, answer));
            }
        })
    });
    join_all(publishers.collect::<Vec<_>>()).await.into_iter().flat_map(Result::unwrap).collect()
}

/// Takes everything out of a queue; how many times each notification was in it.
async fn take_all(channel: &Channel, queue: &str) -> HashMap<String, u32> {
    let mut found = HashMap::new();
    while let Some(message) = channel.basic_get(queue.into(), BasicGetOptions { no_ack: true }).await.unwrap() {
        let id = message.delivery.properties.message_id().clone().expect("an id");
        *found.entry(id.to_string()).or_default() += 1;
    }
    found
}

/// What was accepted is there, what was refused is not. How many were accepted, refused, neither.
fn judge(what: &str, outcomes: &Outcomes, found: &HashMap<String, u32>) -> [usize; 3] {
    let mut counts = [0; 3];
    for (id, outcome) in outcomes {
        let there = found.contains_key(&id.to_string());
        match outcome {
            Ok(()) => assert!(there, "{what}: {id} was accepted and is nowhere"),
            Err(QueueError::Unconfirmed(_)) => {}
            Err(error) => assert!(!there, "{what}: {id} was refused and is there: {error}"),
        }
        counts[match outcome {
            Ok(()) => 0,
            Err(QueueError::Unconfirmed(_)) => 2,
            Err(_) => 1,
        }] += 1;
    }
    let [accepted, refused, unknown] = counts;
    println!("{what}: {accepted} accepted, {refused} refused, {unknown} unconfirmed, {} found", found.len());
    counts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_returned_one_among_many_in_flight_never_passes_as_stored() {
    const PUBLISHES: i64 = 4_000;
    let (url, namespace, name) = (amqp_url(), namespace(), bot("returned"));
    let queue = connected(&url, &namespace).await;
    let (_connection, channel) = behind_the_scenes(&url).await;
    let (delay_queue, exchange) = (format!("{namespace}.{DELAY_QUEUE}"), format!("{namespace}.delays"));
    let first = later(&name, 1, LATER);
    queue.publish(&first).await.unwrap();

    let all = (0..PUBLISHES).map(|chat| later(&name, chat, LATER)).collect();
    let publishing = tokio::spawn({
        let queue = queue.clone();
        async move { publish_all(&queue, all, 100).await }
    });
    let mut times = 0;
    while !publishing.is_finished() {
        let (queue, exchange) = (delay_queue.as_str().into(), exchange.as_str().into());
        channel.queue_unbind(queue, exchange, DELAY_BINDING.into(), FieldTable::default()).await.unwrap();
        times += 1;
        sleep(Duration::from_millis(20)).await;
    }
    let outcomes = publishing.await.unwrap();
    println!("unbound {times} times");
    let found = take_all(&channel, &delay_queue).await;
    assert!(found.contains_key(&first.id.to_string()));
    let [accepted, _, unconfirmed] = judge("returned", &outcomes, &found);
    // It is bound again at once, and published again; who meets the next unbinding then is refused.
    assert!(times > 3 && accepted > outcomes.len() / 10, "{accepted}");
    assert_eq!(unconfirmed, 0);
    assert!(found.values().all(|times| *times == 1), "what is returned was not stored: no copies");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_refused_by_a_full_queue_is_told_so_and_no_other() {
    let rabbit = Rabbit::launch().await;
    let (namespace, name) = (namespace(), bot("full"));
    let queue = connected(&rabbit.url(), &namespace).await;
    queue.publish(&notification(&name, 1)).await.unwrap();
    let lanes = format!("^{namespace}\\.full\\.");
    rabbit.ctl(&["set_policy", "cap", &lanes, "{\"max-length\":300}", "--apply-to", "queues"]);
    let outcomes = publish_all(&queue, (0..2_000).map(|chat| notification(&name, chat)).collect(), 100).await;
    let (_connection, channel) = behind_the_scenes(&rabbit.url()).await;
    let found = take_all(&channel, &format!("{namespace}.full.normal")).await;
    let [accepted, refused, unconfirmed] = judge("full", &outcomes, &found);
    assert!(accepted >= 200 && refused >= 200, "{accepted} and {refused}");
    assert_eq!((unconfirmed, found.len()), (0, accepted + 1));
    let is_full = |(_, outcome): &(_, _)| matches!(outcome, Err(QueueError::Full(_)));
    assert_eq!(outcomes.iter().filter(|outcome| is_full(outcome)).count(), refused);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_cut_with_many_in_flight_leaves_no_caller_waiting_and_none_with_a_false_answer() {
    let (url, namespace, name) = (amqp_url(), namespace(), bot("cut"));
    let port = port_of(&url);
    let network = Proxy::to(port).await;
    let queue = connected(&network.url(&url, port), &namespace).await;
    queue.publish(&notification(&name, 1)).await.unwrap();
    let all = (0..6_000).map(|chat| notification(&name, chat)).collect();
    let publishing = tokio::spawn(async move { publish_all(&queue, all, 100).await });
    for _ in 0..4 {
        sleep(Duration::from_millis(100)).await;
        network.cut();
        sleep(Duration::from_millis(10)).await;
        network.restore();
    }
    let outcomes = publishing.await.unwrap();
    let (_connection, channel) = behind_the_scenes(&url).await;
    let found = take_all(&channel, &format!("{namespace}.cut.normal")).await;
    let [accepted, _, unconfirmed] = judge("cut", &outcomes, &found);
    assert!(accepted > 0 && unconfirmed > 0, "{accepted} and {unconfirmed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_closed_with_many_in_flight_is_replaced_and_what_was_on_it_published_again() {
    let (url, namespace, name) = (amqp_url(), namespace(), bot("closed"));
    let queue = connected(&url, &namespace).await;
    let (_connection, channel) = behind_the_scenes(&url).await;
    queue.publish(&later(&name, 1, LATER)).await.unwrap();
    let all: Vec<_> = (0..3_000).map(|chat| later(&name, chat, LATER)).collect();
    let publishing = tokio::spawn({
        let queue = queue.clone();
        async move { publish_all(&queue, all, 100).await }
    });
    let began = Instant::now();
    sleep(Duration::from_millis(100)).await;
    let exchange = format!("{namespace}.delays");
    channel.exchange_delete(exchange.as_str().into(), ExchangeDeleteOptions::default()).await.unwrap();
    let outcomes = publishing.await.unwrap();
    println!("took {:?}", began.elapsed());
    let found = take_all(&channel, &format!("{namespace}.{DELAY_QUEUE}")).await;
    let [accepted, _, unconfirmed] = judge("closed", &outcomes, &found);
    assert!(accepted > outcomes.len() / 2, "{accepted} accepted, {unconfirmed} unconfirmed");
    queue.publish(&later(&name, 1, LATER)).await.expect("all is declared again");
}
