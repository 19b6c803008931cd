//! How the ownership of bots goes from worker to worker on a real RabbitMQ.

use crate::engines::contract::{bot, eventually, ownership};
use crate::engines::rabbitmq::{behind_the_scenes, connected, count_in, namespace};
use crate::support::amqp_url;
use lapin::options::{BasicPublishOptions, QueuePurgeOptions};
use lapin::{BasicProperties, Channel};
use pixcourier::adapters::rabbitmq::RabbitQueue;
use pixcourier::domain::BotName;
use pixcourier::ports::{HandOver, Queue, Subscription};
use std::time::Instant;

/// What an owner leaves, to be recognised.
fn left() -> HandOver {
    HandOver { frozen_ms: 7, ..HandOver::default() }
}

/// Who leaves has so many, as has who has its share.
const EACH: usize = 8;
/// How many go from one to the other: the share of the other.
const MOVED: usize = 5;

async fn subscribe(queue: &RabbitQueue, bots: &[BotName]) -> Vec<Subscription> {
    let mut subscriptions = Vec::new();
    for bot in bots {
        subscriptions.push(queue.subscribe(bot, 5).await.expect("subscribe"));
    }
    subscriptions
}

async fn own(queue: &RabbitQueue, bots: &[BotName]) -> Vec<Subscription> {
    let mut subscriptions = subscribe(queue, bots).await;
    for subscription in &mut subscriptions {
        ownership(subscription).await;
    }
    subscriptions
}

/// A worker that is offered a bot beyond its share passes it on. What it was offered says what the last owner sent, so that
/// must reach the next, and not one of the tokens that others have published meanwhile: with such a one the next waits for
/// an owner that is long gone, and then for a second because it does not know what was sent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bot_that_is_passed_on_brings_what_its_last_owner_left() {
    let (url, namespace) = (amqp_url(), namespace());
    let bots: Vec<BotName> = (0..2 * EACH).map(|number| bot(&format!("bot-{number}"))).collect();
    let (kept, moved) = bots.split_at(EACH);
    let (_connection, channel) = behind_the_scenes(&url).await;
    let (has_share, leaves) = (connected(&url, &namespace).await, connected(&url, &namespace).await);
    let _kept = own(&has_share, kept).await;
    let _standing_by = subscribe(&leaves, kept).await;
    let mut left_behind = own(&leaves, moved).await;
    // Waits for longer than the one that takes them, so it is the first to be offered them.
    let passes_on = subscribe(&has_share, moved).await;
    one_waits(&channel, &namespace, moved).await;
    let takes = connected(&url, &namespace).await;
    let _standing_by_too = subscribe(&takes, kept).await;
    let mut taken = subscribe(&takes, moved).await;
    one_waits(&channel, &namespace, moved).await;

    for (index, bot) in moved[..MOVED].iter().enumerate() {
        let since = Instant::now();
        let epoch = ownership(&mut left_behind[index]).await;
        let moves = async {
            leaves.release(bot, epoch, left()).await.expect("release");
            ownership(&mut taken[index]).await;
        };
        tokio::select! {
            () = moves => {}
            () = publish_tokens(&channel, &namespace, bot) => {}
        }
        println!("{bot} had a new owner after {:?}", since.elapsed());
        assert_eq!(*taken[index].inherited.borrow(), Some(left()), "what {bot} brings");
    }
    assert!(passes_on.iter().all(|subscription| subscription.ownership.borrow().is_none()));
    for worker in [has_share, leaves, takes] {
        worker.close().await;
    }
}

/// Waits until one more worker waits for each bot: it publishes a token then, as none lies ready. Takes that away.
async fn one_waits(channel: &Channel, namespace: &str, bots: &[BotName]) {
    for bot in bots {
        let queue = format!("{namespace}.{bot}.owner");
        eventually("tokens", 1, async || count_in(channel, &queue).await).await;
        channel.queue_purge(queue.into(), QueuePurgeOptions::default()).await.expect("purge");
    }
}

/// Publishes tokens where none lies ready, as workers that wait do; but all the time, and never ends.
async fn publish_tokens(channel: &Channel, namespace: &str, bot: &BotName) {
    let queue = format!("{namespace}.{bot}.owner");
    loop {
        if count_in(channel, &queue).await == 0 {
            let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
            let body = br#"{"generation":1,"worker":"one that waits"}"#;
            channel.basic_publish("".into(), queue.as_str().into(), options, body, properties).await.expect("publish");
        }
    }
}
