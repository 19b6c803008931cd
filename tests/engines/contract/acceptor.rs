//! The contract of [`Acceptor`], with the ports that it writes to.

use super::{bot, demanding, eventually, later, next, nothing_comes, notification, ownership, with_image};
use crate::support::wait::until;
use futures_util::future::join_all;
use pixcourier::domain::{
    Attempt, AttemptOutcome, Deferral, Failure, FailureClass, Notification, NotificationId, RecordUpdate, Sha256,
    Status, Timestamp,
};
use pixcourier::ports::{
    AcceptError, Accepted, Acceptor, Begin, BeginConditions, Cancelled, Delivery, Depth, Idempotency, Ledger,
    MediaIndex, Queue, Resubmitted, Submission, Subscription,
};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

/// The bots that the suite uses.
pub const BOTS: [&str; 9] =
    ["a-plain", "a-later", "a-key", "a-crowd", "a-again", "a-copies", "a-pin", "a-deferred", "a-nobody"];

/// The ports of one engine.
#[derive(Clone)]
pub struct AcceptorPorts {
    /// The one under test.
    pub acceptor: Arc<dyn Acceptor>,
    /// Where it publishes.
    pub queue: Arc<dyn Queue>,
    /// Where it records.
    pub ledger: Arc<dyn Ledger>,
    /// Where it pins.
    pub media: Arc<dyn MediaIndex>,
}

const GO: Begin = Begin::Proceed { interrupted: false, interrupted_attempts: 0 };

/// Runs every check.
pub async fn suite(ports: AcceptorPorts) {
    ports.acceptor.ready().await.expect("an acceptor that works is ready");
    for name in BOTS {
        let depth = async || ports.queue.depth(&bot(name)).await.ok();
        super::eventually("the depth of a fresh namespace", Some(Depth::default()), depth).await;
    }
    what_is_accepted_is_recorded_and_delivered(&ports).await;
    what_is_accepted_for_later_is_scheduled(&ports).await;
    one_key_gives_one_answer_and_one_delivery(&ports).await;
    a_key_with_another_request_is_refused(&ports).await;
    an_answer_is_recalled_without_taking_anything_in(&ports).await;
    of_a_crowd_with_one_key_one_gets_in(&ports).await;
    only_what_ended_otherwise_than_sent_is_taken_in_again(&ports).await;
    of_a_cancelled_one_only_the_copy_taken_in_again_is_sent(&ports).await;
    a_deferred_copy_comes_back_although_it_is_taken_in_again(&ports).await;
    what_nobody_takes_out_of_the_queue_ends_after_its_expiry(&ports).await;
    what_is_taken_in_again_is_counted_anew_and_waits_for_its_time(&ports).await;
    what_is_taken_in_again_is_later_than_before_by_any_clock(&ports).await;
    an_image_is_pinned_until_its_notification_expires(&ports).await;
}

fn with_key(notification: Notification, key: &str, fingerprint: &str) -> Submission {
    let idempotency = Idempotency { key: key.to_owned(), fingerprint: fingerprint.to_owned() };
    Submission { notification, idempotency: Some(idempotency) }
}

fn plainly(notification: Notification) -> Submission {
    Submission { notification, idempotency: None }
}

impl AcceptorPorts {
    async fn accept(&self, submission: &Submission) -> Accepted {
        self.acceptor.accept(submission).await.expect("accepted")
    }

    async fn subscribe(&self, name: &str) -> Subscription {
        let mut subscription = self.queue.subscribe(&bot(name), 100).await.expect("subscribe");
        ownership(&mut subscription).await;
        subscription
    }

    async fn take(&self, subscription: &mut Subscription) -> Delivery {
        let delivered = next(subscription).await;
        self.queue.ack(&delivered.receipt).await.expect("ack");
        delivered
    }

    async fn status_becomes(&self, id: NotificationId, status: Status) {
        let ask = async || self.ledger.get(id).await.expect("get").map(|record| record.status);
        eventually("the status", Some(status), ask).await;
    }
}

