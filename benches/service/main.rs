//! How fast the service is, beside what people would build from a queue and a framework: `benches/run`.
//!
//! Measures programs as `pixcourier bench` does, and prints a table: the median of the rounds, their spread, and the ratio to
//! the peer (`benches/peer`: Fastify, BullMQ and grammY on a Redis that waits for the disk). All takes turns in one run, since
//! the speed of a machine drifts.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a benchmark that cannot run should say so loudly")]

mod peer;

use peer::Peer;
use pixcourier::bench::effort::Effort;
use pixcourier::bench::measures::Measure;
use pixcourier::bench::subject::{Pixcourier, Subject, temporary_folder};
use pixcourier::bench::table::Table;
use std::env::var;

#[tokio::main]
async fn main() {
    if !std::env::args().any(|argument| argument == "run") {
        println!("The service beside its peer is measured by benches/run: ten minutes, RabbitMQ, Redis and Node.js.");
        return;
    }
    let rounds: usize = var("PIXCOURIER_BENCH_ROUNDS").map_or(3, |rounds| rounds.parse().unwrap());
    let only = var("PIXCOURIER_BENCH_ONLY").unwrap_or_default();
    let (subjects, below) = (subjects(), temporary_folder(&std::env::temp_dir()).unwrap());
    let mut table = Table::default();
    for round in 1..=rounds {
        for measure in Measure::ALL.into_iter().filter(|measure| measure.name().contains(&only)) {
            for subject in &subjects {
                let taken = measure.take(&**subject, below.path(), Effort::FULL).await.unwrap();
                eprintln!("round {round}: {}, {}: {taken:.1?}", measure.name(), subject.name());
                table.add(measure.name(), measure.units(), subject.name(), &taken);
            }
        }
    }
    println!("{}", table.compare(|row, other| row.what == other.what && other.who == Peer::NAME));
}

/// Those that can be measured here; the peer last.
fn subjects() -> Vec<Box<dyn Subject>> {
    let program = var("PIXCOURIER_TEST_PROGRAM").unwrap_or(env!("CARGO_BIN_EXE_pixcourier").to_owned());
    let brokers = ["AMQP_URL", "REDIS_URL"].map(|name| {
        let url = var(format!("PIXCOURIER_TEST_{name}")).ok()?;
        Some((format!("PIXCOURIER_{name}"), url))
    });
    let mut all: Vec<Box<dyn Subject>> = vec![Box::new(Pixcourier::new(program.clone().into(), &[].into()).unwrap())];
    if let [Some(amqp), Some(redis)] = brokers {
        all.push(Box::new(Pixcourier::new(program.into(), &[amqp, redis].into()).unwrap()));
    }
    if let Ok(modules) = var("PIXCOURIER_BENCH_PEER") {
        all.push(Box::new(Peer::new(modules.into())));
    }
    all
}
