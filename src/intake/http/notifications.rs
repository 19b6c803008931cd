//! `/v1/notifications`.

use super::super::{Code, Draft, Kept, Rejection, fingerprint};
use super::caller::Caller;
use super::problem::Problem;
use super::schema::{NotificationForm, NotificationRequest};
use super::view::{AcceptedNotification, Notification, NotificationPage};
use super::{Shared, query, request};
use crate::domain::{MediaSource, NotificationId, Record, Status, Timestamp};
use crate::intake::envelope::{DEFAULT_LIFE, Target};
use crate::intake::fit::{fit, in_request, places};
use crate::intake::recipient;
use crate::ports::{Cancelled, Idempotency, Resubmitted};
use actix_web::http::header;
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpMessage, HttpRequest, HttpResponse};

type Answer = Result<HttpResponse, Rejection>;

/// Send an image, another file, a text or an album.
///
/// Answered when the notification is on stable storage. With an `Idempotency-Key`, the same request may be sent again
/// for 24 hours: it gets the same answer and is delivered once.
#[utoipa::path(
    post, path = "/v1/notifications", tag = "Notifications", security(("api_key" = [])),
    params(("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255, pattern = "^[!-~]+$", description = "1 to 255 visible ASCII characters, fresh for every notification")),
    request_body(content((NotificationRequest = "application/json"), (NotificationForm = "multipart/form-data"))),
    responses(
        (status = 202, body = AcceptedNotification, description = "Accepted, durably",
            headers(("Location" = String, description = "Where to ask what became of it"))),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "Something in the request is wrong; `code` and `field` say what"),
        (status = 401, body = Problem, content_type = "application/problem+json", description = "An API key is needed"),
        (status = 408, body = Problem, content_type = "application/problem+json", description = "The body came too slowly"),
        (status = 413, body = Problem, content_type = "application/problem+json", description = "The image or the body is too large"),
        (status = 415, body = Problem, content_type = "application/problem+json", description = "Neither JSON nor multipart/form-data"),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "The idempotency key was used with another request"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "A needed part is away; try again after Retry-After"),
        (status = 507, body = Problem, content_type = "application/problem+json", description = "No room; try again after Retry-After"),
    )
)]
pub async fn create(request: HttpRequest, caller: Caller, payload: Payload, shared: Data<Shared>) -> Answer {
    let key = caller.idempotency_key(request.headers())?;
    let (fields, files) = request::read(&request, payload, &shared).await?;
    let draft = Draft::read(fields, files, Timestamp::now(), |bot| shared.intake.has_bot(bot))?;
    accept(&request, &shared, draft, key).await
}

/// Looks into the files of a draft and takes it in.
pub(super) async fn accept(request: &HttpRequest, shared: &Shared, mut draft: Draft, key: Option<String>) -> Answer {
    let idempotency = key.map(|key| Idempotency { key, fingerprint: fingerprint(&draft.canonical()) });
    let chat_id = match draft.to.clone() {
        Target::Chat(chat_id) => chat_id,
        Target::Recipient(address) => {
            let book = shared.recipients.clone();
            let bot = shared.settings.bots.get(&draft.bot).cloned().ok_or_else(recipient::unknown_bot)?;
            shared.run(async move { recipient::chat_of(&*book, &bot, &address).await }).await??
        }
    };
    let oversize = fit(&mut draft, shared.intake.spool()).await?;
    let places = places(&draft);
    let order = draft.order(chat_id)?;
    let intake = shared.intake.clone();
    let accepted = shared.run(async move { intake.accept(order, idempotency).await }).await?;
    let mut receipt = accepted.map_err(|rejection| in_request(rejection, &places))?;
    let id = receipt.accepted.id;
    if receipt.accepted.replayed && receipt.files.is_empty() {
        receipt.files.extend(files(record(shared, id).await.ok()));
    }
    request.extensions_mut().insert(id);
    Ok(HttpResponse::Accepted().insert_header(location(id)).json(AcceptedNotification::new(receipt, oversize)))
}

/// What became of it.
#[utoipa::path(
    get, path = "/v1/notifications/{id}", tag = "Notifications", security(("api_key" = [])),
    params(("id" = String, Path, format = Uuid, description = "The notification's id")),
    responses(
        (status = 200, body = Notification, description = "The notification as it stands"),
        (status = 401, body = Problem, content_type = "application/problem+json", description = "An API key is needed"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "There is no such notification (any more)"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "The ledger is away"),
    )
)]
pub async fn get(request: HttpRequest, _: Caller, path: Path<String>, shared: Data<Shared>) -> Answer {
    let record = record(&shared, id(&request, &path)?).await?;
    Ok(HttpResponse::Ok().json(Notification::from(record)))
}

/// List notifications, newest first.
#[utoipa::path(
    get, path = "/v1/notifications", tag = "Notifications", security(("api_key" = [])),
    params(
        ("status" = Option<Status>, Query, description = "Only this status"),
        ("bot" = Option<String>, Query, pattern = "^[a-z0-9_-]{1,64}$", description = "Only this bot"),
        ("limit" = Option<u16>, Query, minimum = 1, maximum = 1000, description = "At most so many; 50 if not given"),
        ("cursor" = Option<String>, Query, format = Uuid, description = "The next_cursor of the page before"),
    ),
    responses(
        (status = 200, body = NotificationPage, description = "A page"),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "A query parameter is wrong"),
        (status = 401, body = Problem, content_type = "application/problem+json", description = "An API key is needed"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "The ledger is away"),
    )
)]
pub async fn list(request: HttpRequest, _: Caller, shared: Data<Shared>) -> Answer {
    let query = query::list(request.query_string())?;
    let ledger = shared.ledger.clone();
    let page = shared.run(async move { ledger.list(&query).await }).await??;
    Ok(HttpResponse::Ok().json(NotificationPage::from(page)))
}

