//! What comes from the queue: taken in, merged with what is here (deduplication), put back to wait for its turn, or
//! acked as known.

use super::send_job::send_job;
use super::state::{Courier, HeldDelivery};
use crate::delivery::scheduler::EnqueueResult;
use crate::ports::Delivery;

impl Courier {
    /// Takes a delivery of the ownership held now; others come back by themselves.
    pub(super) fn receive(&mut self, delivered: Delivery) {
        if Some(delivered.receipt.epoch) != self.epoch {
            return;
        }
        let (id, now) = (delivered.notification.id, self.now());
        let _span = tracing::info_span!("delivery", notification = %id, bot = %delivered.notification.bot).entered();
        let is_held = self.held.contains_key(&id);
        let has_ended = self.recently_finished.contains(&(id, delivered.notification.accepted_at));
        if is_held || has_ended || self.expiring.contains(id) {
            // Whatever becomes of it, its chat must not wait for it to come back.
            self.scheduler.note_return(now, &send_job(&self.context.bot, &delivered.notification, self.epoch));
            return if is_held { self.receive_again(delivered) } else { self.spawn_ack(delivered.receipt) };
        }
        let Delivery { mut notification, receipt, redeliveries } = delivered;
        if redeliveries > 0 {
            // No reason to bury it: at every restart of a worker, all that it held comes back. What crashes its worker shows
            // as interrupted attempts.
            tracing::debug!(redeliveries, "redelivered");
        }
        if let Some(current) = self.scheduler.current_chat(&notification.chat_id) {
            notification.chat_id = current.clone();
        }
        let job = send_job(&self.context.bot, &notification, self.epoch);
        if let Some(turn) = self.missed_turn(now, &notification) {
            // If it was deferred before, its chat must not wait for it to come back.
            self.scheduler.remove(now, &job);
            return self.spawn_expire(notification, receipt, turn);
        }
        match self.scheduler.enqueue(now, job) {
            EnqueueResult::Enqueued => {
                let (since, in_flight, postponements, resubmitted) = (now, false, 0, None);
                let held = HeldDelivery { notification, receipt, since, in_flight, postponements, resubmitted };
                self.held.insert(id, Box::new(held));
                self.shed(now);
            }
            EnqueueResult::Defer(deferred) => self.spawn_defer(now, notification, receipt, deferred),
        }
    }

    /// Takes a delivery whose id is here already.
    fn receive_again(&mut self, delivered: Delivery) {
        let Some(held) = self.held.get_mut(&delivered.notification.id) else { return };
        let (here, there) = (held.notification.accepted_at, delivered.notification.accepted_at);
        if there > here {
            // Accepted again since: what is here is a copy from before the cancel or the end.
            if held.in_flight {
                held.resubmitted = Some(Box::new(delivered));
                return;
            }
            let old = std::mem::replace(&mut held.receipt, delivered.receipt);
            held.notification = delivered.notification;
            self.spawn_ack(old);
        } else if there < here || Some(held.receipt.epoch) == self.epoch {
            // An outdated copy, or a second copy from a publisher that was not sure: one of them is enough.
            self.spawn_ack(delivered.receipt);
        } else {
            // It was in flight while the bot was lost and regained; the old receipt is worth nothing now.
            held.receipt = delivered.receipt;
        }
    }
}
