//! The bots that this process is subscribed to, and which of them it has: whether it has its share, more or less.

use crate::domain::BotName;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// Who has passed a bot on, or given it away, takes it within this time: then nobody else wants it, and a bot with an
/// owner that has too many is better than one that has none. Longer than a token takes to go round all workers.
const PASSED_ON_FOR: Duration = Duration::from_secs(10);

/// A bot that came back, or whose attempts would not end, is not given away again before this time is over.
const KEPT_FOR: Duration = Duration::from_secs(60);
const BUSY_FOR: Duration = Duration::from_secs(10);

/// How long the attempts of a bot that is to be given away may take to end: nothing is sent meanwhile. Doubled when that
/// was too short, so that a bot whose sends take long moves too, and only such a one stands still for longer.
const MIN_DRAIN_TIME: Duration = Duration::from_millis(700);
const MAX_DRAIN_TIME: Duration = Duration::from_secs(60);

/// Every subscription of this process.
#[derive(Default)]
pub(super) struct Stakes {
    stakes: Mutex<BTreeMap<u64, Stake>>,
}

/// One subscription's stake in its bot.
struct Stake {
    bot: BotName,
    /// Where the owner is asked to give the bot away.
    release: watch::Sender<bool>,
    /// Whether the bot is owned here, or is just being taken.
    claimed: bool,
    passed_on_at: Option<Instant>,
    given_away_at: Option<Instant>,
    kept_until: Instant,
    drain_time: Duration,
}

/// A bot that is to be given away.
#[derive(Debug)]
pub(super) struct Surplus {
    pub(super) stake: u64,
    pub(super) bot: BotName,
    pub(super) release: watch::Sender<bool>,
    /// How long to wait for the end of its attempts.
    pub(super) drain_time: Duration,
}

impl Stakes {
    /// Adds a subscription; gives the number of its stake.
    pub(super) fn add(&self, bot: &BotName, release: watch::Sender<bool>) -> u64 {
        let mut stakes = self.stakes();
        let number = stakes.last_key_value().map_or(0, |(last, _)| last + 1);
        let stake = Stake {
            bot: bot.clone(),
            release,
            claimed: false,
            passed_on_at: None,
            given_away_at: None,
            kept_until: Instant::now(),
            drain_time: MIN_DRAIN_TIME,
        };
        stakes.insert(number, stake);
        number
    }

    pub(super) fn remove(&self, stake: u64) {
        self.stakes().remove(&stake);
    }

    /// Whether no bot is subscribed to.
    pub(super) fn is_empty(&self) -> bool {
        self.stakes().is_empty()
    }

    /// Claims the bot of a stake whose token is here. `false` if this process has its share already: then the bot is for
    /// another. If it is not known how many workers there are, or the bot was passed on before, it is claimed.
    pub(super) fn claim(&self, stake: u64, workers: Option<u32>) -> bool {
        let (now, mut stakes) = (Instant::now(), self.stakes());
        let has_share = workers.is_some_and(|workers| claimed(&stakes) >= share(&stakes, workers));
        let Some(stake) = stakes.get_mut(&stake) else { return true };
        let lately = |at: Option<Instant>| at.is_some_and(|at| now - at < PASSED_ON_FOR);
        if has_share && !lately(stake.passed_on_at) {
            stake.passed_on_at = Some(now);
            return false;
        }
        if lately(stake.given_away_at) {
            stake.kept_until = now + KEPT_FOR;
        }
        (stake.passed_on_at, stake.given_away_at) = (None, None);
        stake.claimed = true;
        true
    }

    /// Whether the bot is owned here, or is just being taken.
    pub(super) fn is_claimed(&self, stake: u64) -> bool {
        self.stakes().get(&stake).is_some_and(|stake| stake.claimed)
    }

    /// Whether the owner of a bot is asked to give it away.
    pub(super) fn is_asked(&self, bot: &BotName) -> bool {
        self.stakes().values().any(|stake| stake.bot == *bot && *stake.release.borrow())
    }

    /// Ends a claim: the bot is owned no more.
    pub(super) fn unclaim(&self, stake: u64) {
        if let Some(stake) = self.stakes().get_mut(&stake) {
            stake.claimed = false;
        }
    }

    /// Whether this process has more than its share.
    pub(super) fn is_over_share(&self, workers: u32) -> bool {
        let stakes = self.stakes();
        claimed(&stakes) > share(&stakes, workers)
    }

    /// The bot to give away, if there are too many: the one with the least under way, by `weight`.
    pub(super) fn surplus(&self, workers: u32, weight: impl Fn(&BotName) -> u64) -> Option<Surplus> {
        let (now, stakes) = (Instant::now(), self.stakes());
        if claimed(&stakes) <= share(&stakes, workers) {
            return None;
        }
        let movable = stakes.iter().filter(|(_, stake)| stake.claimed && stake.kept_until <= now);
        let (number, stake) = movable.min_by_key(|(_, stake)| weight(&stake.bot))?;
        let (bot, release, drain_time) = (stake.bot.clone(), stake.release.clone(), stake.drain_time);
        Some(Surplus { stake: *number, bot, release, drain_time })
    }

    /// Records that a bot was given away.
    pub(super) fn record_given_away(&self, stake: u64) {
        if let Some(stake) = self.stakes().get_mut(&stake) {
            let now = Instant::now();
            (stake.passed_on_at, stake.given_away_at, stake.drain_time) = (Some(now), Some(now), MIN_DRAIN_TIME);
        }
    }

    /// Records that the attempts of a bot did not end in time.
    pub(super) fn record_busy(&self, stake: u64) {
        if let Some(stake) = self.stakes().get_mut(&stake) {
            stake.drain_time = (stake.drain_time * 2).min(MAX_DRAIN_TIME);
            stake.kept_until = Instant::now() + BUSY_FOR;
        }
    }

    fn stakes(&self) -> MutexGuard<'_, BTreeMap<u64, Stake>> {
        self.stakes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many bots this process has.
fn claimed(stakes: &BTreeMap<u64, Stake>) -> usize {
    stakes.values().filter(|stake| stake.claimed).count()
}

/// How many bots are this process's share of all.
fn share(stakes: &BTreeMap<u64, Stake>, workers: u32) -> usize {
    let bots: BTreeSet<_> = stakes.values().map(|stake| &stake.bot).collect();
    bots.len().div_ceil(workers.max(1) as usize)
}

#[cfg(test)]
#[path = "stakes_tests.rs"]
mod tests;
