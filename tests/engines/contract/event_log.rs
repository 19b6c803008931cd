//! The contract of [`EventLog`], and of the ledger as far as it writes it.

use super::{bot, eventually, notification};
use pixcourier::domain::{
    EventId, Failure, FailureClass, Notification, NotificationId, RecordUpdate, Status, Timestamp,
};
use pixcourier::ports::{Acceptor, BeginConditions, Cancelled, EventLog, EventPage, Ledger, Resubmitted, Submission};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// What the suite needs.
#[derive(Clone)]
pub struct EventPorts {
    pub acceptor: Arc<dyn Acceptor>,
    pub ledger: Arc<dyn Ledger>,
    pub log: Arc<dyn EventLog>,
}

/// For how long the log is kept.
const RETENTION: Duration = Duration::from_secs(3_600);

/// Runs every check. Nobody else may end notifications meanwhile, and the log was never kept.
pub async fn suite(ports: EventPorts) {
    nothing_is_written_while_nobody_listens(&ports).await;
    a_log_that_is_not_kept_on_ends_and_begins_anew_with_a_gap(&ports).await;
    every_end_is_told_once_in_order_with_what_it_was(&ports).await;
    what_was_tried_again_is_told_with_its_last_end(&ports).await;
    pages_lead_through_all_of_them(&ports).await;
    what_ends_at_the_same_time_is_told_once_each(&ports).await;
    what_is_not_kept_leaves_a_gap_and_nothing_else_does(&ports).await;
}

impl EventPorts {
    async fn accept(&self) -> Notification {
        let notification = notification(&bot("events"), 7);
        let submission = Submission { notification: notification.clone(), idempotency: None };
        self.acceptor.accept(&submission).await.expect("accept");
        notification
    }

    async fn end(&self, notification: &Notification, status: Status) {
        let now = Timestamp::now();
        self.ledger.begin(notification, now, &BeginConditions::NONE).await.expect("begin");
        assert!(self.ledger.settle(notification, &RecordUpdate::of(status, now)).await.expect("settle"));
    }

    async fn ended(&self, status: Status) -> NotificationId {
        let notification = self.accept().await;
        self.end(&notification, status).await;
        notification.id
    }

    async fn keep(&self) -> EventId {
        self.log.keep(RETENTION).await.expect("keep")
    }

    async fn after(&self, id: EventId) -> EventPage {
        self.log.after(id, 1_000).await.expect("after").expect("it is kept")
    }
}

fn ids(page: &EventPage) -> Vec<NotificationId> {
    page.events.iter().map(|(_, record)| record.notification.id).collect()
}

async fn nothing_is_written_while_nobody_listens(ports: &EventPorts) {
    ports.ended(Status::Sent).await;
    let begin = EventId::first_of(Timestamp::from_unix_millis(0));
    assert!(ports.log.after(begin, 10).await.expect("after").is_none());
}

async fn a_log_that_is_not_kept_on_ends_and_begins_anew_with_a_gap(ports: &EventPorts) {
    let moment = Duration::from_millis(500);
    let start = ports.log.keep(moment).await.expect("keep");
    let page = ports.after(start).await;
    assert!(page.events.is_empty() && page.next == start && !page.more && page.gap.is_none(), "{page:?}");
    let told = ports.ended(Status::Sent).await;
    assert_eq!(ids(&ports.after(start).await), [told]);
    let is_over = async || ports.log.after(start, 10).await.expect("after").is_none();
    eventually("the log is not kept any more", true, is_over).await;
    ports.ended(Status::Sent).await;
    let again = ports.keep().await;
    assert!(again > start, "ids never go back");
    let page = ports.after(start).await;
    assert_eq!((page.gap, page.events.len(), page.next), (Some(again), 0, again), "what ended meanwhile is not told");
    assert_eq!(ports.keep().await, again);
    let next = ports.ended(Status::Sent).await;
    assert_eq!(ids(&ports.after(again).await), [next]);
}

