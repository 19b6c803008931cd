//! The handler of `/v1/files`: downloads of files that Telegram has.

use super::problems::{FileIdRefused, FileUnavailable, Unauthorized};
use super::query;
use crate::domain::{BotName, file_path};
use crate::http::auth::ApiClient;
use crate::http::proxied::proxied_response;
use crate::http::routing::HandlerResult;
use crate::http::state::AppState;
use crate::intake::rejection::{ProblemCode, Rejection};
use crate::ports::{ANSWER_TIMEOUT, ProxyRequest, ProxyResponse, ProxyTarget};
use crate::settings::Scope;
use actix_web::HttpRequest;
use actix_web::http::header;
use actix_web::web::{Data, Path};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use tokio::time::timeout;

/// How much of a response of getFile is read.
const RESPONSE_LIMIT_BYTES: usize = 64 * 1024;

/// Download a file by its file_id.
///
/// Streamed from Telegram, which gives out files of up to 20 MB. `Range` is passed on.
#[utoipa::path(
    get, operation_id = "download_file", path = "/v1/files/{file_id}", tag = "Images", security(("api_key" = [])),
    params(
        ("file_id" = String, Path, description = "A file_id of the bot's"),
        ("bot" = Option<String>, Query, pattern = "^[a-z0-9_-]{1,64}$", description = "The bot whose file_id it is; `default` if not given"),
        ("Range" = Option<String>, Header, description = "Which bytes, as HTTP has it"),
    ),
    responses(
        (status = 200, content_type = "*/*", description = "Its bytes"),
        (status = 206, content_type = "*/*", description = "Some of its bytes"),
        FileIdRefused, Unauthorized,
        (status = 416, content_type = "application/octet-stream", description = "There are no such bytes"),
        FileUnavailable,
    )
)]
pub async fn get(request: HttpRequest, caller: ApiClient, path: Path<String>, state: Data<AppState>) -> HandlerResult {
    caller.check_scope(&[Scope::Read])?;
    let mut given = query::read(request.query_string(), &["bot"])?;
    let bot = query::bot_or_default(&mut given, |bot| state.intake.has_bot(bot))?;
    caller.check_bot(&bot)?;
    let file_path = path_of(&state, &bot, &path).await?;
    let range = request.headers().get(header::RANGE).map(|range| ("range", range.as_bytes().to_vec()));
    let mut response =
        forward(&state, bot, ProxyTarget::File(file_path), "GET", range.into_iter().collect(), None).await?;
    match response.status {
        200 | 206 | 416 => {
            response.headers.retain(|(name, _)| *name != "retry-after");
            Ok(proxied_response(response))
        }
        status => Err(unavailable(&format!("it answered {status}."))),
    }
}

/// The path of a file, as getFile gives it, percent-encoded.
async fn path_of(state: &AppState, bot: &BotName, file_id: &str) -> Result<String, Rejection> {
    let body = json!({"file_id": file_id}).to_string();
    let headers =
        vec![("content-type", b"application/json".to_vec()), ("content-length", body.len().to_string().into_bytes())];
    let mut response =
        forward(state, bot.clone(), ProxyTarget::Method("getFile".to_owned()), "POST", headers, Some(body)).await?;
    let mut text = Vec::new();
    while let Some(Ok(piece)) = response.body.next().await {
        text.extend_from_slice(&piece);
        if text.len() > RESPONSE_LIMIT_BYTES {
            return Err(unavailable("its answer is too long."));
        }
    }
    let reply: Value = serde_json::from_slice(&text).unwrap_or_default();
    let path = reply.get("result").and_then(|file| file.get("file_path")).and_then(Value::as_str);
    match (path, reply.get("description").and_then(Value::as_str)) {
        (Some(path), _) => {
            file_path::encode(path.as_bytes()).ok_or_else(|| unavailable("it lies where nothing is given out."))
        }
        (None, Some(words)) if response.status == 400 => {
            Err(Rejection::field(ProblemCode::InvalidFile, "file_id", format!("Telegram says: {words}")))
        }
        _ => Err(unavailable(&format!("it answered {}.", response.status))),
    }
}

/// Asks Telegram, from the runtime that the connections belong to.
async fn forward(
    state: &AppState,
    bot: BotName,
    target: ProxyTarget,
    method: &'static str,
    headers: Vec<(&'static str, Vec<u8>)>,
    body: Option<String>,
) -> Result<ProxyResponse, Rejection> {
    let body = body.map(|body| stream::once(async move { Ok(body.into()) }).boxed());
    let proxy_request =
        ProxyRequest { bot, target, method, query: String::new(), headers, body: body.map(|body| body as _) };
    let proxy = state.proxy.clone();
    let response = state.run(async move { timeout(ANSWER_TIMEOUT, proxy.forward(proxy_request)).await }).await?;
    let response = response.map_err(|_| unavailable("it does not answer."))?;
    response.map_err(|error| unavailable(&format!("{error}.")))
}

fn unavailable(why: &str) -> Rejection {
    Rejection::field(ProblemCode::FileUnavailable, "file_id", format!("Telegram does not give the file out: {why}"))
}
