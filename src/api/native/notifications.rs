//! The handlers of `/v1/notifications`.

use super::problems::{
    ImageGone, Invalid, KeyReused, LedgerAway, NoRoom, NoSuchNotification, NotJsonOrForm, NotRetryable, TooLarge,
    TooLate, TooSlow, Unauthorized, Unavailable,
};
use super::request::body;
use super::request::send_options::Destination;
use super::request::validated_request::ValidatedRequest;
use super::request::verify_files::{blame_request_field, file_places, verify_files};
use super::schema::{NotificationForm, NotificationRequest};
use super::view::{AcceptedNotification, NotificationView};
use super::wait;
use crate::domain::{ChatId, NotificationId, Record, Status, Timestamp};
use crate::http::access_log::Replayed;
use crate::http::auth::ApiClient;
use crate::http::caller::spool_for;
use crate::http::client_trace::ClientTrace;
use crate::http::routing::HandlerResult;
use crate::http::state::AppState;
use crate::intake::StoredFile;
use crate::intake::fingerprint::fingerprint;
use crate::intake::rejection::{ProblemCode, Rejection};
use crate::intake::send_request::SendRequest;
use crate::ports::{Cancelled, Idempotency, LedgerError};
use crate::settings::Scope;
use actix_web::http::header;
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use tokio::sync::Semaphore;

/// How many texts are split at a time: each takes some megabytes while it is.
const MAX_CONCURRENT_SPLITS: usize = 2;

/// Send an image, another file, a text or an album.
///
/// Answered when the notification is on stable storage. With an `Idempotency-Key`, the same request may be sent again
/// for 24 hours: it gets the same answer, with the present status, and is delivered once.
#[utoipa::path(
    post, operation_id = "create_notification", path = "/v1/notifications", tag = "Notifications", security(("api_key" = [])),
    params(
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255, pattern = "^[!-~]+$", description = "1 to 255 visible ASCII characters, fresh for every notification"),
        ("chat_id" = Option<String>, Query, description = "With any body but JSON: the chat; every other field may stand in the query too"),
        ("wait" = Option<u8>, Query, maximum = 60, description = "The field `wait`; with JSON it may stand here too"),
    ),
    request_body(content(
        (NotificationRequest = "application/json"), (NotificationForm = "multipart/form-data"), (NotificationForm = "application/x-www-form-urlencoded"),
        (Vec<u8> = "image/*"), (Vec<u8> = "video/*"), (Vec<u8> = "audio/*"), (Vec<u8> = "application/octet-stream")
    ), description = "The fields; or the file as it is, and the fields in the query"),
    responses(
        (status = 200, body = NotificationView, description = "With `wait`: it has ended, so or so"),
        (status = 202, body = AcceptedNotification, description = "Accepted, durably",
            headers(
                ("Location" = String, description = "Where to ask what became of it"),
                ("Idempotent-Replayed" = Option<bool>, description = "`true` if the key was used before: nothing new was accepted"),
            )),
        Invalid, Unauthorized, TooSlow, TooLarge, NotJsonOrForm, KeyReused, Unavailable, NoRoom,
    )
)]
pub async fn create(request: HttpRequest, caller: ApiClient, payload: Payload, state: Data<AppState>) -> HandlerResult {
    caller.check_scope(&[Scope::Send])?;
    let key = caller.idempotency_key(request.headers())?;
    let (fields, files) = body::read_with_query(&request, payload, &state).await?;
    let validated = ValidatedRequest::read(fields, files, Timestamp::now(), |bot| state.intake.has_bot(bot))?;
    accept(&request, &caller, &state, validated, key).await
}

/// Send a file as `curl -T` puts it.
///
/// The body is the image (or the video or audio, if `Content-Type` says so) and the fields stand in the query. Otherwise it
/// is the same as `POST`: every request is a notification of its own, unless an `Idempotency-Key` makes it the same one.
#[utoipa::path(
    put, operation_id = "put_notification", path = "/v1/notifications", tag = "Notifications", security(("api_key" = [])),
    params(
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255, pattern = "^[!-~]+$", description = "1 to 255 visible ASCII characters, fresh for every notification"),
        ("chat_id" = Option<String>, Query, description = "The chat"),
        ("caption" = Option<String>, Query, description = "The caption; every other field of a form may stand in the query too"),
    ),
    request_body(content(
        (Vec<u8> = "image/*"), (Vec<u8> = "video/*"), (Vec<u8> = "audio/*"), (Vec<u8> = "application/octet-stream")
    ), description = "The file as it is; without a `Content-Type` it is an image"),
    responses(
        (status = 200, body = NotificationView, description = "With `wait`: it has ended, so or so"),
        (status = 202, body = AcceptedNotification, description = "Accepted, durably",
            headers(
                ("Location" = String, description = "Where to ask what became of it"),
                ("Idempotent-Replayed" = Option<bool>, description = "`true` if the key was used before: nothing new was accepted"),
            )),
        Invalid, Unauthorized, TooSlow, TooLarge, NotJsonOrForm, KeyReused, Unavailable, NoRoom,
    )
)]
pub async fn put_file(
    request: HttpRequest,
    caller: ApiClient,
    payload: Payload,
    state: Data<AppState>,
) -> HandlerResult {
    create(request, caller, payload, state).await
}

