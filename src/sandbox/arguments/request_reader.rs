//! Reading a request's arguments by its content type. Files go to the disk as they arrive.

use super::body;
use super::call_arguments::{CallArguments, MAX_TEXT_BYTES, RequestReadError};
use super::multipart;
use crate::sandbox::files::MediaStore;
use crate::sandbox::locked::Locked;
use crate::sandbox::log::StatsCounters;
use actix_web::HttpRequest;
use actix_web::web::Payload;

/// What is needed to read requests.
pub struct RequestReader<'a> {
    pub store: &'a MediaStore,
    pub stats: &'a Locked<StatsCounters>,
    /// The largest request, in bytes.
    pub max_body_bytes: u64,
}

impl RequestReader<'_> {
    /// Reads a request to its end.
    pub async fn read(&self, request: &HttpRequest, payload: Payload) -> Result<CallArguments, RequestReadError> {
        let mut arguments = CallArguments::default();
        arguments.add_form(request.query_string().as_bytes())?;
        let header = request.headers().get("content-type").and_then(|value| value.to_str().ok()).unwrap_or("");
        let content_type = header.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
        match content_type.as_str() {
            "application/x-www-form-urlencoded" => {
                arguments.add_form(&body::read_to_end(payload, MAX_TEXT_BYTES).await?)?;
            }
            "application/json" => match std::str::from_utf8(&body::read_to_end(payload, MAX_TEXT_BYTES).await?) {
                Ok(text) => arguments.add_json(text)?,
                Err(_) => arguments.garbled = true,
            },
            "multipart/form-data" => {
                let parts = multipart::parts(request.headers(), payload)?;
                multipart::read(parts, self.store, self.stats, self.max_body_bytes, &mut arguments).await?;
            }
            _ => body::discard(payload, self.max_body_bytes).await?,
        }
        Ok(arguments)
    }
}
