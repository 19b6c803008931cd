//! The contract of [`Operations`].

use super::eventually;
use pixcourier::domain::{Filter, Operation, OperationId, OperationKind, Progress, Timestamp};
use pixcourier::ports::{Created, Idempotency, Operations};
use std::sync::Arc;
use std::time::Duration;

const LEASE: Duration = Duration::from_secs(60);

/// Runs every check; there must be no operations yet.
pub async fn suite(operations: Arc<dyn Operations>) {
    let operations = &*operations;
    one_is_made_once_for_a_key(operations).await;
    one_is_worked_on_by_one_holder_until_it_is_finished(operations).await;
    a_lease_that_ends_lets_another_go_on(operations).await;
    what_was_finished_is_swept_after_a_while(operations).await;
}

fn operation() -> Operation {
    let filter = Filter { tag: Some("a \"tag\"".to_owned()), ..Filter::default() };
    let (kind, created_at) = (OperationKind::Retry, Timestamp::now());
    let (id, progress) = (OperationId::new(), Progress::default());
    Operation { id, kind, client: None, filter, skip_resent: true, created_at, progress }
}

/// Ends one, so that it is not in the way of the next check.
async fn finish(operations: &dyn Operations, mut operation: Operation, holder: &str) {
    operation.progress.finished_at = Some(Timestamp::now());
    assert!(operations.save(&operation, holder, LEASE).await.expect("save"));
}

async fn one_is_made_once_for_a_key(operations: &dyn Operations) {
    let (first, second) = (operation(), operation());
    let key = |fingerprint: &str| Idempotency { key: "o:key".to_owned(), fingerprint: fingerprint.to_owned() };
    assert_eq!(operations.get(first.id).await.expect("get"), None);
    assert_eq!(operations.create(&first, Some(&key("a"))).await.expect("create"), Created::New);
    assert_eq!(operations.get(first.id).await.expect("get"), Some(first.clone()));
    let again = operations.create(&second, Some(&key("a"))).await.expect("create");
    assert_eq!(again, Created::Earlier(Box::new(first.clone())));
    assert_eq!(operations.create(&second, Some(&key("b"))).await.expect("create"), Created::KeyReused);
    assert_eq!(operations.create(&second, None).await.expect("create"), Created::New);
    assert_eq!(operations.list(10).await.expect("list"), [second.clone(), first.clone()], "newest first");
    assert_eq!(operations.list(1).await.expect("list"), std::slice::from_ref(&second));
    for expected in [first, second] {
        let taken = operations.take("a", LEASE).await.expect("take").expect("one is open");
        assert_eq!(taken, expected, "the oldest first");
        finish(operations, taken, "a").await;
    }
}

async fn one_is_worked_on_by_one_holder_until_it_is_finished(operations: &dyn Operations) {
    let mut one = operation();
    operations.create(&one, None).await.expect("create");
    assert_eq!(operations.take("a", LEASE).await.expect("take"), Some(one.clone()));
    assert_eq!(operations.take("b", LEASE).await.expect("take"), None);
    assert_eq!(operations.take("a", LEASE).await.expect("take"), Some(one.clone()), "it is the holder's");
    one.progress.matched = 7;
    assert!(!operations.save(&one, "b", LEASE).await.expect("save"), "not the holder");
    assert!(operations.save(&one, "a", LEASE).await.expect("save"));
    assert_eq!(operations.get(one.id).await.expect("get"), Some(one.clone()));
    finish(operations, one.clone(), "a").await;
    assert_eq!(operations.take("a", LEASE).await.expect("take"), None);
    assert!(!operations.save(&one, "a", LEASE).await.expect("save"), "what is finished stays so");
    let kept = operations.get(one.id).await.expect("get").expect("it is kept");
    assert!(kept.progress.finished_at.is_some());
}

async fn a_lease_that_ends_lets_another_go_on(operations: &dyn Operations) {
    let one = operation();
    operations.create(&one, None).await.expect("create");
    assert!(operations.take("a", Duration::from_millis(50)).await.expect("take").is_some());
    eventually("the lease has ended", true, async || operations.take("b", LEASE).await.expect("take").is_some()).await;
    assert!(!operations.save(&one, "a", LEASE).await.expect("save"), "it has lost it");
    finish(operations, one, "b").await;
}

async fn what_was_finished_is_swept_after_a_while(operations: &dyn Operations) {
    let before = operations.list(100).await.expect("list").len();
    let open = operation();
    operations.create(&open, None).await.expect("create");
    let later = Timestamp::now().plus(Duration::from_secs(1));
    let swept = operations.sweep(later.minus(Duration::from_secs(3600))).await.expect("sweep");
    assert_eq!(swept, 0, "nothing ended so long ago");
    assert_eq!(operations.sweep(later).await.expect("sweep"), before as u64);
    assert_eq!(operations.list(100).await.expect("list"), [open]);
}
