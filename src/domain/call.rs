//! A Bot API call, as a notification carries it: its parameters as given, its media by reference and never by bytes (claim
//! check).

use super::ids::Sha256;
use super::raw_json;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// A call of the Bot API. `chat_id` is not among the parameters: it belongs to the notification, since a migrated
/// chat changes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// The method's name as Telegram writes it, `sendPhoto`.
    pub method: String,
    /// The parameters, passed on untouched, also those that Telegram will invent next year.
    pub params: Map<String, Value>,
    /// The media that the call names.
    pub media: Vec<Media>,
}

impl Call {
    /// How many bytes it takes where it is stored.
    pub fn stored_bytes(&self) -> usize {
        stored_bytes(self)
    }

    /// How many bytes it takes in memory, roughly: many times what it takes where it is stored, if it has many small values.
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>()
            + self.params.iter().map(|(name, value)| member_bytes(name, value)).sum::<usize>()
            + self.media.len() * MEDIA_BYTES
    }

    /// The same in reply to a message, if its number is known; sent also if that message is gone.
    pub fn in_reply_to(&self, message_id: Option<i64>) -> Self {
        let mut call = self.clone();
        if let Some(message_id) = message_id {
            let reply = json!({"message_id": message_id, "allow_sending_without_reply": true});
            call.params.insert("reply_parameters".to_owned(), reply);
        }
        call
    }

    /// How many messages the call makes, and so how many tokens it costs: an album as many as it has items (the Bot API
    /// server counts them singly), a chat action none.
    pub fn cost(&self) -> u32 {
        // Not more than Telegram takes: a call that it will refuse must not cost the bot its tokens for an hour.
        let items = |name, most| {
            let number = match self.params.get(name) {
                Some(Value::Array(items)) => items.len(),
                Some(Value::String(text)) => raw_json::items(text.as_bytes()).take(most).count(),
                _ => 1,
            };
            number.clamp(1, most)
        };
        let messages = match self.method.as_str() {
            "sendMediaGroup" => items("media", 10),
            "copyMessages" | "forwardMessages" => items("message_ids", 100),
            "sendChatAction" => 0,
            _ => 1,
        };
        u32::try_from(messages).unwrap_or(u32::MAX)
    }

    /// The digests of the blobs that the call needs.
    pub fn blobs(&self) -> impl Iterator<Item = &Sha256> {
        self.media.iter().filter_map(|media| match &media.source {
            MediaSource::Blob { sha256, .. } => Some(sha256),
            MediaSource::Url(_) | MediaSource::FileId(_) => None,
        })
    }

    /// Which of the messages that the call makes carries a medium: its place in the album, or 0.
    pub fn message_of(&self, media: &Media) -> usize {
        let name = media.reference();
        let holds = |item: &Value| item.get("media").and_then(Value::as_str) == Some(&name);
        let items = self.params.get("media").and_then(Value::as_array);
        items.and_then(|items| items.iter().position(holds)).unwrap_or(0)
    }
}

/// What a medium takes in memory, roughly.
const MEDIA_BYTES: usize = 256;
/// What an allocation takes beside what it is for, and a member of an object beside its name and value.
const ALLOCATION_BYTES: usize = 16;
const MEMBER_BYTES: usize = size_of::<String>() + 3 * size_of::<usize>() + ALLOCATION_BYTES;

fn member_bytes(name: &str, value: &Value) -> usize {
    MEMBER_BYTES + name.len() + value_bytes(value)
}

fn value_bytes(value: &Value) -> usize {
    let held = match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => ALLOCATION_BYTES + text.len(),
        Value::Array(items) => ALLOCATION_BYTES + items.iter().map(value_bytes).sum::<usize>(),
        Value::Object(members) => {
            2 * ALLOCATION_BYTES + members.iter().map(|(name, value)| member_bytes(name, value)).sum::<usize>()
        }
    };
    size_of::<Value>() + held
}

/// How many bytes something takes as JSON, which is not made for it.
fn stored_bytes(value: &impl Serialize) -> usize {
    let mut counter = ByteCounter(0);
    match serde_json::to_writer(&mut counter, value) {
        Ok(()) => counter.0,
        Err(_) => 0,
    }
}

/// Counts what is written to it.
struct ByteCounter(usize);

impl std::io::Write for ByteCounter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What a file keeps of the parameters that it was uploaded with (Bot API).
const FILE_ATTRIBUTES: [&str; 8] = [
    "duration",
    "width",
    "height",
    "length",
    "title",
    "performer",
    "supports_streaming",
    "disable_content_type_detection",
];

