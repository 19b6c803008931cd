//! A seeded storm against the scheduler: random images, outcomes, floods, moves, outages and lost ownership. Whatever
//! happens, every notification comes to its end: nothing is forgotten in a list, nobody waits for an upload that nobody
//! makes. A failing seed replays the run.

use crate::delivery::mono_time::MonoTime;
use crate::delivery::next_step::NextStep;
use crate::delivery::scheduler::{DeferredJob, EnqueueResult, NextSend, Scheduler, SendJob};
use crate::domain::{ChatId, Lane, MediaKind, NotificationId, Sha256};
use crate::ports::{FileIds, FileKey};
use crate::settings::RateLimits;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

const SEEDS: u64 = 300;
const JOBS: u128 = 120;

fn at(millis: u64) -> MonoTime {
    MonoTime::after(Duration::from_millis(millis))
}

#[derive(Debug)]
enum StormEvent {
    Arrives(NotificationId),
    Ends(NotificationId, u64),
    Lost,
}

struct Storm {
    random: fastrand::Rng,
    scheduler: Scheduler,
    jobs: HashMap<NotificationId, SendJob>,
    events: BTreeMap<(MonoTime, u64), StormEvent>,
    serial: u64,
    epoch: u64,
    in_flight: HashMap<NotificationId, (MonoTime, SendJob)>,
    open: HashSet<NotificationId>,
}

impl Storm {
    fn new(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let limits = RateLimits {
            bot_rate: [0.0, 5.0, 30.0][random.usize(0..3)],
            chat_rate: 1.0,
            chat_burst: 3,
            group_rate_per_minute: 20,
        };
        // Few chats with few images, or so many that not all can be uploaded at once.
        let (chats, contents) = if random.bool() { (8, 6) } else { (60, 200) };
        let mut storm = Self {
            scheduler: Scheduler::new(limits, [8, 64, 1000][random.usize(0..3)]),
            random,
            jobs: HashMap::new(),
            events: BTreeMap::new(),
            serial: 0,
            epoch: 0,
            in_flight: HashMap::new(),
            open: HashSet::new(),
        };
        for number in 0..JOBS {
            let chat = storm.random.i64(1..=chats) * if storm.random.u8(0..4) == 0 { -1 } else { 1 };
            let content = storm.random.u8(0..contents);
            let key = FileKey { bot_id: 1, kind: MediaKind::Photo, sha256: Sha256::of(&[content]) };
            let other = FileKey { sha256: Sha256::of(&[content + 1]), ..key };
            let id = NotificationId::from_number(number);
            let job = SendJob {
                lane: Lane::ALL[storm.random.usize(0..3)],
                cost: if storm.random.u8(0..10) == 0 { 10 } else { 1 },
                images: match content {
                    0 => Vec::new(),
                    1 => [key, other].map(|key| (key, 150_000)).into(),
                    _ => vec![(key, 150_000)],
                },
                ..super::job(number, chat, Lane::Normal)
            };
            storm.jobs.insert(id, job);
            storm.open.insert(id);
            let when = at(storm.random.u64(0..60_000));
            storm.plan(when, StormEvent::Arrives(id));
        }
        for _ in 0..storm.random.u8(0..4) {
            let when = at(storm.random.u64(0..90_000));
            storm.plan(when, StormEvent::Lost);
        }
        storm
    }

    fn plan(&mut self, when: MonoTime, event: StormEvent) {
        self.serial += 1;
        self.events.insert((when, self.serial), event);
    }

    fn arrives(&mut self, now: MonoTime, id: NotificationId) {
        if !self.open.contains(&id) || self.in_flight.contains_key(&id) {
            return;
        }
        if let EnqueueResult::Defer(deferred) = self.scheduler.enqueue(now, self.jobs[&id].clone()) {
            assert!(deferred.until > now, "deferred into the past");
            self.goes_back(deferred);
        }
    }

