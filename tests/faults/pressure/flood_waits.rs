//! Nothing is sent to a chat for as long as Telegram asked it to wait, whoever owns the bot by then.

use super::installation::{End, Installation};
use super::{WAIT_TIMEOUT, judge, on_both_engines, posting, scale};
use crate::sandbox::{self, FaultRule, InjectedFault};
use crate::service::Engine;
use crate::wait;
use pixcourier::sandbox::FaultMatch;
use std::collections::BTreeMap;
use std::time::Duration;

const TEXTS: u64 = 3;

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_wait_is_kept_through_kills_and_stops() {
    on_both_engines(keep_waiting).await;
}

/// Two chats are asked to wait, one of them for longer than a courier holds what it cannot send. Two flood waits within
/// seconds would stop the whole bot, and hide what is asked here; so the second comes later.
async fn keep_waiting(engine: Engine) {
    const FLOODS_APART: Duration = Duration::from_secs(6);
    let waits: [(i64, u64); 2] = scale([(1001, 6), (1002, 6)], [(1001, 20), (1002, 75)]);
    let sandbox = sandbox::start();
    let mut installation = Installation::start("flood-waits", engine.clone(), &sandbox.url(), |service| {
        service.set("BOT_RATE", "30");
        service.set("CHAT_RATE", "1");
    })
    .await;
    let mut told = Vec::new();
    let mut ids = BTreeMap::new();
    for ((chat, retry_after), end) in waits.into_iter().zip([End::Killed, End::Stopped]) {
        let matching = FaultMatch { chat_id: Some(chat), ..FaultMatch::default() };
        let fault = InjectedFault::Flood { retry_after, as_400: false, delay_ms: 0 };
        sandbox.add_fault(FaultRule { matching, fault }).unwrap();
        let client = installation.client();
        let refused = sandbox.stats().too_many_requests;
        ids.extend(posting::post(&client, [(chat, 0..TEXTS)], posting::plain).await);
        wait::until_true("a 429", WAIT_TIMEOUT, async || sandbox.stats().too_many_requests > refused).await;
        told.push((chat, retry_after, judge::now_ms()));
        // Once the record tells it, it is known for good.
        let first = format!("/v1/notifications/{}", ids[&posting::text(chat, 0)]);
        let recorded = async || client.get(&first).await.is_ok_and(|it| it.json()["attempts"][0]["error_code"] == 429);
        wait::until_true("the attempt in the record", WAIT_TIMEOUT, recorded).await;
        installation.end_owner(end).await;
        if told.len() == 1 {
            // Longer than two flood waits may be apart to count as one of the bot.
            tokio::time::sleep(FLOODS_APART.saturating_sub(Duration::from_millis(judge::now_ms() - told[0].2))).await;
        }
    }
    let timeout = WAIT_TIMEOUT + Duration::from_secs(waits[1].1);
    let arrivals = judge::all_arrived(&sandbox, &ids, timeout).await;
    let kept = told.iter().map(|(chat, retry_after, at)| {
        let first = arrivals.iter().find(|arrival| arrival.chat == *chat).unwrap();
        format!("told {retry_after} s, sent after {:.1} s", (first.at_ms - at) as f64 / 1000.0)
    });
    let kept: Vec<_> = kept.collect();
    let (breaks, violations) = (judge::order_breaks(&arrivals), sandbox.stats().violations);
    println!(
        "flood waits, {}: {} (killed, then stopped meanwhile); {violations} requests before their time, order breaks {}",
        engine.name(),
        kept.join(", "),
        breaks.len(),
    );
    assert_eq!(violations, 0);
    assert!(breaks.is_empty(), "{breaks:?}");
}
