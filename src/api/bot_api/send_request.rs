//! Turns the arguments of a call into a [`SendRequest`].

use super::arguments::{CallArguments, FilePart};
use super::methods;
use crate::domain::{ChatId, MediaKind, raw_json};
use crate::intake::send_request::{Attachment, InputFile, SendRequest};
use crate::settings::Bot;
use serde_json::{Map, Value};
use std::time::Duration;

/// What precedes the name of a part in a parameter that is a file.
const ATTACH_PREFIX: &str = "attach://";
/// The parameter that is parsed, since later layers look for files in it. All others stay the text that they came as.
const MEDIA: &str = "media";
/// How many values `media` may have to be parsed, twice as many as the largest album: one takes up to a hundred bytes.
const MAX_MEDIA_VALUES: usize = 8192;

/// The request that a call stands for, which expires after `time_limit`. Unknown parameters are left as they are, for
/// Telegram to check.
pub fn send_request(
    arguments: CallArguments,
    bot: &Bot,
    method: &str,
    chat_id: ChatId,
    time_limit: Duration,
) -> SendRequest {
    let CallArguments { texts: mut params, files, hold, .. } = arguments;
    params.remove("chat_id");
    let media = params.get(MEDIA).and_then(Value::as_str);
    if let Some(value @ (Value::Array(_) | Value::Object(_))) =
        media.and_then(|text| raw_json::tree(text.as_bytes(), MAX_MEDIA_VALUES))
    {
        params.insert(MEDIA.to_owned(), value);
    }
    let media = attachments(method, &mut params, files);
    SendRequest { hold, ..SendRequest::now(bot.name.clone(), chat_id, method, params, media, time_limit) }
}

/// The files of a call, each once, with what they are sent as: named by the parameter of the method's file, in `media`, in
/// another parameter, or nowhere (Bot API documentation, "Sending files").
fn attachments(method: &str, params: &mut Map<String, Value>, files: Vec<FilePart>) -> Vec<Attachment> {
    let mut collector = AttachmentCollector { files, attachments: Vec::new() };
    if let Some((field, kind)) = methods::file_parameter(method) {
        match params.get(field).and_then(Value::as_str).filter(|text| !text.is_empty()) {
            None => {
                params.remove(field);
                collector.take(field, kind);
            }
            Some(text) => match text.strip_prefix(ATTACH_PREFIX) {
                Some(name) => collector.take(name, kind),
                None => {
                    let input = url_or_file_id(text);
                    collector.attachments.push(Attachment { field: field.to_owned(), kind, input, filename: None });
                    params.remove(field);
                    collector.files.retain(|file| file.name != field);
                }
            },
        }
    }
    match params.get(MEDIA) {
        Some(Value::Array(items)) => items.iter().for_each(|item| collector.item(item)),
        Some(item) => collector.item(item),
        None => {}
    }
    for (name, value) in params.iter() {
        match value.as_str() {
            Some(_) if name == "caption" || name == "text" => {}
            Some(text) => {
                text.strip_prefix(ATTACH_PREFIX).into_iter().for_each(|name| collector.take(name, MediaKind::Other));
                // The text wins over the file of its name.
                if !text.is_empty() {
                    collector.files.retain(|file| file.name != *name);
                }
            }
            None => {}
        }
    }
    // What is left may belong to a parameter that Telegram will add.
    while let Some(name) = collector.files.first().map(|file| file.name.clone()) {
        collector.take(&name, MediaKind::Other);
    }
    collector.attachments
}

/// A text with a dot is a URL, one without is a file_id (Bot API server).
fn url_or_file_id(text: &str) -> InputFile {
    match text.contains('.') || text.contains("://") {
        true => InputFile::Url(text.to_owned()),
        false => InputFile::FileId(text.to_owned()),
    }
}

/// The files that are still to be named, and the attachments made of those that were.
struct AttachmentCollector {
    files: Vec<FilePart>,
    attachments: Vec<Attachment>,
}

