//! The breaker of one bot: while Telegram does not answer, or refuses the token, nobody's attempts are burnt; one probe
//! goes through at a time.

use super::clock::Moment;
use std::time::Duration;

/// How many faults in a row open it.
const THRESHOLD: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Closed while all is well.
#[derive(Clone, Debug, Default)]
pub struct Breaker {
    faults: u32,
    open: Option<Open>,
}

#[derive(Clone, Debug)]
struct Open {
    /// When the next probe may go.
    probe_at: Moment,
    /// The pause after the next failed probe.
    pause: Duration,
    /// Whether a probe is under way.
    probing: bool,
}

impl Breaker {
    /// Whether it is open.
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// When the next send may start: now (`None`), at a moment, or not before the probe under way has its answer.
    pub fn ready_at(&self) -> Gate {
        match &self.open {
            None => Gate::Open,
            Some(open) if open.probing => Gate::UntilProbed,
            Some(open) => Gate::At(open.probe_at),
        }
    }

    /// Notes that a send starts.
    pub fn start(&mut self) {
        if let Some(open) = &mut self.open {
            open.probing = true;
        }
    }

    /// Telegram answered (with whatever): closes it. Returns whether it was open.
    pub fn answered(&mut self) -> bool {
        self.faults = 0;
        self.open.take().is_some()
    }

    /// A connect error, silence or a 5xx.
    pub fn fault(&mut self, now: Moment) {
        self.faults = self.faults.saturating_add(1);
        if self.faults >= THRESHOLD || self.open.is_some() {
            self.trip(now);
        }
    }

    /// Opens it at once, as for a refused token; on an open one, notes that the probe failed. Faults of those that were
    /// under way when it opened say nothing new.
    pub fn trip(&mut self, now: Moment) {
        let pause = match &self.open {
            None => FIRST_PAUSE,
            Some(open) if open.probing => open.pause,
            Some(_) => return,
        };
        self.open = Some(Open { probe_at: now + pause, pause: (pause * 2).min(LONGEST_PAUSE), probing: false });
    }

    /// A probe ended without telling anything: its notification was cancelled, say.
    pub fn inconclusive(&mut self) {
        if let Some(open) = &mut self.open {
            open.probing = false;
        }
    }
}

/// Whether sends may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// Yes.
    Open,
    /// One, from then on.
    At(Moment),
    /// When the probe has its answer.
    UntilProbed,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_faults_in_a_row_open_it_and_one_probe_goes_at_a_time() {
        let mut breaker = Breaker::default();
        let now = Moment::after(Duration::from_secs(100));
        for _ in 0..4 {
            breaker.fault(now);
        }
        assert!(!breaker.answered());
        for _ in 0..5 {
            assert_eq!(breaker.ready_at(), Gate::Open);
            breaker.fault(now);
        }
        assert_eq!(breaker.ready_at(), Gate::At(now + FIRST_PAUSE));
        breaker.fault(now);
        assert_eq!(breaker.ready_at(), Gate::At(now + FIRST_PAUSE), "stragglers do not lengthen the pause");
        breaker.start();
        assert_eq!(breaker.ready_at(), Gate::UntilProbed);
        breaker.fault(now);
        assert_eq!(breaker.ready_at(), Gate::At(now + FIRST_PAUSE * 2));
        for _ in 0..20 {
            breaker.start();
            breaker.fault(now);
        }
        assert_eq!(breaker.ready_at(), Gate::At(now + LONGEST_PAUSE));
        assert!(breaker.answered());
        assert_eq!(breaker.ready_at(), Gate::Open);
    }
}
