//! One file with its parameters: the content of a notification, an item of an album, or the new file of an edit.

use super::content::Content;
use super::file_ref::{FileRef, FileRefReader};
use super::parameter_values;
use super::parameters::{PARAMETERS, ParameterType};
use crate::domain::MediaKind;
use crate::intake::rejection::{ProblemCode, Rejection};
use crate::intake::send_request::{Attachment, InputFile};
use serde_json::{Map, Value};

/// A file with its thumbnail and the like, and its parameters.
#[derive(Debug)]
pub struct MediaItem {
    /// What it is.
    pub content: Content,
    /// Its parameters but for files.
    pub params: Map<String, Value>,
    /// The file, then its thumbnail and the like, under the names of the parameters that carry them.
    pub attachments: Vec<Attachment>,
}

impl MediaItem {
    /// Reads the file that the field `name` holds. `any_length`: its caption may be longer than Telegram takes.
    pub fn read(
        reader: &mut FileRefReader<'_>,
        content: Content,
        name: &str,
        any_length: bool,
    ) -> Result<Self, Rejection> {
        let FileRef { input, filename } = reader.required(name)?;
        let mut attachments = vec![Attachment { field: name.to_owned(), kind: content.kind(), input, filename }];
        for parameter in PARAMETERS.iter().filter(|p| p.value_type == ParameterType::File && p.is_of(content)) {
            let name = parameter.name;
            let Some(file) = reader.read(name)? else { continue };
            if name == "thumbnail" && !matches!(file.input, InputFile::Upload(_) | InputFile::Stored(_)) {
                let detail = "Telegram ignores a thumbnail that is not uploaded: send its bytes.";
                return Err(Rejection::field(
                    ProblemCode::InvalidThumbnail,
                    format!("{}{name}", reader.within),
                    detail,
                ));
            }
            let filename = Some(format!("{name}.jpg"));
            attachments.push(Attachment {
                field: name.to_owned(),
                kind: MediaKind::Other,
                input: file.input,
                filename,
            });
        }
        let params = parameter_values::read(reader.fields, any_length, |p| p.belongs_to_content && p.is_of(content))?;
        Ok(Self { content, params, attachments })
    }

    /// The item as one of Telegram's InputMedia, and its files under part names that end in `number`.
    pub fn into_input(mut self, number: usize) -> (Value, Vec<Attachment>) {
        self.params.insert("type".to_owned(), self.content.field().into());
        for (place, attachment) in self.attachments.iter_mut().enumerate() {
            let parameter = if place == 0 { "media" } else { attachment.field.as_str() };
            let part = if place == 0 { format!("file{number}") } else { format!("{parameter}{number}") };
            self.params.insert(parameter.to_owned(), format!("attach://{part}").into());
            attachment.field = part;
        }
        (Value::Object(self.params), self.attachments)
    }
}