impl AttachmentCollector {
    /// Makes an attachment of the file of a name, if it is (still) here.
    fn take(&mut self, name: &str, kind: MediaKind) {
        let Some(at) = self.files.iter().position(|file| file.name == name) else { return };
        let FilePart { name, filename, upload } = self.files.remove(at);
        // An empty filename is kept: Telegram then shows none.
        self.attachments.push(Attachment {
            field: name,
            kind,
            input: InputFile::Upload(upload),
            filename: Some(filename),
        });
    }

    /// Takes the files that an InputMedia names: its `media` as its `type`, and the thumbnail and the like.
    fn item(&mut self, item: &Value) {
        let Some(members) = item.as_object() else { return };
        let kind = members.get("type").and_then(Value::as_str).and_then(MediaKind::named).unwrap_or(MediaKind::Other);
        for (key, value) in members.iter().filter(|(key, _)| *key != "caption") {
            if let Some(name) = value.as_str().and_then(|text| text.strip_prefix(ATTACH_PREFIX)) {
                self.take(name, if key == "media" { kind } else { MediaKind::Other });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::spool::Spool;
    use serde_json::json;

    /// The attachments of a call, as `field:kind:source`, and its parameters afterwards.
    async fn sorted(method: &str, params: Value, names: &[&str]) -> (Vec<String>, Value) {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::open(folder.path().to_owned()).unwrap();
        let mut files = Vec::new();
        for name in names {
            let upload = spool.begin_file(name, 10).finish().await.unwrap();
            files.push(FilePart { name: (*name).to_owned(), filename: String::new(), upload });
        }
        let Value::Object(mut params) = params else { panic!("an object") };
        let attachments = attachments(method, &mut params, files).into_iter().map(|attachment| {
            let source = match attachment.input {
                InputFile::Upload(_) => "upload".to_owned(),
                InputFile::Url(text) | InputFile::FileId(text) => text,
                InputFile::Stored(digest) => digest.to_string(),
            };
            format!("{}:{}:{source}", attachment.field, attachment.kind.as_str())
        });
        (attachments.collect(), Value::Object(params))
    }

    #[tokio::test]
    async fn the_file_is_the_text_or_else_the_part_of_its_name() {
        let (attachments, params) = sorted("sendPhoto", json!({"photo": ""}), &["photo"]).await;
        assert_eq!((attachments, params), (vec!["photo:photo:upload".to_owned()], json!({})));
        let (attachments, params) = sorted("sendVideo", json!({"video": "BAACid"}), &["video"]).await;
        assert_eq!((attachments, params), (vec!["video:video:BAACid".to_owned()], json!({})));
        let attached = json!({"document": "attach://a", "thumbnail": "attach://b", "caption": "attach://c"});
        let (attachments, params) = sorted("sendDocument", attached.clone(), &["b", "a", "c"]).await;
        assert_eq!(attachments, ["a:document:upload", "b:other:upload", "c:other:upload"]);
        assert_eq!(params, attached, "named where they are");
        let (attachments, _) = sorted("sendHologram", json!({"colour": "x"}), &["hologram", "colour"]).await;
        assert_eq!(attachments, ["hologram:other:upload"], "the text wins, and tomorrow's files go along");
    }

    #[tokio::test]
    async fn an_album_names_its_files_by_their_type() {
        let album = json!({"media": [
            {"type": "photo", "media": "attach://a", "caption": "attach://c"},
            {"type": "video", "media": "attach://b", "thumbnail": "attach://t"},
            {"type": "photo", "media": "attach://a"},
            {"type": "photo", "media": "attach://missing"},
            "no item",
        ]});
        let (attachments, params) = sorted("sendMediaGroup", album.clone(), &["t", "b", "a"]).await;
        assert_eq!(attachments, ["a:photo:upload", "b:video:upload", "t:other:upload"]);
        assert_eq!(params, album);
    }
}
