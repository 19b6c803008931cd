//! Requests and the small enums as OpenAPI shows them. Requests are read by hand ([`super::request::fields`]), so that
//! rejections are precise; they are described from the same table of parameters, and a test in [`super::openapi`] keeps
//! the two in step.

use super::request::content::Content;
use super::request::fields::MAX_TAGS;
use super::request::oversize::Oversize;
use super::request::parameters::{MARKUP_LIMIT_BYTES, PARAMETERS, Parameter, ParameterType};
use super::request::send_options::{TAG_LIMIT_CHARS, WAIT_LIMIT_SECONDS};
use crate::domain::{
    AttemptOutcome, CallbackState, CallbackUrl, ChatId, DeliveryGuarantee, FailureClass, Lane, RecipientSource,
    RecipientState, Status,
};
use crate::intake::rejection::ProblemCode;
use std::borrow::Cow;
use utoipa::openapi::schema::{AdditionalProperties, Schema, SchemaType};
use utoipa::openapi::{ArrayBuilder, KnownFormat, ObjectBuilder, OneOfBuilder, Ref, RefOr, SchemaFormat, Type};
use utoipa::{PartialSchema, ToSchema};

/// How a request's body is written.
#[derive(Clone, Copy, PartialEq)]
enum BodyFormat {
    Json,
    Form,
}

/// A request, or a part of one, that is only described, never made.
macro_rules! described {
    ($($name:ident = $schema:expr;)*) => {$(
        #[doc = "Only described, never made."]
        pub enum $name {}

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                $schema.into()
            }
        }

        impl ToSchema for $name {
            fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
                schemas.extend([
                    ("FileSource".to_owned(), file_source()),
                    ("FileInBase64".to_owned(), file_object("base64", "The bytes in standard base64.")),
                    (
                        "FileByDigest".to_owned(),
                        file_object("sha256", "The SHA-256 of a file that was sent before, in hexadecimal."),
                    ),
                    ("AlbumItem".to_owned(), album_item().into()),
                    (ProblemCode::name().into_owned(), ProblemCode::schema()),
                    (ChatId::name().into_owned(), ChatId::schema()),
                    (Lane::name().into_owned(), Lane::schema()),
                    (DeliveryGuarantee::name().into_owned(), DeliveryGuarantee::schema()),
                ]);
                schemas.extend(Content::ALL.map(|content| (schema_name(content).to_owned(), notification_of(content))));
            }
        }
    )*};
}

described! {
    NotificationRequest = any_notification();
    NotificationForm = notification_form();
    EditRequest = edit(BodyFormat::Json).additional_properties(Some(AdditionalProperties::FreeForm(false)));
    EditForm = edit(BodyFormat::Form);
    ImageRequest = image(BodyFormat::Json).additional_properties(Some(AdditionalProperties::FreeForm(false)));
    ImageForm = image(BodyFormat::Form);
    DeleteRequest = with_send_options(ObjectBuilder::new().description(Some("How a message is deleted.")))
        .property("item", item())
        .additional_properties(Some(AdditionalProperties::FreeForm(false)));
}

/// A notification of any content, as JSON: one schema for each, so that what belongs to one only is not offered for others.
fn any_notification() -> RefOr<Schema> {
    let contents = Content::ALL.into_iter().map(|content| Ref::from_schema_name(schema_name(content)));
    contents.fold(OneOfBuilder::new(), OneOfBuilder::item).description(Some("A notification to send.")).into()
}

fn schema_name(content: Content) -> &'static str {
    match content {
        Content::Photo => "PhotoNotification",
        Content::Document => "DocumentNotification",
        Content::Animation => "AnimationNotification",
        Content::Video => "VideoNotification",
        Content::Audio => "AudioNotification",
        Content::Voice => "VoiceNotification",
        Content::Text => "TextNotification",
        Content::Album => "AlbumNotification",
    }
}

/// A notification of one content, as JSON.
fn notification_of(content: Content) -> RefOr<Schema> {
    let about = format!("Sent by {}, with its parameters under their own names.", content.method());
    notification(&about, &[content], BodyFormat::Json)
        .required(content.field())
        .additional_properties(Some(AdditionalProperties::FreeForm(false)))
        .into()
}

fn notification(about: &str, contents: &[Content], format: BodyFormat) -> ObjectBuilder {
    let recipient = "In place of chat_id: a registered phone number, or a group by its name and its admin's number.";
    let mut object = ObjectBuilder::new()
        .description(Some(about))
        .property("chat_id", Ref::from_schema_name(ChatId::name()))
        .property("recipient", any_object(recipient, format));
    for content in contents {
        object = object.property(content.field(), content_property(*content, format));
    }
    for parameter in PARAMETERS.iter().filter(|parameter| contents.iter().any(|content| parameter.is_of(*content))) {
        object = object.property(parameter.name, property(parameter, format));
    }
    let bot = text("The configured bot that sends it.").pattern(Some("^[a-z0-9_-]{1,64}$"));
    object = object.property("bot", bot.default(Some("default".into())));
    if contents.iter().any(|content| matches!(content, Content::Photo | Content::Album)) {
        let oversize = "What to do with an image that Telegram would not take as a photo (dimensions, ratio, size up to 50 MB, \
                        WebP; HEIC as document only).";
        object = object.property("oversize", words(oversize, &Oversize::ALL.map(Oversize::as_str)));
    }
    let long = "What to do with a caption or text that is too long: `split` sends the rest in replies, in order.";
    with_send_options(object.property("long_caption", words(long, &["reject", "split"])))
}

