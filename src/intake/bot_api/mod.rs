//! The Bot API face: what is written for Telegram's Bot API works here when its base URL is changed.
//!
//! What makes, changes or takes away messages becomes an order like any other and waits for its turn; the answer is
//! Telegram's. Everything else is passed through. The token in the address is the credential: API keys belong to the
//! native API, and so does the rule that without any only this machine's own programs are served; a page in a browser
//! cannot know a token.

mod again;
mod arguments;
mod crowd;
mod form;
mod inline;
mod json;
mod methods;
mod order;
mod outcome;
mod pass;
mod reply;
mod tokens;

pub(super) use pass::file_path;

use super::http::Shared;
use crate::domain::{BotName, ChatId};
use crate::ports::ProxyTarget;
use crate::settings::{Bot, Registration};
use actix_web::http::Method;
use actix_web::web::{self, Data, Payload, ServiceConfig};
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use arguments::Arguments;
use crowd::Crowd;
use form::percent_decoded;
use reply::Fault;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokens::{BadToken, Tokens};
use tokio::sync::watch;

/// How long before the end of the grace period those who still wait are told.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// What the face remembers from request to request.
pub struct Face {
    tokens: Tokens,
    crowd: Crowd,
}

impl Face {
    /// Over the configured bots.
    pub fn new(bots: &BTreeMap<BotName, Arc<Bot>>) -> Self {
        Self { tokens: Tokens::new(bots), crowd: Crowd::default() }
    }

    fn bot(&self, token: &[u8]) -> Result<Arc<Bot>, Fault> {
        let token = std::str::from_utf8(token).map_err(|_| Fault::api(404, "Not Found"))?;
        self.tokens.bot(token).map_err(|bad| match bad {
            // As the cloud has it.
            BadToken::Malformed => Fault::api(404, "Not Found"),
            BadToken::Unknown => Fault::api(401, "Unauthorized"),
        })
    }
}

/// The sources' own shape: digits and a colon begin a token, all else belongs to somebody else.
const SOURCE: &str = "/{token:[0-9]+:[^/]*}/{method:(?i)sendPhoto}";
/// What begins like ours: without a method, without a token, in capitals.
const NEAR: [&str; 3] = ["/bot{token}", "/bot/{method}*", "/BOT{rest}*"];

/// Adds the routes.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(web::resource("/file/bot{token}/{path}*").route(web::to(download)))
        .service(web::resource("/bot{token}/{method}*").route(web::to(call)))
        .service(web::resource(SOURCE).route(web::to(send_photo)))
        .service(web::resource(NEAR).route(web::to(not_found)));
}

/// What every request comes with.
struct Desk<'a> {
    face: &'a Face,
    shared: &'a Shared,
    request: &'a HttpRequest,
}

/// `/bot<token>/<method>`.
async fn call(request: HttpRequest, payload: Payload, face: Data<Face>, shared: Data<Shared>) -> HttpResponse {
    let desk = Desk { face: &face, shared: &shared, request: &request };
    let answered = async {
        only(&request, &[Method::GET, Method::POST])?;
        let path = path(&request);
        let (token, method) = split(path.strip_prefix(b"/bot").unwrap_or_default());
        let bot = face.bot(token)?;
        let method = String::from_utf8_lossy(method).trim_end_matches('/').to_owned();
        if method.starts_with("test/") {
            return Err(Fault::api(404, "Not Found: the test environment is not served here"));
        }
        desk.call(&bot, &method, payload).await
    };
    answered.await.unwrap_or_else(|fault| fault.response())
}

/// `/<token>/sendPhoto`, without `bot`: a shape of its own, which tells more faults apart by their status.
async fn send_photo(request: HttpRequest, payload: Payload, face: Data<Face>, shared: Data<Shared>) -> HttpResponse {
    let desk = Desk { face: &face, shared: &shared, request: &request };
    let answered = async {
        only(&request, &[Method::POST])?;
        let path = path(&request);
        let bot = face.bot(split(path.strip_prefix(b"/").unwrap_or_default()).0)?;
        desk.call(&bot, "sendPhoto", payload).await
    };
    answered.await.unwrap_or_else(|fault| fault.told_apart().response())
}

/// `/file/bot<token>/<path>`.
async fn download(request: HttpRequest, payload: Payload, face: Data<Face>, shared: Data<Shared>) -> HttpResponse {
    let answered = async {
        only(&request, &[Method::GET, Method::HEAD])?;
        let whole = path(&request);
        let (token, file) = split(whole.strip_prefix(b"/file/bot").unwrap_or_default());
        let bot = face.bot(token)?;
        let file = pass::file_path(file).ok_or_else(|| Fault::api(404, "Not Found"))?;
        pass::stream(&shared, &request, payload.into_inner(), bot.name.clone(), ProxyTarget::File(file), 0).await
    };
    answered.await.unwrap_or_else(|fault| fault.response())
}

/// An address that has nearly the right shape is answered in this face's own.
async fn not_found() -> HttpResponse {
    Fault::api(404, "Not Found").response()
}

