//! The id by which a request is found again in the logs of its caller and in ours.

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use uuid::Uuid;

/// The header of the id in responses, and the first that is looked at in a request.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
/// What many proxies and clients call it.
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The longest id that is taken, in bytes.
const LIMIT_BYTES: usize = 128;

/// The caller's id if it gives one of up to 128 visible ASCII characters as `Request-Id` or `X-Request-Id`, else a fresh one.
pub fn request_id(headers: &HeaderMap) -> HeaderValue {
    let given = [REQUEST_ID, X_REQUEST_ID].iter().filter_map(|name| headers.get(name)).find(|id| is_fit(id.as_bytes()));
    given.cloned().unwrap_or_else(|| {
        let fresh = Uuid::now_v7().hyphenated().to_string();
        HeaderValue::from_str(&fresh).unwrap_or(HeaderValue::from_static("none"))
    })
}

fn is_fit(id: &[u8]) -> bool {
    (1..=LIMIT_BYTES).contains(&id.len()) && id.iter().all(u8::is_ascii_graphic)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(entries: &[(&'static str, &str)]) -> HeaderMap {
        let entry = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).unwrap())
        };
        entries.iter().map(entry).collect()
    }

    #[test]
    fn a_callers_id_is_kept_and_what_would_spoil_a_log_is_not() {
        assert_eq!(request_id(&headers(&[("request-id", "abc-1"), ("x-request-id", "other")])), "abc-1");
        assert_eq!(request_id(&headers(&[("x-request-id", "other")])), "other");
        assert_eq!(request_id(&headers(&[("request-id", "a b"), ("x-request-id", "other")])), "other");
        for bad in ["", "a b", "h\u{e9}", &"x".repeat(129)] {
            let fresh = request_id(&headers(&[("request-id", bad)]));
            assert_eq!(fresh.len(), 36, "{bad:?} became {fresh:?}");
        }
        assert_ne!(request_id(&HeaderMap::new()), request_id(&HeaderMap::new()));
    }
}