/// Whole, once per acceptance; equal requests without a key are two.
pub async fn what_is_accepted_is_recorded_and_delivered(ports: &AcceptorPorts) {
    let name = bot("a-plain");
    let (first, second) = (demanding(&name), notification(&name, 2));
    for sent in [&first, &second] {
        let accepted = ports.accept(&plainly(sent.clone())).await;
        let expected = Accepted { id: sent.id, status: Status::Queued, accepted_at: sent.accepted_at, replayed: false };
        assert_eq!(accepted, expected);
        ports.status_becomes(sent.id, Status::Queued).await;
        let record = ports.ledger.get(sent.id).await.expect("get").expect("recorded");
        assert_eq!((&record.notification, record.updated_at), (sent, sent.accepted_at));
        assert!(record.attempts.is_empty());
    }
    let mut subscription = ports.subscribe("a-plain").await;
    let mut taken =
        [ports.take(&mut subscription).await.notification, ports.take(&mut subscription).await.notification];
    // They are for two chats, so they may come in any order.
    taken.sort_by_key(|notification| notification.id != first.id);
    assert_eq!(taken, [first.clone(), second]);
    nothing_comes(&mut subscription, "two were accepted").await;
    let begun = ports.ledger.begin(&first, Timestamp::now(), &BeginConditions::NONE).await.expect("begin");
    assert_eq!(begun, GO);
}

/// The status says so, and the queue keeps it back.
pub async fn what_is_accepted_for_later_is_scheduled(ports: &AcceptorPorts) {
    let mut subscription = ports.subscribe("a-later").await;
    let sent = later(&bot("a-later"), 1, Duration::from_millis(2_500));
    assert_eq!(ports.accept(&plainly(sent.clone())).await.status, Status::Scheduled);
    ports.status_becomes(sent.id, Status::Scheduled).await;
    assert_eq!(ports.take(&mut subscription).await.notification, sent);
    assert!(Timestamp::now() >= sent.send_at.expect("scheduled"), "delivered before its send_at");
}

/// Also after it was sent: the answer is the one given first.
pub async fn one_key_gives_one_answer_and_one_delivery(ports: &AcceptorPorts) {
    let name = bot("a-key");
    let mut subscription = ports.subscribe("a-key").await;
    let first = notification(&name, 1);
    let accepted = ports.accept(&with_key(first.clone(), "order 1", "f1")).await;
    assert!(!accepted.replayed);
    assert_eq!(ports.take(&mut subscription).await.notification, first);
    let replay = Accepted { replayed: true, ..accepted };
    let repeat = || with_key(notification(&name, 1), "order 1", "f1");
    assert_eq!(ports.accept(&repeat()).await, replay);
    let sent = RecordUpdate::of(Status::Sent, Timestamp::now());
    assert!(ports.ledger.settle(&first, &sent).await.expect("settle"));
    assert_eq!(ports.accept(&repeat()).await, replay, "the status is that of the time of acceptance");
    ports.status_becomes(first.id, Status::Sent).await;

    let other = notification(&name, 2);
    assert!(!ports.accept(&with_key(other.clone(), "order 2", "f1")).await.replayed, "another key is another order");
    assert_eq!(ports.take(&mut subscription).await.notification.id, other.id, "the repeats were not delivered");
    nothing_comes(&mut subscription, "the repeats were not accepted").await;
}

/// And leaves no trace.
pub async fn a_key_with_another_request_is_refused(ports: &AcceptorPorts) {
    let name = bot("a-key");
    let mut subscription = ports.subscribe("a-key").await;
    let key = "a key with\u{0} odd 🦀 characters: {}*?";
    let first = notification(&name, 3);
    ports.accept(&with_key(first.clone(), key, "f1")).await;
    let refused = notification(&name, 4);
    let answer = ports.acceptor.accept(&with_key(refused.clone(), key, "f2")).await;
    assert!(matches!(answer, Err(AcceptError::KeyReused)), "{answer:?}");
    assert_eq!(ports.ledger.get(refused.id).await.expect("get"), None);
    assert!(ports.accept(&with_key(notification(&name, 5), key, "f1")).await.replayed, "the key is still the first's");
    assert_eq!(ports.take(&mut subscription).await.notification.id, first.id);
    nothing_comes(&mut subscription, "one was accepted").await;
}

