//! The images of which a bot may have file_ids.

use crate::domain::{MediaSource, Notification};
use crate::ports::FileKey;
use crate::settings::Bot;

/// The images of a notification that need to be uploaded once only: each once, with its size in bytes.
pub fn reusable_images(bot: &Bot, notification: &Notification) -> Vec<(FileKey, u64)> {
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
