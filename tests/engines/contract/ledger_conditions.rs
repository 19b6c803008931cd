//! The contract of [`Ledger::begin`] about its conditions: flood waits, the window of a chat, the order of a chat.

use super::{bot, in_lane, later, notification};
use pixcourier::domain::{
    Attempt, AttemptOutcome, ChatId, Lane, Notification, NotificationId, RecordUpdate, Status, Timestamp,
};
use pixcourier::ports::{Acceptor, Begin, BeginConditions, Cancelled, ChatWindow, Ledger, Resubmitted, Submission};
use std::sync::Arc;
use std::time::Duration;

/// The bots that the suite uses.
pub const BOTS: [&str; 4] = ["c-flood", "c-window", "c-order", "c-other"];

/// Runs every check. What `acceptor` accepts is never taken from its queue.
pub async fn suite(acceptor: Arc<dyn Acceptor>, ledger: Arc<dyn Ledger>) {
    let ports = ConditionPorts { acceptor, ledger };
    for name in BOTS {
        let begun = ports.begin(&notification(&bot(name), 100), Timestamp::now(), IN_ORDER).await;
        assert_eq!(begun, GO, "nothing stands in the way in a fresh namespace");
    }
    a_flood_wait_holds_its_chat_back_until_it_is_over(&ports).await;
    of_two_flood_waits_the_later_end_counts(&ports).await;
    what_has_ended_is_skipped_in_a_flood_wait_too(&ports).await;
    a_full_window_holds_its_chat_back_until_there_is_room(&ports).await;
    a_window_counts_messages(&ports).await;
    more_messages_than_the_limit_need_an_empty_window(&ports).await;
    a_window_counts_an_attempt_from_its_answer(&ports).await;
    what_has_not_left_takes_no_room(&ports).await;
    one_that_ends_without_an_attempt_takes_back_nothing_of_another(&ports).await;
    an_interrupted_attempt_keeps_its_room(&ports).await;
    what_begins_without_a_window_takes_no_room(&ports).await;
    chats_have_windows_of_their_own(&ports).await;
    what_may_not_begin_leaves_no_mark(&ports).await;
    a_chat_is_sent_in_the_order_of_its_ids(&ports).await;
    any_end_of_the_earlier_one_lets_the_later_one_begin(&ports).await;
    only_who_asks_for_order_waits(&ports).await;
    bots_chats_and_lanes_have_orders_of_their_own(&ports).await;
    what_is_for_a_later_time_stands_in_no_order(&ports).await;
    a_retry_holds_nothing_back(&ports).await;
    a_flood_wait_is_told_before_the_window_and_the_window_before_the_order(&ports).await;
}

const GO: Begin = Begin::Proceed { interrupted: false, interrupted_attempts: 0 };
const IN_ORDER: BeginConditions = BeginConditions { in_order: true, ..BeginConditions::NONE };
const SPAN: Duration = Duration::from_secs(60);

struct ConditionPorts {
    acceptor: Arc<dyn Acceptor>,
    ledger: Arc<dyn Ledger>,
}

impl ConditionPorts {
    async fn accept(&self, notification: &Notification) {
        let submission = Submission { notification: notification.clone(), idempotency: None };
        self.acceptor.accept(&submission).await.expect("accepted");
    }

    async fn begin(&self, notification: &Notification, at: Timestamp, conditions: BeginConditions) -> Begin {
        self.ledger.begin(notification, at, &conditions).await.expect("begin")
    }

    async fn settle(&self, notification: &Notification, update: RecordUpdate) {
        assert!(self.ledger.settle(notification, &update).await.expect("settle"), "{:?} is written", update.status);
    }

    /// Begins and is answered at once.
    async fn send(&self, notification: &Notification, at: Timestamp, conditions: BeginConditions) {
        assert_eq!(self.begin(notification, at, conditions).await, GO, "at {at}");
        self.settle(notification, answered(AttemptOutcome::Sent, at)).await;
    }
}

