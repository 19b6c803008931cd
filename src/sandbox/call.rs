//! One call of a bot, from its head to its answer.

use super::State;
use super::arguments::{Arguments, Unreadable};
use super::chats;
use super::crowd::{Ticket, TooMany};
use super::cut;
use super::error::ApiError;
use super::faults::{Fault, Moment};
use super::methods;
use super::options::Standing;
use super::pacing::{REFUSAL_HELD, REFUSAL_RETRY_AFTER};
use actix_web::http::{Method, StatusCode, header};
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};
use std::cell::OnceCell;
use std::sync::Arc;
use std::time::Duration;

/// A call whose arguments were read.
pub(super) struct Call {
    pub state: Arc<State>,
    pub bot: u64,
    pub arguments: Arguments,
    /// What the envelope of a good answer says beside the result.
    note: OnceCell<&'static str>,
}

impl Call {
    pub fn new(state: Arc<State>, bot: u64, arguments: Arguments) -> Self {
        Self { state, bot, arguments, note: OnceCell::new() }
    }

    /// Says something in the envelope of the answer.
    pub fn note(&self, text: &'static str) {
        // The first note counts.
        let _ = self.note.set(text);
    }

    /// Carries the call out and writes the answer.
    async fn run(&self, method: &'static str) -> HttpResponse {
        let result = methods::run(self, method).await;
        match (result, self.note.get()) {
            (Ok(result), Some(note)) => {
                let body = json!({"ok": true, "result": result, "description": note});
                HttpResponse::Ok().content_type("application/json").body(body.to_string())
            }
            (result, _) => envelope(result),
        }
    }

    /// Slows down repeated uploads of the same size, as the Bot API server does.
    pub async fn pace(&self) -> Result<(), ApiError> {
        let bytes = self.arguments.file_bytes();
        let options = &self.state.options;
        if !options.pace_uploads || options.local || bytes == 0 {
            return Ok(());
        }
        let wait = self.state.desk().pacing.wait(self.state.now(), self.bot, bytes);
        match wait {
            Some(wait) => {
                pause(wait).await;
                Ok(())
            }
            None => Err(refused(&self.state, self.bot).await),
        }
    }
}

/// The rejection of the Bot API server itself, which it holds back.
async fn refused(state: &State, bot: u64) -> ApiError {
    state.desk().stats.refused(bot, false);
    tokio::time::sleep(REFUSAL_HELD).await;
    ApiError::flood(REFUSAL_RETRY_AFTER)
}

/// Answers `/bot<token>/<method>`.
pub(super) async fn answer(
    state: Arc<State>,
    request: HttpRequest,
    payload: Payload,
    token: &str,
    method: &str,
) -> HttpResponse {
    if *request.method() != Method::GET && *request.method() != Method::POST {
        return HttpResponse::NotImplemented().force_close().finish();
    }
    let bot = match state.options.bots.standing(token) {
        Standing::Good(bot) => bot,
        Standing::Unknown => return envelope(Err(ApiError::new(401, "Unauthorized"))),
        Standing::Malformed => return envelope(Err(ApiError::new(404, "Not Found"))),
    };
    let name = methods::canonical(method);
    if strike(&state, Moment::Head, bot, name.unwrap_or(method), None).is_some() {
        return cut::without_answer();
    }
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if length.is_some_and(|length: u64| length > state.options.max_body()) {
        return unreadable(Unreadable::TooLarge);
    }
    let arguments = match Arguments::read(&state, &request, payload).await {
        Ok(arguments) => arguments,
        Err(fault) => return unreadable(fault),
    };
    let name = name.or_else(|| method.is_empty().then(|| methods::canonical(arguments.text("method")?))?);
    let Some(name) = name else {
        state.desk().stats.request("other");
        return envelope(Err(ApiError::new(404, "Not Found: method not found")));
    };
    state.desk().stats.request(name);
    let chat_id = arguments.text("chat_id").and_then(chats::id);
    // Held to the end of the call.
    let _ticket = match Ticket::take(&state, bot, name, chat_id, &arguments) {
        Ok(ticket) => ticket,
        Err(TooMany) => return envelope(Err(refused(&state, bot).await)),
    };
    pause(state.options.latency).await;
    if arguments.garbled {
        return envelope(Err(ApiError::bad("strings must be encoded in UTF-8")));
    }
    let fault = strike(&state, Moment::Body, bot, name, chat_id);
    carry_out(Call::new(state, bot, arguments), name, chat_id, fault).await
}

