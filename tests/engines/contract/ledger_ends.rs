//! The contract of [`Ledger`] about what is lost.

use super::{bot, notification};
use pixcourier::domain::{BotName, Notification, Record, RecordUpdate, Status, Timestamp};
use pixcourier::ports::{Begin, BeginConditions, Ledger};
use std::sync::Arc;
use std::time::Duration;

/// Runs every check.
pub async fn suite(ledger: &Arc<dyn Ledger>) {
    what_is_open_long_after_it_expired_ends_as_unknown(ledger).await;
    very_many_are_ended_in_steps(ledger).await;
}

async fn settle(ledger: &Arc<dyn Ledger>, notification: &Notification, status: Status, at: Timestamp) {
    assert!(ledger.settle(notification, &RecordUpdate::of(status, at)).await.expect("settle"), "{status:?}");
}

async fn record(ledger: &Arc<dyn Ledger>, notification: &Notification) -> Record {
    ledger.get(notification.id).await.expect("get").expect("recorded")
}

/// Step by step until nothing is left; whose they were, and how they ended.
async fn end_lost(ledger: &Arc<dyn Ledger>, before: Timestamp, at: Timestamp) -> Vec<Vec<(BotName, Status)>> {
    let mut steps = Vec::new();
    loop {
        let bots = ledger.end_lost(before, at).await.expect("end_lost");
        if bots.is_empty() {
            return steps;
        }
        steps.push(bots);
    }
}

fn expiring(name: &BotName, accepted_at: Timestamp, expires_at: Timestamp) -> Notification {
    Notification { accepted_at, expires_at, ..notification(name, 1) }
}

/// Whatever it was doing; with a reason, and then it is swept like any other.
async fn what_is_open_long_after_it_expired_ends_as_unknown(ledger: &Arc<dyn Ledger>) {
    let name = bot("l-lost");
    let start = Timestamp::from_unix_millis(300_000_000_000);
    let hour = |number: u32| start.plus(Duration::from_secs(3600) * number);
    let mut lost = Vec::new();
    for status in Status::ALL.into_iter().filter(|status| !status.is_final()) {
        let one = expiring(&name, hour(0), hour(1));
        settle(ledger, &one, status, hour(0)).await;
        lost.push(one);
    }
    let begun = expiring(&name, hour(0), hour(1));
    ledger.begin(&begun, hour(0), &BeginConditions::NONE).await.expect("begin");
    lost.push(begun);
    let (ended, valid) = (expiring(&name, hour(0), hour(1)), expiring(&name, hour(0), hour(3)));
    settle(ledger, &ended, Status::Queued, hour(0)).await;
    settle(ledger, &ended, Status::Sent, hour(1)).await;
    settle(ledger, &valid, Status::Retrying, hour(0)).await;

    assert!(end_lost(ledger, hour(1), hour(2)).await.is_empty(), "none has expired before its last hour");
    let just_after = hour(1).plus(Duration::from_millis(1));
    assert_eq!(end_lost(ledger, just_after, hour(2)).await.concat(), vec![(name, Status::Unknown); lost.len()]);
    for one in &lost {
        let record = record(ledger, one).await;
        let expected = RecordUpdate::lost(hour(2));
        assert_eq!((record.status, record.updated_at), (Status::Unknown, hour(2)));
        assert_eq!((record.failure, record.next_attempt_at), (expected.failure, None));
        let begun = ledger.begin(one, hour(2), &BeginConditions::NONE).await.expect("begin");
        assert_eq!(begun, Begin::Skip(Status::Unknown), "should it come after all, it is acked");
    }
    assert_eq!(record(ledger, &ended).await.status, Status::Sent);
    assert_eq!(record(ledger, &valid).await.status, Status::Retrying);
    settle(ledger, &valid, Status::Sent, hour(3)).await;
    let swept = ledger.sweep(hour(4)).await.expect("sweep");
    assert_eq!(swept, lost.len() as u64 + 2);
}

/// Others must have their turn in between.
async fn very_many_are_ended_in_steps(ledger: &Arc<dyn Ledger>) {
    let name = bot("l-lost");
    let start = Timestamp::from_unix_millis(200_000_000_000);
    for _ in 0..1_100 {
        settle(ledger, &expiring(&name, start, start), Status::Queued, start).await;
    }
    let later = start.plus(Duration::from_secs(1));
    let steps = end_lost(ledger, later, later).await;
    assert!(steps.len() > 1 && steps.concat().len() == 1_100, "{} steps", steps.len());
    ledger.sweep(later.plus(Duration::from_secs(1))).await.expect("sweep");
}
