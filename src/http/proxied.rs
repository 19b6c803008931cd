//! Reverse proxy, the way back: streams the response of a Bot API server to the client.

use crate::ports::ProxyResponse;
use actix_web::HttpResponse;
use actix_web::body::SizedStream;
use actix_web::http::StatusCode;

/// Passes a response on with its status and headers, and with the length that its `content-length` gives, if it has one.
pub fn proxied_response(response: ProxyResponse) -> HttpResponse {
    let ProxyResponse { status, headers, body } = response;
    let mut builder = HttpResponse::build(StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY));
    let mut length = None;
    for (name, value) in headers {
        match name {
            "content-length" => length = std::str::from_utf8(&value).ok().and_then(|text| text.parse().ok()),
            name => _ = builder.append_header((name, value)),
        }
    }
    match length {
        Some(length) => builder.body(SizedStream::new(length, body)),
        None => builder.streaming(body),
    }
}
