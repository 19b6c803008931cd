//! The handlers of `/v1/notifications/{id}/edit` and `/delete`: changes of what has been sent.

use super::notifications::{accept, id_of_path};
use super::problems::{
    Invalid, KeyReused, NoRoom, NoSuchNotification, NotDeletable, NotEditable, NotJsonOrForm, TooLarge, TooSlow,
    Unauthorized, Unavailable,
};
use super::request::fields::Fields;
use super::request::uploaded_files::UploadedFiles;
use super::request::{body, change};
use super::schema::{DeleteRequest, EditForm, EditRequest};
use super::view::AcceptedNotification;
use crate::domain::{Record, Timestamp};
use crate::http::auth::ApiClient;
use crate::http::routing::HandlerResult;
use crate::http::state::AppState;
use crate::intake::rejection::Rejection;
use crate::settings::Scope;
use actix_web::HttpRequest;
use actix_web::http::header;
use actix_web::web::{Data, Path, Payload};

/// Edit what has been sent: a new file, caption, text or buttons.
///
/// The edit is a notification of its own, with its own id: it keeps the limits and the order of the chat, and can be asked
/// about. A new file takes the caption's place too, as Telegram has it: give the caption again if it is to stay.
#[utoipa::path(
    post, operation_id = "edit_message", path = "/v1/notifications/{id}/edit", tag = "Notifications", security(("api_key" = [])),
    params(
        ("id" = String, Path, format = Uuid, description = "The id of the notification whose message is edited"),
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255, pattern = "^[!-~]+$", description = "1 to 255 visible ASCII characters, fresh for every edit"),
    ),
    request_body(content(
        (EditRequest = "application/json"), (EditForm = "multipart/form-data"), (EditForm = "application/x-www-form-urlencoded"),
        (Vec<u8> = "image/*"), (Vec<u8> = "video/*"), (Vec<u8> = "audio/*"), (Vec<u8> = "application/octet-stream")
    ), description = "The fields; or the new file as it is, and the fields in the query"),
    responses(
        (status = 202, body = AcceptedNotification, description = "Accepted, durably",
            headers(("Location" = String, description = "Where to ask what became of the edit"))),
        Invalid, Unauthorized, NoSuchNotification, TooSlow, NotEditable, TooLarge, NotJsonOrForm, KeyReused, Unavailable, NoRoom,
    )
)]
pub async fn edit(
    request: HttpRequest,
    caller: ApiClient,
    path: Path<String>,
    payload: Payload,
    state: Data<AppState>,
) -> HandlerResult {
    let key = caller.idempotency_key(request.headers())?;
    let record = sent_record(&request, &caller, &path, &state).await?;
    let (fields, files) = body::read_with_query(&request, payload, &state).await?;
    let validated = change::edit(&record, fields, files, Timestamp::now())?;
    accept(&request, &caller, &state, validated, key).await
}

/// Delete what has been sent.
///
/// The deletion is a notification of its own, with its own id. Telegram allows it for 48 hours. The body may be left out.
#[utoipa::path(
    post, operation_id = "delete_message", path = "/v1/notifications/{id}/delete", tag = "Notifications", security(("api_key" = [])),
    params(
        ("id" = String, Path, format = Uuid, description = "The id of the notification whose message is deleted"),
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255, pattern = "^[!-~]+$", description = "1 to 255 visible ASCII characters, fresh for every deletion"),
    ),
    request_body(content = Option<DeleteRequest>, content_type = "application/json"),
    responses(
        (status = 202, body = AcceptedNotification, description = "Accepted, durably",
            headers(("Location" = String, description = "Where to ask what became of the deletion"))),
        Invalid, Unauthorized, NoSuchNotification, NotDeletable, NotJsonOrForm, KeyReused, Unavailable, NoRoom,
    )
)]
pub async fn delete(
    request: HttpRequest,
    caller: ApiClient,
    path: Path<String>,
    payload: Payload,
    state: Data<AppState>,
) -> HandlerResult {
    let key = caller.idempotency_key(request.headers())?;
    let record = sent_record(&request, &caller, &path, &state).await?;
    let headers = request.headers();
    let length = headers.get(header::CONTENT_LENGTH).map(|length| length.as_bytes());
    let is_empty = length.map_or(!headers.contains_key(header::TRANSFER_ENCODING), |length| length == b"0");
    let (fields, files) = match is_empty {
        true => (Fields::json(), UploadedFiles::default()),
        false => body::read_with_query(&request, payload, &state).await?,
    };
    let validated = change::delete(&record, fields, &files, Timestamp::now())?;
    accept(&request, &caller, &state, validated, key).await
}

/// The record of the notification that is to be changed; its bot must still be configured.
async fn sent_record(
    request: &HttpRequest,
    caller: &ApiClient,
    path: &str,
    state: &AppState,
) -> Result<Record, Rejection> {
    caller.check_scope(&[Scope::Send, Scope::Manage])?;
    let id = id_of_path(request, path)?;
    if !caller.sees_all() {
        let record = state.with_intake(|intake| async move { intake.record(id).await }).await?;
        caller.check_sees(&record.notification)?;
    }
    state.with_intake(|intake| async move { intake.record_of_configured_bot(id).await }).await
}
