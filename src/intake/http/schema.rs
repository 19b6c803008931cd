//! The request and the small enums as OpenAPI shows them. Requests are read by hand (`intake::fields`), for the sake of
//! precise refusals; a test keeps the two in step (`docs`).

use crate::domain::{AttemptOutcome, ChatId, Delivery, FailureClass, Lane, RecipientSource, RecipientState, Status};
use crate::intake::draft::TAG_LIMIT;
use crate::intake::fields::TAGS_LIMIT;
use serde::Serialize;
use serde_json::{Map, Value};
use std::borrow::Cow;
use utoipa::openapi::schema::{AdditionalProperties, Schema, SchemaType};
use utoipa::openapi::{ArrayBuilder, ObjectBuilder, OneOfBuilder, RefOr, Type};
use utoipa::{PartialSchema, ToSchema};

/// A notification to send. The first group are the parameters of Telegram's sendPhoto under their own names.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NotificationRequest {
    /// Where it goes: the number of a chat, or the @username of a public group or channel.
    chat_id: ChatId,
    /// The image: an http(s) URL or a file_id as a string, `{"base64": …}` or `{"sha256": …}`. JPEG, PNG, GIF, BMP or
    /// TIFF up to 10 MiB, width + height up to 10,000, one side up to 20 times the other.
    photo: PhotoSource,
    /// The caption, up to 1,024 UTF-16 units; with a `parse_mode` up to 32,768 bytes, and 1,024 units after parsing.
    #[schema(max_length = 32_768)]
    caption: Option<String>,
    /// How markup in the caption is read: HTML, MarkdownV2 or Markdown.
    #[schema(example = "HTML")]
    parse_mode: Option<String>,
    /// Formatting of the caption in place of markup.
    #[schema(value_type = Option<Vec<Object>>)]
    caption_entities: Option<Vec<Value>>,
    /// Buttons: an object of Telegram's kinds of keyboards.
    #[schema(value_type = Option<Object>)]
    reply_markup: Option<Map<String, Value>>,
    /// What it replies to.
    #[schema(value_type = Option<Object>)]
    reply_parameters: Option<Map<String, Value>>,
    /// The message it replies to, in the short form.
    #[schema(minimum = 1)]
    reply_to_message_id: Option<i32>,
    /// The topic of a forum.
    #[schema(minimum = 1)]
    message_thread_id: Option<i32>,
    /// Without a sound.
    disable_notification: Option<bool>,
    /// Not to be forwarded or saved.
    protect_content: Option<bool>,
    /// Covered until it is tapped.
    has_spoiler: Option<bool>,
    /// With the caption on top.
    show_caption_above_media: Option<bool>,
    /// Faster than 30 a second for Telegram Stars.
    allow_paid_broadcast: Option<bool>,
    /// An effect, in private chats.
    #[schema(min_length = 1, max_length = 256)]
    message_effect_id: Option<String>,
    /// On behalf of a business account.
    #[schema(min_length = 1, max_length = 256)]
    business_connection_id: Option<String>,
    /// The configured bot that sends it.
    #[schema(default = "default", pattern = "^[a-z0-9_-]{1,64}$")]
    bot: Option<String>,
    /// Which lane it waits in.
    priority: Option<Lane>,
    /// Not to be sent before this (RFC 3339), up to 30 days ahead. The past means now.
    #[schema(format = DateTime)]
    send_at: Option<String>,
    /// Not to be sent after this (RFC 3339), up to 31 days ahead; 24 hours after `send_at` or now if not given.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    /// What to do when nobody can know whether it arrived.
    delivery: Option<Delivery>,
    /// Labels of your own, given back with the status; up to 10 of 1 to 64 characters.
    #[schema(schema_with = tags)]
    tags: Option<Vec<String>>,
}

