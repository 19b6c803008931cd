//! What has come to its end, for redeliveries while the ledger is away.

use crate::domain::{NotificationId, Timestamp};
use std::collections::{HashSet, VecDeque};

/// How many are remembered.
const REMEMBERED: usize = 20_000;

/// The newest so many that finished; one that was submitted again has a new time of acceptance.
#[derive(Default)]
pub(super) struct Remembered {
    keys: HashSet<(NotificationId, Timestamp)>,
    order: VecDeque<(NotificationId, Timestamp)>,
}

impl Remembered {
    pub fn insert(&mut self, key: (NotificationId, Timestamp)) {
        if self.keys.insert(key) {
            self.order.push_back(key);
            if self.order.len() > REMEMBERED
                && let Some(oldest) = self.order.pop_front()
            {
                self.keys.remove(&oldest);
            }
        }
    }

    pub fn contains(&self, key: &(NotificationId, Timestamp)) -> bool {
        self.keys.contains(key)
    }
}
