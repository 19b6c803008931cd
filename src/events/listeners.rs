//! Who listens to the events of this process, and how many may.

use prometheus::IntGauge;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// See the module.
pub struct Listeners {
    limit: usize,
    of_callers: Mutex<HashMap<String, usize>>,
    count: watch::Sender<usize>,
    gauge: IntGauge,
}

/// Counts as one until it is dropped.
pub struct Listener {
    listeners: Arc<Listeners>,
    caller: String,
}

impl Listeners {
    /// At most so many, half of them of one caller; `gauge` shows how many there are.
    pub fn new(limit: usize, gauge: IntGauge) -> Self {
        Self { limit, of_callers: Mutex::default(), count: watch::Sender::new(0), gauge }
    }

    /// Takes in one more, unless there are too many, in all or of this caller.
    pub fn admit(self: &Arc<Self>, caller: &str) -> Option<Listener> {
        let mut of_callers = self.of_callers();
        let its_own = of_callers.get(caller).copied().unwrap_or(0);
        if *self.count.borrow() >= self.limit || its_own >= self.limit.div_ceil(2) {
            return None;
        }
        of_callers.insert(caller.to_owned(), its_own + 1);
        self.changed(&of_callers);
        Some(Listener { listeners: self.clone(), caller: caller.to_owned() })
    }

    /// How many there are, and will be.
    pub fn count(&self) -> watch::Receiver<usize> {
        self.count.subscribe()
    }

    fn changed(&self, of_callers: &HashMap<String, usize>) {
        let count = of_callers.values().sum();
        self.count.send_replace(count);
        self.gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    fn of_callers(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.of_callers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let mut of_callers = self.listeners.of_callers();
        if let Some(its_own) = of_callers.get_mut(&self.caller) {
            *its_own -= 1;
            if *its_own == 0 {
                of_callers.remove(&self.caller);
            }
        }
        self.listeners.changed(&of_callers);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_caller_may_have_half_and_all_together_no_more_than_there_are() {
        let gauge = IntGauge::new("streams", "Streams").unwrap();
        let listeners = Arc::new(Listeners::new(5, gauge.clone()));
        let admitted: Vec<_> = ["a", "a", "a", "b", "b"].map(|caller| listeners.admit(caller).unwrap()).into();
        assert!(listeners.admit("a").is_none() && listeners.admit("c").is_none());
        assert_eq!((gauge.get(), *listeners.count().borrow()), (5, 5));
        drop(admitted);
        assert_eq!((gauge.get(), listeners.of_callers().len()), (0, 0));
        assert!((0..3).map(|_| listeners.admit("a")).all(|admitted| admitted.is_some()), "none was kept");
        assert!(Arc::new(Listeners::new(0, gauge)).admit("a").is_none(), "there are none");
    }
}