/// At most so many messages within [`SPAN`]; this attempt makes `cost`.
fn window(limit: u32, cost: u32) -> BeginConditions {
    BeginConditions { chat_window: Some(ChatWindow { limit, span: SPAN, cost }), ..BeginConditions::NONE }
}

fn attempt(outcome: AttemptOutcome, at: Timestamp) -> Attempt {
    Attempt { at, duration_ms: 1, uploaded: false, outcome, error_code: None, reason: None, retry_after: None }
}

/// What a courier writes after an answer.
fn answered(outcome: AttemptOutcome, at: Timestamp) -> RecordUpdate {
    let status = if outcome == AttemptOutcome::Sent { Status::Sent } else { Status::Retrying };
    RecordUpdate { attempt: Some(attempt(outcome, at)), ..RecordUpdate::of(status, at) }
}

/// What it writes after a 429.
fn flood_wait(at: Timestamp, seconds: u64) -> RecordUpdate {
    let told = Attempt { retry_after: Some(seconds), ..attempt(AttemptOutcome::FloodWait, at) };
    RecordUpdate { attempt: Some(told), ..RecordUpdate::of(Status::Retrying, at) }
}

/// Moments of a check, in seconds from now on: what an engine keeps may expire by the wall clock.
fn clock() -> impl Fn(u64) -> Timestamp {
    let start = Timestamp::now();
    move |second| start.plus(Duration::from_secs(second))
}

/// Whoever owns the bot next and whichever lane it is, and no condition is needed.
async fn a_flood_wait_holds_its_chat_back_until_it_is_over(ports: &ConditionPorts) {
    let (name, at) = (bot("c-flood"), clock());
    let told = notification(&name, 1);
    assert_eq!(ports.begin(&told, at(0), BeginConditions::NONE).await, GO);
    ports.settle(&told, flood_wait(at(2), 20)).await;
    let (urgent, until) = (in_lane(&name, 1, Lane::Urgent), at(22));
    for waiting in [&told, &urgent] {
        for conditions in [BeginConditions::NONE, IN_ORDER, window(5, 1)] {
            assert_eq!(ports.begin(waiting, at(21), conditions).await, Begin::TooSoon(until), "{conditions:?}");
        }
    }
    let elsewhere = [notification(&name, 2), notification(&bot("c-other"), 1)];
    for other in &elsewhere {
        assert_eq!(ports.begin(other, at(3), BeginConditions::NONE).await, GO, "its chat is free");
    }
    assert_eq!(ports.begin(&urgent, until, BeginConditions::NONE).await, GO, "the wait is over");
    assert_eq!(ports.begin(&told, until, BeginConditions::NONE).await, GO, "nothing was interrupted");
}

/// A shorter one that is told later shortens nothing.
async fn of_two_flood_waits_the_later_end_counts(ports: &ConditionPorts) {
    let (name, at) = (bot("c-flood"), clock());
    let [first, second, third] = [(); 3].map(|()| notification(&name, 3));
    for told in [&first, &second] {
        assert_eq!(ports.begin(told, at(0), BeginConditions::NONE).await, GO);
    }
    ports.settle(&first, flood_wait(at(1), 30)).await;
    ports.settle(&second, flood_wait(at(2), 5)).await;
    assert_eq!(ports.begin(&third, at(8), BeginConditions::NONE).await, Begin::TooSoon(at(31)));
    assert_eq!(ports.begin(&third, at(31), BeginConditions::NONE).await, GO);
    ports.settle(&third, flood_wait(at(32), 5)).await;
    assert_eq!(ports.begin(&third, at(33), BeginConditions::NONE).await, Begin::TooSoon(at(37)), "a later end");
}