async fn every_end_is_told_once_in_order_with_what_it_was(ports: &EventPorts) {
    let start = ports.keep().await;
    let failure =
        Failure { class: FailureClass::Recipient, error_code: Some(403), description: "gone \"é\"".to_owned() };
    let mut expected = Vec::new();
    for status in [Status::Sent, Status::Failed, Status::Expired, Status::Unknown] {
        let mut ended = notification(&bot("events"), 7);
        ended.tags = vec!["a \"b\"".to_owned()];
        ended.client = Some("shop".parse().expect("a valid name"));
        ports.acceptor.accept(&Submission { notification: ended.clone(), idempotency: None }).await.expect("accept");
        let now = Timestamp::now();
        ports.ledger.begin(&ended, now, &BeginConditions::NONE).await.expect("begin");
        assert!(ports.ledger.settle(&ended, &RecordUpdate::of(Status::Retrying, now)).await.expect("settle"));
        let (message_id, failure) = match status {
            Status::Sent => (Some(4_503), None),
            _ => (None, Some(failure.clone())),
        };
        let update = RecordUpdate { message_id, failure, ..RecordUpdate::of(status, now) };
        assert!(ports.ledger.settle(&ended, &update).await.expect("settle"));
        assert!(!ports.ledger.settle(&ended, &update).await.expect("settle"), "it has ended");
        expected.push((ended, update));
    }
    let refused = ports.ended(Status::Refused).await;
    let cancelled = ports.accept().await;
    let now = Timestamp::now();
    assert!(matches!(ports.ledger.cancel(cancelled.id, now).await.expect("cancel"), Cancelled::Done(_)));
    assert!(matches!(ports.ledger.cancel(cancelled.id, now).await.expect("cancel"), Cancelled::TooLate(_)));
    let mut lost = notification(&bot("events"), 7);
    lost.expires_at = Timestamp::now().minus(Duration::from_secs(7_200));
    ports.acceptor.accept(&Submission { notification: lost.clone(), idempotency: None }).await.expect("accept");
    let ends = ports.ledger.end_lost(Timestamp::now().minus(Duration::from_secs(3_600)), now).await.expect("end_lost");
    assert_eq!(ends.len(), 1);

    let page = ports.after(start).await;
    assert!(page.gap.is_none() && !page.more && page.events.is_sorted_by_key(|(id, _)| *id), "{page:?}");
    assert!(page.events[0].0 > start && page.events.last().expect("some").0 <= page.next);
    assert!(!ids(&page).contains(&refused), "its caller was told");
    let of_couriers = page.events.iter().take(4).map(|(_, record)| record);
    for (record, (ended, update)) in of_couriers.zip(&expected) {
        let notification = &record.notification;
        assert_eq!((notification.id, record.status, record.updated_at), (ended.id, update.status, update.at));
        assert_eq!((record.message_id, &record.failure), (update.message_id, &update.failure));
        assert_eq!((&notification.bot, &notification.client), (&ended.bot, &ended.client));
        assert_eq!((&notification.tags, &notification.chat_id), (&ended.tags, &ended.chat_id));
    }
    assert_eq!(ids(&page)[4..], [cancelled.id, lost.id]);
    let rest = ports.after(page.next).await;
    assert!(rest.events.is_empty() && rest.next == page.next, "{rest:?}");
}

async fn what_was_tried_again_is_told_with_its_last_end(ports: &EventPorts) {
    let start = ports.keep().await;
    let ended = ports.accept().await;
    ports.end(&ended, Status::Failed).await;
    let other = ports.ended(Status::Sent).await;
    assert_eq!(ids(&ports.after(start).await), [ended.id, other], "read in time, its first end is told");
    let Resubmitted::Done(record) = ports.acceptor.resubmit(&ended).await.expect("resubmit") else {
        panic!("it is retryable")
    };
    let page = ports.after(start).await;
    assert_eq!(ids(&page), [other], "it is open");
    ports.end(&record.notification, Status::Failed).await;
    let page = ports.after(start).await;
    assert_eq!(ids(&page), [other, ended.id]);
    assert!(ports.after(page.next).await.events.is_empty());
}

