use super::*;
use std::collections::VecDeque;

/// A worker's stakes in so many bots, numbered as the bots are.
fn worker(bots: u64) -> Stakes {
    let stakes = Stakes::default();
    for number in 0..bots {
        assert_eq!(stakes.add(&bot(number), watch::Sender::new(false)), number);
    }
    stakes
}

fn bot(number: u64) -> BotName {
    format!("b{number}").parse().unwrap()
}

fn count(stakes: &Stakes) -> usize {
    claimed(&stakes.stakes())
}

#[test]
fn who_has_its_share_passes_a_bot_on_but_not_twice() {
    let stakes = worker(5);
    assert!((0..3).all(|stake| stakes.claim(stake, Some(2))), "three of five are the share of two workers");
    assert!(!stakes.claim(3, Some(2)), "the fourth is for the other");
    assert!(stakes.claim(3, Some(2)), "which did not want it");
    assert!(stakes.claim(4, None), "who does not know how many there are takes what comes");
    assert_eq!(count(&stakes), 5);
}

#[test]
fn a_lone_worker_gives_nothing_away() {
    let stakes = worker(12);
    assert!((0..12).all(|stake| stakes.claim(stake, Some(1))));
    assert!(!stakes.is_over_share(1) && stakes.surplus(1, |_| 0).is_none());
    assert!(stakes.is_over_share(2));
}

#[test]
fn the_quietest_bot_is_given_away_and_one_that_came_back_or_is_busy_is_kept() {
    let stakes = worker(4);
    assert!((0..4).all(|stake| stakes.claim(stake, Some(1))));
    let give = || stakes.surplus(2, |name| if *name == bot(2) { 0 } else { 5 }).map(|surplus| surplus.stake);
    assert_eq!(give(), Some(2));
    stakes.record_given_away(2);
    stakes.unclaim(2);
    assert!(stakes.claim(2, Some(2)), "nobody else wanted it");
    assert_eq!(give(), Some(0), "it is not given away at once again");
    stakes.record_busy(0);
    let next = stakes.surplus(2, |_| 0).unwrap();
    assert_eq!((next.stake, next.drain_time), (1, MIN_DRAIN_TIME));
    assert_eq!(stakes.stakes()[&0].drain_time, 2 * MIN_DRAIN_TIME, "it has longer the next time");
}

/// Workers and, for each bot, the line of those who stand by: the broker gives a token to the first.
struct Installation {
    workers: Vec<Stakes>,
    lines: Vec<VecDeque<usize>>,
}

impl Installation {
    /// Gives the token of a bot to the first in its line that keeps it.
    fn pass(&mut self, bot: usize) {
        for _ in 0..=self.lines[bot].len() {
            let first = self.lines[bot].pop_front().unwrap();
            if self.workers[first].claim(bot as u64, Some(self.workers.len() as u32)) {
                return;
            }
            self.lines[bot].push_back(first);
        }
        panic!("nobody took bot {bot}");
    }

    /// Moves one bot away from a worker, if it has too many.
    fn give_away(&mut self, worker: usize) -> bool {
        let all = self.workers.len() as u32;
        let Some(surplus) = self.workers[worker].surplus(all, |_| 0) else { return false };
        self.workers[worker].record_given_away(surplus.stake);
        self.workers[worker].unclaim(surplus.stake);
        self.lines[surplus.stake as usize].push_back(worker);
        self.pass(surplus.stake as usize);
        true
    }
}

#[test]
fn whatever_the_beginning_each_move_lessens_what_is_above_the_share_until_nothing_is() {
    for seed in 0..500 {
        let mut random = fastrand::Rng::with_seed(seed);
        let (workers, bots) = (random.usize(1..6), random.usize(1..20));
        let share = bots.div_ceil(workers);
        let mut all = Installation { workers: Vec::new(), lines: vec![VecDeque::new(); bots] };
        all.workers.extend((0..workers).map(|_| worker(bots as u64)));
        for bot in 0..bots {
            // Whoever came first has it, whatever it has already.
            let owner = random.usize(..workers);
            assert!(all.workers[owner].claim(bot as u64, None));
            let mut line: Vec<_> = (0..workers).filter(|worker| *worker != owner).collect();
            random.shuffle(&mut line);
            all.lines[bot] = line.into();
        }
        let above = |all: &Installation| -> usize {
            all.workers.iter().map(|worker| count(worker).saturating_sub(share)).sum()
        };
        while above(&all) > 0 {
            let before = above(&all);
            let over = (0..workers).filter(|worker| count(&all.workers[*worker]) > share);
            let giver = random.choice(over.collect::<Vec<_>>()).unwrap();
            assert!(all.give_away(giver), "seed {seed}");
            assert_eq!(above(&all), before - 1, "seed {seed}");
        }
        assert!((0..workers).all(|worker| !all.give_away(worker)), "seed {seed}: it ends");
    }
}