fn notification_form() -> ObjectBuilder {
    let about = "A notification to send: exactly one of photo, document, animation, video, audio, voice, text and album, \
                 with the parameters that Telegram's method for it has, under their own names. Files are parts, structures \
                 are JSON texts, and an album names its files by `attach://PART`.";
    notification(about, &Content::ALL, BodyFormat::Form)
}

fn image(format: BodyFormat) -> ObjectBuilder {
    ObjectBuilder::new().property("photo", content_property(Content::Photo, format)).required("photo")
}

fn edit(format: BodyFormat) -> ObjectBuilder {
    let about = "What to change: a new photo, document, animation, video or audio with its caption, or the caption alone (an \
                 empty one takes it away), or the text of a text, or the buttons alone.";
    let mut object = ObjectBuilder::new().description(Some(about));
    for content in Content::ALL.into_iter().filter(|content| !matches!(content, Content::Voice | Content::Album)) {
        object = object.property(content.field(), content_property(content, format));
    }
    for parameter in PARAMETERS.iter().filter(|p| p.belongs_to_content || p.name == "reply_markup") {
        object = object.property(parameter.name, property(parameter, format));
    }
    let oversize = "What to do with a photo that is none.";
    let object =
        object.property("oversize", words(oversize, &Oversize::ALL.map(Oversize::as_str))).property("item", item());
    with_send_options(object)
}

/// Adds the fields that every request may have, whatever it sends or changes.
fn with_send_options(object: ObjectBuilder) -> ObjectBuilder {
    let timestamp = |about| text(about).format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)));
    object
        .property("priority", Ref::from_schema_name(Lane::name()))
        .property("send_at", timestamp("Not to be sent before this (RFC 3339), up to 30 days ahead. The past means now."))
        .property(
            "expires_at",
            timestamp("Not to be sent after this (RFC 3339), up to 31 days ahead; 24 hours after `send_at` or now if not given."),
        )
        .property("delivery", Ref::from_schema_name(DeliveryGuarantee::name()))
        .property("tags", tags())
        .property("callback_url", callback_url())
        .property("wait", wait())
}

fn wait() -> ObjectBuilder {
    let about = "For so many seconds the answer may wait for the outcome: 200 with the notification if it ends by then, else 202.";
    let object = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0)).maximum(Some(WAIT_LIMIT_SECONDS));
    object.description(Some(about))
}

fn callback_url() -> ObjectBuilder {
    let about = "Who is told how it ends: an http(s) URL, without user, password and fragment, which gets a signed POST \
                 (Standard Webhooks) when it is sent, failed, expired, cancelled or unknown. Needs a `callback_secret` in the \
                 settings.";
    text(about).format(Some(SchemaFormat::Custom("uri".to_owned()))).max_length(Some(CallbackUrl::LIMIT_BYTES))
}

fn item() -> ObjectBuilder {
    let about = "Which item of an album, counted from 1. Without it: the first, or all of them to delete.";
    ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)).maximum(Some(10)).description(Some(about))
}

fn text(about: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).description(Some(about))
}

/// An object with any members; in a form, its JSON text.
fn any_object(about: &str, format: BodyFormat) -> ObjectBuilder {
    match format {
        BodyFormat::Json => ObjectBuilder::new().schema_type(Type::Object).description(Some(about)),
        BodyFormat::Form => text(&format!("{about} The JSON text of an object.")),
    }
}

/// The field that holds a content.
fn content_property(content: Content, format: BodyFormat) -> RefOr<Schema> {
    let method = content.method();
    match (content, format) {
        (Content::Text, _) => text(
            "Up to 4,096 UTF-16 units; with a `parse_mode` up to 32,768 bytes, and 4,096 units after \
                                    parsing (sendMessage).",
        )
        .max_length(Some(MARKUP_LIMIT_BYTES))
        .into(),
        (Content::Album, BodyFormat::Json) => ArrayBuilder::new()
            .items(Ref::from_schema_name("AlbumItem"))
            .min_items(Some(2))
            .max_items(Some(10))
            .description(Some("Photos and videos, or documents only, or audio only (sendMediaGroup)."))
            .into(),
        (Content::Album, BodyFormat::Form) => text("The JSON text of an array of items (sendMediaGroup).").into(),
        (Content::Photo, BodyFormat::Form) => binary(
            "JPEG, PNG, GIF, BMP or TIFF up to 10 MiB, width + height up to 10,000, one side \
                                               up to 20 times the other (sendPhoto).",
        ),
        (_, BodyFormat::Form) => binary(&format!("Up to 50 MB ({method}).")),
        (_, BodyFormat::Json) => Ref::from_schema_name("FileSource").into(),
    }
}

