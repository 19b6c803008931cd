//! A notification as the scheduler sees it.

use crate::delivery::attempt::reusable_images;
use crate::delivery::scheduler::{Place, SendJob};
use crate::domain::Notification;
use crate::settings::Bot;

/// What the scheduler needs to know of a notification that is delivered under an ownership.
pub(super) fn send_job(bot: &Bot, notification: &Notification, epoch: Option<u64>) -> SendJob {
    let deferral = notification.deferral.filter(|deferral| Some(deferral.epoch) == epoch);
    SendJob {
        id: notification.id,
        chat: notification.chat_id.clone(),
        lane: notification.lane,
        place: Place::of(notification),
        number: deferral.map(|deferral| deferral.number),
        cost: notification.call.cost(),
        bytes: notification.memory_bytes(),
        images: reusable_images(bot, notification),
    }
}
