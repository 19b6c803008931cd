//! The WhatsMate face: clients of WhatsMate's Telegram gateway work here with nothing but the host changed.
//!
//! Its public API document is the contract, and where that leaves something open (which MB, numbers as JSON numbers,
//! fields that it does not name) what comes is taken. Every rejection is `{"error_message": "..."}` with 400, but for 401
//! without valid credentials, and 500 and 503 when the fault is ours.

mod answer;
mod clients;
mod message;

pub(in crate::intake) use clients::Clients;

use super::envelope::DEFAULT_LIFE;
use super::http::{Body, Caller, Shared};
use super::{Code, InputFile, Order, Piece, Rejection, fingerprint, recipient};
use crate::domain::whatsmate::{self, WhatsMateKind};
use crate::domain::{BotName, Call, ChatId, DeliveryGuarantee, Lane, Timestamp};
use crate::ports::Idempotency;
use crate::settings::WhatsMateAccount;
use actix_web::http::header;
use actix_web::web::{self, Data, Path, Payload};
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use answer::Complaint;
use message::{Message, To};
use serde_json::{Map, Value, json};

type Answer = Result<HttpResponse, Complaint>;

/// The paths of version 3, those of version 1 that older clients call, and a rejection in this contract's shape of all
/// others beside them.
pub(in crate::intake) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(
            web::resource("/v3/telegram/{to}/{kind}/message/{instance}")
                .route(web::post().to(v3))
                .default_service(web::to(not_allowed)),
        )
        .service(
            web::resource("/v1/telegram/{to}/message/{instance}")
                .route(web::post().to(v1_text))
                .default_service(web::to(not_allowed)),
        )
        .service(
            web::resource("/v1/telegram/single/photo/binary/{instance}")
                .route(web::post().to(v1_photo))
                .default_service(web::to(not_allowed)),
        )
        .service(web::resource("/v{version:[13]}/telegram/{path:.*}").default_service(web::to(not_found)));
}

async fn v3(request: HttpRequest, path: Path<(String, String, String)>, body: Payload, shared: Data<Shared>) -> Answer {
    let (to, kind, instance) = path.into_inner();
    let (Some(to), Some(kind)) = (To::named(&to), WhatsMateKind::named(&kind)) else { return not_found().await };
    let id = take(&request, to, kind, &instance, body, &shared).await?;
    Ok(HttpResponse::Ok().json(json!({"status": "queued", "id": id})))
}

async fn v1_text(request: HttpRequest, path: Path<(String, String)>, body: Payload, shared: Data<Shared>) -> Answer {
    let (to, instance) = path.into_inner();
    let Some(to) = To::named(&to) else { return not_found().await };
    queued_v1(take(&request, to, WhatsMateKind::Text, &instance, body, &shared).await?)
}

async fn v1_photo(request: HttpRequest, instance: Path<String>, body: Payload, shared: Data<Shared>) -> Answer {
    queued_v1(take(&request, To::Single, WhatsMateKind::Image, &instance, body, &shared).await?)
}

/// Clients of version 1 look for `success`.
fn queued_v1(id: String) -> Answer {
    Ok(HttpResponse::Ok().json(json!({"status": "queued", "id": id, "success": true})))
}

async fn not_found() -> Answer {
    let detail = "There is nothing at this address. There is /v3/telegram/{single|group}/{text|image|document|audio|\
                  voice_note}/message/{instance_number}.";
    Err(Rejection::new(Code::NotFound, detail).into())
}

async fn not_allowed() -> HttpResponse {
    let mut response = Complaint::from(Rejection::new(Code::MethodNotAllowed, "This address takes POST.")).response();
    response.headers_mut().insert(header::ALLOW, header::HeaderValue::from_static("POST"));
    response
}

/// Takes a message in; its id.
async fn take(
    request: &HttpRequest,
    to: To,
    kind: WhatsMateKind,
    instance: &str,
    payload: Payload,
    shared: &Shared,
) -> Result<String, Rejection> {
    let client = shared.whatsmate.admit(request.headers())?;
    let bot = client.bot(instance)?;
    let key = Caller::scoped(client.scope()).idempotency_key(request.headers())?;
    let body = Body::new(request, payload.into_inner(), shared.settings.body_limit)?;
    let message = message::read(body, to, kind, shared.intake.spool()).await?;
    let bot = shared.settings.bots.get(bot).cloned().ok_or_else(|| unknown_instance(instance))?;
    let idempotency = key.map(|key| Idempotency { key, fingerprint: fingerprint(&canonical(&bot.name, &message)) });
    let (intake, book) = (shared.intake.clone(), shared.recipients.clone());
    let receipt = shared
        .run(async move {
            let chat_id = recipient::chat_of(&*book, &bot, &message.address).await?;
            intake.accept(order(bot.name.clone(), chat_id, message), idempotency).await
        })
        .await??;
    request.extensions_mut().insert(receipt.accepted.id);
    Ok(receipt.accepted.id.to_string())
}

fn unknown_instance(instance: &str) -> Rejection {
    let shown: String = instance.chars().take(20).collect();
    let detail =
        format!("There is no instance {shown:?} for this client. The instance number is the last part of the path.");
    Rejection::new(Code::UnknownBot, detail)
}

/// Refuses what a bot that delivers through WhatsMate cannot send.
pub(in crate::intake) fn check(account: &WhatsMateAccount, chat: &ChatId, call: &Call) -> Result<(), Rejection> {
    if account.address(chat).is_none() {
        let detail = "This bot delivers through WhatsMate: chat_id is a phone number in digits, or a group that the bot's \
                      settings name, with @ in front.";
        return Err(Rejection::field(Code::InvalidChatId, "chat_id", detail));
    }
    whatsmate::check(call).map_err(|rejection| Rejection::field(Code::InvalidField, rejection.field, rejection.detail))
}

fn order(bot: BotName, chat_id: ChatId, message: Message) -> Order {
    let now = Timestamp::now();
    let Message { kind, params, file, filename, .. } = message;
    let piece = file.zip(kind.media()).map(|(upload, media)| Piece {
        field: media.as_str().to_owned(),
        kind: media,
        input: InputFile::Upload(upload),
        filename,
    });
    Order {
        bot,
        chat_id,
        method: kind.method().to_owned(),
        params,
        media: piece.into_iter().collect(),
        lane: Lane::default(),
        delivery: DeliveryGuarantee::default(),
        tags: Vec::new(),
        received_at: now,
        send_at: None,
        expires_at: now.plus(DEFAULT_LIFE),
        then: Vec::new(),
    }
}

/// The message as understood, for telling whether a request is another one's repetition.
fn canonical(bot: &BotName, message: &Message) -> Value {
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
