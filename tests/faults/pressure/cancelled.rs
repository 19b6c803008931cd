//! What is not sent costs nothing of the rate.

use super::{WAIT_TIMEOUT, judge, on_both_engines, posting};
use crate::service::{Engine, Service};
use crate::{sandbox, wait};
use futures_util::stream::{self, StreamExt};
use std::time::Duration;

const CANCELLED: i64 = 600;
const STRANGER: i64 = 77;
/// What its message may take then, in seconds.
const MOST: f64 = 3.0;

#[tokio::test(flavor = "multi_thread")]
async fn six_hundred_cancelled_ones_do_not_delay_a_stranger() {
    on_both_engines(cancel).await;
}

async fn cancel(engine: Engine) {
    let sandbox = sandbox::start();
    let mut service = Service::new("cancelled", engine.clone(), &sandbox.url());
    service.set("BOT_RATE", "30");
    service.set("CHAT_RATE", "1");
    service.start().await;
    let client = service.client();
    let ids = posting::post(&client, (1000..1000 + CANCELLED).map(|chat| (chat, 0..1)), posting::plain).await;
    // The last ones first: the others are being sent.
    let cancels = stream::iter(ids.values().rev()).map(|id| client.cancel(id)).buffer_unordered(16);
    let cancelled = cancels.filter(|answer| std::future::ready(answer.as_ref().is_ok_and(|it| it.status == 200)));
    let cancelled = cancelled.count().await as i64;
    let posted_at = judge::now_ms();
    posting::post_one(&client, &posting::plain(STRANGER, 0)).await;
    let at_ms = wait::until("the stranger's message", WAIT_TIMEOUT, async || {
        judge::arrivals(&sandbox).iter().find(|arrival| arrival.chat == STRANGER).map(|arrival| arrival.at_ms)
    });
    let took = (at_ms.await - posted_at) as f64 / 1000.0;
    println!("cancelled, {}: {cancelled} ahead of a stranger, whose message took {took:.2} s", engine.name());
    assert!(cancelled > CANCELLED / 2, "only {cancelled} could be cancelled");
    assert!(took <= MOST, "{took:.1} s, {MOST} s at most");
    // None that was cancelled may come after all.
    wait::until_true("an empty queue", Duration::from_secs(60), async || client.waiting().await == Some(0)).await;
    assert_eq!(sandbox.stats().sends as i64, CANCELLED - cancelled + 1);
}
