//! What is written and read for each notification: it itself as JSON, which is the body of its message on RabbitMQ and of its
//! row in SQLite, and its record.
#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark that cannot run should say so loudly")]

#[path = "shared/notification.rs"]
mod notification;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use pixcourier::domain::{Attempt, AttemptOutcome, Notification, Record, RecordUpdate, Status, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;

fn codecs(criterion: &mut Criterion) {
    let notification = notification::photo(1);
    both_ways::<Notification>(criterion, "notification (a message on RabbitMQ)", &notification);
    let mut record = Record::accepted(notification);
    let at = Timestamp::now();
    let attempt = Attempt { outcome: AttemptOutcome::Sent, reason: None, duration_ms: 80, ..Attempt::interrupted(at) };
    let file_id = Some("AgACAgIAAxkBAAIBQmY0".to_owned());
    record.apply(RecordUpdate {
        attempt: Some(attempt),
        message_id: Some(17),
        file_id,
        ..RecordUpdate::of(Status::Sent, at)
    });
    both_ways::<Record>(criterion, "record", &record);
}

fn both_ways<T: Serialize + DeserializeOwned>(criterion: &mut Criterion, name: &str, value: &T) {
    let json = serde_json::to_vec(value).unwrap();
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Bytes(json.len() as u64));
    group.bench_function("to JSON", |bencher| bencher.iter(|| serde_json::to_vec(value).unwrap()));
    group.bench_function("from JSON", |bencher| bencher.iter(|| serde_json::from_slice::<T>(&json).unwrap()));
}

criterion_group!(benches, codecs);
criterion_main!(benches);
