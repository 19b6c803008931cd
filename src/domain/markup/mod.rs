//! Texts with markup: taken out, and what it said as entities, as the Bot API server does (TDLib).

mod clean;
mod formatted;
mod html;
mod markdown;
mod markdown_v2;
mod parse;

pub use clean::{clean_text, is_blank};
pub use formatted::{Formatted, utf16};
