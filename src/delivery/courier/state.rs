//! What a courier keeps in memory.

use super::deferring::Deferring;
use super::expiring::Expiring;
use super::part_watch::PartWatch;
use super::promised_turns::PromisedTurns;
use crate::delivery::attempt::{AttemptReport, DepartureGate};
use crate::delivery::context::CourierContext;
use crate::delivery::mono_time::MonoTime;
use crate::delivery::scheduler::Scheduler;
use crate::domain::{Notification, NotificationId, PauseList, Timestamp};
use crate::ports::{Delivery, Receipt};
use lru::LruCache;
use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::{self, JoinSet};
use tokio::time::Instant;

/// How many finished notifications are remembered, for redeliveries while the ledger is away.
const MAX_RECENTLY_FINISHED: NonZeroUsize = NonZeroUsize::new(20_000).expect("not zero");

/// One bot's courier.
pub struct Courier {
    pub(super) context: CourierContext,
    pub(super) scheduler: Scheduler,
    /// How many notifications may be out unacked per lane.
    pub(super) window: u16,
    pub(super) started: Instant,
    /// In boxes, like what the scheduler has of each: tables and trees keep places for more than they hold.
    pub(super) held: HashMap<NotificationId, Box<HeldDelivery>>,
    pub(super) attempts: JoinSet<EndedAttempt>,
    pub(super) departures: DepartureGate,
    pub(super) parts: PartWatch,
    pub(super) in_flight: HashMap<task::Id, NotificationId>,
    /// How many attempts of a notification have panicked.
    pub(super) panics: HashMap<NotificationId, u32>,
    /// By id and time of acceptance: one that was submitted again has a new one.
    pub(super) recently_finished: LruCache<(NotificationId, Timestamp), ()>,
    pub(super) expiring: Expiring,
    pub(super) promised: PromisedTurns,
    pub(super) deferring: Deferring,
    /// The ownership held now.
    pub(super) epoch: Option<u64>,
    /// Whether nothing more is started, so that the bot can go to another process.
    pub(super) is_handing_over: bool,
    pub(super) owned: watch::Sender<bool>,
    /// What is paused, of all bots.
    pub(super) pauses: watch::Receiver<Arc<PauseList>>,
}

/// What an attempt gives back to its courier.
pub(super) struct EndedAttempt {
    pub notification: Notification,
    /// The receipt that it has acked, if the notification has come to an end.
    pub receipt: Receipt,
    pub report: AttemptReport,
}

/// A delivery that is held unacked.
pub(super) struct HeldDelivery {
    pub notification: Notification,
    pub receipt: Receipt,
    pub since: MonoTime,
    pub in_flight: bool,
    /// How many times in a row it was postponed.
    pub postponements: u32,
    /// The same notification as accepted again (by a retry, after a cancel or an end) while this one was in flight.
    pub resubmitted: Option<Box<Delivery>>,
}

impl Courier {
    /// A courier that holds at most `window` notifications per lane.
    pub fn new(context: CourierContext, window: u16) -> Self {
        // Bounded only then, so that no memory is taken before it is needed.
        let mut recently_finished = LruCache::unbounded();
        recently_finished.resize(MAX_RECENTLY_FINISHED);
        let departures = DepartureGate::new(context.bot.limits.bot_rate);
        Self {
            scheduler: Scheduler::new(context.bot.limits, window),
            promised: PromisedTurns::new(context.bot.limits),
            pauses: context.ports.pauses.known(),
            context,
            window,
            started: Instant::now(),
            held: HashMap::new(),
            attempts: JoinSet::new(),
            departures,
            parts: PartWatch::new(),
            in_flight: HashMap::new(),
            panics: HashMap::new(),
            recently_finished,
            expiring: Expiring::default(),
            deferring: Deferring::new(),
            epoch: None,
            is_handing_over: false,
            owned: watch::Sender::new(false),
        }
    }

    /// Whether the courier owns its bot, for whatever else only the owner may do. Closed when the courier ends.
    pub fn owned(&self) -> watch::Receiver<bool> {
        self.owned.subscribe()
    }

    /// Shows how far flood waits have slowed the bot and its chats.
    pub(super) fn show_pace(&self) {
        let (metrics, bot) = (&self.context.metrics, &[self.context.bot_label()]);
        let (pace, slowed) = self.scheduler.pace(self.now());
        metrics.rate_ratio.with_label_values(bot).set(pace);
        metrics.slowed_chats.with_label_values(bot).set(i64::try_from(slowed).unwrap_or(i64::MAX));
    }

    pub(super) fn now(&self) -> MonoTime {
        MonoTime::after(self.started.elapsed())
    }
}
