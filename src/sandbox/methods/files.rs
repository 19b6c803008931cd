//! `getFile`, and the download that it leads to.

use super::super::State;
use super::super::call::{Call, envelope};
use super::super::error::ApiError;
use super::super::file_id::{FileId, Unusable, unique_id};
use super::super::options::Standing;
use super::super::page;
use super::super::render;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};

/// The largest file that can be downloaded, in bytes (Bot API).
const MAX_DOWNLOAD: u64 = 20_971_520;

/// `getFile`. The path holds the file_id, which holds all that there is to know.
pub(super) fn get(call: &Call) -> Result<Value, ApiError> {
    let text = call.arguments.text("file_id").ok_or_else(|| ApiError::bad("file_id not specified"))?;
    let secret = &call.state.store.secret;
    let id = FileId::decode(text, secret).map_err(|why| match why {
        Unusable::Unreadable(_) => ApiError::bad("invalid file_id"),
        Unusable::Unknown => unavailable(),
    })?;
    if id.bot != call.bot || id.epoch != call.state.desk().epoch(call.bot) {
        return Err(unavailable());
    }
    let bytes = call.state.store.size(&id.sha256).ok_or_else(unavailable)?;
    let local = call.state.options.local;
    if bytes > MAX_DOWNLOAD && !local {
        return Err(ApiError::bad("file is too big"));
    }
    let unique = unique_id(id.kind, &id.sha256, id.size);
    let known = call.state.desk().recall(&id).and_then(|media| media.file_name.clone());
    let extension = known.and_then(|name| render::extension(&name)).unwrap_or_else(|| id.kind.extension().to_owned());
    let path = if local { local_path(call, &id)? } else { format!("{}/{text}.{extension}", id.kind.folder()) };
    Ok(json!({"file_id": text, "file_unique_id": unique, "file_size": bytes, "file_path": path}))
}

/// Where the file is on the disk, which a local server says (Bot API).
fn local_path(call: &Call, id: &FileId) -> Result<String, ApiError> {
    let path = call.state.store.path(&id.sha256).canonicalize().map_err(|_| unavailable())?;
    Ok(path.to_string_lossy().into_owned())
}

fn unavailable() -> ApiError {
    ApiError::bad("wrong file_id or the file is temporarily unavailable")
}

/// Answers `/file/bot<token>/<path>`.
pub(in super::super) async fn download(state: &State, request: &HttpRequest, token: &str, path: &str) -> HttpResponse {
    let bot = match state.options.bots.standing(token) {
        Standing::Good(bot) => bot,
        Standing::Unknown => return envelope(Err(ApiError::new(401, "Unauthorized"))),
        Standing::Malformed => return envelope(Err(ApiError::new(404, "Not Found"))),
    };
    let name = path.rsplit('/').next().unwrap_or("").split('.').next().unwrap_or("");
    match FileId::decode(name, &state.store.secret) {
        Ok(id) if id.bot == bot && id.epoch == state.desk().epoch(bot) => {
            page::content(state, request, &id.sha256).await
        }
        _ => envelope(Err(ApiError::new(404, "Not Found"))),
    }
}
