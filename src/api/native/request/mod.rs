//! How a native request is read and checked. [`body`] spools its files as they arrive and reads the rest into [`fields`];
//! [`validated_request`] (or [`change`], for an edit or a deletion) checks both against the table of [`parameters`];
//! [`verify_files`] looks into the files. The result becomes a [`crate::intake::send_request::SendRequest`].

mod album;
pub mod body;
pub mod change;
pub mod content;
pub mod fields;
mod file_ref;
pub mod json;
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
mod text_pieces;
pub mod uploaded_files;
mod url_encoded;
pub mod validated_request;
pub mod verify_files;
