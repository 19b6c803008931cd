//! The download that `getFile` leads to.

use super::api_response::{authenticate, error_response};
use crate::sandbox::files::send_content;
use crate::sandbox::sandbox_error::SandboxError;
use crate::sandbox::state::SandboxState;
use actix_web::{HttpRequest, HttpResponse};

/// Answers `/file/bot<token>/<path>`; the path ends with the file_id and an extension.
pub async fn download(state: &SandboxState, request: &HttpRequest, token: &str, path: &str) -> HttpResponse {
    let bot = match authenticate(&state.options.bots, token) {
        Ok(bot) => bot,
        Err(e) => return error_response(e),
    };
    let name = path.rsplit('/').next().unwrap_or("").split('.').next().unwrap_or("");
    match state.files.decode_for(bot, name) {
        Ok(id) => send_content(&state.files.store, request.headers(), &id.sha256).await,
        Err(_) => error_response(SandboxError::new(404, "Not Found")),
    }
}
