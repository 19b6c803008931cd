use super::*;
use crate::delivery::simulation::draft::Draft;
use crate::domain::{Failure, RecordUpdate};

const SECOND: Duration = Duration::from_secs(1);

struct Court {
    judge: Judge,
    wall: Timestamp,
}

impl Court {
    /// A judge who has seen so many accepted for one chat.
    fn new(count: u128, draft: &Draft) -> (Self, Vec<Notification>) {
        let (mut judge, wall) = (Judge::default(), Timestamp::now());
        let ids = (1..=count).map(NotificationId::from_number);
        let all: Vec<_> = ids.map(|id| Draft { id, ..draft.clone() }.accept(wall)).collect();
        all.iter().for_each(|one| judge.accepted(SECOND, one, false));
        (Self { judge, wall }, all)
    }

    fn sends(&mut self, at: u32, id: NotificationId, worker: usize) {
        self.judge.began(at * SECOND, id, worker, true);
        self.judge.leaves(id, worker);
        self.judge.arrives(at * SECOND, self.wall, id, worker, 1);
        self.judge.appears(at * SECOND, id, i64::from(at));
    }

    fn broken(&self) -> Vec<Rule> {
        self.judge.violations.iter().map(|violation| violation.rule).collect()
    }
}

fn record(notification: &Notification, update: RecordUpdate) -> Record {
    let (status, message_id, failure) = (update.status, update.message_id, update.failure);
    let attempts = update.attempt.into_iter().collect();
    Record { status, message_id, failure, attempts, ..Record::accepted(notification.clone()) }
}

#[test]
fn what_keeps_to_the_rules_breaks_none() {
    let (mut court, all) = Court::new(3, &Draft::text(1));
    for (at, one) in (2..).zip(&all) {
        court.sends(at, one.id, 0);
    }
    let sent = |id| {
        let message_id = Some(NotificationId::as_number(id) as i64 + 1);
        let one = all.iter().find(|one| one.id == id).unwrap();
        record(one, RecordUpdate { message_id, ..RecordUpdate::of(Status::Sent, one.accepted_at) })
    };
    let records: BTreeMap<_, _> = all.iter().map(|one| (one.id, sent(one.id))).collect();
    court.judge.close(9 * SECOND, |id| records.get(&id));
    assert_eq!(court.broken(), []);
}

#[test]
fn what_appears_late_in_its_chat_is_out_of_order_once() {
    let (mut court, all) = Court::new(3, &Draft::text(1));
    for (at, place) in [(2, 0), (3, 2), (4, 1), (5, 1)] {
        court.sends(at, all[place].id, 0);
    }
    assert_eq!(court.broken(), [Rule::Order]);
}

#[test]
fn a_wait_binds_who_was_told_and_once_recorded_everybody() {
    let (mut court, all) = Court::new(4, &Draft::text(1));
    court.judge.told_to_wait(0, 1, 20 * SECOND);
    court.sends(2, all[0].id, 1);
    assert_eq!(court.broken(), [], "nobody could know");
    court.sends(3, all[1].id, 0);
    assert_eq!(court.broken(), [Rule::FloodWait]);
    court.judge.settled(4 * SECOND, all[1].id, Some(AttemptOutcome::FloodWait), 1);
    court.sends(5, all[2].id, 1);
    assert_eq!(court.broken(), [Rule::FloodWait; 2]);
    court.sends(20, all[3].id, 1);
    assert_eq!(court.broken(), [Rule::FloodWait; 2]);
}

#[test]
fn what_is_cancelled_or_has_expired_is_not_sent() {
    let (mut court, all) = Court::new(2, &Draft { lifetime: SECOND, ..Draft::text(1) });
    court.judge.cancelled(all[0].id);
    court.sends(2, all[0].id, 0);
    court.wall = court.wall.plus(2 * SECOND);
    court.sends(3, all[1].id, 0);
    assert_eq!(court.broken(), [Rule::Cancelled, Rule::Expired]);
}

