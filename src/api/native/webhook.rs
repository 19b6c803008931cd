//! The handler of `/webhook/{bot}`: updates that Telegram sends to bots with `registration = "webhook"`.

use crate::domain::BotName;
use crate::http::body::Body;
use crate::http::routing::not_found;
use crate::http::state::AppState;
use crate::intake::rejection::{ProblemCode, Rejection};
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};

/// The largest body; updates are small, since they hold one message at most.
const BODY_LIMIT_BYTES: u64 = 1 << 20;
/// The header in which Telegram sends the secret that the webhook was set with (Bot API, setWebhook).
const SECRET_HEADER: &str = "X-Telegram-Bot-Api-Secret-Token";

/// Handles an update. Responds 200 once the recipient book has been written; anything else makes Telegram send it again.
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
    let shown = request.headers().get(SECRET_HEADER).map(|secret| secret.as_bytes()).unwrap_or_default();
    if !registrar.is_telegram(shown) {
        let detail = "This address takes updates from Telegram, which shows the configured registration_secret.";
        return Err(Rejection::field(ProblemCode::Unauthorized, SECRET_HEADER, detail));
    }
    let document = Body::new(&request, payload.into_inner(), BODY_LIMIT_BYTES)?.collect_within_limit().await?;
    let update = serde_json::from_slice(&document)
        .map_err(|error| Rejection::new(ProblemCode::MalformedJson, format!("The body is not valid JSON: {error}.")))?;
    let handled = state.run(async move { registrar.handle(&update).await }).await?;
    handled.map_err(|error| Rejection::unavailable("registration", &error))?;
    Ok(HttpResponse::Ok().finish())
}
