//! The queue on a real RabbitMQ: the contract, and what happens when the broker, the network or a worker goes.

use crate::contract::{self, bot, in_lane, later, next, nothing_comes, notification, ownership};
use crate::support::{Proxy, Rabbit, amqp_url, port_of};
use futures_util::StreamExt;
use lapin::options::{BasicConsumeOptions, BasicPublishOptions, QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use pixcourier::adapters::rabbitmq::RabbitQueue;
use pixcourier::domain::{Lane, Notification, NotificationId, Timestamp};
use pixcourier::ports::{Attendance, Queue, QueueError};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// A namespace that no other test uses.
fn namespace() -> String {
    format!("test-{:08x}", fastrand::u32(..))
}

fn connect(url: &str, namespace: &str) -> Arc<RabbitQueue> {
    RabbitQueue::connect(vec![url.to_owned().into()], namespace.to_owned(), Vec::new())
}

async fn connected(url: &str, namespace: &str) -> Arc<RabbitQueue> {
    let queue = connect(url, namespace);
    is_ready(&queue).await;
    queue
}

async fn is_ready(queue: &RabbitQueue) {
    contract::eventually("readiness", true, async || queue.ready().await.is_ok()).await;
}

/// A client of one's own, to look behind the scenes.
async fn behind_the_scenes(url: &str) -> (Connection, Channel) {
    let connection = Connection::connect(url, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    (connection, channel)
}

async fn count_in(channel: &Channel, queue: &str) -> u32 {
    let passive = QueueDeclareOptions { passive: true, ..Default::default() };
    channel.queue_declare(queue.into(), passive, FieldTable::default()).await.unwrap().message_count()
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

/// What a load on the queue has seen.
#[derive(Default)]
struct Tally {
    attempted: HashSet<NotificationId>,
    confirmed: HashSet<NotificationId>,
    delivered: HashMap<NotificationId, u32>,
}

impl Tally {
    fn lost(&self) -> usize {
        self.confirmed.iter().filter(|id| !self.delivered.contains_key(id)).count()
    }

    fn report(&self, what: &str) {
        println!(
            "{what}: attempted {}, confirmed {}, unknown {}, delivered {}, lost {}, duplicates {}",
            self.attempted.len(),
            self.confirmed.len(),
            self.attempted.len() - self.confirmed.len(),
            self.delivered.len(),
            self.lost(),
            self.delivered.values().map(|times| times - 1).sum::<u32>(),
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_killed_under_load_loses_nothing_that_was_confirmed() {
    let mut rabbit = Rabbit::launch().await;
    let (url, namespace, name) = (rabbit.url(), namespace(), bot("load"));
    rabbit.kill9();
    let queue = connect(&url, &namespace);
    let away = Instant::now();
    assert!(matches!(queue.publish(&notification(&name, 1)).await, Err(QueueError::Unavailable(_))));
    assert!(away.elapsed() < Duration::from_millis(500), "with no connection the answer comes at once");
    let mut attendance = queue.attend(&name, 20).await.unwrap();
    rabbit.start().await;
    is_ready(&queue).await;
    ownership(&mut attendance).await;

    let running = Arc::new(AtomicBool::new(true));
    let publishers: Vec<_> = (0..8)
        .map(|chat| {
            let (queue, running, name) = (queue.clone(), running.clone(), name.clone());
            tokio::spawn(async move {
                let (mut attempted, mut confirmed, mut longest) = (Vec::new(), Vec::new(), Duration::ZERO);
                while running.load(Ordering::Relaxed) {
                    let sent = in_lane(&name, chat + 1, Lane::ALL[fastrand::usize(..3)]);
                    attempted.push(sent.id);
                    let since = Instant::now();
                    match queue.publish(&sent).await {
                        Ok(()) => confirmed.push(sent.id),
                        Err(QueueError::Unavailable(_)) => sleep(Duration::from_millis(20)).await,
                        Err(other) => panic!("{other}"),
                    }
                    longest = longest.max(since.elapsed());
                }
                (attempted, confirmed, longest)
            })
        })
        .collect();
    let mut tally = Tally::default();
    let consume = async |attendance: &mut Attendance, tally: &mut Tally, until: Instant| {
        while let Ok(Some(delivered)) = tokio::time::timeout_at(until, attendance.deliveries.recv()).await {
            *tally.delivered.entry(delivered.notification.id).or_default() += 1;
            let _ = queue.ack(&delivered.receipt).await;
        }
    };
    for round in 0..2 {
        let (epoch, count) = (ownership(&mut attendance).await, tally.delivered.len());
        consume(&mut attendance, &mut tally, Instant::now() + Duration::from_secs(2)).await;
        assert!(tally.delivered.len() > count, "consuming goes on");
        rabbit.kill9();
        let killed = Instant::now();
        timeout(Duration::from_secs(1), attendance.ownership.wait_for(Option::is_none))
            .await
            .expect("noticed")
            .unwrap();
        println!("round {round}: ownership ended {:?} after the kill", killed.elapsed());
        let restart = async {
            rabbit.start().await;
            Instant::now()
        };
        let mut first = None;
        let resume = async {
            while first.is_none() {
                let delivered = timeout(Duration::from_secs(60), attendance.deliveries.recv()).await.unwrap().unwrap();
                *tally.delivered.entry(delivered.notification.id).or_default() += 1;
                if queue.ack(&delivered.receipt).await.is_ok() {
                    first = Some(Instant::now());
                }
            }
            first.unwrap()
        };
        let (ready, resumed) = tokio::join!(restart, resume);
        println!(
            "round {round}: consuming again {:?} after the broker was ready",
            resumed.saturating_duration_since(ready)
        );
        assert!(resumed.saturating_duration_since(ready) < Duration::from_secs(5));
        assert_ne!(ownership(&mut attendance).await, epoch, "a new ownership");
    }
    consume(&mut attendance, &mut tally, Instant::now() + Duration::from_secs(2)).await;
    running.store(false, Ordering::Relaxed);
    for publisher in publishers {
        let (attempted, confirmed, longest) = publisher.await.unwrap();
        tally.attempted.extend(attempted);
        tally.confirmed.extend(confirmed);
        assert!(longest < Duration::from_secs(3), "a publish took {longest:?}");
    }
    while tally.lost() > 0 {
        let before = tally.delivered.len();
        consume(&mut attendance, &mut tally, Instant::now() + Duration::from_secs(3)).await;
        assert!(tally.delivered.len() > before, "{} confirmed ones never came", tally.lost());
    }
    tally.report("killed twice");
    assert_eq!(tally.lost(), 0);

    // The prefetch is still what it was.
    consume(&mut attendance, &mut tally, Instant::now() + Duration::from_secs(1)).await;
    for chat in 1..=100 {
        queue.publish(&notification(&name, chat)).await.unwrap();
    }
    for _ in 0..20 {
        next(&mut attendance).await;
    }
    nothing_comes(&mut attendance, "the window is full").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_does_not_answer_or_takes_nothing_is_said_in_time() {
    let rabbit = Rabbit::launch().await;
    let name = bot("mute");
    let queue = connected(&rabbit.url(), &namespace()).await;
    queue.publish(&notification(&name, 1)).await.unwrap();
    let mut attendance = queue.attend(&name, 5).await.unwrap();
    let out = next(&mut attendance).await;

    // Out of memory: publishing must fail, acking must not, or nothing would ever get better.
    rabbit.ctl(&["set_vm_memory_high_watermark", "absolute", "1"]);
    sleep(Duration::from_secs(1)).await;
    let since = Instant::now();
    let refused = queue.publish(&notification(&name, 2)).await;
    assert!(matches!(refused, Err(QueueError::Unavailable(_))), "{refused:?}");
    println!("an alarm was said after {:?}", since.elapsed());
    assert!(since.elapsed() < Duration::from_secs(3));
    assert!(queue.ready().await.is_err(), "not ready in an alarm");
    queue.ack(&out.receipt).await.expect("acks go on in an alarm");
    assert!(attendance.ownership.borrow().is_some());
    rabbit.ctl(&["set_vm_memory_high_watermark", "0.8"]);
    is_ready(&queue).await;
    let third = notification(&name, 3);
    queue.publish(&third).await.expect("the alarm is over");
    while next(&mut attendance).await.notification.id != third.id {}

    rabbit.pause();
    let since = Instant::now();
    let crowd: Vec<_> = (0..200).map(|chat| notification(&name, chat)).collect();
    let answers = futures_util::future::join_all(crowd.iter().map(|sent| queue.publish(sent))).await;
    println!("a frozen broker was said after {:?}", since.elapsed());
    assert!(since.elapsed() < Duration::from_secs(3));
    assert!(answers.iter().all(|answer| matches!(answer, Err(QueueError::Unavailable(_)))));
    assert!(queue.ready().await.is_err(), "not ready while nothing is confirmed");
    let ended = timeout(Duration::from_secs(15), attendance.ownership.wait_for(Option::is_none)).await;
    ended.expect("an owner cut off from the broker notices").unwrap();
    println!("a frozen broker ended the ownership after {:?}", since.elapsed());
    rabbit.resume();
    let resumed = Instant::now();
    is_ready(&queue).await;
    ownership(&mut attendance).await;
    println!("owner again {:?} after the broker went on", resumed.elapsed());
    let fourth = notification(&name, 4);
    queue.publish(&fourth).await.unwrap();
    let mut attendance = attendance;
    loop {
        let delivered = next(&mut attendance).await;
        let _ = queue.ack(&delivered.receipt).await;
        if delivered.notification.id == fourth.id {
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_dies_or_freezes_is_replaced_and_never_overlaps() {
    let (url, namespace, name) = (amqp_url(), namespace(), bot("taken"));
    let port = port_of(&url);
    let (first_network, second_network) = (Proxy::to(port).await, Proxy::to(port).await);
    let first = connected(&first_network.url(&url, port), &namespace).await;
    let mut one = first.attend(&name, 5).await.unwrap();
    ownership(&mut one).await;
    let second = connected(&second_network.url(&url, port), &namespace).await;
    let mut two = second.attend(&name, 5).await.unwrap();
    let sent = notification(&name, 1);
    second.publish(&sent).await.unwrap();
    let held = next(&mut one).await;
    nothing_comes(&mut two, "the first worker owns").await;

    first_network.cut();
    let since = Instant::now();
    ownership(&mut two).await;
    println!("a dead worker was replaced after {:?}", since.elapsed());
    assert!(since.elapsed() < Duration::from_secs(1));
    contract::eventually("the dead one's ownership", None, async || *one.ownership.borrow()).await;
    assert!(matches!(first.ack(&held.receipt).await, Err(QueueError::Stale)));
    assert_eq!(next(&mut two).await.notification.id, sent.id, "what it held came back");

    first_network.restore();
    is_ready(&first).await;
    nothing_comes(&mut one, "the second worker owns now").await;
    second_network.freeze();
    let since = Instant::now();
    let lost = async {
        two.ownership.wait_for(Option::is_none).await.unwrap();
        Instant::now()
    };
    let won = async {
        ownership(&mut one).await;
        Instant::now()
    };
    let (lost, won) = tokio::join!(timeout(Duration::from_secs(25), lost), timeout(Duration::from_secs(25), won));
    let (lost, won) = (lost.expect("a frozen owner notices"), won.expect("a frozen owner is replaced"));
    println!("a frozen owner noticed after {:?} and was replaced after {:?}", lost - since, won - since);
    assert!(lost <= won, "two owners at once for {:?}", lost - won);
    assert_eq!(next(&mut one).await.notification.id, sent.id);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewal_leaves_the_ownership_and_the_deliveries_alone() {
    let (url, namespace, name) = (amqp_url(), namespace(), bot("long"));
    let queue = connected(&url, &namespace).await;
    let mut attendance = queue.attend(&name, 5).await.unwrap();
    let epoch = ownership(&mut attendance).await;
    // Workers that stand by leave tokens of their own, which the renewal must clear away.
    let others = [connected(&url, &namespace).await, connected(&url, &namespace).await];
    let mut standbys = Vec::new();
    for other in &others {
        standbys.push(other.attend(&name, 5).await.unwrap());
    }
    let begun = Timestamp::now();
    attendance.ownership.mark_unchanged();
    while Timestamp::now().since(begun) < Duration::from_secs(45) {
        let sent = notification(&name, 1);
        queue.publish(&sent).await.unwrap();
        let delivered = timeout(Duration::from_secs(2), attendance.deliveries.recv()).await.expect("no pause").unwrap();
        assert_eq!((delivered.notification.id, delivered.receipt.epoch), (sent.id, epoch));
        queue.ack(&delivered.receipt).await.unwrap();
        sleep(Duration::from_millis(200)).await;
    }
    assert!(!attendance.ownership.has_changed().unwrap(), "the ownership was never in doubt");
    for other in others {
        other.close().await;
    }
    queue.close().await;

    let (_connection, channel) = behind_the_scenes(&url).await;
    let owner = format!("{namespace}.long.owner");
    assert_eq!(count_in(&channel, &owner).await, 1, "one token is left");
    let options = BasicConsumeOptions::default();
    let mut tokens =
        channel.basic_consume(owner.as_str().into(), "".into(), options, FieldTable::default()).await.unwrap();
    let token = timeout(Duration::from_secs(5), tokens.next()).await.unwrap().unwrap().unwrap();
    let token: serde_json::Value = serde_json::from_slice(&token.data).unwrap();
    let issued = token["generation"].as_i64().unwrap() - begun.unix_millis();
    assert!(issued > 15_000, "the token left was issued {issued} ms after the beginning: nothing was renewed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_scheduled_arrives_on_time_by_way_of_the_rungs() {
    let name = bot("rungs");
    let queue = connected(&amqp_url(), &namespace()).await;
    let mut attendance = queue.attend(&name, 5).await.unwrap();
    ownership(&mut attendance).await;
    let mut due = HashMap::new();
    for millis in [300, 1_500, 2_700, 6_000, 9_100] {
        let sent: Notification = later(&name, 1, Duration::from_millis(millis));
        queue.publish(&sent).await.unwrap();
        due.insert(sent.id, (millis, sent.send_at.unwrap()));
    }
    while !due.is_empty() {
        let delivered = next(&mut attendance).await;
        let (millis, due) = due.remove(&delivered.notification.id).expect("each comes once");
        let late = Timestamp::now().unix_millis() - due.unix_millis();
        println!("scheduled {millis} ms ahead, delivered {late} ms late");
        assert!((0..1_000).contains(&late), "{late} ms late");
        queue.ack(&delivered.receipt).await.unwrap();
    }
    nothing_comes(&mut attendance, "each came once").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_somebody_deletes_is_declared_again_and_nothing_confirmed_is_lost_for_it() {
    let (url, namespace, name) = (amqp_url(), namespace(), bot("gone"));
    let queue = connected(&url, &namespace).await;
    let mut attendance = queue.attend(&name, 5).await.unwrap();
    queue.publish(&notification(&name, 1)).await.unwrap();
    let delivered = next(&mut attendance).await;
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
        let delivered = next(&mut attendance).await;
        stored.remove(&delivered.notification.id);
        let _ = queue.ack(&delivered.receipt).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_always_comes_back_is_buried_and_what_cannot_be_read_is_put_aside() {
    let (url, namespace, name) = (amqp_url(), namespace(), bot("poison"));
    let queue = connected(&url, &namespace).await;
    let poison = notification(&name, 1);
    queue.publish(&poison).await.unwrap();
    let mut buried = queue.attend_buried();
    let mut returns = 0;
    let found = loop {
        let mut attendance = queue.attend(&name, 1).await.unwrap();
        tokio::select! {
            found = buried.recv() => break found.unwrap(),
            delivered = next(&mut attendance) => returns = returns.max(delivered.redeliveries),
        }
        assert!(returns <= 30, "never buried");
    };
    println!("buried after {returns} returns: {}", found.reason);
    assert_eq!((found.notification.id, found.reason.as_str(), returns), (poison.id, "delivery_limit", 20));
    found.done().await;

    let mut attendance = queue.attend(&name, 5).await.unwrap();
    ownership(&mut attendance).await;
    let (_connection, channel) = behind_the_scenes(&url).await;
    let mut newer = serde_json::to_value(&poison).unwrap();
    newer["v"] = 99.into();
    for body in [b"{\"v\":1}".to_vec(), b"\xff\x00".to_vec(), newer.to_string().into_bytes()] {
        let (exchange, options) = (format!("{namespace}.work"), BasicPublishOptions::default());
        let published = channel
            .basic_publish(exchange.as_str().into(), "poison.bulk".into(), options, &body, BasicProperties::default())
            .await;
        published.unwrap().await.unwrap();
    }
    nothing_comes(&mut attendance, "nobody can read these").await;
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