/// Only what was accepted, and only for the same request.
pub async fn an_answer_is_recalled_without_taking_anything_in(ports: &AcceptorPorts) {
    let name = bot("a-key");
    let mut subscription = ports.subscribe("a-key").await;
    let key = |fingerprint: &str| Idempotency { key: "recalled".to_owned(), fingerprint: fingerprint.to_owned() };
    assert_eq!(ports.acceptor.recall(&key("f1")).await.expect("recall"), None);
    let first = notification(&name, 6);
    let accepted = ports.accept(&with_key(first.clone(), "recalled", "f1")).await;
    let again = Accepted { replayed: true, ..accepted };
    assert_eq!(ports.acceptor.recall(&key("f1")).await.expect("recall"), Some(again));
    let other = ports.acceptor.recall(&key("f2")).await;
    assert!(matches!(other, Err(AcceptError::KeyReused)), "{other:?}");
    assert_eq!(ports.take(&mut subscription).await.notification.id, first.id);
    nothing_comes(&mut subscription, "one was accepted").await;
}

/// Fifty at once with one key: one id, one delivery. Those told to come again later get the same answer then.
pub async fn of_a_crowd_with_one_key_one_gets_in(ports: &AcceptorPorts) {
    let name = bot("a-crowd");
    let mut subscription = ports.subscribe("a-crowd").await;
    let submissions: Vec<_> = (1..=50).map(|chat| with_key(notification(&name, chat), "crowd", "f")).collect();
    let persist = async |submission: &Submission| {
        until("an answer", super::WAIT_TIMEOUT, async || match ports.acceptor.accept(submission).await {
            Err(AcceptError::Unavailable { .. }) => None,
            answer => Some(answer.unwrap_or_else(|error| panic!("{error}"))),
        })
        .await
    };
    let answers = join_all(submissions.iter().map(persist)).await;
    let distinct: HashSet<_> = answers.iter().map(|answer| (answer.id, answer.accepted_at)).collect();
    assert_eq!(distinct.len(), 1, "one key, one answer");
    let delivered = ports.take(&mut subscription).await;
    assert_eq!(distinct, HashSet::from([(delivered.notification.id, delivered.notification.accepted_at)]));
    nothing_comes(&mut subscription, "one key, one delivery").await;
}

