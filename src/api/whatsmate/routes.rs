//! The routes of the WhatsMate face.

use super::clients::{WhatsMateClients, unknown_instance};
use super::error::WhatsMateError;
use super::message::{self, RecipientKind, WhatsMateMessage};
use crate::domain::whatsmate::WhatsMateKind;
use crate::domain::{BotName, ChatId};
use crate::http::access_log::Replayed;
use crate::http::auth::ApiClient;
use crate::http::body::Body;
use crate::http::caller::spool_for;
use crate::http::routing::RouteStatuses;
use crate::http::state::AppState;
use crate::intake::fingerprint::fingerprint;
use crate::intake::rejection::{ProblemCode, Rejection};
use crate::intake::send_request::{Attachment, DEFAULT_LIFETIME, InputFile, SendRequest};
use crate::ports::Idempotency;
use actix_web::http::header;
use actix_web::web::{self, Data, Path, Payload};
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use serde_json::{Map, Value, json};

/// What a handler of this face returns.
type WhatsMateResult = Result<HttpResponse, WhatsMateError>;

const V3: &str = "/v3/telegram/{to}/{kind}/message/{instance}";
const V1: &str = "/v1/telegram/{to}/message/{instance}";
const V1_PHOTO: &str = "/v1/telegram/single/photo/binary/{instance}";
/// Everything beside them that begins like them.
const OTHERS: &str = "/v{version:[13]}/telegram/{path:.*}";

/// What this face answers: the statuses that its contract knows, and those of our own faults.
pub fn statuses() -> Vec<RouteStatuses> {
    let posts = [V3, V1, V1_PHOTO].map(|route| RouteStatuses::of(route, ["POST"], &[200, 400, 401, 404, 500, 503]));
    posts.into_iter().flatten().chain(RouteStatuses::of(OTHERS, ["GET", "POST"], &[404])).collect()
}

/// Adds the paths of version 3, those of version 1 that older clients call, and for all others beside them a 404 in this
/// contract's shape.
pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource(V3).route(web::post().to(v3)).default_service(web::to(not_allowed)))
        .service(web::resource(V1).route(web::post().to(v1_text)).default_service(web::to(not_allowed)))
        .service(web::resource(V1_PHOTO).route(web::post().to(v1_photo)).default_service(web::to(not_allowed)))
        .service(web::resource(OTHERS).default_service(web::to(not_found)));
}

async fn v3(
    request: HttpRequest,
    path: Path<(String, String, String)>,
    body: Payload,
    state: Data<AppState>,
    clients: Data<WhatsMateClients>,
) -> WhatsMateResult {
    let (recipient, kind, instance) = path.into_inner();
    let (Some(recipient), Some(kind)) = (RecipientKind::named(&recipient), WhatsMateKind::named(&kind)) else {
        return not_found().await;
    };
    let id = accept(&request, recipient, kind, &instance, body, &state, &clients).await?;
    Ok(HttpResponse::Ok().json(json!({"status": "queued", "id": id})))
}

async fn v1_text(
    request: HttpRequest,
    path: Path<(String, String)>,
    body: Payload,
    state: Data<AppState>,
    clients: Data<WhatsMateClients>,
) -> WhatsMateResult {
    let (recipient, instance) = path.into_inner();
    let Some(recipient) = RecipientKind::named(&recipient) else { return not_found().await };
    queued_v1(accept(&request, recipient, WhatsMateKind::Text, &instance, body, &state, &clients).await?)
}

async fn v1_photo(
    request: HttpRequest,
    instance: Path<String>,
    body: Payload,
    state: Data<AppState>,
    clients: Data<WhatsMateClients>,
) -> WhatsMateResult {
    queued_v1(accept(&request, RecipientKind::Single, WhatsMateKind::Image, &instance, body, &state, &clients).await?)
}

/// The response of version 1, whose clients look for `success`.
fn queued_v1(id: String) -> WhatsMateResult {
    Ok(HttpResponse::Ok().json(json!({"status": "queued", "id": id, "success": true})))
}

async fn not_found() -> WhatsMateResult {
    let detail = "There is nothing at this address. There is /v3/telegram/{single|group}/{text|image|document|audio|\
                  voice_note}/message/{instance_number}.";
    Err(Rejection::new(ProblemCode::NotFound, detail).into())
}

async fn not_allowed() -> HttpResponse {
    let mut response =
        WhatsMateError::from(Rejection::new(ProblemCode::MethodNotAllowed, "This address takes POST.")).response();
    response.headers_mut().insert(header::ALLOW, header::HeaderValue::from_static("POST"));
    response
}

/// Authenticates the client, reads its message and accepts it; returns the notification's id.
async fn accept(
    request: &HttpRequest,
    recipient: RecipientKind,
    kind: WhatsMateKind,
    instance: &str,
    payload: Payload,
    state: &AppState,
    clients: &WhatsMateClients,
) -> Result<String, Rejection> {
    let client = clients.admit(request.headers())?;
    let bot = client.bot(instance)?;
    let key = ApiClient::scoped(client.scope()).idempotency_key(request.headers())?;
    let body = Body::new(request, payload.into_inner(), state.settings.body_limit)?;
    let message = message::read(body, recipient, kind, &spool_for(request, state)).await?;
    let bot = bot.clone();
    if !state.intake.has_bot(&bot) {
        return Err(unknown_instance(instance));
    }
    let idempotency = key.map(|key| Idempotency { key, fingerprint: fingerprint(&canonical(&bot, &message)) });
    let accepting = state.with_intake(|intake| async move {
        let chat_id = intake.chat_of(&bot, &message.address).await?;
        intake.accept(send_request(bot, chat_id, message), idempotency).await
    });
    let acceptance = accepting.await?;
    request.extensions_mut().insert(acceptance.accepted.id);
    if acceptance.accepted.replayed {
        request.extensions_mut().insert(Replayed);
    }
    Ok(acceptance.accepted.id.to_string())
}

fn send_request(bot: BotName, chat_id: ChatId, message: WhatsMateMessage) -> SendRequest {
    let WhatsMateMessage { kind, params, file, filename, .. } = message;
    let attachment = file.zip(kind.media()).map(|(upload, media)| Attachment {
        field: media.as_str().to_owned(),
        kind: media,
        input: InputFile::Upload(upload),
        filename,
    });
    SendRequest::now(bot, chat_id, kind.method(), params, attachment.into_iter().collect(), DEFAULT_LIFETIME)
}

/// The message as understood, for deduplication: whether a request repeats another with the same idempotency key.
fn canonical(bot: &BotName, message: &WhatsMateMessage) -> Value {
    let params: &Map<String, Value> = &message.params;
    json!({
        "bot": bot,
        "to": message.address.key(),
        "kind": message.kind.as_str(),
        "params": params,
        "file": message.file.as_ref().map(|file| file.sha256()),
        "filename": message.filename,
    })
}
