//! What every adapter of a port must do, written once. A suite takes ports in a fresh namespace (a new folder, prefix or
//! database) and panics with a sentence where a promise is broken. Bots are named per check, all in `BOTS`, so that one
//! namespace serves a whole suite and an adapter that must know its bots beforehand can be told.

pub mod acceptor;
pub mod blobs;
pub mod callbacks;
pub mod event_log;
pub mod finish;
pub mod ledger;
pub mod ledger_backlog;
pub mod ledger_conditions;
pub mod ledger_counts;
pub mod ledger_ends;
pub mod ledger_filters;
pub mod ledger_migrations;
pub mod ledger_pauses;
pub mod media_index;
pub mod operations;
pub mod outcome_notifier;
pub mod pauses;
pub mod queue;
pub mod queue_owners;
pub mod quotas;
pub mod recipients;

pub use crate::support::wait::WAIT_TIMEOUT;

use crate::support::wait::until_ok;
use pixcourier::adapters::embedded::{Embedded, OpenError};
use pixcourier::domain::{
    BotName, Call, ChatId, DeliveryGuarantee, Lane, Media, MediaKind, MediaSource, Notification, NotificationId,
    Sha256, Timestamp,
};
use pixcourier::ports::{Delivery, Subscription};
use serde_json::{Map, Value, json};
use std::path::Path;
use std::time::Duration;

/// How long something that must not happen is watched for.
pub const QUIET_PERIOD: Duration = Duration::from_millis(400);

/// The embedded engine of a data folder, with its images kept for a week.
pub fn open_embedded(data_dir: &Path) -> Result<Embedded, OpenError> {
    pixcourier::app::open_embedded(data_dir, Duration::from_secs(7 * 86_400))
}

/// A bot's name.
pub fn bot(name: &str) -> BotName {
    name.parse().expect("a valid bot name")
}

/// A plain notification to a chat, accepted now, good for a day.
pub fn notification(bot: &BotName, chat: i64) -> Notification {
    let accepted_at = Timestamp::now();
    let params =
        Map::from_iter([("caption".to_owned(), json!(format!("to {chat}"))), ("photo".to_owned(), json!("id"))]);
    Notification {
        v: Notification::VERSION,
        id: NotificationId::new(),
        bot: bot.clone(),
        chat_id: ChatId::Id(chat),
        lane: Lane::Normal,
        delivery: DeliveryGuarantee::AtLeastOnce,
        call: Call { method: "sendPhoto".to_owned(), params, media: Vec::new() },
        accepted_at,
        send_at: None,
        expires_at: accepted_at.plus(Duration::from_secs(86_400)),
        tags: Vec::new(),
        attempts: 0,
        deferral: None,
        first_accepted_at: None,
        reply_to: None,
        follows: None,
        then: Vec::new(),
        client: None,
        callback_url: None,
    }
}

/// The same in another lane.
pub fn in_lane(bot: &BotName, chat: i64, lane: Lane) -> Notification {
    Notification { lane, ..notification(bot, chat) }
}

/// The same, to be sent that much later.
pub fn later(bot: &BotName, chat: i64, delay: Duration) -> Notification {
    let plain = notification(bot, chat);
    Notification { send_at: Some(plain.accepted_at.plus(delay)), ..plain }
}

/// The same with an image from the blob store.
pub fn with_image(bot: &BotName, chat: i64, sha256: Sha256) -> Notification {
    let mut plain = notification(bot, chat);
    plain.call.media.push(Media {
        field: "photo".to_owned(),
        kind: MediaKind::Photo,
        source: MediaSource::Blob { sha256, size: 1_000 },
        filename: "photo.jpg".to_owned(),
    });
    plain
}

/// One that holds everything that is easily bent on the way: large and odd parameters in an order of their own, the
/// largest numbers, the outermost chat id, every kind of media.
pub fn demanding(bot: &BotName) -> Notification {
    let odd = "\u{0}\u{1f}\"\\/\u{7f}é\u{2028}\u{fffd}🦀 \r\n\t'; DROP TABLE queue; --";
    let mut notification = with_image(bot, -4_503_599_627_370_495, Sha256::of(b"odd"));
    notification.call.params = Map::from_iter([
        ("zulu".to_owned(), json!(odd)),
        ("alpha".to_owned(), json!([u64::MAX, i64::MIN, 0.1, 1.5e300, -0.0, null, true, {"b": 1, "a": {}}])),
        ("".to_owned(), json!("")),
        ("mike".to_owned(), Value::String(odd.repeat(5_000))),
    ]);
    for source in [MediaSource::Url("https://example.org/ü?a=b&c".to_owned()), MediaSource::FileId("AgAC-_".to_owned())]
    {
        let first = notification.call.media[0].clone();
        notification.call.media.push(Media { source, ..first });
    }
    notification.tags = vec![odd.to_owned(), String::new()];
    notification.delivery = DeliveryGuarantee::AtMostOnce;
    notification.attempts = u32::MAX;
    notification
}

/// The parameters as they are written, order and all.
pub fn text_of(notification: &Notification) -> String {
    serde_json::to_string(&notification.call.params).expect("serialises")
}

/// The next delivery; panics when none comes.
pub async fn next(subscription: &mut Subscription) -> Delivery {
    let delivered = tokio::time::timeout(WAIT_TIMEOUT, subscription.deliveries.recv()).await;
    let delivered = delivered.expect("a delivery in time").expect("deliveries stay open");
    let notification = &delivered.notification;
    assert_eq!(delivered.receipt.bot, notification.bot, "a receipt names its bot");
    assert_eq!(delivered.receipt.lane, notification.lane, "a receipt names its lane");
    delivered
}

/// Panics if there is a delivery within [`QUIET_PERIOD`].
pub async fn nothing_comes(subscription: &mut Subscription, why: &str) {
    if let Ok(Some(delivered)) = tokio::time::timeout(QUIET_PERIOD, subscription.deliveries.recv()).await {
        panic!("{why}, and yet {:?} was delivered", delivered.receipt);
    }
}

/// Waits until this subscription owns the bot and gives the epoch.
pub async fn ownership(subscription: &mut Subscription) -> u64 {
    let wait = subscription.ownership.wait_for(Option::is_some);
    let owned =
        tokio::time::timeout(WAIT_TIMEOUT, wait).await.expect("ownership in time").expect("the watch stays open");
    owned.expect("waited for it")
}

/// Asks again and again until the answer is the expected one.
pub async fn eventually<T: PartialEq + std::fmt::Debug>(what: &str, expected: T, mut ask: impl AsyncFnMut() -> T) {
    until_ok(what, WAIT_TIMEOUT, async || {
        let answer = ask().await;
        if answer == expected { Ok(()) } else { Err(format!("{answer:?} instead of {expected:?}")) }
    })
    .await;
}
