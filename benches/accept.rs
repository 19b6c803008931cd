//! The accept path on the embedded engine: each accept waits for the disk, and many at once share the wait (group commit).
#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark that cannot run should say so loudly")]

#[path = "shared/notification.rs"]
mod notification;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use futures_util::future::join_all;
use pixcourier::app::open_embedded;
use pixcourier::ports::Submission;
use std::time::Duration;
use tokio::runtime::Runtime;

fn accept(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    // On the disk that is built on: the system's own folder for what is temporary is often in memory.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let engine = runtime.block_on(async { open_embedded(folder.path(), Duration::from_secs(86_400)).unwrap() });
    let acceptor = &engine.ports.acceptor;
    let accept = || async move {
        let submission = Submission { notification: notification::photo(1), idempotency: None };
        acceptor.accept(&submission).await.unwrap();
    };
    let mut group = criterion.benchmark_group("accept");
    for at_once in [1, 64] {
        group.throughput(Throughput::Elements(at_once));
        group.bench_function(format!("{at_once} at once"), |bencher| {
            bencher.to_async(&runtime).iter(|| join_all((0..at_once).map(|_| accept())));
        });
    }
    group.finish();
    runtime.block_on(engine.close());
}

criterion_group!(benches, accept);
criterion_main!(benches);
