//! Rejections in Telegram's words.

use serde_json::{Map, Value, json};

/// Why a call is refused, as its answer says it.
#[derive(Clone, Debug, PartialEq)]
pub struct SandboxError {
    /// The HTTP status, also `error_code`.
    pub code: u16,
    /// With its prefix.
    pub description: String,
    /// `retry_after`, `migrate_to_chat_id`.
    pub parameters: Option<Box<Map<String, Value>>>,
    /// The unmapped text of an error that comes from Telegram's core; albums show it instead of the description.
    pub core: Option<String>,
}

/// What a call gives, or why it is refused.
pub type ApiResult<T> = Result<T, SandboxError>;

impl SandboxError {
    /// Any error; the description as it is to appear.
    pub fn new(code: u16, description: impl Into<String>) -> Self {
        Self { code, description: description.into(), parameters: None, core: None }
    }

    /// `Bad Request: ` and the text.
    pub fn bad(text: impl AsRef<str>) -> Self {
        Self::new(400, format!("Bad Request: {}", text.as_ref()))
    }

    /// `Bad Request: ` and a sentence with a capital, which becomes a small letter.
    pub fn sentence(text: &str) -> Self {
        let mut rest = text.chars();
        let first = rest.next().map(|c| c.to_ascii_lowercase());
        let is_code = rest.clone().next().is_some_and(|second| second.is_ascii_uppercase() || second == '_');
        if is_code { Self::bad(text) } else { Self::bad(first.into_iter().chain(rest).collect::<String>()) }
    }

    /// `Forbidden: ` and the text.
    pub fn forbidden(text: &str) -> Self {
        Self::new(403, format!("Forbidden: {text}"))
    }

    /// An error of Telegram's core about the media, with the text that the Bot API makes of it.
    pub fn core(raw: &str, text: &str) -> Self {
        Self { core: Some(raw.to_owned()), ..Self::bad(text) }
    }

    pub fn flood(retry_after: u64) -> Self {
        Self::new(429, format!("Too Many Requests: retry after {retry_after}")).with("retry_after", retry_after)
    }

    /// The chat has another id now.
    pub fn migrated(to: i64) -> Self {
        Self::bad("group chat was upgraded to a supergroup chat").with("migrate_to_chat_id", to)
    }

    /// The same inside an album, which does not map errors of the core; errors found before stay as they are.
    pub fn of_item(self, number: usize) -> Self {
        match &self.core {
            Some(raw) => Self::bad(format!("failed to send message #{number} with the error message \"{raw}\"")),
            None => self,
        }
    }

    /// Adds to `parameters`.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.parameters.get_or_insert_default().insert(name.to_owned(), value.into());
        self
    }

    /// Seconds for the `Retry-After` header.
    pub fn retry_after(&self) -> Option<u64> {
        self.parameters.as_ref()?.get("retry_after")?.as_u64()
    }

    /// The answer.
    pub fn json(&self) -> Value {
        let mut body = json!({"ok": false, "error_code": self.code, "description": self.description});
        if let Some(parameters) = &self.parameters {
            body["parameters"] = Value::Object(parameters.as_ref().clone());
        }
        body
    }
}