/// Under its own id, with fresh times; what was tried before stays on record.
pub async fn only_what_ended_otherwise_than_sent_is_taken_in_again(ports: &AcceptorPorts) {
    let name = bot("a-again");
    let mut subscription = ports.subscribe("a-again").await;
    let missing = ports.acceptor.resubmit(&notification(&name, 1)).await.expect("resubmit");
    assert_eq!(missing, Resubmitted::NotFound);

    for status in Status::ALL {
        let sent = notification(&name, 2);
        ports.accept(&plainly(sent.clone())).await;
        ports.take(&mut subscription).await;
        let tried = Attempt {
            at: Timestamp::now(),
            duration_ms: 5,
            uploaded: true,
            outcome: AttemptOutcome::Permanent,
            error_code: Some(400),
            reason: None,
            retry_after: None,
        };
        let failure = Failure { class: FailureClass::Content, error_code: Some(400), description: "no".to_owned() };
        let end = RecordUpdate {
            attempt: Some(tried.clone()),
            failure: Some(failure),
            message_id: Some(7),
            file_id: Some("AgAC".to_owned()),
            next_attempt_at: Some(Timestamp::now()),
            ..RecordUpdate::of(status, Timestamp::now())
        };
        assert!(ports.ledger.settle(&sent, &end).await.expect("settle"));
        let accepted_at = Timestamp::now().plus(Duration::from_secs(1));
        let fresh = Notification { accepted_at, expires_at: accepted_at.plus(Duration::from_secs(60)), ..sent.clone() };
        let answer = ports.acceptor.resubmit(&fresh).await.expect("resubmit");
        if !status.is_retryable() {
            assert_eq!(answer, Resubmitted::Refused(status));
            continue;
        }
        let Resubmitted::Done(record) = answer else { panic!("{status:?} can be retried: {answer:?}") };
        assert_eq!((record.status, &record.notification), (Status::Queued, &fresh));
        assert_eq!((record.updated_at, &record.failure, record.next_attempt_at), (accepted_at, &None, None));
        assert_eq!((record.message_id, &record.file_id), (None, &None));
        assert_eq!(record.attempts, [tried], "what was tried stays on record");
        assert_eq!(ports.ledger.get(sent.id).await.expect("get").as_ref(), Some(&*record));
        let resumed = ports.acceptor.resume(&fresh).await.expect("resume");
        assert_eq!(resumed, Resubmitted::Refused(Status::Queued), "it is on its way");
        assert_eq!(ports.take(&mut subscription).await.notification, fresh, "it is on its way again");
        let begun = ports.ledger.begin(&fresh, Timestamp::now(), &BeginConditions::NONE).await.expect("begin");
        assert_eq!(begun, GO, "as if it were new");
        let twice = ports.acceptor.resubmit(&fresh).await.expect("resubmit");
        assert_eq!(twice, Resubmitted::Refused(Status::Sending));
        let end = RecordUpdate::of(status, Timestamp::now());
        assert!(ports.ledger.settle(&fresh, &end).await.expect("settle"));
        let resumed = ports.acceptor.resume(&fresh).await.expect("resume");
        assert_eq!(resumed, Resubmitted::Refused(status), "what has ended since is not tried once more");
    }
    nothing_comes(&mut subscription, "what was refused is not delivered").await;
}

/// The copy from before waits in the queue for a time far away, or is in a courier's hands. It is not forgotten who it
/// is, even when the one taken in again was to live shorter.
pub async fn of_a_cancelled_one_only_the_copy_taken_in_again_is_sent(ports: &AcceptorPorts) {
    let mut subscription = ports.subscribe("a-copies").await;
    let old = later(&bot("a-copies"), 1, Duration::from_secs(10 * 86_400));
    let old = Notification { expires_at: old.accepted_at.plus(Duration::from_secs(11 * 86_400)), ..old };
    ports.accept(&plainly(old.clone())).await;
    ports.status_becomes(old.id, Status::Scheduled).await;
    let cancelled = ports.ledger.cancel(old.id, Timestamp::now()).await.expect("cancel");
    assert!(matches!(cancelled, Cancelled::Done(_)), "{cancelled:?}");
    let accepted_at = old.accepted_at.plus(Duration::from_secs(1));
    let expires_at = accepted_at.plus(Duration::from_secs(60));
    let fresh = Notification { accepted_at, expires_at, send_at: None, ..old.clone() };
    let answer = ports.acceptor.resubmit(&fresh).await.expect("resubmit");
    assert!(matches!(answer, Resubmitted::Done(_)), "{answer:?}");
    assert_eq!(ports.take(&mut subscription).await.notification, fresh);

    let now = Timestamp::now();
    let late = RecordUpdate::of(Status::Sent, now);
    let stopped = async |status| {
        let before = ports.ledger.get(old.id).await.expect("get");
        assert_eq!(ports.ledger.begin(&old, now, &BeginConditions::NONE).await.expect("begin"), Begin::Skip(status));
        assert!(!ports.ledger.settle(&old, &late).await.expect("settle"), "{status:?}");
        assert_eq!(ports.ledger.get(old.id).await.expect("get"), before);
    };
    stopped(Status::Queued).await;
    assert_eq!(ports.ledger.begin(&fresh, now, &BeginConditions::NONE).await.expect("begin"), GO);
    stopped(Status::Sending).await;
    assert!(ports.ledger.settle(&fresh, &late).await.expect("settle"));
    stopped(Status::Sent).await;
    ports.ledger.sweep(old.send_at.expect("scheduled")).await.expect("sweep");
    stopped(Status::Sent).await;
    ports.ledger.sweep(old.expires_at.plus(Duration::from_millis(1))).await.expect("sweep");
    assert_eq!(ports.ledger.get(old.id).await.expect("get"), None);
}

