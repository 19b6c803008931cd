//! Images in the results of inline queries: `sha256:<hex>` in place of a file_id is replaced by the file_id that the bot
//! has for it.

use super::arguments::CallArguments;
use super::error::BotApiError;
use crate::domain::{MediaKind, Sha256, raw_json};
use crate::intake::rejection::Rejection;
use crate::ports::{FileKey, MediaIndex};
use serde_json::Value;

const DIGEST_PREFIX: &str = "sha256:";
/// How many values the results may have to be looked through, several times what fifty with buttons have.
const MAX_VALUES: usize = 8192;

/// Replaces digests by file_ids in the results of a call.
pub async fn resolve(media: &dyn MediaIndex, bot_id: u64, arguments: &mut CallArguments) -> Result<(), BotApiError> {
    for name in ["results", "result"] {
        let Some(text) = arguments.text(name).filter(|text| text.contains(DIGEST_PREFIX)) else { continue };
        // Telegram says what is wrong with JSON that cannot be read.
        let Some(mut results) = raw_json::tree(text.as_bytes(), MAX_VALUES) else { continue };
        let items = match &mut results {
            Value::Array(items) => items.as_mut_slice(),
            one => std::slice::from_mut(one),
        };
        for (key, value) in items.iter_mut().filter_map(Value::as_object_mut).flatten() {
            let Some((digest, kind)) = digest_and_kind(key, value)? else { continue };
            let found = media.file_id(&FileKey { bot_id, kind, sha256: digest }).await;
            let found = found.map_err(|error| BotApiError::from(Rejection::from(error)))?;
            *value = found.ok_or_else(|| unknown(key, &digest))?.into();
        }
        arguments.texts.insert(name.to_owned(), Value::String(results.to_string()));
    }
    Ok(())
}

/// The digest by which a member names an image, and what the image is sent as; `None` if it names none.
fn digest_and_kind(key: &str, value: &Value) -> Result<Option<(Sha256, MediaKind)>, BotApiError> {
    let digest = value.as_str().and_then(|text| text.strip_prefix(DIGEST_PREFIX));
    let (Some(kind), Some(digest)) = (key.strip_suffix("_file_id"), digest) else { return Ok(None) };
    let kind = match kind {
        "gif" | "mpeg4" => Some(MediaKind::Animation),
        kind => MediaKind::named(kind),
    };
    let digest =
        digest.parse().map_err(|_| BotApiError::bad(&format!("{key}: sha256: is followed by 64 hexadecimal digits")));
    kind.map(|kind| Ok((digest?, kind))).transpose()
}

fn unknown(key: &str, digest: &Sha256) -> BotApiError {
    BotApiError::bad(&format!(
        "{key}: this bot has no file_id for sha256:{digest} yet; PUT it to /v1/images with a staging chat first"
    ))
}
