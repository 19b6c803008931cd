//! `/webhook/{bot}`: updates that Telegram brings to bots with `registration = "webhook"`.

use crate::domain::BotName;
use crate::http::body::Body;
use crate::http::routing::not_found;
use crate::http::state::AppState;
use crate::intake::rejection::{ProblemCode, Rejection};
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};

/// Updates are small; the largest hold one message.
const BODY_LIMIT_BYTES: u64 = 1 << 20;
const SECRET: &str = "X-Telegram-Bot-Api-Secret-Token";

/// Takes an update. Answered with 200 when the book has been written; anything else makes Telegram bring it again.
pub async fn update(
    request: HttpRequest,
    path: Path<String>,
    payload: Payload,
    state: Data<AppState>,
) -> Result<HttpResponse, Rejection> {
    let bot: Option<BotName> = path.parse().ok();
    let Some(registrar) = bot.and_then(|bot| state.registrars.get(&bot).cloned()) else {
        return not_found().await;
    };
    let shown = request.headers().get(SECRET).map(|secret| secret.as_bytes()).unwrap_or_default();
    if !registrar.is_telegram(shown) {
        let detail = "This address takes updates from Telegram, which shows the configured registration_secret.";
        return Err(Rejection::field(ProblemCode::Unauthorized, SECRET, detail));
    }
    let document = Body::new(&request, payload.into_inner(), BODY_LIMIT_BYTES)?.collect_within_limit().await?;
    let update = serde_json::from_slice(&document)
        .map_err(|error| Rejection::new(ProblemCode::MalformedJson, format!("The body is not valid JSON: {error}.")))?;
    let handled = state.run(async move { registrar.handle(&update).await }).await?;
    handled.map_err(|trouble| Rejection::unavailable("registration", &trouble))?;
    Ok(HttpResponse::Ok().finish())
}
