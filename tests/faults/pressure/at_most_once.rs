//! `unknown` is said where nobody can know, and nowhere else.

use super::{WAIT_TIMEOUT, judge, posting, scale};
use crate::load::Client;
use crate::service::{Engine, Service};
use crate::support::{self, Proxy, Redis, port_of};
use crate::{sandbox, wait};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const CHATS: i64 = 50;

/// Redis is late, so that many notifications are marked as being sent at one moment, of which the bot's limit lets only some
/// leave; then the owner is cut off from RabbitMQ. What has not left is sent by who owns the bot next.
#[tokio::test(flavor = "multi_thread")]
async fn no_outcome_is_unknown_of_what_had_not_left_when_the_bot_was_lost() {
    let (each, cuts) = scale((4, 2), (25, 15));
    let sandbox = sandbox::start();
    let port = port_of(&support::amqp_url());
    let network = Proxy::to(port).await;
    let amqp = network.url(&support::amqp_url(), port);
    let redis = Redis::launch().await;
    let engine = Engine::DistributedSettings { amqp, redis: redis.url() };
    let mut service = Service::new("at-most-once", engine, &sandbox.url());
    service.set("BOT_RATE", "30");
    service.set("CHAT_RATE", "1");
    service.start().await;
    let client = service.client();
    let ids = posting::post(&client, (1000..1000 + CHATS).map(|chat| (chat, 0..each)), at_most_once).await;
    for _ in 0..cuts {
        let seen = sandbox.stats().sends;
        wait::until_true("traffic", WAIT_TIMEOUT, async || sandbox.stats().sends >= seen + 20).await;
        redis.pause();
        // How late it is, is what is tried.
        tokio::time::sleep(Duration::from_millis(1500)).await;
        let seen = sandbox.stats().sends;
        redis.resume();
        wait::until_true("the first ones", WAIT_TIMEOUT, async || sandbox.stats().sends > seen).await;
        network.cut();
        wait::until_true("the loss of the bot", WAIT_TIMEOUT, async || !service.owns().await).await;
        network.restore();
    }
    let timeout = scale(WAIT_TIMEOUT, Duration::from_secs(180));
    let (mut unknown, mut open) = (BTreeSet::new(), ids.clone());
    wait::until_true("final states", timeout, async || {
        let mut left = BTreeMap::new();
        for (text, id) in std::mem::take(&mut open) {
            match status(&client, &id).await.as_deref() {
                Some("sent") => {}
                Some("unknown") => drop(unknown.insert(text)),
                Some(end @ ("failed" | "expired" | "cancelled")) => panic!("{text} ended as {end}"),
                _ => drop(left.insert(text, id)),
            }
        }
        open = left;
        open.is_empty()
    })
    .await;
    let arrivals = judge::arrivals(&sandbox);
    let arrived: BTreeSet<_> = arrivals.iter().map(|arrival| posting::text(arrival.chat, arrival.number)).collect();
    let needless: Vec<_> = unknown.difference(&arrived).collect();
    println!(
        "at_most_once, the bot lost {cuts} times: {} messages, {} unknown, {} of them never sent; {} sent twice",
        ids.len(),
        unknown.len(),
        needless.len(),
        judge::duplicates(&arrivals),
    );
    assert!(needless.is_empty(), "{needless:?}");
    assert_eq!(judge::duplicates(&arrivals), 0);
}

fn at_most_once(chat: i64, number: u64) -> Value {
    let mut notification = posting::plain(chat, number);
    notification["delivery"] = json!("at_most_once");
    notification
}

async fn status(client: &Client, id: &str) -> Option<String> {
    let answer = client.get(&format!("/v1/notifications/{id}")).await.ok().filter(|answer| answer.status == 200)?;
    Some(answer.json()["status"].as_str()?.to_owned())
}
