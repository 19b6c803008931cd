//! What one caller may have on its way to us, and bring in to be kept. What was brought in is forgotten evenly over the time
//! for which an image is kept, and by a restart.

use super::caller::Caller;
use super::rejection::{ProblemCode, Rejection};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// At so many callers those of whom nothing is left to remember are forgotten.
const MIN_PRUNE_SIZE: usize = 1_024;

/// Counts for all callers of a process.
#[derive(Debug)]
pub struct CallerQuotas {
    spooled_limit: u64,
    kept_limit: u64,
    kept_for: Duration,
    callers: Mutex<HashMap<Caller, Usage>>,
}

#[derive(Debug)]
struct Usage {
    spooled: u64,
    kept: u64,
    counted_at: Instant,
}

/// The bytes of one upload in the spool, until it is dropped.
#[derive(Debug)]
pub struct SpoolShare {
    quotas: Arc<CallerQuotas>,
    caller: Caller,
    bytes: u64,
}

impl CallerQuotas {
    /// So many bytes of each caller at most in the spool at a time, and so many to be kept within a time; 0 is no limit.
    pub fn new(spooled_limit: u64, kept_limit: u64, kept_for: Duration) -> Arc<Self> {
        let limit = |bytes| if bytes == 0 { u64::MAX } else { bytes };
        let callers = Mutex::default();
        Arc::new(Self { spooled_limit: limit(spooled_limit), kept_limit: limit(kept_limit), kept_for, callers })
    }

    /// No limits.
    pub fn unlimited() -> Arc<Self> {
        Self::new(0, 0, Duration::MAX)
    }

    /// For an upload of a caller that begins.
    pub fn begin_upload(self: &Arc<Self>, caller: &Caller) -> SpoolShare {
        SpoolShare { quotas: self.clone(), caller: caller.clone(), bytes: 0 }
    }

    /// What is left of what was brought in, after so long.
    fn left_after(&self, kept: u64, time: Duration) -> u64 {
        let forgotten = self.kept_limit as f64 * (time.as_secs_f64() / self.kept_for.as_secs_f64());
        kept.saturating_sub(forgotten as u64)
    }

    fn callers(&self) -> MutexGuard<'_, HashMap<Caller, Usage>> {
        self.callers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SpoolShare {
    /// Counts bytes that have arrived.
    ///
    /// # Errors
    /// [`ProblemCode::TooMuchInFlight`].
    pub fn grow(&mut self, bytes: u64) -> Result<(), Rejection> {
        self.change(|quotas, usage| {
            if usage.spooled.saturating_add(bytes) > quotas.spooled_limit {
                let detail = format!(
                    "More is uploaded at a time than one caller may ({} bytes, caller_spool_mb). Let some uploads end first.",
                    quotas.spooled_limit
                );
                return Err(Rejection::new(ProblemCode::TooMuchInFlight, detail));
            }
            usage.spooled += bytes;
            Ok(())
        })?;
        self.bytes += bytes;
        Ok(())
    }

    /// Checks that the whole upload may be kept.
    ///
    /// # Errors
    /// [`ProblemCode::TooMuchKept`].
    pub fn check_keep(&self) -> Result<(), Rejection> {
        self.change(|quotas, usage| {
            let kept = quotas.left_after(usage.kept, usage.counted_at.elapsed());
            if kept.saturating_add(self.bytes) > quotas.kept_limit {
                let detail = format!(
                    "As many bytes were brought in to be kept as one caller may ({} within {} days, caller_kept_mb). Send what is \
                     held already by its digest, or wait.",
                    quotas.kept_limit,
                    quotas.kept_for.as_secs() / 86_400,
                );
                return Err(Rejection::new(ProblemCode::TooMuchKept, detail));
            }
            Ok(())
        })
    }

    /// Counts the whole upload as kept.
    pub fn keep(&self) {
        self.change(|quotas, usage| {
            let now = Instant::now();
            let kept = quotas.left_after(usage.kept, now - usage.counted_at);
            (usage.kept, usage.counted_at) = (kept.saturating_add(self.bytes), now);
        });
    }

    fn change<T>(&self, change: impl FnOnce(&CallerQuotas, &mut Usage) -> T) -> T {
        let quotas = &self.quotas;
        let mut callers = quotas.callers();
        if callers.len() >= MIN_PRUNE_SIZE && !callers.contains_key(&self.caller) {
            callers
                .retain(|_, usage| usage.spooled > 0 || quotas.left_after(usage.kept, usage.counted_at.elapsed()) > 0);
        }
        let fresh = || Usage { spooled: 0, kept: 0, counted_at: Instant::now() };
        change(quotas, callers.entry(self.caller.clone()).or_insert_with(fresh))
    }
}

impl Drop for SpoolShare {
    fn drop(&mut self) {
        let bytes = self.bytes;
        self.change(|_, usage| usage.spooled = usage.spooled.saturating_sub(bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    #[test]
    fn uploads_of_one_caller_share_what_it_may_have_at_a_time() {
        let quotas = CallerQuotas::new(100, 0, DAY);
        let caller = Caller::named("one");
        let (mut first, mut second) = (quotas.begin_upload(&caller), quotas.begin_upload(&caller));
        first.grow(60).unwrap();
        assert_eq!(second.grow(41).unwrap_err().code, ProblemCode::TooMuchInFlight);
        quotas.begin_upload(&Caller::named("other")).grow(100).unwrap();
        drop(first);
        second.grow(100).unwrap();
    }

    #[test]
    fn what_was_brought_in_is_forgotten_evenly() {
        let quotas = CallerQuotas::new(0, 1_000, DAY);
        assert_eq!(quotas.left_after(1_000, DAY / 4), 750);
        let uploaded = |caller: &str, bytes| {
            let mut upload = quotas.begin_upload(&Caller::named(caller));
            upload.grow(bytes).unwrap();
            upload.check_keep().inspect(|()| upload.keep())
        };
        uploaded("one", 1_000).unwrap();
        assert_eq!(uploaded("one", 10).unwrap_err().code, ProblemCode::TooMuchKept);
        uploaded("other", 1_000).unwrap();
    }

    #[test]
    fn without_limits_anything_goes() {
        let mut upload = CallerQuotas::unlimited().begin_upload(&Caller::default());
        upload.grow(1 << 40).unwrap();
        upload.keep();
        upload.check_keep().unwrap();
    }
}
