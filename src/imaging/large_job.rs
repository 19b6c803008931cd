//! Jobs that need much memory take turns, whoever starts them.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A job that needs more memory than this waits until no other such job runs.
const LARGE_JOB_BYTES: usize = 8 << 20;

/// Waits for the turn of a job that needs `bytes` of memory, if that is much. The turn lasts as long as what this returns.
pub fn turn(bytes: usize) -> Option<MutexGuard<'static, ()>> {
    static TURN: Mutex<()> = Mutex::new(());
    (bytes > LARGE_JOB_BYTES).then(|| TURN.lock().unwrap_or_else(PoisonError::into_inner))
}
