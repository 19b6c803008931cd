//! A request that has been checked: whatever Telegram would refuse later and we can know now is refused here.

use super::fields::{Fields, TAGS_LIMIT, invalid, is_message_number, parsed, too_many_tags};
use super::order::{InputFile, Order, Piece};
use super::refusal::{Code, Refusal};
use super::spool::Upload;
use crate::domain::{BotName, ChatId, Delivery, Lane, MediaKind, Timestamp};
use serde_json::{Map, Value, json};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 3600);
/// How far ahead `send_at` may lie.
pub const SEND_AT_LIMIT: Duration = Duration::from_secs(30 * 24 * 3600);
/// How far ahead `expires_at` may lie.
pub const EXPIRES_AT_LIMIT: Duration = Duration::from_secs(31 * 24 * 3600);
/// How long a notification lives from its `send_at`, or from now, if nothing else is said.
pub const DEFAULT_LIFE: Duration = DAY;
/// The longest caption in UTF-16 units (Bot API; the unit is the strictest of those its servers count in).
pub const CAPTION_LIMIT: usize = 1024;
/// With a `parse_mode` that limit holds for what is left after parsing, which only Telegram knows; before it, a caption
/// may have so many bytes (Bot API server).
pub const MARKUP_LIMIT: usize = 32_768;
/// How many characters a tag may have.
pub const TAG_LIMIT: usize = 64;
/// How many bytes the data of a button may have (Bot API).
const CALLBACK_LIMIT: usize = 64;
/// What a button below a message can do (Bot API, InlineKeyboardButton).
const ACTIONS: [&str; 10] = [
    "url",
    "callback_data",
    "web_app",
    "login_url",
    "switch_inline_query",
    "switch_inline_query_current_chat",
    "switch_inline_query_chosen_chat",
    "copy_text",
    "callback_game",
    "pay",
];

/// A checked request.
#[derive(Debug)]
pub struct Draft {
    /// The bot that sends it; configured.
    pub bot: BotName,
    /// Where it goes.
    pub chat_id: ChatId,
    /// The image.
    pub photo: InputFile,
    /// Everything else that is Telegram's, as the Bot API wants it.
    pub params: Map<String, Value>,
    /// Its lane.
    pub lane: Lane,
    /// What to do in doubt.
    pub delivery: Delivery,
    /// The caller's labels.
    pub tags: Vec<String>,
    /// When it was read.
    pub received_at: Timestamp,
    /// When to send it, if asked for; may have passed.
    pub send_at: Option<Timestamp>,
    /// When it expires, if asked for.
    pub expires_at: Option<Timestamp>,
}

impl Draft {
    /// Checks the fields of a request, but for what [`Draft::check_expiry`] does.
    pub fn read(
        mut fields: Fields,
        upload: Option<Upload>,
        now: Timestamp,
        is_bot: impl Fn(&BotName) -> bool,
    ) -> Result<Self, Refusal> {
        let bot = bot(&mut fields, is_bot)?;
        let chat_id = chat_id(&mut fields)?;
        let photo = InputFile::read(&mut fields, upload)?;
        let params = params(&mut fields)?;
        let lanes = Lane::ALL.map(|lane| (lane.as_str(), lane));
        let lane = fields.choice("priority", &lanes)?.unwrap_or_default();
        let deliveries = [("at_least_once", Delivery::AtLeastOnce), ("at_most_once", Delivery::AtMostOnce)];
        let delivery = fields.choice("delivery", &deliveries)?.unwrap_or_default();
        let tags = tags(&mut fields)?;
        let (send_at, expires_at) = times(&mut fields, now)?;
        Ok(Self { bot, chat_id, photo, params, lane, delivery, tags, received_at: now, send_at, expires_at })
    }

    /// The moment before which it is not sent, if that is still ahead.
    pub fn due(&self) -> Option<Timestamp> {
        self.send_at.filter(|at| *at > self.received_at)
    }

    /// The moment after which it is not sent.
    pub fn expiry(&self) -> Timestamp {
        self.expires_at.unwrap_or_else(|| self.due().unwrap_or(self.received_at).plus(DEFAULT_LIFE))
    }

    /// What is to be done.
    pub fn order(self) -> Order {
        let (send_at, expires_at) = (self.due(), self.expiry());
        let kind = MediaKind::Photo;
        Order {
            bot: self.bot,
            chat_id: self.chat_id,
            method: "sendPhoto".to_owned(),
            params: self.params,
            media: vec![Piece { field: kind.as_str().to_owned(), kind, input: self.photo, filename: None }],
            lane: self.lane,
            delivery: self.delivery,
            tags: self.tags,
            received_at: self.received_at,
            send_at,
            expires_at,
            then: Vec::new(),
        }
    }

