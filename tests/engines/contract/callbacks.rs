//! The contract of [`Callbacks`], and of the ledger and the acceptor as far as they make them.

use super::{bot, notification};
use pixcourier::domain::{
    CallbackState, CallbackUrl, Failure, FailureClass, Notification, NotificationId, RecordUpdate, Status, Timestamp,
};
use pixcourier::ports::{
    Acceptor, BeginConditions, Callback, CallbackQuery, CallbackRoom, Callbacks, Cancelled, Ledger, Resubmitted,
    Submission,
};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// What the suite needs.
#[derive(Clone)]
pub struct CallbackPorts {
    pub acceptor: Arc<dyn Acceptor>,
    pub ledger: Arc<dyn Ledger>,
    pub callbacks: Arc<dyn Callbacks>,
}

/// Runs every check. Nobody else may take callbacks meanwhile.
pub async fn suite(ports: CallbackPorts) {
    nothing_is_made_where_nobody_is_to_be_told(&ports).await;
    every_end_is_told_once_with_what_it_was(&ports).await;
    what_ends_twice_is_told_twice_in_order(&ports).await;
    what_is_claimed_is_left_alone_until_the_claim_ends(&ports).await;
    what_fails_comes_again_and_is_kept_when_it_is_given_up(&ports).await;
    what_is_replayed_begins_anew_behind_the_others(&ports).await;
    a_host_of_which_many_wait_holds_up_no_other(&ports).await;
    pages_lead_through_all_of_them(&ports).await;
}

/// No limits.
fn room() -> CallbackRoom {
    CallbackRoom { all: 1_000, per_host: 1_000, of_hosts: BTreeMap::new() }
}

fn seconds(number: u64) -> Duration {
    Duration::from_secs(number)
}

/// One whose receiver is on this host.
fn told(host: &str) -> Notification {
    let url = CallbackUrl::parse(&format!("https://{host}/hook?key=secret")).expect("a valid URL");
    Notification { callback_url: Some(url), ..notification(&bot("callbacks"), 7) }
}

impl CallbackPorts {
    async fn accept(&self, notification: &Notification) {
        let submission = Submission { notification: notification.clone(), idempotency: None };
        self.acceptor.accept(&submission).await.expect("accept");
    }

    async fn end(&self, notification: &Notification, status: Status) {
        let now = Timestamp::now();
        self.ledger.begin(notification, now, &BeginConditions::NONE).await.expect("begin");
        assert!(self.ledger.settle(notification, &RecordUpdate::of(status, now)).await.expect("settle"));
    }

    /// What is due at a moment; claimed for a minute.
    async fn claim_at(&self, now: Timestamp) -> Vec<Callback> {
        self.callbacks.claim(now, now.plus(seconds(60)), &room()).await.expect("claim")
    }

    async fn claim(&self) -> Vec<Callback> {
        self.claim_at(Timestamp::now()).await
    }

    async fn claim_one(&self) -> Callback {
        let claimed = self.claim().await;
        let [callback] = claimed.as_slice() else { panic!("one callback, not {claimed:?}") };
        callback.clone()
    }

    async fn delivered(&self, callback: &Callback) {
        self.callbacks.delivered(&callback.event.id, Timestamp::now()).await.expect("delivered");
    }

    async fn waiting(&self) -> u64 {
        self.callbacks.waiting().await.expect("waiting")
    }

    async fn list(&self, states: &[CallbackState]) -> Vec<Callback> {
        let query = CallbackQuery { states: states.to_vec(), limit: 1_000, before: None };
        self.callbacks.list(&query).await.expect("list").callbacks
    }
}

async fn nothing_is_made_where_nobody_is_to_be_told(ports: &CallbackPorts) {
    let look_alike = r#"","callback_url":"https://evil.example/"}"#;
    let mut plain = notification(&bot("callbacks"), 7);
    plain.call.params.insert("caption".to_owned(), json!(look_alike));
    plain.call.params.insert("reply_markup".to_owned(), json!({"callback_url": "https://evil.example/"}));
    plain.tags = vec![look_alike.to_owned()];
    ports.accept(&plain).await;
    ports.end(&plain, Status::Sent).await;
    let refused = told("nobody.example");
    ports.accept(&refused).await;
    ports.end(&refused, Status::Refused).await;
    let open = told("nobody.example");
    ports.accept(&open).await;
    ports.end(&open, Status::Retrying).await;
    assert_eq!((ports.claim().await, ports.waiting().await), (Vec::new(), 0));
    ports.end(&open, Status::Sent).await;
    ports.delivered(&ports.claim_one().await).await;
}

