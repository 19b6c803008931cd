//! The idempotency key of a call: as at the native face, a repetition within 24 hours is delivered once and gets the result of
//! the first.

use super::error::BotApiError;
use crate::http::auth::ApiClient;
use crate::intake::fingerprint::fingerprint;
use crate::intake::send_request::{Attachment, InputFile, SendRequest};
use crate::ports::Idempotency;
use actix_web::http::header::HeaderMap;
use serde_json::{Value, json};

/// How many files of a call may have another part name in its repetition: more than any method takes.
const MAX_RENAMED_FILES: usize = 32;

/// The key that a call shows as `Idempotency-Key`, if it does, within its bot and, if its caller is a client with a name, that
/// client.
pub fn idempotency(headers: &HeaderMap, request: &SendRequest) -> Result<Option<Idempotency>, BotApiError> {
    let of_client = request.client.as_ref().map_or("unnamed".to_owned(), |client| format!("client-{}", client.name));
    let client = ApiClient::scoped(format!("bot_api:{}:{of_client}", request.bot));
    let key = client.idempotency_key(headers)?;
    Ok(key.map(|key| Idempotency { key, fingerprint: fingerprint(&canonical(request)) }))
}

/// The call as understood. Client libraries name the parts of files at random, so their names do not count.
fn canonical(request: &SendRequest) -> Value {
    let mut params = serde_json::to_string(&request.params).unwrap_or_default();
    for (number, file) in request.media.iter().take(MAX_RENAMED_FILES).enumerate() {
        // Behind the name stands the end of its string, which is escaped where JSON stands in a string.
        for end in ['"', '\\'] {
            params = params.replace(&format!("attach://{}{end}", file.field), &format!("attach://{number}{end}"));
        }
    }
    let params = serde_json::from_str(&params).unwrap_or(Value::String(params));
    let files: Vec<Value> = request.media.iter().map(canonical_file).collect();
    json!({"method": request.method, "chat_id": request.chat_id, "params": params, "files": files})
}

fn canonical_file(file: &Attachment) -> Value {
    let input = match &file.input {
        InputFile::Upload(upload) => json!({"sha256": upload.sha256()}),
        InputFile::Stored(digest) => json!({"sha256": digest}),
        InputFile::Url(url) => json!({"url": url}),
        InputFile::FileId(file_id) => json!({"file_id": file_id}),
    };
    json!([file.kind.as_str(), input, file.filename])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{BotName, ChatId, MediaKind};
    use std::time::Duration;

    #[test]
    fn the_same_call_is_known_by_what_it_says_whatever_its_parts_are_called() {
        let of = |name: &str, file_id: &str, caption: &str| {
            let params = json!({"media": format!("[{{\"media\":\"attach://{name}\"}}]"), "caption": caption});
            let Value::Object(params) = params else { panic!("an object") };
            let input = InputFile::FileId(file_id.to_owned());
            let file = Attachment { field: name.to_owned(), kind: MediaKind::Photo, input, filename: None };
            let (bot, method) = (BotName::default_bot(), "sendMediaGroup");
            let params = params.into_iter().collect();
            fingerprint(&canonical(&SendRequest::now(bot, ChatId::Id(7), method, params, vec![file], Duration::ZERO)))
        };
        let first = of("attached-8c1f", "id", "x");
        assert_eq!(first, of("attached-77aa", "id", "x"));
        assert_ne!(first, of("attached-8c1f", "other", "x"));
        assert_ne!(first, of("attached-8c1f", "id", "y"));
    }
}
