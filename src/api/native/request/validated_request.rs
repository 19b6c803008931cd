//! A request that has been checked: whatever Telegram would refuse later and we can know now is refused here.

use crate::api::native::request::content::{Content, choices};
use crate::api::native::request::fields::Fields;
use crate::api::native::request::file_ref::Reader;
use crate::api::native::request::files::Files;
use crate::api::native::request::media_item::MediaItem;
use crate::api::native::request::oversize::Oversize;
use crate::api::native::request::parameter_values::{self, check_length};
use crate::api::native::request::parameters::TEXT_LIMIT;
use crate::api::native::request::send_options::{SendOptions, Target, bot, target};
use crate::api::native::request::split::split;
use crate::api::native::request::{album, names};
use crate::domain::{BotName, ChatId, Timestamp};
use crate::intake::rejection::{ProblemCode, Rejection};
use crate::intake::send_request::{Attachment, InputFile, SendRequest};
use serde_json::{Map, Value, json};

/// A checked request.
#[derive(Debug)]
pub struct ValidatedRequest {
    /// The bot that sends it; configured.
    pub bot: BotName,
    /// Where it goes.
    pub to: Target,
    /// The Bot API method.
    pub method: String,
    /// Its parameters, as the Bot API wants them.
    pub params: Map<String, Value>,
    /// Its files.
    pub media: Vec<Attachment>,
    /// How it is sent.
    pub envelope: SendOptions,
    /// What to do with an image that is no photo.
    pub oversize: Oversize,
    /// Whether what is too long is sent in pieces.
    pub split: bool,
}

impl ValidatedRequest {
    /// Checks the fields and files of a request, as far as that needs no look into the files.
    pub fn read(
        mut fields: Fields,
        mut files: Files,
        now: Timestamp,
        is_bot: impl Fn(&BotName) -> bool,
    ) -> Result<Self, Rejection> {
        let bot = bot(&mut fields, is_bot)?;
        let to = target(&mut fields)?;
        let content = content(&fields, &files)?.ok_or_else(|| {
            let detail = format!("photo is missing, or another thing to send: one of {}.", choices());
            Rejection::field(ProblemCode::MissingField, "photo", detail)
        })?;
        let split = fields.choice("long_caption", &[("reject", false), ("split", true)])?.unwrap_or_default();
        let oversize = Oversize::read(&mut fields, content)?;
        let (contents, media) = match content {
            Content::Text => (text(&mut fields, split)?, Vec::new()),
            Content::Album => {
                let (items, media) = album::read(&mut fields, &mut files, split)?;
                ([("media".to_owned(), Value::Array(items))].into_iter().collect(), media)
            }
            file => {
                let form = fields.is_form();
                let mut reader = Reader { files: &mut files, form, fields: &mut fields, within: "" };
                let medium = MediaItem::read(&mut reader, file, file.field(), split)?;
                (medium.params, medium.pieces)
            }
        };
        let mut params = parameter_values::read(&mut fields, split, |p| !p.of_medium && p.is_of(content))?;
        params.extend(contents);
        let envelope = SendOptions::read(&mut fields, now)?;
        check_all_read(&fields, &files, content.method())?;
        Ok(Self { bot, to, method: content.method().to_owned(), params, media, envelope, oversize, split })
    }

    /// What is to be done, in the chat that it goes to. Its images must have been looked at.
    pub fn into_send_request(mut self, chat_id: ChatId) -> Result<SendRequest, Rejection> {
        let then = if self.split { split(&mut self.params)? } else { Vec::new() };
        let (send_at, expires_at) = (self.envelope.due(), self.envelope.expiry());
        Ok(SendRequest {
            bot: self.bot,
            chat_id,
            method: self.method,
            params: self.params,
            media: self.media,
            lane: self.envelope.lane,
            delivery: self.envelope.delivery,
            tags: self.envelope.tags,
            received_at: self.envelope.received_at,
            send_at,
            expires_at,
            then,
        })
    }

    /// The request as understood, the same for JSON and forms, whatever the order of its fields; without anything that
    /// was computed from the time of its arrival.
    pub fn canonical(&self) -> Value {
        let mut canonical = json!({
            "bot": self.bot,
            "params": self.params,
            "priority": self.envelope.lane,
            "delivery": self.envelope.delivery,
            "tags": self.envelope.tags,
            "send_at": self.envelope.send_at,
            "expires_at": self.envelope.expires_at,
        });
        match &self.to {
            Target::Chat(chat_id) => canonical["chat_id"] = json!(chat_id),
            Target::Recipient(address) => canonical["recipient"] = json!(address.key()),
        }
        for piece in &self.media {
            let mut file = match &piece.input {
                InputFile::Upload(upload) => json!({"sha256": upload.sha256()}),
                InputFile::Held(digest) => json!({"sha256": digest}),
                InputFile::Url(url) => json!({"url": url}),
                InputFile::FileId(file_id) => json!({"file_id": file_id}),
            };
            // The name of a photo is not sent.
            if let Some(name) = piece.filename.as_ref().filter(|_| piece.field != "photo") {
                file["filename"] = json!(name);
            }
            canonical[&piece.field] = file;
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
pub fn content(fields: &Fields, files: &Files) -> Result<Option<Content>, Rejection> {
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

/// Refuses fields and files that are there and were not asked for. `whose` they are not.
pub fn check_all_read(fields: &Fields, files: &Files, whose: &str) -> Result<(), Rejection> {
    fields.check_empty(whose)?;
    let Some(name) = files.left() else { return Ok(()) };
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

/// Takes a text with what belongs to it.
pub fn text(fields: &mut Fields, any_length: bool) -> Result<Map<String, Value>, Rejection> {
    let text = fields.text("text")?.unwrap_or_default();
    if text.trim().is_empty() {
        return Err(Rejection::invalid("text", "is empty"));
    }
    let mut params = parameter_values::read(fields, any_length, |p| p.of_medium && p.is_of(Content::Text))?;
    if !any_length {
        check_length("text", &text, params.contains_key("parse_mode"), TEXT_LIMIT)?;
    }
    params.insert("text".to_owned(), text.into());
    Ok(params)
}

#[cfg(test)]
#[path = "validated_request_tests.rs"]
mod tests;
