//! The contract of [`Ledger::begin`] about pauses: what one attempt takes of its chat's rate in advance, and what it gives back
//! when nothing has left.

use super::{bot, notification};
use pixcourier::domain::{Attempt, AttemptOutcome, Notification, RecordUpdate, Status, Timestamp};
use pixcourier::ports::{Begin, BeginConditions, Ledger};
use std::sync::Arc;
use std::time::Duration;

/// Runs every check.
pub async fn suite(ledger: &Arc<dyn Ledger>) {
    an_album_holds_its_chat_back(ledger).await;
    an_album_waits_for_more_than_the_end_of_a_pause(ledger).await;
    a_flood_wait_leaves_a_full_bucket(ledger).await;
    an_album_that_has_not_left_holds_nothing_back(ledger).await;
    what_has_not_left_takes_back_no_flood_wait(ledger).await;
    what_has_not_left_takes_back_no_pause_of_another(ledger).await;
    what_may_have_left_keeps_its_pause(ledger).await;
}

const GO: Begin = Begin::Proceed { interrupted: false, interrupted_attempts: 0 };
const INTERRUPTED: Begin = Begin::Proceed { interrupted: true, interrupted_attempts: 1 };
/// A single message.
const ONE: BeginConditions = BeginConditions::NONE;
/// An album of ten in a private chat of one a second, three at once: eight seconds until one more may be sent, and a full
/// bucket, which is there two seconds later than one token, before it.
const ALBUM: BeginConditions =
    BeginConditions { then_pause: Duration::from_secs(8), headroom: Duration::from_secs(2), ..BeginConditions::NONE };

fn to(chat: i64) -> Notification {
    notification(&bot("c-pause"), chat)
}

/// Moments of a check, in seconds from now on: what an engine keeps may expire by the wall clock.
fn clock() -> impl Fn(u64) -> Timestamp {
    let start = Timestamp::now();
    move |second| start.plus(Duration::from_secs(second))
}

async fn begin(ledger: &Arc<dyn Ledger>, one: &Notification, at: Timestamp, conditions: BeginConditions) -> Begin {
    ledger.begin(one, at, &conditions).await.expect("begin")
}

async fn settle(ledger: &Arc<dyn Ledger>, one: &Notification, update: RecordUpdate) {
    assert!(ledger.settle(one, &update).await.expect("settle"), "{:?} is written", update.status);
}

fn answered(outcome: AttemptOutcome, status: Status, at: Timestamp) -> RecordUpdate {
    let attempt = Attempt { outcome, retry_after: Some(20), ..Attempt::interrupted(at) };
    RecordUpdate { attempt: Some(attempt), ..RecordUpdate::of(status, at) }
}

fn sent(at: Timestamp) -> RecordUpdate {
    answered(AttemptOutcome::Sent, Status::Sent, at)
}

/// What a courier writes when nothing has left.
fn undone(at: Timestamp) -> RecordUpdate {
    RecordUpdate::of(Status::Retrying, at)
}

/// Whatever it is that makes it, and whoever begins next.
async fn an_album_holds_its_chat_back(ledger: &Arc<dyn Ledger>) {
    let (album, next, at) = (to(1), to(1), clock());
    assert_eq!(begin(ledger, &album, at(0), ALBUM).await, GO);
    assert_eq!(begin(ledger, &next, at(5), ONE).await, Begin::TooSoon(at(8)));
    settle(ledger, &album, sent(at(6))).await;
    assert_eq!(begin(ledger, &next, at(7), ONE).await, Begin::TooSoon(at(8)));
    assert_eq!(begin(ledger, &next, at(8), ONE).await, GO);
}

/// At its end there is one token, and an album wants a full bucket.
async fn an_album_waits_for_more_than_the_end_of_a_pause(ledger: &Arc<dyn Ledger>) {
    let (first, second, third, at) = (to(2), to(2), to(2), clock());
    assert_eq!(begin(ledger, &first, at(0), ALBUM).await, GO, "nothing was sent before");
    settle(ledger, &first, sent(at(0))).await;
    for second_of in [5, 8, 9] {
        assert_eq!(begin(ledger, &second, at(second_of), ALBUM).await, Begin::TooSoon(at(10)), "at {second_of}");
    }
    assert_eq!(begin(ledger, &second, at(10), ALBUM).await, GO);
    assert_eq!(begin(ledger, &third, at(18), ONE).await, GO, "a single one need not wait longer");
}

