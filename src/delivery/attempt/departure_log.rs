//! What has left lately: how many messages Telegram may have counted within a second, and what the next owner of the bot must
//! know.

use crate::delivery::mono_time::MonoTime;
use crate::delivery::rate_limit::BOT_SPAN;
use crate::domain::ChatId;
use crate::ports::Departure;
use std::collections::VecDeque;
use std::time::Duration;

/// For how long a departure counts: a private chat has paid off an album of ten by then.
const KEPT_FOR: Duration = Duration::from_secs(10);
/// How many are kept at most: two seconds of the fastest bot, a thousand a second (paid broadcasts), and as many again.
const MAX_KEPT: usize = 4_000;
/// How much later than the quickest a request may be counted by Telegram, as far as that is taken into account. A server that
/// answers late for another reason must not cost the rate for long.
const MAX_DELAY: Duration = Duration::from_secs(1);
/// For how long the quickest answer is remembered, at least.
const QUICKEST_KEPT_FOR: Duration = Duration::from_secs(30);

/// The departures of the last seconds, oldest first.
///
/// Telegram counts a request when it arrives, which is seen only by its answer. Two requests that left a second apart may
/// arrive within less, if the first was held up on its way and the second was not. So each counts from the latest moment at
/// which it may have arrived: as much after its departure as its answer came later than the quickest one does.
#[derive(Debug)]
pub(super) struct DepartureLog {
    limit: u32,
    log: VecDeque<LoggedDeparture>,
    next_number: u64,
    quickest: QuickestAnswer,
}

#[derive(Debug)]
struct LoggedDeparture {
    number: u64,
    left_at: MonoTime,
    chat: ChatId,
    messages: u32,
    /// How long its answer took; `None` while that is awaited.
    took: Option<Duration>,
}

impl LoggedDeparture {
    /// From when it counts, as far as can be told now: by the quickest answer that is known by now, since the first ones of a
    /// process wait for a connection, and nothing was quicker then.
    fn counts_from(&self, now: MonoTime, quickest: Duration) -> MonoTime {
        let took = self.took.unwrap_or(now - self.left_at);
        self.left_at + took.saturating_sub(quickest).min(MAX_DELAY)
    }
}

impl DepartureLog {
    /// For a bot that may send so many messages a second; 0 for no limit.
    pub fn new(limit: u32) -> Self {
        Self { limit, log: VecDeque::new(), next_number: 0, quickest: QuickestAnswer::default() }
    }

    /// When a request that makes so many messages may leave. Sooner than now, if it may; else the earliest moment at which that
    /// is to be asked again.
    pub fn ready_at(&self, now: MonoTime, messages: u32) -> MonoTime {
        if self.limit == 0 {
            return MonoTime::default();
        }
        let quickest = self.quickest.get();
        let recent = self.log.iter().rev().take_while(|logged| logged.left_at + MAX_DELAY + BOT_SPAN > now);
        let mut taken: Vec<_> = recent.map(|it| (it.counts_from(now, quickest) + BOT_SPAN, it.messages)).collect();
        taken.sort_unstable_by_key(|(free_at, _)| *free_at);
        let mut room = i64::from(self.limit) - taken.iter().map(|(_, messages)| i64::from(*messages)).sum::<i64>();
        let mut ready_at = MonoTime::default();
        for (free_at, freed) in taken {
            if room >= i64::from(messages.min(self.limit)) {
                break;
            }
            room += i64::from(freed);
            ready_at = free_at;
        }
        ready_at
    }

    /// Logs a request that leaves; the number by which its answer is told. `took`: to count it as if its answer had taken so
    /// long, whatever it takes.
    pub fn record(&mut self, now: MonoTime, chat: &ChatId, messages: u32, took: Option<Duration>) -> u64 {
        while self.log.len() >= MAX_KEPT || self.log.front().is_some_and(|first| first.left_at + KEPT_FOR < now) {
            self.log.pop_front();
        }
        let number = self.next_number;
        self.next_number += 1;
        self.log.push_back(LoggedDeparture { number, left_at: now, chat: chat.clone(), messages, took });
        number
    }

    /// A request was answered, or given up.
    pub fn record_answer(&mut self, now: MonoTime, number: u64) {
        let Some(first) = self.log.front().map(|first| first.number) else { return };
        let index = number.checked_sub(first).and_then(|index| usize::try_from(index).ok());
        let Some(answered) = index.and_then(|index| self.log.get_mut(index)) else { return };
        if answered.took.is_none() {
            let took = now - answered.left_at;
            self.quickest.record(now, took);
            answered.took = Some(took);
        }
    }

    /// What another owner has sent, oldest first, as if it had left here.
    pub fn inherit(&mut self, now: MonoTime, departures: &[Departure]) {
        for departure in departures {
            let at = now - Duration::from_millis(departure.age_ms);
            self.record(at, &departure.chat, departure.messages, Some(Duration::ZERO));
        }
    }

