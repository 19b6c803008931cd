//! Which queues do not confirm what is published to them, although the node does that is asked: their leader is on another
//! node, which is frozen, and RabbitMQ takes ten seconds to give them another. And what went by a detour meanwhile.

use super::publishing::Destination;
use bytes::Bytes;
use lapin::BasicProperties;
use lapin::types::ShortString;
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// How often one publish tries such a queue all the same.
const PROBE_INTERVAL: Duration = Duration::from_secs(1);

/// A queue that refuses what is published to it has just lost its leader, or is full: that is taken for granted after this.
const FULL_AFTER: Duration = Duration::from_secs(10);

/// How much that went by a detour is remembered at most, in bytes, to be sent on as soon as its queue confirms again. The rest
/// comes by itself, later.
const MAX_DETOURED_BYTES: usize = 16 * 1024 * 1024;
/// What one takes besides its body, roughly, in bytes.
const DETOURED_OVERHEAD_BYTES: usize = 1024;

/// A message that was stored on a detour.
pub(super) struct Detoured {
    /// The queue that did not confirm it.
    pub(super) queue: ShortString,
    pub(super) destination: Destination,
    pub(super) body: Bytes,
    pub(super) properties: BasicProperties,
}

impl Detoured {
    fn bytes(&self) -> usize {
        self.body.len() + DETOURED_OVERHEAD_BYTES
    }
}

/// Those that are to be sent on.
#[derive(Default)]
struct DetouredMessages {
    messages: VecDeque<Detoured>,
    bytes: usize,
}

struct SilentQueue {
    next_try: Instant,
    /// Since when it has not only been silent, but refused what came.
    refuses_since: Option<Instant>,
}

#[derive(Default)]
pub(super) struct SilentQueues {
    /// By name.
    queues: Mutex<HashMap<ShortString, SilentQueue>>,
    detoured: Mutex<DetouredMessages>,
    confirmed: Notify,
}

impl SilentQueues {
    /// Whether a queue had better not be published to; once a second it may be, so that it is known when it confirms again.
    pub(super) fn is_silent(&self, queue: &ShortString, now: Instant) -> bool {
        match self.queues().get_mut(queue) {
            None => false,
            Some(silent) if silent.next_try <= now => {
                silent.next_try = now + PROBE_INTERVAL;
                false
            }
            Some(silent) => !silent.is_full(now),
        }
    }

    /// Whether a queue has not confirmed something, and nothing since.
    pub(super) fn is_noted(&self, queue: &ShortString) -> bool {
        self.queues().contains_key(queue)
    }

    /// Whether a queue that has refused something is full.
    pub(super) fn is_full(&self, queue: &ShortString, now: Instant) -> bool {
        self.queues().get(queue).is_some_and(|silent| silent.is_full(now))
    }

    /// It did not confirm, or refused something; whether that is new.
    pub(super) fn note(&self, queue: &ShortString, refused: bool, now: Instant) -> bool {
        let mut queues = self.queues();
        let refuses_since = queues.get(queue).and_then(|silent| silent.refuses_since).unwrap_or(now);
        let (next_try, refuses_since) = (now + PROBE_INTERVAL, refused.then_some(refuses_since));
        queues.insert(queue.clone(), SilentQueue { next_try, refuses_since }).is_none()
    }

    /// It confirmed; whether that is new.
    pub(super) fn forget(&self, queue: &ShortString) -> bool {
        let was_silent = self.queues().remove(queue).is_some();
        if was_silent {
            self.confirmed.notify_one();
        }
        was_silent
    }

    /// Remembers a message that went by a detour.
    pub(super) fn remember(&self, message: Detoured) {
        let (queues, mut detoured) = (self.queues(), self.detoured());
        if !queues.contains_key(&message.queue) {
            self.confirmed.notify_one();
        }
        if detoured.bytes + message.bytes() <= MAX_DETOURED_BYTES {
            detoured.bytes += message.bytes();
            detoured.messages.push_back(message);
        }
    }

    /// The first that went by a detour and whose queue confirms again; waits for one.
    pub(super) async fn next_detoured(&self) -> Detoured {
        loop {
            if let Some(next) = self.take_detoured() {
                return next;
            }
            self.confirmed.notified().await;
        }
    }

    fn take_detoured(&self) -> Option<Detoured> {
        let (queues, mut detoured) = (self.queues(), self.detoured());
        let next = detoured.messages.iter().position(|message| !queues.contains_key(&message.queue))?;
        let taken = detoured.messages.remove(next)?;
        detoured.bytes -= taken.bytes();
        Some(taken)
    }

    fn queues(&self) -> MutexGuard<'_, HashMap<ShortString, SilentQueue>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn detoured(&self) -> MutexGuard<'_, DetouredMessages> {
        self.detoured.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SilentQueue {
    fn is_full(&self, now: Instant) -> bool {
        self.refuses_since.is_some_and(|since| now.duration_since(since) >= FULL_AFTER)
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
        let note = |millis| queues.note(&queue, false, at(millis));
        assert!(!queues.is_silent(&queue, at(0)) && note(0) && !note(0));
        assert!(queues.is_silent(&queue, at(999)));
        assert!(!queues.is_silent(&queue, at(1_000)) && queues.is_silent(&queue, at(1_001)), "by one");
        assert!(queues.forget(&queue) && !queues.forget(&queue) && !queues.is_silent(&queue, at(1_001)));
    }

    #[test]
    fn a_queue_that_refuses_for_long_is_full() {
        let (queues, queue, start) = (SilentQueues::default(), ShortString::from("lane"), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        (0..10).for_each(|second| _ = queues.note(&queue, true, at(second)));
        assert!(queues.is_silent(&queue, at(9)) && !queues.is_full(&queue, at(9)));
        assert!(!queues.is_silent(&queue, at(10)) && queues.is_full(&queue, at(10)), "its callers are told so");
        queues.note(&queue, false, at(11));
        assert!(!queues.is_full(&queue, at(11)), "silent again");
    }

    #[test]
    fn what_went_by_a_detour_follows_once_the_queue_confirms() {
        let (queues, queue, other) = (SilentQueues::default(), ShortString::from("lane"), ShortString::from("other"));
        for (body, queue) in [("0", &other), ("1", &queue), ("2", &queue)] {
            queues.note(queue, false, Instant::now());
            let (destination, properties) = (Destination::Queue(queue.clone()), BasicProperties::default());
            queues.remember(Detoured { queue: queue.clone(), destination, body: body.into(), properties });
        }
        assert!(queues.next_detoured().now_or_never().is_none());
        queues.forget(&queue);
        let next = || queues.next_detoured().now_or_never().map(|message| message.body);
        assert_eq!((next(), next(), next()), (Some("1".into()), Some("2".into()), None));
    }
}
