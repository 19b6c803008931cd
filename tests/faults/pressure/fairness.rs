//! Who has much to send holds nobody else back.

use super::{BOT_RATE, WAIT_TIMEOUT, is_long, judge, on_both_engines, posting, scale};
use crate::load::Client;
use crate::sandbox::{self, Sandbox};
use crate::service::{Engine, Service};
use crate::wait;
use std::time::Duration;

const IDLE_USERS: i64 = 30;
const DEEP_CHAT: i64 = 999;
/// How much later than by the bot's own limit the messages to idle users may come, in seconds.
const LATE: f64 = 3.0;
/// What 90,000 and then 100,000 that wait may take of the memory of the process that delivers, in kB. What flows through it
/// takes some at first, which the allocator keeps; then nothing more may come.
const MEMORY: [i64; 2] = [16 * 1024, 2 * 1024];

#[tokio::test(flavor = "multi_thread")]
async fn idle_users_are_served_beside_busy_groups_and_users() {
    on_both_engines(serve_idle).await;
}

async fn serve_idle(engine: Engine) {
    let (groups, to_group, users, to_user) = scale((16, 25, 4, 40), (200, 60, 50, 100));
    let sandbox = sandbox::start();
    let (api, worker) = start(&engine, &sandbox).await;
    let deliverer = worker.as_ref().unwrap_or(&api);
    let client = api.client();
    let busy_groups = (0..groups).map(|group| (-1000 - group, 0..to_group));
    let busy_users = (0..users).map(|user| (1000 + user, 0..to_user));
    posting::post(&client, busy_groups.chain(busy_users), posting::plain).await;
    let mut idle_served = vec![serve_idle_users(&client, &sandbox, 0).await];
    let mut grown = [0; 2];
    if is_long() {
        idle_served.push(serve_idle_users(&client, &sandbox, 1).await);
        let memory = || deliverer.process().memory("RssAnon") as i64;
        posting::post_deep(&client, DEEP_CHAT, 0..10_000).await;
        let few = memory();
        posting::post_deep(&client, DEEP_CHAT, 10_000..100_000).await;
        let many = memory();
        posting::post_deep(&client, DEEP_CHAT, 100_000..200_000).await;
        grown = [many - few, memory() - many];
        println!(
            "memory, {}: {few} kB with 10,000 pending for one chat, {} kB more with 100,000, {} kB more with 200,000",
            engine.name(),
            grown[0],
            grown[1],
        );
        idle_served.push(serve_idle_users(&client, &sandbox, 2).await);
        idle_served.push(serve_idle_users(&client, &sandbox, 3).await);
    }
    println!(
        "fairness, {}: beside {groups} busy groups ({to_group} each) and {users} busy users ({to_user} each), {IDLE_USERS} messages to idle users all arrived after {idle_served:.2?} s{}",
        engine.name(),
        if is_long() { ", the last two beside a chat with 200,000 pending" } else { "" },
    );
    assert!(grown.iter().zip(MEMORY).all(|(grown, most)| *grown < most), "{grown:?} kB more, {MEMORY:?} kB at most");
    let most = IDLE_USERS as f64 / BOT_RATE as f64 + LATE;
    assert!(idle_served.iter().all(|seconds| *seconds <= most), "{idle_served:?} s, {most} s at most");
}

/// One process on the embedded engine; on the distributed one, another that delivers.
async fn start(engine: &Engine, sandbox: &Sandbox) -> (Service, Option<Service>) {
    let mut api = Service::new("fairness", engine.clone(), &sandbox.url());
    for (limit, rate) in [("BOT_RATE", "30"), ("CHAT_RATE", "1"), ("GROUP_RATE_PER_MINUTE", "20")] {
        api.set(limit, rate);
    }
    let Engine::DistributedSettings { .. } = engine else {
        api.start().await;
        return (api, None);
    };
    let mut worker = api.peer("fairness-worker");
    (api.role, worker.role) = ("api", "worker");
    worker.start().await;
    api.start().await;
    (api, Some(worker))
}

/// Posts one message to each of the idle users, who are others in every round; returns after how many seconds all of them
/// had arrived.
async fn serve_idle_users(client: &Client, sandbox: &Sandbox, round: i64) -> f64 {
    let seen = judge::last_seq(sandbox);
    let first_user = 50_000 + 1000 * round;
    let users = first_user..first_user + IDLE_USERS;
    let began = judge::now_ms();
    posting::post(client, users.clone().map(|user| (user, 0..1)), posting::plain).await;
    let timeout = scale(WAIT_TIMEOUT, Duration::from_secs(300));
    let last = wait::until_ok("the messages to idle users", timeout, async || {
        let arrivals = judge::arrivals_after(sandbox, seen);
        let arrived: Vec<_> = arrivals.iter().filter(|arrival| users.contains(&arrival.chat)).collect();
        let last = arrived.iter().map(|arrival| arrival.at_ms).max();
        last.filter(|_| arrived.len() == IDLE_USERS as usize).ok_or_else(|| format!("{} have arrived", arrived.len()))
    });
    (last.await - began) as f64 / 1000.0
}
