//! How long it takes to find the deepest chats. `PIXCOURIER_BACKLOG_COUNT=100000 cargo test --test suite -- deep_backlog --nocapture`
//! (with brokers) is the measured form.

use crate::engines::acceptor::Outbox;
use crate::engines::contract::{WAIT_TIMEOUT, bot, notification, open_embedded};
use crate::support::redis_url;
use crate::support::wait::until_ok;
use futures_util::StreamExt;
use futures_util::stream;
use pixcourier::adapters::redis::{DistributedAcceptor, RedisLedger, WriteBehindLedger};
use pixcourier::ports::{Acceptor, Ledger, MAX_TALLIED, Submission};
use std::sync::Arc;
use std::time::{Duration, Instant};

const CHATS: u64 = 1_000;

fn count() -> u64 {
    let asked = std::env::var("PIXCOURIER_BACKLOG_COUNT").ok();
    asked.map_or(4_000, |count| count.parse().expect("a number"))
}

/// Fills a bot, so that chat n has as many as n, and asks.
async fn ask(acceptor: Arc<dyn Acceptor>, ledger: Arc<dyn Ledger>, engine: &str) {
    let (name, count) = (bot("backlog"), count());
    // The chats' shares grow evenly.
    let pairs = (1..=CHATS).flat_map(|chat| std::iter::repeat_n(chat, (2 * chat * count / (CHATS * CHATS)) as usize));
    let chats: Vec<u64> = pairs.collect();
    let filling = stream::iter(&chats).map(|chat| {
        let (acceptor, notification) = (&acceptor, notification(&name, chat.cast_signed()));
        async move { acceptor.accept(&Submission { notification, idempotency: None }).await.expect("accepted") }
    });
    filling.buffer_unordered(32).for_each(async |_| {}).await;
    until_ok("the ledger", WAIT_TIMEOUT, async || ledger.deepest_chats(&name, 1).await).await;
    let mut took = Duration::MAX;
    for _ in 0..3 {
        let began = Instant::now();
        let deepest = ledger.deepest_chats(&name, 20).await.expect("deepest");
        took = took.min(began.elapsed());
        assert_eq!(deepest.open, chats.len() as u64);
        let first = &deepest.chats[0];
        let exact = chats.iter().filter(|chat| chat.to_string() == first.chat.to_string()).count() as f64;
        let told = first.open.total() as f64;
        if deepest.open <= MAX_TALLIED {
            assert_eq!((deepest.looked_at, told), (deepest.open, exact), "all of it");
        } else {
            assert!((told / exact - 1.0).abs() < 0.5, "{told} of {exact}, from {}", deepest.looked_at);
        }
    }
    println!("{engine}: the 20 deepest of {CHATS} chats with {} open in {took:?}", chats.len());
    assert!(took < Duration::from_secs(20), "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deep_backlog_is_looked_through_on_the_embedded_engine() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let engine = open_embedded(folder.path()).expect("open");
    ask(engine.ports.acceptor.clone(), engine.ports.ledger.clone(), "embedded").await;
    engine.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deep_backlog_is_looked_through_on_redis() {
    let ledger =
        RedisLedger::new(&redis_url().into(), &format!("test-{:08x}", fastrand::u32(..))).expect("a valid URL");
    let ledger = WriteBehindLedger::new(Arc::new(ledger));
    let acceptor = Arc::new(DistributedAcceptor::new(Arc::new(Outbox::default()), ledger.clone()));
    ask(acceptor, ledger, "Redis").await;
}
