//! A request that has been checked: what Telegram would reject later, and we can know now, is rejected here.

use super::content::{Content, choices};
use super::fields::Fields;
use super::file_ref::FileRefReader;
use super::media_item::MediaItem;
use super::oversize::Oversize;
use super::parameter_values::{self, check_length};
use super::parameters::TEXT_LIMIT_UTF16;
use super::send_options::{Destination, SendOptions, bot, destination};
use super::split::split;
use super::uploaded_files::UploadedFiles;
use super::{album, names};
use crate::domain::markup::{clean_text, is_blank};
use crate::domain::{BotName, ChatId, Timestamp};
use crate::intake::rejection::{ProblemCode, Rejection};
use crate::intake::send_request::{Attachment, InputFile, SendRequest};
use serde_json::{Map, Value, json};

/// A checked request to send something, or to change what was sent.
#[derive(Debug)]
pub struct ValidatedRequest {
    /// The bot that sends it; configured.
    pub bot: BotName,
    /// Where it goes.
    pub destination: Destination,
    /// The Bot API method.
    pub method: String,
    /// Its parameters, as the Bot API wants them.
    pub params: Map<String, Value>,
    /// Its files.
    pub media: Vec<Attachment>,
    /// How it is sent.
    pub options: SendOptions,
    /// What to do with an image that is no photo.
    pub oversize: Oversize,
    /// Whether a caption or text that is too long is split (`long_caption`).
    pub split: bool,
}

impl ValidatedRequest {
    /// Checks the fields of a request, and that it has the files it needs; does not look into the files.
    pub fn read(
        mut fields: Fields,
        mut files: UploadedFiles,
        now: Timestamp,
        is_bot: impl Fn(&BotName) -> bool,
    ) -> Result<Self, Rejection> {
        let bot = bot(&mut fields, is_bot)?;
        let destination = destination(&mut fields)?;
        let content = content(&fields, &files)?.ok_or_else(|| {
            let detail = format!("photo is missing, or another thing to send: one of {}.", choices());
            Rejection::field(ProblemCode::MissingField, "photo", detail)
        })?;
        let split = fields.choice("long_caption", &[("reject", false), ("split", true)])?.unwrap_or_default();
        let oversize = Oversize::read(&mut fields, content)?;
        let (content_params, media) = match content {
            Content::Text => (text(&mut fields, split)?, Vec::new()),
            Content::Album => {
                let (items, media) = album::read(&mut fields, &mut files, split)?;
                ([("media".to_owned(), Value::Array(items))].into_iter().collect(), media)
            }
            file => {
                let form = fields.is_form();
                let mut reader = FileRefReader { files: &mut files, form, fields: &mut fields, within: "" };
                let media_item = MediaItem::read(&mut reader, file, file.field(), split)?;
                (media_item.params, media_item.attachments)
            }
        };
        let mut params = parameter_values::read(&mut fields, split, |p| !p.belongs_to_content && p.is_of(content))?;
        params.extend(content_params);
        let options = SendOptions::read(&mut fields, now)?;
        check_all_read(&fields, &files, content.method())?;
        Ok(Self { bot, destination, method: content.method().to_owned(), params, media, options, oversize, split })
    }

    /// What intake is asked to do, in the chat of the destination. The files must have been verified.
    pub fn into_send_request(mut self, chat_id: ChatId) -> Result<SendRequest, Rejection> {
        let then = if self.split { split(&mut self.params)? } else { Vec::new() };
        let (send_at, expires_at) = (self.options.due(), self.options.expiry());
        Ok(SendRequest {
            bot: self.bot,
            chat_id,
            method: self.method,
            params: self.params,
            media: self.media,
            lane: self.options.lane,
            delivery: self.options.delivery,
            tags: self.options.tags,
            received_at: self.options.received_at,
            send_at,
            expires_at,
            then,
            client: None,
            callback_url: self.options.callback_url,
            hold: None,
        })
    }

    /// The request as understood, for deduplication by idempotency key: the same for JSON and forms, whatever the order of
    /// its fields, and without anything that was computed from the time of its arrival.
    pub fn canonical(&self) -> Value {
        let mut canonical = json!({
            "bot": self.bot,
            "params": self.params,
            "priority": self.options.lane,
            "delivery": self.options.delivery,
            "tags": self.options.tags,
            "send_at": self.options.send_at,
            "expires_at": self.options.expires_at,
        });
        match &self.destination {
            Destination::Chat(chat_id) => canonical["chat_id"] = json!(chat_id),
            Destination::Recipient(address) => canonical["recipient"] = json!(address.key()),
        }
        for attachment in &self.media {
            let mut file = match &attachment.input {
                InputFile::Upload(upload) => json!({"sha256": upload.sha256()}),
                InputFile::Stored(digest) => json!({"sha256": digest}),
                InputFile::Url(url) => json!({"url": url}),
                InputFile::FileId(file_id) => json!({"file_id": file_id}),
            };
            // The filename of a photo is not sent.
            if let Some(name) = attachment.filename.as_ref().filter(|_| attachment.field != "photo") {
                file["filename"] = json!(name);
            }
            canonical[&attachment.field] = file;
        }
        if let Some(url) = &self.options.callback_url {
            canonical["callback_url"] = json!(url);
        }
        for (name, value, usual) in [
            ("method", self.method.as_str(), "sendPhoto"),
            ("oversize", self.oversize.as_str(), "reject"),
            ("long_caption", if self.split { "split" } else { "reject" }, "reject"),
        ] {
            if value != usual {
                canonical[name] = json!(value);
            }
        }
        canonical
    }
}

/// The one content that a request has, if it has one.
pub fn content(fields: &Fields, files: &UploadedFiles) -> Result<Option<Content>, Rejection> {
    let mut given = Content::ALL.into_iter().filter(|c| fields.has(c.field()) || files.has(c.field()));
    let first = given.next();
    match given.next() {
        None => Ok(first),
        Some(second) => Err(Rejection::field(
            ProblemCode::MisplacedField,
            second.field(),
            format!(
                "There is {} beside it, and a notification has one of {}.",
                first.map_or("", Content::field),
                choices()
            ),
        )),
    }
}

/// Rejects fields and files that nobody has taken; `whose` says what they do not belong to.
pub fn check_all_read(fields: &Fields, files: &UploadedFiles, whose: &str) -> Result<(), Rejection> {
    fields.check_empty(whose)?;
    let Some(name) = files.first_left() else { return Ok(()) };
    names::check_name(name).map_err(|mut rejection| {
        rejection
            .detail
            .push_str(" A file part of another name must be named by attach://NAME in the field that it is for.");
        rejection
    })?;
    Err(Rejection::field(
        ProblemCode::MisplacedField,
        name,
        format!("{name} is no file of {whose}, or is there twice."),
    ))
}

/// Takes `text` with the parameters that belong to it.
pub fn text(fields: &mut Fields, any_length: bool) -> Result<Map<String, Value>, Rejection> {
    let text = fields.text("text")?.unwrap_or_default();
    if is_blank(&clean_text(&text)) {
        return Err(Rejection::invalid("text", "is empty, or has nothing that can be seen"));
    }
    let mut params = parameter_values::read(fields, any_length, |p| p.belongs_to_content && p.is_of(Content::Text))?;
    if !any_length {
        check_length("text", &text, params.contains_key("parse_mode"), TEXT_LIMIT_UTF16)?;
    }
    params.insert("text".to_owned(), text.into());
    Ok(params)
}

#[cfg(test)]
#[path = "validated_request_tests.rs"]
mod tests;
