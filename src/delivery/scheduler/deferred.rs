//! Which notifications of a chat have gone back to the queue and must not be overtaken: as ranges of their numbers, so that
//! a hundred thousand of them take no more memory than one.

use super::job::Place;
use crate::delivery::mono_time::MonoTime;
use std::collections::BTreeMap;
use std::time::Duration;

/// One that is later than this is not waited for any more: it was lost, as when somebody has purged a queue. Longer than the
/// steps in which what is far off comes back.
const LOST_AFTER: Duration = Duration::from_secs(1_800);

/// The notifications of a chat and lane that are away. Each arrival has a number, and keeps it when it goes back to the queue.
#[derive(Debug, Default)]
pub(super) struct Deferred {
    /// By the first number of each range.
    ranges: BTreeMap<u64, DeferredRange>,
    len: u64,
}

/// Numbers without a gap.
#[derive(Clone, Copy, Debug)]
struct DeferredRange {
    last: u64,
    /// None of them has its place before this one.
    from: Place,
    /// When the first and the last of them should be back; the others evenly in between.
    first_due: MonoTime,
    last_due: MonoTime,
}

impl DeferredRange {
    fn due_at(&self, first: u64, number: u64) -> MonoTime {
        let (steps, all) = (number - first, (self.last - first).max(1));
        self.first_due + (self.last_due - self.first_due).mul_f64(steps as f64 / all as f64)
    }
}

impl Deferred {
    /// Notes one that goes back to the queue, and when it should return.
    pub fn insert(&mut self, number: u64, place: Place, due: MonoTime) {
        self.remove(number, place);
        let mut range = DeferredRange { last: number, from: place, first_due: due, last_due: due };
        let mut first = number;
        if let Some(next) = number.checked_add(1).and_then(|next| self.ranges.remove(&next)) {
            let last_due = due.max(next.last_due);
            range = DeferredRange { from: place.min(next.from), first_due: due, last_due, ..next };
        }
        if let Some((start, before)) = self.ranges.range(..number).next_back().map(|(start, before)| (*start, *before))
            && before.last + 1 == number
        {
            let last_due = range.last_due.max(before.last_due);
            range = DeferredRange { last: range.last, from: before.from.min(range.from), last_due, ..before };
            first = start;
        }
        self.ranges.insert(first, range);
        self.len += 1;
    }

    /// Notes that one is back, or has ended; whether it was away.
    pub fn remove(&mut self, number: u64, place: Place) -> bool {
        let Some((first, range)) = self.ranges.range(..=number).next_back().map(|(first, range)| (*first, *range))
        else {
            return false;
        };
        if range.last < number {
            return false;
        }
        self.ranges.remove(&first);
        self.len -= 1;
        if number > first {
            let last_due = range.due_at(first, number - 1);
            self.ranges.insert(first, DeferredRange { last: number - 1, last_due, ..range });
        }
        if number < range.last {
            // They were accepted in the order of their numbers.
            let (from, first_due) = (range.from.max(place), range.due_at(first, number + 1));
            self.ranges.insert(number + 1, DeferredRange { from, first_due, ..range });
        }
        true
    }

    /// How many must be sent before the arrival of this number and place.
    pub fn count_before(&self, number: u64, place: Place) -> u64 {
        self.before(number, place).map(|(first, range)| range.last.min(number - 1) - first + 1).sum()
    }

    /// Until when the arrival of this number and place waits for those before it at most; `None` if it may go.
    pub fn blocks_until(&self, number: u64, place: Place) -> Option<MonoTime> {
        self.before(number, place).map(|(_, range)| range.last_due + LOST_AFTER).max()
    }

    /// Gives up waiting for what is long overdue; how many those are.
    pub fn forget_lost(&mut self, now: MonoTime) -> u64 {
        let mut lost = 0;
        self.ranges.retain(|first, range| {
            let is_lost = range.last_due + LOST_AFTER <= now;
            lost += if is_lost { range.last - first + 1 } else { 0 };
            !is_lost
        });
        self.len -= lost;
        lost
    }

    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    pub fn len(&self) -> u64 {
        self.len
    }

    fn before(&self, number: u64, place: Place) -> impl Iterator<Item = (u64, &DeferredRange)> {
        let ranges = self.ranges.range(..number).map(|(first, range)| (*first, range));
        ranges.filter(move |(_, range)| range.from < place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(number: u64) -> Place {
        Place::from_number(number.into())
    }

    fn at(seconds: u64) -> MonoTime {
        MonoTime::after(Duration::from_secs(seconds))
    }

    #[test]
    fn a_hundred_thousand_that_went_one_after_the_other_are_one_range() {
        let mut deferred = Deferred::default();
        (0..100_000).for_each(|n| deferred.insert(n, place(n), at(n)));
        assert_eq!((deferred.ranges.len(), deferred.count_before(100_000, place(100_000))), (1, 100_000));
        assert_eq!(deferred.count_before(7, place(7)), 7, "only those before it");
        assert_eq!(deferred.count_before(100_000, place(0)), 0, "one accepted before all of them need not wait");
        assert_eq!(deferred.blocks_until(50, place(50)), Some(at(99_999) + LOST_AFTER));
        deferred.insert(70, place(70), at(3));
        assert_eq!(
            deferred.blocks_until(99_999, place(99_999)),
            Some(at(99_999) + LOST_AFTER),
            "the last is not due sooner"
        );
    }

    #[test]
    fn what_comes_back_in_any_order_leaves_the_rest() {
        let mut random = fastrand::Rng::with_seed(1);
        let (mut deferred, mut away) = (Deferred::default(), std::collections::BTreeSet::new());
        for _ in 0..20_000 {
            let number = random.u64(0..300);
            if random.bool() {
                deferred.insert(number, place(number), at(number));
                away.insert(number);
            } else {
                assert_eq!(deferred.remove(number, place(number)), away.remove(&number));
            }
            let asked = random.u64(0..300);
            assert_eq!(deferred.count_before(asked, place(asked)), away.range(..asked).count() as u64);
            assert_eq!(deferred.len(), away.len() as u64);
        }
        away.iter().for_each(|number| assert!(deferred.remove(*number, place(*number))));
        assert!(deferred.is_empty());
    }

    #[test]
    fn what_never_comes_back_is_given_up() {
        let mut deferred = Deferred::default();
        (0..10).for_each(|n| deferred.insert(n, place(n), at(n)));
        assert_eq!(deferred.forget_lost(at(8) + LOST_AFTER), 0);
        assert_eq!(deferred.forget_lost(at(9) + LOST_AFTER), 10);
        assert_eq!(deferred.blocks_until(10, place(10)), None);
    }
}
