//! The table of the parameters of Telegram's methods that a notification may have, under their own names.

use super::content::Content;

/// The longest caption in UTF-16 units (Bot API; the unit is the strictest of those its servers count in).
pub const CAPTION_LIMIT_UTF16: usize = 1024;
/// The longest text in the same units (Bot API).
pub const TEXT_LIMIT_UTF16: usize = 4096;
/// With a `parse_mode` those limits hold for what is left after parsing, which only Telegram knows; before it, a text may
/// have so many bytes (Bot API server).
pub const MARKUP_LIMIT_BYTES: usize = 32_768;
/// The longest duration that Telegram takes note of, in seconds (Bot API server).
const DURATION_LIMIT_SECONDS: i64 = 86_400;
/// The largest width or height that Telegram takes note of, in pixels (Bot API server).
const SIDE_LIMIT_PIXELS: i64 = 10_000;
/// The largest identifier: they have at most 52 bits (Bot API).
const MAX_IDENTIFIER: i64 = (1 << 52) - 1;

/// A parameter of one or more methods.
#[derive(Debug)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// The type of its value.
    pub value_type: ParameterType,
    /// The contents that have it, as bits of [`Content::bit`].
    of: u8,
    /// Whether it belongs to the file or the text, and so to an item of an album, rather than to the message.
    pub belongs_to_content: bool,
    /// What it means, in a sentence for OpenAPI.
    pub about: &'static str,
}

/// The type of a parameter's value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ParameterType {
    /// True or false.
    Flag,
    /// A whole number within bounds.
    Number(i64, i64),
    /// 1 to 256 characters.
    Word,
    /// Any object of Telegram's.
    Object,
    /// HTML, MarkdownV2 or Markdown.
    ParseMode,
    /// Formatting, measured in UTF-16 units.
    Entities,
    /// Buttons.
    Keyboard,
    /// The message to reply to.
    Reply,
    /// The text below a file.
    Caption,
    /// A file beside the one that is sent.
    File,
}

const PHOTO: u8 = Content::Photo.bit();
const DOCUMENT: u8 = Content::Document.bit();
const ANIMATION: u8 = Content::Animation.bit();
const VIDEO: u8 = Content::Video.bit();
const AUDIO: u8 = Content::Audio.bit();
const VOICE: u8 = Content::Voice.bit();
const TEXT: u8 = Content::Text.bit();
const EVERYTHING: u8 = u8::MAX;
const SINGLE: u8 = EVERYTHING ^ Content::Album.bit();
const FILE: u8 = SINGLE ^ TEXT;
const VISUAL: u8 = PHOTO | ANIMATION | VIDEO;

/// A parameter of the message.
const fn message(name: &'static str, value_type: ParameterType, of: u8, about: &'static str) -> Parameter {
    Parameter { name, value_type, of, belongs_to_content: false, about }
}

/// A parameter of the content.
const fn content(name: &'static str, value_type: ParameterType, of: u8, about: &'static str) -> Parameter {
    Parameter { name, value_type, of, belongs_to_content: true, about }
}

/// The id of a message, or of a topic.
const MESSAGE_ID_TYPE: ParameterType = ParameterType::Number(1, i32::MAX as i64);

/// Every parameter except `chat_id` and the contents themselves.
pub static PARAMETERS: &[Parameter] = &[
    message("business_connection_id", ParameterType::Word, EVERYTHING, "On behalf of a business account."),
    message("message_thread_id", MESSAGE_ID_TYPE, EVERYTHING, "The topic of a forum."),
    message(
        "direct_messages_topic_id",
        ParameterType::Number(1, MAX_IDENTIFIER),
        EVERYTHING,
        "The topic of a channel's direct messages.",
    ),
    message("disable_notification", ParameterType::Flag, EVERYTHING, "Without a sound."),
    message("protect_content", ParameterType::Flag, EVERYTHING, "Not to be forwarded or saved."),
    message("allow_paid_broadcast", ParameterType::Flag, EVERYTHING, "Faster than 30 a second for Telegram Stars."),
    message("message_effect_id", ParameterType::Word, EVERYTHING, "An effect, in private chats."),
    message("reply_parameters", ParameterType::Reply, EVERYTHING, "What it replies to."),
    message("reply_to_message_id", MESSAGE_ID_TYPE, EVERYTHING, "The message it replies to, in the short form."),
    message(
        "suggested_post_parameters",
        ParameterType::Object,
        SINGLE,
        "A post suggested in a channel's direct messages.",
    ),
    message(
        "ephemeral_message_parameters",
        ParameterType::Object,
        SINGLE,
        "Shown in a group to one member, for a while.",
    ),
    message("reply_markup", ParameterType::Keyboard, SINGLE, "Buttons: an object of Telegram's kinds of keyboards."),
    content("parse_mode", ParameterType::ParseMode, SINGLE, "How markup is read: HTML, MarkdownV2 or Markdown."),
    content(
        "caption",
        ParameterType::Caption,
        FILE,
        "The text below the file, up to 1,024 UTF-16 units; with a `parse_mode` up to 32,768 bytes, and 1,024 units after parsing.",
    ),
    content("caption_entities", ParameterType::Entities, FILE, "Formatting of the caption in place of markup."),
    content("entities", ParameterType::Entities, TEXT, "Formatting of the text in place of markup."),
    content("link_preview_options", ParameterType::Object, TEXT, "How the first link is shown."),
    content("show_caption_above_media", ParameterType::Flag, VISUAL, "With the caption on top."),
    content("has_spoiler", ParameterType::Flag, VISUAL, "Covered until it is tapped."),
    content(
        "disable_content_type_detection",
        ParameterType::Flag,
        DOCUMENT,
        "A GIF or a film without sound stays a plain file.",
    ),
    content(
        "duration",
        ParameterType::Number(0, DURATION_LIMIT_SECONDS),
        ANIMATION | VIDEO | AUDIO | VOICE,
        "In seconds.",
    ),
    content("width", ParameterType::Number(0, SIDE_LIMIT_PIXELS), ANIMATION | VIDEO, "In pixels."),
    content("height", ParameterType::Number(0, SIDE_LIMIT_PIXELS), ANIMATION | VIDEO, "In pixels."),
    content("performer", ParameterType::Word, AUDIO, "Who plays."),
    content("title", ParameterType::Word, AUDIO, "What is played."),
    content("supports_streaming", ParameterType::Flag, VIDEO, "It can be watched while it is loaded."),
    content(
        "start_timestamp",
        ParameterType::Number(0, DURATION_LIMIT_SECONDS),
        VIDEO,
        "Where it begins to play, in seconds.",
    ),
    content(
        "thumbnail",
        ParameterType::File,
        DOCUMENT | ANIMATION | VIDEO | AUDIO,
        "A small picture: JPEG, up to 200 kB and 320 x 320, uploaded or in base64.",
    ),
    content("cover", ParameterType::File, VIDEO, "The picture shown before it plays."),
];

impl Parameter {
    /// Whether the method that sends a content has it.
    pub fn is_of(&self, content: Content) -> bool {
        self.of & content.bit() != 0
    }
}
