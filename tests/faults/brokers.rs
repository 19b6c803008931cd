//! RabbitMQ goes and comes back under load.

use crate::images::Picture;
use crate::load::{Book, Letter, Load, Plan};
use crate::service::{Engine, Service};
use crate::support::{self, Rabbit, Redis};
use crate::{reconcile, sandbox, wait};
use std::time::{Duration, Instant};

const WAIT_TIMEOUT: Duration = Duration::from_secs(60);
/// No answer takes longer, whatever is away.
const LONGEST_ANSWER: Duration = Duration::from_secs(5);

/// How old a queue must be to outlive a kill: RabbitMQ 3.10 writes the registry of its quorum queues seconds late. One
/// that is younger may come back empty and without a leader, and then answers nobody (tried).
const SETTLED: Duration = Duration::from_secs(8);

/// How RabbitMQ goes.
#[derive(Clone, Copy, Debug)]
enum End {
    Stopped,
    Killed,
    Frozen,
    /// It has no disk left, and takes nothing more.
    Alarmed,
}

#[tokio::test(flavor = "multi_thread")]
async fn rabbitmq_is_stopped_killed_frozen_and_full_under_load_and_nothing_is_lost() {
    let sandbox = sandbox::start();
    let mut rabbit = Rabbit::launch().await;
    let engine = Engine::DistributedSettings { amqp: rabbit.url(), redis: support::redis_url() };
    let mut service = Service::new("brokers", engine, &sandbox.url());
    service.set("LOG", "debug");
    service.start().await;
    let plan = Plan { count: 100_000, clients: 8, chats: 20, rest: Duration::from_millis(40), mixed: false };
    let load = Load::start(&service.client(), plan);
    let mut times = Vec::new();
    for end in [End::Stopped, End::Killed, End::Frozen, End::Alarmed] {
        flows(&load, &sandbox).await;
        go(&mut rabbit, end).await;
        // Twenty clients were told to come back, so it was felt.
        let before = load.book().answered(503);
        wait::until_true("503s", WAIT_TIMEOUT, async || load.book().answered(503) >= before + 20).await;
        let answer = service.client().get("/readyz").await.unwrap();
        assert_eq!(answer.status, 503, "ready while RabbitMQ is {end:?}: {}", answer.text);
        come_back(&mut rabbit, end).await;
        let back = Instant::now();
        flows(&load, &sandbox).await;
        times.push(format!("{end:?} {:.1} s", back.elapsed().as_secs_f64()));
    }
    load.enough();
    let book = load.finish(WAIT_TIMEOUT).await;
    let figures = reconcile::compare(&service.client(), &sandbox, &book, WAIT_TIMEOUT).await;
    println!(
        "RabbitMQ away: {figures}; {} answers 503, slowest answer {:.2} s; flows again after {}",
        book.answered(503),
        book.slowest().as_secs_f64(),
        times.join(", "),
    );
    figures.assert_kept();
    assert_eq!(figures.duplicates(), 0, "nothing of ours crashed: {:?}", figures.extra);
    assert_answered(&book);

    go(&mut rabbit, End::Frozen).await;
    let took = stop_without(&mut service).await;
    println!("SIGTERM while RabbitMQ is frozen: ended after {:.1} s", took.as_secs_f64());
}

#[tokio::test(flavor = "multi_thread")]
async fn both_brokers_may_come_late_and_die_together() {
    let sandbox = sandbox::start();
    let (mut rabbit, mut redis) = tokio::join!(Rabbit::launch(), Redis::launch());
    let engine = Engine::DistributedSettings { amqp: rabbit.url(), redis: redis.url() };
    let mut service = Service::new("both", engine, &sandbox.url());
    rabbit.kill9();
    redis.kill9();
    service.start_unready().await;
    let client = service.client();
    let early = client.post(&Letter::new("early".to_owned(), 1, Picture::small(1))).await.unwrap();
    assert_eq!(early.status, 503, "{}", early.text);
    tokio::join!(rabbit.start(), redis.start());
    let ready = async || (client.get("/readyz").await.ok()?.status == 200).then_some(());
    wait::until("readiness once both are there", Duration::from_secs(10), ready).await;
    let declared = Instant::now();

    let plan = Plan { count: 100_000, clients: 8, chats: 20, rest: Duration::from_millis(40), mixed: true };
    let load = Load::start(&client, plan);
    wait::until_true("the new queues to be safe", WAIT_TIMEOUT, async || declared.elapsed() > SETTLED).await;
    flows(&load, &sandbox).await;
    redis.kill9();
    rabbit.kill9();
    let before = load.book().answered(503);
    wait::until_true("503s", WAIT_TIMEOUT, async || load.book().answered(503) >= before + 20).await;
    rabbit.start().await;
    redis.start().await;
    flows(&load, &sandbox).await;
    load.enough();
    let book = load.finish(WAIT_TIMEOUT).await;
    let figures = reconcile::compare(&client, &sandbox, &book, WAIT_TIMEOUT).await;
    println!("RabbitMQ and Redis away: {figures}; {} answers 503", book.answered(503));
    figures.assert_kept();
    assert_eq!(figures.duplicates(), 0, "nothing of ours crashed: {:?}", figures.extra);
    assert_answered(&book);
}

