//! Lets the fault that a call meets happen. Connections are cut by a body that fails: the server drops the connection, and
//! writes nothing of an answer whose body fails at once.

use super::api_response::{api_body, api_response, error_response, status, unreadable_response};
use super::execute::execute;
use crate::sandbox::arguments::RequestReadError;
use crate::sandbox::clock::pause;
use crate::sandbox::faults::{FaultStage, InjectedFault};
use crate::sandbox::methods::SandboxCall;
use crate::sandbox::sandbox_error::SandboxError;
use crate::sandbox::state::SandboxState;
use actix_web::HttpResponse;
use actix_web::body::{BodyStream, SizedStream};
use actix_web::http::StatusCode;
use actix_web::web::Bytes;
use futures_util::stream;
use std::time::Duration;

/// What a reverse proxy answers when the Bot API server is away.
const PROXY_ERROR_PAGE: &str = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n";

/// How long the first half of an answer is given to reach the other side.
const HALF_ANSWER_DELAY: Duration = Duration::from_millis(50);

/// The fault that a call meets, if any, counted.
pub fn take_fault(
    state: &SandboxState,
    stage: FaultStage,
    bot: u64,
    method: &str,
    chat_id: Option<i64>,
) -> Option<InjectedFault> {
    let fault = state.faults.lock().take(stage, bot, method, chat_id)?;
    state.stats.lock().fault();
    Some(fault)
}

/// Carries a call out, or not, as the fault says.
pub async fn carry_out(
    call: SandboxCall,
    method: &'static str,
    chat_id: Option<i64>,
    fault: Option<InjectedFault>,
) -> HttpResponse {
    let rejection = match fault {
        Some(InjectedFault::Status { code, description, parameters }) => {
            SandboxError { parameters: parameters.map(Box::new), ..SandboxError::new(code, description) }
        }
        Some(InjectedFault::Flood { retry_after, as_400, delay_ms }) => {
            pause(Duration::from_millis(delay_ms)).await;
            let state = &call.state;
            state.stats.lock().refused(call.bot, false);
            if let Some(chat_id) = chat_id {
                let until = state.clock.now() + retry_after as f64;
                state.rate_limiter.lock().block_until(call.bot, chat_id, until);
            }
            flood(retry_after, as_400, method)
        }
        Some(InjectedFault::Blocked) => SandboxError::forbidden("bot was blocked by the user"),
        Some(InjectedFault::Migrated { to }) => {
            if let Some(chat_id) = chat_id.filter(|chat_id| *chat_id != to) {
                call.state.chats.lock().set_migrated(chat_id, to);
            }
            SandboxError::migrated(to)
        }
        Some(InjectedFault::Unauthorized) => SandboxError::new(401, "Unauthorized"),
        Some(InjectedFault::NotJson) => {
            return HttpResponse::BadGateway().content_type("text/html").body(PROXY_ERROR_PAGE);
        }
        Some(InjectedFault::Empty413) => return unreadable_response(RequestReadError::Status(413)),
        Some(InjectedFault::LostAfter) => {
            let _ = execute(&call, method).await;
            return cut_without_answer();
        }
        Some(InjectedFault::CutJson) => {
            let result = execute(&call, method).await;
            return cut_half_answered(status(&result), api_body(&result, None));
        }
        Some(InjectedFault::Slow { ms }) => {
            let answer = run(&call, method).await;
            pause(Duration::from_millis(ms)).await;
            return answer;
        }
        Some(InjectedFault::FileIdsForgotten) => {
            call.state.files.forget_file_ids(call.bot);
            return run(&call, method).await;
        }
        // Only asked for before the body is read.
        Some(InjectedFault::ResetBefore) => return cut_without_answer(),
        None => return run(&call, method).await,
    };
    error_response(rejection)
}

/// Carries the call out and writes the answer.
async fn run(call: &SandboxCall, method: &'static str) -> HttpResponse {
    let result = execute(call, method).await;
    api_response(&result, call.note.get().copied())
}

/// 429, or as it arrives from the upload step: 400, and the number in the text only.
fn flood(retry_after: u64, as_400: bool, method: &str) -> SandboxError {
    if !as_400 {
        return SandboxError::flood(retry_after);
    }
    if method == "sendMediaGroup" {
        let raw = format!("Too Many Requests: retry after {retry_after}");
        return SandboxError::core(&raw, "").of_item(1);
    }
    SandboxError::bad(format!("too Many Requests: retry after {retry_after}"))
}

#[derive(Debug, thiserror::Error)]
#[error("cut on purpose, as a fault on demand asked for")]
struct CutConnectionError;

/// Closes the connection without a byte of an answer.
pub fn cut_without_answer() -> HttpResponse {
    let body = BodyStream::new(stream::once(async { Err::<Bytes, _>(CutConnectionError) }));
    HttpResponse::Ok().force_close().body(body)
}

/// Sends half of an answer, whose length was announced, and closes the connection.
fn cut_half_answered(status: StatusCode, body: String) -> HttpResponse {
    let length = body.len() as u64;
    let half = Bytes::from(body).slice(..length as usize / 2);
    let body = stream::unfold(Some(half), |half| async move {
        match half {
            Some(half) => Some((Ok(half), None)),
            None => {
                tokio::time::sleep(HALF_ANSWER_DELAY).await;
                Some((Err(CutConnectionError), None))
            }
        }
    });
    HttpResponse::build(status).content_type("application/json").body(SizedStream::new(length, Box::pin(body)))
}
