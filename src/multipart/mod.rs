//! Multipart forms (`multipart/form-data`) as clients really write them, read and written in one pass. It knows neither
//! HTTP nor files: [`Parts`] takes the pieces of a body and gives the parts' bytes as they come, [`FormBody`] makes a body
//! of texts and streams.
//!
//! There are two ways to read a form ([`Reading`]). What both have in common is what the Bot API server does: a boundary
//! of any characters, names in raw UTF-8, headers of a part that say nothing about the form (its own type or length) are
//! ignored, and so is all that comes before the first boundary or behind the last one.

mod boundary;
mod disposition;
mod error;
mod form_body;
mod head;
mod parts;
mod reader;

pub use boundary::Boundary;
pub use error::{MultipartError, PartsError};
pub use form_body::{EncodedForm, FormBody};
pub use head::PartHead;
pub use parts::Parts;

/// How a form is read where the two kinds of readers differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Exactly as Telegram's server source does it, refusals included: what is taken here must be taken there.
    AsTelegram,
    /// As much as can be understood: `filename*` and `name*`, names of attributes in any case, a quoted boundary with a
    /// semicolon in it, Windows paths with their backslashes, and a boundary only where a line begins and ends with it.
    Lenient,
}