/// A courier must be able to ack it.
async fn what_has_ended_is_skipped_in_a_flood_wait_too(ports: &ConditionPorts) {
    let (name, at) = (bot("c-flood"), clock());
    let (told, ended) = (notification(&name, 4), notification(&name, 4));
    ports.settle(&ended, RecordUpdate::of(Status::Cancelled, at(0))).await;
    ports.settle(&told, flood_wait(at(0), 20)).await;
    assert_eq!(ports.begin(&ended, at(1), BeginConditions::NONE).await, Begin::Skip(Status::Cancelled));
}

/// Sends count until they are a whole span old, whoever sent them.
async fn a_full_window_holds_its_chat_back_until_there_is_room(ports: &ConditionPorts) {
    let (name, at) = (bot("c-window"), clock());
    let fresh = || notification(&name, -1);
    for second in [0, 1, 20] {
        ports.send(&fresh(), at(second), window(3, 1)).await;
    }
    let next = fresh();
    for second in [20, 59] {
        assert_eq!(
            ports.begin(&next, at(second), window(3, 1)).await,
            Begin::TooSoon(at(60)),
            "the first leaves at 60"
        );
    }
    ports.send(&next, at(60), window(3, 1)).await;
    assert_eq!(ports.begin(&fresh(), at(60), window(3, 1)).await, Begin::TooSoon(at(61)), "then the second does");
    assert_eq!(ports.begin(&fresh(), at(61), window(3, 1)).await, GO);
    assert_eq!(ports.begin(&fresh(), at(61), window(3, 1)).await, Begin::TooSoon(at(80)), "one under way counts");
}

/// An album takes the room of all its messages.
async fn a_window_counts_messages(ports: &ConditionPorts) {
    let (name, at) = (bot("c-window"), clock());
    let fresh = || notification(&name, -2);
    ports.send(&fresh(), at(0), window(20, 10)).await;
    ports.send(&fresh(), at(5), window(20, 4)).await;
    ports.send(&fresh(), at(9), window(20, 5)).await;
    let album = fresh();
    for (cost, room_at) in [(2, 60), (11, 60), (12, 65), (15, 65), (16, 69)] {
        assert_eq!(ports.begin(&album, at(10), window(20, cost)).await, Begin::TooSoon(at(room_at)), "{cost} more");
    }
    assert_eq!(ports.begin(&album, at(10), window(20, 1)).await, GO, "there is room for one");
}

/// They would never be sent otherwise.
async fn more_messages_than_the_limit_need_an_empty_window(ports: &ConditionPorts) {
    let (name, at) = (bot("c-window"), clock());
    let fresh = || notification(&name, -3);
    ports.send(&fresh(), at(0), window(5, 10)).await;
    let next = fresh();
    assert_eq!(ports.begin(&next, at(1), window(5, 1)).await, Begin::TooSoon(at(60)), "it has filled the window");
    ports.send(&next, at(60), window(5, 1)).await;
    let album = fresh();
    assert_eq!(ports.begin(&album, at(61), window(5, 10)).await, Begin::TooSoon(at(120)));
    assert_eq!(ports.begin(&album, at(120), window(5, 10)).await, GO);
}

/// Telegram counts a message somewhere between its request and its answer, so the answer is the safe side.
async fn a_window_counts_an_attempt_from_its_answer(ports: &ConditionPorts) {
    let (name, at) = (bot("c-window"), clock());
    let (first, second, next) = (notification(&name, -4), notification(&name, -4), notification(&name, -4));
    assert_eq!(ports.begin(&first, at(0), window(2, 1)).await, GO);
    assert_eq!(ports.begin(&second, at(1), window(2, 1)).await, GO);
    assert_eq!(ports.begin(&next, at(2), window(2, 1)).await, Begin::TooSoon(at(60)));
    ports.settle(&first, answered(AttemptOutcome::Sent, at(10))).await;
    assert_eq!(
        ports.begin(&next, at(11), window(2, 1)).await,
        Begin::TooSoon(at(61)),
        "the second is not answered yet"
    );
    ports.settle(&second, answered(AttemptOutcome::Transient, at(30))).await;
    assert_eq!(ports.begin(&next, at(31), window(2, 1)).await, Begin::TooSoon(at(70)));
    ports.send(&next, at(70), window(2, 1)).await;
    assert_eq!(ports.begin(&second, at(71), window(2, 1)).await, Begin::TooSoon(at(90)), "whatever the answer was");
}

