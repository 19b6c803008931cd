//! What tests and the page ask the sandbox itself: `/sandbox/…`, in JSON.

use super::State;
use super::desk::Filter;
use super::faults::Rule;
use super::incoming::{self, Incoming};
use actix_web::HttpResponse;
use actix_web::web::{self, Bytes, Data, Path, Query, ServiceConfig};
use futures_util::stream;
use serde::Deserialize;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::fmt::Write;

/// How many messages are written at a time, so that a long list needs little memory and holds nobody up.
const MESSAGES_AT_ONCE: usize = 500;

pub(super) fn routes(config: &mut ServiceConfig) {
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
        .route("/sandbox/reset", web::post().to(post_reset));
}

/// Forgets all but file_ids and pictures, and tells the open pages.
pub(super) fn reset(state: &State) {
    state.desk().reset(&state.options);
    let _ = state.events.send(("reset", "{}".into()));
}

/// Queues one rule or a list of them; a list is taken whole or not at all.
async fn add_faults(state: Data<State>, body: Bytes) -> HttpResponse {
    let refuse = |why: String| HttpResponse::BadRequest().json(json!({"error": why}));
    let rules = match serde_json::from_slice(&body) {
        Ok(Value::Array(rules)) => rules,
        Ok(rule) => vec![rule],
        Err(e) => return refuse(format!("not JSON: {e}")),
    };
    let rules = match rules.into_iter().map(serde_json::from_value::<Rule>).collect::<Result<Vec<_>, _>>() {
        Ok(rules) => rules,
        Err(e) => return refuse(format!("not a rule: {e}")),
    };
    let mut desk = state.desk();
    if let Some(why) = rules.iter().find_map(|rule| desk.faults.objection(rule)) {
        return refuse(why);
    }
    for rule in rules {
        if let Err(why) = desk.faults.add(rule) {
            return refuse(why);
        }
    }
    HttpResponse::Ok().json(json!({"queued": desk.faults.rules().len()}))
}

async fn list_faults(state: Data<State>) -> HttpResponse {
    HttpResponse::Ok().json(json!({"faults": state.desk().faults.rules()}))
}

async fn clear_faults(state: Data<State>) -> HttpResponse {
    state.desk().faults.clear();
    HttpResponse::NoContent().finish()
}

async fn stats(state: Data<State>) -> HttpResponse {
    HttpResponse::Ok().json(state.desk().stats.snapshot())
}

/// What a user does, and of which bot it hears of it.
#[derive(Deserialize)]
struct ToBot {
    bot: u64,
    #[serde(flatten)]
    incoming: Incoming,
}

async fn incoming(state: Data<State>, body: Bytes) -> HttpResponse {
    let incoming = serde_json::from_slice::<ToBot>(&body).map_err(|e| format!("not something that users do: {e}"));
    match incoming.and_then(|ToBot { bot, incoming }| incoming::receive(&state, bot, incoming)) {
        Ok(received) => HttpResponse::Ok().json(received),
        Err(why) => HttpResponse::BadRequest().json(json!({"error": why})),
    }
}

async fn inline_answer(state: Data<State>, id: Path<String>) -> HttpResponse {
    match state.desk().inline_queries.get(&id).and_then(|query| query.answer.as_ref()) {
        Some(answer) => HttpResponse::Ok().json(answer),
        None => HttpResponse::NotFound().json(json!({"error": "no such inline query was answered"})),
    }
}

async fn post_reset(state: Data<State>) -> HttpResponse {
    reset(&state);
    HttpResponse::NoContent().finish()
}

/// What is left of a list of messages to write.
struct Listing {
    state: Data<State>,
    filter: Filter,
    left: usize,
    opened: bool,
    closed: bool,
}

/// The messages that match, oldest first.
async fn messages(state: Data<State>, filter: Query<Filter>) -> HttpResponse {
    let mut filter = filter.into_inner();
    let left = filter.limit.unwrap_or(usize::MAX);
    let before = state.desk().log.before(&filter);
    filter.after = Some(before);
    let listing = Listing { state, filter, left, opened: false, closed: false };
    let body = stream::unfold(listing, |mut listing| async move {
        if listing.closed {
            return None;
        }
        let chunk = listing.chunk();
        Some((Ok::<_, Infallible>(Bytes::from(chunk)), listing))
    });
    HttpResponse::Ok().content_type("application/json").streaming(Box::pin(body))
}

impl Listing {
    fn chunk(&mut self) -> String {
        self.filter.limit = Some(self.left.min(MESSAGES_AT_ONCE));
        let some = self.state.desk().log.select(&self.filter);
        let mut text = String::from(if self.opened { "" } else { "{\"messages\":[" });
        for (index, message) in some.iter().enumerate() {
            let comma = if self.opened || index > 0 { ",\n" } else { "" };
            let json = serde_json::to_string(message).unwrap_or_default();
            let _ = write!(text, "{comma}{json}");
        }
        self.opened |= !some.is_empty();
        self.left -= some.len();
        match some.last() {
            Some(last) if self.left > 0 => self.filter.after = Some(last.seq),
            _ => {
                text.push_str("]}\n");
                self.closed = true;
            }
        }
        text
    }
}