/// The same fields as a form: `photo` is a file part or a text, structures are JSON texts, `tags` may be repeated.
#[derive(Serialize, ToSchema)]
pub struct NotificationForm {
    /// Where it goes.
    #[schema(example = "42")]
    chat_id: String,
    /// The image.
    #[schema(value_type = String, format = Binary)]
    photo: Vec<u8>,
    /// The caption.
    #[schema(max_length = 32_768)]
    caption: Option<String>,
    /// HTML, MarkdownV2 or Markdown.
    parse_mode: Option<String>,
    /// The JSON text of an array.
    caption_entities: Option<String>,
    /// The JSON text of an object.
    reply_markup: Option<String>,
    /// The JSON text of an object.
    reply_parameters: Option<String>,
    /// The message it replies to.
    #[schema(minimum = 1)]
    reply_to_message_id: Option<i32>,
    /// The topic of a forum.
    #[schema(minimum = 1)]
    message_thread_id: Option<i32>,
    /// Without a sound.
    disable_notification: Option<bool>,
    /// Not to be forwarded or saved.
    protect_content: Option<bool>,
    /// Covered until it is tapped.
    has_spoiler: Option<bool>,
    /// With the caption on top.
    show_caption_above_media: Option<bool>,
    /// Faster than 30 a second for Telegram Stars.
    allow_paid_broadcast: Option<bool>,
    /// An effect, in private chats.
    message_effect_id: Option<String>,
    /// On behalf of a business account.
    business_connection_id: Option<String>,
    /// The configured bot that sends it.
    #[schema(pattern = "^[a-z0-9_-]{1,64}$")]
    bot: Option<String>,
    /// Which lane it waits in.
    priority: Option<Lane>,
    /// Not to be sent before this.
    #[schema(format = DateTime)]
    send_at: Option<String>,
    /// Not to be sent after this.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    /// What to do in doubt.
    delivery: Option<Delivery>,
    /// Labels of your own.
    #[schema(schema_with = tags)]
    tags: Option<Vec<String>>,
}

fn tags() -> RefOr<Schema> {
    let tag = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(TAG_LIMIT));
    ArrayBuilder::new()
        .schema_type(SchemaType::from_iter([Type::Array, Type::Null]))
        .items(tag)
        .max_items(Some(TAGS_LIMIT))
        .description(Some("Labels of your own, given back with the status."))
        .into()
}

/// An image in a JSON request; only described, never made.
pub enum PhotoSource {}

impl PartialSchema for PhotoSource {
    fn schema() -> RefOr<Schema> {
        let object = |name: &str, about: &str| {
            ObjectBuilder::new()
                .property(name, ObjectBuilder::new().schema_type(Type::String).description(Some(about)))
                .required(name)
                .additional_properties(Some(AdditionalProperties::FreeForm(false)))
        };
        let reference = "An http(s) URL that Telegram fetches, or a file_id of this bot.";
        OneOfBuilder::new()
            .item(ObjectBuilder::new().schema_type(Type::String).description(Some(reference)))
            .item(object("base64", "The bytes in standard base64."))
            .item(object("sha256", "The SHA-256 of an image that was sent before, in hexadecimal."))
            .into()
    }
}

impl ToSchema for PhotoSource {}

impl Serialize for PhotoSource {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        match *self {}
    }
}

impl PartialSchema for ChatId {
    fn schema() -> RefOr<Schema> {
        OneOfBuilder::new()
            .item(ObjectBuilder::new().schema_type(Type::Integer).description(Some("Its number, within 52 bits.")))
            .item(
                ObjectBuilder::new().schema_type(Type::String).description(Some("Its number as digits, or @username.")),
            )
            .into()
    }
}

impl ToSchema for ChatId {}

fn words(about: &str, words: &[&str]) -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(about))
        .enum_values(Some(words.iter().copied()))
        .into()
}

macro_rules! words {
    ($($name:literal $kind:ty: $about:literal, $words:expr;)*) => {$(
        impl PartialSchema for $kind {
            fn schema() -> RefOr<Schema> {
                words($about, &$words)
            }
        }

        impl ToSchema for $kind {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed($name)
            }
        }
    )*};
}

words! {
    "Status" Status: "Where a notification stands. The last five are final.", Status::ALL.map(Status::as_str);
    "Priority" Lane: "A lane: `urgent` before everything else, `bulk` when there is room.", Lane::ALL.map(Lane::as_str);
    "Delivery" Delivery: "`at_least_once` tries again in doubt, `at_most_once` stops and says `unknown`.",
        ["at_least_once", "at_most_once"];
    "RecipientSource" RecipientSource: "Who made an entry: a caller of the API, an import, or they themselves.",
        RecipientSource::ALL.map(RecipientSource::as_str);
    "RecipientState" RecipientState: "`blocked` when they have blocked the bot.",
        RecipientState::ALL.map(RecipientState::as_str);
    "AttemptOutcome" AttemptOutcome: "How an attempt ended.", [
        AttemptOutcome::Sent,
        AttemptOutcome::FloodWait,
        AttemptOutcome::Transient,
        AttemptOutcome::Ambiguous,
        AttemptOutcome::FileIdRefused,
        AttemptOutcome::Migrated,
        AttemptOutcome::Configuration,
        AttemptOutcome::Permanent,
    ].map(AttemptOutcome::as_str);
    "FailureClass" FailureClass: "Why a notification did not arrive.", FailureClass::ALL.map(FailureClass::as_str);
}
