//! A notification as the scheduler sees it.

use crate::delivery::scheduler::{Place, SendJob};
use crate::domain::{MediaSource, Notification};
use crate::ports::FileKey;
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

/// The images of a notification that need to be uploaded once only: each once, with its size in bytes.
fn reusable_images(bot: &Bot, notification: &Notification) -> Vec<(FileKey, u64)> {
    let Some(telegram) = bot.telegram() else { return Vec::new() };
    let call = &notification.call;
    let reusable = call.media.iter().filter(|media| media.kind.is_reusable());
    let mut images: Vec<_> = reusable
        .filter_map(|media| match media.source {
            MediaSource::Blob { sha256, size } => {
                let sha256 = call.identity(media, &sha256);
                Some((FileKey { bot_id: telegram.id, kind: media.kind, sha256 }, size))
            }
            _ => None,
        })
        .collect();
    images.sort_unstable();
    images.dedup();
    images
}
