//! Callbacks: their secrets, and whom they may reach.

use crate::domain::CallbackUrl;
use crate::settings::callback::CallbackSettings;
use crate::settings::callback_secret::CallbackSecret;
use crate::settings::value_reader::ValueReader;

/// The most secrets of one caller: while one is replaced there are two.
const MAX_SECRETS: usize = 4;

/// What holds for all.
pub fn callbacks(reader: &mut ValueReader) -> CallbackSettings {
    CallbackSettings {
        secrets: secrets(reader, "callback_secret"),
        allow_private: reader.parsed("callback_allow_private", "true or false", false),
    }
}

/// The secrets at a path.
pub fn secrets(reader: &mut ValueReader, path: &str) -> Vec<CallbackSecret> {
    let texts = reader.list(path);
    let mut secrets = Vec::new();
    for (number, text) in (1..).zip(&texts) {
        match CallbackSecret::parse(text) {
            Some(secret) => secrets.push(secret),
            None => reader.add_error(path, format!("secret {number} is not {}", CallbackSecret::SHAPE)),
        }
    }
    if texts.len() > MAX_SECRETS {
        reader.add_error(path, format!("has {} secrets: {MAX_SECRETS} at most", texts.len()));
    }
    secrets
}

/// The receiver of a client at a path, which needs a secret, its own or that of all.
pub fn receiver(reader: &mut ValueReader, path: &str, has_secret: bool, all: &CallbackSettings) -> Option<CallbackUrl> {
    let text = reader.text(path)?.to_owned();
    let url = CallbackUrl::parse(&text).map_err(|error| reader.add_error(path, error.0)).ok()?;
    if !all.allow_private && url.names_private_address() {
        reader.add_error(path, "names a private address, and callback_allow_private is false");
        return None;
    }
    if !has_secret && all.secrets.is_empty() {
        reader.add_error(path, "needs a secret to sign with: set callback_secret beside it, or at the top of the file");
        return None;
    }
    Some(url)
}