/// Carries a call out, or not, as the fault will have it.
async fn carry_out(call: Call, method: &'static str, chat_id: Option<i64>, fault: Option<Fault>) -> HttpResponse {
    let rejection = match fault {
        Some(Fault::Status { code, description, parameters }) => {
            ApiError { parameters: parameters.map(Box::new), ..ApiError::new(code, description) }
        }
        Some(Fault::Flood { retry_after, as_400, delay_ms }) => {
            pause(Duration::from_millis(delay_ms)).await;
            let now = call.state.now();
            let mut desk = call.state.desk();
            desk.stats.refused(call.bot, false);
            if let Some(chat_id) = chat_id {
                desk.limiter.refuse_until(call.bot, chat_id, now + retry_after as f64);
            }
            flood(retry_after, as_400, method)
        }
        Some(Fault::Blocked) => ApiError::forbidden("bot was blocked by the user"),
        Some(Fault::Migrated { to }) => {
            if let Some(chat_id) = chat_id.filter(|chat_id| *chat_id != to) {
                call.state.desk().migrations.insert(chat_id, to);
            }
            ApiError::migrated(to)
        }
        Some(Fault::Unauthorized) => ApiError::new(401, "Unauthorized"),
        Some(Fault::NotJson) => {
            let page = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n";
            return HttpResponse::BadGateway().content_type("text/html").body(page);
        }
        Some(Fault::Empty413) => return unreadable(Unreadable::Status(413)),
        Some(Fault::LostAfter) => {
            let _ = methods::run(&call, method).await;
            return cut::without_answer();
        }
        Some(Fault::CutJson) => {
            let result = methods::run(&call, method).await;
            let status = result.as_ref().err().map_or(200, |e| e.code);
            return cut::half(StatusCode::from_u16(status).unwrap_or_default(), text(&result));
        }
        Some(Fault::Slow { ms }) => {
            let answer = call.run(method).await;
            pause(Duration::from_millis(ms)).await;
            return answer;
        }
        Some(Fault::FileIdsForgotten) => {
            call.state.desk().forget_file_ids(call.bot);
            return call.run(method).await;
        }
        // Only asked for before the body is read.
        Some(Fault::ResetBefore) => return cut::without_answer(),
        None => return call.run(method).await,
    };
    envelope(Err(rejection))
}

fn flood(retry_after: u64, as_400: bool, method: &str) -> ApiError {
    if !as_400 {
        return ApiError::flood(retry_after);
    }
    if method == "sendMediaGroup" {
        let raw = format!("Too Many Requests: retry after {retry_after}");
        return ApiError::core(&raw, "").of_item(1);
    }
    ApiError::bad(format!("too Many Requests: retry after {retry_after}"))
}

fn strike(state: &State, moment: Moment, bot: u64, method: &str, chat_id: Option<i64>) -> Option<Fault> {
    let mut desk = state.desk();
    let fault = desk.faults.strike(moment, bot, method, chat_id)?;
    desk.stats.fault();
    Some(fault)
}

async fn pause(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}

fn text(result: &Result<Value, ApiError>) -> String {
    match result {
        Ok(result) => json!({"ok": true, "result": result}).to_string(),
        Err(error) => error.json().to_string(),
    }
}

/// An answer in the Bot API's envelope.
pub(super) fn envelope(result: Result<Value, ApiError>) -> HttpResponse {
    let status = result.as_ref().err().map_or(StatusCode::OK, |e| StatusCode::from_u16(e.code).unwrap_or_default());
    let mut response = HttpResponse::build(status);
    response.content_type("application/json");
    if let Some(seconds) = result.as_ref().err().and_then(ApiError::retry_after) {
        response.insert_header((header::RETRY_AFTER, seconds));
    }
    response.body(text(&result))
}

fn unreadable(fault: Unreadable) -> HttpResponse {
    match fault {
        Unreadable::Status(code) => {
            let status = StatusCode::from_u16(code).unwrap_or(StatusCode::BAD_REQUEST);
            HttpResponse::build(status).force_close().finish()
        }
        Unreadable::TooLarge => {
            let error = ApiError::new(413, "Request Entity Too Large");
            HttpResponse::PayloadTooLarge()
                .content_type("application/json")
                .force_close()
                .body(error.json().to_string())
        }
    }
}
