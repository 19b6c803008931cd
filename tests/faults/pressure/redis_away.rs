//! Short outages of Redis: sending goes on at full rate as soon as it is back.

use super::installation::Installation;
use super::{BOT_RATE, WAIT_TIMEOUT, judge, posting, scale};
use crate::service::Engine;
use crate::support::{self, Redis};
use crate::{sandbox, wait};
use std::time::Duration;

const AWAY: Duration = Duration::from_secs(2);
/// How long after its return the rate is watched.
const WATCHED: Duration = Duration::from_secs(2);
/// When the full rate is to be reached, in seconds after the return.
const MOST: f64 = 1.0;

#[tokio::test(flavor = "multi_thread")]
async fn sending_is_at_full_rate_within_a_second_of_the_return_of_redis() {
    let times = scale(3, 10);
    let sandbox = sandbox::start();
    let mut redis = Redis::launch().await;
    let engine = Engine::DistributedSettings { amqp: support::amqp_url(), redis: redis.url() };
    let installation = Installation::start("redis-away", engine, &sandbox.url(), |service| {
        service.set("BOT_RATE", "30");
        service.set("CHAT_RATE", "1");
    })
    .await;
    let seconds = times * (AWAY + WATCHED).as_secs() + 5;
    let chats = (1000..1100).map(|chat| (chat, 0..seconds * BOT_RATE / 100 + 2));
    posting::post(&installation.client(), chats, posting::plain).await;
    let mut returns = Vec::new();
    for _ in 0..times {
        let seen = sandbox.stats().sends;
        wait::until_true("traffic", WAIT_TIMEOUT, async || sandbox.stats().sends > seen + BOT_RATE).await;
        redis.kill9();
        // How long it is away, and how long the rate is measured, are what is tried.
        tokio::time::sleep(AWAY).await;
        redis.start().await;
        returns.push(judge::now_ms());
        tokio::time::sleep(WATCHED).await;
    }
    let moments = judge::moments(&sandbox);
    let full_after: Vec<f64> = returns.iter().map(|at| full_rate_after(&moments, *at)).collect();
    println!("Redis away {times} times for 2 s: full rate {full_after:.2?} s after its return");
    assert!(full_after.iter().all(|seconds| *seconds <= MOST), "{full_after:?} s, {MOST} s at most");
}

/// How many seconds after the return somebody would have begun who sends at full rate and is nowhere ahead of what was sent.
fn full_rate_after(moments: &[u64], back: u64) -> f64 {
    const FULL: f64 = 0.95;
    let sent_until = |at: u64| moments.iter().filter(|moment| (back..at).contains(*moment)).count() as f64;
    let behind = (1..=WATCHED.as_millis() as u64).map(|after| {
        let ahead = sent_until(back + after) / (BOT_RATE as f64 * FULL);
        after as f64 / 1000.0 - ahead
    });
    behind.fold(0.0, f64::max)
}
