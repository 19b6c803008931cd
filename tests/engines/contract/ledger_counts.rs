//! The contract of [`Ledger::count_open`], and what it tells of what an [`Acceptor`] takes in.

use super::{bot, in_lane};
use pixcourier::domain::{BotName, Lane, Notification, RecordUpdate, Status, Timestamp};
use pixcourier::ports::{Acceptor, BeginConditions, Cancelled, Ledger, Resubmitted, Submission};
use std::sync::Arc;

/// How many are open, by lane and status.
type Counted = [[u64; Status::OPEN.len()]; Lane::ALL.len()];

async fn counted(ledger: &Arc<dyn Ledger>, bots: &[BotName]) -> Vec<Counted> {
    let told = ledger.count_open(bots).await.expect("count_open");
    told.iter().map(|counts| Lane::ALL.map(|lane| Status::OPEN.map(|status| counts.lane(lane).get(status)))).collect()
}

/// What should be counted of these.
fn of_these(all: &[(Notification, Status)], bot: &BotName) -> Counted {
    let is = |one: &Notification, lane: Lane| one.bot == *bot && one.lane == lane;
    let count = |lane, open| all.iter().filter(|(one, status)| is(one, lane) && *status == open).count();
    Lane::ALL.map(|lane| Status::OPEN.map(|open| count(lane, open) as u64))
}

/// Whatever becomes of them, in whatever order.
pub async fn the_counts_of_what_is_open_follow_every_change(ledger: &Arc<dyn Ledger>) {
    let bots = [bot("l-count-1"), bot("l-count-2"), bot("l-count-never")];
    let mut random = fastrand::Rng::with_seed(11);
    let mut all: Vec<(Notification, Status)> = Vec::new();
    for step in 0..300 {
        if step < 40 {
            let (owner, lane) = (random.usize(0..2), random.choice(Lane::ALL).expect("some"));
            let (one, status) = (in_lane(&bots[owner], step, lane), random.choice(Status::OPEN).expect("some"));
            assert!(ledger.settle(&one, &RecordUpdate::of(status, Timestamp::now())).await.expect("settle"));
            all.push((one, status));
            continue;
        }
        let place = random.usize(0..all.len());
        let (one, was) = &mut all[place];
        match random.u8(0..5) {
            0 => {
                if let Cancelled::Done(_) = ledger.cancel(one.id, Timestamp::now()).await.expect("cancel") {
                    *was = Status::Cancelled;
                }
            }
            1 => {
                ledger.begin(one, Timestamp::now(), &BeginConditions::NONE).await.expect("begin");
                *was = if was.is_final() { *was } else { Status::Sending };
            }
            _ => {
                let status = random.choice(Status::ALL).expect("some");
                if ledger.settle(one, &RecordUpdate::of(status, Timestamp::now())).await.expect("settle") {
                    *was = status;
                }
            }
        }
        if step % 20 == 0 {
            let expected: Vec<_> = bots.iter().map(|bot| of_these(&all, bot)).collect();
            assert_eq!(counted(ledger, &bots).await, expected, "after {step} steps");
        }
    }
    assert!(ledger.count_open(&[]).await.expect("count_open").is_empty());
}

/// Accepted in all lanes; one begins, one is sent, one is cancelled and then taken in again in another lane. Returns what is open then.
pub async fn what_is_accepted_counts_in_its_lane(
    acceptor: &Arc<dyn Acceptor>,
    ledger: &Arc<dyn Ledger>,
) -> (BotName, Counted) {
    let name = bot("l-count-lanes");
    let bots = std::slice::from_ref(&name);
    let mut all = Vec::new();
    for lane in [Lane::Urgent, Lane::Urgent, Lane::Normal, Lane::Bulk, Lane::Bulk, Lane::Bulk] {
        let one = in_lane(&name, 1, lane);
        let submission = Submission { notification: one.clone(), idempotency: None };
        acceptor.accept(&submission).await.expect("accepted");
        all.push((one, Status::Queued));
    }
    assert_eq!(counted(ledger, bots).await, [of_these(&all, &name)], "accepted");

    let now = Timestamp::now();
    ledger.begin(&all[0].0, now, &BeginConditions::NONE).await.expect("begin");
    all[0].1 = Status::Sending;
    assert!(ledger.settle(&all[1].0, &RecordUpdate::of(Status::Sent, now)).await.expect("settle"));
    all[1].1 = Status::Sent;
    assert!(matches!(ledger.cancel(all[3].0.id, now).await.expect("cancel"), Cancelled::Done(_)));
    all[3].1 = Status::Cancelled;
    assert_eq!(counted(ledger, bots).await, [of_these(&all, &name)], "sent and cancelled");

    all[3].0.lane = Lane::Urgent;
    let again = acceptor.resubmit(&all[3].0).await.expect("resubmit");
    assert!(matches!(again, Resubmitted::Done(_)), "{again:?}");
    all[3].1 = Status::Queued;
    let expected = of_these(&all, &name);
    assert_eq!(counted(ledger, bots).await, [expected], "taken in again in another lane");
    (name, expected)
}

/// That the counts are as they were, after a restart for example.
pub async fn they_are_the_same(ledger: &Arc<dyn Ledger>, (name, expected): (BotName, Counted)) {
    assert_eq!(counted(ledger, &[name]).await, [expected]);
}
