//! A notification as the scheduler sees it.

use crate::domain::{ChatId, Lane, Notification, NotificationId};
use crate::ports::FileKey;
use std::time::Duration;

/// What would have to wait for longer than this goes back to the queue instead of being held unacked: a broker closes
/// channels that hold a delivery for too long (RabbitMQ: 30 minutes).
pub const MAX_HOLD: Duration = Duration::from_secs(600);

/// What the scheduler knows of a notification.
#[derive(Clone, Debug)]
pub struct SendJob {
    /// Its id.
    pub id: NotificationId,
    /// Its chat.
    pub chat: ChatId,
    /// Its lane.
    pub lane: Lane,
    /// Its place in the FIFO of its chat.
    pub place: Place,
    /// The number of its arrival, if it was deferred under this ownership and comes back.
    pub number: Option<u64>,
    /// How many messages it makes.
    pub cost: u32,
    /// How much memory it takes, in bytes, as a rough measure.
    pub bytes: usize,
    /// The images it needs uploaded, unless their file_ids are known: keys, each once, and sizes in bytes.
    pub images: Vec<(FileKey, u64)>,
}

/// A place in the FIFO of a chat: the order of acceptance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place(u128);

impl Place {
    /// The place of a notification. Ids begin with the time of acceptance in milliseconds (UUID version 7); one that was
    /// accepted again stands where an id of that later time would.
    pub fn of(notification: &Notification) -> Self {
        let id = notification.id.as_number();
        match notification.first_accepted_at {
            None => Self(id),
            Some(_) => {
                let millis = u128::from(notification.accepted_at.unix_millis().unsigned_abs());
                Self(millis << 80 | id & ((1 << 80) - 1))
            }
        }
    }

    /// The place of the notification whose id has this number.
    #[cfg(test)]
    pub fn from_number(number: u128) -> Self {
        Self(number)
    }
}
