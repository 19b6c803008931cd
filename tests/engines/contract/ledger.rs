//! The contract of [`Ledger`].

use super::{bot, demanding, ledger_counts, ledger_ends, ledger_filters, ledger_pauses, notification, text_of};
use pixcourier::domain::{
    Attempt, AttemptOutcome, BotName, ChatId, Failure, FailureClass, Filter, Notification, NotificationId, Record,
    RecordUpdate, Status, Timestamp,
};
use pixcourier::ports::{Begin, BeginConditions, Cancelled, Ledger, ListQuery};
use std::sync::Arc;
use std::time::Duration;

/// Runs every check.
pub async fn suite(ledger: Arc<dyn Ledger>) {
    ledger.ready().await.expect("a ledger that works is ready");
    begin_creates_the_record_that_is_missing(&ledger).await;
    an_attempt_without_an_end_is_told_as_interrupted(&ledger).await;
    cut_off_attempts_are_counted_but_not_kept_without_bound(&ledger).await;
    a_copy_from_before_the_last_acceptance_is_stopped(&ledger).await;
    a_settlement_changes_what_it_names_and_leaves_the_rest(&ledger).await;
    a_settlement_creates_the_record_that_is_missing(&ledger).await;
    final_statuses_never_change(&ledger).await;
    what_has_not_begun_can_be_cancelled(&ledger).await;
    of_a_cancel_and_a_begin_at_once_one_wins(&ledger).await;
    a_record_keeps_the_last_attempts(&ledger).await;
    a_listing_gives_every_record_once_newest_first(&ledger).await;
    a_sweep_takes_what_finished_before_and_nothing_else(&ledger).await;
    a_final_record_stays_until_its_notification_expires(&ledger).await;
    everything_in_a_record_is_kept_unbent(&ledger).await;
    ledger_counts::the_counts_of_what_is_open_follow_every_change(&ledger).await;
    ledger_ends::suite(&ledger).await;
    ledger_filters::suite(&ledger).await;
    ledger_pauses::suite(&ledger).await;
}

const GO: Begin = Begin::Proceed { interrupted: false, interrupted_attempts: 0 };

fn attempt(number: u64, outcome: AttemptOutcome) -> Attempt {
    Attempt {
        at: Timestamp::from_unix_millis(1_700_000_000_000 + i64::try_from(number).expect("small")),
        duration_ms: number,
        uploaded: number.is_multiple_of(2),
        outcome,
        error_code: Some(429),
        reason: Some(format!("Too Many Requests: attempt {number}")),
        retry_after: Some(number),
    }
}

fn failure() -> Failure {
    Failure {
        class: FailureClass::Recipient,
        error_code: Some(403),
        description: "Forbidden: bot was blocked by the user".to_owned(),
    }
}

async fn get(ledger: &Arc<dyn Ledger>, id: NotificationId) -> Record {
    ledger.get(id).await.expect("get").expect("the record is there")
}

async fn settle(ledger: &Arc<dyn Ledger>, notification: &Notification, status: Status) -> bool {
    ledger.settle(notification, &RecordUpdate::of(status, Timestamp::now())).await.expect("settle")
}

/// The ledger may have been away at acceptance.
pub async fn begin_creates_the_record_that_is_missing(ledger: &Arc<dyn Ledger>) {
    let sent = notification(&bot("l-begin"), 1);
    assert_eq!(ledger.get(sent.id).await.expect("get"), None);
    let at = Timestamp::now();
    assert_eq!(ledger.begin(&sent, at, &BeginConditions::NONE).await.expect("begin"), GO);
    let record = get(ledger, sent.id).await;
    assert_eq!((record.status, record.updated_at), (Status::Sending, at));
    assert_eq!(record.notification, sent);
    assert!(record.attempts.is_empty() && record.failure.is_none() && record.message_id.is_none());
}

