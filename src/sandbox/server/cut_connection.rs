//! Connections that are cut on purpose. The server drops a connection whose body fails, and writes nothing of an answer
//! whose body fails at once.

use actix_web::HttpResponse;
use actix_web::body::{BodyStream, SizedStream};
use actix_web::http::StatusCode;
use actix_web::web::Bytes;
use futures_util::stream;
use std::time::Duration;

/// How long the first half of an answer is given to reach the other side.
const HALF_ANSWER_DELAY: Duration = Duration::from_millis(50);

#[derive(Debug, thiserror::Error)]
#[error("cut on purpose, as a fault on demand asked for")]
struct CutConnectionError;

/// Closes the connection without a byte of an answer.
pub fn without_answer() -> HttpResponse {
    let body = BodyStream::new(stream::once(async { Err::<Bytes, _>(CutConnectionError) }));
    HttpResponse::Ok().force_close().body(body)
}

/// Sends half of an answer, whose length was announced, and closes the connection.
pub fn half(status: StatusCode, body: String) -> HttpResponse {
    let length = body.len() as u64;
    let half = Bytes::from(body).slice(..length as usize / 2);
    let body = stream::unfold(Some(half), |half| async move {
        match half {
            Some(half) => Some((Ok(half), None)),
            None => {
                tokio::time::sleep(HALF_ANSWER_DELAY).await;
                Some((Err(CutConnectionError), None))
            }
        }
    });
    HttpResponse::build(status).content_type("application/json").body(SizedStream::new(length, Box::pin(body)))
}
