//! Albums: reads their items, and rejects those that Telegram would not put together.

use super::content::Content;
use super::fields::Fields;
use super::file_ref::FileRefReader;
use super::media_item::MediaItem;
use super::uploaded_files::UploadedFiles;
use crate::intake::rejection::{ProblemCode, Rejection};
use crate::intake::send_request::Attachment;
use serde_json::Value;
use std::ops::RangeInclusive;

/// How many items an album has (Bot API).
const ALBUM_SIZE: RangeInclusive<usize> = 2..=10;

/// Takes the field `album`: its items as Telegram's `media` wants them, and their files. `any_length`: captions may be
/// longer than Telegram takes.
pub fn read(
    fields: &mut Fields,
    files: &mut UploadedFiles,
    any_length: bool,
) -> Result<(Vec<Value>, Vec<Attachment>), Rejection> {
    let form = fields.is_form();
    let given = fields.array("album")?.unwrap_or_default();
    if !ALBUM_SIZE.contains(&given.len()) {
        let detail = format!("An album has 2 to 10 items, and this one has {}.", given.len());
        return Err(Rejection::field(ProblemCode::InvalidAlbum, "album", detail));
    }
    let (mut items, mut attachments, mut contents) = (Vec::new(), Vec::new(), Vec::new());
    for (number, item) in given.into_iter().enumerate() {
        let place = format!("album[{number}].");
        let Value::Object(members) = item else {
            return Err(Rejection::invalid(&format!("album[{number}]"), "is an object with type and media"));
        };
        let mut fields = Fields::of(members);
        let content = content(&mut fields).map_err(|rejection| rejection.within(&place))?;
        let mut reader = FileRefReader { files, form, fields: &mut fields, within: &place };
        let media_item = MediaItem::read(&mut reader, content, "media", any_length);
        let media_item = media_item.map_err(|rejection| rejection.within(&place))?;
        let whose = format!("an album's item of type {}", content.field());
        fields.check_empty(&whose).map_err(|rejection| rejection.within(&place))?;
        let (item, item_attachments) = media_item.into_input(number);
        items.push(item);
        attachments.extend(item_attachments);
        contents.push(content);
    }
    check_mix(&contents)?;
    check_captions(&items)?;
    Ok((items, attachments))
}

/// Takes `type`, which says what an item is.
fn content(fields: &mut Fields) -> Result<Content, Rejection> {
    let kinds = [Content::Photo, Content::Video, Content::Document, Content::Audio].map(|c| (c.field(), c));
    if fields.has("type") {
        return Ok(fields.choice("type", &kinds)?.unwrap_or(Content::Photo));
    }
    Err(Rejection::field(ProblemCode::MissingField, "type", "type is missing: photo, video, document or audio."))
}

/// Documents go with documents only, audio with audio only (TDLib).
fn check_mix(contents: &[Content]) -> Result<(), Rejection> {
    for (alone, words) in [(Content::Document, "Documents"), (Content::Audio, "Audio files")] {
        let count = contents.iter().filter(|content| **content == alone).count();
        if count > 0 && count < contents.len() {
            let detail = format!("{words} go into albums of their own; only photos and videos mix.");
            return Err(Rejection::field(ProblemCode::InvalidAlbum, "album", detail));
        }
    }
    Ok(())
}

/// The place of the caption is the same for all (TDLib).
fn check_captions(items: &[Value]) -> Result<(), Rejection> {
    let above = |item: &Value| item.get("show_caption_above_media").and_then(Value::as_bool).unwrap_or(false);
    if items.iter().all(|item| above(item) == above(&items[0])) {
        return Ok(());
    }
    let detail = "show_caption_above_media must be the same on all items.";
    Err(Rejection::field(ProblemCode::InvalidAlbum, "album", detail))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn album(items: Value) -> Result<Vec<Value>, (ProblemCode, String)> {
        let mut fields = Fields::json();
        fields.insert("album", items).unwrap();
        read(&mut fields, &mut UploadedFiles::default(), false)
            .map(|(items, _)| items)
            .map_err(|rejection| (rejection.code, rejection.field.unwrap_or_default()))
    }

    fn of(kinds: &[&str]) -> Value {
        kinds.iter().map(|kind| json!({"type": kind, "media": "AgACAgIAAxk"})).collect()
    }

    #[test]
    fn only_photos_and_videos_mix() {
        for good in [&["photo", "video"][..], &["document"; 2], &["audio"; 10], &["video"; 3]] {
            assert!(album(of(good)).is_ok(), "{good:?}");
        }
        for bad in [&["photo", "document"][..], &["audio", "video"], &["document", "audio"], &["photo"], &["photo"; 11]]
        {
            assert_eq!(album(of(bad)), Err((ProblemCode::InvalidAlbum, "album".into())), "{bad:?}");
        }
    }

    #[test]
    fn items_are_telegrams_with_their_files_by_number() {
        let items = json!([
            {"type": "photo", "media": "AgAC", "caption": "a", "has_spoiler": true},
            {"type": "video", "media": "https://example.com/a.mp4", "duration": 3, "supports_streaming": true},
        ]);
        let wanted = json!([
            {"type": "photo", "media": "attach://file0", "caption": "a", "has_spoiler": true},
            {"type": "video", "media": "attach://file1", "duration": 3, "supports_streaming": true},
        ]);
        assert_eq!(Value::Array(album(items).unwrap()), wanted);
    }

    #[test]
    fn what_is_wrong_in_an_item_is_named_with_its_place() {
        let second = |item: Value| album(json!([{"type": "photo", "media": "AgAC"}, item])).unwrap_err();
        for (item, code, field) in [
            (json!({"media": "AgAC"}), ProblemCode::MissingField, "album[1].type"),
            (json!({"type": "photo"}), ProblemCode::MissingField, "album[1].media"),
            (json!({"type": "voice", "media": "AgAC"}), ProblemCode::InvalidField, "album[1].type"),
            (json!({"type": "photo", "media": "a.png"}), ProblemCode::InvalidFile, "album[1].media"),
            (json!({"type": "photo", "media": {"sha256": "x"}}), ProblemCode::InvalidField, "album[1].media.sha256"),
            (json!({"type": "photo", "media": "AgAC", "captoin": "x"}), ProblemCode::UnknownField, "album[1].captoin"),
            (
                json!({"type": "photo", "media": "AgAC", "duration": 1}),
                ProblemCode::MisplacedField,
                "album[1].duration",
            ),
            (
                json!({"type": "photo", "media": "AgAC", "reply_markup": {}}),
                ProblemCode::MisplacedField,
                "album[1].reply_markup",
            ),
            (
                json!({"type": "photo", "media": "AgAC", "caption": "x".repeat(1025)}),
                ProblemCode::CaptionTooLong,
                "album[1].caption",
            ),
            (
                json!({"type": "video", "media": "AgAC", "thumbnail": "AgAC"}),
                ProblemCode::InvalidThumbnail,
                "album[1].thumbnail",
            ),
            (
                json!({"type": "photo", "media": "AgAC", "show_caption_above_media": true}),
                ProblemCode::InvalidAlbum,
                "album",
            ),
            (json!("AgAC"), ProblemCode::InvalidField, "album[1]"),
        ] {
            assert_eq!(second(item.clone()), (code, field.to_owned()), "{item}");
        }
    }
}
