//! What came from the bot's queues and is not handed on yet, sorted by lane: the prefetch windows of its queues at the most,
//! since all of it is unacked.

use super::delay_levels;
use super::message::NotificationMessage;
use super::ownership::Ownership;
use super::topology::BotQueue;
use crate::domain::{Lane, Timestamp};
use crate::ports::{Delivery, Receipt};
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use lapin::message::Delivery as AmqpDelivery;
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::sleep;
use tracing::warn;

/// What has come less than this ahead of its time waits here, and not at the broker again.
const MAX_WAIT_HERE: Duration = Duration::from_secs(4);

/// Of the window, how much may wait here that could wait at the broker: one part in this many. What is due at one moment
/// by the thousand must not keep out what is due now.
const WINDOW_PARTS: usize = 4;

pub(super) struct LaneBuffer<'a> {
    ownership: &'a Ownership<'a>,
    ready: [ReadyOfLane; 3],
    /// What is not due, or cannot be read; gives a delivery when it is due here. Dropped with the ownership.
    waiting: FuturesUnordered<BoxFuture<'static, Option<(BotQueue, Delivery)>>>,
    /// How many may wait here that could wait at the broker.
    max_waiting: usize,
}

/// What one lane has ready.
#[derive(Default)]
struct ReadyOfLane {
    /// What its courier has put back: it was delivered before, so it goes ahead of what comes from the lane.
    returned: VecDeque<Delivery>,
    fresh: VecDeque<Delivery>,
}

impl<'a> LaneBuffer<'a> {
    pub(super) fn new(ownership: &'a Ownership<'a>, window: u16) -> Self {
        let max_waiting = (usize::from(window) / WINDOW_PARTS).max(1);
        Self { ownership, ready: Default::default(), waiting: FuturesUnordered::new(), max_waiting }
    }

    /// Takes a delivery of a queue. What is not due goes back to a delay level, or waits here if it is due soon; but what
    /// was deferred until its turn in its chat is for its courier to judge. What cannot be read goes to the queue of the
    /// unreadable.
    pub(super) fn add(&mut self, queue: BotQueue, mut delivery: AmqpDelivery) {
        match NotificationMessage::read(&mut delivery) {
            Ok(message) => {
                let receipt = self.ownership.register(queue, message.notification.lane, &delivery);
                match not_before(&message).filter(|due| *due > Timestamp::now()) {
                    None => self.push_ready(queue, to_delivery(message, receipt)),
                    Some(due) => self.wait(queue, message, receipt, due),
                }
            }
            Err(reason) => self.put_aside(queue, delivery, reason),
        }
    }

    fn wait(&self, queue: BotQueue, message: NotificationMessage, receipt: Receipt, due: Timestamp) {
        let wait = due.since(Timestamp::now());
        let here = delay_levels::longest_within(wait).is_none()
            || wait < MAX_WAIT_HERE && self.waiting.len() < self.max_waiting;
        let (broker, unacked) = (self.ownership.subscription.broker.clone(), self.ownership.unacked.clone());
        self.waiting.push(Box::pin(async move {
            if here {
                sleep_until(due).await;
                return Some((queue, to_delivery(message, receipt)));
            }
            broker.delay_again(&message, queue).await;
            unacked.ack_moved(&receipt).await;
            None
        }));
    }

    fn put_aside(&self, queue: BotQueue, delivery: AmqpDelivery, reason: String) {
        let lane = if let BotQueue::Lane(lane) = queue { lane } else { Lane::Normal };
        let receipt = self.ownership.register(queue, lane, &delivery);
        let (broker, unacked) = (self.ownership.subscription.broker.clone(), self.ownership.unacked.clone());
        warn!(bot = %receipt.bot, reason, "put aside a message that cannot be read");
        self.waiting.push(Box::pin(async move {
            broker.copy_to_unreadable_queue(&delivery, &reason).await;
            unacked.ack_moved(&receipt).await;
            None
        }));
    }

    /// Whether [`LaneBuffer::wait_for_change`] has something to wait for.
    pub(super) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Waits until one more is due, or has left the buffer.
    pub(super) async fn wait_for_change(&mut self) {
        if let Some(Some((queue, delivery))) = self.waiting.next().await {
            self.push_ready(queue, delivery);
        }
    }

    pub(super) fn has_ready(&self) -> bool {
        self.ready.iter().any(|lane| !lane.returned.is_empty() || !lane.fresh.is_empty())
    }

    /// The next delivery, of the most urgent lane that has one.
    pub(super) fn pop_ready(&mut self) -> Option<Delivery> {
        self.ready.iter_mut().find_map(|lane| lane.returned.pop_front().or_else(|| lane.fresh.pop_front()))
    }

    fn push_ready(&mut self, queue: BotQueue, delivery: Delivery) {
        let lane = &mut self.ready[delivery.receipt.lane as usize];
        match queue {
            BotQueue::Returned => lane.returned.push_back(delivery),
            BotQueue::Lane(_) | BotQueue::Large => lane.fresh.push_back(delivery),
        }
    }
}

/// The moment before which a message must not be handed on. What was deferred until its turn is handed on as soon as it
/// comes back, unless its `send_at` lies ahead.
fn not_before(message: &NotificationMessage) -> Option<Timestamp> {
    match message.notification.deferral {
        Some(_) => message.notification.send_at,
        None => message.due,
    }
}

async fn sleep_until(due: Timestamp) {
    loop {
        let left = due.since(Timestamp::now());
        if left.is_zero() {
            return;
        }
        sleep(left).await;
    }
}

fn to_delivery(message: NotificationMessage, receipt: Receipt) -> Delivery {
    Delivery { notification: message.notification, receipt, redeliveries: message.redeliveries }
}
