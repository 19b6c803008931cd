//! A queue as a broker is: lanes with a window, at least once, one owner at a time, redelivery in order to the next.

use super::judge::chat_number;
use crate::domain::{BotName, Lane, Notification, NotificationId};
use crate::ports::{Delivery, Receipt};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// The queues of a bot: what was put back and is due again, if that has a queue of its own, and the lanes.
const QUEUES: usize = 4;
const RETURNED: usize = 3;

/// The queue of one bot.
#[derive(Default)]
pub struct QueueModel {
    /// What was put back and is due again comes before the lanes; else at the end of its lane.
    pub returns_first: bool,
    ready: [VecDeque<Message>; QUEUES],
    unacked: BTreeMap<u64, (usize, Message)>,
    out: [usize; QUEUES],
    delayed: BTreeMap<(Duration, u64), (usize, Message)>,
    subscribers: BTreeMap<usize, Subscriber>,
    /// The worker that owns the bot, as the broker sees it.
    pub owner: Option<usize>,
    epoch: u64,
    /// Numbers messages in the order of their coming into a queue.
    serial: u64,
    tag: u64,
}

struct Message {
    serial: u64,
    notification: Notification,
    redeliveries: u32,
}

struct Subscriber {
    window: usize,
    connected: bool,
    ownership: watch::Sender<Option<u64>>,
    deliveries: mpsc::Sender<Delivery>,
}

/// A receipt is of an ownership that has ended.
pub struct Stale;

impl QueueModel {
    /// Takes a notification in, for its lane.
    pub fn publish(&mut self, now: Duration, notification: Notification, due: Duration) {
        let lane = notification.lane as usize;
        let message = Message { serial: 0, notification, redeliveries: 0 };
        if due > now {
            self.delay(due, lane, message);
        } else {
            self.push(lane, message);
            self.deliver();
        }
    }

    fn delay(&mut self, due: Duration, queue: usize, message: Message) {
        self.serial += 1;
        self.delayed.insert((due, self.serial), (queue, message));
    }

    fn push(&mut self, queue: usize, message: Message) {
        self.serial += 1;
        self.ready[queue].push_back(Message { serial: self.serial, ..message });
    }

    /// Moves what is due to the end of its queue.
    pub fn wake(&mut self, now: Duration) {
        while let Some(entry) = self.delayed.first_entry().filter(|entry| entry.key().0 <= now) {
            let (queue, message) = entry.remove();
            self.push(queue, message);
        }
        self.deliver();
    }

    /// Hands out what the window has room for, in the order of the port: what returned, then urgent ones first.
    fn deliver(&mut self) {
        let Some(owner) = self.owner.and_then(|owner| self.subscribers.get(&owner)) else { return };
        for queue in [RETURNED, 0, 1, 2] {
            while self.out[queue] < owner.window
                && let Some(message) = self.ready[queue].pop_front()
            {
                self.tag += 1;
                let Message { notification, redeliveries, .. } = &message;
                let (bot, lane) = (notification.bot.clone(), notification.lane);
                let receipt = Receipt { bot, lane, epoch: self.epoch, tag: self.tag };
                let (notification, redeliveries) = (notification.clone(), *redeliveries);
                // A subscription that was dropped a moment ago takes nothing; what is lost there comes again.
                let _ = owner.deliveries.try_send(Delivery { notification, receipt, redeliveries });
                self.out[queue] += 1;
                self.unacked.insert(self.tag, (queue, message));
            }
        }
    }

    fn take(&mut self, worker: usize, receipt: &Receipt) -> Result<Message, Stale> {
        if self.owner != Some(worker) || receipt.epoch != self.epoch {
            return Err(Stale);
        }
        let (queue, message) = self.unacked.remove(&receipt.tag).ok_or(Stale)?;
        self.out[queue] -= 1;
        Ok(message)
    }

    /// Removes a delivery; returns it.
    pub fn ack(&mut self, worker: usize, receipt: &Receipt) -> Result<Notification, Stale> {
        let acked = self.take(worker, receipt)?;
        self.deliver();
        Ok(acked.notification)
    }

    /// Whether it holds a notification, delivered or not.
    pub fn has_copy(&self, id: NotificationId) -> bool {
        let delivered = self.unacked.values().map(|(_, message)| message);
        let delayed = self.delayed.values().map(|(_, message)| message);
        self.ready.iter().flatten().chain(delivered).chain(delayed).any(|message| message.notification.id == id)
    }