/// Cancel one that has not been sent. Again for one that is cancelled already is fine.
#[utoipa::path(
    delete, path = "/v1/notifications/{id}", tag = "Notifications", security(("api_key" = [])),
    params(("id" = String, Path, format = Uuid, description = "The notification's id")),
    responses(
        (status = 200, body = Notification, description = "It will not be sent"),
        (status = 401, body = Problem, content_type = "application/problem+json", description = "An API key is needed"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "There is no such notification (any more)"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "Too late: it is being sent, or has ended"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "The ledger is away"),
    )
)]
pub async fn cancel(request: HttpRequest, _: Caller, path: Path<String>, shared: Data<Shared>) -> Answer {
    let id = id(&request, &path)?;
    let ledger = shared.ledger.clone();
    match shared.run(async move { ledger.cancel(id, Timestamp::now()).await }).await?? {
        Cancelled::Done(record) => Ok(HttpResponse::Ok().json(Notification::from(*record))),
        Cancelled::NotFound => Err(no_such_notification()),
        Cancelled::TooLate(Status::Cancelled) => {
            Ok(HttpResponse::Ok().json(Notification::from(record(&shared, id).await?)))
        }
        Cancelled::TooLate(status) => {
            let why = if status == Status::Sending {
                "It is being sent at this moment".to_owned()
            } else {
                format!("It has ended as {}", status.as_str())
            };
            Err(Rejection::new(Code::TooLate, format!("{why}, so it cannot be cancelled.")))
        }
    }
}

/// Try a finished one again.
///
/// For one that has failed, expired, was cancelled, or is unknown. It keeps its id and lives for another 24 hours.
#[utoipa::path(
    post, path = "/v1/notifications/{id}/retry", tag = "Notifications", security(("api_key" = [])),
    params(("id" = String, Path, format = Uuid, description = "The notification's id")),
    responses(
        (status = 202, body = Notification, description = "It is on its way again, durably",
            headers(("Location" = String, description = "Where to ask what became of it"))),
        (status = 401, body = Problem, content_type = "application/problem+json", description = "An API key is needed"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "There is no such notification (any more)"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "It has been sent, or is still on its way"),
        (status = 410, body = Problem, content_type = "application/problem+json", description = "Its image is no longer held"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "A needed part is away; try again after Retry-After"),
        (status = 507, body = Problem, content_type = "application/problem+json", description = "No room; try again after Retry-After"),
    )
)]
pub async fn retry(request: HttpRequest, _: Caller, path: Path<String>, shared: Data<Shared>) -> Answer {
    let id = id(&request, &path)?;
    let record = record(&shared, id).await?;
    if !record.status.is_retryable() {
        return Err(not_retryable(record.status));
    }
    let mut notification = record.notification;
    if !shared.intake.has_bot(&notification.bot) {
        return Err(Rejection::field(Code::UnknownBot, "bot", "Its bot is no longer configured."));
    }
    for media in &notification.call.media {
        let MediaSource::Blob { sha256, .. } = media.source else { continue };
        let blobs = shared.blobs.clone();
        if shared.run(async move { blobs.stat(&sha256).await }).await??.is_none() {
            let detail = "The bytes of its image were swept after their retention. Send a new notification with them.";
            return Err(Rejection::new(Code::ImageGone, detail));
        }
    }
    let now = Timestamp::now();
    (notification.accepted_at, notification.expires_at) = (now, now.plus(DEFAULT_LIFE));
    // Nobody waits for it any more.
    (notification.send_at, notification.attempts, notification.reply_to) = (None, 0, None);
    let labels = (notification.bot.clone(), notification.lane);
    let acceptor = shared.acceptor.clone();
    match shared.run(async move { acceptor.resubmit(&notification).await }).await?? {
        Resubmitted::Done(record) => {
            shared.metrics.accepted.with_label_values(&[labels.0.as_str(), labels.1.as_str()]).inc();
            Ok(HttpResponse::Accepted().insert_header(location(id)).json(Notification::from(*record)))
        }
        Resubmitted::Refused(status) => Err(not_retryable(status)),
        Resubmitted::NotFound => Err(no_such_notification()),
    }
}

/// The files that a record names, as the first answer told them.
fn files(record: Option<Record>) -> Vec<Kept> {
    record.map(|record| record.notification.call.media.iter().filter_map(Kept::of).collect()).unwrap_or_default()
}

pub(super) async fn record(shared: &Shared, id: NotificationId) -> Result<Record, Rejection> {
    let ledger = shared.ledger.clone();
    shared.run(async move { ledger.get(id).await }).await??.ok_or_else(no_such_notification)
}

/// The id in the path, noted for the request's log line. What is no id names no notification.
pub(super) fn id(request: &HttpRequest, path: &str) -> Result<NotificationId, Rejection> {
    let id: NotificationId = path.parse().map_err(|_| no_such_notification())?;
    request.extensions_mut().insert(id);
    Ok(id)
}

fn location(id: NotificationId) -> (header::HeaderName, String) {
    (header::LOCATION, format!("/v1/notifications/{id}"))
}

fn no_such_notification() -> Rejection {
    Rejection::new(Code::NotificationNotFound, "There is no notification with this id, or its record was swept.")
}

fn not_retryable(status: Status) -> Rejection {
    let detail = format!(
        "It is {}; only one that has failed, expired, was cancelled or is unknown can be tried again.",
        status.as_str()
    );
    Rejection::new(Code::NotRetryable, detail)
}
