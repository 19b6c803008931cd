//! The field `oversize`.

use super::content::Content;
use super::fields::Fields;
use crate::intake::rejection::Rejection;

/// What to do with an image that Telegram would not take as a photo.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Oversize {
    /// Reject the request.
    #[default]
    Reject,
    /// Send it as a document, untouched.
    Document,
    /// Scale it down to a photo.
    Shrink,
}

impl Oversize {
    /// All choices.
    pub const ALL: [Self; 3] = [Self::Reject, Self::Document, Self::Shrink];

    /// The name in requests and answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reject => "reject",
            Self::Document => "document",
            Self::Shrink => "shrink",
        }
    }

    /// Takes the field `oversize`, if the content has it.
    pub fn read(fields: &mut Fields, content: Content) -> Result<Self, Rejection> {
        if !matches!(content, Content::Photo | Content::Album) {
            return Ok(Self::default());
        }
        let chosen = fields.choice("oversize", &Self::ALL.map(|choice| (choice.as_str(), choice)))?.unwrap_or_default();
        match (content, chosen) {
            (Content::Album, Self::Document) => Err(Rejection::invalid(
                "oversize",
                "cannot be document in an album, where documents go with documents only",
            )),
            _ => Ok(chosen),
        }
    }
}
