//! Reads a request's body into fields and files, whether it is JSON, a form, or a file as it is.

use super::fields::Fields;
use super::uploaded_files::UploadedFiles;
use super::{json, multipart, url_encoded};
use crate::http::body::{Body, content_type};
use crate::http::caller::spool_for;
use crate::http::state::AppState;
use crate::intake::rejection::{ProblemCode, Rejection};
use crate::intake::spool::Spool;
use actix_web::http::Method;
use actix_web::web::Payload;
use actix_web::{HttpMessage, HttpRequest};
use futures_util::StreamExt;
use serde_json::Value;
use tokio::sync::OwnedSemaphorePermit;

/// What a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BodyKind {
    Json,
    Multipart,
    UrlEncoded,
    /// The file of this field.
    File(&'static str),
}

/// Reads a body that must be JSON or a form with files; those are spooled to disk as they arrive.
pub async fn read(
    request: &HttpRequest,
    payload: Payload,
    state: &AppState,
) -> Result<(Fields, UploadedFiles), Rejection> {
    let body = |payload: Payload| Body::new(request, payload.into_inner(), state.settings.body_limit);
    let spool = spool_for(request, state);
    match kind(&content_type(request), request.method()) {
        Some(BodyKind::Json) => {
            let (document, files) = json::read(body(payload)?, &spool).await?;
            hold_room(request, state, document.len()).await;
            Ok((json::fields(&document)?, files))
        }
        Some(BodyKind::Multipart) => {
            let (fields, files) = Box::pin(multipart::read(request, body(payload)?, &spool, Fields::form())).await?;
            hold_room(request, state, fields.text_bytes()).await;
            Ok((fields, files))
        }
        _ => Err(unsupported()),
    }
}

/// Waits until there is memory for what so many bytes become, and holds it for as long as the request lasts.
async fn hold_room(request: &HttpRequest, state: &AppState, bytes: usize) {
    let room = state.documents.room_for(bytes).await;
    request.extensions_mut().insert(Room(room));
}

/// Takes over what a request holds of that memory, for work that goes on when its caller has gone.
pub fn take_room(request: &HttpRequest) -> Option<OwnedSemaphorePermit> {
    request.extensions_mut().remove::<Room>().and_then(|Room(room)| room)
}

/// Memory for the document of a request, among its extensions.
struct Room(Option<OwnedSemaphorePermit>);

/// The same for a body that may also be a form without files, or a file as it is. With each of them but JSON, which has
/// them all in the body, fields may stand in the query.
pub async fn read_with_query(
    request: &HttpRequest,
    payload: Payload,
    state: &AppState,
) -> Result<(Fields, UploadedFiles), Rejection> {
    let kind = kind(&content_type(request), request.method()).ok_or_else(unsupported)?;
    if kind == BodyKind::Json {
        let (mut fields, files) = read(request, payload, state).await?;
        add_wait(request.query_string(), &mut fields)?;
        return Ok((fields, files));
    }
    let body = Body::new(request, payload.into_inner(), state.settings.body_limit)?;
    let (mut fields, spool) = (Fields::form(), spool_for(request, state));
    url_encoded::add_pairs(request.query_string().as_bytes(), &mut fields)?;
    let (fields, files) = match kind {
        BodyKind::UrlEncoded => url_encoded::read(body, fields).await?,
        BodyKind::File(field) => {
            let may_be_anything = field != "photo" || fields.has("oversize");
            (fields, Box::pin(file(body, field, may_be_anything, &spool)).await?)
        }
        BodyKind::Json | BodyKind::Multipart => Box::pin(multipart::read(request, body, &spool, fields)).await?,
    };
    hold_room(request, state, fields.text_bytes()).await;
    Ok((fields, files))
}

/// Beside JSON, the query may say how long to wait.
fn add_wait(query: &str, fields: &mut Fields) -> Result<(), Rejection> {
    let Some(seconds) = query.split('&').find_map(|pair| pair.strip_prefix("wait=")) else { return Ok(()) };
    fields.insert("wait", seconds.parse::<i64>().map_or_else(|_| seconds.into(), Value::from))
}

/// What a body of a media type is, if it is something that can be read. Without a type it is a file if it is put, as
/// `curl -T` does.
fn kind(media_type: &str, method: &Method) -> Option<BodyKind> {
    match media_type {
        "application/json" => Some(BodyKind::Json),
        "multipart/form-data" => Some(BodyKind::Multipart),
        "application/x-www-form-urlencoded" => Some(BodyKind::UrlEncoded),
        "application/octet-stream" => Some(BodyKind::File("photo")),
        "" if *method == Method::PUT => Some(BodyKind::File("photo")),
        _ => match media_type.split_once('/')?.0 {
            "image" => Some(BodyKind::File("photo")),
            "video" => Some(BodyKind::File("video")),
            "audio" => Some(BodyKind::File("audio")),
            _ => None,
        },
    }
}

fn unsupported() -> Rejection {
    Rejection::field(
        ProblemCode::UnsupportedMediaType,
        "Content-Type",
        "Send multipart/form-data with the file as a part, photo for an image; or application/json; or the image itself \
         as image/png and the like, with chat_id in the query.",
    )
}

/// Spools a body that is a file. One that must be a photo is rejected by its first bytes if it is none.
async fn file(mut body: Body, field: &str, may_be_anything: bool, spool: &Spool) -> Result<UploadedFiles, Rejection> {
    let mut files = UploadedFiles::default();
    let mut writer = if may_be_anything { files.begin(field, spool)? } else { spool.begin() };
    while let Some(piece) = body.pieces.next().await {
        writer.write(&piece.map_err(|_| body.error.rejection())?)?;
    }
    files.add(field.to_owned(), writer.finish().await?, None);
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_what_its_type_says() {
        for (media_type, expected) in [
            ("application/json", Some(BodyKind::Json)),
            ("multipart/form-data", Some(BodyKind::Multipart)),
            ("application/x-www-form-urlencoded", Some(BodyKind::UrlEncoded)),
            ("application/octet-stream", Some(BodyKind::File("photo"))),
            ("image/x-whatever", Some(BodyKind::File("photo"))),
            ("video/mp4", Some(BodyKind::File("video"))),
            ("audio/mpeg", Some(BodyKind::File("audio"))),
            ("text/plain", None),
            ("multipart/mixed", None),
            ("image", None),
            ("", None),
        ] {
            assert_eq!(kind(media_type, &Method::POST), expected, "{media_type}");
        }
        assert_eq!(kind("", &Method::PUT), Some(BodyKind::File("photo")));
    }
}