impl Call {
    /// What a medium's file_id stands for, given the digest of its bytes: of a photo just these, of any other file also
    /// the name, these attributes and the thumbnail that it is uploaded with, since all who get the file_id see them. Equal
    /// only for media that may share a file_id.
    pub fn identity(&self, media: &Media, bytes: &Sha256) -> Sha256 {
        if media.kind == MediaKind::Photo {
            return *bytes;
        }
        let reference = media.reference();
        let items = match self.params.get("media") {
            Some(Value::Array(items)) => items.as_slice(),
            Some(item) => std::slice::from_ref(item),
            None => &[],
        };
        let item = items.iter().filter_map(Value::as_object).find(|item| {
            let named = item.get("media").and_then(Value::as_str);
            named == Some(&reference)
        });
        let told = item.unwrap_or(&self.params);
        let mut identity = format!("{bytes}\n{}\n", media.filename);
        for name in FILE_ATTRIBUTES {
            let value = told.get(name).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
            identity.push_str(&value.unwrap_or_default());
            identity.push('\n');
        }
        for companion in self.media.iter().filter(|companion| companion.kind == MediaKind::Other) {
            let name = companion.reference();
            let named = item.is_none_or(|item| item.values().any(|value| value.as_str() == Some(&name)));
            if let (true, MediaSource::Blob { sha256, .. }) = (named, &companion.source) {
                identity.push_str(&format!("{}\n", sha256));
            }
        }
        Sha256::of(identity.as_bytes())
    }
}

/// One medium of a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Media {
    /// The parameter that carries it (`photo`), or the part's name behind an `attach://` in the parameters.
    pub field: String,
    /// What it is sent as; a file_id is good for one kind only (Bot API).
    pub kind: MediaKind,
    /// Where it comes from.
    pub source: MediaSource,
    /// The name to upload it under. Telegram reads a photo's type off its extension, so it always has a fitting one.
    pub filename: String,
}

impl Media {
    /// What names it within the parameters.
    pub fn reference(&self) -> String {
        format!("attach://{}", self.field)
    }

    /// Puts what stands for it (a file_id or a URL) in its place: where the parameters name it, else into the parameter
    /// of its name.
    pub fn place(&self, params: &mut Map<String, Value>, value: &str) {
        let name = self.reference();
        let mut placed = false;
        let mut put = |found: &mut Value| {
            if found.as_str() == Some(&name) {
                *found = value.into();
                placed = true;
            }
        };
        for (key, found) in params.iter_mut() {
            match found {
                // In an album, or in the one medium of an edit.
                Value::Array(items) if key == "media" => items.iter_mut().for_each(|item| members(item, &mut put)),
                Value::Object(_) if key == "media" => members(found, &mut put),
                _ if key == "caption" || key == "text" => {}
                _ => put(found),
            }
        }
        if !placed {
            params.insert(self.field.clone(), value.into());
        }
    }
}

/// Does something to the members of an item of `media` that may name a file.
fn members(item: &mut Value, put: &mut impl FnMut(&mut Value)) {
    let Some(item) = item.as_object_mut() else { return };
    item.iter_mut().filter(|(key, _)| *key != "caption").for_each(|(_, value)| put(value));
}

/// Where a medium comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MediaSource {
    /// Bytes that the blob store holds.
    Blob {
        /// Their digest.
        sha256: Sha256,
        /// Their number.
        size: u64,
    },
    /// An address that Telegram fetches itself.
    Url(String),
    /// A file that Telegram already has, as this bot names it.
    FileId(String),
}

/// What a medium is sent as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MediaKind {
    /// `sendPhoto`.
    Photo,
    /// `sendDocument`.
    Document,
    /// `sendAnimation`.
    Animation,
    /// `sendVideo`.
    Video,
    /// `sendAudio`.
    Audio,
    /// `sendVoice`.
    Voice,
    /// `sendVideoNote`.
    VideoNote,
    /// `sendSticker`.
    Sticker,
    /// What belongs to another medium, or is of a kind that we do not know: a thumbnail, a cover. It has no file_id that
    /// could be used again (Bot API), so it is uploaded every time.
    Other,
}

impl MediaKind {
    /// All kinds that have file_ids.
    pub const REUSABLE: [MediaKind; 8] = [
        Self::Photo,
        Self::Document,
        Self::Animation,
        Self::Video,
        Self::Audio,
        Self::Voice,
        Self::VideoNote,
        Self::Sticker,
    ];

