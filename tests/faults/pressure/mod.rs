//! What the service promises under pressure: fair, in order, within Telegram's limits, whatever else happens. The Bot API on
//! the other side counts where requests arrive.
//!
//! Every scenario has a short form, which runs with the other fault tests and fails when the promise is broken, and a long
//! one, with the numbers of docs/guarantees.md: `make pressure`, or `PIXCOURIER_PRESSURE=long` and a test's name.

mod at_most_once;
mod cancelled;
mod due_at_once;
mod fairness;
mod flood_waits;
mod installation;
mod judge;
mod limits;
mod many;
mod operations;
mod order;
mod outage;
mod posting;
mod redis_away;

use crate::service::Engine;
use futures_util::FutureExt;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::time::Duration;

/// How long anything may take that has no time of its own.
const WAIT_TIMEOUT: Duration = Duration::from_secs(60);
/// What the Bot API lets a bot send in a second, and what the services are told to.
const BOT_RATE: u64 = 30;

/// Which of two belongs to the form that runs.
fn scale<T>(short: T, long: T) -> T {
    if is_long() { long } else { short }
}

fn is_long() -> bool {
    std::env::var("PIXCOURIER_PRESSURE").is_ok_and(|form| form == "long")
}

/// Runs a scenario on both engines, each to its end: at the same time in the short form, so that nobody waits long, and alone
/// in the long one, whose figures are kept.
async fn on_both_engines(scenario: impl AsyncFn(Engine)) {
    let run = async |engine| AssertUnwindSafe(scenario(engine)).catch_unwind().await;
    let ends = if is_long() {
        [run(Engine::Embedded).await, run(Engine::shared()).await]
    } else {
        tokio::join!(run(Engine::Embedded), run(Engine::shared())).into()
    };
    for end in ends {
        end.unwrap_or_else(|panic| resume_unwind(panic));
    }
}