/// Its courier counts on the number of its arrival: what came later for its chat waits for that.
pub async fn a_deferred_copy_comes_back_although_it_is_taken_in_again(ports: &AcceptorPorts) {
    let mut subscription = ports.subscribe("a-deferred").await;
    let old = notification(&bot("a-deferred"), 1);
    ports.accept(&plainly(old.clone())).await;
    ports.status_becomes(old.id, Status::Queued).await;
    let delivered = next(&mut subscription).await;
    let deferral = Some(Deferral { epoch: delivered.receipt.epoch, number: 3 });
    let old = Notification { deferral, ..delivered.notification };
    let until = Timestamp::now().plus(Duration::from_secs(3));
    ports.queue.defer(&delivered.receipt, &old, until).await.expect("defer");
    let cancelled = ports.ledger.cancel(old.id, Timestamp::now()).await.expect("cancel");
    assert!(matches!(cancelled, Cancelled::Done(_)), "{cancelled:?}");
    let accepted_at = old.accepted_at.plus(Duration::from_secs(1));
    let fresh = Notification { accepted_at, deferral: None, ..old.clone() };
    let answer = ports.acceptor.resubmit(&fresh).await.expect("resubmit");
    assert!(matches!(answer, Resubmitted::Done(_)), "{answer:?}");
    assert_eq!(ports.take(&mut subscription).await.notification, fresh);
    assert_eq!(ports.take(&mut subscription).await.notification, old);
}

/// Its bot is configured no more. Who takes it all the same is told that it has ended.
pub async fn what_nobody_takes_out_of_the_queue_ends_after_its_expiry(ports: &AcceptorPorts) {
    let name = bot("a-nobody");
    let plain = notification(&name, 1);
    let expires_at = plain.accepted_at.plus(Duration::from_secs(3_600));
    let plain = Notification { expires_at, ..plain };
    let scheduled = Notification { expires_at, ..later(&name, 2, Duration::from_secs(1_800)) };
    let valid = Notification { expires_at: expires_at.plus(Duration::from_secs(1)), ..notification(&name, 3) };
    for one in [&plain, &scheduled, &valid] {
        ports.accept(&plainly(one.clone())).await;
        ports.status_becomes(one.id, Status::accepted(one)).await;
    }
    let just_after = expires_at.plus(Duration::from_millis(1));
    let ended = ports.ledger.end_lost(just_after, just_after).await.expect("end_lost");
    assert_eq!(ended.len(), 2, "those that have expired: {ended:?}");
    assert!(ended.iter().all(|(bot, _)| *bot == name), "{ended:?}");
    assert!(ports.ledger.end_lost(just_after, just_after).await.expect("end_lost").is_empty(), "nothing is left");
    for one in [&plain, &scheduled] {
        let status = ports.ledger.get(one.id).await.expect("get").expect("recorded").status;
        assert!([Status::Expired, Status::Unknown].contains(&status), "{status:?}");
        assert!(ended.contains(&(name.clone(), status)), "{status:?} in {ended:?}");
        let begun = ports.ledger.begin(one, just_after, &BeginConditions::NONE).await.expect("begin");
        assert_eq!(begun, Begin::Skip(status));
    }
    ports.status_becomes(valid.id, Status::Queued).await;
}

