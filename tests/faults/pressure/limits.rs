//! A Bot API that counts strictly, where requests arrive: 30 messages in any second, 20 to a group in any minute, one a second
//! to a private chat with a burst of 3. It refuses nothing, whatever happens to the service.

use super::installation::{End, Installation};
use super::{BOT_RATE, WAIT_TIMEOUT, is_long, judge, posting, scale};
use crate::sandbox::{self, Sandbox};
use crate::service::{Engine, Service};
use crate::support::{self, Redis};
use crate::wait;
use std::time::Duration;

const USERS: i64 = 50;
const GROUPS: i64 = 10;
/// The least share of the rate that is to be used while nothing goes wrong.
const LEAST_SHARE: f64 = 0.97;

#[tokio::test(flavor = "multi_thread")]
async fn strict_limits_hold_through_kills_and_stops_on_the_embedded_engine() {
    end_and_go_on(Engine::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strict_limits_hold_through_kills_and_stops_on_the_distributed_engine() {
    end_and_go_on(Engine::shared()).await;
}

async fn end_and_go_on(engine: Engine) {
    let ends = [End::Killed, End::Stopped].repeat(scale(1, 10));
    let calm = Duration::from_secs(scale(2, 6));
    let sandbox = sandbox::strict(per_minute());
    let mut installation = Installation::start("limits", engine.clone(), &sandbox.url(), set_limits).await;
    post_backlog(&installation, (ends.len() as u64 + 1) * (calm.as_secs() + 2)).await;
    let mut shares = Vec::new();
    for end in ends.iter().copied().map(Some).chain([None]) {
        let seen = sandbox.stats().sends;
        wait::until_true("sends", WAIT_TIMEOUT, async || sandbox.stats().sends > seen + BOT_RATE).await;
        let from = judge::now_ms();
        // The time over which the rate is measured.
        tokio::time::sleep(calm).await;
        shares.push(judge::share_of_rate(&judge::moments(&sandbox), from, judge::now_ms(), BOT_RATE));
        if let Some(end) = end {
            installation.end_owner(end).await;
        }
    }
    let (kills, stops) = (ends.len().div_ceil(2), ends.len() / 2);
    let share = shares.iter().sum::<f64>() / shares.len() as f64;
    println!(
        "strict limits, {}: {}; kills {kills}, stops {stops}; {:.1} % of the rate between them, {:.1} % at least",
        engine.name(),
        counted(&sandbox),
        share * 100.0,
        shares.iter().copied().fold(f64::MAX, f64::min) * 100.0,
    );
    assert_none_refused(&sandbox, &installation).await;
    // A few seconds right after a take-over tell less than a minute does.
    assert!(share >= if is_long() { LEAST_SHARE } else { 0.9 }, "{shares:?}");
}

/// What was dispatched evenly leaves in a bunch when the ledger lets it go at once.
#[tokio::test(flavor = "multi_thread")]
async fn strict_limits_hold_while_redis_answers_in_pulses() {
    let pulses = scale(6, 60);
    let sandbox = sandbox::strict(per_minute());
    let redis = Redis::launch().await;
    let engine = Engine::DistributedSettings { amqp: support::amqp_url(), redis: redis.url() };
    let installation = Installation::start("pulses", engine, &sandbox.url(), set_limits).await;
    post_backlog(&installation, pulses * 3 / 2).await;
    let (began, seed) = (judge::now_ms(), fastrand::u64(..));
    let mut random = fastrand::Rng::with_seed(seed);
    for _ in 0..pulses {
        redis.pause();
        // How late Redis is, and how long it is quick again, are what is tried.
        tokio::time::sleep(Duration::from_millis(random.u64(300..900))).await;
        redis.resume();
        tokio::time::sleep(Duration::from_millis(random.u64(100..800))).await;
    }
    let share = judge::share_of_rate(&judge::moments(&sandbox), began, judge::now_ms(), BOT_RATE);
    println!(
        "strict limits, Redis late in {pulses} pulses of 0.3 to 0.9 s: {}; {:.1} % of the rate (seed {seed})",
        counted(&sandbox),
        share * 100.0,
    );
    assert_none_refused(&sandbox, &installation).await;
}

/// Panics if the Bot API said 429, with who was refused and what its chat had got before.
async fn assert_none_refused(sandbox: &Sandbox, installation: &Installation) {
    let count = sandbox.stats().too_many_requests;
    if count == 0 {
        return;
    }
    let moments = judge::moments_by_chat(sandbox);
    for refused in judge::refused(&installation.client()).await {
        let (at, chat) = (refused.at_ms, refused.chat);
        let before =
            moments.get(&chat).into_iter().flatten().filter(|moment| (at.saturating_sub(60_000)..at).contains(moment));
        let ago: Vec<_> = before.map(|moment| (at - moment) as f64 / 1000.0).collect();
        println!(
            "refused: {} to {chat} at {at}, which had got messages so many seconds before: {ago:.2?}",
            refused.method
        );
    }
    panic!("{count} were refused with 429");
}

/// How many a group may get in a minute: few in the short form, so that its seconds are enough to get more.
fn per_minute() -> usize {
    scale(3, 20)
}

fn set_limits(service: &mut Service) {
    let per_minute = per_minute().to_string();
    for (limit, rate) in [("BOT_RATE", "30"), ("CHAT_RATE", "1"), ("GROUP_RATE_PER_MINUTE", &per_minute)] {
        service.set(limit, rate);
    }
}

/// More than can be sent in so many seconds, for more chats than the bot may write to in a second; some of it albums.
async fn post_backlog(installation: &Installation, seconds: u64) {
    let each = seconds * BOT_RATE * 3 / 2 / USERS as u64 + 3;
    let client = installation.client();
    let users = (1000..1000 + USERS).map(|user| (user, 0..each));
    let groups = (0..GROUPS).map(|group| (-1000 - group, 0..25));
    let albums = (0..5).map(|album| (5000 + album, 0..each / 4));
    tokio::join!(
        posting::post(&client, users.chain(groups), posting::plain),
        posting::post(&client, albums, posting::album),
    );
}

fn counted(sandbox: &Sandbox) -> String {
    let stats = sandbox.stats();
    let bot = stats.bots.values().next().cloned().unwrap_or_default();
    format!(
        "{} messages, {} refused with 429, at most {} in a second, {} to a group in a minute",
        stats.sends, stats.too_many_requests, bot.max_per_second, bot.max_per_minute_per_group,
    )
}
