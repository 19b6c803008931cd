//! One chat: its FIFO, its budget, its freeze.

use super::{LONGEST_HOLD, Ticket};
use crate::delivery::budget::{Pace, Window};
use crate::delivery::clock::Moment;
use crate::domain::{ChatId, Lane, NotificationId};
use crate::settings::RateLimits;
use std::collections::BTreeMap;
use std::time::Duration;

/// Private chats tolerate short bursts (Bots FAQ).
const PRIVATE_BURST: u32 = 3;
/// Added to a group's minute.
const GROUP_MARGIN: Duration = Duration::from_millis(250);
/// A deferred notification that is later than this is not waited for any more: it was cancelled, or is lost in a jam.
const OVERDUE: Duration = Duration::from_secs(15);

#[derive(Debug)]
pub(super) struct Chat {
    lanes: [Fifo; 3],
    pace: Pace,
    window: Option<Window>,
    frozen_until: Moment,
    /// Which entry of the scheduler's lists is this chat's; 0 for none.
    pub stamp: u64,
    pub in_flight: bool,
}

#[derive(Debug, Default)]
struct Fifo {
    waiting: BTreeMap<NotificationId, Waiting>,
    /// What has gone back to the queue and must not be overtaken, and until when it went.
    deferred: BTreeMap<NotificationId, Moment>,
}

#[derive(Debug)]
struct Waiting {
    ticket: Ticket,
    since: Moment,
    not_before: Moment,
}

impl Chat {
    pub fn new(id: &ChatId, limits: &RateLimits) -> Self {
        let group = id.is_group();
        let per_minute = Window::new(limits.group_rate_per_minute, Duration::from_secs(60), GROUP_MARGIN);
        Self {
            lanes: Default::default(),
            pace: if group { Pace::strict(limits.chat_rate) } else { Pace::bursty(limits.chat_rate, PRIVATE_BURST) },
            window: (group && limits.group_rate_per_minute > 0).then_some(per_minute),
            frozen_until: Moment::default(),
            stamp: 0,
            in_flight: false,
        }
    }

    pub fn insert(&mut self, now: Moment, ticket: Ticket) {
        self.insert_again(now, ticket, now);
    }

    pub fn insert_again(&mut self, now: Moment, ticket: Ticket, not_before: Moment) {
        let lane = &mut self.lanes[ticket.lane as usize];
        lane.deferred.remove(&ticket.id);
        lane.waiting.insert(ticket.id, Waiting { ticket, since: now, not_before });
    }

    /// Until when a new ticket should go back to the queue, if it should.
    pub fn should_defer(&mut self, now: Moment, ticket: &Ticket, share: usize) -> Option<Moment> {
        let spacing = self.spacing();
        let frozen = self.frozen_until > now + LONGEST_HOLD;
        let start = self.frozen_until.max(now);
        let lane = &mut self.lanes[ticket.lane as usize];
        lane.deferred.remove(&ticket.id);
        lane.forget_overdue(now);
        let behind_deferred = lane.deferred.first_key_value().is_some_and(|(first, _)| *first < ticket.id);
        let held = usize::try_from(LONGEST_HOLD.as_micros() / spacing.as_micros()).unwrap_or(usize::MAX);
        // Counted by those before it: an older one that comes back is not sent away for the younger ones that fill the
        // chat, since they wait for it.
        let full = lane.waiting.range(..ticket.id).count() >= share.min(held).max(4);
        let turn = start + spacing * u32::try_from(lane.ahead_of(ticket.id)).unwrap_or(u32::MAX);
        // At least a second: a shorter way through the queue is not worth its cost.
        (frozen || full || behind_deferred).then(|| turn.max(now + Duration::from_secs(1)))
    }

    pub fn note_deferred(&mut self, lane: Lane, id: NotificationId, until: Moment) {
        self.lanes[lane as usize].deferred.insert(id, until);
    }

    /// When a ticket's turn comes, whether it is here already or not.
    pub fn turn(&self, now: Moment, ticket: &Ticket) -> Moment {
        let lane = ticket.lane as usize;
        let above: usize = self.lanes[..lane].iter().map(|lane| lane.waiting.len()).sum();
        let own = &self.lanes[lane];
        // What is overdue is waited for by nobody.
        let deferred = own.deferred.range(..ticket.id).filter(|(_, until)| **until + OVERDUE > now).count();
        let before = above + own.waiting.range(..ticket.id).count() + deferred;
        let ready = self.pace.ready_at().max(self.window.as_ref().map_or(now, |window| window.ready_at(ticket.cost)));
        let start = ready.max(self.frozen_until).max(now);
        let flying = u32::from(self.in_flight);
        start + self.spacing() * (u32::try_from(before).unwrap_or(u32::MAX - 1) + flying)
    }

    /// The average time between two sends; without limits, what a quick answer takes.
    fn spacing(&self) -> Duration {
        let window = self.window.as_ref().map_or(Duration::ZERO, Window::spacing);
        self.pace.interval().max(window).max(Duration::from_millis(20))
    }

