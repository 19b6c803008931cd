//! Questions to the Bot API that do not go through the queue: they send nothing to anybody.

use super::{Registrar, Trouble};
use crate::delivery::timeouts::ANSWER_TIMEOUT;
use crate::domain::ChatId;
use crate::ports::{ApiReply, MessengerRequest};
use serde_json::{Value, json};
use std::time::Duration;

/// How long Telegram holds a poll without news, in seconds; more than 50 it makes 50 (Bot API server).
const POLL: u64 = 50;
/// The updates that concern us.
const ALLOWED: [&str; 2] = ["message", "my_chat_member"];

/// Telegram said no.
#[derive(Debug)]
pub(super) struct Refused {
    /// Its code.
    pub code: u16,
    /// Its words.
    pub words: String,
}

impl From<Refused> for Trouble {
    fn from(refused: Refused) -> Self {
        Self::Telegram(format!("{} {}", refused.code, refused.words))
    }
}

impl Registrar {
    /// Asks for something; the outer error means that there was no answer, or "not now".
    async fn ask(&self, method: &str, params: Value, timeout: Duration) -> Result<Result<Value, Refused>, Trouble> {
        let params = params.as_object().cloned().unwrap_or_default();
        let request =
            MessengerRequest { bot: self.bot.name.clone(), method: method.to_owned(), params, files: vec![], timeout };
        let answer = self.messenger.call(request).await.map_err(|error| Trouble::Telegram(error.to_string()))?;
        match answer.reply {
            Some(ApiReply { ok: true, result, .. }) => Ok(Ok(result.unwrap_or_default())),
            Some(ApiReply { error_code, description, .. }) => {
                let refused = Refused {
                    code: error_code.unwrap_or(answer.status),
                    words: description.unwrap_or_else(|| "no explanation".to_owned()),
                };
                match refused.code {
                    400 | 401 | 403 | 404 | 409 => Ok(Err(refused)),
                    _ => Err(refused.into()),
                }
            }
            None => Err(Trouble::Telegram(format!("HTTP status {}", answer.status))),
        }
    }

    /// Asks for the bot's username and writes it into the book.
    pub(super) async fn introduce(&self) -> Result<(), Trouble> {
        let me = self.ask("getMe", json!({}), ANSWER_TIMEOUT).await??;
        if let Some(username) = me["username"].as_str() {
            self.book.introduce(&self.bot.name, username).await?;
        }
        Ok(())
    }

    /// Removes a webhook, or nobody may poll (Bot API). What waits for it is kept.
    pub(super) async fn remove_webhook(&self) -> Result<(), Trouble> {
        self.ask("deleteWebhook", json!({"drop_pending_updates": false}), ANSWER_TIMEOUT).await??;
        Ok(())
    }

    /// Has the updates brought to us, one after the other, so that they keep their order.
    pub(super) async fn set_webhook(&self, url: &str, secret: &str) -> Result<(), Trouble> {
        let params = json!({"url": url, "secret_token": secret, "allowed_updates": ALLOWED, "max_connections": 1});
        self.ask("setWebhook", params, ANSWER_TIMEOUT).await??;
        Ok(())
    }

    /// Waits for updates from `offset` on, which confirms all before it.
    pub(super) async fn updates(&self, offset: Option<i64>) -> Result<Vec<Value>, Trouble> {
        let mut params = json!({"timeout": POLL, "allowed_updates": ALLOWED});
        if let Some(offset) = offset {
            params["offset"] = json!(offset);
        }
        match self.ask("getUpdates", params, Duration::from_secs(POLL + 10)).await?? {
            Value::Array(updates) => Ok(updates),
            _ => Err(Trouble::Telegram("getUpdates gave no list".to_owned())),
        }
    }

    /// The user who created a group, if it still has one; `None` also if the bot may not look (any more).
    pub(super) async fn creator_of(&self, chat: i64) -> Result<Option<i64>, Trouble> {
        let Ok(admins) = self.ask("getChatAdministrators", json!({"chat_id": chat}), ANSWER_TIMEOUT).await? else {
            return Ok(None);
        };
        let creator = admins.as_array().into_iter().flatten().find(|admin| admin["status"] == "creator");
        Ok(creator.and_then(|creator| creator["user"]["id"].as_i64()))
    }

    /// Whether a chat is one that the bot can no longer reach: it left, or the group has moved.
    pub(super) async fn is_gone(&self, chat: &ChatId) -> Result<bool, Trouble> {
        let found = self.ask("getChat", json!({"chat_id": chat}), ANSWER_TIMEOUT).await?;
        Ok(found.is_err_and(|refused| matches!(refused.code, 400 | 403)))
    }
}
