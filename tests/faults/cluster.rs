//! A cluster of three RabbitMQ nodes, of which one is frozen, killed or stopped under load: nothing is lost, nothing arrives
//! twice, and somebody takes what callers post all the time.
//!
//! The short form freezes and kills the node that leads the bot's queues; the long one, `make cluster`, has ten such events.

use crate::load::{Load, Plan};
use crate::sandbox::Sandbox;
use crate::service::{Engine, Service};
use crate::support::{Rabbit, Redis};
use crate::{reconcile, sandbox, wait};
use pixcourier::sandbox::MessageFilter;
use serde_json::Value;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const WAIT_TIMEOUT: Duration = Duration::from_secs(120);

/// The longest time without a 202 while a node is frozen, when one is killed, and when all are stopped and start in turn; or
/// one starts, which takes a small machine to itself.
const LONGEST_SILENCE_FROZEN: Duration = Duration::from_secs(8);
const LONGEST_SILENCE_KILLED: Duration = Duration::from_secs(1);
const LONGEST_SILENCE_STARTING: Duration = Duration::from_secs(3);

#[derive(Clone, Copy, Debug)]
enum Event {
    /// The node that leads the queue of the lane is frozen.
    LeaderFrozen,
    /// A node that the service publishes to, and that does not lead it, is frozen.
    ConnectedFrozen,
    /// The leader is killed, and starts again.
    LeaderKilled,
    /// Another is.
    FollowerKilled,
    /// All nodes are stopped and started, one after the other.
    RollingRestart,
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_of_a_cluster_are_frozen_killed_and_stopped_and_accepting_goes_on() {
    use Event::{ConnectedFrozen, FollowerKilled, LeaderFrozen, LeaderKilled, RollingRestart};
    let is_long = std::env::var("PIXCOURIER_PRESSURE").is_ok_and(|form| form == "long");
    let (events, rounds, freeze): (&[Event], _, _) = match is_long {
        false => (&[LeaderFrozen, LeaderKilled], 1, Duration::from_secs(12)),
        true => {
            (&[ConnectedFrozen, LeaderFrozen, LeaderKilled, FollowerKilled, RollingRestart], 2, Duration::from_secs(40))
        }
    };
    let sandbox = sandbox::start();
    let (mut nodes, redis) = tokio::join!(Rabbit::launch_cluster(3), Redis::launch());
    let urls: Vec<String> = nodes.iter().map(Rabbit::url).collect();
    let engine = Engine::DistributedSettings { amqp: urls.join(","), redis: redis.url() };
    let mut service = Service::new("cluster", engine, &sandbox.url());
    service.start().await;
    wait::until_true("an owner", WAIT_TIMEOUT, async || service.owns().await).await;
    let plan = Plan { count: 1_000_000, clients: 8, chats: 40, rest: Duration::from_millis(350), mixed: false };
    let load = Load::start(&service.client(), plan);
    let flow = async |more: usize| {
        let before = load.book().confirmed.len();
        wait::until_true("traffic", WAIT_TIMEOUT, async || load.book().confirmed.len() > before + more).await;
    };
    let mut failures = Vec::new();
    println!("a cluster of three nodes of RabbitMQ {}", nodes[0].ctl(&["version"]).trim());
    for event in std::iter::repeat_n(events, rounds).flatten() {
        let calm = Instant::now();
        flow(100).await;
        // A busy machine is silent by itself, too.
        let silence_before = load.book().longest_silence(calm, Instant::now());
        let leader = leader(&nodes, &service.namespace);
        let connected = connected(&nodes, &service, leader);
        let other = (0..3).find(|node| *node != leader && *node != connected).expect("there are three");
        let begun = Instant::now();
        let (node, limit) = match event {
            Event::LeaderFrozen => (freeze_node(&nodes, leader, freeze).await, LONGEST_SILENCE_FROZEN),
            Event::ConnectedFrozen => (freeze_node(&nodes, connected, freeze).await, LONGEST_SILENCE_FROZEN),
            Event::LeaderKilled | Event::FollowerKilled => {
                let node = if matches!(event, Event::LeaderKilled) { leader } else { other };
                nodes[node].kill9();
                flow(100).await;
                let silence = load.book().longest_silence(begun, Instant::now());
                println!("{event:?}: longest time without a 202 while it was gone {:.2} s", silence.as_secs_f64());
                if silence >= LONGEST_SILENCE_KILLED + silence_before {
                    failures.push(format!("{event:?}: {silence:?}"));
                }
                nodes[node].start().await;
                (node, LONGEST_SILENCE_STARTING)
            }
            Event::RollingRestart => {
                for node in 0..3 {
                    nodes[node].stop().await;
                    flow(50).await;
                    nodes[node].start().await;
                    whole(&nodes).await;
                }
                (leader, LONGEST_SILENCE_STARTING)
            }
        };
        whole(&nodes).await;
        let (took, silence) = (begun.elapsed(), load.book().longest_silence(begun, Instant::now()));
        let line = format!(
            "{event:?} (node {}, leader {}): longest time without a 202 {:.2} s (before it {:.2} s), without a send {:.1} s, in {:.0} s",
            node + 1,
            leader + 1,
            silence.as_secs_f64(),
            silence_before.as_secs_f64(),
            longest_pause(&sandbox, took).as_secs_f64(),
            took.as_secs_f64()
        );
        println!("{line}");
        if silence >= limit + silence_before {
            failures.push(line);
        }
    }
    load.enough();
    let book = load.finish(WAIT_TIMEOUT).await;
    let figures = reconcile::compare(&service.client(), &sandbox, &book, WAIT_TIMEOUT).await;
    println!(
        "cluster: {figures}; {} answers 503, slowest answer {:.2} s",
        book.answered(503),
        book.slowest().as_secs_f64()
    );
    book.assert_polite();
    figures.assert_kept();
    assert_eq!(figures.duplicates(), 0, "nothing of ours crashed: {:?}", figures.extra);
    assert!(failures.is_empty(), "{failures:?}");
}

/// Freezes a node for so long.
async fn freeze_node(nodes: &[Rabbit], node: usize, time: Duration) -> usize {
    nodes[node].pause();
    tokio::time::sleep(time).await;
    nodes[node].resume();
    node
}

/// The node that leads the queue of the normal lane.
fn leader(nodes: &[Rabbit], namespace: &str) -> usize {
    let lane = format!("{namespace}.default.normal");
    let queues = queues(&nodes[0]).expect("all nodes answer");
    let queue = queues.iter().find(|queue| queue["name"] == lane.as_str()).expect("the bot has one");
    nodes.iter().position(|node| queue["leader"] == node.node_name().as_str()).expect("one of ours")
}

/// A node that the service publishes to, other than that one.
fn connected(nodes: &[Rabbit], service: &Service, leader: usize) -> usize {
    let log = std::fs::read_to_string(&service.process().log).unwrap();
    let last = |connection: &str| {
        let line = log.lines().rfind(|line| line.contains("connected to RabbitMQ") && line.contains(connection))?;
        nodes.iter().position(|node| line.contains(&format!("127.0.0.1:{}", node.port())))
    };
    let places = [last("\"publishing\""), last("\"publishing 2\"")];
    places.into_iter().flatten().find(|node| *node != leader).expect("the two are apart")
}

/// Waits until every node has started and every queue has all its members.
async fn whole(nodes: &[Rabbit]) {
    let is_whole = async || {
        let count = |queue: &Value, column: &str| queue[column].as_array().map(Vec::len);
        let all_there = |queue: &Value| count(queue, "online") == count(queue, "members");
        nodes.iter().all(|node| {
            node.try_ctl(&["await_startup"]).is_ok() && queues(node).is_ok_and(|queues| queues.iter().all(all_there))
        })
    };
    wait::until_true("the whole cluster", WAIT_TIMEOUT, is_whole).await;
}

/// The queues as a node knows them.
fn queues(node: &Rabbit) -> Result<Vec<Value>, String> {
    let page = node.try_ctl(&["list_queues", "--formatter", "json", "name", "leader", "members", "online"])?;
    serde_json::from_str(&page).map_err(|error| format!("{error}: {page}"))
}

/// The longest time without a message in the last so much time.
fn longest_pause(sandbox: &Sandbox, last: Duration) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
    let from = now - last.as_millis() as u64;
    let messages = sandbox.messages(&MessageFilter::default());
    let mut times: Vec<u64> = messages.iter().map(|message| message.at_ms).filter(|at| *at >= from).collect();
    times.extend([from, now]);
    times.sort_unstable();
    Duration::from_millis(times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default())
}
