//! `getFile`.

use super::call::SandboxCall;
use crate::sandbox::files::{FileIdError, SandboxFileId, extension, unique_file_id};
use crate::sandbox::log::MediaOrigin;
use crate::sandbox::sandbox_error::{ApiResult, SandboxError};
use serde_json::{Value, json};

/// The largest file that can be downloaded (Bot API).
const MAX_DOWNLOAD_BYTES: u64 = 20_971_520;

/// The path holds the file_id, which holds all that there is to know.
pub fn get_file(call: &SandboxCall) -> ApiResult<Value> {
    let text = call.arguments.text("file_id").ok_or_else(|| SandboxError::bad("file_id not specified"))?;
    let files = &call.state.files;
    let id = files.decode_for(call.bot, text).map_err(|why| match why {
        FileIdError::Unreadable(_) => SandboxError::bad("invalid file_id"),
        FileIdError::Unknown => unavailable(),
    })?;
    let bytes = files.store.size(&id.sha256).ok_or_else(unavailable)?;
    let local = call.state.options.local;
    if bytes > MAX_DOWNLOAD_BYTES && !local {
        return Err(SandboxError::bad("file is too big"));
    }
    let unique = unique_file_id(id.kind, &id.sha256, id.size);
    let name = files.media(&id, MediaOrigin::FileId).file_name;
    let extension = name.and_then(|name| extension(&name)).unwrap_or_else(|| id.kind.extension().to_owned());
    let path = if local { local_path(call, &id)? } else { format!("{}/{text}.{extension}", id.kind.folder()) };
    Ok(json!({"file_id": text, "file_unique_id": unique, "file_size": bytes, "file_path": path}))
}

/// Where the file is on the disk, which a local server says (Bot API).
fn local_path(call: &SandboxCall, id: &SandboxFileId) -> ApiResult<String> {
    let path = call.state.files.store.path(&id.sha256).canonicalize().map_err(|_| unavailable())?;
    Ok(path.to_string_lossy().into_owned())
}

fn unavailable() -> SandboxError {
    SandboxError::bad("wrong file_id or the file is temporarily unavailable")
}
