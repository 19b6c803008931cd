//! The channels of one session on which is published: one for each queue, and some for what is seldom.
//!
//! A queue that does not answer makes its channel wait: RabbitMQ's channel asks the leader of a quorum queue, and waits for the
//! answer, before it first publishes to it, and takes nothing meanwhile. So queues share no channel.

use super::channels::Channels;
use super::confirm_watch::ConfirmWatch;
use super::in_flight::{ChannelGroup, InFlight, PublishUse};
use super::publish_channel::{ChannelState, ChannelUse, Message, PublishChannel, Published};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::OnceCell;

/// So many channels may be open; with more, those that were used longest ago are closed. The broker's limit is 2,047
/// (RabbitMQ's `channel_max`).
const MAX_OPEN_CHANNELS: usize = 512;
const CLOSED_AT_ONCE: usize = 32;

pub(super) struct PublishChannels {
    in_flight: InFlight,
    confirms: Arc<ConfirmWatch>,
    slots: Mutex<Slots>,
}

#[derive(Default)]
struct Slots {
    by_group: HashMap<ChannelGroup, Vec<Arc<Slot>>>,
    /// Counts the uses of all.
    uses: u64,
}

/// A channel, opened when it is first used.
#[derive(Default)]
struct Slot {
    channel: OnceCell<PublishChannel>,
    state: Arc<ChannelState>,
    /// The number of its last use.
    last_use: AtomicU64,
}

impl PublishChannels {
    pub(super) fn new(confirms: Arc<ConfirmWatch>) -> Self {
        Self { in_flight: InFlight::new(), confirms, slots: Mutex::default() }
    }

    /// Publishes on a channel of the group, once there is room. An error means that nothing was published.
    pub(super) async fn publish(
        &self,
        channels: &Channels,
        publish_use: PublishUse,
        group: ChannelGroup,
        message: Message,
    ) -> lapin::Result<Published> {
        let permit = self.in_flight.permit(publish_use, &group, message.body.len()).await;
        let (slot, channel_use) = self.slots.lock().unwrap_or_else(PoisonError::into_inner).take(group);
        let open = || Box::pin(PublishChannel::open(channels, self.confirms.clone(), slot.state.clone()));
        let channel = slot.channel.get_or_try_init(open).await?;
        Ok(channel.publish(message, (permit, channel_use)).await)
    }
}

impl Slots {
    fn take(&mut self, group: ChannelGroup) -> (Arc<Slot>, ChannelUse) {
        self.uses += 1;
        let most = group.max_in_flight_per_channel();
        let slots = self.by_group.entry(group).or_default();
        slots.retain(|slot| !slot.state.is_retired());
        let found = slots.iter().find(|slot| slot.state.in_flight() < most).cloned();
        let is_new = found.is_none();
        let slot = found.unwrap_or_else(|| {
            slots.push(Arc::default());
            slots[slots.len() - 1].clone()
        });
        slot.last_use.store(self.uses, Ordering::Relaxed);
        let channel_use = ChannelUse::of(&slot.state);
        if is_new {
            self.close_surplus();
        }
        (slot, channel_use)
    }

    fn close_surplus(&mut self) {
        let open: usize = self.by_group.values().map(Vec::len).sum();
        if open <= MAX_OPEN_CHANNELS {
            return;
        }
        let last_use = |slot: &Arc<Slot>| (slot.state.in_flight() == 0).then(|| slot.last_use.load(Ordering::Relaxed));
        let mut idle: Vec<_> = self.by_group.values().flatten().filter_map(last_use).collect();
        idle.sort_unstable();
        let Some(newest) = idle.get(..CLOSED_AT_ONCE.min(idle.len())).and_then(<[u64]>::last) else { return };
        for slots in self.by_group.values_mut() {
            slots.retain(|slot| last_use(slot).is_none_or(|used| used > *newest));
        }
        self.by_group.retain(|_, slots| !slots.is_empty());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(number: usize) -> ChannelGroup {
        ChannelGroup::Queue(format!("queue {number}").into())
    }

    #[test]
    fn a_queue_has_a_channel_of_its_own_and_what_goes_one_by_one_has_one_each() {
        let mut slots = Slots::default();
        let (one, _in_flight) = slots.take(queue(1));
        let (again, _in_flight_too) = slots.take(queue(1));
        assert!(Arc::ptr_eq(&one, &again) && !Arc::ptr_eq(&one, &slots.take(queue(2)).0));
        let (single, in_flight) = slots.take(ChannelGroup::Single);
        assert!(!Arc::ptr_eq(&single, &slots.take(ChannelGroup::Single).0));
        drop(in_flight);
        assert!(Arc::ptr_eq(&single, &slots.take(ChannelGroup::Single).0));
    }

    #[test]
    fn those_used_longest_ago_are_closed_when_there_are_too_many_but_none_with_something_in_flight() {
        let mut slots = Slots::default();
        let in_flight = slots.take(queue(0));
        (1..=MAX_OPEN_CHANNELS).for_each(|number| _ = slots.take(queue(number)));
        let kept = |number| slots.by_group.contains_key(&queue(number));
        assert_eq!(slots.by_group.len(), MAX_OPEN_CHANNELS + 1 - CLOSED_AT_ONCE);
        assert!(kept(0) && !kept(1) && !kept(CLOSED_AT_ONCE) && kept(CLOSED_AT_ONCE + 1));
        drop(in_flight);
    }
}