/// What was accepted, and what is told of it.
pub(super) struct TakenIn {
    id: NotificationId,
    is_replayed: bool,
    pub(super) view: AcceptedNotification,
}

/// Verifies the files of a checked request and accepts it, and waits for the outcome as long as its caller wants to.
pub(super) async fn accept(
    request: &HttpRequest,
    caller: &ApiClient,
    state: &AppState,
    validated: ValidatedRequest,
    key: Option<String>,
) -> HandlerResult {
    let patience = validated.options.wait;
    let TakenIn { id, is_replayed, view } = take_in(request, caller, state, validated, key).await?;
    if is_replayed {
        request.extensions_mut().insert(Replayed);
    }
    request.extensions_mut().insert(id);
    if !patience.is_zero()
        && let Some(record) = wait::for_end(state, id, patience).await
    {
        return Ok(HttpResponse::Ok().insert_header(location(id)).json(NotificationView::from(record)));
    }
    Ok(HttpResponse::Accepted().insert_header(location(id)).json(view))
}

/// Verifies the files of a checked request and accepts it.
pub(super) async fn take_in(
    request: &HttpRequest,
    caller: &ApiClient,
    state: &AppState,
    mut validated: ValidatedRequest,
    key: Option<String>,
) -> Result<TakenIn, Rejection> {
    caller.check_bot(&validated.bot)?;
    state.intake.check_callback(validated.options.callback_url.as_ref(), caller.named().map(AsRef::as_ref))?;
    let idempotency = key.map(|key| Idempotency { key, fingerprint: fingerprint(&validated.canonical()) });
    let chat_id = match validated.destination.clone() {
        Destination::Chat(chat_id) => chat_id,
        Destination::Recipient(address) => {
            let bot = validated.bot.clone();
            state.with_intake(|intake| async move { intake.chat_of(&bot, &address).await }).await?
        }
    };
    let oversize = verify_files(&mut validated, &spool_for(request, state), state).await?;
    let places = file_places(&validated);
    let mut send_request = send_request(state, validated, chat_id).await?;
    send_request.client = caller.named().cloned();
    send_request.hold = body::take_room(request);
    let accepted = state.with_intake(|intake| async move { intake.accept(send_request, idempotency).await }).await;
    ClientTrace::note(request, &accepted);
    let mut acceptance = accepted.map_err(|rejection| blame_request_field(rejection, &places))?;
    let id = acceptance.accepted.id;
    if acceptance.accepted.replayed {
        // Without it, the status of the first response.
        if let Ok(record) = record(state, id).await {
            acceptance.accepted.status = record.status;
            if acceptance.files.is_empty() {
                acceptance.files = stored_files(&record);
            }
        }
    }
    let is_replayed = acceptance.accepted.replayed;
    Ok(TakenIn { id, is_replayed, view: AcceptedNotification::new(acceptance, oversize) })
}

/// What intake is asked to do. A text that is split is work for another thread, and for few at a time.
async fn send_request(
    state: &AppState,
    validated: ValidatedRequest,
    chat_id: ChatId,
) -> Result<SendRequest, Rejection> {
    static SPLITS: Semaphore = Semaphore::const_new(MAX_CONCURRENT_SPLITS);
    if !validated.split {
        return validated.into_send_request(chat_id);
    }
    let turn = SPLITS.acquire().await;
    let splitting = move || {
        // Held to the end of the work, which goes on when the caller has gone.
        let _turn = turn;
        validated.into_send_request(chat_id)
    };
    state.run_blocking(splitting).await?
}