/// A begin after a begin with nothing between means that a courier crashed.
pub async fn an_attempt_without_an_end_is_told_as_interrupted(ledger: &Arc<dyn Ledger>) {
    let sent = notification(&bot("l-begin"), 2);
    let at = |second| sent.accepted_at.plus(Duration::from_secs(second));
    assert_eq!(ledger.begin(&sent, at(0), &BeginConditions::NONE).await.expect("begin"), GO);
    for interrupted_attempts in 1..=2 {
        let again = ledger.begin(&sent, at(interrupted_attempts.into()), &BeginConditions::NONE).await.expect("begin");
        assert_eq!(again, Begin::Proceed { interrupted: true, interrupted_attempts });
    }
    let record = get(ledger, sent.id).await;
    assert_eq!((record.status, record.updated_at), (Status::Sending, at(2)));
    assert_eq!(
        record.attempts,
        [Attempt::interrupted(at(1)), Attempt::interrupted(at(2))],
        "the ledger itself writes them"
    );
    for status in [Status::Retrying, Status::Held, Status::Queued] {
        assert!(settle(ledger, &sent, status).await);
        let begun = ledger.begin(&sent, Timestamp::now(), &BeginConditions::NONE).await.expect("begin");
        assert_eq!(begun, Begin::Proceed { interrupted: false, interrupted_attempts: 2 }, "{status:?} is an end");
    }
    assert_eq!(get(ledger, sent.id).await.attempts.len(), 2);
}

/// As other attempts.
pub async fn cut_off_attempts_are_counted_but_not_kept_without_bound(ledger: &Arc<dyn Ledger>) {
    let sent = notification(&bot("l-begin"), 3);
    let begins = Record::ATTEMPTS_KEPT as u32 + 5;
    for number in 0..begins {
        let at = sent.accepted_at.plus(Duration::from_secs(number.into()));
        let begun = ledger.begin(&sent, at, &BeginConditions::NONE).await.expect("begin");
        assert_eq!(begun, Begin::Proceed { interrupted: number > 0, interrupted_attempts: number });
    }
    let last = Attempt::interrupted(sent.accepted_at.plus(Duration::from_secs((begins - 1).into())));
    let attempts = get(ledger, sent.id).await.attempts;
    assert_eq!((attempts.len(), attempts.last()), (Record::ATTEMPTS_KEPT, Some(&last)));
}

/// Neither its begin nor its update changes anything, whatever has become of the later acceptance.
pub async fn a_copy_from_before_the_last_acceptance_is_stopped(ledger: &Arc<dyn Ledger>) {
    let last = notification(&bot("l-older"), 1);
    let older = Notification { accepted_at: last.accepted_at.minus(Duration::from_millis(1)), ..last.clone() };
    for status in [Status::Queued, Status::Sending, Status::Retrying, Status::Held, Status::Sent] {
        assert!(settle(ledger, &last, status).await);
        let before = get(ledger, last.id).await;
        assert_eq!(
            ledger.begin(&older, Timestamp::now(), &BeginConditions::NONE).await.expect("begin"),
            Begin::Skip(status)
        );
        for late in [Status::Retrying, Status::Sent] {
            assert!(!settle(ledger, &older, late).await, "{status:?} stays when an older copy says {late:?}");
        }
        assert_eq!(get(ledger, last.id).await, before);
    }
}

/// `None` leaves message_id and file_id, and replaces failure and next_attempt_at.
pub async fn a_settlement_changes_what_it_names_and_leaves_the_rest(ledger: &Arc<dyn Ledger>) {
    let sent = notification(&bot("l-settle"), 1);
    ledger.begin(&sent, Timestamp::now(), &BeginConditions::NONE).await.expect("begin");
    let at = Timestamp::now();
    let first = RecordUpdate {
        attempt: Some(attempt(1, AttemptOutcome::FloodWait)),
        failure: Some(failure()),
        file_id: Some("AgAC".to_owned()),
        message_id: Some(i64::MAX),
        next_attempt_at: Some(at.plus(Duration::from_secs(60))),
        ..RecordUpdate::of(Status::Retrying, at)
    };
    assert!(ledger.settle(&sent, &first).await.expect("settle"));
    let record = get(ledger, sent.id).await;
    assert_eq!((record.status, record.updated_at), (Status::Retrying, at));
    assert_eq!(record.attempts, [attempt(1, AttemptOutcome::FloodWait)]);
    assert_eq!((record.failure, record.next_attempt_at), (Some(failure()), first.next_attempt_at));

    let second = RecordUpdate {
        attempt: Some(attempt(2, AttemptOutcome::Sent)),
        ..RecordUpdate::of(Status::Sent, at.plus(Duration::from_secs(1)))
    };
    assert!(ledger.settle(&sent, &second).await.expect("settle"));
    let record = get(ledger, sent.id).await;
    assert_eq!((record.status, record.updated_at), (Status::Sent, second.at));
    assert_eq!(record.attempts, [attempt(1, AttemptOutcome::FloodWait), attempt(2, AttemptOutcome::Sent)]);
    assert_eq!((record.message_id, record.file_id), (Some(i64::MAX), Some("AgAC".to_owned())), "None leaves these");
    assert_eq!((record.failure, record.next_attempt_at), (None, None), "None replaces these");
}

