//! Which queues do not confirm what is published to them, although the node does that is asked: their leader is on another
//! node, which is frozen, and RabbitMQ takes ten seconds to give them another. And what went by a detour meanwhile.

use super::publishing::Destination;
use lapin::BasicProperties;
use lapin::types::ShortString;
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// How often one publish tries such a queue all the same.
const PROBE_INTERVAL: Duration = Duration::from_secs(1);

/// How much that went by a detour is remembered at most, to be sent on as soon as its queue confirms again. The rest comes by
/// itself, later.
const MAX_DETOURED: usize = 10_000;

/// A message that was stored on a detour.
pub(super) struct Detoured {
    pub(super) destination: Destination,
    pub(super) body: Vec<u8>,
    pub(super) properties: BasicProperties,
}

#[derive(Default)]
pub(super) struct SilentQueues {
    /// By name, when each is to be tried next.
    next_tries: Mutex<HashMap<ShortString, Instant>>,
    detoured: Mutex<VecDeque<Detoured>>,
    confirmed: Notify,
}

impl SilentQueues {
    /// Whether a queue had better not be published to; once a second it may be, so that it is known when it confirms again.
    pub(super) fn is_silent(&self, queue: &ShortString, now: Instant) -> bool {
        match self.next_tries().get_mut(queue) {
            None => false,
            Some(next) if *next <= now => {
                *next = now + PROBE_INTERVAL;
                false
            }
            Some(_) => true,
        }
    }

    /// It did not confirm; whether that is new.
    pub(super) fn note(&self, queue: &ShortString, now: Instant) -> bool {
        self.next_tries().insert(queue.clone(), now + PROBE_INTERVAL).is_none()
    }

    /// It confirmed; whether that is new.
    pub(super) fn forget(&self, queue: &ShortString) -> bool {
        let was_silent = self.next_tries().remove(queue).is_some();
        if was_silent {
            self.confirmed.notify_one();
        }
        was_silent
    }

    /// Remembers a message that went by a detour.
    pub(super) fn remember(&self, message: Detoured) {
        let mut detoured = self.detoured();
        if detoured.len() < MAX_DETOURED {
            detoured.push_back(message);
        }
    }

    /// The first that went by a detour, once a queue confirms again.
    pub(super) async fn next_detoured(&self) -> Detoured {
        loop {
            if self.next_tries().is_empty()
                && let Some(first) = self.detoured().pop_front()
            {
                return first;
            }
            self.confirmed.notified().await;
        }
    }

    fn next_tries(&self) -> MutexGuard<'_, HashMap<ShortString, Instant>> {
        self.next_tries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn detoured(&self) -> MutexGuard<'_, VecDeque<Detoured>> {
        self.detoured.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[test]
    fn a_silent_queue_is_tried_once_a_second() {
        let (queues, queue, start) = (SilentQueues::default(), ShortString::from("lane"), Instant::now());
        let at = |millis| start + Duration::from_millis(millis);
        assert!(!queues.is_silent(&queue, at(0)) && queues.note(&queue, at(0)) && !queues.note(&queue, at(0)));
        assert!(queues.is_silent(&queue, at(999)));
        assert!(!queues.is_silent(&queue, at(1_000)) && queues.is_silent(&queue, at(1_001)), "by one");
        assert!(queues.forget(&queue) && !queues.forget(&queue) && !queues.is_silent(&queue, at(1_001)));
    }

    #[test]
    fn what_went_by_a_detour_follows_once_the_queue_confirms() {
        let (queues, queue) = (SilentQueues::default(), ShortString::from("lane"));
        queues.note(&queue, Instant::now());
        for body in [b"1", b"2"] {
            let (destination, properties) = (Destination::Queue(queue.clone()), BasicProperties::default());
            queues.remember(Detoured { destination, body: body.to_vec(), properties });
        }
        assert!(queues.next_detoured().now_or_never().is_none());
        queues.forget(&queue);
        let next = || queues.next_detoured().now_or_never().map(|message| message.body);
        assert_eq!((next(), next(), next()), (Some(b"1".to_vec()), Some(b"2".to_vec()), None));
    }
}
