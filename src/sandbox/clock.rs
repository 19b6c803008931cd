//! The clock of the limits, in seconds since the start, and Unix time on the same clock.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub struct SandboxClock {
    started: Instant,
    /// When that was, since the Unix epoch.
    pub started_unix: Duration,
}

impl SandboxClock {
    pub fn start() -> Self {
        let started_unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { started: Instant::now(), started_unix }
    }

    /// Seconds since the start.
    pub fn now(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    /// The Unix time in milliseconds at `now` seconds.
    pub fn unix_millis(&self, now: f64) -> u64 {
        (self.started_unix + Duration::from_secs_f64(now)).as_millis() as u64
    }
}

/// Waits, unless the time is zero.
pub async fn pause(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}