    /// The request as understood, the same for JSON and forms, whatever the order of its fields; without anything that
    /// was computed from the time of its arrival.
    pub fn canonical(&self) -> Value {
        let photo = match &self.photo {
            InputFile::Upload(upload) => json!({"sha256": upload.sha256()}),
            InputFile::Held(digest) => json!({"sha256": digest}),
            InputFile::Url(url) => json!({"url": url}),
            InputFile::FileId(file_id) => json!({"file_id": file_id}),
        };
        json!({
            "bot": self.bot,
            "chat_id": self.chat_id,
            "photo": photo,
            "params": self.params,
            "priority": self.lane,
            "delivery": self.delivery,
            "tags": self.tags,
            "send_at": self.send_at,
            "expires_at": self.expires_at,
        })
    }
}

fn bot(fields: &mut Fields, is_bot: impl Fn(&BotName) -> bool) -> Result<BotName, Refusal> {
    let name = match fields.text("bot")? {
        None => Some(BotName::default_bot()),
        Some(text) => text.parse().ok(),
    };
    name.filter(is_bot).ok_or_else(|| {
        Refusal::field(
            Code::UnknownBot,
            "bot",
            "No bot of this name is configured. Without bot, the one named default is meant.",
        )
    })
}

fn chat_id(fields: &mut Fields) -> Result<ChatId, Refusal> {
    let text = match fields.take("chat_id") {
        None => {
            let detail = "chat_id is missing: the number of a chat, or the @username of a public group or channel.";
            return Err(Refusal::field(Code::MissingField, "chat_id", detail));
        }
        Some(Value::String(text)) => text,
        Some(Value::Number(number)) => number.to_string(),
        Some(_) => String::new(),
    };
    text.parse()
        .map_err(|error: crate::domain::InvalidId| Refusal::field(Code::InvalidChatId, "chat_id", format!("{error}.")))
}

fn params(fields: &mut Fields) -> Result<Map<String, Value>, Refusal> {
    let mut params = Map::new();
    let mut keep = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            params.insert(name.to_owned(), value);
        }
    };
    let parse_mode = parse_mode(fields)?;
    keep("caption", caption(fields, parse_mode.is_some())?.map(Value::String));
    keep("parse_mode", parse_mode.map(Value::from));
    keep("caption_entities", caption_entities(fields)?.map(Value::Array));
    keep("reply_markup", reply_markup(fields)?.map(Value::Object));
    keep("reply_parameters", reply_parameters(fields)?.map(Value::Object));
    for name in ["reply_to_message_id", "message_thread_id"] {
        keep(name, fields.message_number(name)?);
    }
    for name in
        ["disable_notification", "protect_content", "has_spoiler", "show_caption_above_media", "allow_paid_broadcast"]
    {
        keep(name, fields.flag(name)?);
    }
    for name in ["message_effect_id", "business_connection_id"] {
        keep(name, fields.short_text(name)?.map(Value::String));
    }
    if params.contains_key("reply_parameters") && params.contains_key("reply_to_message_id") {
        return Err(invalid("reply_to_message_id", "is the short form of reply_parameters: give one of the two"));
    }
    Ok(params)
}

fn parse_mode(fields: &mut Fields) -> Result<Option<&'static str>, Refusal> {
    const MODES: [&str; 3] = ["HTML", "Markdown", "MarkdownV2"];
    let Some(text) = fields.text("parse_mode")? else { return Ok(None) };
    let mode = MODES.into_iter().find(|mode| mode.eq_ignore_ascii_case(&text));
    mode.map(Some).ok_or_else(|| invalid("parse_mode", "is one of HTML, MarkdownV2, Markdown"))
}

fn caption(fields: &mut Fields, has_markup: bool) -> Result<Option<String>, Refusal> {
    let Some(text) = fields.text("caption")? else { return Ok(None) };
    let (units, bytes) = (text.encode_utf16().count(), text.len());
    let detail = if has_markup && bytes > MARKUP_LIMIT {
        format!("The caption has {bytes} bytes, and Telegram takes {MARKUP_LIMIT} before parsing. Shorten it.")
    } else if !has_markup && units > CAPTION_LIMIT {
        format!("The caption has {units} UTF-16 units, and Telegram takes {CAPTION_LIMIT}. Shorten it.")
    } else {
        return Ok(Some(text));
    };
    Err(Refusal::field(Code::CaptionTooLong, "caption", detail))
}

