//! The contract of [`Ledger::count_open`].

use super::{bot, notification};
use pixcourier::domain::{BotName, Notification, RecordUpdate, Status, Timestamp};
use pixcourier::ports::{BeginConditions, Cancelled, Ledger, OpenCounts};
use std::sync::Arc;

async fn counted(ledger: &Arc<dyn Ledger>, bots: &[BotName]) -> Vec<Vec<u64>> {
    let told = ledger.count_open(bots).await.expect("count_open");
    told.iter().map(|counts: &OpenCounts| Status::OPEN.map(|status| counts.get(status)).to_vec()).collect()
}

/// Whatever becomes of them, in whatever order.
pub async fn the_counts_of_what_is_open_follow_every_change(ledger: &Arc<dyn Ledger>) {
    let bots = [bot("l-count-1"), bot("l-count-2"), bot("l-count-never")];
    let mut random = fastrand::Rng::with_seed(11);
    let mut all: Vec<(Notification, usize, Status)> = Vec::new();
    for step in 0..300 {
        if step < 40 {
            let owner = random.usize(0..2);
            let (one, status) = (notification(&bots[owner], step), random.choice(Status::OPEN).expect("some"));
            assert!(ledger.settle(&one, &RecordUpdate::of(status, Timestamp::now())).await.expect("settle"));
            all.push((one, owner, status));
            continue;
        }
        let place = random.usize(0..all.len());
        let (one, _, was) = &mut all[place];
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
            let of_bot = |owner: usize| {
                let count = |open: Status| all.iter().filter(|(_, of, status)| (*of, *status) == (owner, open)).count();
                Status::OPEN.map(|open| count(open) as u64).to_vec()
            };
            assert_eq!(counted(ledger, &bots).await, [of_bot(0), of_bot(1), vec![0; 5]], "after {step} steps");
        }
    }
    assert!(ledger.count_open(&[]).await.expect("count_open").is_empty());
}
