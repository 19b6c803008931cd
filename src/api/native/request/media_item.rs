//! One file with what belongs to it: the content of a notification, an item of an album, or the new file of an edit.

use crate::api::native::request::content::Content;
use crate::api::native::request::file_ref::{FileRef, Reader};
use crate::api::native::request::parameter_values;
use crate::api::native::request::parameters::{Holds, PARAMETERS};
use crate::domain::MediaKind;
use crate::intake::rejection::{ProblemCode, Rejection};
use crate::intake::send_request::{Attachment, InputFile};
use serde_json::{Map, Value};

/// A file's parameters, and the file with those beside it.
#[derive(Debug)]
pub struct MediaItem {
    /// What it is.
    pub content: Content,
    /// Its parameters but for files.
    pub params: Map<String, Value>,
    /// It, then its thumbnail and the like, under the names of the parameters that carry them.
    pub pieces: Vec<Attachment>,
}

impl MediaItem {
    /// Reads the file that the field `name` holds. `any_length`: its caption may be longer than Telegram takes.
    pub fn read(reader: &mut Reader<'_>, content: Content, name: &str, any_length: bool) -> Result<Self, Rejection> {
        let FileRef { input, filename } = reader.required(name)?;
        let mut pieces = vec![Attachment { field: name.to_owned(), kind: content.kind(), input, filename }];
        for parameter in PARAMETERS.iter().filter(|p| p.holds == Holds::File && p.is_of(content)) {
            let name = parameter.name;
            let Some(source) = reader.read(name)? else { continue };
            if name == "thumbnail" && !matches!(source.input, InputFile::Upload(_) | InputFile::Held(_)) {
                let detail = "Telegram ignores a thumbnail that is not uploaded: send its bytes.";
                return Err(Rejection::field(
                    ProblemCode::InvalidThumbnail,
                    format!("{}{name}", reader.within),
                    detail,
                ));
            }
            let filename = Some(format!("{name}.jpg"));
            pieces.push(Attachment { field: name.to_owned(), kind: MediaKind::Other, input: source.input, filename });
        }
        let params = parameter_values::read(reader.fields, any_length, |p| p.of_medium && p.is_of(content))?;
        Ok(Self { content, params, pieces })
    }

    /// It as one of Telegram's InputMedia, its files named by parts that end in `number`.
    pub fn into_input(mut self, number: usize) -> (Value, Vec<Attachment>) {
        self.params.insert("type".to_owned(), self.content.field().into());
        for (place, piece) in self.pieces.iter_mut().enumerate() {
            let parameter = if place == 0 { "media" } else { piece.field.as_str() };
            let part = if place == 0 { format!("file{number}") } else { format!("{parameter}{number}") };
            self.params.insert(parameter.to_owned(), format!("attach://{part}").into());
            piece.field = part;
        }
        (Value::Object(self.params), self.pieces)
    }
}
