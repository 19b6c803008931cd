//! A notification as the scheduler sees it.

use crate::domain::{ChatId, Lane, NotificationId};
use crate::ports::FileKey;
use std::time::Duration;

/// What would have to wait for longer than this goes back to the queue instead of being held unacked: a broker closes
/// channels that hold a delivery for too long (RabbitMQ: 30 minutes).
pub const MAX_HOLD: Duration = Duration::from_secs(60);

/// What the scheduler knows of a notification.
#[derive(Clone, Debug)]
pub struct SendJob {
    /// Its id, and its place in the FIFO of its chat.
    pub id: NotificationId,
    /// Its chat.
    pub chat: ChatId,
    /// Its lane.
    pub lane: Lane,
    /// How many messages it makes.
    pub cost: u32,
    /// The images it needs uploaded, unless their file_ids are known: keys, each once, and sizes in bytes.
    pub images: Vec<(FileKey, u64)>,
}
