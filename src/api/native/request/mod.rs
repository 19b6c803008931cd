//! How a native request is read and checked: [`body`] takes the files out of it as they arrive, what is left are
//! [`fields`]; from both a [`validated_request::ValidatedRequest`] is read, piece by piece, and becomes a
//! [`crate::intake::send_request::SendRequest`].

mod album;
pub mod body;
pub mod change;
pub mod content;
pub mod fields;
mod file_ref;
pub mod files;
pub mod fit;
mod json;
mod keyboard;
mod media_item;
mod multipart;
pub mod names;
pub mod oversize;
mod parameter_values;
pub mod parameters;
pub mod recipient;
pub mod send_options;
mod split;
pub mod validated_request;
