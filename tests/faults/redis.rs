//! Redis goes and comes back under load. Sending goes on without it.

use crate::brokers::{assert_answered, stop_without};
use crate::images::Picture;
use crate::load::{Client, Letter, Load, Plan};
use crate::service::{Engine, Service};
use crate::support::{self, Redis};
use crate::{reconcile, sandbox, wait};
use std::time::Duration;

const WAIT_TIMEOUT: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn redis_is_stopped_killed_and_frozen_under_load_and_sending_goes_on() {
    let sandbox = sandbox::start();
    let mut redis = Redis::launch().await;
    let engine = Engine::DistributedSettings { amqp: support::amqp_url(), redis: redis.url() };
    let mut service = Service::new("redis", engine, &sandbox.url());
    service.set("LOG", "debug");
    service.set("LOG_FORMAT", "json");
    // Slower than what is posted, so that a backlog is there to be sent while Redis is not.
    service.set("BOT_RATE", "30");
    service.start().await;
    let client = service.client();
    let plan = Plan { count: 100_000, clients: 4, chats: 50, rest: Duration::from_millis(30), mixed: false };
    let load = Load::start(&client, plan);
    let mut without_key = Vec::new();
    let mut sent_meanwhile = Vec::new();
    for (round, end) in ["stopped", "killed", "frozen"].into_iter().enumerate() {
        let backlog = async || (load.book().confirmed.len() as u64 > sandbox.stats().sends + 150).then_some(());
        wait::until("a backlog", WAIT_TIMEOUT, backlog).await;
        match end {
            "stopped" => redis.stop().await,
            "killed" => redis.kill9(),
            _ => redis.pause(),
        }
        let refused = load.book().answered(503);
        wait::until_true("503s", WAIT_TIMEOUT, async || load.book().answered(503) >= refused + 8).await;
        let sent = sandbox.stats().sends;
        for number in 0..10 {
            without_key.push(post_without_key(&client, &format!("no key {round}-{number}")).await);
        }
        let (_, some_id) = load.book().confirmed.first_key_value().map(|(c, id)| (c.clone(), id.clone())).unwrap();
        let answer = client.get(&format!("/v1/notifications/{some_id}")).await.unwrap();
        assert_eq!(answer.status, 503, "what a status is cannot be known while Redis is {end}: {}", answer.text);
        assert!(answer.retry_after().is_some(), "a 503 without Retry-After");
        wait::until_true("sends without Redis", WAIT_TIMEOUT, async || sandbox.stats().sends >= sent + 60).await;
        sent_meanwhile.push(sandbox.stats().sends - sent);
        match end {
            "frozen" => redis.resume(),
            _ => redis.start().await,
        }
    }
    load.enough();
    let mut book = load.finish(WAIT_TIMEOUT).await;
    for (letter, answer) in &without_key {
        book.confirm(letter, answer);
    }
    let figures = reconcile::compare(&client, &sandbox, &book, WAIT_TIMEOUT).await;
    println!(
        "Redis away: {figures}; {} answers 503, slowest answer {:.2} s; sent without it {sent_meanwhile:?}",
        book.answered(503),
        book.slowest().as_secs_f64(),
    );
    figures.assert_kept();
    assert_eq!(figures.duplicates(), 0, "nothing of ours crashed: {:?}", figures.extra);
    assert_answered(&book);

    redis.pause();
    let took = stop_without(&mut service).await;
    println!("SIGTERM while Redis is frozen: ended after {:.1} s", took.as_secs_f64());
}

/// What was sent and has left the queue meanwhile is in no process's memory any more.
#[tokio::test(flavor = "multi_thread")]
async fn workers_killed_while_redis_is_away_leave_no_record_behind() {
    const LETTERS: u64 = 400;
    const MEANWHILE: u64 = 60;
    let sandbox = sandbox::slow(Duration::from_millis(30));
    let mut redis = Redis::launch().await;
    let engine = Engine::DistributedSettings { amqp: support::amqp_url(), redis: redis.url() };
    let mut service = Service::new("forgetful", engine, &sandbox.url());
    // Slow enough that most are still to be sent when Redis goes.
    service.set("BOT_RATE", "30");
    service.start().await;
    let plan = Plan { count: LETTERS, clients: 8, chats: 60, rest: Duration::ZERO, mixed: false };
    let book = Load::start(&service.client(), plan).finish(WAIT_TIMEOUT).await;
    redis.kill9();
    let mut in_flight = Vec::new();
    for _ in 0..2 {
        let sent = sandbox.stats().sends;
        let enough = async || (sandbox.stats().sends >= sent + MEANWHILE).then_some(());
        wait::until("sends without Redis", WAIT_TIMEOUT, enough).await;
        service.kill9();
        in_flight.push(sandbox.stats().sends);
        service.start_unready().await;
    }
    assert!(sandbox.stats().sends < LETTERS, "all was sent before Redis came back");
    redis.start().await;
    let figures = reconcile::compare(&service.client(), &sandbox, &book, WAIT_TIMEOUT).await;
    println!("Redis away, two workers killed meanwhile: {figures}; killed at {in_flight:?} sends");
    figures.assert_kept();
    assert_eq!(figures.confirmed as u64, LETTERS);
    // At 30 a second, an answer and a journal entry later, no more can have been in flight at a kill.
    assert!(figures.duplicates() <= 2 * 10, "{:?}", figures.extra);
}

async fn post_without_key(client: &Client, caption: &str) -> (Letter, crate::support::answer::Answer) {
    let letter = Letter { key: None, ..Letter::new(caption.to_owned(), 7, Picture::small(1)) };
    let answer = client.post(&letter).await.unwrap();
    assert_eq!(answer.status, 202, "without a key nothing needs Redis: {}", answer.text);
    (letter, answer)
}
