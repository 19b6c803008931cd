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
mod reading;

pub use boundary::Boundary;
pub use error::{MultipartError, PartsError};
pub use form_body::{EncodedForm, FormBody};
pub use head::PartHead;
pub use parts::Parts;
pub use reading::Reading;
