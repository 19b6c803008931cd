//! The handler of `/v1/notifications/batch`.

use super::batch_items::{BatchItems, ITEM_LIMIT_BYTES};
use super::notifications::take_in;
use super::problems::{BodyTooLarge, Invalid, NotNdjson, TooSlow, Unauthorized};
use super::request::json;
use super::request::uploaded_files::UploadedFiles;
use super::request::validated_request::ValidatedRequest;
use super::view::AcceptedNotification;
use crate::domain::Timestamp;
use crate::http::auth::ApiClient;
use crate::http::body::{Body, content_type};
use crate::http::problem;
use crate::http::routing::HandlerResult;
use crate::http::state::AppState;
use crate::intake::rejection::{ProblemCode, Rejection};
use crate::settings::Scope;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::StreamExt;
use futures_util::future::join_all;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// The most notifications in one body.
const MAX_ITEMS: usize = 1_000;
/// How many are accepted at the same time; more do not become quicker.
const MAX_AT_ONCE: usize = 32;
/// Of these no more than so many bytes.
const MAX_BYTES_AT_ONCE: usize = ITEM_LIMIT_BYTES / 2;

/// What became of each item of a batch.
#[derive(Serialize, ToSchema)]
pub struct BatchView {
    /// How many were accepted, durably.
    accepted: usize,
    /// How many were refused.
    refused: usize,
    /// One for each item that was read, in their order.
    results: Vec<BatchResult>,
    /// What ended the batch before its end: no item behind the last result was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>, nullable = false)]
    problem: Option<Value>,
}

/// What became of one item.
#[derive(Serialize, ToSchema)]
pub struct BatchResult {
    /// Its place, from 0.
    index: usize,
    /// What a request of its own would be answered with.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    notification: Option<AcceptedNotification>,
    /// Why it was refused, as a problem document.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>, nullable = false)]
    problem: Option<Value>,
}

/// Send up to 1,000 notifications.
///
/// As an array, or one on each line (NDJSON), which are read and accepted as they come. Each is what a request of its own would
/// hold, without files in it: an image is put once (`PUT /v1/images`) and named by all (`{"sha256": "..."}`). Each has a result
/// of its own; those for one chat are accepted in their order. With an `Idempotency-Key`, the same batch may be sent again: what was accepted
/// before is not accepted again.
#[utoipa::path(
    post, operation_id = "create_notifications", path = "/v1/notifications/batch", tag = "Many at once", security(("api_key" = [])),
    params(("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255, pattern = "^[!-~]+$", description = "1 to 255 visible ASCII characters, fresh for every batch")),
    request_body(content((Vec<Object> = "application/json"), (String = "application/x-ndjson")), description = "The notifications"),
    responses(
        (status = 200, body = BatchView, description = "What became of each"),
        Invalid, Unauthorized, TooSlow, BodyTooLarge, NotNdjson,
    )
)]
pub async fn create(request: HttpRequest, caller: ApiClient, payload: Payload, state: Data<AppState>) -> HandlerResult {
    caller.check_scope(&[Scope::Send])?;
    let items = match content_type(&request).as_str() {
        "application/json" => BatchItems::of_array(),
        "application/x-ndjson" | "application/jsonl" => BatchItems::of_lines(),
        _ => {
            let detail =
                "The body is an array of JSON objects (application/json), or one on each line (application/x-ndjson).";
            return Err(Rejection::field(ProblemCode::UnsupportedMediaType, "Content-Type", detail));
        }
    };
    let key = caller.idempotency_key(request.headers())?;
    let limit = (MAX_ITEMS * ITEM_LIMIT_BYTES) as u64;
    let body = Body::new(&request, payload.into_inner(), limit)?;
    let mut batch = Batch { request: &request, caller: &caller, state: &state, key, results: Vec::new() };
    let ended = batch.take(items, body).await;
    if let (Err(rejection), true) = (&ended, batch.results.is_empty()) {
        return Err(rejection.clone());
    }
    let accepted = batch.results.iter().filter(|result| result.notification.is_some()).count();
    let (refused, results) = (batch.results.len() - accepted, batch.results);
    let problem = ended.err().map(|rejection| problem::value(&rejection));
    Ok(HttpResponse::Ok().json(BatchView { accepted, refused, results, problem }))
}