/// What became of it.
#[utoipa::path(
    get, operation_id = "get_notification", path = "/v1/notifications/{id}", tag = "Notifications", security(("api_key" = [])),
    params(("id" = String, Path, format = Uuid, description = "The notification's id")),
    responses(
        (status = 200, body = NotificationView, description = "The notification as it stands"),
        Unauthorized, NoSuchNotification, LedgerAway,
    )
)]
pub async fn get(request: HttpRequest, caller: ApiClient, path: Path<String>, state: Data<AppState>) -> HandlerResult {
    caller.check_scope(&[Scope::Read, Scope::Manage])?;
    let record = record(&state, id_of_path(&request, &path)?).await?;
    caller.check_sees(&record.notification)?;
    Ok(HttpResponse::Ok().json(NotificationView::with_pauses(record, &state.pauses())))
}

/// Cancel one that has not been sent. Again for one that is cancelled already is fine.
#[utoipa::path(
    delete, operation_id = "cancel_notification", path = "/v1/notifications/{id}", tag = "Notifications", security(("api_key" = [])),
    params(("id" = String, Path, format = Uuid, description = "The notification's id")),
    responses(
        (status = 200, body = NotificationView, description = "It will not be sent"),
        Unauthorized, NoSuchNotification, TooLate, LedgerAway,
    )
)]
pub async fn cancel(
    request: HttpRequest,
    caller: ApiClient,
    path: Path<String>,
    state: Data<AppState>,
) -> HandlerResult {
    caller.check_scope(&[Scope::Send, Scope::Manage])?;
    let id = id_of_path(&request, &path)?;
    if !caller.sees_all() {
        caller.check_sees(&record(&state, id).await?.notification)?;
    }
    let cancelling = state.with_intake(|intake| async move {
        intake.cancel(id).await.map_err(|LedgerError::Unavailable(reason)| {
            let detail = "The ledger did not answer, so it may have been cancelled or not. Repeat the request.";
            Rejection::unconfirmed(&reason, detail)
        })
    });
    match cancelling.await? {
        Cancelled::Done(record) => Ok(HttpResponse::Ok().json(NotificationView::from(*record))),
        Cancelled::NotFound => Err(Rejection::no_such_notification()),
        Cancelled::TooLate(Status::Cancelled) => {
            Ok(HttpResponse::Ok().json(NotificationView::from(record(&state, id).await?)))
        }
        Cancelled::TooLate(status) => {
            let why = if status == Status::Sending {
                "It is being sent at this moment".to_owned()
            } else {
                format!("It has ended as {}", status.as_str())
            };
            Err(Rejection::new(ProblemCode::TooLate, format!("{why}, so it cannot be cancelled.")))
        }
    }
}

/// Try a finished one again.
///
/// For one that has failed, expired, was cancelled, or is unknown. It keeps its id and lives for another 24 hours.
#[utoipa::path(
    post, operation_id = "retry_notification", path = "/v1/notifications/{id}/retry", tag = "Notifications", security(("api_key" = [])),
    params(("id" = String, Path, format = Uuid, description = "The notification's id")),
    responses(
        (status = 202, body = NotificationView, description = "It is on its way again, durably",
            headers(("Location" = String, description = "Where to ask what became of it"))),
        Unauthorized, NoSuchNotification, NotRetryable, ImageGone, Unavailable, NoRoom,
    )
)]
pub async fn retry(
    request: HttpRequest,
    caller: ApiClient,
    path: Path<String>,
    state: Data<AppState>,
) -> HandlerResult {
    caller.check_scope(&[Scope::Send, Scope::Manage])?;
    let id = id_of_path(&request, &path)?;
    if !caller.sees_all() {
        let notification = record(&state, id).await?.notification;
        caller.check_sees(&notification)?;
        caller.check_bot(&notification.bot)?;
    }
    let record = state.with_intake(|intake| async move { intake.retry(id).await }).await?;
    Ok(HttpResponse::Accepted()
        .insert_header(location(id))
        .json(NotificationView::with_pauses(record, &state.pauses())))
}

/// The files of a record whose bytes are with us, as the first response listed them.
fn stored_files(record: &Record) -> Vec<StoredFile> {
    record.notification.call.media.iter().filter_map(StoredFile::of).collect()
}

async fn record(state: &AppState, id: NotificationId) -> Result<Record, Rejection> {
    state.with_intake(|intake| async move { intake.record(id).await }).await
}

/// The id in a path, noted for the access log. What is no id names no notification.
pub(super) fn id_of_path(request: &HttpRequest, path: &str) -> Result<NotificationId, Rejection> {
    let id: NotificationId = path.parse().map_err(|_| Rejection::no_such_notification())?;
    request.extensions_mut().insert(id);
    Ok(id)
}

fn location(id: NotificationId) -> (header::HeaderName, String) {
    (header::LOCATION, format!("/v1/notifications/{id}"))
}
