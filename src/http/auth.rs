//! Authentication: which client calls, by its API key, and the idempotency key that it sends.
//!
//! Without API keys only programs on this machine are admitted, and a browser is one of them: any page that it shows could
//! post a form here (CSRF), or let its own host name lead here and read the responses (DNS rebinding). Hence the checks of
//! `Sec-Fetch-Site` and `Host`.

use crate::domain::Sha256;
use crate::intake::rejection::{ProblemCode, Rejection};
use actix_web::dev::Payload;
use actix_web::http::header::{self, HeaderMap};
use actix_web::http::uri::Authority;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};
use secrecy::{ExposeSecret, SecretString};
use std::future::{Ready, ready};
use std::net::IpAddr;
use subtle::{ConditionallySelectable, ConstantTimeEq};

/// The longest idempotency key in bytes.
const IDEMPOTENCY_KEY_LIMIT_BYTES: usize = 255;

/// The digests of the configured API keys, for a constant-time comparison: digests have one length, so the time it takes
/// does not tell how long a key is.
pub struct ApiKeys(Vec<Sha256>);

impl ApiKeys {
    /// With no keys, every program on this machine may call.
    pub fn new(keys: &[SecretString]) -> Self {
        Self(keys.iter().map(|key| Sha256::of(key.expose_secret().as_bytes())).collect())
    }

    /// The client whose key a request shows; `None` if it shows none that is configured.
    pub fn client(&self, headers: &HeaderMap) -> Option<ApiClient> {
        if self.0.is_empty() { None } else { self.admit(headers) }
    }

    fn check(&self, headers: &HeaderMap, host: Option<&str>) -> Result<ApiClient, Rejection> {
        if self.0.is_empty() && is_foreign(headers, host) {
            let detail = "Without API keys only programs on this machine and its own pages are served, and only as \
                          localhost or a loopback address. Configure API keys to be called in other ways.";
            return Err(Rejection::new(ProblemCode::CrossSite, detail));
        }
        self.admit(headers).ok_or_else(|| {
            Rejection::field(
                ProblemCode::Unauthorized,
                "Authorization",
                "Send one of the configured API keys as Authorization: Bearer <key>.",
            )
        })
    }

    /// The client whose key a request shows; compared with every key in constant time.
    fn admit(&self, headers: &HeaderMap) -> Option<ApiClient> {
        if self.0.is_empty() {
            return Some(ApiClient("open".to_owned()));
        }
        let given = headers.get(header::AUTHORIZATION)?.as_bytes();
        let (scheme, key) = given.split_at_checked("Bearer ".len())?;
        let given = Sha256::of(key.trim_ascii());
        let mut known = subtle::Choice::from(0);
        for key in &self.0 {
            known |= key.as_bytes().ct_eq(given.as_bytes());
        }
        let admitted = u8::conditional_select(&0, &1, known) == 1 && scheme.eq_ignore_ascii_case(b"Bearer ");
        admitted.then(|| ApiClient(given.to_string()[..16].to_owned()))
    }
}

/// Whether a browser says that the page of another site has sent the request, or it was not sent to a loopback name.
fn is_foreign(headers: &HeaderMap, host: Option<&str>) -> bool {
    let cross_site =
        headers.get("Sec-Fetch-Site").is_some_and(|site| site.as_bytes().eq_ignore_ascii_case(b"cross-site"));
    cross_site || !host.is_some_and(is_loopback)
}

/// Whether an authority, with a port or without, is `localhost` or a loopback address.
fn is_loopback(authority: &str) -> bool {
    let Ok(authority) = authority.parse::<Authority>() else { return false };
    let host = authority.host();
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// An authenticated client: the scope of its idempotency keys, made from the digest of its API key.
pub struct ApiClient(String);

impl FromRequest for ApiClient {
    type Error = Rejection;
    type Future = Ready<Result<Self, Rejection>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let keys = request.app_data::<Data<ApiKeys>>().expect("the server gives the keys to every route");
        let named = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
        let host = request.uri().authority().map(Authority::as_str).or(named);
        ready(keys.check(request.headers(), host))
    }
}

impl ApiClient {
    /// A client of a face that has credentials of its own.
    pub fn scoped(scope: String) -> Self {
        Self(scope)
    }

    /// What it is called where it stands for the client.
    pub fn scope(&self) -> &str {
        &self.0
    }

