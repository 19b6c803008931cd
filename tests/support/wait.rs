//! Waiting for something to become true, with a deadline.

use std::fmt::Display;
use std::time::{Duration, Instant};

/// How long what must happen may take, on a slow machine with busy brokers.
pub const WAIT_TIMEOUT: Duration = Duration::from_secs(60);
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Asks until there is an answer, and returns it; panics when it takes too long.
pub async fn until<T>(what: &str, timeout: Duration, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    until_ok(what, timeout, async || ask().await.ok_or("not yet")).await
}

/// Asks until it is so; panics when it takes too long.
pub async fn until_true(what: &str, timeout: Duration, mut ask: impl AsyncFnMut() -> bool) {
    until(what, timeout, async || ask().await.then_some(())).await;
}

/// Asks until it goes well, and returns what came of it; panics with the last error when it takes too long.
pub async fn until_ok<T, E: Display>(what: &str, timeout: Duration, mut ask: impl AsyncFnMut() -> Result<T, E>) -> T {
    let deadline = Instant::now() + timeout;
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(error) if Instant::now() >= deadline => {
                panic!("waited {} s in vain for {what}: {error}", timeout.as_secs())
            }
            Err(_) => tokio::time::sleep(POLL_INTERVAL).await,
        }
    }
}
