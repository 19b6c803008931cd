//! The table of the parameters of Telegram's methods that a notification may have, under their own names.

use crate::api::native::request::content::Content;

/// The longest caption in UTF-16 units (Bot API; the unit is the strictest of those its servers count in).
pub const CAPTION_LIMIT: usize = 1024;
/// The longest text in the same units (Bot API).
pub const TEXT_LIMIT: usize = 4096;
/// With a `parse_mode` those limits hold for what is left after parsing, which only Telegram knows; before it, a text may
/// have so many bytes (Bot API server).
pub const MARKUP_LIMIT: usize = 32_768;
/// The longest duration that Telegram takes note of, in seconds (Bot API server).
const DURATION_LIMIT: i64 = 86_400;
/// The largest width or height that Telegram takes note of, in pixels (Bot API server).
const SIDE_LIMIT: i64 = 10_000;
/// Identifiers fit into so many bits (Bot API).
const IDENTIFIER_LIMIT: i64 = (1 << 52) - 1;

/// A parameter of some methods.
#[derive(Debug)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub holds: Holds,
    /// Whose it is, as bits of [`Content::bit`].
    of: u8,
    /// Whether it belongs to the file or the text, and so to an item of an album, rather than to the message.
    pub of_medium: bool,
    /// What it means, in a sentence.
    pub about: &'static str,
}

/// What a parameter holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Holds {
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
    /// What it replies to.
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

const fn message(name: &'static str, holds: Holds, of: u8, about: &'static str) -> Parameter {
    Parameter { name, holds, of, of_medium: false, about }
}

const fn medium(name: &'static str, holds: Holds, of: u8, about: &'static str) -> Parameter {
    Parameter { name, holds, of, of_medium: true, about }
}

const MESSAGE_NUMBER: Holds = Holds::Number(1, i32::MAX as i64);

/// Every parameter, but for `chat_id` and the contents themselves.
pub static PARAMETERS: &[Parameter] = &[
    message("business_connection_id", Holds::Word, EVERYTHING, "On behalf of a business account."),
    message("message_thread_id", MESSAGE_NUMBER, EVERYTHING, "The topic of a forum."),
    message(
        "direct_messages_topic_id",
        Holds::Number(1, IDENTIFIER_LIMIT),
        EVERYTHING,
        "The topic of a channel's direct messages.",
    ),
    message("disable_notification", Holds::Flag, EVERYTHING, "Without a sound."),
    message("protect_content", Holds::Flag, EVERYTHING, "Not to be forwarded or saved."),
    message("allow_paid_broadcast", Holds::Flag, EVERYTHING, "Faster than 30 a second for Telegram Stars."),
    message("message_effect_id", Holds::Word, EVERYTHING, "An effect, in private chats."),
    message("reply_parameters", Holds::Reply, EVERYTHING, "What it replies to."),
    message("reply_to_message_id", MESSAGE_NUMBER, EVERYTHING, "The message it replies to, in the short form."),
    message("suggested_post_parameters", Holds::Object, SINGLE, "A post suggested in a channel's direct messages."),
    message("reply_markup", Holds::Keyboard, SINGLE, "Buttons: an object of Telegram's kinds of keyboards."),
    medium("parse_mode", Holds::ParseMode, SINGLE, "How markup is read: HTML, MarkdownV2 or Markdown."),
    medium(
        "caption",
        Holds::Caption,
        FILE,
        "The text below the file, up to 1,024 UTF-16 units; with a `parse_mode` up to 32,768 bytes, and 1,024 units after parsing.",
    ),
    medium("caption_entities", Holds::Entities, FILE, "Formatting of the caption in place of markup."),
    medium("entities", Holds::Entities, TEXT, "Formatting of the text in place of markup."),
    medium("link_preview_options", Holds::Object, TEXT, "How the first link is shown."),
    medium("show_caption_above_media", Holds::Flag, VISUAL, "With the caption on top."),
    medium("has_spoiler", Holds::Flag, VISUAL, "Covered until it is tapped."),
    medium(
        "disable_content_type_detection",
        Holds::Flag,
        DOCUMENT,
        "A GIF or a film without sound stays a plain file.",
    ),
    medium("duration", Holds::Number(0, DURATION_LIMIT), ANIMATION | VIDEO | AUDIO | VOICE, "In seconds."),
    medium("width", Holds::Number(0, SIDE_LIMIT), ANIMATION | VIDEO, "In pixels."),
    medium("height", Holds::Number(0, SIDE_LIMIT), ANIMATION | VIDEO, "In pixels."),
    medium("performer", Holds::Word, AUDIO, "Who plays."),
    medium("title", Holds::Word, AUDIO, "What is played."),
    medium("supports_streaming", Holds::Flag, VIDEO, "It can be watched while it is loaded."),
    medium("start_timestamp", Holds::Number(0, DURATION_LIMIT), VIDEO, "Where it begins to play, in seconds."),
    medium(
        "thumbnail",
        Holds::File,
        DOCUMENT | ANIMATION | VIDEO | AUDIO,
        "A small picture: JPEG, up to 200 kB and 320 x 320, uploaded or in base64.",
    ),
    medium("cover", Holds::File, VIDEO, "The picture shown before it plays."),
];

impl Parameter {
    /// Whether the method that sends a content has it.
    pub fn is_of(&self, content: Content) -> bool {
        self.of & content.bit() != 0
    }
}