    /// The ticket to send next: urgent first, then by id. `None` while it may not overtake a deferred one.
    pub fn head(&self, now: Moment) -> Option<&Ticket> {
        self.first(now).map(|waiting| &waiting.ticket)
    }

    fn first(&self, now: Moment) -> Option<&Waiting> {
        self.lanes.iter().find_map(|lane| {
            let (id, waiting) = lane.waiting.first_key_value()?;
            let overtakes = lane.blocked_until(*id).is_some_and(|until| until > now);
            (!overtakes).then_some(waiting)
        })
    }

    /// When the head may go.
    pub fn ready_at(&self, now: Moment) -> Moment {
        let budget = |cost| self.pace.ready_at().max(self.window.as_ref().map_or(now, |window| window.ready_at(cost)));
        match self.first(now) {
            Some(head) => budget(head.ticket.cost).max(self.frozen_until).max(head.not_before),
            None => {
                let blocked = |lane: &Fifo| lane.waiting.keys().next().and_then(|id| lane.blocked_until(*id));
                self.lanes.iter().filter_map(blocked).min().unwrap_or(now).max(self.frozen_until)
            }
        }
    }

    /// Takes the head out for its flight; also since when it waited.
    pub fn take_head(&mut self, now: Moment) -> Option<(Ticket, Moment)> {
        let (lane, id) = self.first(now).map(|head| (head.ticket.lane, head.ticket.id))?;
        let head = self.lanes[lane as usize].waiting.remove(&id)?;
        self.in_flight = true;
        self.stamp = 0;
        self.pace.take(now, head.ticket.cost, 1.0);
        if let Some(window) = &mut self.window {
            window.take(now, head.ticket.cost);
        }
        Some((head.ticket, head.since.max(head.not_before)))
    }

    pub fn end_flight(&mut self, now: Moment, cost: u32) {
        self.in_flight = false;
        if let Some(window) = &mut self.window {
            window.settle(now, cost);
        }
    }

    /// A flight that never left: its tokens are good for another.
    pub fn give_back(&mut self, cost: u32) {
        self.pace.give_back(cost);
        if let Some(window) = &mut self.window {
            window.give_back(cost);
        }
    }

    pub fn freeze(&mut self, until: Moment) {
        self.frozen_until = self.frozen_until.max(until);
    }

    /// Takes everything out, each with the moment at which its turn will come.
    pub fn defer_all(&mut self, now: Moment) -> Vec<(NotificationId, Moment)> {
        let (start, spacing) = (self.ready_at(now), self.spacing());
        let mut out = Vec::new();
        for lane in &mut self.lanes {
            for id in std::mem::take(&mut lane.waiting).into_keys() {
                let until = start + spacing * u32::try_from(out.len()).unwrap_or(u32::MAX);
                lane.deferred.insert(id, until);
                out.push((id, until));
            }
        }
        out
    }

    pub fn take_all(&mut self) -> Vec<Ticket> {
        let lanes = self.lanes.iter_mut().flat_map(|lane| std::mem::take(&mut lane.waiting).into_values());
        lanes.map(|waiting| waiting.ticket).collect()
    }

    /// Forgets one, also one that has gone back to the queue: what ended there must not be waited for.
    pub fn remove(&mut self, id: NotificationId) -> bool {
        self.lanes.iter_mut().any(|lane| lane.deferred.remove(&id).is_some() | lane.waiting.remove(&id).is_some())
    }

    pub fn clear(&mut self) {
        self.lanes = Default::default();
        self.stamp = 0;
    }

    pub fn len(&self) -> usize {
        self.lanes.iter().map(|lane| lane.waiting.len()).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn is_forgettable(&self, now: Moment) -> bool {
        let deferred = self.lanes.iter().any(|lane| lane.deferred.values().any(|until| *until + OVERDUE > now));
        let rested = self.pace.is_rested(now) && self.window.as_ref().is_none_or(|window| window.is_rested(now));
        self.is_empty() && !self.in_flight && !deferred && rested && self.frozen_until <= now
    }
}

impl Fifo {
    /// Until when this id would overtake a deferred one.
    fn blocked_until(&self, id: NotificationId) -> Option<Moment> {
        let (first, until) = self.deferred.first_key_value()?;
        (*first < id).then_some(*until + OVERDUE)
    }

    /// Deferred ones come back roughly in the order of their ids, so a look at the first is enough.
    fn forget_overdue(&mut self, now: Moment) {
        while let Some(entry) = self.deferred.first_entry() {
            if *entry.get() + OVERDUE > now {
                break;
            }
            entry.remove();
        }
    }

    /// How many have their turn before this id.
    fn ahead_of(&self, id: NotificationId) -> usize {
        let deferred = match self.deferred.last_key_value() {
            Some((last, _)) if *last < id => self.deferred.len(),
            _ => self.deferred.range(..id).count(),
        };
        self.waiting.len() + deferred
    }
}