/// Stopped before its request, expired or given back: nobody has seen anything of it.
async fn what_has_not_left_takes_no_room(ports: &ConditionPorts) {
    let (name, at) = (bot("c-window"), clock());
    ports.send(&notification(&name, -5), at(0), window(2, 1)).await;
    let ends = [Status::Retrying, Status::Queued, Status::Held, Status::Expired, Status::Failed];
    for (status, second) in ends.into_iter().zip(1..) {
        let stopped = notification(&name, -5);
        assert_eq!(ports.begin(&stopped, at(second), window(2, 1)).await, GO, "{status:?} comes next");
        ports.settle(&stopped, RecordUpdate::of(status, at(second))).await;
    }
    let next = notification(&name, -5);
    ports.send(&next, at(10), window(2, 1)).await;
    assert_eq!(ports.begin(&notification(&name, -5), at(10), window(2, 1)).await, Begin::TooSoon(at(60)));
}

/// It had no room to give.
async fn one_that_ends_without_an_attempt_takes_back_nothing_of_another(ports: &ConditionPorts) {
    let (name, at) = (bot("c-window"), clock());
    let (under_way, expired, next) = (notification(&name, -6), notification(&name, -6), notification(&name, -6));
    assert_eq!(ports.begin(&under_way, at(0), window(1, 1)).await, GO);
    ports.settle(&expired, RecordUpdate::of(Status::Expired, at(1))).await;
    assert_eq!(ports.begin(&next, at(2), window(1, 1)).await, Begin::TooSoon(at(60)));
}

/// It may have been sent.
async fn an_interrupted_attempt_keeps_its_room(ports: &ConditionPorts) {
    let (name, at) = (bot("c-window"), clock());
    let (cut_off, next) = (notification(&name, -7), notification(&name, -7));
    assert_eq!(ports.begin(&cut_off, at(0), window(2, 1)).await, GO);
    let again = Begin::Proceed { interrupted: true, interrupted_attempts: 1 };
    assert_eq!(ports.begin(&cut_off, at(1), window(2, 1)).await, again);
    assert_eq!(ports.begin(&next, at(2), window(2, 1)).await, Begin::TooSoon(at(61)), "both may have been sent");
    ports.settle(&cut_off, RecordUpdate::of(Status::Retrying, at(3))).await;
    assert_eq!(ports.begin(&next, at(4), window(2, 1)).await, GO, "the second has not left");
    assert_eq!(ports.begin(&cut_off, at(5), window(2, 1)).await, Begin::TooSoon(at(61)), "the first may have");
}

/// Private chats are not counted.
async fn what_begins_without_a_window_takes_no_room(ports: &ConditionPorts) {
    let (name, at) = (bot("c-window"), clock());
    for second in 0..3 {
        ports.send(&notification(&name, 8), at(second), BeginConditions::NONE).await;
    }
    assert_eq!(ports.begin(&notification(&name, 8), at(3), window(1, 1)).await, GO);
}

/// All lanes of a chat share one; other chats and other bots do not.
async fn chats_have_windows_of_their_own(ports: &ConditionPorts) {
    let (name, at) = (bot("c-window"), clock());
    ports.send(&notification(&name, -9), at(0), window(1, 1)).await;
    let bulk = in_lane(&name, -9, Lane::Bulk);
    assert_eq!(ports.begin(&bulk, at(1), window(1, 1)).await, Begin::TooSoon(at(60)));
    let named = Notification { chat_id: ChatId::Username("@channel".to_owned()), ..notification(&name, -9) };
    for other in [notification(&name, -10), notification(&bot("c-other"), -9), named] {
        assert_eq!(ports.begin(&other, at(1), window(1, 1)).await, GO, "{}", other.chat_id);
    }
}