struct Batch<'a> {
    request: &'a HttpRequest,
    caller: &'a ApiClient,
    state: &'a AppState,
    key: Option<String>,
    results: Vec<BatchResult>,
}

impl Batch<'_> {
    /// Accepts items as they come. What is behind those that are worked on is not read meanwhile.
    async fn take(&mut self, mut items: BatchItems, mut body: Body) -> Result<(), Rejection> {
        let mut whole = Vec::new();
        while let Some(piece) = body.pieces.next().await {
            let piece = piece.map_err(|_| body.error.rejection())?;
            let split = items.push(&piece, &mut whole);
            let bytes: usize = whole.iter().map(Vec::len).sum();
            if split.is_err() || whole.len() >= MAX_AT_ONCE || bytes >= MAX_BYTES_AT_ONCE {
                self.accept_all(std::mem::take(&mut whole)).await?;
            }
            split?;
        }
        self.accept_all(whole).await?;
        items.finish()
    }

    async fn accept_all(&mut self, items: Vec<Vec<u8>>) -> Result<(), Rejection> {
        let mut rest = items.as_slice();
        while !rest.is_empty() {
            let room = MAX_ITEMS - self.results.len();
            if room == 0 {
                let detail = format!("A batch has {MAX_ITEMS} items at the most: send the others in another.");
                return Err(Rejection::new(ProblemCode::BodyTooLarge, detail));
            }
            let (now, later) = rest.split_at(rest.len().min(MAX_AT_ONCE).min(room));
            self.accept_some(now).await;
            rest = later;
        }
        Ok(())
    }

    /// Accepts these at the same time, but for those of one chat, which go one after the other.
    async fn accept_some(&mut self, items: &[Vec<u8>]) {
        // Held while the values of the documents are in memory.
        let _room = self.state.documents.room_for(items.iter().map(Vec::len).sum()).await;
        let first = self.results.len();
        let mut round = Vec::new();
        for (place, item) in items.iter().enumerate() {
            let read = self.read(item);
            let is_taken = |chat| {
                round.iter().any(|(_, other): &(usize, Result<ValidatedRequest, _>)| {
                    other.as_ref().is_ok_and(|other| other.destination == chat)
                })
            };
            if read.as_ref().is_ok_and(|read| is_taken(read.destination.clone())) {
                self.accept_round(std::mem::take(&mut round)).await;
            }
            round.push((first + place, read));
        }
        self.accept_round(round).await;
    }

    fn read(&self, item: &[u8]) -> Result<ValidatedRequest, Rejection> {
        let fields = json::fields(item)?;
        let is_bot = |bot: &_| self.state.intake.has_bot(bot);
        let validated = ValidatedRequest::read(fields, UploadedFiles::default(), Timestamp::now(), is_bot);
        let validated = validated.map_err(|rejection| match &rejection.field {
            Some(field) if field.ends_with(".base64") => {
                let advice =
                    "is not for an item of a batch: put the image once (PUT /v1/images), and name it by its sha256";
                Rejection::invalid(field, advice)
            }
            _ => rejection,
        })?;
        if !validated.options.wait.is_zero() {
            return Err(Rejection::invalid("wait", "is not for an item of a batch"));
        }
        Ok(validated)
    }

    async fn accept_round(&mut self, round: Vec<(usize, Result<ValidatedRequest, Rejection>)>) {
        let accepting = round.into_iter().map(|(index, read)| {
            // No key of a caller has a space in it.
            let key = self.key.as_ref().map(|key| format!("{key} {index}"));
            let (request, caller, state) = (self.request, self.caller, self.state);
            async move {
                let taken = match read {
                    Ok(validated) => take_in(request, caller, state, validated, key).await,
                    Err(rejection) => Err(rejection),
                };
                match taken {
                    Ok(taken) => BatchResult { index, notification: Some(taken.view), problem: None },
                    Err(rejection) => {
                        BatchResult { index, notification: None, problem: Some(problem::value(&rejection)) }
                    }
                }
            }
        });
        self.results.extend(join_all(accepting).await);
    }
}
