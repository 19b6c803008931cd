//! `kill -9` of the service in the middle of deliveries and of intake.

use crate::load::{Load, Plan};
use crate::service::{Engine, Service};
use crate::{reconcile, sandbox, wait};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const LETTERS: u64 = 2000;
const KILLS: usize = 5;
/// Slow enough that the kills come while it is still being posted.
const REST: Duration = Duration::from_millis(40);
const WAIT_TIMEOUT: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn five_kills_in_two_thousand_deliveries_lose_nothing_on_the_embedded_engine() {
    survive(Engine::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn five_kills_in_two_thousand_deliveries_lose_nothing_on_the_distributed_engine() {
    survive(Engine::shared()).await;
}

/// Every second notification wants `at_most_once`: those that were in flight become `unknown` and never arrive twice. The
/// sandbox takes a message at once and answers 30 ms later, so nearly everything that is in flight at a kill has
/// arrived already and arrives again: the bound is reached, not only kept.
async fn survive(engine: Engine) {
    let sandbox = sandbox::slow(Duration::from_millis(30));
    let mut service = Service::new("kills", engine.clone(), &sandbox.url());
    service.start().await;
    let plan = Plan { count: LETTERS, clients: 16, chats: 40, rest: REST, mixed: true };
    let load = Load::start(&service.client(), plan);
    let seed = fastrand::u64(..);
    let mut in_flight: Vec<BTreeSet<String>> = Vec::new();
    for moment in moments(seed) {
        let reached = async || (sandbox.stats().sends >= moment).then_some(());
        wait::until(&format!("{moment} deliveries"), WAIT_TIMEOUT, reached).await;
        service.kill9();
        in_flight.push(service.in_flight().await);
        service.start().await;
    }
    let book = load.finish(WAIT_TIMEOUT).await;
    let figures = reconcile::compare(&service.client(), &sandbox, &book, WAIT_TIMEOUT).await;
    let at_kills: Vec<usize> = in_flight.iter().map(BTreeSet::len).collect();
    println!(
        "kill -9, {}: {figures}; in flight at the kills {at_kills:?} = {}, killed at {:?} deliveries (seed {seed}), {} requests cut off",
        engine.name(),
        at_kills.iter().sum::<usize>(),
        moments(seed),
        book.unanswered(),
    );
    book.assert_polite();
    assert_eq!(figures.confirmed as u64, LETTERS);
    figures.assert_kept();
    assert!(at_kills.iter().sum::<usize>() > 0, "nothing was in flight at any kill, so nothing was tested");
    assert_explained(&figures.extra, &in_flight);
    let once: Vec<_> = figures.extra.keys().filter(|caption| book.at_most_once.contains(*caption)).collect();
    assert!(once.is_empty(), "at most once, and arrived more often: {once:?}");
    for caption in figures.with_status("unknown") {
        assert!(book.at_most_once.contains(caption), "{caption} is to arrive at least once and was given up");
        assert!(in_flight.iter().any(|sending| sending.contains(caption)), "{caption} was in flight at no kill");
    }
}

/// In the middle of the deliveries, in order.
fn moments(seed: u64) -> Vec<u64> {
    let mut random = fastrand::Rng::with_seed(seed);
    let step = LETTERS / (KILLS as u64 + 1);
    (1..=KILLS as u64).map(|kill| kill * step - random.u64(0..step / 2)).collect()
}

/// Every message too many was in flight at a kill of its own.
fn assert_explained(extra: &BTreeMap<String, usize>, in_flight: &[BTreeSet<String>]) {
    for (caption, times) in extra {
        let kills = in_flight.iter().filter(|sending| sending.contains(caption)).count();
        assert!(*times <= kills, "{caption} arrived {times} times too often and was in flight at {kills} kills");
    }
}
