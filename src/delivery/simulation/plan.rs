//! What happens in a world, drawn from its seed: who writes to whom, and what breaks.

use super::draft::Draft;
use super::state::Part;
use super::telegram::Weather;
use crate::domain::{Lane, NotificationId};
use fastrand::Rng;
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
    /// An operator pauses a chat, or the bot.
    Pause(Option<i64>),
    /// He lets it go on.
    Resume(Option<i64>),
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

/// A span between two, in seconds.
pub fn seconds(random: &mut Rng, from: f64, to: f64) -> Duration {
    Duration::from_millis((1_000.0 * (from + random.f64() * (to - from))) as u64)
}

impl Plan {
    /// A small world: a few chats, some of which get more than they can take, and up to three faults.
    pub fn small(random: &mut Rng) -> Self {
        let span = seconds(random, 15.0, 50.0);
        let chats = Chats { people: random.i64(2..7), groups: random.i64(1..4) };
        let mut drafts = chats.mixed(random, 8..25, span);
        let mut window = [16, 32, 64, 256][random.usize(..4)];
        let jam_lane = [Lane::Normal, Lane::Bulk][random.usize(..2)];
        match random.u8(..6) {
            0 => {}
            // All chats together would fill the window, were it theirs.
            1 => {
                window = [16, 32][random.usize(..2)];
                let (from, each) = (random_moment(random, span / 2), random.u64(8..12));
                for chat in chats.all() {
                    drafts.extend(Draft { lane: jam_lane, ..Draft::text(chat) }.repeated(from, each));
                }
            }
            _ => {
                let from = random_moment(random, span / 2);
                for _ in 0..random.usize(1..5) {
                    let busy = chats.any(random);
                    let each = random.u64(3..if busy < 0 { 26 } else { 12 });
                    drafts.extend(Draft { lane: jam_lane, ..Draft::text(busy) }.repeated(from, each));
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
            let at = random_moment(random, span);
            Fault::with_company(random, at, chats.groups, &mut events);
        }
        let blocked = if random.u8(..4) == 0 { vec![1] } else { Vec::new() };
        for _ in 0..[0, 0, 1, 2][random.usize(..4)] {
            let target = if random.u8(..4) == 0 { None } else { Some(chats.any(random)) };
            Self::pause(random, target, span, &mut events);
        }
        let chats = (chats.people + chats.groups + 4) as u32;
        Self { window, returns_first: random.bool(), events, blocked, chats }.ordered()
    }

    /// A bot that has more to send than it may for a while, and up to four faults.
    pub fn busy(random: &mut Rng) -> Self {
        let span = Duration::from_secs(20);
        let chats = Chats { people: 150, groups: 15 };
        let mut drafts = chats.mixed(random, 400..600, span);
        // One chat gets a stream, the first of which must not wait for the last.
        let stream = Draft { lane: Lane::Normal, ..Draft::text(2_000) }.repeated(span / 4, 30);
        drafts.extend(stream.map(|(at, draft)| (span / 4 + (at - span / 4) * 10, draft)));
        if let Some((_, first)) = drafts.iter_mut().find(|(_, draft)| draft.chat == 2_000) {
            first.is_probe = true;
        }
        for probe in 0..10 {
            let draft = Draft { is_probe: true, ..Draft::text(1_000 + probe) };
            drafts.push((random_moment(random, span), draft));
        }
        let mut events = Self::number(drafts);
        for _ in 0..random.usize(0..4) {
            let at = random_moment(random, span);
            Fault::with_company(random, at, chats.groups, &mut events);
        }
        for _ in 0..random.usize(..40) {
            let chat = chats.any(random);
            Self::pause(random, Some(chat), span, &mut events);
        }
        let window = [64, 256, 4_000][random.usize(..3)];
        Self { window, returns_first: random.bool(), events, blocked: vec![1], chats: 180 }.ordered()
    }

    /// Nothing breaks, but busy groups and people have far more waiting than a window holds, beside idle people.
    pub fn crowd(random: &mut Rng) -> Self {
        let chats = Chats { people: 10, groups: 20 };
        let mut drafts = Vec::new();
        for chat in chats.all() {
            let at = random_moment(random, Duration::from_secs(6));
            drafts.extend(Draft::text(chat).repeated(at, if chat < 0 { 45 } else { 60 }));
        }
        for probe in 0..30 {
            let at = Duration::from_secs(6) + random_moment(random, Duration::from_secs(60));
            drafts.push((at, Draft { is_probe: true, ..Draft::text(1_000 + probe) }));
        }
        let (window, returns_first) = (256, random.bool());
        let events = Self::number(drafts);
        Self { window, returns_first, events, blocked: Vec::new(), chats: 60 }.ordered()
    }

    /// An hour of traffic, and something breaks every three minutes or so.
    pub fn hour(random: &mut Rng) -> Self {
        let span = Duration::from_secs(3_400);
        let chats = Chats { people: 800, groups: 200 };
        let mut drafts = chats.mixed(random, 10_000..10_001, span);
        for _ in 0..20 {
            let (from, busy) = (random_moment(random, span / 2), chats.any(random));
            drafts.extend(Draft { lane: Lane::Bulk, ..Draft::text(busy) }.repeated(from, 100));
        }
        let mut events = Self::number(drafts);
        for _ in 0..20 {
            let at = random_moment(random, span);
            Fault::with_company(random, at, chats.groups, &mut events);
        }
        Self { window: 4_000, returns_first: true, events, blocked: vec![1], chats: 1_000 }.ordered()
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
            let again = (number % 7 == 3).then(|| Duration::from_millis(number as u64 * 211 % 6_000));
            events.push((at, Event::Accept(Box::new(Draft { id, again, ..draft }))));
        }
        events
    }

    /// A pause, which may be asked for twice and ends.
    fn pause(random: &mut Rng, target: Option<i64>, span: Duration, events: &mut Vec<(Duration, Event)>) {
        let from = random_moment(random, span);
        let until = from + seconds(random, 0.1, 25.0);
        events.push((from, Event::Pause(target)));
        if random.bool() {
            events.push((from + (until - from) / 2, Event::Pause(target)));
        }
        events.push((until, Event::Resume(target)));
    }

    fn ordered(mut self) -> Self {
        self.events.sort_by_key(|(at, _)| *at);
        self
    }
}

fn random_moment(random: &mut Rng, span: Duration) -> Duration {
    Duration::from_millis(random.u64(..span.as_millis() as u64))
}

/// The chats of a world: people from 1 upwards, groups from -1 downwards.
struct Chats {
    people: i64,
    groups: i64,
}

impl Chats {
    fn all(&self) -> impl Iterator<Item = i64> {
        (-self.groups..=self.people).filter(|chat| *chat != 0)
    }