/// As with begin.
pub async fn a_settlement_creates_the_record_that_is_missing(ledger: &Arc<dyn Ledger>) {
    let sent = notification(&bot("l-settle"), 2);
    let change = RecordUpdate { failure: Some(failure()), ..RecordUpdate::of(Status::Failed, Timestamp::now()) };
    assert!(ledger.settle(&sent, &change).await.expect("settle"));
    let record = get(ledger, sent.id).await;
    assert_eq!((record.status, record.failure, record.notification), (Status::Failed, Some(failure()), sent));
}

/// Neither by settle nor by begin nor by cancel.
pub async fn final_statuses_never_change(ledger: &Arc<dyn Ledger>) {
    for status in Status::ALL.into_iter().filter(|status| status.is_final()) {
        let sent = notification(&bot("l-final"), 1);
        ledger.begin(&sent, Timestamp::now(), &BeginConditions::NONE).await.expect("begin");
        assert!(settle(ledger, &sent, status).await, "{status:?} can be reached");
        let before = get(ledger, sent.id).await;
        for next in Status::ALL {
            let change = RecordUpdate {
                attempt: Some(attempt(1, AttemptOutcome::Transient)),
                failure: Some(failure()),
                ..RecordUpdate::of(next, Timestamp::now())
            };
            assert!(!ledger.settle(&sent, &change).await.expect("settle"), "{status:?} to {next:?}");
        }
        assert_eq!(
            ledger.begin(&sent, Timestamp::now(), &BeginConditions::NONE).await.expect("begin"),
            Begin::Skip(status)
        );
        let cancelled = ledger.cancel(sent.id, Timestamp::now()).await.expect("cancel");
        assert_eq!(cancelled, Cancelled::TooLate(status));
        assert_eq!(get(ledger, sent.id).await, before, "{status:?} is final");
    }
}

/// And only that.
pub async fn what_has_not_begun_can_be_cancelled(ledger: &Arc<dyn Ledger>) {
    let unknown = ledger.cancel(NotificationId::new(), Timestamp::now()).await.expect("cancel");
    assert_eq!(unknown, Cancelled::NotFound);
    let sent = notification(&bot("l-cancel"), 1);
    ledger.begin(&sent, Timestamp::now(), &BeginConditions::NONE).await.expect("begin");
    let late = ledger.cancel(sent.id, Timestamp::now()).await.expect("cancel");
    assert_eq!(late, Cancelled::TooLate(Status::Sending));

    for status in [Status::Queued, Status::Scheduled, Status::Retrying, Status::Held] {
        let sent = notification(&bot("l-cancel"), 2);
        assert!(settle(ledger, &sent, status).await);
        let at = Timestamp::now();
        let Cancelled::Done(record) = ledger.cancel(sent.id, at).await.expect("cancel") else {
            panic!("{status:?} can be cancelled");
        };
        assert_eq!((record.status, record.updated_at, record.next_attempt_at), (Status::Cancelled, at, None));
        assert_eq!(*record, get(ledger, sent.id).await);
        assert_eq!(
            ledger.begin(&sent, at, &BeginConditions::NONE).await.expect("begin"),
            Begin::Skip(Status::Cancelled)
        );
    }
}

/// A caller told "cancelled" is right: the courier is told to stop, and the other way round.
pub async fn of_a_cancel_and_a_begin_at_once_one_wins(ledger: &Arc<dyn Ledger>) {
    for chat in 1..=50 {
        let sent = notification(&bot("l-race"), chat);
        assert!(settle(ledger, &sent, Status::Queued).await);
        let at = Timestamp::now();
        let (begun, cancelled) =
            tokio::join!(ledger.begin(&sent, at, &BeginConditions::NONE), ledger.cancel(sent.id, at));
        match (begun.expect("begin"), cancelled.expect("cancel")) {
            (GO, Cancelled::TooLate(Status::Sending)) | (Begin::Skip(Status::Cancelled), Cancelled::Done(_)) => {}
            both => panic!("{both:?}"),
        }
    }
}

