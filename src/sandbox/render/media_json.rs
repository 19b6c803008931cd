//! The pictures and files of messages.

use crate::sandbox::files::{FileIdWriter, content_type, unique_file_id};
use crate::sandbox::log::{FileKind, SandboxMedia, SandboxThumbnail};
use serde_json::{Map, Value, json};

/// The longest sides to which Telegram scales photos, in pixels (reports of users).
const PHOTO_SIDES_PIXELS: [u32; 4] = [90, 320, 800, 1280];

/// Puts media into a message, in the field of their kind.
pub fn put_media(
    media: &SandboxMedia,
    ids: FileIdWriter<'_>,
    put: &mut dyn FnMut(&str, Option<Value>) -> Option<Value>,
) {
    let value = if media.kind == FileKind::Photo { photo_sizes(media, ids) } else { file(media, ids) };
    if media.kind == FileKind::Animation {
        // For clients that do not know animations (Bot API).
        let copy = ["file_name", "mime_type", "thumbnail", "thumb", "file_id", "file_unique_id", "file_size"];
        let copied = copy.iter().filter_map(|name| Some(((*name).to_owned(), value.get(*name)?.clone())));
        put("document", Some(copied.collect()));
    }
    put(media.kind.field(), Some(value));
}

/// A file that is not a photo.
fn file(media: &SandboxMedia, ids: FileIdWriter<'_>) -> Value {
    let mut file = Map::new();
    let mut put = |name: &str, value: Option<Value>| value.and_then(|value| file.insert(name.to_owned(), value));
    let or_512 = |side: u16| Some(if side > 0 { side } else { 512 }.into());
    let (width, height) = match media.kind {
        FileKind::Video | FileKind::Animation => (Some(media.width.into()), Some(media.height.into())),
        FileKind::Sticker => (or_512(media.width), or_512(media.height)),
        _ => (None, None),
    };
    if media.kind == FileKind::Sticker {
        put("type", Some("regular".into()));
        put("is_animated", Some(false.into()));
        put("is_video", Some(false.into()));
    }
    put("width", width);
    put("height", height);
    put("length", (media.kind == FileKind::VideoNote).then(|| media.width.max(1).into()));
    let duration = || media.duration.unwrap_or(u32::from(media.kind == FileKind::Animation)).into();
    put("duration", media.kind.plays().then(duration));
    put("performer", media.performer.as_deref().map(Value::from));
    put("title", media.title.as_deref().map(Value::from));
    let name = media.file_name.as_deref().filter(|name| !name.is_empty());
    if !matches!(media.kind, FileKind::VideoNote | FileKind::Sticker) {
        put("file_name", name.filter(|_| media.kind != FileKind::Voice).map(Value::from));
        let known = name.and_then(content_type);
        let mime_type = known.or_else(|| (name.is_some() || media.kind.plays()).then(|| media.kind.mime_type()));
        put("mime_type", mime_type.map(Value::from));
    }
    let thumbnail = media.thumbnail.as_deref().map(|thumbnail| thumbnail_size(thumbnail, ids));
    put("thumbnail", thumbnail.clone());
    put("thumb", thumbnail);
    put("file_id", Some(ids.write(media, 0).into()));
    put("file_unique_id", Some(unique_file_id(media.kind, &media.sha256, 0).into()));
    put("file_size", Some(media.bytes.into()));
    Value::Object(file)
}

fn thumbnail_size(thumbnail: &SandboxThumbnail, ids: FileIdWriter<'_>) -> Value {
    json!({
        "file_id": ids.write_thumbnail(thumbnail),
        "file_unique_id": unique_file_id(FileKind::Thumbnail, &thumbnail.sha256, 0),
        "file_size": thumbnail.bytes,
        "width": thumbnail.width,
        "height": thumbnail.height,
    })
}

/// The sizes of a photo, ascending, in numbers: nothing is scaled here.
fn photo_sizes(media: &SandboxMedia, ids: FileIdWriter<'_>) -> Value {
    let (width, height) = (u32::from(media.width), u32::from(media.height));
    let mut sizes = Vec::new();
    for (index, bound) in PHOTO_SIDES_PIXELS.into_iter().enumerate() {
        let long = width.max(height).max(1);
        let scaled = |side: u32| (side * bound.min(long)).div_ceil(long).max(1);
        let (w, h) = (scaled(width), scaled(height));
        let share = f64::from(w * h) / f64::from((width * height).max(1));
        let bytes = if media.elsewhere { u64::from(w * h / 4) } else { (media.bytes as f64 * share) as u64 };
        sizes.push(json!({
            "file_id": ids.write(media, index as u8),
            "file_unique_id": unique_file_id(media.kind, &media.sha256, index as u8),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Sha256;
    use crate::sandbox::log::MediaOrigin;

    const IDS: FileIdWriter<'_> = FileIdWriter { secret: &[0; 32], bot: 1, epoch: 0 };

    fn sizes(width: u16, height: u16) -> Vec<(u64, u64)> {
        let sha256 = Sha256::of(b"picture");
        let media =
            SandboxMedia { width, height, ..SandboxMedia::new(FileKind::Photo, MediaOrigin::Upload, sha256, 200_000) };
        let value = photo_sizes(&media, IDS);
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

    #[test]
    fn content_types_go_by_the_name_and_else_by_the_kind() {
        let mime = |kind, name: &str| {
            let mut media = SandboxMedia::new(kind, MediaOrigin::Upload, Sha256::of(b"x"), 9);
            media.file_name = Some(name.into());
            file(&media, IDS)["mime_type"].as_str().map(str::to_owned)
        };
        for (kind, name, says) in [
            (FileKind::Document, "a.PDF", Some("application/pdf")),
            (FileKind::Document, "a.unheard", Some("application/octet-stream")),
            (FileKind::Document, "", None),
            (FileKind::Video, "", Some("video/mp4")),
            (FileKind::Audio, "song.m4a", Some("audio/mp4")),
            (FileKind::Voice, "voice", Some("audio/ogg")),
        ] {
            assert_eq!(mime(kind, name).as_deref(), says, "{name}");
        }
    }
}
