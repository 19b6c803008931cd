//! The queue on a real RabbitMQ: the contract, and what it promises beyond that.

use crate::engines::contract::{self, bot, in_lane, later, next, nothing_comes, notification, ownership};
use crate::support::{amqp_url, port_of};
use futures_util::StreamExt;
use lapin::options::{
    BasicConsumeOptions, BasicNackOptions, BasicPublishOptions, ExchangeDeclareOptions, QueueBindOptions,
    QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, ExchangeKind};
use pixcourier::adapters::rabbitmq::{Orphan, RabbitQueue, inspect_orphans};
use pixcourier::domain::{ChatId, Deferral, Lane, Notification, NotificationId, Timestamp};
use pixcourier::ports::{Queue, QueueError};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// A namespace that no other test uses.
pub fn namespace() -> String {
    format!("test-{:08x}", fastrand::u32(..))
}

pub fn connect(url: &str, namespace: &str) -> Arc<RabbitQueue> {
    RabbitQueue::connect(vec![url.to_owned().into()], namespace.to_owned(), Vec::new())
}

pub async fn connected(url: &str, namespace: &str) -> Arc<RabbitQueue> {
    let queue = connect(url, namespace);
    is_ready(&queue).await;
    queue
}

pub async fn is_ready(queue: &RabbitQueue) {
    contract::eventually("readiness", true, async || queue.ready().await.is_ok()).await;
}

/// A client of one's own, to look behind the scenes.
pub async fn behind_the_scenes(url: &str) -> (Connection, Channel) {
    let connection = Connection::connect(url, ConnectionProperties::default()).await.expect("connect");
    let channel = connection.create_channel().await.expect("a channel");
    (connection, channel)
}

