//! Notifications to measure with.

use pixcourier::domain::{
    BotName, Call, ChatId, DeliveryGuarantee, Lane, Media, MediaKind, MediaSource, Notification, NotificationId,
    Timestamp,
};
use serde_json::{Map, json};
use std::time::Duration;

/// A photo with a caption for a chat, accepted now under a fresh id.
pub fn photo(chat: i64) -> Notification {
    let accepted_at = Timestamp::now();
    let media = Media {
        field: "photo".to_owned(),
        kind: MediaKind::Photo,
        source: MediaSource::Url("https://example.com/a.png".to_owned()),
        filename: "photo.jpg".to_owned(),
    };
    let params = Map::from_iter([
        ("chat_id".to_owned(), json!(chat)),
        ("caption".to_owned(), json!("<b>payments</b>: 5xx rate 5.3 %, threshold 2 %")),
        ("parse_mode".to_owned(), json!("HTML")),
    ]);
    Notification {
        v: Notification::VERSION,
        id: NotificationId::new(),
        bot: BotName::default_bot(),
        chat_id: ChatId::Id(chat),
        lane: Lane::Normal,
        delivery: DeliveryGuarantee::AtLeastOnce,
        call: Call { method: "sendPhoto".to_owned(), params, media: vec![media] },
        accepted_at,
        send_at: None,
        expires_at: accepted_at.plus(Duration::from_secs(24 * 3600)),
        tags: vec!["payments".to_owned()],
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
