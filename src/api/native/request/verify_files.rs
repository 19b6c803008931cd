//! Verifies the files of a request: whether Telegram takes them as what they are to be sent as, and if not, does what
//! `oversize` asks for.

use super::content::Content;
use super::oversize::Oversize;
use super::parameters::PARAMETERS;
use super::validated_request::ValidatedRequest;
use crate::domain::{ImageFormat, MediaKind};
use crate::http::state::AppState;
use crate::intake::rejection::{ProblemCode, Rejection};
use crate::intake::send_request::{Attachment, InputFile};
use crate::intake::spool::{Spool, Upload};
use serde_json::{Map, Value};

/// The longer side of a thumbnail in pixels (Bot API).
const MAX_THUMBNAIL_SIDE_PIXELS: u32 = 320;

/// Verifies the files of a request, and turns a photo into a document or shrinks it if it is none. Returns which of the two
/// was done, if one was.
pub async fn verify_files(
    request: &mut ValidatedRequest,
    spool: &Spool,
    state: &AppState,
) -> Result<Option<Oversize>, Rejection> {
    let mut done = None;
    for at in 0..request.media.len() {
        let place = place(request, at);
        let handled = Box::pin(verify(&mut request.media[at], request.oversize, spool, state)).await;
        let handled = handled.map_err(|rejection| rejection.of(&place))?;
        if handled == Some(Oversize::Document) {
            turn_into_document(request);
        }
        done = done.or(handled);
    }
    Ok(done)
}

/// Makes a rejection that blames a file by its name in the call blame the field of the request that it stood in.
pub fn blame_request_field(rejection: Rejection, places: &[(String, String)]) -> Rejection {
    let field = rejection.field.clone().unwrap_or_default();
    let found = places.iter().find_map(|(name, place)| Some((place, field.strip_prefix(name.as_str())?)));
    match found {
        Some((place, member)) if member.is_empty() || member.starts_with('.') => {
            rejection.of(&format!("{place}{member}"))
        }
        _ => rejection,
    }
}

/// Of each file of a request its name in the call, and the field of the request that it stood in.
pub fn file_places(request: &ValidatedRequest) -> Vec<(String, String)> {
    (0..request.media.len()).map(|at| (request.media[at].field.clone(), place(request, at))).collect()
}

/// The field of the request that a file stood in.
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

/// Verifies one file, whether it came along or is named by its digest; an image that is no photo is shrunk if `oversize` asks
/// for that.
async fn verify(
    attachment: &mut Attachment,
    oversize: Oversize,
    spool: &Spool,
    state: &AppState,
) -> Result<Option<Oversize>, Rejection> {
    let is_thumbnail = attachment.kind == MediaKind::Other && attachment.field.starts_with("thumbnail");
    if !is_thumbnail && attachment.kind != MediaKind::Photo {
        return Ok(None);
    }
    let fetched;
    let upload = match &attachment.input {
        InputFile::Upload(upload) => upload,
        InputFile::Stored(sha256) => {
            if !is_thumbnail && matches!(spool.known_verdict(sha256), Some(Ok(_))) {
                return Ok(None);
            }
            let (sha256, field) = (*sha256, attachment.field.clone());
            let found = state.with_intake(|intake| async move { intake.fetch(&sha256, &field).await }).await?;
            // What is not held is for the intake to reject: the request may repeat one that was accepted when it was.
            let Some(found) = found else { return Ok(None) };
            fetched = found;
            &fetched
        }
        InputFile::Url(_) | InputFile::FileId(_) => return Ok(None),
    };
    if is_thumbnail {
        return verify_thumbnail(upload, spool).await.map(|()| None);
    }
    let Err(rejection) = spool.verify_photo(upload).await else { return Ok(None) };
    match oversize {
        Oversize::Reject => Err(rejection),
        Oversize::Document => {
            check_document(rejection, upload)?;
            spool.verify_whole(upload).await.or_else(|rejection| check_document(rejection, upload))?;
            Ok(Some(oversize))
        }
        Oversize::Shrink => {
            check_oversize(&rejection, upload)?;
            let shrunk = spool.shrink(upload).await?;
            attachment.input = InputFile::Upload(shrunk);
            Ok(Some(oversize))
        }
    }
}

/// Passes what is no photo of whatever kind; returns the rejection of what is damaged or empty, and that which says nothing
/// about the file.
fn check_document(rejection: Rejection, upload: &Upload) -> Result<(), Rejection> {
    match rejection.code {
        ProblemCode::NotAnImage if upload.spooled().size > 0 => Ok(()),
        ProblemCode::PhotoTooLarge | ProblemCode::ImageDimensions | ProblemCode::ImageRatio => Ok(()),
        _ => Err(rejection),
    }
}

/// Passes images that are undamaged and merely no photos; returns the rejection of all others.
fn check_oversize(rejection: &Rejection, upload: &Upload) -> Result<(), Rejection> {
    match rejection.code {
        ProblemCode::PhotoTooLarge | ProblemCode::ImageDimensions | ProblemCode::ImageRatio => Ok(()),
        // WebP can be shrunk, and of the others it is said better why not.
        ProblemCode::NotAnImage if upload.format().is_none() => Ok(()),
        _ => Err(rejection.clone()),
    }
}

/// Rejects a thumbnail that Telegram would ignore.
async fn verify_thumbnail(upload: &Upload, spool: &Spool) -> Result<(), Rejection> {
    let rejected = |why: String| Err(Rejection::field(ProblemCode::InvalidThumbnail, "thumbnail", why));
    if upload.format() != Some(ImageFormat::Jpeg) {
        return rejected("A thumbnail is a JPEG of up to 200 kB.".to_owned());
    }
    match spool.verify(upload).await {
        Ok(info) if info.width.max(info.height) > MAX_THUMBNAIL_SIDE_PIXELS => {
            rejected(format!("The thumbnail is {} x {}, and may be 320 x 320.", info.width, info.height))
        }
        Ok(_) => Ok(()),
        Err(rejection) => rejected(rejection.detail),
    }
}

/// Turns the photo of a request, which is its only file, into a document.
fn turn_into_document(request: &mut ValidatedRequest) {
    let Some(attachment) = request.media.first_mut() else { return };
    attachment.kind = MediaKind::Document;
    if let Some(Value::Object(input)) = request.params.get_mut("media") {
        input.insert("type".to_owned(), Content::Document.field().into());
        remove_photo_parameters(input);
        return;
    }
    attachment.field = Content::Document.field().to_owned();
    request.method = Content::Document.method().to_owned();
    remove_photo_parameters(&mut request.params);
}

/// Removes the parameters that a document does not have: the spoiler, and the caption above it.
fn remove_photo_parameters(params: &mut Map<String, Value>) {
    let lost = PARAMETERS.iter().filter(|p| p.is_of(Content::Photo) && !p.is_of(Content::Document));
    lost.for_each(|parameter| _ = params.remove(parameter.name));
}