async fn pages_lead_through_all_of_them(ports: &EventPorts) {
    let start = ports.keep().await;
    let mut expected = Vec::new();
    for _ in 0..25 {
        expected.push(ports.ended(Status::Sent).await);
    }
    let (mut at, mut found) = (start, Vec::new());
    loop {
        let page = ports.log.after(at, 7).await.expect("after").expect("it is kept");
        assert!(page.events.len() <= 7 && page.gap.is_none());
        found.extend(ids(&page));
        at = page.next;
        if !page.more {
            break;
        }
    }
    assert_eq!(found, expected);
    assert_eq!(ports.keep().await, at, "there it ends");
}

/// Whoever reads while others write misses nothing: an event never comes before one that was read already.
async fn what_ends_at_the_same_time_is_told_once_each(ports: &EventPorts) {
    const WRITERS: usize = 8;
    const EACH: usize = 25;
    let mut at = ports.keep().await;
    let mut writers = JoinSet::new();
    for _ in 0..WRITERS {
        let ports = ports.clone();
        writers.spawn(async move {
            let mut ended = Vec::new();
            for _ in 0..EACH {
                ended.push(ports.ended(Status::Sent).await);
            }
            ended
        });
    }
    let (mut told, mut expected, mut done) = (Vec::new(), BTreeSet::new(), false);
    loop {
        let page = ports.log.after(at, 10).await.expect("after").expect("it is kept");
        told.extend(ids(&page));
        at = page.next;
        if !page.more && done {
            break;
        }
        while let Some(ended) = writers.try_join_next() {
            expected.extend(ended.expect("it ends"));
        }
        done = writers.is_empty();
        tokio::task::yield_now().await;
    }
    assert_eq!((told.len(), told.into_iter().collect::<BTreeSet<_>>()), (WRITERS * EACH, expected));
}

async fn what_is_not_kept_leaves_a_gap_and_nothing_else_does(ports: &EventPorts) {
    let start = ports.keep().await;
    let beginning = EventId::first_of(Timestamp::from_unix_millis(1));
    assert_eq!(ports.log.sweep(beginning).await.expect("sweep"), 0, "nothing is so old");
    assert!(ports.after(start).await.gap.is_none());
    let [first, second, third] =
        [ports.ended(Status::Sent).await, ports.ended(Status::Failed).await, ports.ended(Status::Sent).await];
    let page = ports.after(start).await;
    assert_eq!(ids(&page), [first, second, third]);
    let at = |number: usize| page.events[number].0;
    assert!(ports.log.sweep(at(1)).await.expect("sweep") >= 1);
    let behind = ports.after(start).await;
    assert_eq!((behind.gap, ids(&behind)), (Some(at(0)), vec![second, third]));
    let whole = ports.after(at(0)).await;
    assert_eq!((whole.gap, ids(&whole)), (None, vec![second, third]), "all that came after it is there");

    // All of it is swept: who has seen the end has missed nothing.
    let after_all = EventId { millis: at(2).millis + 1_000, number: 0 };
    ports.log.sweep(after_all).await.expect("sweep");
    assert_eq!(ports.keep().await, at(2));
    let end = ports.after(at(2)).await;
    assert_eq!((end.gap, end.next, end.events.len()), (None, at(2), 0));
    assert_eq!(ports.after(at(1)).await.gap, Some(at(2)));
    let fourth = ports.ended(Status::Sent).await;
    let next = ports.after(at(2)).await;
    assert_eq!((next.gap, ids(&next)), (None, vec![fourth]));

    // What the log has not come to was lost by it.
    let ahead = EventId { millis: at(2).millis + 3_600_000, number: 0 };
    let page = ports.after(ahead).await;
    assert_eq!((page.gap, page.next, page.events.len()), (Some(next.next), next.next, 0));
}
