//! The handlers that pause a bot or a chat, and let it go on.

use super::bot_view::{PauseRequest, PauseState};
use super::bots::bot_of_path;
use super::problems::{BodyTooLarge, Invalid, LedgerAway, NoSuchBot, NotJson, TooManyPaused, TooSlow, Unauthorized};
use super::query;
use crate::domain::{BotName, ChatId, Pause, PauseTarget, Status, Timestamp};
use crate::http::auth::ApiClient;
use crate::http::body::{Body, content_type};
use crate::http::routing::HandlerResult;
use crate::http::state::AppState;
use crate::intake::rejection::{ProblemCode, Rejection};
use crate::ports::{LedgerError, MAX_PAUSED_CHATS, Paused, Ports};
use crate::settings::Scope;
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Map, Value};

/// The largest body in bytes.
const BODY_LIMIT_BYTES: u64 = 16 << 10;

/// Pause a bot.
///
/// From the answer on no attempt begins for any of its notifications, in no process; what is accepted meanwhile waits, and what
/// expires meanwhile ends as `expired`. It stays so through restarts, until it is resumed. Of what is paused already the answer tells
/// the earlier pause, and nothing changes.
#[utoipa::path(
    post, operation_id = "pause_bot", path = "/v1/bots/{bot}/pause", tag = "Bots", security(("api_key" = [])),
    params(("bot" = String, Path, description = "The bot's name")),
    request_body(content = Option<PauseRequest>, content_type = "application/json"),
    responses(
        (status = 200, body = PauseState, description = "It is paused, durably"),
        Invalid, Unauthorized, NoSuchBot, TooSlow, BodyTooLarge, NotJson, LedgerAway,
    )
)]
pub async fn pause_bot(
    request: HttpRequest,
    caller: ApiClient,
    path: Path<String>,
    payload: Payload,
    state: Data<AppState>,
) -> HandlerResult {
    let target = target(&request, &caller, &state, &path, None)?;
    pause(&request, &caller, target, payload, &state).await
}

/// Let a bot go on.
///
/// Its chats that are paused by themselves stay so.
#[utoipa::path(
    post, operation_id = "resume_bot", path = "/v1/bots/{bot}/resume", tag = "Bots", security(("api_key" = [])),
    params(("bot" = String, Path, description = "The bot's name")),
    responses(
        (status = 200, body = PauseState, description = "It is not paused"),
        Invalid, Unauthorized, NoSuchBot, LedgerAway,
    )
)]
pub async fn resume_bot(
    request: HttpRequest,
    caller: ApiClient,
    path: Path<String>,
    state: Data<AppState>,
) -> HandlerResult {
    let target = target(&request, &caller, &state, &path, None)?;
    resume(&caller, target, &state).await
}

/// Pause a chat of a bot.
///
/// As a bot is paused, and holds back no other chat. A group that has become a supergroup may be named by either id.
#[utoipa::path(
    post, operation_id = "pause_chat", path = "/v1/bots/{bot}/chats/{chat_id}/pause", tag = "Bots", security(("api_key" = [])),
    params(
        ("bot" = String, Path, description = "The bot's name"),
        ("chat_id" = String, Path, description = "The chat: a number or an @username, as its notifications name it"),
    ),
    request_body(content = Option<PauseRequest>, content_type = "application/json"),
    responses(
        (status = 200, body = PauseState, description = "It is paused, durably"),
        Invalid, Unauthorized, NoSuchBot, TooManyPaused, TooSlow, BodyTooLarge, NotJson, LedgerAway,
    )
)]
pub async fn pause_chat(
    request: HttpRequest,
    caller: ApiClient,
    path: Path<(String, String)>,
    payload: Payload,
    state: Data<AppState>,
) -> HandlerResult {
    let target = target(&request, &caller, &state, &path.0, Some(&path.1))?;
    pause(&request, &caller, target, payload, &state).await
}

/// Let a chat of a bot go on.
#[utoipa::path(
    post, operation_id = "resume_chat", path = "/v1/bots/{bot}/chats/{chat_id}/resume", tag = "Bots", security(("api_key" = [])),
    params(
        ("bot" = String, Path, description = "The bot's name"),
        ("chat_id" = String, Path, description = "The chat: a number or an @username, as its notifications name it"),
    ),
    responses(
        (status = 200, body = PauseState, description = "It is not paused by itself"),
        Invalid, Unauthorized, NoSuchBot, LedgerAway,
    )
)]
pub async fn resume_chat(
    request: HttpRequest,
    caller: ApiClient,
    path: Path<(String, String)>,
    state: Data<AppState>,
) -> HandlerResult {
    let target = target(&request, &caller, &state, &path.0, Some(&path.1))?;
    resume(&caller, target, &state).await
}

fn target(
    request: &HttpRequest,
    caller: &ApiClient,
    state: &AppState,
    bot: &str,
    chat: Option<&str>,
) -> Result<PauseTarget, Rejection> {
    caller.check_scope(&[Scope::Manage])?;
    query::read(request.query_string(), &[])?;
    let bot = bot_of_path(caller, state, bot)?;
    let wrong = |error| Rejection::field(ProblemCode::InvalidChatId, "chat_id", format!("{error}."));
    let chat = chat.map(|text| text.parse::<ChatId>().map_err(wrong)).transpose()?;
    Ok(PauseTarget { bot, chat })
}