impl Desk<'_> {
    /// Answers a call of a method; without a name it is in the arguments.
    async fn call(&self, bot: &Arc<Bot>, method: &str, payload: Payload) -> Result<HttpResponse, Fault> {
        let unknown = || Fault::api(404, "Not Found: method not found");
        let payload = payload.into_inner();
        let mut method = methods::canonical(method);
        if !methods::is_name(&method) {
            return Err(unknown());
        }
        if !method.is_empty() && !methods::is_queued(&method) && !methods::is_inline(&method) {
            leave_updates(bot, &method)?;
            let (target, limit) = (ProxyTarget::Method(method), bot.file_limit() + (1 << 20));
            return pass::stream(self.shared, self.request, payload, bot.name.clone(), target, limit).await;
        }
        let spool = self.shared.intake.spool();
        let mut arguments = Arguments::read(self.request, payload, spool, bot.file_limit()).await?;
        if method.is_empty() {
            let named = arguments.texts.shift_remove("method");
            method = methods::canonical(named.as_ref().and_then(Value::as_str).unwrap_or_default());
        }
        if method.is_empty() || !methods::is_name(&method) {
            return Err(unknown());
        }
        leave_updates(bot, &method)?;
        if methods::is_queued(&method) {
            match chat(&arguments) {
                Ok(chat_id) => {
                    let result = self.deliver(bot, method, chat_id, arguments).await?;
                    return Ok(reply::ok(&result));
                }
                // Telegram refuses it in its own words and order, unless files would have to travel for nothing.
                Err(refused)
                    if !arguments.files.is_empty()
                        && methods::is_known(&method)
                        && !is_addressed_otherwise(&arguments) =>
                {
                    return Err(refused);
                }
                Err(_) => {}
            }
        }
        if let Some(telegram) = bot.telegram().filter(|_| methods::is_inline(&method)) {
            let (media, id) = (self.shared.media.clone(), telegram.id);
            let resolved = self.shared.run(async move {
                inline::resolve(&*media, id, &mut arguments).await?;
                Ok::<_, Fault>(arguments)
            });
            arguments = resolved.await??;
        }
        again::pass(self.shared, bot.name.clone(), method, arguments).await
    }

    /// Puts a call into the queue, unless it would wait there for too long, and waits for Telegram's answer.
    async fn deliver(
        &self,
        bot: &Arc<Bot>,
        method: String,
        chat_id: ChatId,
        arguments: Arguments,
    ) -> Result<Value, Fault> {
        let patience = self.shared.settings.bot_api_patience;
        let wait = self.face.crowd.wait(self.shared, bot).await;
        if wait > patience {
            return Err(Fault::too_many(wait.as_secs() + 1));
        }
        let order = order::order(arguments, bot, method, chat_id, patience);
        let (intake, ledger) = (self.shared.intake.clone(), self.shared.ledger.clone());
        let grace = self.shared.settings.grace_period;
        let stopping = stopping(self.shared.ready.clone(), grace.saturating_sub(LAST_WORDS));
        // To its end, also if the caller hangs up.
        let ended = self.shared.run(async move {
            let (id, outcome) = tokio::select! {
                ended = intake.deliver(order) => ended?,
                // It goes on after the restart; like Telegram, we cannot say how it will end.
                () = stopping => return Err(Fault::api(500, "Internal Server Error: restart")),
            };
            Ok((id, outcome::read(&*ledger, id, outcome).await))
        });
        let (id, answer) = ended.await??;
        self.request.extensions_mut().insert(id);
        answer
    }
}

/// Ends so long after the process has begun to stop.
async fn stopping(mut ready: watch::Receiver<bool>, after: Duration) {
    let _ = ready.wait_for(|ready| !ready).await;
    tokio::time::sleep(after).await;
}

/// Updates that a registration reads are not to be taken from it.
fn leave_updates(bot: &Bot, method: &str) -> Result<(), Fault> {
    if methods::takes_updates(method) && !matches!(bot.registration(), Registration::Off) {
        let words = "Conflict: the updates of this bot are read by its registration here; switch that off first";
        return Err(Fault::api(409, words));
    }
    Ok(())
}

/// The chat that a call goes to.
fn chat(arguments: &Arguments) -> Result<ChatId, Fault> {
    let text = arguments.text("chat_id").ok_or_else(|| Fault::bad("chat_id is empty"))?;
    text.trim().parse().map_err(|_| Fault::bad("chat not found"))
}

/// Whether a call needs no chat.
fn is_addressed_otherwise(arguments: &Arguments) -> bool {
    ["inline_message_id", "user_id"].iter().any(|name| arguments.text(name).is_some())
}

/// Other verbs get a 501 without a body (Bot API server).
fn only(request: &HttpRequest, verbs: &[Method]) -> Result<(), Fault> {
    if verbs.contains(request.method()) { Ok(()) } else { Err(Fault::Http(501)) }
}

/// The path, decoded: clients encode the colon of a token and the slashes of a file's path.
fn path(request: &HttpRequest) -> Vec<u8> {
    percent_decoded(request.uri().path().as_bytes(), false)
}

fn split(path: &[u8]) -> (&[u8], &[u8]) {
    let slash = path.iter().position(|b| *b == b'/').unwrap_or(path.len());
    (&path[..slash], path.get(slash + 1..).unwrap_or_default())
}
