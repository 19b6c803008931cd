//! The texts, captions and keyboards of messages, checked as Telegram does.

mod formatted_text;
mod keyboard;

pub use formatted_text::{
    NOT_UTF8, caption_of_arguments, checked_caption, checked_text, parse_field, parse_text, text_of_arguments,
};
pub use keyboard::check_reply_markup;