/// An outage of a day must not grow a record without bound.
pub async fn a_record_keeps_the_last_attempts(ledger: &Arc<dyn Ledger>) {
    let sent = notification(&bot("l-attempts"), 1);
    let tried = Record::ATTEMPTS_KEPT as u64 + 5;
    for number in 1..=tried {
        let change = RecordUpdate {
            attempt: Some(attempt(number, AttemptOutcome::Transient)),
            ..RecordUpdate::of(Status::Retrying, Timestamp::now())
        };
        assert!(ledger.settle(&sent, &change).await.expect("settle"));
    }
    let numbers: Vec<_> = get(ledger, sent.id).await.attempts.iter().map(|attempt| attempt.duration_ms).collect();
    assert_eq!(numbers, Vec::from_iter(6..=tried), "the last {}, oldest first", Record::ATTEMPTS_KEPT);
}

async fn pages(ledger: &Arc<dyn Ledger>, status: Option<Status>, bot: Option<BotName>, limit: usize) -> Vec<Record> {
    found(ledger, Filter { statuses: status.into_iter().collect(), bot, ..Filter::default() }, limit).await
}

/// All records that meet a filter, so many on a page.
pub async fn found(ledger: &Arc<dyn Ledger>, filter: Filter, limit: usize) -> Vec<Record> {
    let mut all = Vec::new();
    let mut query = ListQuery { filter, limit, before: None };
    loop {
        let page = ledger.list(&query).await.expect("list");
        assert!(page.next < query.before || query.before.is_none(), "a cursor moves on: {:?}", page.next);
        assert!(page.records.len() <= limit, "{} on a page of {limit}", page.records.len());
        all.extend(page.records);
        match page.next {
            Some(next) => query.before = Some(next),
            None => return all,
        }
    }
}

/// Paging through a filter yields what matches, all of it, once; a record is under its present status only.
pub async fn a_listing_gives_every_record_once_newest_first(ledger: &Arc<dyn Ledger>) {
    let (this, that) = (bot("l-list-1"), bot("l-list-2"));
    let mut sent = Vec::new();
    for chat in 0..60 {
        let name = if chat % 3 == 0 { &that } else { &this };
        let status = [Status::Queued, Status::Retrying, Status::Failed, Status::Sent][chat as usize % 4];
        let one = notification(name, chat);
        assert!(settle(ledger, &one, Status::Queued).await, "every one was queued first");
        if status != Status::Queued {
            assert!(settle(ledger, &one, status).await);
        }
        sent.push((one.id, name.clone(), status));
    }
    sent.reverse();
    let ours = |records: Vec<Record>| -> Vec<NotificationId> {
        let own = |record: &Record| [&this, &that].contains(&&record.notification.bot);
        records.into_iter().filter(own).map(|record| record.notification.id).collect()
    };
    let filters = [
        (None, None),
        (None, Some(&this)),
        (Some(Status::Failed), Some(&this)),
        (Some(Status::Queued), Some(&that)),
        (Some(Status::Retrying), None),
        (Some(Status::Expired), Some(&this)),
    ];
    for (status, name) in filters {
        let fits = |one: &&(NotificationId, BotName, Status)| {
            status.is_none_or(|status| one.2 == status) && name.is_none_or(|name| one.1 == *name)
        };
        let expected: Vec<_> = sent.iter().filter(fits).map(|one| one.0).collect();
        for limit in [1, 7, 1_000] {
            let listed = ours(pages(ledger, status, name.cloned(), limit).await);
            assert_eq!(listed, expected, "{status:?} of {name:?}, {limit} at a time");
        }
    }
    let middle = sent[30].0;
    let query = ListQuery { filter: Filter::default(), limit: 1_000, before: Some(middle) };
    let page = ledger.list(&query).await.expect("list");
    assert!(page.records.iter().all(|record| record.notification.id < middle), "only ids below the cursor");
    let listed = ours(page.records);
    assert!(listed.starts_with(&[sent[31].0]), "the next one below it comes first");
}

