//! Where a bot wants its updates, and whether the last delivery failed.

use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};

/// Where a bot wants its updates.
pub struct Webhook {
    pub url: Url,
    /// The value of `X-Telegram-Bot-Api-Secret-Token`; empty for none.
    pub secret: SecretString,
    pub max_connections: i64,
    /// When the last delivery failed, Unix time in seconds, and how.
    pub last_error: Option<(u64, String)>,
}

impl Webhook {
    pub fn new(url: Url, secret: &str, max_connections: i64) -> Self {
        Self { url, secret: secret.to_owned().into(), max_connections, last_error: None }
    }

    pub fn is_same(&self, other: &Self) -> bool {
        let alike = (&self.url, self.max_connections) == (&other.url, other.max_connections);
        alike && self.secret.expose_secret() == other.secret.expose_secret()
    }
}
