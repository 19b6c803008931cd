//! What tests and the page ask of the sandbox itself: `/sandbox/…`, in JSON.

use super::message_listing::MessageListing;
use crate::sandbox::faults::FaultRule;
use crate::sandbox::log::MessageFilter;
use crate::sandbox::state::SandboxState;
use crate::sandbox::updates::UserAction;
use actix_web::HttpResponse;
use actix_web::web::{self, Bytes, Data, Path, Query, ServiceConfig};
use serde::Deserialize;
use serde_json::{Value, json};

pub fn routes(config: &mut ServiceConfig) {
    config
        .service(
            web::resource("/sandbox/faults")
                .route(web::post().to(add_faults))
                .route(web::get().to(list_faults))
                .route(web::delete().to(clear_faults)),
        )
        .route("/sandbox/messages", web::get().to(messages))
        .route("/sandbox/stats", web::get().to(stats))
        .route("/sandbox/incoming", web::post().to(incoming))
        .route("/sandbox/inline/{inline_query_id}", web::get().to(inline_answer))
        .route("/sandbox/reset", web::post().to(reset));
}

/// Queues one rule or a list of them; a list is taken whole or not at all.
async fn add_faults(state: Data<SandboxState>, body: Bytes) -> HttpResponse {
    let refuse = |why: String| HttpResponse::BadRequest().json(json!({"error": why}));
    let rules = match serde_json::from_slice(&body) {
        Ok(Value::Array(rules)) => rules,
        Ok(rule) => vec![rule],
        Err(e) => return refuse(format!("not JSON: {e}")),
    };
    let rules = match rules.into_iter().map(serde_json::from_value::<FaultRule>).collect::<Result<Vec<_>, _>>() {
        Ok(rules) => rules,
        Err(e) => return refuse(format!("not a rule: {e}")),
    };
    let mut faults = state.faults.lock();
    if let Some(why) = rules.iter().find_map(|rule| faults.objection(rule)) {
        return refuse(why);
    }
    for rule in rules {
        if let Err(why) = faults.add(rule) {
            return refuse(why);
        }
    }
    HttpResponse::Ok().json(json!({"queued": faults.rules().len()}))
}

async fn list_faults(state: Data<SandboxState>) -> HttpResponse {
    HttpResponse::Ok().json(json!({"faults": state.faults.lock().rules()}))
}

async fn clear_faults(state: Data<SandboxState>) -> HttpResponse {
    state.faults.lock().clear();
    HttpResponse::NoContent().finish()
}

async fn stats(state: Data<SandboxState>) -> HttpResponse {
    HttpResponse::Ok().json(state.stats.lock().snapshot())
}

/// What a user does, and of which bot it hears of it.
#[derive(Deserialize)]
struct UserActionRequest {
    bot: u64,
    #[serde(flatten)]
    action: UserAction,
}

async fn incoming(state: Data<SandboxState>, body: Bytes) -> HttpResponse {
    let incoming =
        serde_json::from_slice::<UserActionRequest>(&body).map_err(|e| format!("not something that users do: {e}"));
    match incoming.and_then(|UserActionRequest { bot, action }| state.perform(bot, action)) {
        Ok(received) => HttpResponse::Ok().json(received),
        Err(why) => HttpResponse::BadRequest().json(json!({"error": why})),
    }
}

async fn inline_answer(state: Data<SandboxState>, id: Path<String>) -> HttpResponse {
    match state.inline_answer(&id) {
        Some(answer) => HttpResponse::Ok().json(answer),
        None => HttpResponse::NotFound().json(json!({"error": "no such inline query was answered"})),
    }
}

async fn reset(state: Data<SandboxState>) -> HttpResponse {
    state.reset();
    HttpResponse::NoContent().finish()
}

/// The messages that match, oldest first.
async fn messages(state: Data<SandboxState>, filter: Query<MessageFilter>) -> HttpResponse {
    let listing = MessageListing::new(state.into_inner(), filter.into_inner());
    HttpResponse::Ok().content_type("application/json").streaming(listing.into_stream())
}
