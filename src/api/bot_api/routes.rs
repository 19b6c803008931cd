//! The addresses of the Bot API face.

use super::call::BotApiCall;
use super::caller::BotApiCaller;
use super::error::BotApiError;
use super::face::BotApiFace;
use super::proxying;
use crate::domain::file_path;
use crate::http::percent::decode;
use crate::http::routing::RouteStatuses;
use crate::http::state::AppState;
use crate::ports::ProxyTarget;
use actix_web::body::to_bytes_limited;
use actix_web::http::Method;
use actix_web::web::{self, Data, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};

/// A token without `bot` in front: digits and a colon begin it, everything else belongs to another address.
const WITHOUT_BOT: &str = "/{token:[0-9]+:[^/]*}/{method}*";
/// Error responses of Telegram have some hundred bytes.
const MAX_ERROR_BYTES: usize = 64 * 1024;
/// What begins like an address of this face: without a method, without a token, in capitals.
const INCOMPLETE: [&str; 3] = ["/bot{token}", "/bot/{method}*", "/BOT{rest}*"];

/// A call, and a file.
const CALL: &str = "/bot{token}/{method}*";
const DOWNLOAD: &str = "/file/bot{token}/{path}*";

/// What this face answers by itself, and what Telegram answers often; it may answer otherwise too, and that is passed on.
pub fn statuses() -> Vec<RouteStatuses> {
    let of_calls = &[200, 400, 401, 403, 404, 409, 413, 429, 500, 502, 503];
    let mut all = Vec::from(RouteStatuses::of(CALL, ["GET", "POST"], of_calls));
    all.extend(RouteStatuses::of(WITHOUT_BOT, ["GET", "POST"], of_calls));
    all.extend(RouteStatuses::of(DOWNLOAD, ["GET"], &[200, 206, 400, 401, 403, 404, 416, 429, 500, 502]));
    // A resource of several patterns is named by the first.
    all.extend(RouteStatuses::of(INCOMPLETE[0], ["GET", "POST"], &[404]));
    all
}

/// Adds the routes of this face.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(web::resource(DOWNLOAD).route(web::to(download)))
        .service(web::resource(CALL).route(web::to(call)))
        .service(web::resource(WITHOUT_BOT).route(web::to(call_without_bot)))
        .service(web::resource(INCOMPLETE).route(web::to(not_found)));
}

/// What is checked of every request to this face whose address is complete: its HTTP method (others get a 501 without a body, as from the Bot API
/// server), and its token, which stands behind `prefix` in the path. Returns the caller, and what stands behind the token.
/// The path is decoded first: clients encode the colon of a token and the slashes of a file's path.
fn admit(
    request: &HttpRequest,
    face: &BotApiFace,
    prefix: &[u8],
    allowed: &[Method],
) -> Result<(BotApiCaller, Vec<u8>), BotApiError> {
    if !allowed.contains(request.method()) {
        return Err(BotApiError::Http(501));
    }
    let path = decode(request.uri().path().as_bytes());
    let path = path.strip_prefix(prefix).unwrap_or_default();
    let end_of_token = path.iter().position(|byte| *byte == b'/').unwrap_or(path.len());
    let rest = path.get(end_of_token + 1..).unwrap_or_default();
    let caller = face.caller(&path[..end_of_token])?;
    caller.admit(request)?;
    Ok((caller, rest.to_vec()))
}

/// `/bot<token>/<method>`.
async fn call(request: HttpRequest, payload: Payload, face: Data<BotApiFace>, state: Data<AppState>) -> HttpResponse {
    respond(b"/bot", request, payload, face, state).await.unwrap_or_else(|error| error.response())
}

/// `/<token>/<method>`, without `bot`: clients of this shape tell errors apart by their status
/// ([`BotApiError::with_telling_status`]), whoever found them.
async fn call_without_bot(
    request: HttpRequest,
    payload: Payload,
    face: Data<BotApiFace>,
    state: Data<AppState>,
) -> HttpResponse {
    match respond(b"/", request, payload, face, state).await {
        Ok(response) if response.status().is_client_error() => with_telling_status(response).await,
        Ok(response) => response,
        Err(error) => error.with_telling_status().response(),
    }
}

/// An error of Telegram's that has been passed on, as [`BotApiError::with_telling_status`] has it; anything else stays.
async fn with_telling_status(response: HttpResponse) -> HttpResponse {
    let (head, body) = response.into_parts();
    match to_bytes_limited(body, MAX_ERROR_BYTES).await {
        Ok(Ok(bytes)) => match serde_json::from_slice(&bytes) {
            Ok(error) => BotApiError::Api(error).with_telling_status().response(),
            Err(_) => head.set_body(bytes).map_into_boxed_body(),
        },
        Ok(Err(_)) | Err(_) => BotApiError::api(502, "Bad Gateway").response(),
    }
}

/// Responds to a call whose token stands behind `prefix` in the path.
async fn respond(
    prefix: &[u8],
    request: HttpRequest,
    payload: Payload,
    face: Data<BotApiFace>,
    state: Data<AppState>,
) -> Result<HttpResponse, BotApiError> {
    let (caller, method) = admit(&request, &face, prefix, &[Method::GET, Method::POST])?;
    let method = String::from_utf8_lossy(&method).trim_end_matches('/').to_owned();
    if method.starts_with("test/") {
        return Err(BotApiError::api(404, "Not Found: the test environment is not served here"));
    }
    let call = BotApiCall { face: &face, state: &state, request: &request, caller: &caller };
    caller.masked(call.respond(&method, payload).await)
}

/// `/file/bot<token>/<path>`.
async fn download(
    request: HttpRequest,
    payload: Payload,
    face: Data<BotApiFace>,
    state: Data<AppState>,
) -> HttpResponse {
    let response = async {
        let (caller, file) = admit(&request, &face, b"/file/bot", &[Method::GET, Method::HEAD])?;
        caller.check_download()?;
        let file = file_path::encode(&caller.path(file)).ok_or_else(|| BotApiError::api(404, "Not Found"))?;
        let target = ProxyTarget::File(file);
        caller.masked_download(proxying::stream(&state, &request, payload.into_inner(), &caller, target, 0).await)
    };
    response.await.unwrap_or_else(|error| error.response())
}

/// An address that has nearly the right shape gets an error of this face.
async fn not_found() -> HttpResponse {
    BotApiError::api(404, "Not Found").response()
}
