//! Each chat gets its messages in the order in which they were accepted, whatever happens on the way.

use super::installation::{End, Installation};
use super::{WAIT_TIMEOUT, judge, on_both_engines, posting, scale};
use crate::sandbox::{self, FaultRule, InjectedFault, Sandbox};
use crate::service::Engine;
use crate::wait;
use pixcourier::sandbox::FaultMatch;
use std::collections::BTreeMap;
use std::time::Duration;

const DEEP_CHAT: i64 = 999;
const GROUP: i64 = -500;
const MIGRATED_GROUP: i64 = -1_001_000_000_500;

#[tokio::test(flavor = "multi_thread")]
async fn a_deep_mixed_lane_keeps_its_order_through_kills_stops_and_a_migration() {
    on_both_engines(keep_order).await;
}

/// One chat has far more than the courier holds, so most of it must wait elsewhere, and more comes all the time. Who owns
/// the bot after the kill may send faster, so the turn of what waits elsewhere comes sooner than was thought.
async fn keep_order(engine: Engine) {
    let (bot_rate, chat_rate, faster) = scale((100, 12, 60), (60, 5, 10));
    let (deep, others, each) = scale((110, 20, 8), (1500, 200, 60));
    let (later, between) = scale((20, 30), (60, 1000));
    let sandbox = sandbox::start();
    let mut installation = Installation::start("order", engine.clone(), &sandbox.url(), |service| {
        service.set("BOT_RATE", &bot_rate.to_string());
        service.set("CHAT_RATE", &chat_rate.to_string());
    })
    .await;
    installation.change(|service| service.set("CHAT_RATE", &faster.to_string())).await;
    let mut ids = BTreeMap::new();
    let mut phases = Vec::new();
    let mut posted = 0;
    for phase in ["no fault", "kill", "stop", "migration"] {
        phases.push((phase, judge::now_ms()));
        match phase {
            "kill" => installation.end_owner(End::Killed).await,
            "stop" => installation.end_owner(End::Stopped).await,
            "migration" => migrate(&sandbox),
            _ => {}
        }
        let (to_deep, to_others) = if posted == 0 { (deep, each) } else { (later, later / 10) };
        let all = (1000..1000 + others).chain([GROUP]).map(|chat| (chat, posted..posted + to_others));
        let all = all.chain([(DEEP_CHAT, posted..posted + to_deep)]);
        ids.extend(posting::post(&installation.client(), all, posting::plain).await);
        posted += to_deep.max(to_others);
        let sent = sandbox.stats().sends;
        let flows = async || sandbox.stats().sends >= (sent + between).min(ids.len() as u64 - 10);
        wait::until_true("traffic", WAIT_TIMEOUT, flows).await;
    }
    let arrivals = judge::all_arrived(&sandbox, &ids, scale(WAIT_TIMEOUT, Duration::from_secs(1200))).await;
    let breaks = judge::order_breaks(&arrivals);
    let of_phase = |index: usize| {
        let until = phases.get(index + 1).map_or(u64::MAX, |(_, at)| *at);
        breaks.iter().filter(|late| (phases[index].1..until).contains(&late.at_ms)).count()
    };
    let by_phase: Vec<_> = (0..phases.len()).map(|index| format!("{} {}", phases[index].0, of_phase(index))).collect();
    println!(
        "order, {}: {} messages, lost 0, duplicated {}, order breaks {} ({})",
        engine.name(),
        ids.len(),
        judge::duplicates(&arrivals),
        breaks.len(),
        by_phase.join(", "),
    );
    assert!(breaks.is_empty(), "order breaks: {:?}", &breaks[..breaks.len().min(10)]);
}

fn migrate(sandbox: &Sandbox) {
    let matching = FaultMatch { chat_id: Some(GROUP), ..FaultMatch::default() };
    sandbox.add_fault(FaultRule { matching, fault: InjectedFault::Migrated { to: MIGRATED_GROUP } }).unwrap();
}
