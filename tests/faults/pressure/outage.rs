//! Telegram is away, and what waits keeps its order.

use super::installation::Installation;
use super::{BOT_RATE, WAIT_TIMEOUT, judge, posting, scale};
use crate::service::Engine;
use crate::support::Proxy;
use crate::{sandbox, wait};
use std::time::Duration;

const CHATS: i64 = 40;

/// Both engines at once in both forms: hardly anything is to be done meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_telegram_changes_no_order() {
    tokio::join!(sit_out(Engine::Embedded), sit_out(Engine::shared()));
}

async fn sit_out(engine: Engine) {
    let (outage, each) = scale((Duration::from_secs(4), 3), (Duration::from_secs(1_500), 40));
    let sandbox = sandbox::start();
    let port = sandbox.addr().port();
    let telegram = Proxy::to(port).await;
    let bot_api = telegram.url(&sandbox.url(), port);
    let installation = Installation::start("outage", engine.clone(), &bot_api, |service| {
        service.set("BOT_RATE", &BOT_RATE.to_string());
        service.set("CHAT_RATE", "5");
    })
    .await;
    let client = installation.client();
    let chats = |numbers: std::ops::Range<u64>| (1000..1000 + CHATS).map(move |chat| (chat, numbers.clone()));
    let mut ids = posting::post(&client, chats(0..each), posting::plain).await;
    wait::until_true("traffic", WAIT_TIMEOUT, async || sandbox.stats().sends > 30).await;
    telegram.cut();
    // How long it is away is what is tried.
    tokio::time::sleep(outage).await;
    telegram.restore();
    let back = judge::now_ms();
    ids.extend(posting::post(&client, chats(each..each + 2), posting::plain).await);
    let arrivals = judge::all_arrived(&sandbox, &ids, Duration::from_secs(300)).await;
    let breaks = judge::order_breaks(&arrivals);
    let first = arrivals.iter().map(|arrival| arrival.at_ms).find(|at| *at >= back).unwrap_or(back);
    println!(
        "Telegram away {} s, {}: {} messages, lost 0, duplicated {}, order breaks {}, the first one {:.1} s after its return",
        outage.as_secs(),
        engine.name(),
        ids.len(),
        judge::duplicates(&arrivals),
        breaks.len(),
        (first - back) as f64 / 1000.0,
    );
    assert!(breaks.is_empty(), "order breaks: {:?}", &breaks[..breaks.len().min(10)]);
}
