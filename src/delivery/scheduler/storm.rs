//! A seeded storm against the scheduler: random images, outcomes, floods, moves, outages and lost ownership. Whatever
//! happens, every notification comes to its end: nothing is forgotten in a list, nobody waits for an upload that nobody
//! makes. A failing seed replays the run.

use super::*;
use crate::domain::{MediaKind, Sha256};
use std::collections::HashSet;

const SEEDS: u64 = 300;
const TICKETS: u128 = 120;

fn at(millis: u64) -> Moment {
    Moment::after(Duration::from_millis(millis))
}

#[derive(Debug)]
enum Event {
    Arrives(NotificationId),
    Ends(NotificationId, u64),
    Lost,
}

struct Storm {
    random: fastrand::Rng,
    scheduler: Scheduler,
    tickets: HashMap<NotificationId, Ticket>,
    events: BTreeMap<(Moment, u64), Event>,
    serial: u64,
    epoch: u64,
    flying: HashMap<NotificationId, (Moment, Ticket)>,
    open: HashSet<NotificationId>,
}

impl Storm {
    fn new(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let limits =
            RateLimits { bot_rate: [0.0, 5.0, 30.0][random.usize(0..3)], chat_rate: 1.0, group_rate_per_minute: 20 };
        let mut storm = Self {
            scheduler: Scheduler::new(limits, [8, 64, 1000][random.usize(0..3)]),
            random,
            tickets: HashMap::new(),
            events: BTreeMap::new(),
            serial: 0,
            epoch: 0,
            flying: HashMap::new(),
            open: HashSet::new(),
        };
        for number in 0..TICKETS {
            let chat = storm.random.i64(1..=8) * if storm.random.u8(0..4) == 0 { -1 } else { 1 };
            let content = storm.random.u8(0..6);
            let key = FileKey { bot_id: 1, kind: MediaKind::Photo, sha256: Sha256::of(&[content]) };
            let other = FileKey { sha256: Sha256::of(&[content + 1]), ..key };
            let id = NotificationId::from_number(number);
            let ticket = Ticket {
                id,
                chat: ChatId::Id(chat),
                lane: Lane::ALL[storm.random.usize(0..3)],
                cost: if storm.random.u8(0..10) == 0 { 10 } else { 1 },
                images: match content {
                    0 => Vec::new(),
                    1 => [key, other].map(|key| (key, 150_000)).into(),
                    _ => vec![(key, 150_000)],
                },
            };
            storm.tickets.insert(id, ticket);
            storm.open.insert(id);
            let when = at(storm.random.u64(0..60_000));
            storm.plan(when, Event::Arrives(id));
        }
        for _ in 0..storm.random.u8(0..4) {
            let when = at(storm.random.u64(0..90_000));
            storm.plan(when, Event::Lost);
        }
        storm
    }

    fn plan(&mut self, when: Moment, event: Event) {
        self.serial += 1;
        self.events.insert((when, self.serial), event);
    }

    fn arrives(&mut self, now: Moment, id: NotificationId) {
        if !self.open.contains(&id) || self.flying.contains_key(&id) {
            return;
        }
        if let Push::Defer(until) = self.scheduler.push(now, self.tickets[&id].clone()) {
            assert!(until > now, "deferred into the past");
            self.plan(until, Event::Arrives(id));
        }
    }

    /// An attempt ends somehow; in the first two minutes often badly.
    fn ends(&mut self, now: Moment, id: NotificationId, epoch: u64) {
        let (_, ticket) = self.flying.remove(&id).unwrap();
        let calm = now > at(120_000);
        let (finish, file_id) = match if calm { 0 } else { self.random.u8(0..12) } {
            0..6 => (Finish::Done, Some("id".to_owned())),
            6 => (Finish::Done, None),
            7 => (Finish::Again(Duration::from_millis(self.random.u64(0..70_000))), None),
            8 => (Finish::Flood(Duration::from_secs(self.random.u64(1..90))), None),
            9 => (Finish::Migrated(ChatId::Id(-100 - self.random.i64(1..4))), None),
            10 => {
                self.scheduler.breaker.fault(now);
                (Finish::Again(Duration::from_secs(1)), None)
            }
            _ if self.random.bool() => (Finish::NotBegun(Duration::from_secs(self.random.u64(0..90))), None),
            _ => (Finish::Skipped, None),
        };
        if self.random.bool() || calm {
            self.scheduler.breaker.answered();
        } else {
            self.scheduler.breaker.inconclusive();
        }
        let learnt = |id: String| ticket.images.iter().map(move |(key, _)| (*key, id.clone())).collect::<FileIds>();
        let file_ids = file_id.map(learnt).unwrap_or_default();
        // An attempt of an earlier ownership: its notification comes back from the queue.
        let ours = epoch == self.epoch;
        let finish = if ours || finish == Finish::Done { finish } else { Finish::Skipped };
        if let Finish::Migrated(to) = &finish {
            let old = ticket.chat.clone();
            for other in self.tickets.values_mut().filter(|other| other.chat == old) {
                other.chat = to.clone();
            }
        }
        let chat = self.tickets[&id].chat.clone();
        match finish {
            Finish::Done => drop(self.open.remove(&id)),
            Finish::Skipped => self.plan(now + Duration::from_millis(500), Event::Arrives(id)),
            _ => {}
        }
        self.scheduler.finish(now, id, finish, file_ids);
        for (id, until) in self.scheduler.overlong(now, &chat) {
            self.plan(until, Event::Arrives(id));
        }
    }

    /// The bot is lost and regained: everything unacked is delivered again.
    fn lost(&mut self, now: Moment) {
        self.epoch += 1;
        self.scheduler.clear();
        self.events.retain(|_, event| !matches!(event, Event::Arrives(_)));
        let mut open: Vec<_> = self.open.iter().copied().collect();
        open.sort();
        for id in open {
            let when = now + Duration::from_millis(self.random.u64(1..60_000));
            self.plan(when, Event::Arrives(id));
        }
    }

    fn run(mut self, seed: u64) {
        let end = at(3_600_000);
        let mut wake = end;
        while !self.open.is_empty() {
            let now = self.events.keys().next().map_or(wake, |(when, _)| (*when).min(wake));
            assert!(now < end, "seed {seed}: {} of {TICKETS} never ended", self.open.len());
            while let Some(entry) = self.events.first_entry().filter(|entry| entry.key().0 <= now) {
                match entry.remove() {
                    Event::Arrives(id) => self.arrives(now, id),
                    Event::Ends(id, epoch) => self.ends(now, id, epoch),
                    Event::Lost => self.lost(now),
                }
            }
            wake = loop {
                match self.scheduler.next(now) {
                    Next::Send(dispatch) => {
                        let ticket = self.tickets[&dispatch.id].clone();
                        let chat_busy = self.flying.values().any(|(_, other)| other.chat == ticket.chat);
                        assert!(!chat_busy, "seed {seed}: two in flight to {}", ticket.chat);
                        assert!(self.open.contains(&dispatch.id), "seed {seed}: sent again after its end");
                        self.flying.insert(dispatch.id, (now, ticket));
                        let answer = now + Duration::from_millis(self.random.u64(5..9_000));
                        let epoch = self.epoch;
                        self.plan(answer, Event::Ends(dispatch.id, epoch));
                    }
                    Next::Wait(until) => break until.unwrap_or(end),
                }
            };
        }
    }
}

#[test]
fn whatever_happens_every_notification_comes_to_its_end() {
    for seed in 0..SEEDS {
        Storm::new(seed).run(seed);
    }
}