#[test]
fn a_first_message_waits_three_seconds_at_most_unless_something_was_broken() {
    for (at, disturbed, broken) in [(4, false, vec![]), (5, false, vec![Rule::Starved]), (5, true, vec![])] {
        let (mut court, all) = Court::new(1, &Draft::text(1));
        court.judge.accepted(SECOND, &all[0], true);
        if disturbed {
            court.judge.disturbed(2 * SECOND, 3 * SECOND);
        }
        court.sends(at, all[0].id, 0);
        assert_eq!(court.broken(), broken);
    }
}

#[test]
fn records_must_say_what_happened() {
    let doubt = |at| Some(crate::domain::Attempt::interrupted(at));
    let failure = Some(Failure { class: FailureClass::Ambiguous, error_code: None, description: String::new() });
    let wall = Timestamp::now();
    let of = |status| RecordUpdate::of(status, wall);
    let cases = [
        // Messages sent by as many workers, at most once, the record, what is broken.
        (1, false, RecordUpdate { message_id: Some(9), ..of(Status::Sent) }, vec![Rule::Truth]),
        (0, false, of(Status::Sent), vec![Rule::Truth]),
        (1, false, of(Status::Cancelled), vec![Rule::Truth]),
        (0, false, of(Status::Failed), vec![Rule::Truth]),
        (0, false, of(Status::Retrying), vec![Rule::Lost]),
        (2, false, RecordUpdate { message_id: Some(3), ..of(Status::Sent) }, vec![Rule::Duplicate]),
        (2, false, RecordUpdate { message_id: Some(3), attempt: doubt(wall), ..of(Status::Sent) }, vec![]),
        (
            2,
            true,
            RecordUpdate { message_id: Some(3), attempt: doubt(wall), ..of(Status::Sent) },
            vec![Rule::Duplicate],
        ),
        (0, true, RecordUpdate { failure, attempt: doubt(wall), ..of(Status::Unknown) }, vec![Rule::Doubt]),
    ];
    for (messages, once, update, broken) in cases {
        let (mut court, all) = Court::new(1, &Draft { once, ..Draft::text(1) });
        (0..messages).for_each(|worker| court.sends(2 + worker, all[0].id, worker as usize));
        let record = record(&all[0], update);
        court.judge.close(9 * SECOND, |_| Some(&record));
        assert_eq!(court.broken(), broken, "{record:?}");
    }
}

#[test]
fn nothing_is_acked_before_its_end_is_recorded() {
    let (mut court, all) = Court::new(1, &Draft::text(1));
    let now = all[0].accepted_at;
    for status in [Status::Retrying, Status::Sent] {
        let record = record(&all[0], RecordUpdate::of(status, now));
        court.judge.acked(SECOND, all[0].id, now, Some(&record));
    }
    assert_eq!(court.broken(), [Rule::Ack]);
}

#[test]
fn nothing_begins_for_what_is_paused_and_of_a_paused_bot_nothing_leaves() {
    let (mut court, all) = Court::new(6, &Draft::text(1));
    court.judge.paused(2 * SECOND, Some(2), true);
    court.sends(3, all[0].id, 0);
    assert_eq!(court.broken(), [], "another chat");
    court.judge.paused(4 * SECOND, Some(1), true);
    court.judge.began(4 * SECOND, all[1].id, 0, true);
    court.judge.arrives(5 * SECOND, court.wall, all[1].id, 0, 1);
    assert_eq!(court.broken(), [], "it had begun");
    court.sends(6, all[2].id, 0);
    assert_eq!(court.broken(), [Rule::Paused]);
    court.judge.paused(7 * SECOND, Some(1), false);
    court.judge.began(8 * SECOND, all[3].id, 0, true);
    court.judge.paused(9 * SECOND, None, true);
    court.judge.news_of_pause(9 * SECOND);
    court.judge.arrives(11 * SECOND, court.wall, all[3].id, 0, 1);
    assert_eq!(court.broken(), [Rule::Paused; 2], "its owner knew");
    court.judge.paused(12 * SECOND, None, false);
    court.sends(13, all[4].id, 0);
    assert_eq!(court.broken(), [Rule::Paused; 2]);
}
