//! What a message costs RabbitMQ, counted by RabbitMQ itself.

use super::{WAIT_TIMEOUT, judge, posting, scale};
use crate::images::Picture;
use crate::load::Letter;
use crate::service::{Engine, Service};
use crate::support::{self, Rabbit};
use crate::{sandbox, wait};
use futures_util::stream::{self, StreamExt};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const CHAT: i64 = 999;
/// The most publishes a message, at any depth.
const MOST_PUBLISHES: f64 = 3.0;

#[tokio::test(flavor = "multi_thread")]
async fn a_message_costs_few_broker_operations_however_many_wait_before_it() {
    let rabbit = Rabbit::launch().await;
    let mut publishes = BTreeMap::new();
    for (depth, chat_rate) in scale(vec![(300, 60)], vec![(300, 10), (10_000, 100), (100_000, 100)]) {
        let sandbox = sandbox::start();
        let mut service = start(&rabbit, &sandbox, &format!("depth-{depth}"), chat_rate).await;
        let before = Counters::of(&rabbit);
        let began = Instant::now();
        posting::post_deep(&service.client(), CHAT, 0..depth).await;
        let timeout = Duration::from_secs(60 + depth * 4 / chat_rate);
        wait::until_true("the messages", timeout, async || sandbox.stats().sends >= depth).await;
        let client = service.client();
        wait::until_true("an empty queue", WAIT_TIMEOUT, async || client.waiting().await == Some(0)).await;
        let took = began.elapsed().as_secs_f64();
        let each = Counters::of(&rabbit).since(&before, depth);
        println!(
            "broker operations, {depth} for one chat at {chat_rate} a second: {:.1} publishes, {:.1} deliveries, {:.1} acks a message; all sent after {took:.0} s",
            each.publishes, each.deliveries, each.acks,
        );
        assert_eq!(judge::duplicates(&judge::arrivals(&sandbox)), 0);
        publishes.insert(depth, each.publishes);
        service.process().terminate();
        service.end(WAIT_TIMEOUT).await;
    }
    assert!(publishes.values().all(|each| *each <= MOST_PUBLISHES), "{publishes:.1?}, {MOST_PUBLISHES} at most");
}

/// Photos for one chat, which must keep their order, and for as many chats.
#[tokio::test(flavor = "multi_thread")]
async fn one_chat_without_limits_is_not_slowed_down() {
    const MESSAGES: i64 = 200;
    const MOST_SECONDS: f64 = 4.0;
    let mut took = Vec::new();
    for chats in [1, MESSAGES] {
        let sandbox = sandbox::start();
        let mut service = Service::new("unlimited", Engine::shared(), &sandbox.url());
        service.start().await;
        wait::until_true("an owner", WAIT_TIMEOUT, async || service.owns().await).await;
        let (client, began) = (service.client(), Instant::now());
        let letter =
            |number| Letter::new(format!("letter {number}"), 1000 + number % chats, Picture::small(number as u64));
        let posts = stream::iter(0..MESSAGES).map(|number| {
            let (client, letter) = (client.clone(), letter(number));
            async move { client.post(&letter).await.unwrap().id() }
        });
        posts.buffer_unordered(8).for_each(async |_| ()).await;
        wait::until_true("the photos", WAIT_TIMEOUT, async || sandbox.stats().sends == MESSAGES as u64).await;
        took.push(began.elapsed().as_secs_f64());
    }
    println!("without limits, {MESSAGES} photos: to one chat {:.1} s, to {MESSAGES} chats {:.1} s", took[0], took[1]);
    assert!(took[0] <= MOST_SECONDS, "{:.1} s, {MOST_SECONDS} s at most", took[0]);
}

async fn start(rabbit: &Rabbit, sandbox: &sandbox::Sandbox, name: &str, chat_rate: u64) -> Service {
    let engine = Engine::DistributedSettings { amqp: rabbit.url(), redis: support::redis_url() };
    let mut service = Service::new(name, engine, &sandbox.url());
    service.set("CHAT_RATE", &chat_rate.to_string());
    service.start().await;
    wait::until_true("an owner", WAIT_TIMEOUT, async || service.owns().await).await;
    service
}

/// What the node has done for all its clients.
struct Counters {
    publishes: f64,
    deliveries: f64,
    acks: f64,
}

impl Counters {
    /// From the counters that RabbitMQ keeps for Prometheus, with or without that plugin.
    fn of(rabbit: &Rabbit) -> Self {
        let page = rabbit.ctl(&["eval", "rabbit_global_counters:overview()."]);
        let sum = |name: &str| {
            let values = page.split(name).skip(1).filter_map(|rest| {
                let digits = rest.trim_start_matches([' ', '=', '>', '\n']);
                digits.split(|c: char| !c.is_ascii_digit()).next()?.parse::<f64>().ok()
            });
            let values: Vec<_> = values.collect();
            assert!(!values.is_empty(), "no {name} in {page}");
            values.into_iter().sum()
        };
        Self {
            publishes: sum("messages_received_total"),
            deliveries: sum("messages_delivered_total"),
            acks: sum("messages_acknowledged_total"),
        }
    }

    /// What was done since, for each of so many messages.
    fn since(&self, before: &Self, messages: u64) -> Self {
        let each = |now: f64, then: f64| (now - then) / messages as f64;
        Self {
            publishes: each(self.publishes, before.publishes),
            deliveries: each(self.deliveries, before.deliveries),
            acks: each(self.acks, before.acks),
        }
    }
}
