//! `/v1/notifications/{id}/edit` and `/delete`: changes of what has been sent.

use super::super::{Code, Fields, Files, Rejection};
use super::caller::Caller;
use super::notifications::{accept, id, record};
use super::problem::Problem;
use super::schema::{DeleteRequest, EditForm, EditRequest};
use super::view::AcceptedNotification;
use super::{Shared, request};
use crate::domain::{Record, Timestamp};
use crate::intake::change;
use actix_web::http::header;
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};

type Answer = Result<HttpResponse, Rejection>;

/// Edit what has been sent: a new file, caption, text or buttons.
///
/// The edit is a notification of its own, with its own id: it keeps the limits and the order of the chat, and can be asked
/// about. A new file takes the caption's place too, as Telegram has it: give the caption again if it is to stay.
#[utoipa::path(
    post, path = "/v1/notifications/{id}/edit", tag = "Notifications", security(("api_key" = [])),
    params(
        ("id" = String, Path, format = Uuid, description = "The id of the notification whose message is edited"),
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255, pattern = "^[!-~]+$", description = "1 to 255 visible ASCII characters, fresh for every edit"),
    ),
    request_body(content((EditRequest = "application/json"), (EditForm = "multipart/form-data"))),
    responses(
        (status = 202, body = AcceptedNotification, description = "Accepted, durably",
            headers(("Location" = String, description = "Where to ask what became of the edit"))),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "Something in the request is wrong; `code` and `field` say what"),
        (status = 401, body = Problem, content_type = "application/problem+json", description = "An API key is needed"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "There is no such notification (any more)"),
        (status = 408, body = Problem, content_type = "application/problem+json", description = "The body came too slowly"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "It has not been sent, or has no message that could be changed"),
        (status = 413, body = Problem, content_type = "application/problem+json", description = "The file or the body is too large"),
        (status = 415, body = Problem, content_type = "application/problem+json", description = "Neither JSON nor multipart/form-data"),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "The idempotency key was used with another request"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "A needed part is away; try again after Retry-After"),
        (status = 507, body = Problem, content_type = "application/problem+json", description = "No room; try again after Retry-After"),
    )
)]
pub async fn edit(
    request: HttpRequest,
    caller: Caller,
    path: Path<String>,
    payload: Payload,
    shared: Data<Shared>,
) -> Answer {
    let key = caller.idempotency_key(request.headers())?;
    let record = subject(&request, &path, &shared).await?;
    let (fields, files) = request::read(&request, payload, &shared).await?;
    let draft = change::edit(&record, fields, files, Timestamp::now())?;
    accept(&request, &shared, draft, key).await
}

/// Delete what has been sent.
///
/// The deletion is a notification of its own, with its own id. Telegram allows it for 48 hours. The body may be left out.
#[utoipa::path(
    post, path = "/v1/notifications/{id}/delete", tag = "Notifications", security(("api_key" = [])),
    params(
        ("id" = String, Path, format = Uuid, description = "The id of the notification whose message is deleted"),
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255, pattern = "^[!-~]+$", description = "1 to 255 visible ASCII characters, fresh for every deletion"),
    ),
    request_body(content = Option<DeleteRequest>, content_type = "application/json"),
    responses(
        (status = 202, body = AcceptedNotification, description = "Accepted, durably",
            headers(("Location" = String, description = "Where to ask what became of the deletion"))),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "Something in the request is wrong; `code` and `field` say what"),
        (status = 401, body = Problem, content_type = "application/problem+json", description = "An API key is needed"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "There is no such notification (any more)"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "It has not been sent, or has no message that could be deleted"),
        (status = 415, body = Problem, content_type = "application/problem+json", description = "Neither JSON nor multipart/form-data"),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "The idempotency key was used with another request"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "A needed part is away; try again after Retry-After"),
        (status = 507, body = Problem, content_type = "application/problem+json", description = "No room; try again after Retry-After"),
    )
)]
pub async fn delete(
    request: HttpRequest,
    caller: Caller,
    path: Path<String>,
    payload: Payload,
    shared: Data<Shared>,
) -> Answer {
    let key = caller.idempotency_key(request.headers())?;
    let record = subject(&request, &path, &shared).await?;
    let headers = request.headers();
    let length = headers.get(header::CONTENT_LENGTH).map(|length| length.as_bytes());
    let is_empty = length.map_or(!headers.contains_key(header::TRANSFER_ENCODING), |length| length == b"0");
    let (fields, files) = match is_empty {
        true => (Fields::json(), Files::default()),
        false => request::read(&request, payload, &shared).await?,
    };
    let draft = change::delete(&record, fields, &files, Timestamp::now())?;
    accept(&request, &shared, draft, key).await
}

/// The record of the notification that is to be changed.
async fn subject(request: &HttpRequest, path: &str, shared: &Shared) -> Result<Record, Rejection> {
    let record = record(shared, id(request, path)?).await?;
    if !shared.intake.has_bot(&record.notification.bot) {
        return Err(Rejection::field(Code::UnknownBot, "bot", "Its bot is no longer configured."));
    }
    Ok(record)
}
