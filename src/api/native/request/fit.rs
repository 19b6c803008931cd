//! A look into the files of a request: whether Telegram takes them as what they are to be, and what else can be done.

use crate::api::native::request::content::Content;
use crate::api::native::request::fields::Fields;
use crate::api::native::request::parameters::PARAMETERS;
use crate::api::native::request::validated_request::ValidatedRequest;
use crate::domain::{ImageFormat, MediaKind};
use crate::intake::rejection::{ProblemCode, Rejection};
use crate::intake::send_request::{Attachment, InputFile};
use crate::intake::spool::{Spool, Upload};
use serde_json::{Map, Value};

/// The longer side of a thumbnail in pixels (Bot API).
const THUMBNAIL_SIDE: u32 = 320;

/// What to do with an image that Telegram would not take as a photo.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Oversize {
    /// Refuse it.
    #[default]
    Reject,
    /// Send it as a document, untouched.
    Document,
    /// Make a photo of it.
    Shrink,
}

impl Oversize {
    /// All there are.
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
        let chosen = fields.choice("oversize", &Self::ALL.map(|way| (way.as_str(), way)))?.unwrap_or_default();
        match (content, chosen) {
            (Content::Album, Self::Document) => Err(Rejection::invalid(
                "oversize",
                "cannot be document in an album, where documents go with documents only",
            )),
            _ => Ok(chosen),
        }
    }
}

/// Looks into the files of a draft, and does with its images what it wants done. Says what that was, if it was anything.
pub async fn fit(draft: &mut ValidatedRequest, spool: &Spool) -> Result<Option<Oversize>, Rejection> {
    let mut done = None;
    for at in 0..draft.media.len() {
        let place = place(draft, at);
        let way = look(&mut draft.media[at], draft.oversize, spool).await;
        let way = way.map_err(|rejection| rejection.of(&place))?;
        if way == Some(Oversize::Document) {
            as_document(draft);
        }
        done = done.or(way);
    }
    Ok(done)
}

/// The same rejection, which blames a file by the name that it has in the call, of the field that it stood in.
pub fn in_request(rejection: Rejection, places: &[(String, String)]) -> Rejection {
    let field = rejection.field.clone().unwrap_or_default();
    let found = places.iter().find_map(|(name, place)| Some((place, field.strip_prefix(name.as_str())?)));
    match found {
        Some((place, member)) if member.is_empty() || member.starts_with('.') => {
            rejection.of(&format!("{place}{member}"))
        }
        _ => rejection,
    }
}

/// The files of a draft: what each is called in the call, and where it stood in the request.
pub fn places(draft: &ValidatedRequest) -> Vec<(String, String)> {
    (0..draft.media.len()).map(|at| (draft.media[at].field.clone(), place(draft, at))).collect()
}

/// Where a file stood in the request.
fn place(draft: &ValidatedRequest, at: usize) -> String {
    let field = &draft.media[at].field;
    let name = field.trim_end_matches(|c: char| c.is_ascii_digit());
    let number = &field[name.len()..];
    match (name, draft.params.get("media")) {
        ("file", Some(Value::Object(input))) => input.get("type").and_then(Value::as_str).unwrap_or(name).to_owned(),
        ("file", Some(_)) => format!("album[{number}].media"),
        (name, Some(Value::Array(_))) => format!("album[{number}].{name}"),
        (name, _) => name.to_owned(),
    }
}

async fn look(piece: &mut Attachment, way: Oversize, spool: &Spool) -> Result<Option<Oversize>, Rejection> {
    let InputFile::Upload(upload) = &piece.input else { return Ok(None) };
    if piece.kind == MediaKind::Other && piece.field.starts_with("thumbnail") {
        return check_thumbnail(upload, spool).await.map(|()| None);
    }
    if piece.kind != MediaKind::Photo {
        return Ok(None);
    }
    let Err(rejection) = spool.verify_photo(upload).await else { return Ok(None) };
    match way {
        Oversize::Reject => Err(rejection),
        Oversize::Document => {
            check_oversize(&rejection, upload)?;
            spool.verify_whole(upload).await?;
            Ok(Some(way))
        }
        Oversize::Shrink => {
            check_oversize(&rejection, upload)?;
            let shrunk = spool.shrink(&upload.spooled().path).await?;
            piece.input = InputFile::Upload(shrunk);
            Ok(Some(way))
        }
    }
}

/// Passes images that are whole and merely no photos; gives the rejection of all others back.
fn check_oversize(rejection: &Rejection, upload: &Upload) -> Result<(), Rejection> {
    match rejection.code {
        ProblemCode::PhotoTooLarge | ProblemCode::ImageDimensions | ProblemCode::ImageRatio => Ok(()),
        // WebP and the like: anything else was refused as it came.
        ProblemCode::NotAnImage if upload.format().is_none() => Ok(()),
        _ => Err(rejection.clone()),
    }
}

async fn check_thumbnail(upload: &Upload, spool: &Spool) -> Result<(), Rejection> {
    let refuse = |why: String| Err(Rejection::field(ProblemCode::InvalidThumbnail, "thumbnail", why));
    if upload.format() != Some(ImageFormat::Jpeg) {
        return refuse("A thumbnail is a JPEG of up to 200 kB.".to_owned());
    }
    match spool.verify(upload).await {
        Ok(info) if info.width.max(info.height) > THUMBNAIL_SIDE => {
            refuse(format!("The thumbnail is {} x {}, and may be 320 x 320.", info.width, info.height))
        }
        Ok(_) => Ok(()),
        Err(rejection) => refuse(rejection.detail),
    }
}

/// Turns the photo of a draft, which is its only file, into a document.
fn as_document(draft: &mut ValidatedRequest) {
    let Some(piece) = draft.media.first_mut() else { return };
    piece.kind = MediaKind::Document;
    if let Some(Value::Object(input)) = draft.params.get_mut("media") {
        input.insert("type".to_owned(), Content::Document.field().into());
        without_visual(input);
        return;
    }
    piece.field = Content::Document.field().to_owned();
    draft.method = Content::Document.method().to_owned();
    without_visual(&mut draft.params);
}

/// A document has no spoiler, and no caption above it.
fn without_visual(params: &mut Map<String, Value>) {
    let lost = PARAMETERS.iter().filter(|p| p.is_of(Content::Photo) && !p.is_of(Content::Document));
    lost.for_each(|parameter| _ = params.remove(parameter.name));
}