/// The chat has got nothing meanwhile.
async fn a_flood_wait_leaves_a_full_bucket(ledger: &Arc<dyn Ledger>) {
    let (told, album, at) = (to(3), to(3), clock());
    assert_eq!(begin(ledger, &told, at(0), ONE).await, GO);
    settle(ledger, &told, answered(AttemptOutcome::FloodWait, Status::Retrying, at(1))).await;
    assert_eq!(begin(ledger, &album, at(2), ALBUM).await, Begin::TooSoon(at(21)));
    assert_eq!(begin(ledger, &album, at(21), ALBUM).await, GO);
}

/// Whether it is tried again or ends there.
async fn an_album_that_has_not_left_holds_nothing_back(ledger: &Arc<dyn Ledger>) {
    let at = clock();
    for (chat, status) in [(4, Status::Retrying), (5, Status::Expired)] {
        let (album, next) = (to(chat), to(chat));
        assert_eq!(begin(ledger, &album, at(0), ALBUM).await, GO);
        settle(ledger, &album, RecordUpdate::of(status, at(1))).await;
        assert_eq!(begin(ledger, &next, at(1), ALBUM).await, GO, "the one before was {status:?} unsent");
    }
}

/// Telegram means it.
async fn what_has_not_left_takes_back_no_flood_wait(ledger: &Arc<dyn Ledger>) {
    let (told, album, next, at) = (to(6), to(6), to(6), clock());
    assert_eq!(begin(ledger, &told, at(0), ONE).await, GO);
    assert_eq!(begin(ledger, &album, at(0), ALBUM).await, GO);
    settle(ledger, &told, answered(AttemptOutcome::FloodWait, Status::Retrying, at(1))).await;
    settle(ledger, &album, undone(at(2))).await;
    assert_eq!(begin(ledger, &next, at(3), ONE).await, Begin::TooSoon(at(21)));
}

/// Nor that of an attempt of its own that may have left.
async fn what_has_not_left_takes_back_no_pause_of_another(ledger: &Arc<dyn Ledger>) {
    let at = clock();
    let (first, second, next) = (to(7), to(7), to(7));
    assert_eq!(begin(ledger, &first, at(0), ALBUM).await, GO);
    settle(ledger, &first, sent(at(1))).await;
    assert_eq!(begin(ledger, &second, at(10), ALBUM).await, GO);
    settle(ledger, &second, undone(at(11))).await;
    settle(ledger, &second, undone(at(11))).await;
    assert_eq!(begin(ledger, &next, at(9), ALBUM).await, Begin::TooSoon(at(10)), "the first has left");

    let (late, slow) = (to(8), to(8));
    assert_eq!(begin(ledger, &slow, at(0), ALBUM).await, GO);
    assert_eq!(begin(ledger, &late, at(10), ALBUM).await, GO);
    settle(ledger, &slow, undone(at(11))).await;
    assert_eq!(begin(ledger, &to(8), at(12), ONE).await, Begin::TooSoon(at(18)), "another has begun since");
}

/// It has been answered with an error, or nobody knows what became of it.
async fn what_may_have_left_keeps_its_pause(ledger: &Arc<dyn Ledger>) {
    let at = clock();
    let (refused, next) = (to(9), to(9));
    assert_eq!(begin(ledger, &refused, at(0), ALBUM).await, GO);
    settle(ledger, &refused, answered(AttemptOutcome::Transient, Status::Retrying, at(1))).await;
    settle(ledger, &refused, undone(at(2))).await;
    assert_eq!(begin(ledger, &next, at(2), ONE).await, Begin::TooSoon(at(8)));

    let (cut_off, next) = (to(10), to(10));
    assert_eq!(begin(ledger, &cut_off, at(0), ALBUM).await, GO);
    assert_eq!(begin(ledger, &cut_off, at(10), ALBUM).await, INTERRUPTED);
    settle(ledger, &cut_off, undone(at(11))).await;
    assert_eq!(begin(ledger, &next, at(9), ALBUM).await, Begin::TooSoon(at(10)), "the first may have left");

    let (cut_off, next) = (to(11), to(11));
    assert_eq!(begin(ledger, &cut_off, at(0), ALBUM).await, GO);
    assert_eq!(begin(ledger, &cut_off, at(8), ONE).await, INTERRUPTED);
    settle(ledger, &cut_off, undone(at(8))).await;
    assert_eq!(begin(ledger, &next, at(8), ALBUM).await, Begin::TooSoon(at(10)), "the first may have left");
}