async fn every_end_is_told_once_with_what_it_was(ports: &CallbackPorts) {
    let failure =
        Failure { class: FailureClass::Recipient, error_code: Some(403), description: "gone \"é\"".to_owned() };
    for status in [Status::Sent, Status::Failed, Status::Expired, Status::Unknown] {
        let mut ended = told("every.example:8443");
        ended.tags = vec!["a".to_owned(), r#"","callback_url":"https://evil.example/"}"#.to_owned()];
        ended.client = Some("shop".parse().expect("a valid name"));
        ports.accept(&ended).await;
        let now = Timestamp::now();
        ports.ledger.begin(&ended, now, &BeginConditions::NONE).await.expect("begin");
        let (message_id, failure) = match status {
            Status::Sent => (Some(4_503), None),
            _ => (None, Some(failure.clone())),
        };
        let update = RecordUpdate { message_id, failure: failure.clone(), ..RecordUpdate::of(status, now) };
        assert!(ports.ledger.settle(&ended, &update).await.expect("settle"));
        assert!(!ports.ledger.settle(&ended, &update).await.expect("settle"), "it has ended");
        let callback = ports.claim_one().await;
        let event = &callback.event;
        assert_eq!((event.id.notification, event.id.status), (ended.id, status));
        assert_eq!((&event.url, &event.bot), (ended.callback_url.as_ref().expect("a receiver"), &ended.bot));
        assert_eq!((&event.client, &event.chat_id, &event.tags), (&ended.client, &ended.chat_id, &ended.tags));
        assert_eq!((event.created_at, event.ended_at), (ended.accepted_at, now));
        assert_eq!((event.message_id, &event.failure), (message_id, &failure));
        assert_eq!((callback.state, callback.tries, callback.error), (CallbackState::Waiting, 0, None));
        assert_eq!(ports.callbacks.get(&event.id).await.expect("get").map(|it| it.event), Some(event.clone()));
        ports.callbacks.delivered(&event.id, now).await.expect("delivered");
        assert_eq!((ports.callbacks.get(&event.id).await.expect("get"), ports.waiting().await), (None, 0));
    }
    let cancelled = told("every.example");
    ports.accept(&cancelled).await;
    let done = ports.ledger.cancel(cancelled.id, Timestamp::now()).await.expect("cancel");
    assert!(matches!(done, Cancelled::Done(_)), "{done:?}");
    let callback = ports.claim_one().await;
    assert_eq!((callback.event.id.notification, callback.event.id.status), (cancelled.id, Status::Cancelled));
    ports.delivered(&callback).await;

    let day = seconds(24 * 3600);
    let start = Timestamp::from_unix_millis(1_000_000_000_000);
    let lost = Notification { accepted_at: start, expires_at: start.plus(day), ..told("every.example") };
    ports.ledger.begin(&lost, start, &BeginConditions::NONE).await.expect("begin");
    let later = start.plus(2 * day);
    assert_eq!(ports.ledger.end_lost(later, later).await.expect("end_lost").len(), 1);
    let callback = ports.claim_one().await;
    assert_eq!((callback.event.id.notification, callback.event.id.status), (lost.id, Status::Unknown));
    ports.delivered(&callback).await;
}

/// Cancelled, tried again, and sent.
async fn ended_twice(ports: &CallbackPorts, host: &str) -> NotificationId {
    let first = told(host);
    ports.accept(&first).await;
    ports.ledger.cancel(first.id, Timestamp::now()).await.expect("cancel");
    let again = Notification {
        first_accepted_at: Some(first.accepted_at),
        accepted_at: Timestamp::now().plus(seconds(1)),
        ..first.clone()
    };
    let done = ports.acceptor.resubmit(&again).await.expect("resubmit");
    let Resubmitted::Done(record) = done else { panic!("taken in again: {done:?}") };
    ports.end(&record.notification, Status::Sent).await;
    first.id
}

async fn what_ends_twice_is_told_twice_in_order(ports: &CallbackPorts) {
    let id = ended_twice(ports, "twice.example").await;
    assert_eq!(ports.waiting().await, 2);
    let later = Timestamp::now().plus(seconds(10));
    let [first] = ports.claim_at(later).await.try_into().expect("the first alone");
    assert_eq!((first.event.id.notification, first.event.id.status), (id, Status::Cancelled));
    assert_eq!(ports.claim_at(later).await, [], "the second waits for it");
    ports.callbacks.delivered(&first.event.id, later).await.expect("delivered");
    let [second] = ports.claim_at(later).await.try_into().expect("the second");
    assert_eq!((second.event.id.notification, second.event.id.status), (id, Status::Sent));
    assert!(second.event.id != first.event.id && second.since == later);
    ports.callbacks.delivered(&second.event.id, later).await.expect("delivered");
    assert_eq!(ports.waiting().await, 0);
}

async fn what_is_claimed_is_left_alone_until_the_claim_ends(ports: &CallbackPorts) {
    let ended = told("claim.example");
    ports.accept(&ended).await;
    let before = Timestamp::now().minus(seconds(60));
    ports.end(&ended, Status::Sent).await;
    assert_eq!(ports.claim_at(before).await, [], "it is not due yet");
    let now = Timestamp::now();
    let mine = ports.claim_at(now).await;
    assert_eq!(mine.len(), 1);
    assert_eq!(ports.claim_at(now.plus(seconds(59))).await, []);
    assert_eq!(ports.claim_at(now.plus(seconds(60))).await, mine, "whoever had it has crashed");
    ports.delivered(&mine[0]).await;
    ports.delivered(&mine[0]).await;
    let late = ports.callbacks.failed(&mine[0].event.id, now, "too late", Some(now)).await;
    late.expect("what is delivered already cannot fail");
    assert_eq!((ports.claim_at(now.plus(seconds(900))).await, ports.waiting().await), (Vec::new(), 0));
}

async fn what_fails_comes_again_and_is_kept_when_it_is_given_up(ports: &CallbackPorts) {
    ended_twice(ports, "fails.example").await;
    let start = Timestamp::now().plus(seconds(10));
    let [first] = ports.claim_at(start).await.try_into().expect("the first");
    let id = first.event.id;
    let next = start.plus(seconds(100));
    ports.callbacks.failed(&id, start, "answered 500", Some(next)).await.expect("failed");
    assert_eq!(ports.claim_at(start.plus(seconds(99))).await, [], "nor the second, which waits for it");
    let failing = ports.callbacks.get(&id).await.expect("get").expect("it is kept");
    assert_eq!((failing.state, failing.tries, failing.next_try_at), (CallbackState::Failing, 1, Some(next)));
    assert_eq!((failing.error.as_deref(), failing.since), (Some("answered 500"), first.since));
    assert_eq!(ports.list(&[CallbackState::Failing]).await, [failing]);
    assert_eq!(ports.list(&[CallbackState::Waiting, CallbackState::GivenUp]).await.len(), 1, "the second");

    let [again] = ports.claim_at(next).await.try_into().expect("the first again");
    assert_eq!((again.event.id, again.tries), (id, 1));
    let end = next.plus(seconds(1));
    ports.callbacks.failed(&id, end, "answered 410", None).await.expect("failed");
    let given_up = ports.list(&[CallbackState::GivenUp]).await;
    assert_eq!((given_up.len(), given_up[0].event.id, given_up[0].tries), (1, id, 2));
    assert_eq!((given_up[0].next_try_at, ports.waiting().await), (None, 1));
    let [second] = ports.claim_at(end).await.try_into().expect("the second has its turn");
    assert_eq!((second.event.id.status, second.since), (Status::Sent, end));
    ports.callbacks.delivered(&second.event.id, end).await.expect("delivered");

    assert_eq!(ports.callbacks.sweep(end).await.expect("sweep"), 0, "it is kept");
    assert_eq!(ports.callbacks.sweep(end.plus(seconds(1))).await.expect("sweep"), 1);
    assert_eq!((ports.list(&CallbackState::ALL).await, ports.waiting().await), (Vec::new(), 0));
}

async fn what_is_replayed_begins_anew_behind_the_others(ports: &CallbackPorts) {
    ended_twice(ports, "replay.example").await;
    let start = Timestamp::now().plus(seconds(10));
    let [first] = ports.claim_at(start).await.try_into().expect("the first");
    let id = first.event.id;
    ports.callbacks.failed(&id, start, "answered 410", None).await.expect("failed");
    assert!(ports.callbacks.replay(&id, start).await.expect("replay"));
    assert_eq!((ports.list(&[CallbackState::GivenUp]).await, ports.waiting().await), (Vec::new(), 2));
    let [second] = ports.claim_at(start).await.try_into().expect("the second goes first now");
    assert_eq!(second.event.id.status, Status::Sent);
    let next = start.plus(seconds(7_200));
    ports.callbacks.failed(&second.event.id, start, "answered 500", Some(next)).await.expect("failed");
    // One that fails need not be waited for.
    let now = start.plus(seconds(5));
    assert!(ports.callbacks.replay(&second.event.id, now).await.expect("replay"));
    let [again] = ports.claim_at(now).await.try_into().expect("the second again");
    assert_eq!((again.event.id, again.tries, again.since), (second.event.id, 0, now));
    ports.callbacks.delivered(&again.event.id, now).await.expect("delivered");
    let [replayed] = ports.claim_at(now).await.try_into().expect("the replayed one");
    assert_eq!((replayed.event, replayed.state, replayed.tries), (first.event, CallbackState::Waiting, 0));
    ports.callbacks.delivered(&id, now).await.expect("delivered");
    assert!(!ports.callbacks.replay(&id, now).await.expect("replay"), "it is delivered");
    assert_eq!(ports.waiting().await, 0);
}

async fn a_host_of_which_many_wait_holds_up_no_other(ports: &CallbackPorts) {
    for host in ["a.slow.example"; 40].into_iter().chain(["b.quick.example", "c.other.example:444"]) {
        let ended = told(host);
        ports.accept(&ended).await;
        ports.end(&ended, Status::Sent).await;
    }
    let now = Timestamp::now();
    let hosts = |claimed: &[Callback]| {
        let mut hosts: BTreeMap<String, usize> = BTreeMap::new();
        for callback in claimed {
            *hosts.entry(callback.event.url.host_and_port().to_owned()).or_default() += 1;
        }
        hosts
    };
    let few = |all, hosts: &[(&str, usize)]| CallbackRoom {
        all,
        per_host: 8,
        of_hosts: hosts.iter().map(|(host, places)| ((*host).to_owned(), *places)).collect(),
    };
    let claim =
        async |room: CallbackRoom| ports.callbacks.claim(now, now.plus(seconds(60)), &room).await.expect("claim");
    let mut all = claim(few(9, &[])).await;
    assert_eq!(hosts(&all), [("a.slow.example".to_owned(), 8), ("b.quick.example".to_owned(), 1)].into());
    let next = claim(few(20, &[("a.slow.example", 3)])).await;
    assert_eq!(hosts(&next), [("a.slow.example".to_owned(), 3), ("c.other.example:444".to_owned(), 1)].into());
    all.extend(next);
    assert_eq!(claim(few(20, &[("a.slow.example", 0)])).await, [], "it has what it may have");
    let more = claim(few(20, &[("a.slow.example", 12)])).await;
    assert_eq!(hosts(&more), [("a.slow.example".to_owned(), 12)].into(), "it may have more than the others");
    all.extend(more);
    all.extend(ports.claim_at(now).await);
    assert_eq!((all.len(), ports.waiting().await), (42, 42));
    for callback in &all {
        ports.delivered(callback).await;
    }
    assert_eq!(ports.waiting().await, 0);
}

async fn pages_lead_through_all_of_them(ports: &CallbackPorts) {
    let now = Timestamp::now().plus(seconds(10));
    for number in 0..50 {
        let ended = told("pages.example");
        ports.accept(&ended).await;
        ports.end(&ended, Status::Failed).await;
        let [callback] = ports.claim_at(now).await.try_into().expect("one");
        let next = (number % 2 == 0).then_some(now.plus(seconds(3_600)));
        ports.callbacks.failed(&callback.event.id, now, "answered 500", next).await.expect("failed");
    }
    let mut query = CallbackQuery { states: CallbackState::ALL.to_vec(), limit: 7, before: None };
    let mut listed = Vec::new();
    loop {
        let page = ports.callbacks.list(&query).await.expect("list");
        assert!(page.callbacks.len() <= 7);
        listed.extend(page.callbacks.into_iter().map(|callback| callback.event.id));
        query.before = page.next;
        if query.before.is_none() {
            break;
        }
    }
    assert!(listed.is_sorted_by_key(|id| std::cmp::Reverse(id.to_string())), "highest first");
    assert_eq!((listed.len(), ports.waiting().await), (50, 25));
    assert_eq!(ports.list(&[CallbackState::GivenUp]).await.len(), 25);
    for id in listed {
        ports.callbacks.delivered(&id, now).await.expect("delivered");
    }
    assert_eq!((ports.list(&CallbackState::ALL).await, ports.waiting().await), (Vec::new(), 0));
    assert_eq!(ports.callbacks.sweep(now.plus(seconds(1))).await.expect("sweep"), 0);
}
