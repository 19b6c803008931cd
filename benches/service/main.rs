//! How fast the service is, beside what people would build from a queue and a framework: `benches/run`.
//!
//! Drives programs over HTTP as their callers would, with a Bot API of its own that answers at once, and prints a table: the
//! median of the rounds, their spread, and the ratio to the peer (`benches/peer`: Fastify, BullMQ and grammY on a Redis that
//! waits for the disk). All takes turns in one run, since the speed of a machine drifts.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a benchmark that cannot run should say so loudly")]

#[path = "../../tests/support/images.rs"]
mod images;
mod load;
mod measures;
mod stub;
mod subject;
mod table;

use measures::Measure;
use subject::Subject;
use table::Table;

#[tokio::main]
async fn main() {
    let rounds: usize = std::env::var("PIXCOURIER_BENCH_ROUNDS").map_or(3, |rounds| rounds.parse().unwrap());
    let only = std::env::var("PIXCOURIER_BENCH_ONLY").unwrap_or_default();
    let subjects = Subject::all();
    let mut table = Table::new();
    for round in 1..=rounds {
        for measure in Measure::ALL.into_iter().filter(|measure| measure.name().contains(&only)) {
            for subject in &subjects {
                let taken = measure.of(subject).await;
                eprintln!("round {round}: {}, {}: {taken:.1?}", measure.name(), subject.name());
                table.add(measure, subject.name(), taken);
            }
        }
    }
    println!("{table}");
}
