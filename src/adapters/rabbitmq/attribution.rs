//! Which of the publishes on a channel were returned, because no queue takes them.
//!
//! The broker returns a message before it confirms it. lapin keeps what is returned in a list and gives the first of it to
//! whichever confirm it handles next, so that may be another's. Whose it is, its number tells. What follows from this:
//!
//! - The list is never longer than there are returned messages that are not confirmed yet: each return adds one to both, and
//!   the confirm of a returned message finds the list filled if it has not been emptied by others.
//! - So who gets nothing with its confirm was handled with the list empty: if it was returned, another before it has got that.
//! - Who gets what is another's may still be in the list. It is out of the list when all are confirmed that were in flight.

use super::publish_outcome::PublishOutcome;
use std::collections::HashSet;

/// What the confirm of one publish says, and the number of the returned message that came with it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Confirmed {
    /// Stored, or returned.
    Ack(Option<u64>),
    /// Not stored.
    Nack(Option<u64>),
}

/// A publish whose confirm came with what was another's, so that it may have been returned itself.
struct Undecided<C> {
    number: u64,
    /// The last one that was in flight with it.
    last: u64,
    caller: C,
}

/// Of one channel, whose publishes are numbered as they are made. `C` is whom to tell.
pub(super) struct Attribution<C> {
    /// Those that were returned, and are not told so yet.
    returned: HashSet<u64>,
    undecided: Vec<Undecided<C>>,
}

impl<C> Default for Attribution<C> {
    fn default() -> Self {
        Self { returned: HashSet::new(), undecided: Vec::new() }
    }
}

impl<C> Attribution<C> {
    /// Takes confirms, and with them all that lapin has handled before the last of them. Gives those of which it is known
    /// now what the broker did. `first` is the first that is still in flight, if any is, and `last` the last that was made.
    pub(super) fn decide(
        &mut self,
        confirmed: Vec<(u64, Confirmed, C)>,
        first: Option<u64>,
        last: u64,
    ) -> Vec<(C, PublishOutcome)> {
        self.returned.extend(confirmed.iter().filter_map(|(_, confirmed, _)| match confirmed {
            Confirmed::Ack(returned) | Confirmed::Nack(returned) => *returned,
        }));
        let mut decided = Vec::with_capacity(confirmed.len());
        for (number, confirmed, caller) in confirmed {
            let is_returned = self.returned.remove(&number);
            match confirmed {
                Confirmed::Ack(_) if is_returned => decided.push((caller, PublishOutcome::Unroutable)),
                Confirmed::Ack(None) => decided.push((caller, PublishOutcome::Stored)),
                Confirmed::Ack(Some(_)) => self.undecided.push(Undecided { number, last, caller }),
                Confirmed::Nack(_) => decided.push((caller, PublishOutcome::Refused)),
            }
        }
        for undecided in std::mem::take(&mut self.undecided) {
            if self.returned.remove(&undecided.number) {
                decided.push((undecided.caller, PublishOutcome::Unroutable));
            } else if first.is_none_or(|first| first > undecided.last) {
                decided.push((undecided.caller, PublishOutcome::Stored));
            } else {
                self.undecided.push(undecided);
            }
        }
        decided
    }

    /// Gives up the undecided: no confirm will tell more.
    pub(super) fn give_up(&mut self) -> impl Iterator<Item = C> {
        std::mem::take(&mut self.undecided).into_iter().map(|undecided| undecided.caller)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, VecDeque};

    /// A broker that returns some, and lapin, which credits them to whichever confirm comes next.
    #[derive(Default)]
    struct Channel {
        in_flight: BTreeMap<u64, PublishOutcome>,
        /// Those of `in_flight` that were returned.
        returned: HashSet<u64>,
        list: VecDeque<u64>,
    }

    impl Channel {
        /// Confirms one of those in flight, which is returned first if no queue takes it.
        fn confirm(&mut self, number: u64) -> (u64, Confirmed, (u64, PublishOutcome)) {
            let outcome = self.in_flight.remove(&number).unwrap();
            if outcome == PublishOutcome::Unroutable && !self.returned.remove(&number) {
                self.list.push_back(number);
            }
            let credited = self.list.pop_front();
            let confirmed = match outcome {
                PublishOutcome::Refused => Confirmed::Nack(credited),
                _ => Confirmed::Ack(credited),
            };
            (number, confirmed, (number, outcome))
        }

        fn some_in_flight(&self, random: &mut fastrand::Rng) -> Option<u64> {
            (!self.in_flight.is_empty())
                .then(|| *self.in_flight.keys().nth(random.usize(..self.in_flight.len())).unwrap())
        }
    }

    #[test]
    fn each_gets_its_own_outcome_whatever_comes_in_whatever_order() {
        for seed in 0..2_000 {
            let mut random = fastrand::Rng::with_seed(seed);
            let (mut channel, mut attribution, mut last, mut told) =
                (Channel::default(), Attribution::default(), 0, HashSet::new());
            let mut tell = |decided: Vec<((u64, PublishOutcome), PublishOutcome)>| {
                for ((number, truth), outcome) in decided {
                    assert!(truth == outcome && told.insert(number), "seed {seed}, number {number}");
                }
            };
            for _ in 0..200 {
                match random.u8(..8) {
                    0..4 => {
                        last += 1;
                        let outcome = match random.u8(..4) {
                            0 => PublishOutcome::Unroutable,
                            1 => PublishOutcome::Refused,
                            _ => PublishOutcome::Stored,
                        };
                        channel.in_flight.insert(last, outcome);
                    }
                    4 => {
                        // A return that comes well before its confirm.
                        if let Some(number) = channel.some_in_flight(&mut random)
                            && channel.in_flight[&number] == PublishOutcome::Unroutable
                            && channel.returned.insert(number)
                        {
                            channel.list.push_back(number);
                        }
                    }
                    _ => {
                        let mut batch = Vec::new();
                        for _ in 0..random.usize(1..6) {
                            batch.extend(channel.some_in_flight(&mut random).map(|number| channel.confirm(number)));
                        }
                        random.shuffle(&mut batch);
                        let first = channel.in_flight.keys().next().copied();
                        tell(attribution.decide(batch, first, last));
                    }
                }
            }
            let rest: Vec<_> = channel.in_flight.keys().copied().collect();
            let rest = rest.into_iter().map(|number| channel.confirm(number)).collect();
            tell(attribution.decide(rest, None, last));
            assert_eq!((told.len() as u64, attribution.give_up().count()), (last, 0), "seed {seed}");
        }
    }
}
