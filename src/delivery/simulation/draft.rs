//! Notifications to be.

use super::plan::seconds;
use super::ports::BLOB_SIZE;
use super::telegram::ID_PARAMETER;
use crate::domain::{
    BotName, Call, ChatId, DeliveryGuarantee, Lane, Media, MediaKind, MediaSource, Notification, NotificationId,
    Sha256, Timestamp,
};
use fastrand::Rng;
use serde_json::{Value, json};
use std::time::Duration;

/// A notification to be.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Its id, by the order of acceptance.
    pub id: NotificationId,
    /// Where it goes.
    pub chat: i64,
    /// Through which lane.
    pub lane: Lane,
    /// Whether it must never be sent twice.
    pub once: bool,
    /// The contents of its pictures; a text has none.
    pub pictures: Vec<u8>,
    /// How long after its acceptance its publisher, who was not sure, has published it again.
    pub again: Option<Duration>,
    /// How long after its acceptance it is to be sent.
    pub delay: Option<Duration>,
    /// How long it may wait.
    pub lifetime: Duration,
    /// The first message to an idle chat, which must not wait for those to others.
    pub is_probe: bool,
}

impl Draft {
    /// A text.
    pub fn text(chat: i64) -> Self {
        let lifetime = Duration::from_secs(3 * 3600);
        let id = NotificationId::from_number(0);
        let (lane, pictures) = (Lane::Normal, Vec::new());
        Self { id, chat, lane, once: false, pictures, again: None, delay: None, lifetime, is_probe: false }
    }

    /// Any kind of notification to a chat.
    pub fn anything(random: &mut Rng, chat: i64) -> Self {
        let lifetime = match random.u8(..8) {
            0 => Duration::from_secs(random.u64(1..20)),
            _ => Duration::from_secs(3 * 3600),
        };
        let pictures = match random.u8(..8) {
            0..5 => 0,
            5..7 => 1,
            _ => random.usize(2..4),
        };
        Self {
            lane: Lane::ALL[random.usize(..3)],
            once: random.u8(..4) == 0,
            pictures: (0..pictures).map(|_| random.u8(..4)).collect(),
            delay: (random.u8(..10) == 0).then(|| seconds(random, 0.5, 15.0)),
            lifetime,
            ..Self::text(chat)
        }
    }

    /// So many of it, one every 20 ms.
    pub fn repeated(self, from: Duration, count: u64) -> impl Iterator<Item = (Duration, Self)> {
        (0..count).map(move |number| (from + Duration::from_millis(number * 20), self.clone()))
    }

    /// The notification, accepted now.
    pub fn accept(&self, now: Timestamp) -> Notification {
        let send_at = self.delay.map(|delay| now.plus(delay));
        Notification {
            v: Notification::VERSION,
            id: self.id,
            bot: BotName::default_bot(),
            chat_id: ChatId::Id(self.chat),
            lane: self.lane,
            delivery: if self.once { DeliveryGuarantee::AtMostOnce } else { DeliveryGuarantee::AtLeastOnce },
            call: self.call(),
            accepted_at: now,
            first_accepted_at: None,
            send_at,
            expires_at: send_at.unwrap_or(now).plus(self.lifetime),
            tags: Vec::new(),
            attempts: 0,
            deferral: None,
            reply_to: None,
            follows: None,
            then: Vec::new(),
            client: None,
            callback_url: None,
        }
    }

    fn call(&self) -> Call {
        let picture = |(place, content): (usize, &u8)| Media {
            field: if self.pictures.len() == 1 { "photo".to_owned() } else { format!("p{place}") },
            kind: MediaKind::Photo,
            source: MediaSource::Blob { sha256: Sha256::of(&[*content]), size: BLOB_SIZE },
            filename: "photo.jpg".to_owned(),
        };
        let media: Vec<_> = self.pictures.iter().enumerate().map(picture).collect();
        let items: Vec<_> = media.iter().map(|it| json!({"type": "photo", "media": it.reference()})).collect();
        let (method, params) = match media.len() {
            0 => ("sendMessage", json!({"text": "hello"})),
            1 => ("sendPhoto", json!({})),
            _ => ("sendMediaGroup", json!({"media": items})),
        };
        let mut params = params.as_object().cloned().unwrap_or_default();
        params.insert(ID_PARAMETER.to_owned(), Value::String(self.id.to_string()));
        Call { method: method.to_owned(), params, media }
    }
}
