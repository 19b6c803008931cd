//! The handlers of `/v1/bots`: what each bot has to send, and which chats hold it.

use super::bot_view::{BotView, BotViews, ChatBacklogs, PausesView};
use super::problems::{InvalidQuery, LedgerAway, NoSuchBot, Unauthorized};
use super::query;
use crate::domain::{BotName, PauseList};
use crate::http::auth::ApiClient;
use crate::http::routing::HandlerResult;
use crate::http::state::AppState;
use crate::intake::rejection::{ProblemCode, Rejection};
use crate::ports::{LedgerError, OpenByLane, Ports};
use crate::settings::Scope;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use tokio::sync::Semaphore;

/// How many chats are listed if the query does not say, and at the most.
const DEFAULT_CHATS: usize = 20;
const MAX_CHATS: usize = 200;

/// One at a time: it looks at many records.
static LOOKS: Semaphore = Semaphore::const_new(1);

/// List the bots.
///
/// Those that the client may use.
#[utoipa::path(
    get, operation_id = "list_bots", path = "/v1/bots", tag = "Bots", security(("api_key" = [])),
    responses(
        (status = 200, body = BotViews, description = "The bots, by name"),
        InvalidQuery, Unauthorized, LedgerAway,
    )
)]
pub async fn list(request: HttpRequest, caller: ApiClient, state: Data<AppState>) -> HandlerResult {
    caller.check_scope(&[Scope::Read, Scope::Manage])?;
    query::read(request.query_string(), &[])?;
    let seen: Vec<BotName> = state.settings.bots.keys().filter(|bot| caller.may_use(bot)).cloned().collect();
    let names = seen.clone();
    let asking = |ports: Ports| async move {
        Ok::<_, LedgerError>((ports.ledger.count_open(&names).await?, ports.pauses.list().await?))
    };
    let (counts, pauses) = state.with_ports(asking).await?;
    let bots = seen.into_iter().zip(counts).map(|(bot, open)| view(&state, bot, open, &pauses)).collect();
    Ok(HttpResponse::Ok().json(BotViews { bots }))
}

fn view(state: &AppState, bot: BotName, open: OpenByLane, pauses: &PauseList) -> BotView {
    let is_whatsmate = state.settings.bots.get(&bot).is_some_and(|bot| bot.whatsmate().is_some());
    let owned_here = state.metrics.owned.with_label_values(&[bot.as_str()]).get() > 0;
    let breaker_open = state.metrics.breaker_open.with_label_values(&[bot.as_str()]).get() > 0;
    let paused = pauses.of(&bot).cloned().unwrap_or_default();
    BotView {
        name: bot.into(),
        kind: if is_whatsmate { "whatsmate" } else { "telegram" },
        open: open.all_lanes().into(),
        paused: paused.bot.map(Into::into),
        paused_chats: paused.chats.len(),
        owned_here,
        breaker_open: owned_here.then_some(breaker_open),
    }
}

/// List the deepest chats of a bot.
///
/// Those with the most that is still to be sent, wherever it waits. Of a bot with more than 100,000, an even sample of so many is
/// looked at.
#[utoipa::path(
    get, operation_id = "list_deepest_chats", path = "/v1/bots/{bot}/chats", tag = "Bots", security(("api_key" = [])),
    params(
        ("bot" = String, Path, description = "The bot's name"),
        ("limit" = Option<u16>, Query, minimum = 1, maximum = 200, description = "At most so many; 20 if not given"),
    ),
    responses(
        (status = 200, body = ChatBacklogs, description = "The deepest chats"),
        InvalidQuery, Unauthorized, NoSuchBot, LedgerAway,
    )
)]
pub async fn chats(
    request: HttpRequest,
    caller: ApiClient,
    path: Path<String>,
    state: Data<AppState>,
) -> HandlerResult {
    caller.check_scope(&[Scope::Manage])?;
    let given = query::read(request.query_string(), &["limit"])?;
    let limit = given.get("limit").map_or(Ok(DEFAULT_CHATS), |text| query::limit(text, MAX_CHATS))?;
    let bot = bot_of_path(&caller, &state, &path)?;
    // Never closed.
    let turn = LOOKS.acquire().await;
    let looking = |ports: Ports| async move {
        let _turn = turn;
        let deepest = ports.ledger.deepest_chats(&bot, limit).await?;
        let pauses = ports.pauses.list().await?.of(&bot).cloned().unwrap_or_default();
        Ok::<_, LedgerError>(ChatBacklogs::new(deepest, &pauses))
    };
    Ok(HttpResponse::Ok().json(state.with_ports(looking).await?))
}

/// List what of a bot is paused.
#[utoipa::path(
    get, operation_id = "list_pauses", path = "/v1/bots/{bot}/pauses", tag = "Bots", security(("api_key" = [])),
    params(("bot" = String, Path, description = "The bot's name")),
    responses(
        (status = 200, body = PausesView, description = "The pause of the bot, and those of its chats"),
        InvalidQuery, Unauthorized, NoSuchBot, LedgerAway,
    )
)]
pub async fn pauses(
    request: HttpRequest,
    caller: ApiClient,
    path: Path<String>,
    state: Data<AppState>,
) -> HandlerResult {
    caller.check_scope(&[Scope::Manage])?;
    query::read(request.query_string(), &[])?;
    let bot = bot_of_path(&caller, &state, &path)?;
    let list = state.with_ports(|ports| async move { ports.pauses.list().await }).await?;
    Ok(HttpResponse::Ok().json(PausesView::from(list.of(&bot).cloned().unwrap_or_default())))
}

/// The bot that a path names, if there is one and the client may use it.
///
/// # Errors
/// [`ProblemCode::BotNotFound`], [`ProblemCode::BotNotAllowed`].
pub fn bot_of_path(caller: &ApiClient, state: &AppState, name: &str) -> Result<BotName, Rejection> {
    let bot = name.parse::<BotName>().ok().filter(|bot| state.settings.bots.contains_key(bot));
    let bot = bot.ok_or_else(|| Rejection::new(ProblemCode::BotNotFound, "No bot of this name is configured."))?;
    caller.check_bot(&bot)?;
    Ok(bot)
}
