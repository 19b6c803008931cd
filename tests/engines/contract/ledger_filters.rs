//! The contract of [`Ledger::list`] and [`Ledger::count`] with filters.

use super::ledger::found;
use super::{bot, notification};
use pixcourier::domain::{
    Attempt, AttemptOutcome, ChatId, Failure, FailureClass, Filter, Notification, NotificationId, Record, RecordUpdate,
    Status, Timestamp, Viewer,
};
use pixcourier::ports::Ledger;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Runs every check.
pub async fn suite(ledger: &Arc<dyn Ledger>) {
    what_is_listed_is_what_meets_the_filter(ledger).await;
    a_record_is_recognised_in_a_listing(ledger).await;
    counts_are_those_of_a_listing(ledger).await;
}

async fn written(ledger: &Arc<dyn Ledger>, one: &Notification, update: RecordUpdate) {
    ledger.settle(one, &RecordUpdate::of(Status::Queued, one.accepted_at)).await.expect("settle");
    if update.status != Status::Queued {
        ledger.settle(one, &update).await.expect("settle");
    }
}

fn ended(status: Status, class: FailureClass, description: &str) -> RecordUpdate {
    let failure = Some(Failure { class, error_code: Some(403), description: description.to_owned() });
    RecordUpdate { failure, ..RecordUpdate::of(status, Timestamp::now()) }
}

/// Every filter against the same records: each is listed if it meets the filter, newest first, however small the pages.
pub async fn what_is_listed_is_what_meets_the_filter(ledger: &Arc<dyn Ledger>) {
    let (this, that) = (bot("l-filter-1"), bot("l-filter-2"));
    let now = Timestamp::now();
    let mut records = Vec::new();
    for number in 0..120_i64 {
        let at = now.minus(Duration::from_secs(u64::try_from(600 - number).expect("positive")));
        let mut one = notification(if number % 2 == 0 { &this } else { &that }, number % 5);
        one.chat_id = ChatId::Id(number % 5 + 1);
        // One each second, with an id of then.
        one.id = NotificationId::from_number(NotificationId::first_of(at).as_number() + u128::from(fastrand::u64(..)));
        one.tags = if number % 3 == 0 { vec!["odd".to_owned(), "\"é\"".to_owned()] } else { Vec::new() };
        one.client = (number % 4 == 0).then(|| "shop".parse().expect("a name"));
        let attempt = Attempt { reason: Some("Bad Gateway".to_owned()), ..Attempt::interrupted(at) };
        let update = match number % 6 {
            0 => RecordUpdate::of(Status::Sent, now),
            1 => ended(Status::Failed, FailureClass::Recipient, "Forbidden: bot was blocked by the USER"),
            2 => ended(Status::Unknown, FailureClass::Ambiguous, "may have been sent"),
            3 => RecordUpdate { attempt: Some(attempt), ..RecordUpdate::of(Status::Expired, now) },
            4 => RecordUpdate::of(Status::Scheduled, now),
            _ => RecordUpdate::of(Status::Queued, now),
        };
        written(ledger, &one, update).await;
        records.push(ledger.get(one.id).await.expect("get").expect("it is there"));
    }
    records.sort_by_key(|record| std::cmp::Reverse(record.notification.id));
    let second = |number: u64| Some(now.minus(Duration::from_secs(600 - number)));
    let filter = |value: serde_json::Value| serde_json::from_value::<Filter>(value).expect("a filter");
    let viewer = Viewer { client: "shop".parse().expect("a name"), own_bots: None, bots: [that.clone()].into() };
    let filters = [
        filter(json!({"statuses": ["failed", "expired", "sent"]})),
        filter(json!({"statuses": ["failed", "expired", "sent"], "bot": this})),
        filter(json!({"client": "shop"})),
        filter(json!({"chat_id": 3})),
        filter(json!({"tag": "\"é\""})),
        filter(json!({"tag": "odd", "statuses": ["scheduled"], "bot": this})),
        filter(json!({"class": "recipient"})),
        filter(json!({"class": "recipient", "statuses": ["sent"]})),
        filter(json!({"reason": "by the user"})),
        filter(json!({"reason": "gateway", "bot": that})),
        Filter { since: second(30), until: second(60), bot: Some(this), ..Filter::default() },
        Filter { since: second(119), ..Filter::default() },
        Filter { seen_by: Some(viewer), ..Filter::default() },
    ];
    for filter in filters {
        let expected: Vec<_> = records.iter().filter(|it| filter.matches(it)).map(|it| it.notification.id).collect();
        for limit in [1, 7, 1_000] {
            let listed = found(ledger, filter.clone(), limit).await.into_iter().map(|it| it.notification.id);
            let ours: Vec<_> = listed.filter(|id| records.iter().any(|it| it.notification.id == *id)).collect();
            assert_eq!(ours, expected, "{filter:?}, {limit} at a time");
        }
    }
}

/// By its text and what it changes, and by whom it follows.
pub async fn a_record_is_recognised_in_a_listing(ledger: &Arc<dyn Ledger>) {
    let name = bot("l-excerpt");
    let mut one = notification(&name, 1);
    one.follows = Some(NotificationId::new());
    one.call.method = "editMessageCaption".to_owned();
    one.call.params =
        serde_json::from_value(json!({"caption": "é".repeat(300), "message_id": 17, "x": [1]})).expect("ok");
    written(ledger, &one, RecordUpdate::of(Status::Queued, Timestamp::now())).await;
    let listed: Vec<Record> = found(ledger, Filter { bot: Some(name), ..Filter::default() }, 10).await;
    let [record] = listed.as_slice() else { panic!("{listed:?}") };
    let call = &record.notification.call;
    assert_eq!((call.excerpt(), call.changes()), (Some("é".repeat(200)), vec![17]));
    assert_eq!(record.notification.follows, one.follows);
    assert_eq!(call.params.get("x"), None, "and no more of its parameters");
}

/// By status, bot and time.
pub async fn counts_are_those_of_a_listing(ledger: &Arc<dyn Ledger>) {
    let name = bot("l-count");
    let mut ids = Vec::new();
    for number in 0..40_usize {
        let one = notification(&name, 1);
        let status = [Status::Queued, Status::Failed, Status::Sent][number % 3];
        let outcome = AttemptOutcome::Permanent;
        let attempt = Some(Attempt { outcome, ..Attempt::interrupted(Timestamp::now()) });
        written(ledger, &one, RecordUpdate { attempt, ..RecordUpdate::of(status, Timestamp::now()) }).await;
        ids.push(one.id);
    }
    let all = Filter { bot: Some(name), ..Filter::default() };
    let whole = BTreeMap::from([(Status::Queued, 14), (Status::Failed, 13), (Status::Sent, 13)]);
    assert_eq!(ledger.count(&all).await.expect("count"), whole);
    let some = Filter { statuses: [Status::Failed, Status::Expired].into(), ..all.clone() };
    assert_eq!(ledger.count(&some).await.expect("count"), [(Status::Failed, 13)].into());
    let past = Filter { until: Some(Timestamp::now().minus(Duration::from_secs(60))), ..all.clone() };
    assert_eq!(ledger.count(&past).await.expect("count"), BTreeMap::new());
    let recent = Filter { since: past.until, ..all };
    assert_eq!(ledger.count(&recent).await.expect("count"), whole);
}
