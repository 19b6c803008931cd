//! Calls of the Bot API that do not go through the queue: they send nothing to anybody.

use super::registrar::{Registrar, RegistrationError};
use crate::domain::ChatId;
use crate::ports::{ANSWER_TIMEOUT, ApiReply, MessengerRequest};
use serde_json::{Value, json};
use std::time::Duration;

/// How long Telegram holds a poll without news; at most 50 (Bot API server).
const POLL_TIMEOUT_SECONDS: u64 = 50;
/// The kinds of updates that are asked for.
const ALLOWED_UPDATES: [&str; 2] = ["message", "my_chat_member"];

/// Telegram has refused a call.
#[derive(Debug)]
pub(super) struct TelegramRejection {
    /// The `error_code`.
    pub code: u16,
    /// The `description`.
    pub description: String,
}

impl From<TelegramRejection> for RegistrationError {
    fn from(rejection: TelegramRejection) -> Self {
        Self::Telegram(format!("{} {}", rejection.code, rejection.description))
    }
}

impl Registrar {
    /// Calls a method. The outer error means that there was no answer, or "not now".
    async fn call(
        &self,
        method: &str,
        params: Value,
        timeout: Duration,
    ) -> Result<Result<Value, TelegramRejection>, RegistrationError> {
        let params = params.as_object().cloned().unwrap_or_default();
        let request =
            MessengerRequest { bot: self.bot.name.clone(), method: method.to_owned(), params, files: vec![], timeout };
        let answer =
            self.messenger.call(request).await.map_err(|error| RegistrationError::Telegram(error.to_string()))?;
        match answer.reply {
            Some(ApiReply { ok: true, result, .. }) => Ok(Ok(result.unwrap_or_default())),
            Some(ApiReply { error_code, description, .. }) => {
                let rejection = TelegramRejection {
                    code: error_code.unwrap_or(answer.status),
                    description: description.unwrap_or_else(|| "no explanation".to_owned()),
                };
                match rejection.code {
                    400 | 401 | 403 | 404 | 409 => Ok(Err(rejection)),
                    _ => Err(rejection.into()),
                }
            }
            None => Err(RegistrationError::Telegram(format!("HTTP status {}", answer.status))),
        }
    }

    /// Asks for the bot's username (`getMe`) and writes it into the recipient book.
    pub(super) async fn introduce(&self) -> Result<(), RegistrationError> {
        let me = self.call("getMe", json!({}), ANSWER_TIMEOUT).await??;
        if let Some(username) = me["username"].as_str() {
            self.book.introduce(&self.bot.name, username).await?;
        }
        Ok(())
    }

    /// Removes a webhook, or nobody may poll (Bot API). What waits for it is kept.
    pub(super) async fn remove_webhook(&self) -> Result<(), RegistrationError> {
        self.call("deleteWebhook", json!({"drop_pending_updates": false}), ANSWER_TIMEOUT).await??;
        Ok(())
    }

    /// Has Telegram bring the updates one after the other, so that they keep their order.
    pub(super) async fn set_webhook(&self, url: &str, secret: &str) -> Result<(), RegistrationError> {
        let params =
            json!({"url": url, "secret_token": secret, "allowed_updates": ALLOWED_UPDATES, "max_connections": 1});
        self.call("setWebhook", params, ANSWER_TIMEOUT).await??;
        Ok(())
    }

    /// Waits for updates from `offset` on, which confirms all before it.
    pub(super) async fn updates(&self, offset: Option<i64>) -> Result<Vec<Value>, RegistrationError> {
        let mut params = json!({"timeout": POLL_TIMEOUT_SECONDS, "allowed_updates": ALLOWED_UPDATES});
        if let Some(offset) = offset {
            params["offset"] = json!(offset);
        }
        match self.call("getUpdates", params, Duration::from_secs(POLL_TIMEOUT_SECONDS + 10)).await?? {
            Value::Array(updates) => Ok(updates),
            _ => Err(RegistrationError::Telegram("getUpdates gave no list".to_owned())),
        }
    }

    /// The user who created a group, if it still has one; `None` also if the bot may not look (any more).
    pub(super) async fn creator_of(&self, chat: i64) -> Result<Option<i64>, RegistrationError> {
        let Ok(admins) = self.call("getChatAdministrators", json!({"chat_id": chat}), ANSWER_TIMEOUT).await? else {
            return Ok(None);
        };
        let creator = admins.as_array().into_iter().flatten().find(|admin| admin["status"] == "creator");
        Ok(creator.and_then(|creator| creator["user"]["id"].as_i64()))
    }

    /// Whether a chat is one that the bot can no longer reach: it left, or the group has moved.
    pub(super) async fn is_gone(&self, chat: &ChatId) -> Result<bool, RegistrationError> {
        let found = self.call("getChat", json!({"chat_id": chat}), ANSWER_TIMEOUT).await?;
        Ok(found.is_err_and(|rejection| matches!(rejection.code, 400 | 403)))
    }
}
