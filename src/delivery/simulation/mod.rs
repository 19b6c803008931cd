//! The engine under paused time: real couriers and their attempts over servers that answer late, fail, lose connections
//! and crash. Minutes of traffic take milliseconds. It stands beside the tests with real brokers, not in their place.
//!
//! A world is drawn from a seed ([`plan`]), happens ([`world`]), and is judged by what callers and Telegram would see
//! ([`judge`]). The servers ([`queue`], [`ledger`], [`telegram`]) are models in plain Rust; [`link`] makes them late and
//! unreliable, [`ports`] and [`messenger`] make them what a courier knows.
//!
//! A world that fails is named by its seed. `SIMULATION_SEED=17 cargo test --lib simulation -- --nocapture` lets it happen
//! again and prints all of it; `SIMULATION_WORLDS` is how many worlds there are; with `SIMULATION_RULES=all` the rules in
//! [`UNMET`] count too.

mod judge;
mod ledger;
mod limits;
mod link;
mod messenger;
mod plan;
mod ports;
mod queue;
mod state;
mod telegram;
mod unused;
mod world;

use judge::{Rule, Violation};
use plan::Plan;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use world::simulate;

/// Rules that the engine is known to break. They are counted and told, and fail a test only if `SIMULATION_RULES=all`.
const UNMET: &[Rule] = &[
    // A new owner does not know what the one before has sent, nor what Telegram has asked it for.
    Rule::GroupLimit,
    Rule::FloodWait,
    // Limits of chats are counted at dispatch, and what a late ledger holds up leaves in a bunch.
    Rule::PrivateLimit,
    Rule::BotLimit,
    // What was put back into the queue returns late, or to an owner that does not wait for it.
    Rule::Order,
    // Who waits fills the window.
    Rule::Starved,
    // The mark of an attempt stays when the bot is lost before its request leaves.
    Rule::Doubt,
    // The expiry is looked at before the ledger answers.
    Rule::Expired,
];

fn fails(violation: &Violation) -> bool {
    !UNMET.contains(&violation.rule) || std::env::var("SIMULATION_RULES").is_ok_and(|rules| rules == "all")
}

/// How many small worlds there are.
const WORLDS: u64 = 10_000;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

/// What was found in a world, in the order of its time.
fn told(seed: u64, violations: &[Violation]) -> String {
    let lines = violations.iter().map(|it| format!("  {:?} at {:.3} s: {}", it.rule, it.at.as_secs_f64(), it.what));
    format!("world {seed}:\n{}\n", lines.collect::<Vec<_>>().join("\n"))
}

#[test]
fn whatever_happens_in_a_world_the_promises_hold() {
    if let Some(seed) = number("SIMULATION_SEED") {
        let outcome = simulate(seed, Plan::small, true);
        println!("{}\n{}", outcome.trace.join("\n"), told(seed, &outcome.violations));
        assert!(!outcome.violations.iter().any(fails), "world {seed}");
        return;
    }
    let worlds = number("SIMULATION_WORLDS").unwrap_or(WORLDS);
    let (next, arrivals, lasted) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let failed: Mutex<BTreeMap<u64, Vec<Violation>>> = Mutex::default();
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= worlds {
                return;
            }
            let outcome = simulate(seed, Plan::small, false);
            arrivals.fetch_add(outcome.arrivals, Ordering::Relaxed);
            lasted.fetch_add(outcome.lasted.as_secs(), Ordering::Relaxed);
            if !outcome.violations.is_empty() {
                failed.lock().expect("no panic").insert(seed, outcome.violations);
            }
        }
    };
    let began = std::time::Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    let (arrivals, hours) = (arrivals.into_inner(), lasted.into_inner() / 3600);
    println!("{worlds} worlds, {hours} hours, {arrivals} requests, in {:?}", began.elapsed());
    let mut failed = failed.into_inner().expect("no panic");
    let mut rules: BTreeMap<Rule, Vec<u64>> = BTreeMap::new();
    for (seed, violations) in &failed {
        for violation in violations {
            let seeds = rules.entry(violation.rule).or_default();
            if seeds.last() != Some(seed) {
                seeds.push(*seed);
            }
        }
    }
    for (rule, seeds) in &rules {
        println!("{rule:?}: {} worlds, {:?}", seeds.len(), &seeds[..seeds.len().min(12)]);
    }
    failed.retain(|_, violations| violations.iter().any(fails));
    let first: Vec<_> = failed.iter().take(5).map(|(seed, violations)| told(*seed, violations)).collect();
    assert!(failed.is_empty(), "{} of {worlds} worlds failed\n{}", failed.len(), first.join("\n"));
}
