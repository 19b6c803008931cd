//! What tests and the page ask of the sandbox itself: `/sandbox/…`, in JSON.

use crate::sandbox::faults::FaultRule;
use crate::sandbox::log::MessageFilter;
use crate::sandbox::state::SandboxState;
use crate::sandbox::updates::UserAction;
use actix_web::HttpResponse;
use actix_web::web::{self, Bytes, Data, Path, Query, ServiceConfig};
use futures_util::stream;
use serde::Deserialize;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::future::ready;

/// How many messages are written at a time, so that a long list needs little memory and holds nobody up.
const MESSAGES_PER_CHUNK: usize = 500;
const LIST_OPENING: &str = "{\"messages\":[";

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

/// The messages that match, oldest first, written in chunks.
async fn messages(state: Data<SandboxState>, filter: Query<MessageFilter>) -> HttpResponse {
    let mut filter = filter.into_inner();
    let left = filter.limit.unwrap_or(usize::MAX);
    filter.after = Some(state.history.lock().log.before(&filter));
    let body = stream::unfold(Some((filter, left, LIST_OPENING)), move |rest| {
        let chunk = rest.map(|(filter, left, separator)| list_messages(&state, filter, left, separator));
        ready(chunk.map(|(text, rest)| (Ok::<_, Infallible>(Bytes::from(text)), rest)))
    });
    HttpResponse::Ok().content_type("application/json").streaming(body)
}

/// Writes the next of at most `left` messages, each after a separator; gives what is left to write.
fn list_messages(
    state: &SandboxState,
    mut filter: MessageFilter,
    left: usize,
    mut separator: &'static str,
) -> (String, Option<(MessageFilter, usize, &'static str)>) {
    filter.limit = Some(left.min(MESSAGES_PER_CHUNK));
    let some = state.history.lock().log.select(&filter);
    let mut text = String::new();
    for message in &some {
        text.push_str(separator);
        text.push_str(&serde_json::to_string(message).unwrap_or_default());
        separator = ",\n";
    }
    let left = left - some.len();
    if let Some(last) = some.last().filter(|_| left > 0) {
        filter.after = Some(last.seq);
        return (text, Some((filter, left, separator)));
    }
    if separator == LIST_OPENING {
        text.push_str(separator);
    }
    text.push_str("]}\n");
    (text, None)
}