    /// The request's idempotency key within this client's scope.
    ///
    /// # Errors
    /// [`ProblemCode::InvalidIdempotencyKey`] if it is malformed or given twice.
    pub fn idempotency_key(&self, headers: &HeaderMap) -> Result<Option<String>, Rejection> {
        const NAME: &str = "Idempotency-Key";
        let rejected = |detail| Err(Rejection::field(ProblemCode::InvalidIdempotencyKey, NAME, detail));
        let mut given = headers.get_all(NAME);
        let Some(key) = given.next() else { return Ok(None) };
        if given.next().is_some() {
            return rejected("The header Idempotency-Key is given twice.");
        }
        match key.to_str() {
            Ok(key)
                if (1..=IDEMPOTENCY_KEY_LIMIT_BYTES).contains(&key.len())
                    && key.bytes().all(|b| b.is_ascii_graphic()) =>
            {
                Ok(Some(format!("{}:{key}", self.0)))
            }
            _ => rejected("An idempotency key has 1 to 255 visible ASCII characters, without spaces."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::{HeaderName, HeaderValue};

    fn headers(name: &'static str, values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn a_configured_key_opens_and_nothing_else_does() {
        let keys = ApiKeys::new(&["alpha".to_owned().into(), "beta".to_owned().into()]);
        for good in ["Bearer alpha", "bearer beta", "BEARER  beta "] {
            assert!(keys.admit(&headers("authorization", &[good])).is_some(), "{good}");
        }
        for bad in ["", "Bearer", "Bearer ", "alpha", "Basic alpha", "Bearer alph", "Bearer alphaa", "Bearer ALPHA"] {
            assert!(keys.admit(&headers("authorization", &[bad])).is_none(), "{bad}");
        }
        assert!(keys.admit(&HeaderMap::new()).is_none());
        assert!(ApiKeys::new(&[]).admit(&HeaderMap::new()).is_some(), "with no keys everybody may call");
    }

    #[test]
    fn without_keys_only_this_machine_is_served_and_no_other_sites_pages() {
        let (open, none) = (ApiKeys::new(&[]), HeaderMap::new());
        for host in ["localhost", "LOCALHOST:8080", "127.0.0.1", "127.8.9.1:1", "[::1]", "[::1]:8080"] {
            assert!(open.check(&none, Some(host)).is_ok(), "{host}");
        }
        for host in ["", "example.com", "localhost.example.com", "127.0.0.1.example.com:80", "10.0.0.1", "[::2]", "a@b"]
        {
            assert_eq!(open.check(&none, Some(host)).err().map(|r| r.code), Some(ProblemCode::CrossSite), "{host}");
        }
        assert!(open.check(&none, None).is_err());
        for (site, is_let_in) in [("cross-site", false), ("same-origin", true), ("same-site", true), ("none", true)] {
            let headers = headers("sec-fetch-site", &[site]);
            assert_eq!(open.check(&headers, Some("localhost")).is_ok(), is_let_in, "{site}");
        }
        let mut keyed = headers("sec-fetch-site", &["cross-site"]);
        keyed.insert(header::AUTHORIZATION, HeaderValue::from_static("Bearer alpha"));
        assert!(ApiKeys::new(&["alpha".to_owned().into()]).check(&keyed, Some("example.com")).is_ok());
    }

    #[test]
    fn idempotency_keys_are_visible_ascii_and_belong_to_their_client() {
        let keys = ApiKeys::new(&["alpha".to_owned().into(), "beta".to_owned().into()]);
        let alpha = keys.admit(&headers("authorization", &["Bearer alpha"])).unwrap();
        let beta = keys.admit(&headers("authorization", &["Bearer beta"])).unwrap();
        let of = |client: &ApiClient, values: &[&str]| client.idempotency_key(&headers("idempotency-key", values));
        assert_eq!(of(&alpha, &[]), Ok(None));
        assert_ne!(of(&alpha, &["a"]).unwrap(), of(&beta, &["a"]).unwrap());
        assert!(!of(&alpha, &["a"]).unwrap().unwrap().contains("alpha"));
        for bad in [&[""][..], &["a b"], &["a", "b"], &[&"x".repeat(256)]] {
            assert_eq!(of(&alpha, bad).unwrap_err().code, ProblemCode::InvalidIdempotencyKey);
        }
    }
}