fn caption_entities(fields: &mut Fields) -> Result<Option<Vec<Value>>, Refusal> {
    let Some(entities) = fields.array("caption_entities")? else { return Ok(None) };
    let whole = |value: Option<&Value>, least: i64| value.and_then(Value::as_i64).is_some_and(|n| n >= least);
    let fits = |entity: &Value| {
        entity.get("type").is_some_and(Value::is_string)
            && whole(entity.get("offset"), 0)
            && whole(entity.get("length"), 1)
    };
    if entities.iter().all(fits) {
        Ok(Some(entities))
    } else {
        Err(invalid("caption_entities", "is an array of objects with a type, an offset and a length in UTF-16 units"))
    }
}

fn reply_markup(fields: &mut Fields) -> Result<Option<Map<String, Value>>, Refusal> {
    const KINDS: [&str; 4] = ["inline_keyboard", "keyboard", "remove_keyboard", "force_reply"];
    let Some(markup) = fields.object("reply_markup")? else { return Ok(None) };
    if KINDS.iter().filter(|kind| markup.contains_key(**kind)).count() != 1 {
        return Err(invalid("reply_markup", &format!("has exactly one of {}", KINDS.join(", "))));
    }
    for (name, is_inline) in [("inline_keyboard", true), ("keyboard", false)] {
        let Some(rows) = markup.get(name) else { continue };
        let field = format!("reply_markup.{name}");
        let rows: Option<Vec<&Vec<Value>>> =
            rows.as_array().and_then(|rows| rows.iter().map(Value::as_array).collect());
        let rows = rows.ok_or_else(|| invalid(&field, "is an array of rows, each an array of buttons"))?;
        for button in rows.into_iter().flatten() {
            check_button(button, is_inline).map_err(|fault| invalid(&field, fault))?;
        }
    }
    Ok(Some(markup))
}

fn check_button(button: &Value, is_inline: bool) -> Result<(), &'static str> {
    let has_text = button.get("text").is_some_and(Value::is_string);
    if !has_text && (is_inline || !button.is_string()) {
        return Err("has a button without a text");
    }
    if is_inline && !ACTIONS.iter().any(|action| button.get(action).is_some_and(|value| !value.is_null())) {
        return Err("has a button that does nothing: give it url, callback_data or another action");
    }
    match button.get("callback_data") {
        Some(Value::String(data)) if data.len() > CALLBACK_LIMIT => {
            Err("has a button with over 64 bytes of callback_data")
        }
        None | Some(Value::String(_) | Value::Null) => Ok(()),
        Some(_) if is_inline => Err("has a button whose callback_data is not a string"),
        Some(_) => Ok(()),
    }
}

/// Members that are not known here pass: they may be tomorrow's.
fn reply_parameters(fields: &mut Fields) -> Result<Option<Map<String, Value>>, Refusal> {
    let Some(reply) = fields.object("reply_parameters")? else { return Ok(None) };
    let numbered = reply.get("message_id").and_then(Value::as_i64).is_some_and(is_message_number);
    if numbered || (reply.get("message_id").is_none() && reply.contains_key("ephemeral_message_id")) {
        Ok(Some(reply))
    } else {
        Err(invalid("reply_parameters.message_id", "is the number of the message to reply to, from 1 to 2147483647"))
    }
}

fn tags(fields: &mut Fields) -> Result<Vec<String>, Refusal> {
    let given = match fields.take("tags") {
        None => return Ok(Vec::new()),
        Some(Value::Array(parts)) if fields.is_form() => match parts.as_slice() {
            [Value::String(text)] if text.is_empty() => return Ok(Vec::new()),
            [Value::String(text)] if text.starts_with('[') => parsed("tags", text)?,
            _ => parts,
        },
        Some(Value::Array(tags)) => tags,
        Some(_) => return Err(invalid("tags", "is an array of strings")),
    };
    let tags: Option<Vec<String>> = given.iter().map(|tag| tag.as_str().map(ToOwned::to_owned)).collect();
    tags.filter(|tags| tags.len() <= TAGS_LIMIT)
        .filter(|tags| tags.iter().all(|tag| (1..=TAG_LIMIT).contains(&tag.chars().count())))
        .ok_or_else(too_many_tags)
}

fn times(fields: &mut Fields, now: Timestamp) -> Result<(Option<Timestamp>, Option<Timestamp>), Refusal> {
    let send_at = fields.moment("send_at")?;
    if send_at.is_some_and(|at| at > now.plus(SEND_AT_LIMIT)) {
        return Err(invalid("send_at", "lies more than 30 days ahead"));
    }
    let expires_at = fields.moment("expires_at")?;
    match expires_at {
        Some(at) if at > now.plus(EXPIRES_AT_LIMIT) => Err(invalid("expires_at", "lies more than 31 days ahead")),
        Some(at) if send_at.is_some_and(|due| at <= due) => Err(invalid("expires_at", "is not after send_at")),
        _ => Ok((send_at, expires_at)),
    }
}

#[cfg(test)]
#[path = "draft_tests.rs"]
mod tests;