/// Its cut-off attempts stay on record, and a `send_at` that is still to come makes it scheduled.
pub async fn what_is_taken_in_again_is_counted_anew_and_waits_for_its_time(ports: &AcceptorPorts) {
    let sent = notification(&bot("a-later"), 2);
    ports.accept(&plainly(sent.clone())).await;
    ports.status_becomes(sent.id, Status::Queued).await;
    let at = |second| sent.accepted_at.plus(Duration::from_secs(second));
    for (second, interrupted_attempts) in [(0, 0), (1, 1), (2, 2)] {
        let begun = ports.ledger.begin(&sent, at(second), &BeginConditions::NONE).await.expect("begin");
        assert_eq!(begun, Begin::Proceed { interrupted: interrupted_attempts > 0, interrupted_attempts });
    }
    assert!(ports.ledger.settle(&sent, &RecordUpdate::of(Status::Failed, at(3))).await.expect("settle"));
    let fresh = Notification { accepted_at: at(4), send_at: Some(at(3_600)), ..sent.clone() };
    let answer = ports.acceptor.resubmit(&fresh).await.expect("resubmit");
    let Resubmitted::Done(record) = answer else { panic!("{answer:?}") };
    assert_eq!(record.status, Status::Scheduled);
    assert_eq!(record.attempts, [Attempt::interrupted(at(1)), Attempt::interrupted(at(2))]);
    assert_eq!(ports.ledger.get(sent.id).await.expect("get").as_ref(), Some(&*record));
    assert_eq!(ports.ledger.begin(&fresh, at(5), &BeginConditions::NONE).await.expect("begin"), GO, "counted anew");
}

/// The retry came to a machine whose clock is behind that of the one before.
pub async fn what_is_taken_in_again_is_later_than_before_by_any_clock(ports: &AcceptorPorts) {
    let old = notification(&bot("a-later"), 3);
    ports.accept(&plainly(old.clone())).await;
    ports.status_becomes(old.id, Status::Queued).await;
    assert!(ports.ledger.settle(&old, &RecordUpdate::of(Status::Failed, old.accepted_at)).await.expect("settle"));
    let behind = Notification { accepted_at: old.accepted_at.minus(Duration::from_secs(1)), ..old.clone() };
    let answer = ports.acceptor.resubmit(&behind).await.expect("resubmit");
    let Resubmitted::Done(record) = answer else { panic!("{answer:?}") };
    assert!(record.notification.accepted_at > old.accepted_at);
    assert_eq!(
        ports.ledger.begin(&old, Timestamp::now(), &BeginConditions::NONE).await.expect("begin"),
        Begin::Skip(Status::Queued)
    );
    assert_eq!(
        ports.ledger.begin(&record.notification, Timestamp::now(), &BeginConditions::NONE).await.expect("begin"),
        GO
    );
}

/// Until its end or longer, also when taken in again.
pub async fn an_image_is_pinned_until_its_notification_expires(ports: &AcceptorPorts) {
    let name = bot("a-pin");
    let (image, other) = (Sha256::of(b"accepted image"), Sha256::of(b"another image"));
    let sent = with_image(&name, 1, image);
    ports.accept(&plainly(sent.clone())).await;
    let pinned = async |at: Timestamp| ports.media.is_pinned(&image, at).await.expect("is_pinned");
    assert!(pinned(Timestamp::now()).await);
    assert!(pinned(sent.expires_at.minus(Duration::from_secs(1))).await);
    assert!(!ports.media.is_pinned(&other, Timestamp::now()).await.expect("is_pinned"));
    let end = RecordUpdate::of(Status::Failed, Timestamp::now());
    assert!(ports.ledger.settle(&sent, &end).await.expect("settle"));
    let fresh = Notification { expires_at: sent.expires_at.plus(Duration::from_secs(86_400)), ..sent };
    let answer = ports.acceptor.resubmit(&fresh).await.expect("resubmit");
    assert!(matches!(answer, Resubmitted::Done(_)), "{answer:?}");
    assert!(pinned(fresh.expires_at.minus(Duration::from_secs(1))).await);
}
