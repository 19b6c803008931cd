//! A look into the files of a request: whether Telegram takes them as what they are to be, and what else can be done.

use crate::api::native::request::content::Content;
use crate::api::native::request::oversize::Oversize;
use crate::api::native::request::parameters::PARAMETERS;
use crate::api::native::request::validated_request::ValidatedRequest;
use crate::domain::{ImageFormat, MediaKind};
use crate::intake::rejection::{ProblemCode, Rejection};
use crate::intake::send_request::{Attachment, InputFile};
use crate::intake::spool::{Spool, Upload};
use serde_json::{Map, Value};

/// The longer side of a thumbnail in pixels (Bot API).
const THUMBNAIL_SIDE: u32 = 320;

/// Looks into the files of a request, and does with its images what it wants done. Says what that was, if it was anything.
pub async fn fit(request: &mut ValidatedRequest, spool: &Spool) -> Result<Option<Oversize>, Rejection> {
    let mut done = None;
    for at in 0..request.media.len() {
        let place = place(request, at);
        let way = check(&mut request.media[at], request.oversize, spool).await;
        let way = way.map_err(|rejection| rejection.of(&place))?;
        if way == Some(Oversize::Document) {
            as_document(request);
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

/// The files of a request: what each is called in the call, and where it stood in the request.
pub fn places(request: &ValidatedRequest) -> Vec<(String, String)> {
    (0..request.media.len()).map(|at| (request.media[at].field.clone(), place(request, at))).collect()
}

/// Where a file stood in the request.
fn place(request: &ValidatedRequest, at: usize) -> String {
    let field = &request.media[at].field;
    let name = field.trim_end_matches(|c: char| c.is_ascii_digit());
    let number = &field[name.len()..];
    match (name, request.params.get("media")) {
        ("file", Some(Value::Object(input))) => input.get("type").and_then(Value::as_str).unwrap_or(name).to_owned(),
        ("file", Some(_)) => format!("album[{number}].media"),
        (name, Some(Value::Array(_))) => format!("album[{number}].{name}"),
        (name, _) => name.to_owned(),
    }
}

async fn check(attachment: &mut Attachment, way: Oversize, spool: &Spool) -> Result<Option<Oversize>, Rejection> {
    let InputFile::Upload(upload) = &attachment.input else { return Ok(None) };
    if attachment.kind == MediaKind::Other && attachment.field.starts_with("thumbnail") {
        return check_thumbnail(upload, spool).await.map(|()| None);
    }
    if attachment.kind != MediaKind::Photo {
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
            attachment.input = InputFile::Upload(shrunk);
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

/// Turns the photo of a request, which is its only file, into a document.
fn as_document(request: &mut ValidatedRequest) {
    let Some(attachment) = request.media.first_mut() else { return };
    attachment.kind = MediaKind::Document;
    if let Some(Value::Object(input)) = request.params.get_mut("media") {
        input.insert("type".to_owned(), Content::Document.field().into());
        without_visual(input);
        return;
    }
    attachment.field = Content::Document.field().to_owned();
    request.method = Content::Document.method().to_owned();
    without_visual(&mut request.params);
}

/// A document has no spoiler, and no caption above it.
fn without_visual(params: &mut Map<String, Value>) {
    let lost = PARAMETERS.iter().filter(|p| p.is_of(Content::Photo) && !p.is_of(Content::Document));
    lost.for_each(|parameter| _ = params.remove(parameter.name));
}