/// How much waits for a bot is shown as it was last told, until nobody tells it.
#[tokio::test(flavor = "multi_thread")]
async fn a_bot_stays_in_the_metrics_while_rabbitmq_is_slow() {
    let sandbox = sandbox::start();
    let rabbit = Rabbit::launch().await;
    let engine = Engine::DistributedSettings { amqp: rabbit.url(), redis: support::redis_url() };
    let mut service = Service::new("slow", engine, &sandbox.url());
    service.start().await;
    let client = service.client();
    wait::until_true("its depth", WAIT_TIMEOUT, async || client.waiting().await == Some(0)).await;
    rabbit.pause();
    let began = Instant::now();
    let page = client.waiting().await;
    let took = began.elapsed();
    rabbit.resume();
    assert_eq!(page, Some(0), "a page after {took:?} shows what was known");
    // At once, or after the patience for those that must be asked.
    assert!(took < Duration::from_secs(2), "a page after {took:?}");
    rabbit.pause();
    wait::until_true("the gauge to vanish", WAIT_TIMEOUT, async || client.waiting().await.is_none()).await;
    println!(
        "RabbitMQ slow: a page of metrics after {:.1} s with the depth, without it after {:.1} s",
        took.as_secs_f64(),
        began.elapsed().as_secs_f64() - took.as_secs_f64()
    );
    rabbit.resume();
    wait::until_true("its depth", WAIT_TIMEOUT, async || client.waiting().await == Some(0)).await;
}

/// A service that has nothing to do ends soon, whatever is away.
pub async fn stop_without(service: &mut Service) -> Duration {
    let began = Instant::now();
    service.process().terminate();
    let status = service.end(WAIT_TIMEOUT).await;
    assert_eq!(status.code(), Some(0));
    let took = began.elapsed();
    assert!(took < Duration::from_secs(15), "the stop took {:.1} s", took.as_secs_f64());
    took
}

async fn go(rabbit: &mut Rabbit, end: End) {
    match end {
        End::Stopped => rabbit.stop().await,
        End::Killed => rabbit.kill9(),
        End::Frozen => rabbit.pause(),
        End::Alarmed => drop(rabbit.ctl(&["set_disk_free_limit", "1000000GB"])),
    }
}

async fn come_back(rabbit: &mut Rabbit, end: End) {
    match end {
        End::Stopped | End::Killed => rabbit.start().await,
        End::Frozen => rabbit.resume(),
        End::Alarmed => drop(rabbit.ctl(&["set_disk_free_limit", "50MB"])),
    }
}

/// Waits until new ones are both accepted and delivered.
async fn flows(load: &Load, sandbox: &sandbox::Sandbox) {
    let (accepted, sent) = (load.book().confirmed.len(), sandbox.stats().sends);
    let flows =
        async || (load.book().confirmed.len() > accepted + 50 && sandbox.stats().sends > sent + 50).then_some(());
    wait::until("traffic", WAIT_TIMEOUT, flows).await;
}

/// Every try was answered, in time, and by nothing but 202 or 503.
pub fn assert_answered(book: &Book) {
    book.assert_polite();
    let unanswered: Vec<_> = book.tries.iter().filter(|attempt| attempt.result.is_err()).collect();
    assert!(unanswered.is_empty(), "{unanswered:?}");
    let slowest = book.slowest();
    assert!(slowest <= LONGEST_ANSWER, "an answer took {:.1} s", slowest.as_secs_f64());
}
