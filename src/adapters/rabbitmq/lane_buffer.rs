//! What came from the lanes and is not handed on yet, sorted by lane: three prefetch windows at the most, since all of it
//! is unacked.

use super::message::NotificationMessage;
use super::ownership::Ownership;
use crate::domain::{Lane, Timestamp};
use crate::ports::{Delivery, Receipt};
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use lapin::message::Delivery as AmqpDelivery;
use std::collections::VecDeque;
use tracing::warn;

pub(super) struct LaneBuffer<'a> {
    ownership: &'a Ownership<'a>,
    ready: [VecDeque<Delivery>; 3],
    /// What is not due, or cannot be read; gives a delivery when it is due here. Dropped with the ownership.
    waiting: FuturesUnordered<BoxFuture<'static, Option<Delivery>>>,
}

impl<'a> LaneBuffer<'a> {
    pub(super) fn new(ownership: &'a Ownership<'a>) -> Self {
        Self { ownership, ready: Default::default(), waiting: FuturesUnordered::new() }
    }

    /// Takes a delivery of a lane. What is not due goes back to a delay level, or waits here if it is due soon; what
    /// cannot be read goes to the queue of the unreadable.
    pub(super) fn add(&mut self, lane: Lane, mut delivery: AmqpDelivery) {
        let receipt = self.ownership.register(lane, &delivery);
        let broker = self.ownership.subscription.broker.clone();
        let unacked = self.ownership.unacked.clone();
        match NotificationMessage::read(&mut delivery) {
            Ok(message) if message.due.is_none_or(|due| due <= Timestamp::now()) => {
                self.push_ready(to_delivery(message, receipt));
            }
            Ok(message) => self.waiting.push(Box::pin(async move {
                if broker.wait_until_due(&message).await {
                    return Some(to_delivery(message, receipt));
                }
                unacked.ack_moved(&receipt).await;
                None
            })),
            Err(reason) => {
                warn!(bot = %receipt.bot, reason, "put aside a message that cannot be read");
                self.waiting.push(Box::pin(async move {
                    broker.copy_to_unreadable_queue(&delivery, &reason).await;
                    unacked.ack_moved(&receipt).await;
                    None
                }));
            }
        }
    }

    /// Whether [`LaneBuffer::wait_for_change`] has something to wait for.
    pub(super) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Waits until one more is due, or has left the buffer.
    pub(super) async fn wait_for_change(&mut self) {
        if let Some(Some(delivery)) = self.waiting.next().await {
            self.push_ready(delivery);
        }
    }

    pub(super) fn has_ready(&self) -> bool {
        self.ready.iter().any(|lane| !lane.is_empty())
    }

    /// The next delivery, of the most urgent lane that has one.
    pub(super) fn pop_ready(&mut self) -> Option<Delivery> {
        self.ready.iter_mut().find_map(VecDeque::pop_front)
    }

    fn push_ready(&mut self, delivery: Delivery) {
        self.ready[delivery.receipt.lane as usize].push_back(delivery);
    }
}

fn to_delivery(message: NotificationMessage, receipt: Receipt) -> Delivery {
    Delivery { notification: message.notification, receipt, redeliveries: message.redeliveries }
}
