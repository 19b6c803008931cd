//! What happens in a world, drawn from its seed: who writes to whom, and what breaks.

use super::ports::BLOB_SIZE;
use super::state::Part;
use super::telegram::{ID_PARAMETER, Weather};
use crate::domain::{
    BotName, Call, ChatId, DeliveryGuarantee, Lane, Media, MediaKind, MediaSource, Notification, NotificationId,
    Sha256, Timestamp,
};
use fastrand::Rng;
use serde_json::{Value, json};
use std::time::Duration;

/// What happens, in order.
pub struct Plan {
    /// How many notifications a courier may hold per lane.
    pub window: u16,
    /// Whether what was put back into the queue returns before the lanes.
    pub returns_first: bool,
    /// What happens when.
    pub events: Vec<(Duration, Event)>,
    /// The chats that have blocked the bot.
    pub blocked: Vec<i64>,
    /// How many chats there are.
    pub chats: u32,
}

/// Something that happens.
#[derive(Clone, Debug)]
pub enum Event {
    /// A notification is accepted.
    Accept(Box<Draft>),
    /// Its caller takes it back.
    Cancel(NotificationId),
    /// Something breaks.
    Fault(Fault),
}

/// A notification to be.
#[derive(Clone, Debug)]
pub struct Draft {
    id: NotificationId,
    chat: i64,
    lane: Lane,
    once: bool,
    pictures: Vec<u8>,
    delay: Option<Duration>,
    lifetime: Duration,
    /// The only message to its chat, which must not wait for others.
    pub is_probe: bool,
}

/// Something that breaks.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// A worker dies without warning; another starts in its place.
    Kill,
    /// A worker is told to stop; another starts in its place.
    Stop,
    /// A worker loses its connection to the queue for so long.
    Disconnect(Duration),
    /// A part does not answer for so long.
    Away(Part, Duration),
    /// For so long, a part answers only once in every pulse.
    Pulses(Part, Duration, Duration),
    /// Telegram is like this for so long.
    Weather(Weather, Duration),
    /// Telegram refuses the file_ids that it gave out.
    ForgetFileIds,
    /// A group becomes a supergroup.
    Migrate(i64),
}

fn seconds(random: &mut Rng, from: f64, to: f64) -> Duration {
    Duration::from_millis((1_000.0 * (from + random.f64() * (to - from))) as u64)
}

impl Plan {
    /// A small world.
    pub fn small(random: &mut Rng) -> Self {
        let mut drafts = Vec::new();
        let span = seconds(random, 15.0, 50.0);
        let (people, groups) = (random.i64(2..7), random.i64(1..4));
        let chat = |random: &mut Rng| match random.i64(0..people + groups) {
            chat if chat < people => chat + 1,
            chat => people - 1 - chat,
        };
        for _ in 0..random.usize(8..25) {
            let at = random_moment(random, span);
            drafts.push((at, Draft::anything(random, chat)));
        }
        // Some chats get more at once than they can take.
        let jam_lane = [Lane::Normal, Lane::Bulk][random.usize(..2)];
        if random.u8(..3) > 0 {
            let from = random_moment(random, span / 2);
            for _ in 0..random.usize(1..5) {
                let busy = chat(random);
                let most = if busy < 0 { 26 } else { 12 };
                for number in 0..random.u64(3..most) {
                    let draft = Draft { lane: jam_lane, ..Draft::text(busy) };
                    drafts.push((from + Duration::from_millis(number * 20), draft));
                }
            }
        }
        for probe in 0..random.i64(1..4) {
            let lane = [Lane::Urgent, jam_lane][random.usize(..2)];
            let draft = Draft { lane, is_probe: true, ..Draft::text(1_000 + probe) };
            drafts.push((random_moment(random, span), draft));
        }
        let mut events = Self::number(drafts);
        for _ in 0..[0, 0, 1, 1, 2, 3][random.usize(..6)] {
            let fault = Fault::any(random, groups);
            events.push((random_moment(random, span), Event::Fault(fault)));
        }
        Self::ordered(Self {
            window: [16, 32, 64, 256][random.usize(..4)],
            returns_first: random.bool(),
            events,
            blocked: if random.u8(..4) == 0 { vec![1] } else { Vec::new() },
            chats: (people + groups + 4) as u32,
        })
    }

    /// Numbers notifications in the order of their acceptance; a few are taken back.
    fn number(mut drafts: Vec<(Duration, Draft)>) -> Vec<(Duration, Event)> {
        drafts.sort_by_key(|(at, _)| *at);
        let mut events = Vec::new();
        for (number, (at, draft)) in drafts.into_iter().enumerate() {
            let id = NotificationId::from_number(number as u128 + 1);
            if draft.once && number % 3 == 0 {
                events.push((at + Duration::from_millis(number as u64 * 37), Event::Cancel(id)));
            }
            events.push((at, Event::Accept(Box::new(Draft { id, ..draft }))));
        }
        events
    }

    fn ordered(mut self) -> Self {
        self.events.sort_by_key(|(at, _)| *at);
        self
    }
}

fn random_moment(random: &mut Rng, span: Duration) -> Duration {
    Duration::from_millis(random.u64(..span.as_millis() as u64))
}

impl Draft {
    fn text(chat: i64) -> Self {
        let lifetime = Duration::from_secs(3 * 3600);
        let id = NotificationId::from_number(0);
        Self { id, chat, lane: Lane::Normal, once: false, pictures: Vec::new(), delay: None, lifetime, is_probe: false }
    }

    fn anything(random: &mut Rng, chat: impl Fn(&mut Rng) -> i64) -> Self {
        let lifetime = match random.u8(..12) {
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
            ..Self::text(chat(random))
        }
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
            then: Vec::new(),
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

impl Fault {
    fn any(random: &mut Rng, groups: i64) -> Self {
        let part = [Part::Ledger, Part::Ledger, Part::Queue, Part::Blobs][random.usize(..4)];
        match random.u8(..16) {
            0..3 => Self::Kill,
            3..6 => Self::Stop,
            6..8 => Self::Disconnect(seconds(random, 0.1, 8.0)),
            8 => Self::Away(part, seconds(random, 0.2, 12.0)),
            9..11 => Self::Pulses(part, seconds(random, 3.0, 15.0), seconds(random, 0.3, 3.0)),
            11..14 => {
                const ALL: [Weather; 6] = [
                    Weather::Slow,
                    Weather::Unreachable,
                    Weather::Cut,
                    Weather::Failing,
                    Weather::Flooding,
                    Weather::Refusing,
                ];
                Self::Weather(ALL[random.usize(..6)], seconds(random, 0.5, 10.0))
            }
            14 => Self::ForgetFileIds,
            _ => Self::Migrate(-1 - random.i64(0..groups)),
        }
    }
}