    /// What counts still, for the next owner.
    pub fn recent(&self, now: MonoTime) -> Vec<Departure> {
        let quickest = self.quickest.get();
        let recent = self.log.iter().filter(|logged| logged.left_at + KEPT_FOR >= now);
        recent
            .map(|logged| Departure {
                age_ms: u64::try_from((now - logged.counts_from(now, quickest)).as_millis()).unwrap_or(u64::MAX),
                chat: logged.chat.clone(),
                messages: logged.messages,
            })
            .collect()
    }
}

/// The shortest time from a departure to its answer, of the last thirty to sixty seconds.
#[derive(Debug, Default)]
struct QuickestAnswer {
    since: MonoTime,
    current: Option<Duration>,
    previous: Option<Duration>,
}

impl QuickestAnswer {
    fn record(&mut self, now: MonoTime, took: Duration) {
        if now - self.since >= QUICKEST_KEPT_FOR {
            (self.since, self.previous) = (now, self.current.take());
        }
        self.current = Some(self.current.map_or(took, |current| current.min(took)));
    }

    fn get(&self) -> Duration {
        self.current.into_iter().chain(self.previous).min().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAT: ChatId = ChatId::Id(1);

    fn at(millis: u64) -> MonoTime {
        MonoTime::after(Duration::from_millis(millis))
    }

    /// Sends as fast as the log allows; request `n` arrives `delays[n]` after it left, and is answered then. When each arrived.
    fn drive(limit: u32, delays: &[u64]) -> Vec<u64> {
        let (mut log, mut arrivals, mut answers) = (DepartureLog::new(limit), Vec::new(), Vec::<(u64, u64)>::new());
        let mut now = 100_000;
        for delay in delays {
            loop {
                answers.retain(|(answered_at, number)| {
                    let answered = *answered_at <= now;
                    if answered {
                        log.record_answer(at(*answered_at), *number);
                    }
                    !answered
                });
                if log.ready_at(at(now), 1) <= at(now) {
                    break;
                }
                now += 1;
            }
            answers.push((now + delay, log.record(at(now), &CHAT, 1, None)));
            arrivals.push(now + delay);
        }
        arrivals.sort_unstable();
        arrivals
    }

    fn most_in_a_second(arrivals: &[u64]) -> usize {
        let within = |first: &u64| arrivals.iter().filter(|at| (*first..first + 1_000).contains(*at)).count();
        arrivals.iter().map(within).max().unwrap_or(0)
    }

    #[test]
    fn what_is_held_up_on_its_way_does_not_arrive_together_with_what_is_not() {
        // Thirty are held up for 300 ms; those after them are not.
        let delays: Vec<u64> = (0..240).map(|n| if (90..120).contains(&n) { 350 } else { 50 }).collect();
        assert_eq!(most_in_a_second(&drive(30, &delays)), 30);
    }

    #[test]
    fn the_first_request_which_waits_for_a_connection_counts_from_its_arrival() {
        let mut log = DepartureLog::new(30);
        for n in 0..30 {
            // The first arrives after 57 ms; its answer takes the 3 ms of every other one.
            let (left_at, took) = if n == 0 { (100_000, 60) } else { (100_100 + n * 10, 3) };
            let number = log.record(at(left_at), &CHAT, 1, None);
            log.record_answer(at(left_at + took), number);
        }
        assert_eq!(log.ready_at(at(100_900), 1), at(100_057) + BOT_SPAN);
    }

    #[test]
    fn an_even_delay_costs_nothing_of_the_rate() {
        for delay in [0, 50, 8_000] {
            let arrivals = drive(30, &vec![delay; 900]);
            // The first ones of a slow server are waited for, until it is known that it is never quicker.
            let seconds = (arrivals[899] - arrivals[300]) as f64 / 1000.0;
            assert!(599.0 / seconds >= 0.97 * 30.0, "{delay} ms: {seconds} s");
        }
    }

    #[test]
    fn an_album_counts_all_its_messages_and_waits_for_room() {
        let mut log = DepartureLog::new(30);
        for n in 0..25 {
            log.record(at(100_000 + n * 10), &CHAT, 1, Some(Duration::ZERO));
        }
        assert!(log.ready_at(at(100_250), 5) <= at(100_250));
        assert_eq!(log.ready_at(at(100_250), 10), at(100_040) + BOT_SPAN, "the fifth makes room");
        assert_eq!(
            log.ready_at(at(100_250), 100),
            at(100_240) + BOT_SPAN,
            "what is more than a second's worth goes alone"
        );
    }

    #[test]
    fn what_is_long_past_is_told_nobody() {
        let mut log = DepartureLog::new(30);
        let number = log.record(at(1_000), &CHAT, 2, None);
        log.record_answer(at(1_050), number);
        assert_eq!(log.recent(at(3_000)), [Departure { age_ms: 2_000, chat: CHAT, messages: 2 }]);
        assert!(log.recent(at(12_000)).is_empty());
    }
}
