//! Messages as the Bot API shows them.

use super::chats;
use super::file_id::{FileId, Secret, unique_id};
use super::message::{Kind, Media, Message};
use serde_json::{Map, Value, json};

/// The boxes into which Telegram scales photos, in pixels (reports of users).
const BOXES: [u32; 4] = [90, 320, 800, 1280];

/// What is needed to write a bot's file_ids.
#[derive(Clone, Copy)]
pub(super) struct Pen<'a> {
    pub secret: &'a Secret,
    pub epoch: u32,
}

/// A message in the Bot API's words.
pub(super) fn message(message: &Message, reply_to: Option<&Message>, pen: Pen<'_>) -> Value {
    let mut out = Map::new();
    let mut put = |name: &str, value: Value| drop(out.insert(name.to_owned(), value));
    put("message_id", message.message_id.into());
    if !(message.chat_id < 0 && chats::json(message.chat_id)["type"] == "channel") {
        put("from", chats::bot_json(message.bot));
    }
    put("chat", chats::json(message.chat_id));
    put("date", (message.at_ms / 1000).into());
    if let Some(edited) = message.edited_at_ms {
        put("edit_date", (edited / 1000).into());
    }
    if let Some(topic) = message.message_thread_id {
        put("message_thread_id", topic.into());
        put("is_topic_message", true.into());
    }
    if let Some(original) = reply_to {
        put("reply_to_message", self::message(original, None, pen));
    }
    if let Some(album) = &message.media_group_id {
        put("media_group_id", album.as_ref().into());
    }
    if let Some(media) = &message.media {
        let file = FileId::of(media, message.bot, pen.epoch, 0).encode(pen.secret);
        match media.kind {
            Kind::Photo => put("photo", photo_sizes(media, message.bot, pen)),
            Kind::Document => put("document", document(media, &file)),
            Kind::Animation => {
                let mut animation = document(media, &file);
                animation["width"] = media.width.into();
                animation["height"] = media.height.into();
                animation["duration"] = 1.into();
                put("animation", animation);
                put("document", document(media, &file));
            }
        }
    }
    let (text, entities) = if message.media.is_some() { ("caption", "caption_entities") } else { ("text", "entities") };
    if let Some(caption) = &message.caption {
        put(text, caption.as_ref().into());
    }
    if !message.entities.is_empty() {
        put(entities, Value::Array(message.entities.clone()));
    }
    for option in &message.options {
        match option.as_str() {
            "protect_content" => put("has_protected_content", true.into()),
            "has_spoiler" => put("has_media_spoiler", true.into()),
            "show_caption_above_media" => put("show_caption_above_media", true.into()),
            _ => {}
        }
    }
    if let Some(markup) = &message.reply_markup {
        put("reply_markup", markup.as_ref().clone());
    }
    Value::Object(out)
}

/// The sizes of a photo, ascending, in numbers: nothing is scaled here.
fn photo_sizes(media: &Media, bot: u64, pen: Pen<'_>) -> Value {
    let (width, height) = (u32::from(media.width), u32::from(media.height));
    let mut sizes = Vec::new();
    for (index, bound) in BOXES.into_iter().enumerate() {
        let long = width.max(height).max(1);
        let scaled = |side: u32| (side * bound.min(long)).div_ceil(long).max(1);
        let (w, h) = (scaled(width), scaled(height));
        let share = f64::from(w * h) / f64::from((width * height).max(1));
        let bytes = if media.elsewhere { u64::from(w * h / 4) } else { (media.bytes as f64 * share) as u64 };
        sizes.push(json!({
            "file_id": FileId::of(media, bot, pen.epoch, index as u8).encode(pen.secret),
            "file_unique_id": unique_id(media.kind, &media.sha256, index as u8),
            "file_size": bytes.max(index as u64 + 1),
            "width": w,
            "height": h,
        }));
        if long <= bound {
            break;
        }
    }
    Value::Array(sizes)
}

fn document(media: &Media, file_id: &str) -> Value {
    let unique = unique_id(media.kind, &media.sha256, 0);
    let mut document = json!({"file_id": file_id, "file_unique_id": unique, "file_size": media.bytes});
    if let Some(name) = media.file_name.as_ref().filter(|name| !name.is_empty()) {
        document["file_name"] = name.as_ref().into();
        document["mime_type"] = mime_type(name).into();
    }
    document
}

/// The content type that goes with a file's name.
pub(super) fn mime_type(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or("").to_ascii_lowercase().as_str() {
        "jpg" | "jpeg" => "image/jpeg",
        "png" => "image/png",
        "gif" => "image/gif",
        "bmp" => "image/bmp",
        "tif" | "tiff" => "image/tiff",
        "webp" => "image/webp",
        "pdf" => "application/pdf",
        "zip" => "application/zip",
        "txt" | "log" => "text/plain",
        "json" => "application/json",
        "csv" => "text/csv",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Sha256;
    use crate::sandbox::message::How;

    fn sizes(width: u16, height: u16) -> Vec<(u64, u64)> {
        let sha256 = Sha256::of(b"picture");
        let media = Media {
            kind: Kind::Photo,
            how: How::Upload,
            sha256,
            bytes: 200_000,
            width,
            height,
            elsewhere: false,
            url: None,
            file_name: None,
        };
        let value = photo_sizes(&media, 1, Pen { secret: &[0; 32], epoch: 0 });
        let number = |size: &Value, name: &str| size[name].as_u64().unwrap();
        let sizes = value.as_array().unwrap();
        assert!(sizes.is_sorted_by_key(|size| number(size, "file_size")));
        sizes.iter().map(|size| (number(size, "width"), number(size, "height"))).collect()
    }

    #[test]
    fn photos_come_in_one_to_four_sizes_up_to_their_own() {
        assert_eq!(sizes(50, 40), [(50, 40)]);
        assert_eq!(sizes(320, 240), [(90, 68), (320, 240)]);
        assert_eq!(sizes(4000, 3000), [(90, 68), (320, 240), (800, 600), (1280, 960)]);
        assert_eq!(sizes(2000, 100).last(), Some(&(1280, 64)));
    }
}
