//! The handler of `/v1/images/{sha256}/content`: shows what a notification carries.

use super::problems::{InvalidQuery, NoSuchImage, Unauthorized, Unavailable};
use super::query;
use crate::domain::{ImageFormat, NotificationId, Sha256};
use crate::http::auth::ApiClient;
use crate::http::routing::HandlerResult;
use crate::http::state::AppState;
use crate::intake::rejection::{ProblemCode, Rejection};
use crate::settings::Scope;
use actix_web::body::SizedStream;
use actix_web::http::header;
use actix_web::web::{Bytes, Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::{StreamExt, stream};

/// Look at a stored file.
///
/// As the bytes say what it is: a picture to be shown, or any other file to be saved. A client that does not see everything names a
/// notification that it sees and that carries the file.
#[utoipa::path(
    get, operation_id = "get_image_content", path = "/v1/images/{sha256}/content", tag = "Images", security(("api_key" = [])),
    params(
        ("sha256" = String, Path, pattern = "^[0-9a-f]{64}$", description = "The SHA-256 of the file in hexadecimal"),
        ("notification" = Option<String>, Query, format = Uuid, description = "A notification that carries it"),
    ),
    responses(
        (status = 200, content_type = "*/*", description = "Its bytes"),
        InvalidQuery, Unauthorized, NoSuchImage, Unavailable,
    )
)]
pub async fn get(request: HttpRequest, caller: ApiClient, path: Path<String>, state: Data<AppState>) -> HandlerResult {
    caller.check_scope(&[Scope::Read, Scope::Manage])?;
    let unknown = || Rejection::new(ProblemCode::ImageNotFound, "The bytes of such an image are not here (any more).");
    let sha256: Sha256 = path.parse().map_err(|_| unknown())?;
    let given = query::read(request.query_string(), &["notification"])?;
    match given.get("notification") {
        Some(id) => check_carries(&caller, &state, id, &sha256).await?,
        None if caller.sees_all() => {}
        None => {
            let detail = "Name a notification of yours that carries it: ?notification=<id>.";
            return Err(Rejection::field(ProblemCode::InvalidQuery, "notification", detail));
        }
    }
    let opening = state.with_ports(|ports| async move {
        let Some((size, mut bytes)) = ports.blobs.open(&sha256).await? else { return Ok(None) };
        let first = bytes.next().await.unwrap_or(Ok(Bytes::new()))?;
        Ok::<_, Rejection>(Some((size, first, bytes)))
    });
    let (size, first, rest) = opening.await?.ok_or_else(unknown)?;
    let format = ImageFormat::sniff(&first);
    let (media_type, shown) = match format {
        Some(format) => (format.media_type(), format!("inline; filename=\"{}\"", format.filename())),
        None => ("application/octet-stream", "attachment; filename=\"file\"".to_owned()),
    };
    let bytes = stream::once(async { Ok(first) }).chain(rest);
    Ok(HttpResponse::Ok()
        .content_type(media_type)
        .insert_header((header::CONTENT_DISPOSITION, shown))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"))
        .insert_header((header::CACHE_CONTROL, "private, max-age=3600"))
        .body(SizedStream::new(size, bytes)))
}

/// Checks that the caller sees a notification and that it carries a file.
async fn check_carries(caller: &ApiClient, state: &AppState, id: &str, sha256: &Sha256) -> Result<(), Rejection> {
    let no_such = |_| Rejection::field(ProblemCode::InvalidQuery, "notification", "notification is an id.");
    let id: NotificationId = id.parse().map_err(no_such)?;
    let record = state.with_intake(|intake| async move { intake.record(id).await }).await?;
    caller.check_sees(&record.notification)?;
    let carries = record.notification.call.blobs().any(|carried| carried == sha256);
    let detail = "The notification does not carry such a file.";
    if carries { Ok(()) } else { Err(Rejection::new(ProblemCode::ImageNotFound, detail)) }
}
