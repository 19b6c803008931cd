//! Who is served without API keys: programs on this machine, and the pages that this service shows itself.
//!
//! A browser is a program on this machine, and any page that it shows could post a form here (CSRF), or let its own host
//! name lead here and read the responses (DNS rebinding). So is a reverse proxy, which would let in the world. Hence the
//! checks of `Host`, of `Origin` and `Sec-Fetch-Site`, and of what proxies add to a request. A proxy that adds nothing looks
//! like any other program here.

use crate::intake::rejection::{ProblemCode, Rejection};
use actix_web::HttpRequest;
use actix_web::http::header::{self, HeaderMap};
use actix_web::http::uri::Authority;
use std::net::IpAddr;

/// Headers that only a proxy adds to a request; and there is everything that begins with [`FORWARDED_PREFIX`].
const PROXY_HEADERS: [&str; 12] = [
    "forwarded",
    "via",
    "x-real-ip",
    "client-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-original-forwarded-for",
    "x-original-host",
    "x-original-url",
    "x-envoy-external-address",
    "true-client-ip",
    "cf-connecting-ip",
];
/// What the names of most headers of proxies begin with.
const FORWARDED_PREFIX: &str = "x-forwarded";
/// What helps in every case.
const REMEDY: &str = "Set PIXCOURIER_API_KEYS, and send one of the keys as Authorization: Bearer <key>, to be called in \
                      other ways.";

/// Checks that a request comes from a program on this machine, directly, or from a page of this service.
///
/// # Errors
/// [`ProblemCode::Forwarded`] for what came through a proxy, [`ProblemCode::CrossSite`] for the rest.
pub fn check(request: &HttpRequest) -> Result<(), Rejection> {
    let named = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    check_headers(request.headers(), request.uri().authority().map(Authority::as_str).or(named))
}

fn check_headers(headers: &HeaderMap, host: Option<&str>) -> Result<(), Rejection> {
    let is_of_proxy = |name: &str| name.starts_with(FORWARDED_PREFIX) || PROXY_HEADERS.contains(&name);
    if let Some(name) = headers.keys().find(|name| is_of_proxy(name.as_str())) {
        let detail = format!(
            "The header {name} says that this came through a proxy. Without API keys only programs on this machine are \
             served, and only directly. {REMEDY}"
        );
        return Err(Rejection::field(ProblemCode::Forwarded, name.as_str(), detail));
    }
    let foreign = |name: &str, why: &str| {
        let detail = format!(
            "{why} Without API keys only programs on this machine and this service's own pages are served, and only as \
             localhost or a loopback address. {REMEDY}"
        );
        Err(Rejection::field(ProblemCode::CrossSite, name, detail))
    };
    let Some(host) = host.filter(|host| is_loopback(host)) else {
        return foreign("Host", "The host that was called is no name of this machine alone.");
    };
    let own = format!("http://{host}");
    if headers.get_all(header::ORIGIN).any(|origin| !origin.as_bytes().eq_ignore_ascii_case(own.as_bytes())) {
        return foreign("Origin", "This comes from a page of another origin.");
    }
    let is_own = |site: &[u8]| site.eq_ignore_ascii_case(b"same-origin") || site.eq_ignore_ascii_case(b"none");
    if headers.get_all("Sec-Fetch-Site").any(|site| !is_own(site.as_bytes())) {
        return foreign("Sec-Fetch-Site", "This comes from a page of another site.");
    }
    Ok(())
}

/// Whether an authority, with a port or without, is `localhost` or a loopback address.
fn is_loopback(authority: &str) -> bool {
    let Ok(authority) = authority.parse::<Authority>() else { return false };
    let host = authority.host();
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::{HeaderName, HeaderValue};

    fn rejected(host: Option<&str>, pairs: &[(&str, &str)]) -> Option<(ProblemCode, String)> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            let name = HeaderName::from_bytes(name.to_ascii_lowercase().as_bytes()).unwrap();
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        let rejection = check_headers(&headers, host).err()?;
        assert!(rejection.detail.contains("PIXCOURIER_API_KEYS"), "{rejection}");
        Some((rejection.code, rejection.field.unwrap_or_default()))
    }

    #[test]
    fn only_loopback_names_are_served() {
        for host in ["localhost", "LOCALHOST:8080", "127.0.0.1", "127.8.9.1:1", "[::1]", "[::1]:8080"] {
            assert_eq!(rejected(Some(host), &[]), None, "{host}");
        }
        let others =
            ["", "example.com", "localhost.example.com", "127.0.0.1.example.com:80", "10.0.0.1", "[::2]", "a@b"];
        for host in others.map(Some).into_iter().chain([None]) {
            assert_eq!(rejected(host, &[]), Some((ProblemCode::CrossSite, "Host".to_owned())), "{host:?}");
        }
    }

    #[test]
    fn only_our_own_pages_are_served() {
        let host = Some("localhost:8080");
        for (name, value) in [
            ("Origin", "http://localhost:8080"),
            ("Origin", "HTTP://LOCALHOST:8080"),
            ("Sec-Fetch-Site", "same-origin"),
            ("Sec-Fetch-Site", "none"),
        ] {
            assert_eq!(rejected(host, &[(name, value)]), None, "{name}: {value}");
        }
        for (name, value) in [
            ("Origin", "http://localhost:3000"),
            ("Origin", "http://localhost"),
            ("Origin", "http://127.0.0.1:8080"),
            ("Origin", "https://localhost:8080"),
            ("Origin", "https://example.com"),
            ("Origin", "null"),
            ("Origin", ""),
            ("Sec-Fetch-Site", "cross-site"),
            ("Sec-Fetch-Site", "same-site"),
        ] {
            assert_eq!(rejected(host, &[(name, value)]), Some((ProblemCode::CrossSite, name.to_owned())), "{value}");
        }
        let two = [("Origin", "http://localhost:8080"), ("Origin", "http://example.com")];
        assert!(rejected(host, &two).is_some());
    }

    #[test]
    fn nothing_is_served_through_a_proxy() {
        for name in ["Forwarded", "X-Forwarded-For", "x-forwarded-proto", "X-FORWARDED-ANYTHING", "X-Real-IP", "Via"] {
            for value in ["for=192.0.2.60", "127.0.0.1", ""] {
                let expected = Some((ProblemCode::Forwarded, name.to_ascii_lowercase()));
                assert_eq!(rejected(Some("localhost:8080"), &[(name, value)]), expected, "{name}");
            }
        }
    }
}
