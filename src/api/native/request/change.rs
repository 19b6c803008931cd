//! Changing what has been sent: an edit or a deletion is a notification of its own, by the same bot to the same chat.

use super::content::Content;
use super::fields::Fields;
use super::file_ref::FileRefReader;
use super::media_item::MediaItem;
use super::oversize::Oversize;
use super::parameter_values;
use super::send_options::{Destination, SendOptions};
use super::uploaded_files::UploadedFiles;
use super::validated_request::{ValidatedRequest, check_all_read, content, text};
use crate::domain::{Record, Status, Timestamp};
use crate::intake::rejection::{ProblemCode, Rejection};
use serde_json::{Map, Value, json};

/// Reads a request to edit what a notification has sent.
pub fn edit(
    record: &Record,
    mut fields: Fields,
    mut files: UploadedFiles,
    now: Timestamp,
) -> Result<ValidatedRequest, Rejection> {
    let sent = SentNotification::of(record)?;
    let message_id = sent.item(&mut fields)?.unwrap_or(sent.message_ids[0]);
    let content = content(&fields, &files)?;
    let oversize = content.map_or(Ok(Oversize::Reject), |content| Oversize::read(&mut fields, content))?;
    let (method, mut params, media) = match content {
        None => {
            let (method, params) = sent.caption_or_buttons(&mut fields)?;
            (method, params, Vec::new())
        }
        Some(Content::Text) => {
            sent.check_kind(true, "text")?;
            ("editMessageText", text(&mut fields, false)?, Vec::new())
        }
        Some(other @ (Content::Album | Content::Voice)) => {
            let detail = "A message can be given one new photo, document, animation, video or audio.";
            return Err(Rejection::field(ProblemCode::MisplacedField, other.field(), detail));
        }
        Some(file) => {
            let form = fields.is_form();
            let mut reader = FileRefReader { files: &mut files, form, fields: &mut fields, within: "" };
            let (input, attachments) = MediaItem::read(&mut reader, file, file.field(), false)?.into_input(0);
            ("editMessageMedia", [("media".to_owned(), input)].into_iter().collect(), attachments)
        }
    };
    params.extend(parameter_values::read(&mut fields, false, |p| p.name == "reply_markup")?);
    if params.get("reply_markup").is_some_and(|markup| markup.get("inline_keyboard").is_none()) {
        return Err(Rejection::invalid("reply_markup", "of a message that is edited is an inline_keyboard"));
    }
    params.insert("message_id".to_owned(), message_id.into());
    params.extend(sent.business());
    let request = sent.validated_request(method, params, &mut fields, now)?;
    check_all_read(&fields, &files, method)?;
    Ok(ValidatedRequest { media, oversize, ..request })
}

/// Reads a request to delete what a notification has sent: the whole album, unless `item` is given.
pub fn delete(
    record: &Record,
    mut fields: Fields,
    files: &UploadedFiles,
    now: Timestamp,
) -> Result<ValidatedRequest, Rejection> {
    let sent = SentNotification::of(record)?;
    let message_ids = sent.item(&mut fields)?.map_or(sent.message_ids.clone(), |one| vec![one]);
    let (method, name, value) = match message_ids.as_slice() {
        [one] => ("deleteMessage", "message_id", json!(one)),
        all => ("deleteMessages", "message_ids", json!(all)),
    };
    let params = [(name.to_owned(), value)].into_iter().collect();
    let request = sent.validated_request(method, params, &mut fields, now)?;
    check_all_read(&fields, files, method)?;
    Ok(request)
}

/// The notification that is to be changed.
struct SentNotification<'a> {
    record: &'a Record,
    /// The messages that it consists of, at least one.
    message_ids: Vec<i64>,
}

impl<'a> SentNotification<'a> {
    fn of(record: &'a Record) -> Result<Self, Rejection> {
        if record.status != Status::Sent {
            let detail = format!("It is {}; only what has been sent can be changed.", record.status.as_str());
            return Err(Rejection::new(ProblemCode::NotSent, detail));
        }
        let call = &record.notification.call;
        let mut message_ids = match (&record.result, call.params.get("message_id")) {
            (Some(Value::Array(messages)), _) => {
                messages.iter().filter_map(|m| m.get("message_id")?.as_i64()).collect()
            }
            // It is an edit itself.
            (_, Some(edited)) => edited.as_i64().into_iter().collect(),
            _ => Vec::from_iter(record.message_id),
        };
        // Telegram gives no number to what it shows later or to few (Bot API).
        message_ids.retain(|id| *id > 0);
        if message_ids.is_empty() || call.method.starts_with("delete") {
            let detail = "It was sent, but Telegram gave no message that could be changed, or it is a deletion itself.";
            return Err(Rejection::new(ProblemCode::NoMessage, detail));
        }
        Ok(Self { record, message_ids })
    }

    /// Takes `item`, which says which item of an album is meant, counted from 1; returns the number of its message.
    fn item(&self, fields: &mut Fields) -> Result<Option<i64>, Rejection> {
        let most = i64::try_from(self.message_ids.len()).unwrap_or(i64::MAX);
        let number = fields.number("item", 1, most)?.and_then(|number| number.as_u64());
        let at = number.and_then(|number| usize::try_from(number).ok()).map(|number| number - 1);
        Ok(at.and_then(|at| self.message_ids.get(at)).copied())
    }

    /// The method and parameters of an edit that changes no content.
    fn caption_or_buttons(&self, fields: &mut Fields) -> Result<(&'static str, Map<String, Value>), Rejection> {
        const CAPTION_PARAMETERS: [&str; 4] = ["caption", "parse_mode", "caption_entities", "show_caption_above_media"];
        if fields.has("caption") {
            self.check_kind(false, "caption")?;
            return Ok((
                "editMessageCaption",
                parameter_values::read(fields, false, |p| CAPTION_PARAMETERS.contains(&p.name))?,
            ));
        }
        if fields.has("reply_markup") {
            return Ok(("editMessageReplyMarkup", Map::new()));
        }
        let detail = "There is nothing to change: give a new photo (or another file), caption, text or reply_markup.";
        Err(Rejection::field(ProblemCode::MissingField, "caption", detail))
    }

    /// Rejects a caption for a text, and a text for a file.
    fn check_kind(&self, text: bool, field: &str) -> Result<(), Rejection> {
        let is_text = match self.record.notification.call.method.as_str() {
            "sendMessage" | "editMessageText" => true,
            "editMessageReplyMarkup" => text,
            _ => false,
        };
        if is_text == text {
            return Ok(());
        }
        let detail = match text {
            true => "The message is a file: it has a caption, not a text.",
            false => "The message is a text: it has no caption. Edit its text.",
        };
        Err(Rejection::field(ProblemCode::MisplacedField, field, detail))
    }

    /// The business account on whose behalf the message was sent.
    fn business(&self) -> Option<(String, Value)> {
        let name = "business_connection_id";
        Some((name.to_owned(), self.record.notification.call.params.get(name)?.clone()))
    }

    /// The request for a call of `method` in the chat of the message.
    fn validated_request(
        &self,
        method: &str,
        params: Map<String, Value>,
        fields: &mut Fields,
        now: Timestamp,
    ) -> Result<ValidatedRequest, Rejection> {
        Ok(ValidatedRequest {
            bot: self.record.notification.bot.clone(),
            destination: Destination::Chat(self.record.notification.chat_id.clone()),
            method: method.to_owned(),
            params,
            media: Vec::new(),
            options: SendOptions::read(fields, now)?,
            oversize: Oversize::Reject,
            split: false,
        })
    }
}