/// Neither in its record, nor in the window of its chat.
async fn what_may_not_begin_leaves_no_mark(ports: &ConditionPorts) {
    let (name, at) = (bot("c-window"), clock());
    let (waiting, unknown) = (notification(&name, -11), notification(&name, -11));
    ports.accept(&waiting).await;
    let before = ports.ledger.get(waiting.id).await.expect("get");
    ports.send(&notification(&name, -11), at(0), window(1, 1)).await;
    for second in 1..5 {
        for one in [&waiting, &unknown] {
            assert_eq!(ports.begin(one, at(second), window(1, 1)).await, Begin::TooSoon(at(60)));
        }
    }
    assert_eq!(ports.ledger.get(waiting.id).await.expect("get"), before);
    assert_eq!(ports.ledger.get(unknown.id).await.expect("get"), None);
    let cancelled = ports.ledger.cancel(waiting.id, at(5)).await.expect("cancel");
    assert!(matches!(cancelled, Cancelled::Done(_)), "it has not begun: {cancelled:?}");
    assert_eq!(ports.begin(&unknown, at(60), window(1, 1)).await, GO, "no begin that was refused took room");
}

/// Accepts so many for a chat.
async fn accepted(ports: &ConditionPorts, chat: i64, count: usize) -> Vec<Notification> {
    let all: Vec<_> = (0..count).map(|_| notification(&bot("c-order"), chat)).collect();
    for one in &all {
        ports.accept(one).await;
    }
    all
}

fn behind(notification: &Notification) -> Begin {
    Begin::Behind(notification.id)
}

/// Each waits for the lowest that is pending, under way or to be tried again included.
async fn a_chat_is_sent_in_the_order_of_its_ids(ports: &ConditionPorts) {
    let at = clock();
    let all = accepted(ports, 1, 4).await;
    for later in &all[1..] {
        assert_eq!(ports.begin(later, at(0), IN_ORDER).await, behind(&all[0]));
    }
    assert_eq!(ports.begin(&all[0], at(1), IN_ORDER).await, GO);
    assert_eq!(ports.begin(&all[1], at(1), IN_ORDER).await, behind(&all[0]), "it is under way");
    for status in [Status::Retrying, Status::Held, Status::Queued] {
        ports.settle(&all[0], RecordUpdate::of(status, at(2))).await;
        assert_eq!(ports.begin(&all[1], at(2), IN_ORDER).await, behind(&all[0]), "it is {status:?}");
    }
    for pair in all.windows(2) {
        ports.send(&pair[0], at(3), IN_ORDER).await;
        if pair[1].id != all[3].id {
            assert_eq!(ports.begin(&all[3], at(3), IN_ORDER).await, behind(&pair[1]));
        }
    }
    ports.send(&all[3], at(4), IN_ORDER).await;
    let unrecorded = notification(&bot("c-order"), 1);
    assert_eq!(ports.begin(&unrecorded, at(5), IN_ORDER).await, GO, "all before it have ended");
}

/// Sent or not, by its courier or by its caller.
async fn any_end_of_the_earlier_one_lets_the_later_one_begin(ports: &ConditionPorts) {
    let at = clock();
    let finals: Vec<_> = Status::ALL.into_iter().filter(|status| status.is_final()).collect();
    let all = accepted(ports, 2, finals.len() + 2).await;
    let last = &all[finals.len() + 1];
    for (status, one) in finals.into_iter().zip(&all) {
        assert_eq!(ports.begin(last, at(0), IN_ORDER).await, behind(one), "before it is {status:?}");
        ports.settle(one, RecordUpdate::of(status, at(0))).await;
    }
    let cancelled = &all[all.len() - 2];
    assert_eq!(ports.begin(last, at(0), IN_ORDER).await, behind(cancelled));
    assert!(matches!(ports.ledger.cancel(cancelled.id, at(1)).await, Ok(Cancelled::Done(_))));
    assert_eq!(ports.begin(last, at(1), IN_ORDER).await, GO);
}

