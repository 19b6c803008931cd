//! Two processes on the same brokers: one courier per bot, whatever happens to the process that has it.

use crate::load::{Load, Plan};
use crate::service::{Engine, Service};
use crate::{reconcile, sandbox, wait};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

const WAIT_TIMEOUT: Duration = Duration::from_secs(60);

/// A frozen owner is the hard case: the broker gives its bot away, and it does not know when it wakes up. What was in
/// flight when it froze may arrive twice, and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn a_bot_moves_on_when_its_owner_is_frozen_or_killed_and_nothing_is_lost() {
    let sandbox = sandbox::slow(Duration::from_millis(30));
    let mut first = Service::new("owners-first", Engine::shared(), &sandbox.url());
    first.start().await;
    wait::until("the first owner", WAIT_TIMEOUT, async || first.owns().await.then_some(())).await;
    let mut second = first.peer("owners-second");
    second.start().await;
    let plan = Plan { count: 100_000, clients: 8, chats: 40, rest: Duration::from_millis(30), mixed: true };
    let load = Load::start(&second.client(), plan);
    flows(&sandbox).await;

    first.process().freeze().await;
    let frozen_at = Instant::now();
    let mut in_flight = vec![first.in_flight().await];
    // What it had handed to the kernel still arrives; then there is silence until the second owns the bot.
    wait::until("the second owner", WAIT_TIMEOUT, async || second.owns().await.then_some(())).await;
    let taken_over = frozen_at.elapsed();
    flows(&sandbox).await;
    first.process().thaw();
    flows(&sandbox).await;
    // The first has noticed, and stands by.
    wait::until_true("one owner", WAIT_TIMEOUT, async || !first.owns().await).await;

    let before_kill = Instant::now();
    second.kill9();
    in_flight.push(first.in_flight().await);
    wait::until("the first owner again", WAIT_TIMEOUT, async || first.owns().await.then_some(())).await;
    let killed_taken_over = before_kill.elapsed();
    flows_backlog(&first, &sandbox).await;
    second.start().await;
    flows(&sandbox).await;
    load.enough();
    let book = load.finish(WAIT_TIMEOUT).await;
    let mut figures = reconcile::compare(&second.client(), &sandbox, &book, WAIT_TIMEOUT).await;
    // A request that froze on its way out leaves when its process thaws, after what came later.
    figures.out_of_order.retain(|caption| !in_flight[0].contains(caption));
    let at_faults: Vec<usize> = in_flight.iter().map(BTreeSet::len).collect();
    println!(
        "two owners: {figures}; in flight at the freeze and the kill {at_faults:?}; a new owner {:.1} s after the freeze, {:.2} s after the kill",
        taken_over.as_secs_f64(),
        killed_taken_over.as_secs_f64(),
    );
    book.assert_polite();
    figures.assert_kept();
    for (caption, times) in &figures.extra {
        let explained = in_flight.iter().filter(|sending| sending.contains(caption)).count();
        assert!(*times <= explained, "{caption} arrived {times} times too often, explained {explained} times");
        assert!(!book.at_most_once.contains(caption), "at most once, and arrived more often: {caption}");
    }
    // Three heartbeats, and the second or so that a busy machine needs.
    assert!(taken_over < Duration::from_secs(13), "the bot had no owner for {:.1} s", taken_over.as_secs_f64());
    assert!(
        killed_taken_over < Duration::from_secs(3),
        "the bot had no owner for {:.1} s",
        killed_taken_over.as_secs_f64()
    );
}

/// Waits until new ones arrive.
async fn flows(sandbox: &sandbox::Sandbox) {
    let sent = sandbox.stats().sends;
    wait::until_true("traffic", WAIT_TIMEOUT, async || sandbox.stats().sends > sent + 150).await;
}

/// Waits until nothing waits any more: nobody posts while the process that takes the posts is dead.
async fn flows_backlog(service: &Service, sandbox: &sandbox::Sandbox) {
    let client = service.client();
    let empty = async || (client.waiting().await? == 0).then_some(());
    wait::until("an empty queue", WAIT_TIMEOUT, empty).await;
    assert!(sandbox.stats().sends > 0);
}
