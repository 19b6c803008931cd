//! The circuit breaker of one bot. While Telegram does not answer, or refuses the bot's token, it keeps sends back;
//! one probe at a time finds out whether that is over. What fails while the circuit is open counts against no notification;
//! the failures that opened it do.

use super::mono_time::MonoTime;
use crate::backoff::BackoffPolicy;
use std::time::Duration;

/// How many failures in a row open the circuit.
const FAILURE_THRESHOLD: u32 = 5;
/// Between two probes.
const PROBE_BACKOFF: BackoffPolicy = BackoffPolicy::new(Duration::from_secs(1), Duration::from_secs(30));

/// Closed (everything may be sent) while all is well.
#[derive(Clone, Debug, Default)]
pub struct CircuitBreaker {
    failures: u32,
    open: Option<OpenCircuit>,
}

#[derive(Clone, Debug)]
struct OpenCircuit {
    /// When the next probe may go.
    probe_at: MonoTime,
    /// Since the last answer: once for opening, and once for each probe that failed.
    openings: u32,
    /// Half-open: a probe is under way.
    half_open: bool,
}

/// When the circuit breaker lets the next send start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendGate {
    /// At any time.
    Now,
    /// One send, as a probe, from this moment on.
    ProbeAt(MonoTime),
    /// None before the probe under way has its answer.
    AfterProbe,
}

impl CircuitBreaker {
    /// Whether it keeps sends back.
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// When the next send may start.
    pub fn gate(&self) -> SendGate {
        match &self.open {
            None => SendGate::Now,
            Some(open) if open.half_open => SendGate::AfterProbe,
            Some(open) => SendGate::ProbeAt(open.probe_at),
        }
    }

    /// Records that a send starts; on an open circuit it is the probe.
    pub fn record_start(&mut self) {
        if let Some(open) = &mut self.open {
            open.half_open = true;
        }
    }

    /// Records an answer of Telegram, whatever it says of the request: closes the circuit. Returns whether it was open. A refusal
    /// of the bot itself is no such answer: [`CircuitBreaker::trip`] opens the circuit then.
    pub fn record_answer(&mut self) -> bool {
        self.failures = 0;
        self.open.take().is_some()
    }

    /// Records a connect error, a missing answer or a 5xx.
    pub fn record_failure(&mut self, now: MonoTime) {
        self.failures = self.failures.saturating_add(1);
        if self.failures >= FAILURE_THRESHOLD || self.open.is_some() {
            self.trip(now);
        }
    }

    /// Lets the next probe go at once: what opened the circuit may be over, as when a refused token was replaced.
    pub fn hasten(&mut self, now: MonoTime) {
        if let Some(open) = &mut self.open {
            open.probe_at = open.probe_at.min(now);
            open.openings = 0;
        }
    }

    /// Opens the circuit at once, as for a refused token; if it is open, records that the probe failed. Failures of
    /// sends that were under way when it opened say nothing new.
    pub fn trip(&mut self, now: MonoTime) {
        let openings = match &self.open {
            None => 1,
            Some(open) if open.half_open => open.openings.saturating_add(1),
            Some(_) => return,
        };
        let probe_at = now + PROBE_BACKOFF.pause(openings, 1.0);
        self.open = Some(OpenCircuit { probe_at, openings, half_open: false });
    }

    /// Records that a send ended without saying anything about Telegram: its notification was cancelled, for example.
    pub fn record_inconclusive(&mut self) {
        if let Some(open) = &mut self.open {
            open.half_open = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_failures_in_a_row_open_it_and_one_probe_goes_at_a_time() {
        let mut breaker = CircuitBreaker::default();
        let now = MonoTime::after(Duration::from_secs(100));
        let probe_after = |seconds| SendGate::ProbeAt(now + Duration::from_secs(seconds));
        for _ in 0..4 {
            breaker.record_failure(now);
        }
        assert!(!breaker.record_answer());
        for _ in 0..5 {
            assert_eq!(breaker.gate(), SendGate::Now);
            breaker.record_failure(now);
        }
        assert_eq!(breaker.gate(), probe_after(1));
        breaker.record_failure(now);
        assert_eq!(breaker.gate(), probe_after(1), "stragglers do not lengthen the pause");
        breaker.record_start();
        assert_eq!(breaker.gate(), SendGate::AfterProbe);
        breaker.record_failure(now);
        assert_eq!(breaker.gate(), probe_after(2));
        for _ in 0..20 {
            breaker.record_start();
            breaker.record_failure(now);
        }
        assert_eq!(breaker.gate(), probe_after(30));
        assert!(breaker.record_answer());
        assert_eq!(breaker.gate(), SendGate::Now);
    }
}