    fn any(&self, random: &mut Rng) -> i64 {
        match random.i64(0..self.people + self.groups) {
            chat if chat < self.people => chat + 1,
            chat => self.people - 1 - chat,
        }
    }

    /// So many notifications of all kinds to all chats.
    fn mixed(&self, random: &mut Rng, count: std::ops::Range<usize>, span: Duration) -> Vec<(Duration, Draft)> {
        let count = random.usize(count);
        let mut draft = || {
            let (at, chat) = (random_moment(random, span), self.any(random));
            (at, Draft::anything(random, chat))
        };
        (0..count).map(|_| draft()).collect()
    }
}

impl Fault {
    /// A fault, and what is likely to show what it has broken.
    fn with_company(random: &mut Rng, at: Duration, groups: i64, events: &mut Vec<(Duration, Event)>) {
        let fault = Self::any(random, groups);
        events.push((at, Event::Fault(fault)));
        let later = at + seconds(random, 0.2, 15.0);
        if let (Self::Weather(Weather::Flooding | Weather::Slow, _) | Self::Pulses(..), true) = (fault, random.bool()) {
            let next = [Self::Kill, Self::Stop, Self::Disconnect(seconds(random, 0.1, 8.0))][random.usize(..3)];
            events.push((later, Event::Fault(next)));
        }
    }

    fn any(random: &mut Rng, groups: i64) -> Self {
        let part = [Part::Ledger, Part::Ledger, Part::Queue, Part::Blobs][random.usize(..4)];
        match random.u8(..16) {
            0..3 => Self::Kill,
            3..6 => Self::Stop,
            6..8 => Self::Disconnect(seconds(random, 0.1, 8.0)),
            8 => Self::Away(part, seconds(random, 0.2, 12.0)),
            9..11 => Self::Pulses(part, seconds(random, 3.0, 15.0), seconds(random, 0.3, 3.0)),
            11 if random.u8(..8) == 0 => Self::Weather(Weather::Unreachable, seconds(random, 650.0, 700.0)),
            11..14 => {
                const ALL: [Weather; 7] = [
                    Weather::Slow,
                    Weather::Unreachable,
                    Weather::Cut,
                    Weather::Failing,
                    Weather::Flooding,
                    Weather::Flooding,
                    Weather::Refusing,
                ];
                Self::Weather(ALL[random.usize(..7)], seconds(random, 0.5, 10.0))
            }
            14 => Self::ForgetFileIds,
            _ => Self::Migrate(-1 - random.i64(0..groups)),
        }
    }
}
