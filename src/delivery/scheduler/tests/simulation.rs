//! An hour of traffic under virtual time, with every limit asserted at every step by a witness of its own.

use crate::delivery::mono_time::MonoTime;
use crate::delivery::next_step::NextStep;
use crate::delivery::rate_limit::SlidingWindow;
use crate::delivery::scheduler::{EnqueueResult, NextSend, Scheduler, SendJob};
use crate::domain::{ChatId, Lane, NotificationId};
use crate::ports::FileIds;
use crate::settings::RateLimits;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

fn at(millis: u64) -> MonoTime {
    MonoTime::after(Duration::from_millis(millis))
}

/// What Telegram would see of one bot, counted independently of the scheduler.
#[derive(Default)]
struct LimitWitness {
    bot: VecDeque<MonoTime>,
    chats: HashMap<ChatId, VecDeque<MonoTime>>,
    in_flight: HashSet<ChatId>,
    last: HashMap<(ChatId, Lane), NotificationId>,
    sent: usize,
}

impl LimitWitness {
    fn sends(&mut self, now: MonoTime, job: &SendJob) {
        assert!(count(&mut self.bot, now, Duration::from_secs(1)) <= 30, "over 30 in a second");
        let log = self.chats.entry(job.chat.clone()).or_default();
        if job.chat.is_group() {
            assert!(log.back().is_none_or(|last| now - *last >= Duration::from_secs(1)), "two in a second to a group");
            assert!(count(log, now, Duration::from_secs(60)) <= 20, "over 20 in a minute to a group");
        } else {
            assert!(count(log, now, Duration::from_secs(10)) <= 12, "over 1/s and a burst of 3 to a private chat");
        }
        assert!(self.in_flight.insert(job.chat.clone()), "two in flight to a chat");
        let last = self.last.insert((job.chat.clone(), job.lane), job.id);
        assert!(last.is_none_or(|last| last < job.id), "out of order");
        self.sent += 1;
    }
}

fn count(log: &mut VecDeque<MonoTime>, now: MonoTime, span: Duration) -> usize {
    log.push_back(now);
    while log.front().is_some_and(|first| now - *first >= span) {
        log.pop_front();
    }
    log.len()
}

enum TrafficEvent {
    Arrives(SendJob),
    Leaves(NotificationId),
    IsAnswered(NotificationId),
}

/// Runs one bot through its arrivals; deferred ones come back when they said.
fn run(arrivals: Vec<(u64, i64)>, random: &mut fastrand::Rng) -> LimitWitness {
    let mut scheduler = Scheduler::new(RateLimits::default(), 1000);
    let mut witness = LimitWitness::default();
    // What `DepartureGate` does.
    let mut gate = SlidingWindow::new(30, Duration::from_secs(1), Duration::from_millis(25));
    let mut jobs: HashMap<NotificationId, SendJob> = HashMap::new();
    let mut events: BTreeMap<(MonoTime, usize), TrafficEvent> = BTreeMap::new();
    let mut serial = arrivals.len();
    for (n, (millis, chat)) in arrivals.into_iter().enumerate() {
        let job = super::job(n as u128, chat, Lane::ALL[n % 3]);
        events.insert((at(millis), n), TrafficEvent::Arrives(job));
    }
    let mut wake = MonoTime::default();
    loop {
        let now = events.keys().next().map_or(wake, |(when, _)| (*when).min(wake));
        if now > MonoTime::after(HOUR) {
            return witness;
        }
        while let Some(entry) = events.first_entry().filter(|entry| entry.key().0 <= now) {
            match entry.remove() {
                TrafficEvent::Arrives(job) => match scheduler.enqueue(now, job.clone()) {
                    EnqueueResult::Enqueued => drop(jobs.insert(job.id, job)),
                    EnqueueResult::Defer(deferred) => {
                        serial += 1;
                        let job = SendJob { number: Some(deferred.number), ..job };
                        events.insert((deferred.until, serial), TrafficEvent::Arrives(job));
                    }
                },
                TrafficEvent::Leaves(id) => {
                    witness.sends(now, &jobs[&id]);
                    serial += 1;
                    let answer = now + Duration::from_millis(random.u64(20..200));
                    events.insert((answer, serial), TrafficEvent::IsAnswered(id));
                }
                TrafficEvent::IsAnswered(id) => {
                    let job = jobs.remove(&id).unwrap();
                    witness.in_flight.remove(&job.chat);
                    scheduler.finish(now, id, NextStep::Done, FileIds::new(), true);
                }
            }
        }
        wake = loop {
            match scheduler.next(now) {
                NextSend::Now(dispatch) => {
                    serial += 1;
                    let at = gate.ready_at(1).max(now + Duration::from_millis(random.u64(1..20)));
                    gate.take(at, 1);
                    events.insert((at, serial), TrafficEvent::Leaves(dispatch.id));
                }
                NextSend::Wait(until) => break until.unwrap_or(MonoTime::after(HOUR * 2)),
            }
        };
    }
}

#[test]
fn an_hour_of_traffic_of_three_bots_keeps_every_limit_at_every_step() {
    let began = std::time::Instant::now();
    let mut total = 0;
    for bot in 0..3 {
        let mut random = fastrand::Rng::with_seed(bot);
        // 12,000 over 2,000 chats, a fifth of them groups.
        let chat = |random: &mut fastrand::Rng| match random.i64(2..=2_000) {
            group if group % 5 == 0 => -group,
            user => user,
        };
        let mut arrivals: Vec<_> = (0..12_000).map(|_| (random.u64(0..3_500_000), chat(&mut random))).collect();
        if bot == 0 {
            // And 5,000 at once for one chat: more than an hour at 1/s has room for.
            arrivals.extend((0..5_000).map(|n| (n / 10, 1)));
        }
        arrivals.sort_unstable();
        let witness = run(arrivals, &mut random);
        let expected = if bot == 0 { 12_000 + 3_540 } else { 12_000 };
        assert!(witness.sent >= expected, "bot {bot} sent {}", witness.sent);
        total += witness.sent;
    }
    println!("an hour with {total} sends, simulated in {:?}", began.elapsed());
}

#[test]
fn a_full_hour_at_the_limit_uses_97_percent_of_it() {
    let mut random = fastrand::Rng::with_seed(7);
    let arrivals = (0..110_000_u64).map(|n| (n * 32, 1 + (n % 2_000) as i64)).collect();
    let witness = run(arrivals, &mut random);
    assert!(witness.sent as f64 >= 0.97 * 30.0 * 3600.0, "{}", witness.sent);
}
