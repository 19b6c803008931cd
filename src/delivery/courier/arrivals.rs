//! What comes from the queue: taken, merged with what is here, sent back to wait for its turn, or acked as known.

use super::{Courier, Held};
use crate::delivery::attempt;
use crate::delivery::clock::Moment;
use crate::delivery::scheduler::{Push, Ticket};
use crate::domain::{Notification, Timestamp};
use crate::ports::Delivery;

impl Courier {
    /// Takes a delivery of the ownership held now; others come back by themselves.
    pub(super) fn receive(&mut self, delivered: Delivery) {
        let Delivery { notification, receipt, redeliveries } = delivered;
        if Some(receipt.epoch) != self.epoch {
            return;
        }
        let id = notification.id;
        let _span = tracing::info_span!("delivery", notification = %id, bot = %notification.bot).entered();
        if self.held.contains_key(&id) {
            return self.receive_again(Delivery { notification, receipt, redeliveries });
        }
        if self.finished.contains(&(id, notification.accepted_at)) {
            self.spawn_ack(receipt);
            return;
        }
        if redeliveries > 0 {
            // No reason to bury it: every restart of a worker gives a window of innocents back. What crashes its worker
            // shows as attempts that were cut off.
            tracing::debug!(redeliveries, "came back");
        }
        let now = self.now();
        if let Some(turn) = self.given_up(now, &notification) {
            self.scheduler.remove(now, &notification.chat_id, id);
            return self.expire(notification, receipt, turn);
        }
        match self.scheduler.push(now, self.ticket(&notification)) {
            Push::Taken => {
                let held = Held { notification, receipt, since: now, flying: false, put_off: 0, successor: None };
                self.held.insert(id, held);
            }
            Push::Defer(until) => self.spawn_defer(notification, receipt, until - now),
        }
    }

    /// Takes a delivery whose id is here already.
    fn receive_again(&mut self, delivered: Delivery) {
        let Some(held) = self.held.get_mut(&delivered.notification.id) else { return };
        let (here, there) = (held.notification.accepted_at, delivered.notification.accepted_at);
        if there > here {
            // Accepted again since: what is here is the copy of an end.
            if held.flying {
                held.successor = Some(delivered);
                return;
            }
            let old = std::mem::replace(&mut held.receipt, delivered.receipt);
            held.notification = delivered.notification;
            self.spawn_ack(old);
        } else if there < here || Some(held.receipt.epoch) == self.epoch {
            // A copy of an end, or a second copy from a publisher that was not sure: one of them is enough.
            self.spawn_ack(delivered.receipt);
        } else {
            // It flew while the bot was lost and regained; the old receipt is worth nothing now.
            held.receipt = delivered.receipt;
        }
    }

    /// When its turn would have come, if it is to be given up: its time is over, or its caller waits and its turn will not
    /// come in time.
    pub(super) fn given_up(&self, now: Moment, notification: &Notification) -> Option<Timestamp> {
        let wall = Timestamp::now();
        let over = notification.expires_at <= wall;
        if !over && notification.reply_to.is_none() {
            return None;
        }
        let turn = wall.plus(self.scheduler.turn(now, &self.ticket(notification)) - now);
        (over || turn > notification.expires_at).then_some(turn)
    }

    fn ticket(&self, notification: &Notification) -> Ticket {
        Ticket {
            id: notification.id,
            chat: notification.chat_id.clone(),
            lane: notification.lane,
            cost: notification.call.cost(),
            images: attempt::images_of(&self.desk.bot, notification),
        }
    }
}