    /// Puts a delivery back until then.
    pub fn defer(
        &mut self,
        worker: usize,
        receipt: &Receipt,
        notification: Notification,
        due: Duration,
    ) -> Result<(), Stale> {
        self.take(worker, receipt)?;
        let queue = if self.returns_first { RETURNED } else { notification.lane as usize };
        self.delay(due, queue, Message { serial: 0, notification, redeliveries: 0 });
        self.deliver();
        Ok(())
    }

    /// A worker begins to compete for the bot.
    pub fn subscribe(
        &mut self,
        worker: usize,
        window: u16,
    ) -> (watch::Receiver<Option<u64>>, mpsc::Receiver<Delivery>) {
        let window = usize::from(window);
        let (ownership, owned) = watch::channel(None);
        let (deliveries, delivered) = mpsc::channel(window * QUEUES);
        self.subscribers.insert(worker, Subscriber { window, connected: true, ownership, deliveries });
        (owned, delivered)
    }

    /// A worker is gone for good. Returns whether it owned the bot.
    pub fn leave(&mut self, worker: usize) -> bool {
        let owned = self.disown(worker);
        self.subscribers.remove(&worker);
        owned
    }

    /// A worker's connection is lost, and the worker sees it. The broker does when [`QueueModel::disown`] says so.
    pub fn cut(&mut self, worker: usize) {
        if let Some(subscriber) = self.subscribers.get_mut(&worker) {
            subscriber.connected = false;
            subscriber.ownership.send_replace(None);
        }
    }

    /// A worker is connected again.
    pub fn reconnect(&mut self, worker: usize) {
        if let Some(subscriber) = self.subscribers.get_mut(&worker) {
            subscriber.connected = true;
        }
    }

    /// Whether a worker has a connection.
    pub fn is_connected(&self, worker: usize) -> bool {
        self.subscribers.get(&worker).is_some_and(|subscriber| subscriber.connected)
    }

    /// If this worker owns the bot, it does no longer: what it has not acked goes back where it was, in order. Returns
    /// whether it did.
    pub fn disown(&mut self, worker: usize) -> bool {
        if self.owner != Some(worker) {
            return false;
        }
        self.owner = None;
        self.out = [0; QUEUES];
        let mut back: Vec<_> = std::mem::take(&mut self.unacked).into_values().collect();
        back.sort_by_key(|(_, message)| message.serial);
        for (queue, mut message) in back.into_iter().rev() {
            message.redeliveries += 1;
            self.ready[queue].push_front(message);
        }
        true
    }

    /// Gives the bot to one of the workers that compete for it, if nobody has it. Returns to whom.
    pub fn elect(&mut self, random: &mut fastrand::Rng) -> Option<usize> {
        let candidates: Vec<_> =
            self.subscribers.iter().filter(|(_, subscriber)| subscriber.connected).map(|(worker, _)| *worker).collect();
        if self.owner.is_some() || candidates.is_empty() {
            return None;
        }
        let owner = candidates[random.usize(..candidates.len())];
        self.owner = Some(owner);
        self.epoch += 1;
        self.subscribers[&owner].ownership.send_replace(Some(self.epoch));
        self.deliver();
        Some(owner)
    }

    /// How many wait, by lane.
    pub fn depth(&self, _bot: &BotName) -> [u64; 3] {
        let mut lanes = [0; 3];
        let ready = self.ready.iter().flatten();
        let all = ready.chain(self.unacked.values().map(|(_, message)| message));
        all.for_each(|message| lanes[message.notification.lane as usize] += 1);
        lanes
    }

    /// What is in it, for a trace.
    pub fn summary(&self) -> String {
        let of = |message: &Message| format!("{}:{}", chat_number(&message.notification), message.notification.id);
        let ready: Vec<_> = self.ready.iter().flatten().map(of).collect();
        let out: Vec<_> = self.unacked.values().map(|(_, message)| of(message)).collect();
        let delayed: Vec<_> =
            self.delayed.iter().map(|((due, _), (_, message))| format!("{} at {due:?}", of(message))).collect();
        format!("ready {ready:?}, unacked {out:?}, delayed {delayed:?}, lanes {:?}", Lane::ALL)
    }
}
