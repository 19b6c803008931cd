//! One call of a method: through the queue if it makes, changes or deletes messages, else passed through.

use super::arguments::{BESIDE_FILE_BYTES, CallArguments};
use super::caller::BotApiCaller;
use super::chat::chat;
use super::error::{self, BotApiError};
use super::face::BotApiFace;
use super::idempotency::idempotency;
use super::send_request::send_request;
use super::{inline, methods, outcome, proxying, read_arguments, reencode};
use crate::domain::ChatId;
use crate::http::access_log::Replayed;
use crate::http::caller::spool_for;
use crate::http::state::AppState;
use crate::intake::Delivered;
use crate::ports::ProxyTarget;
use crate::settings::{Bot, Registration};
use actix_web::web::Payload;
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use serde_json::Value;
use std::time::Duration;

/// How long before the end of the grace period calls that still wait get their response.
const RESTART_NOTICE: Duration = Duration::from_secs(2);

/// Up to this size the files of a call that Telegram will refuse are sent to it all the same, for its own words.
const SMALL_FILES_BYTES: u64 = 64 * 1024;

/// One call, authenticated by its token.
pub struct BotApiCall<'a> {
    pub face: &'a BotApiFace,
    pub state: &'a AppState,
    pub request: &'a HttpRequest,
    pub caller: &'a BotApiCaller,
}

impl BotApiCall<'_> {
    /// Responds to the call. If the address does not name the method, the arguments do.
    pub async fn respond(&self, method: &str, payload: Payload) -> Result<HttpResponse, BotApiError> {
        let unknown = || BotApiError::api(404, "Not Found: method not found");
        let (bot, payload) = (&self.caller.bot, payload.into_inner());
        let mut method = methods::canonical(method);
        if !methods::is_name(&method) {
            return Err(unknown());
        }
        if !method.is_empty() && !methods::is_queued(&method) && !methods::is_inline(&method) {
            self.check_allowed(&method)?;
            let (target, limit) = (ProxyTarget::Method(method), bot.file_limit() + BESIDE_FILE_BYTES);
            return proxying::stream(self.state, self.request, payload, self.caller, target, limit).await;
        }
        let spool = &spool_for(self.request, self.state);
        let mut arguments = read_arguments::read(self.request, payload, self.face, spool, bot.file_limit()).await?;
        if method.is_empty() {
            let named = arguments.texts.shift_remove("method");
            method = methods::canonical(named.as_ref().and_then(Value::as_str).unwrap_or_default());
        }
        if method.is_empty() || !methods::is_name(&method) {
            return Err(unknown());
        }
        self.check_allowed(&method)?;
        if methods::is_queued(&method) {
            match chat_of(&arguments) {
                Ok(chat_id) => {
                    arguments.check_utf8()?;
                    let result = self.deliver(method, chat_id, arguments).await?;
                    return Ok(error::ok(&result));
                }
                Err(error) if is_too_much_for_nothing(&method, &arguments) => return Err(error),
                // Telegram rejects it in its own words.
                Err(_) => {}
            }
        }
        self.pass_through(method, arguments).await
    }

    /// Checks that the caller may call a method, and that it leaves a bot's updates to its registration.
    fn check_allowed(&self, method: &str) -> Result<(), BotApiError> {
        self.caller.check_method(method)?;
        check_updates_are_free(&self.caller.bot, method)
    }

    /// Passes a call on whose arguments have been read.
    async fn pass_through(&self, method: String, mut arguments: CallArguments) -> Result<HttpResponse, BotApiError> {
        let bot = &self.caller.bot;
        if let Some(telegram) = bot.telegram().filter(|_| methods::is_inline(&method)) {
            let (media, id) = (self.state.ports.media.clone(), telegram.id);
            let resolved = self.state.run(async move {
                inline::resolve(&*media, id, &mut arguments).await?;
                Ok::<_, BotApiError>(arguments)
            });
            arguments = resolved.await??;
        }
        reencode::forward(self.state, bot.name.clone(), method, arguments).await
    }

    /// Puts the call into the queue, unless it would wait there for too long, and waits for Telegram's answer.
    async fn deliver(&self, method: String, chat_id: ChatId, arguments: CallArguments) -> Result<Value, BotApiError> {
        let time_limit = self.state.settings.bot_api_patience;
        let wait = self.face.backlog.wait(self.state, &self.caller.bot).await;
        if wait > time_limit {
            return Err(BotApiError::too_many(self.face.backlog.turn(&self.caller.bot, wait).as_secs() + 1));
        }
        let mut send_request = send_request(arguments, &self.caller.bot, &method, chat_id, time_limit);
        send_request.client = self.caller.client();
        let idempotency = idempotency(self.request.headers(), &send_request)?;
        let (intake, ledger) = (self.state.intake.clone(), self.state.ports.ledger.clone());
        let stopping = self.state.stopping_for(self.state.settings.grace_period.saturating_sub(RESTART_NOTICE));
        // Runs to its end even if the caller hangs up.
        let delivering = self.state.run(async move {
            let delivered = tokio::select! {
                delivered = intake.deliver(send_request, idempotency) => delivered?,
                // The delivery goes on after the restart; like Telegram, we cannot say how it will end.
                () = stopping => return Err(BotApiError::api(500, "Internal Server Error: restart")),
            };
            let Delivered { id, outcome, replayed } = delivered;
            Ok((id, replayed, outcome::read(&*ledger, id, outcome).await))
        });
        let (id, replayed, result) = delivering.await??;
        self.request.extensions_mut().insert(id);
        if replayed {
            self.request.extensions_mut().insert(Replayed);
        }
        result
    }
}

/// Rejects a method that would take a bot's updates away from its registration.
fn check_updates_are_free(bot: &Bot, method: &str) -> Result<(), BotApiError> {
    if methods::takes_updates(method) && !matches!(bot.registration(), Registration::Off) {
        let words = "Conflict: the updates of this bot are read by its registration here; switch that off first";
        return Err(BotApiError::api(409, words));
    }
    Ok(())
}

/// The chat that a call goes to.
fn chat_of(arguments: &CallArguments) -> Result<ChatId, BotApiError> {
    let text = arguments.text("chat_id").ok_or_else(|| BotApiError::bad("chat_id is empty"))?;
    chat(text).ok_or_else(|| BotApiError::bad("chat not found"))
}

/// Whether the files or the large parameters of a call without a valid `chat_id` would be sent to Telegram for nothing: it is
/// a method that needs one, and the call names nobody else.
fn is_too_much_for_nothing(method: &str, arguments: &CallArguments) -> bool {
    let is_addressed = ["inline_message_id", "user_id"].iter().any(|name| arguments.text(name).is_some());
    let bytes: u64 = arguments.files.iter().map(|file| file.upload.spooled().size).sum();
    let is_large = bytes > SMALL_FILES_BYTES || arguments.hold.is_some();
    is_large && methods::is_known(method) && !is_addressed
}
