//! One request of a bot, from its head to its answer: a call or a download.

use super::api_response::{authenticate, error_response, unreadable_response};
use super::injected_fault::{carry_out, cut_without_answer, take_fault};
use crate::sandbox::arguments::{RequestReadError, RequestReader, SandboxArguments};
use crate::sandbox::chats::parse_chat_id;
use crate::sandbox::clock::pause;
use crate::sandbox::faults::FaultStage;
use crate::sandbox::files::send_content;
use crate::sandbox::limits::{CallShare, InFlightCall, InFlightRejection};
use crate::sandbox::method_names;
use crate::sandbox::methods::SandboxCall;
use crate::sandbox::sandbox_error::SandboxError;
use crate::sandbox::state::SandboxState;
use actix_web::http::{Method, header};
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use std::sync::Arc;

/// Answers `/bot<token>/<method>`.
pub async fn answer(
    state: Arc<SandboxState>,
    request: HttpRequest,
    payload: Payload,
    token: &str,
    method: &str,
) -> HttpResponse {
    if *request.method() != Method::GET && *request.method() != Method::POST {
        return HttpResponse::NotImplemented().force_close().finish();
    }
    let bot = match authenticate(&state.options.bots, token) {
        Ok(bot) => bot,
        Err(e) => return error_response(e),
    };
    let name = method_names::canonical(method);
    if take_fault(&state, FaultStage::BeforeBody, bot, name.unwrap_or(method), None).is_some() {
        return cut_without_answer();
    }
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let max_body_bytes = state.options.max_body_bytes();
    if length.is_some_and(|length: u64| length > max_body_bytes) {
        return unreadable_response(RequestReadError::TooLarge);
    }
    let reader = RequestReader { store: &state.files.store, stats: &state.stats, max_body_bytes };
    let arguments = match reader.read(&request, payload).await {
        Ok(arguments) => arguments,
        Err(e) => return unreadable_response(e),
    };
    let name = name.or_else(|| method.is_empty().then(|| method_names::canonical(arguments.text("method")?))?);
    let Some(name) = name else {
        state.stats.lock().request("other");
        return error_response(SandboxError::new(404, "Not Found: method not found"));
    };
    state.stats.lock().request(name);
    let chat_id = arguments.text("chat_id").and_then(parse_chat_id);
    // Held to the end of the call.
    let _in_flight = match count_in_flight(&state, bot, name, chat_id, &arguments) {
        Ok(in_flight) => in_flight,
        Err(InFlightRejection) => return error_response(state.refuse_after_delay(bot).await),
    };
    pause(state.options.latency).await;
    let fault = take_fault(&state, FaultStage::AfterBody, bot, name, chat_id);
    carry_out(SandboxCall::new(state, bot, arguments), name, chat_id, fault).await
}

/// Counts a call among those in flight, if the sandbox limits them.
fn count_in_flight(
    state: &SandboxState,
    bot: u64,
    method: &str,
    chat: Option<i64>,
    arguments: &SandboxArguments,
) -> Result<Option<InFlightCall>, InFlightRejection> {
    let options = &state.options;
    if !options.in_flight_limits || options.local || !method_names::counts_in_flight(method) {
        return Ok(None);
    }
    let sends = chat.zip(method_names::message_count(method, arguments));
    InFlightCall::begin(&state.in_flight, CallShare { bot, bytes: arguments.file_bytes(), sends }).map(Some)
}

/// Answers `/file/bot<token>/<path>`; the path ends with the file_id and an extension.
pub async fn download(state: &SandboxState, request: &HttpRequest, token: &str, path: &str) -> HttpResponse {
    let bot = match authenticate(&state.options.bots, token) {
        Ok(bot) => bot,
        Err(e) => return error_response(e),
    };
    let name = path.rsplit('/').next().unwrap_or("").split('.').next().unwrap_or("");
    match state.files.decode_for(bot, name) {
        Ok(id) => send_content(&state.files.store, request.headers(), &id.sha256).await,
        Err(_) => error_response(SandboxError::new(404, "Not Found")),
    }
}