    /// An attempt ends somehow; in the first two minutes often badly.
    fn ends(&mut self, now: MonoTime, id: NotificationId, epoch: u64) {
        let (_, job) = self.in_flight.remove(&id).unwrap();
        let calm = now > at(120_000);
        let (step, file_id) = match if calm { 0 } else { self.random.u8(0..12) } {
            0..6 => (NextStep::Done, Some("id".to_owned())),
            6 => (NextStep::Done, None),
            7 => (NextStep::Retry(Duration::from_millis(self.random.u64(0..70_000))), None),
            8 => (NextStep::FloodWait(Duration::from_secs(self.random.u64(1..90))), None),
            9 => (NextStep::Migrate(ChatId::Id(-100 - self.random.i64(1..4))), None),
            10 => {
                self.scheduler.breaker.record_failure(now);
                (NextStep::Retry(Duration::from_secs(1)), None)
            }
            _ if self.random.bool() => (NextStep::Postpone(Duration::from_secs(self.random.u64(0..90))), None),
            _ => (NextStep::Abandon, None),
        };
        if self.random.bool() || calm {
            self.scheduler.breaker.record_answer();
        } else {
            self.scheduler.breaker.record_inconclusive();
        }
        let learnt = |id: String| job.images.iter().map(move |(key, _)| (*key, id.clone())).collect::<FileIds>();
        let file_ids = file_id.map(learnt).unwrap_or_default();
        // An attempt of an earlier ownership: its notification comes back from the queue.
        let ours = epoch == self.epoch;
        let step = if ours || step == NextStep::Done { step } else { NextStep::Abandon };
        if let NextStep::Migrate(to) = &step {
            let old = job.chat.clone();
            for other in self.jobs.values_mut().filter(|other| other.chat == old) {
                other.chat = to.clone();
            }
        }
        let chat = self.jobs[&id].chat.clone();
        match step {
            NextStep::Done => drop(self.open.remove(&id)),
            NextStep::Abandon => self.plan(now + Duration::from_millis(500), StormEvent::Arrives(id)),
            _ => {}
        }
        self.scheduler.finish(now, id, step, file_ids, true);
        for deferred in self.scheduler.take_long_waiting(now, &chat) {
            self.goes_back(deferred);
        }
    }

    fn goes_back(&mut self, deferred: DeferredJob) {
        self.jobs.get_mut(&deferred.id).unwrap().number = Some(deferred.number);
        self.plan(deferred.until, StormEvent::Arrives(deferred.id));
    }

    /// The bot is lost and regained: everything unacked is delivered again.
    fn lost(&mut self, now: MonoTime) {
        self.epoch += 1;
        self.scheduler.clear_waiting();
        self.events.retain(|_, event| !matches!(event, StormEvent::Arrives(_)));
        self.jobs.values_mut().for_each(|job| job.number = None);
        let mut open: Vec<_> = self.open.iter().copied().collect();
        open.sort();
        for id in open {
            let when = now + Duration::from_millis(self.random.u64(1..60_000));
            self.plan(when, StormEvent::Arrives(id));
        }
    }

    /// Returns how many uploads were under way at a time, at the most.
    fn run(mut self, seed: u64) -> usize {
        let end = at(3_600_000);
        let (mut wake, mut most) = (end, 0);
        while !self.open.is_empty() {
            let now = self.events.keys().next().map_or(wake, |(when, _)| (*when).min(wake));
            assert!(now < end, "seed {seed}: {} of {JOBS} never ended", self.open.len());
            while let Some(entry) = self.events.first_entry().filter(|entry| entry.key().0 <= now) {
                match entry.remove() {
                    StormEvent::Arrives(id) => self.arrives(now, id),
                    StormEvent::Ends(id, epoch) => self.ends(now, id, epoch),
                    StormEvent::Lost => self.lost(now),
                }
            }
            wake = loop {
                match self.scheduler.next(now) {
                    NextSend::Now(dispatch) => {
                        let job = self.jobs[&dispatch.id].clone();
                        let chat_busy = self.in_flight.values().any(|(_, other)| other.chat == job.chat);
                        assert!(!chat_busy, "seed {seed}: two in flight to {}", job.chat);
                        assert!(self.open.contains(&dispatch.id), "seed {seed}: sent again after its end");
                        self.in_flight.insert(dispatch.id, (now, job));
                        most = most.max(self.scheduler.uploads.under_way());
                        let answer = now + Duration::from_millis(self.random.u64(5..9_000));
                        let epoch = self.epoch;
                        self.plan(answer, StormEvent::Ends(dispatch.id, epoch));
                    }
                    NextSend::Wait(until) => break until.unwrap_or(end),
                }
            };
        }
        most
    }
}

#[test]
fn whatever_happens_every_notification_comes_to_its_end() {
    let most = (0..SEEDS).map(|seed| Storm::new(seed).run(seed)).max();
    assert!(most >= Some(16), "at most {most:?} uploads at once");
}