/// By the time it finished, not by the time it was accepted; unfinished ones stay however old.
pub async fn a_sweep_takes_what_finished_before_and_nothing_else(ledger: &Arc<dyn Ledger>) {
    let name = bot("l-sweep");
    let long_ago = Timestamp::from_unix_millis(1_000_000_000_000);
    let moment = long_ago.plus(Duration::from_secs(3600));
    let old = |chat| Notification { accepted_at: long_ago, expires_at: long_ago, ..notification(&name, chat) };
    let (gone, unfinished, fresh) = ([old(1), old(2), old(3)], old(4), old(5));
    for (one, status) in gone.iter().zip([Status::Sent, Status::Failed, Status::Cancelled]) {
        assert!(ledger.settle(one, &RecordUpdate::of(status, long_ago)).await.expect("settle"));
    }
    assert!(ledger.settle(&unfinished, &RecordUpdate::of(Status::Held, long_ago)).await.expect("settle"));
    let just_after = moment.plus(Duration::from_secs(1));
    assert!(ledger.settle(&fresh, &RecordUpdate::of(Status::Sent, just_after)).await.expect("settle"));

    assert_eq!(ledger.sweep(moment).await.expect("sweep"), 3, "what finished before");
    for one in &gone {
        assert_eq!(ledger.get(one.id).await.expect("get"), None);
    }
    assert_eq!(get(ledger, unfinished.id).await.status, Status::Held);
    assert_eq!(get(ledger, fresh.id).await.status, Status::Sent);
    let listed: Vec<_> = pages(ledger, None, Some(name), 2).await.into_iter().map(|r| r.notification.id).collect();
    assert_eq!(listed, [fresh.id, unfinished.id], "no listing names what is swept");
    assert_eq!(ledger.sweep(moment).await.expect("sweep"), 0, "nothing is left to do");
}

/// One that was to be sent in ten days and is cancelled: until then the copy in the queue must find it cancelled.
pub async fn a_final_record_stays_until_its_notification_expires(ledger: &Arc<dyn Ledger>) {
    let finished_at = Timestamp::from_unix_millis(500_000_000_000);
    let day = |number: u64| finished_at.plus(Duration::from_secs(number * 86_400));
    let name = bot("l-expiry");
    let sent = Notification {
        accepted_at: finished_at,
        send_at: Some(day(10)),
        expires_at: day(11),
        ..notification(&name, 1)
    };
    assert!(ledger.settle(&sent, &RecordUpdate::of(Status::Scheduled, finished_at)).await.expect("settle"));
    assert!(matches!(ledger.cancel(sent.id, finished_at).await.expect("cancel"), Cancelled::Done(_)));
    for moment in [day(7), day(11)] {
        assert_eq!(ledger.sweep(moment).await.expect("sweep"), 0);
        assert_eq!(
            ledger.begin(&sent, moment, &BeginConditions::NONE).await.expect("begin"),
            Begin::Skip(Status::Cancelled)
        );
    }
    assert_eq!(ledger.sweep(day(11).plus(Duration::from_millis(1))).await.expect("sweep"), 1);
    assert_eq!(ledger.get(sent.id).await.expect("get"), None);
}

/// Large parameters byte for byte, chat ids to 52 bits.
pub async fn everything_in_a_record_is_kept_unbent(ledger: &Arc<dyn Ledger>) {
    for (chat, odd) in [-4_503_599_627_370_495, 4_503_599_627_370_495].into_iter().zip([true, false]) {
        let name = bot("l-whole");
        let sent = if odd { demanding(&name) } else { notification(&name, chat) };
        assert_eq!(ledger.begin(&sent, Timestamp::now(), &BeginConditions::NONE).await.expect("begin"), GO);
        let change = RecordUpdate {
            attempt: Some(attempt(1, AttemptOutcome::Sent)),
            failure: Some(Failure { description: "\u{0}🦀 \"quoted\" \\".to_owned(), ..failure() }),
            ..RecordUpdate::of(Status::Unknown, Timestamp::now())
        };
        assert!(ledger.settle(&sent, &change).await.expect("settle"));
        let record = get(ledger, sent.id).await;
        assert_eq!(record.notification, sent);
        assert_eq!(record.notification.chat_id, ChatId::Id(chat));
        assert_eq!(text_of(&record.notification), text_of(&sent), "byte for byte");
        assert_eq!((record.attempts, record.failure), (vec![attempt(1, AttemptOutcome::Sent)], change.failure));
    }
}
