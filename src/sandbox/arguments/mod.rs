//! What a call was given, read as the Bot API server reads it: query string, urlencoded form, JSON and multipart all become
//! one flat list of texts, of which the first of a name wins; a body of any other content type is a file
//! named `file`.

mod call_arguments;
mod json;
mod percent;
mod request_reader;

pub use call_arguments::{RequestReadError, SandboxArguments, leading_integer};
pub use json::{Json, JsonObject};
pub use percent::percent_decoded;
pub use request_reader::RequestReader;