async fn pause(
    request: &HttpRequest,
    caller: &ApiClient,
    target: PauseTarget,
    payload: Payload,
    state: &AppState,
) -> HandlerResult {
    let document = Body::new(request, payload.into_inner(), BODY_LIMIT_BYTES)?.collect_within_limit().await?;
    let media_type = content_type(request);
    if media_type != "application/json" && !(document.is_empty() && media_type.is_empty()) {
        return Err(Rejection::field(ProblemCode::UnsupportedMediaType, "Content-Type", "Send application/json."));
    }
    let client = caller.named().map(|client| client.name.clone());
    let pause = Pause { since: Timestamp::now(), client, reason: reason(&document)? };
    let (asked, wanted) = (target.clone(), pause.clone());
    let pausing = |ports: Ports| async move {
        let paused = ports.pauses.pause(&asked, &wanted).await?;
        Ok::<_, LedgerError>((paused, sending(&ports, &asked.bot).await?))
    };
    let (paused, sending) = state.with_ports(pausing).await?;
    let paused = match paused {
        Paused::New => {
            tracing::debug!(bot = %target.bot, chat = ?target.chat, "this is paused");
            tracing::info!(bot = %target.bot, what = what(&target), client = client_name(caller), reason = pause.reason, "paused");
            pause
        }
        Paused::Already(earlier) => earlier,
        Paused::TooMany => {
            let detail = format!("{MAX_PAUSED_CHATS} chats of this bot are paused: pause the bot, or let some go on.");
            return Err(Rejection::new(ProblemCode::TooManyPaused, detail));
        }
    };
    Ok(HttpResponse::Ok().json(PauseState::new(target, Some(paused), sending)))
}

async fn resume(caller: &ApiClient, target: PauseTarget, state: &AppState) -> HandlerResult {
    let asked = target.clone();
    let resuming = |ports: Ports| async move {
        let resumed = ports.pauses.resume(&asked).await?;
        Ok::<_, LedgerError>((resumed, sending(&ports, &asked.bot).await?))
    };
    let (resumed, sending) = state.with_ports(resuming).await?;
    if let Some(pause) = resumed {
        tracing::debug!(bot = %target.bot, chat = ?target.chat, "this is resumed");
        let paused_s = Timestamp::now().since(pause.since).as_secs();
        tracing::info!(bot = %target.bot, what = what(&target), client = client_name(caller), paused_s, "resumed");
    }
    Ok(HttpResponse::Ok().json(PauseState::new(target, None, sending)))
}

/// For the log, which names no chat at this level.
fn what(target: &PauseTarget) -> &'static str {
    if target.chat.is_some() { "a chat" } else { "the bot" }
}

fn client_name(caller: &ApiClient) -> Option<&str> {
    caller.named().map(|client| client.name.as_str())
}

/// How many attempts of a bot are under way.
async fn sending(ports: &Ports, bot: &BotName) -> Result<u64, LedgerError> {
    let counts = ports.ledger.count_open(std::slice::from_ref(bot)).await?;
    Ok(counts.first().map_or(0, |counts| counts.all_lanes().get(Status::Sending)))
}

/// Reads a body: the reason, if it has one.
fn reason(document: &[u8]) -> Result<Option<String>, Rejection> {
    if document.is_empty() {
        return Ok(None);
    }
    let members: Option<Map<String, Value>> = serde_json::from_slice(document).map_err(|error| {
        Rejection::new(ProblemCode::MalformedJson, format!("The body is not a JSON object: {error}."))
    })?;
    let mut reason = None;
    for (name, value) in members.unwrap_or_default() {
        match (name.as_str(), value) {
            ("reason", Value::Null) => {}
            ("reason", Value::String(text)) => {
                Pause::check_reason(&text).map_err(|_| Rejection::invalid(&name, "is one line of 1 to 500 bytes"))?;
                reason = Some(text);
            }
            ("reason", _) => return Err(Rejection::invalid(&name, "is a string")),
            (unknown, _) => {
                let shown: String = unknown.chars().take(64).collect();
                return Err(Rejection::field(ProblemCode::UnknownField, shown, "There is reason."));
            }
        }
    }
    Ok(reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_may_be_given_and_nothing_else() {
        let of = |document: &str| reason(document.as_bytes());
        assert_eq!(of(r#"{"reason": "jam in der Gruppe"}"#).unwrap().as_deref(), Some("jam in der Gruppe"));
        for none in ["", "{}", "null", r#"{"reason": null}"#] {
            assert_eq!(of(none).unwrap(), None, "{none}");
        }
        for (wrong, code) in [
            ("{", ProblemCode::MalformedJson),
            ("[]", ProblemCode::MalformedJson),
            (r#"{"reason": ""}"#, ProblemCode::InvalidField),
            (r#"{"reason": "a\nb"}"#, ProblemCode::InvalidField),
            (r#"{"reason": 7}"#, ProblemCode::InvalidField),
            (r#"{"why": "x"}"#, ProblemCode::UnknownField),
        ] {
            assert_eq!(of(wrong).unwrap_err().code, code, "{wrong}");
        }
    }
}