    /// The name in keys and metrics, and of the parameter that carries it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Photo => "photo",
            Self::Document => "document",
            Self::Animation => "animation",
            Self::Video => "video",
            Self::Audio => "audio",
            Self::Voice => "voice",
            Self::VideoNote => "video_note",
            Self::Sticker => "sticker",
            Self::Other => "other",
        }
    }

    /// The kind of a parameter's name, or of the `type` of an InputMedia.
    pub fn named(name: &str) -> Option<Self> {
        Self::REUSABLE.into_iter().find(|kind| kind.as_str() == name)
    }

    /// Whether its file_id can be sent again.
    pub fn is_reusable(self) -> bool {
        self != Self::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn media(field: &str) -> Media {
        let source = MediaSource::FileId("x".into());
        Media { field: field.into(), kind: MediaKind::Photo, source, filename: String::new() }
    }

    fn call(method: &str, params: Value) -> Call {
        let Value::Object(params) = params else { panic!("an object") };
        Call { method: method.into(), params, media: Vec::new() }
    }

    #[test]
    fn a_medium_is_placed_where_it_is_named_and_never_into_a_caption() {
        let mut album = call(
            "sendMediaGroup",
            json!({"media": [
                {"type": "photo", "media": "attach://a", "caption": "attach://a"},
                {"type": "video", "media": "attach://b", "thumbnail": "attach://c"},
            ], "caption": "attach://b"}),
        );
        let refused = call("copyMessages", json!({"message_ids": vec![1; 100_000]}));
        assert_eq!(refused.cost(), 100, "no call costs more than the largest that Telegram takes");
        assert_eq!(call("copyMessages", json!({"message_ids": "[1,2, 3]"})).cost(), 3, "as text too");
        assert_eq!([album.cost() as usize, album.message_of(&media("a")), album.message_of(&media("b"))], [2, 0, 1]);
        media("a").place(&mut album.params, "ID-A");
        media("b").place(&mut album.params, "ID-B");
        let placed = json!({"media": [
            {"type": "photo", "media": "ID-A", "caption": "attach://a"},
            {"type": "video", "media": "ID-B", "thumbnail": "attach://c"},
        ], "caption": "attach://b"});
        assert_eq!(Value::Object(album.params), placed);

        let mut edit = call("editMessageMedia", json!({"media": {"type": "photo", "media": "attach://a"}}));
        media("a").place(&mut edit.params, "ID-A");
        assert_eq!(Value::Object(edit.params), json!({"media": {"type": "photo", "media": "ID-A"}}));

        let mut photo = call("sendPhoto", json!({"caption": "x"}));
        media("photo").place(&mut photo.params, "ID");
        assert_eq!(Value::Object(photo.params), json!({"caption": "x", "photo": "ID"}));
    }

    #[test]
    fn a_file_is_the_same_only_with_the_same_name_and_particulars_and_a_photo_always() {
        let bytes = Sha256::of(b"bytes");
        let blob = |content: &[u8]| MediaSource::Blob { sha256: Sha256::of(content), size: 5 };
        let identity = |kind, filename: &str, params: Value, thumbnail: Option<&[u8]>| {
            let mut call = call("sendIt", params);
            let file = Media { kind, filename: filename.into(), source: blob(b"bytes"), ..media("file") };
            let thumbnail =
                thumbnail.map(|content| Media { kind: MediaKind::Other, source: blob(content), ..media("thumbnail") });
            call.media = [Some(file.clone()), thumbnail].into_iter().flatten().collect();
            call.identity(&file, &bytes)
        };
        assert_eq!(identity(MediaKind::Photo, "a.jpg", json!({"caption": "x"}), None), bytes);
        let plain = identity(MediaKind::Audio, "a.mp3", json!({"caption": "x"}), None);
        assert_eq!(plain, identity(MediaKind::Audio, "a.mp3", json!({"caption": "y", "tomorrow": 1}), None));
        let title = identity(MediaKind::Audio, "a.mp3", json!({"title": "x"}), None);
        let in_an_album =
            json!({"media": [{"type": "audio", "media": "attach://file", "title": "x"}, {"title": "another"}]});
        assert_eq!(title, identity(MediaKind::Audio, "a.mp3", in_an_album, None));
        let others = [
            plain,
            title,
            identity(MediaKind::Audio, "b.mp3", json!({}), None),
            identity(MediaKind::Audio, "a.mp3", json!({"performer": "x"}), None),
            identity(MediaKind::Audio, "a.mp3", json!({}), Some(b"small")),
            identity(MediaKind::Audio, "a.mp3", json!({}), Some(b"smaller")),
        ];
        let different: std::collections::BTreeSet<_> = others.iter().collect();
        assert_eq!(different.len(), others.len());
    }
}