/// The courier that has seen all of a chat need not ask.
async fn only_who_asks_for_order_waits(ports: &ConditionPorts) {
    let at = clock();
    let all = accepted(ports, 3, 2).await;
    assert_eq!(ports.begin(&all[1], at(0), BeginConditions::NONE).await, GO);
}

/// And one is never behind itself, or behind one of a higher id.
async fn bots_chats_and_lanes_have_orders_of_their_own(ports: &ConditionPorts) {
    let at = clock();
    accepted(ports, 4, 1).await;
    let (name, other) = (bot("c-order"), bot("c-other"));
    let apart = [in_lane(&name, 4, Lane::Urgent), notification(&name, 5), notification(&other, 4)];
    for one in &apart {
        ports.accept(one).await;
    }
    for one in &apart {
        assert_eq!(ports.begin(one, at(0), IN_ORDER).await, GO, "{} of {}", one.chat_id, one.bot);
    }
    let late = Notification { id: NotificationId::from_number(1), ..notification(&name, 4) };
    assert_eq!(ports.begin(&late, at(0), IN_ORDER).await, GO, "no id is lower");
}

/// It neither waits nor is waited for.
async fn what_is_for_a_later_time_stands_in_no_order(ports: &ConditionPorts) {
    let (name, at) = (bot("c-order"), clock());
    let scheduled = later(&name, 6, Duration::from_secs(3_600));
    ports.accept(&scheduled).await;
    let plain = &accepted(ports, 6, 1).await[0];
    let also_scheduled = later(&name, 6, Duration::from_secs(1));
    ports.accept(&also_scheduled).await;
    assert_eq!(ports.begin(&also_scheduled, at(2), IN_ORDER).await, GO, "it does not wait");
    assert_eq!(ports.begin(plain, at(2), IN_ORDER).await, GO, "nobody waits for it");
}

/// It was accepted last, whatever its id: it stands at the end of its lane, where nobody can wait for it.
async fn a_retry_holds_nothing_back(ports: &ConditionPorts) {
    let at = clock();
    let all = accepted(ports, 7, 2).await;
    assert!(matches!(ports.ledger.cancel(all[0].id, at(0)).await, Ok(Cancelled::Done(_))));
    let (first_accepted_at, accepted_at) = (Some(all[0].accepted_at), all[0].accepted_at.plus(SPAN));
    let retry = Notification { first_accepted_at, accepted_at, ..all[0].clone() };
    let Ok(Resubmitted::Done(record)) = ports.acceptor.resubmit(&retry).await else { panic!("it can be retried") };
    assert_eq!(ports.begin(&all[1], at(1), IN_ORDER).await, GO);
    assert_eq!(ports.begin(&record.notification, at(1), IN_ORDER).await, GO);
}

/// The one that lasts whatever the courier does comes first.
async fn a_flood_wait_is_told_before_the_window_and_the_window_before_the_order(ports: &ConditionPorts) {
    let at = clock();
    let all = accepted(ports, -8, 2).await;
    let both = BeginConditions { in_order: true, ..window(1, 1) };
    ports.send(&notification(&bot("c-order"), -8), at(0), window(1, 1)).await;
    assert_eq!(ports.begin(&all[1], at(1), both).await, Begin::TooSoon(at(60)));
    ports.settle(&all[0], flood_wait(at(1), 90)).await;
    assert_eq!(ports.begin(&all[1], at(2), both).await, Begin::TooSoon(at(91)));
    assert_eq!(ports.begin(&all[1], at(91), both).await, behind(&all[0]));
}