fn binary(about: &str) -> RefOr<Schema> {
    text(about).format(Some(SchemaFormat::KnownFormat(KnownFormat::Binary))).into()
}

/// The field that holds a parameter of Telegram's.
fn property(parameter: &Parameter, format: BodyFormat) -> RefOr<Schema> {
    let of: Vec<_> = Content::ALL.into_iter().filter(|c| parameter.is_of(*c)).map(Content::method).collect();
    let about = match of.len() {
        7.. => parameter.about.to_owned(),
        _ => format!("{} ({})", parameter.about, of.join(", ")),
    };
    let of_type = |kind| ObjectBuilder::new().schema_type(kind).description(Some(about.clone()));
    match parameter.value_type {
        ParameterType::Flag => of_type(Type::Boolean).into(),
        ParameterType::Number(least, most) => of_type(Type::Integer).minimum(Some(least)).maximum(Some(most)).into(),
        ParameterType::Word => of_type(Type::String).min_length(Some(1)).max_length(Some(256)).into(),
        ParameterType::ParseMode => of_type(Type::String).examples(["HTML"]).into(),
        ParameterType::Caption => of_type(Type::String).max_length(Some(MARKUP_LIMIT_BYTES)).into(),
        ParameterType::Object | ParameterType::Keyboard | ParameterType::Reply => any_object(&about, format).into(),
        ParameterType::Entities if format == BodyFormat::Json => {
            ArrayBuilder::new().items(ObjectBuilder::new().schema_type(Type::Object)).description(Some(about)).into()
        }
        ParameterType::Entities => text(&format!("{about} The JSON text of an array.")).into(),
        ParameterType::File if format == BodyFormat::Json => Ref::from_schema_name("FileSource").into(),
        ParameterType::File => binary(&about),
    }
}

fn tags() -> RefOr<Schema> {
    let tag = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(TAG_LIMIT_CHARS));
    ArrayBuilder::new()
        .schema_type(SchemaType::from_iter([Type::Array, Type::Null]))
        .items(tag)
        .max_items(Some(MAX_TAGS))
        .description(Some("Labels of your own, given back with the status."))
        .into()
}

/// A file in a JSON request.
fn file_source() -> RefOr<Schema> {
    OneOfBuilder::new()
        .item(text("An http(s) URL that Telegram fetches, or a file_id of this bot."))
        .item(Ref::from_schema_name("FileInBase64"))
        .item(Ref::from_schema_name("FileByDigest"))
        .into()
}

/// A file that is given by its bytes, or by their digest.
fn file_object(name: &str, about: &str) -> RefOr<Schema> {
    ObjectBuilder::new()
        .property(name, text(about))
        .property("filename", text("The name that a document is sent under."))
        .required(name)
        .additional_properties(Some(AdditionalProperties::FreeForm(false)))
        .into()
}

fn album_item() -> ObjectBuilder {
    let mut object = ObjectBuilder::new()
        .description(Some("One of Telegram's InputMedia. In a form, `media` may be `attach://PART`."))
        .property("type", words("What it is.", &["photo", "video", "document", "audio"]))
        .property("media", Ref::from_schema_name("FileSource"))
        .required("type")
        .required("media");
    let kinds = [Content::Photo, Content::Video, Content::Document, Content::Audio];
    for parameter in PARAMETERS.iter().filter(|p| p.belongs_to_content && kinds.iter().any(|kind| p.is_of(*kind))) {
        object = object.property(parameter.name, property(parameter, BodyFormat::Json));
    }
    object.additional_properties(Some(AdditionalProperties::FreeForm(false)))
}

impl PartialSchema for ChatId {
    fn schema() -> RefOr<Schema> {
        const LARGEST: i64 = (1 << 52) - 1;
        let number = ObjectBuilder::new()
            .schema_type(Type::Integer)
            .description(Some("Its number, within 52 bits."))
            .minimum(Some(-LARGEST))
            .maximum(Some(LARGEST));
        let text = ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some("Its number as digits, or @username."))
            .pattern(Some("^(-?[0-9]{1,16}|@[A-Za-z][A-Za-z0-9_]{3,31})$"));
        OneOfBuilder::new().item(number).item(text).into()
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
    "ProblemCode" ProblemCode: "The kinds of problems. More may come.", ProblemCode::ALL.iter().map(|code| code.as_str()).collect::<Vec<_>>();
    "CallbackState" CallbackState: "Where a callback stands: not tried yet, tried again later, or given up and kept to be replayed.",
        CallbackState::ALL.map(CallbackState::as_str);
    "Status" Status: "Where a notification stands. The last six are final.", Status::ALL.map(Status::as_str);
    "Priority" Lane: "A lane: `urgent` before everything else, `bulk` when there is room.", Lane::ALL.map(Lane::as_str);
    "Delivery" DeliveryGuarantee: "`at_least_once` tries again in doubt, `at_most_once` stops and says `unknown`.",
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