pub async fn count_in(channel: &Channel, queue: &str) -> u32 {
    let passive = QueueDeclareOptions { passive: true, ..Default::default() };
    channel.queue_declare(queue.into(), passive, FieldTable::default()).await.expect("declared").message_count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rabbitmq_keeps_the_contract_of_the_queue() {
    let (url, namespace) = (amqp_url(), namespace());
    let (one, other) = tokio::join!(connected(&url, &namespace), connected(&url, &namespace));
    contract::queue::suite(one.clone(), other.clone()).await;
    one.close().await;
    other.close().await;
    assert!(matches!(one.publish(&notification(&bot("b"), 1)).await, Err(QueueError::Unavailable(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rabbitmq_keeps_the_contract_of_the_outcome_notifier() {
    let (url, namespace) = (amqp_url(), namespace());
    let (one, other) = tokio::join!(connected(&url, &namespace), connected(&url, &namespace));
    let (here, there) = (one.outcome_notifier(), other.outcome_notifier());
    for outcome_notifier in [&here, &there] {
        let listens = async || !outcome_notifier.listen(NotificationId::new()).address.is_empty();
        contract::eventually("an address", true, listens).await;
    }
    contract::outcome_notifier::suite(here.clone(), here.clone()).await;
    contract::outcome_notifier::suite(here, there).await;
    one.close().await;
    other.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewal_leaves_the_ownership_and_the_deliveries_alone() {
    let (url, namespace, name) = (amqp_url(), namespace(), bot("long"));
    let queue = connected(&url, &namespace).await;
    let mut subscription = queue.subscribe(&name, 5).await.unwrap();
    let epoch = ownership(&mut subscription).await;
    // Workers that stand by leave tokens of their own, which the renewal must clear away.
    let others = [connected(&url, &namespace).await, connected(&url, &namespace).await];
    let mut standbys = Vec::new();
    for other in &others {
        standbys.push(other.subscribe(&name, 5).await.unwrap());
    }
    let begun = Timestamp::now();
    subscription.ownership.mark_unchanged();
    while Timestamp::now().since(begun) < Duration::from_secs(40) {
        let sent = notification(&name, 1);
        queue.publish(&sent).await.unwrap();
        let delivered =
            timeout(Duration::from_secs(2), subscription.deliveries.recv()).await.expect("no pause").unwrap();
        assert_eq!((delivered.notification.id, delivered.receipt.epoch), (sent.id, epoch));
        queue.ack(&delivered.receipt).await.unwrap();
        // The pace of the traffic.
        sleep(Duration::from_millis(200)).await;
    }
    assert!(!subscription.ownership.has_changed().unwrap(), "the ownership was never in doubt");
    for other in others {
        other.close().await;
    }
    queue.close().await;

    let (_connection, channel) = behind_the_scenes(&url).await;
    let owner = format!("{namespace}.long.owner");
    contract::eventually("tokens that are left", 1, async || count_in(&channel, &owner).await).await;
    let options = BasicConsumeOptions::default();
    let mut tokens =
        channel.basic_consume(owner.as_str().into(), "".into(), options, FieldTable::default()).await.unwrap();
    let token = timeout(Duration::from_secs(5), tokens.next()).await.unwrap().unwrap().unwrap();
    let token: serde_json::Value = serde_json::from_slice(&token.data).unwrap();
    let issued = token["generation"].as_i64().unwrap() - begun.unix_millis();
    assert!(issued > 15_000, "the token left was issued {issued} ms after the beginning: nothing was renewed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_scheduled_arrives_on_time_by_way_of_the_delay_queues() {
    let name = bot("delays");
    let queue = connected(&amqp_url(), &namespace()).await;
    let mut subscription = queue.subscribe(&name, 5).await.unwrap();
    ownership(&mut subscription).await;
    let mut due = HashMap::new();
    for millis in [300, 1_500, 2_700, 6_000, 9_100] {
        let sent: Notification = later(&name, 1, Duration::from_millis(millis));
        queue.publish(&sent).await.unwrap();
        due.insert(sent.id, (millis, sent.send_at.unwrap()));
    }
    while !due.is_empty() {
        let delivered = next(&mut subscription).await;
        let (millis, due) = due.remove(&delivered.notification.id).expect("each comes once");
        let late = Timestamp::now().unix_millis() - due.unix_millis();
        println!("scheduled {millis} ms ahead, delivered {late} ms late");
        assert!((0..1_000).contains(&late), "{late} ms late");
        queue.ack(&delivered.receipt).await.unwrap();
    }
    nothing_comes(&mut subscription, "each came once").await;
}

/// A notification that its courier has deferred until its turn.
fn deferred(mut notification: Notification) -> Notification {
    notification.deferral = Some(Deferral { epoch: 1, number: 7 });
    notification
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_put_back_passes_what_waits_in_its_lane() {
    let name = bot("returned");
    let queue = connected(&amqp_url(), &namespace()).await;
    let mut subscription = queue.subscribe(&name, 3).await.unwrap();
    ownership(&mut subscription).await;
    let old = notification(&name, 1);
    queue.publish(&old).await.unwrap();
    let out = next(&mut subscription).await;
    // The window of the lane is full of what came later, and more of it waits behind.
    for chat in 2..=20 {
        queue.publish(&notification(&name, chat)).await.unwrap();
    }
    let newer = [next(&mut subscription).await, next(&mut subscription).await];
    queue.defer(&out.receipt, &old, Timestamp::now()).await.unwrap();
    let third = next(&mut subscription).await;
    let back = if third.notification.id == old.id { third } else { next(&mut subscription).await };
    assert_eq!(back.notification.id, old.id, "it passes the nineteen that came later");
    queue.ack(&back.receipt).await.unwrap();
    assert_eq!(newer.map(|delivered| delivered.notification.chat_id), [2, 3].map(ChatId::Id));
}

/// RabbitMQ bounds the window by a number of messages, so those that are large have a window of their own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_large_messages_few_are_out_and_small_ones_pass_them() {
    const LARGE: i64 = 40;
    const OUT: usize = 16;
    let (name, namespace) = (bot("large"), namespace());
    let queue = connected(&amqp_url(), &namespace).await;
    for chat in 1..=LARGE {
        let mut large = notification(&name, chat);
        large.call.params.insert("text".to_owned(), "x".repeat(70_000).into());
        queue.publish(&large).await.unwrap();
    }
    let small = in_lane(&name, LARGE + 1, Lane::Bulk);
    queue.publish(&small).await.unwrap();
    let mut subscription = queue.subscribe(&name, 1_000).await.unwrap();
    ownership(&mut subscription).await;
    let mut out = Vec::new();
    for _ in 0..=OUT {
        out.push(next(&mut subscription).await);
    }
    assert!(out.iter().any(|delivery| delivery.notification.id == small.id), "no large one holds it back");
    nothing_comes(&mut subscription, "as many large ones as may be are out").await;
    assert_eq!(queue.depth(&name).await.unwrap().lanes.iter().sum::<u64>(), LARGE as u64 + 1);
    // One that is put back makes room, and comes again behind those that are there.
    let large = out.iter().position(|delivery| delivery.notification.id != small.id).unwrap();
    let deferred = out.swap_remove(large);
    queue.defer(&deferred.receipt, &deferred.notification, Timestamp::now()).await.unwrap();
    let mut ids = Vec::new();
    while ids.last() != Some(&deferred.notification.id) {
        for delivery in out.drain(..) {
            queue.ack(&delivery.receipt).await.unwrap();
        }
        let delivery = next(&mut subscription).await;
        ids.push(delivery.notification.id);
        out.push(delivery);
    }
    assert_eq!(ids.len(), LARGE as usize - OUT + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_deferred_until_its_turn_is_handed_on_as_soon_as_it_comes_back() {
    let name = bot("turn");
    let queue = connected(&amqp_url(), &namespace()).await;
    let mut subscription = queue.subscribe(&name, 5).await.unwrap();
    ownership(&mut subscription).await;
    queue.publish(&notification(&name, 1)).await.unwrap();
    let out = next(&mut subscription).await;
    let (since, turn) = (Timestamp::now(), Duration::from_millis(3_900));
    queue.defer(&out.receipt, &deferred(out.notification.clone()), since.plus(turn)).await.unwrap();
    let back = next(&mut subscription).await;
    let waited = Timestamp::now().since(since);
    println!("deferred for {turn:?}, back after {waited:?}");
    assert!((Duration::from_secs(3)..turn).contains(&waited), "after one hop, the longest that fits: {waited:?}");
    queue.ack(&back.receipt).await.unwrap();

    // A `send_at` that lies ahead is another matter: nobody may send it before.
    let (scheduled, plain) = (later(&name, 2, Duration::from_millis(3_900)), notification(&name, 3));
    queue.publish(&plain).await.unwrap();
    let out = next(&mut subscription).await;
    queue.defer(&out.receipt, &deferred(scheduled.clone()), Timestamp::now()).await.unwrap();
    let back = next(&mut subscription).await;
    assert_eq!(back.notification.id, scheduled.id);
    assert!(Timestamp::now() >= scheduled.send_at.unwrap(), "before its send_at");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_be_brought_nowhere_holds_up_no_other_bot_and_can_be_put_back() {
    const ORPHANS: usize = 40;
    let (url, namespace, removed, stays) = (amqp_url(), namespace(), bot("removed"), bot("stays"));
    let queue = connected(&url, &namespace).await;
    let soon = Duration::from_millis(2_500);
    let scheduled: Vec<_> = (1..=ORPHANS).map(|chat| later(&removed, chat as i64, soon)).collect();
    for sent in &scheduled {
        queue.publish(sent).await.unwrap();
    }
    let (_connection, channel) = behind_the_scenes(&url).await;
    for place in ["returned", "urgent", "normal", "bulk"] {
        let name = format!("{namespace}.removed.{place}");
        channel.queue_delete(name.as_str().into(), QueueDeleteOptions::default()).await.unwrap();
    }
    let other = later(&stays, 1, soon);
    queue.publish(&other).await.unwrap();
    let mut subscription = queue.subscribe(&stays, 5).await.unwrap();
    let delivered = next(&mut subscription).await;
    let late = Timestamp::now().since(other.send_at.unwrap());
    println!("behind {ORPHANS} that can be brought nowhere, {late:?} late");
    assert!(delivered.notification.id == other.id && late < Duration::from_secs(1), "{late:?} late");
    contract::eventually("orphans", ORPHANS as u64, async || queue.orphans().await.unwrap()).await;

    let inspect = async |replay| {
        let (mut put_back, mut left) = (Vec::new(), Vec::new());
        let found = |orphan: Orphan| {
            let list = if orphan.replayed { &mut put_back } else { &mut left };
            list.push(orphan.notification.expect("it can be read").id);
        };
        inspect_orphans(&[url.clone().into()], None, &namespace, replay, found).await.unwrap();
        (put_back.len(), left.len())
    };
    assert_eq!(inspect(false).await, (0, ORPHANS), "looking changes nothing");
    assert_eq!(inspect(true).await, (0, ORPHANS), "their bot has no queues");
    // The bot is there again.
    let again = connected(&url, &namespace).await;
    let mut subscription = again.subscribe(&removed, 5).await.unwrap();
    ownership(&mut subscription).await;
    assert_eq!(inspect(true).await, (ORPHANS, 0));
    let mut missing: HashSet<_> = scheduled.iter().map(|sent| sent.id).collect();
    while !missing.is_empty() {
        let delivered = next(&mut subscription).await;
        assert!(missing.remove(&delivered.notification.id), "once each");
        again.ack(&delivered.receipt).await.unwrap();
    }
    contract::eventually("orphans", 0, async || queue.orphans().await.unwrap()).await;
}

/// The arguments are those of version 0.1.0.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_older_version_left_in_its_delay_queues_still_arrives() {
    let (url, namespace, name) = (amqp_url(), namespace(), bot("older"));
    let (_connection, channel) = behind_the_scenes(&url).await;
    let durable = ExchangeDeclareOptions { durable: true, ..Default::default() };
    let (work, level) = (format!("{namespace}.work"), format!("{namespace}.delay.4"));
    for (exchange, kind) in [(&work, ExchangeKind::Direct), (&level, ExchangeKind::Fanout)] {
        let declared = channel.exchange_declare(exchange.as_str().into(), kind, durable, FieldTable::default());
        declared.await.unwrap();
    }
    let mut arguments = FieldTable::default();
    for (key, value) in [
        ("x-queue-type", "quorum"),
        ("x-dead-letter-exchange", work.as_str()),
        ("x-dead-letter-strategy", "at-least-once"),
        ("x-overflow", "reject-publish"),
    ] {
        arguments.insert(key.into(), AMQPValue::LongString(value.into()));
    }
    arguments.insert("x-message-ttl".into(), AMQPValue::LongLongInt(4_000));
    let queue_name = level.as_str();
    channel.queue_declare(queue_name.into(), QueueDeclareOptions::durable(), arguments).await.unwrap();
    let bind = QueueBindOptions::default();
    channel.queue_bind(queue_name.into(), queue_name.into(), "".into(), bind, FieldTable::default()).await.unwrap();
    let sent = notification(&name, 1);
    let (body, options) = (serde_json::to_vec(&sent).unwrap(), BasicPublishOptions::default());
    let properties = BasicProperties::default().with_delivery_mode(2);
    channel.basic_publish(queue_name.into(), "older.normal".into(), options, &body, properties).await.unwrap();

    let queue = connected(&url, &namespace).await;
    let mut subscription = queue.subscribe(&name, 5).await.unwrap();
    assert_eq!(next(&mut subscription).await.notification.id, sent.id);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_somebody_deletes_is_declared_again_and_nothing_confirmed_is_lost_for_it() {
    let (url, namespace, name) = (amqp_url(), namespace(), bot("gone"));
    let queue = connected(&url, &namespace).await;
    let mut subscription = queue.subscribe(&name, 5).await.unwrap();
    queue.publish(&notification(&name, 1)).await.unwrap();
    let delivered = next(&mut subscription).await;
    queue.ack(&delivered.receipt).await.unwrap();

    let (_connection, channel) = behind_the_scenes(&url).await;
    let lane = format!("{namespace}.gone.normal");
    channel.queue_delete(lane.as_str().into(), QueueDeleteOptions::default()).await.unwrap();
    let crowd: Vec<_> = (1..=50).map(|chat| in_lane(&name, chat, Lane::ALL[chat as usize % 3])).collect();
    let answers = futures_util::future::join_all(crowd.iter().map(|sent| queue.publish(sent))).await;
    let mut stored: HashSet<_> =
        crowd.iter().zip(answers).filter(|(_, answer)| answer.is_ok()).map(|(sent, _)| sent.id).collect();
    println!("{} of {} publishes stored without the queue", stored.len(), crowd.len());
    assert!(!stored.is_empty());
    while !stored.is_empty() {
        let delivered = next(&mut subscription).await;
        stored.remove(&delivered.notification.id);
        let _ = queue.ack(&delivered.receipt).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_always_comes_back_becomes_a_dead_letter_and_what_cannot_be_read_is_put_aside() {
    let (url, namespace, name) = (amqp_url(), namespace(), bot("poison"));
    let queue = connected(&url, &namespace).await;
    let poison = notification(&name, 1);
    queue.publish(&poison).await.unwrap();
    let mut buried = queue.subscribe_dead_letters();
    let (_connection, channel) = behind_the_scenes(&url).await;
    let lane = format!("{namespace}.poison.normal");
    let mut returns = 0;
    let found = loop {
        // As if a worker had gone with it in hand.
        if let Some(got) = channel.basic_get(lane.as_str().into(), Default::default()).await.unwrap() {
            got.delivery.acker.nack(BasicNackOptions { requeue: true, ..Default::default() }).await.unwrap();
            returns += 1;
            assert!(returns <= 510, "never buried");
        } else if let Ok(found) = timeout(Duration::from_secs(1), buried.recv()).await {
            break found.unwrap();
        }
    };
    println!("buried after {returns} returns: {}", found.reason);
    assert_eq!((found.notification.id, found.reason.as_str()), (poison.id, "delivery_limit"));
    assert!(returns >= 500, "a few restarts must not bury it: {returns}");
    found.ack().await;

    let mut subscription = queue.subscribe(&name, 5).await.unwrap();
    ownership(&mut subscription).await;
    let mut newer = serde_json::to_value(&poison).unwrap();
    newer["v"] = 99.into();
    for body in [b"{\"v\":1}".to_vec(), b"\xff\x00".to_vec(), newer.to_string().into_bytes()] {
        let (exchange, options) = (format!("{namespace}.work"), BasicPublishOptions::default());
        let published = channel
            .basic_publish(exchange.as_str().into(), "poison.bulk".into(), options, &body, BasicProperties::default())
            .await;
        published.unwrap().await.unwrap();
    }
    nothing_comes(&mut subscription, "nobody can read these").await;
    let aside = async || count_in(&channel, &format!("{namespace}.unreadable")).await;
    contract::eventually("what is put aside", 3, aside).await;
    assert_eq!(queue.depth(&name).await.unwrap().lanes, [0, 0, 0]);
    assert_eq!(count_in(&channel, &format!("{namespace}.buried")).await, 0, "it is written down and forgotten");
}

#[tokio::test]
async fn no_error_repeats_the_password() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let shared = port_of(&amqp_url());
    for url in [
        format!("amqp://user:geheim@127.0.0.1:{port}/%2f"),
        format!("amqp://user:geheim@127.0.0.1:{shared}/%2f"),
        "amqp://user:geheim@no-such-host.invalid/%2f".to_owned(),
        "amqp:/user:geheim@".to_owned(),
    ] {
        let queue = connect(&url, "secret");
        let reason = async || queue.ready().await.unwrap_err().to_string();
        contract::eventually(&url, false, async || reason().await.contains("not connected yet")).await;
        println!("{}", reason().await);
        assert!(!reason().await.contains("geheim"));
    }
}
