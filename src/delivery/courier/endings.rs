//! How attempts end, and what that means for scheduler, breaker and queue.

use super::{Courier, Ended, Held};
use crate::delivery::attempt::{Errand, Step, Weather};
use crate::delivery::clock::Moment;
use crate::delivery::retry;
use crate::delivery::scheduler::Finish;
use crate::domain::{Notification, NotificationId};
use crate::ports::FileIds;
use std::time::Duration;
use tokio::task::{Id, JoinError};

/// How many times a notification may crash its attempt before it is buried.
const CRASHES: u32 = 3;
/// A part of ours that stays away is asked again after 1, 2, 4 … 128 s; beyond
/// [`crate::delivery::scheduler::LONGEST_HOLD`] what waits for it goes back to the queue and makes room for what need not
/// wait.
const LONGEST_PUT_OFF: u32 = 7;

impl Courier {
    pub(super) fn end_attempt(&mut self, ended: Result<(Id, Ended), JoinError>) {
        match ended {
            Ok((task, ended)) => {
                self.in_flight.remove(&task);
                self.apply(ended);
            }
            Err(error) => {
                let Some(id) = self.in_flight.remove(&error.id()) else { return };
                self.crashed(id);
            }
        }
    }

    /// Lets scheduler, breaker and queue know how an attempt ended.
    fn apply(&mut self, ended: Ended) {
        let Ended { notification, receipt, report } = ended;
        let id = notification.id;
        let now = self.now();
        self.note_weather(now, report.weather);
        for (key, refused) in &report.refused {
            self.scheduler.uploads.evict(key, refused);
        }
        let Some(mut held) = self.held.remove(&id) else {
            return self.scheduler.finish(now, id, Finish::Skipped, report.file_ids);
        };
        let ours = Some(held.receipt.epoch) == self.epoch;
        let finish = match report.next {
            Step::Done => {
                self.finished.insert((id, notification.accepted_at));
                self.crashes.remove(&id);
                if ours && held.receipt != receipt {
                    self.spawn_ack(held.receipt);
                }
                self.scheduler.finish(now, id, Finish::Done, report.file_ids);
                if let Some(successor) = held.successor {
                    self.receive(successor);
                }
                return;
            }
            // It comes back from the queue to whoever owns the bot now.
            _ if !ours => {
                self.scheduler.finish(now, id, Finish::Skipped, report.file_ids);
                if let Some(successor) = held.successor {
                    self.receive(successor);
                }
                return;
            }
            Step::NotBegun => {
                held.put_off += 1;
                Finish::NotBegun(Duration::from_secs(1 << (held.put_off - 1).min(LONGEST_PUT_OFF)))
            }
            Step::Again(wait) => Finish::Again(wait),
            Step::Flood(wait) => Finish::Flood(wait),
            Step::Migrated(to) => Finish::Migrated(to),
        };
        if let Finish::Migrated(to) = &finish {
            let old = held.notification.chat_id.clone();
            for other in self.held.values_mut().filter(|other| other.notification.chat_id == old) {
                other.notification.chat_id = to.clone();
            }
        }
        if !matches!(finish, Finish::NotBegun(_)) {
            held.put_off = 0;
        }
        held.notification = notification;
        held.flying = false;
        if let Some(successor) = held.successor.take() {
            // It has not ended after all; the newer acceptance goes on in its place.
            let chat_id = held.notification.chat_id;
            held.notification = Notification { chat_id, ..successor.notification };
            self.spawn_ack(std::mem::replace(&mut held.receipt, successor.receipt));
        }
        let chat = held.notification.chat_id.clone();
        self.held.insert(id, held);
        self.scheduler.finish(now, id, finish, report.file_ids);
        // Callers whose turn is too late now are told so first; what is left goes back to the queue.
        self.look_round();
        for (id, until) in self.scheduler.overlong(now, &chat) {
            if let Some(held) = self.held.remove(&id) {
                self.spawn_defer(held.notification, held.receipt, until - now);
            }
        }
    }

    fn note_weather(&mut self, now: Moment, weather: Weather) {
        let breaker = &mut self.scheduler.breaker;
        match weather {
            Weather::Fair => {
                if breaker.answered() {
                    tracing::info!(bot = %self.desk.bot.name, "Telegram answers again");
                }
            }
            Weather::Foul => breaker.fault(now),
            Weather::Refused => {
                tracing::error!(bot = %self.desk.bot.name, "Telegram refuses the bot: check its token");
                breaker.trip(now);
            }
            Weather::Untold => breaker.inconclusive(),
        }
        let (metrics, bot) = (&self.desk.metrics, self.desk.bot.name.as_str());
        metrics.breaker_open.with_label_values(&[bot]).set(i64::from(self.scheduler.breaker.is_open()));
        let held = metrics.held.with_label_values(&[bot]);
        match weather {
            Weather::Refused => held.set(1),
            Weather::Fair => held.set(0),
            _ => {}
        }
    }

    /// An attempt panicked: that counts as a failed one, and after a few the notification is buried.
    fn crashed(&mut self, id: NotificationId) {
        let now = self.now();
        self.scheduler.breaker.inconclusive();
        let crashes = self.crashes.entry(id).or_default();
        *crashes += 1;
        let crashes = *crashes;
        let Some(held) = self.held.get_mut(&id) else { return };
        tracing::error!(notification = %id, crashes, "an attempt crashed");
        if Some(held.receipt.epoch) != self.epoch {
            // It comes back from the queue.
            let successor = self.held.remove(&id).and_then(|held| held.successor);
            self.scheduler.finish(now, id, Finish::Skipped, FileIds::new());
            if let Some(successor) = successor {
                self.receive(successor);
            }
            return;
        }
        if crashes < CRASHES {
            held.flying = false;
            self.scheduler.finish(now, id, Finish::Again(retry::backoff(crashes, 1.0)), FileIds::new());
            return;
        }
        self.crashes.remove(&id);
        if let Some(held) = self.held.remove(&id) {
            self.finished.insert((id, held.notification.accepted_at));
            let desk = self.desk.clone();
            let words = format!("crashed its courier {crashes} times");
            tokio::spawn(async move {
                let Held { mut notification, receipt, .. } = held;
                let errand = Errand { desk: &desk, notification: &mut notification, receipt: &receipt, away: false };
                errand.bury(&words).await;
            });
        }
        self.scheduler.finish(now, id, Finish::Done, FileIds::new());
    }
}
