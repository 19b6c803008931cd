//! What a call was given, read as the Bot API server reads it: query string, urlencoded form, JSON and multipart all become
//! one flat list of texts, of which the first of a name wins; other content types are ignored.

mod call_arguments;
mod percent;
mod request_reader;

pub use call_arguments::{RequestReadError, SandboxArguments};
pub use percent::percent_decoded;
pub use request_reader::RequestReader;
