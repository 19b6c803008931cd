//! Authentication: which client calls, by its API key, what it may do, and the idempotency key that it sends.

use super::callers::{Callers, ClientAccess};
use super::local_only;
use super::state::AppState;
use crate::domain::{BotName, ClientName, Notification, Viewer};
use crate::intake::rejection::{ProblemCode, Rejection};
use crate::settings::{Client, KeyDigest, Scope};
use actix_web::dev::Payload;
use actix_web::http::header::{self, HeaderMap};
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};
use secrecy::SecretString;
use std::future::{Ready, ready};
use std::sync::Arc;

/// The longest idempotency key in bytes.
const IDEMPOTENCY_KEY_LIMIT_BYTES: usize = 255;

/// Anybody who may look at what needs no key, metrics and documentation: without API keys, who would be let in without one.
pub struct Visitor;

impl FromRequest for Visitor {
    type Error = Rejection;
    type Future = Ready<Result<Self, Rejection>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(check_visitor(&callers(request), request).map(|()| Self))
    }
}

/// An authenticated client of the native face. Cheap to clone.
#[derive(Clone)]
pub struct ApiClient {
    /// The scope of its idempotency keys: the name, or the beginning of the digest of a key without one.
    scope: String,
    /// The client, if it has a name; without, it may do everything.
    client: Option<Arc<Client>>,
}

impl FromRequest for ApiClient {
    type Error = Rejection;
    type Future = Ready<Result<Self, Rejection>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::authenticate(&callers(request), request))
    }
}

fn callers(request: &HttpRequest) -> Arc<Callers> {
    let state = request.app_data::<Data<AppState>>().expect("the server gives the state to every route");
    state.callers.get()
}

/// Without keys, refuses what does not come from this machine, directly.
fn check_visitor(callers: &Callers, request: &HttpRequest) -> Result<(), Rejection> {
    if callers.is_open() { local_only::check(request) } else { Ok(()) }
}

/// The digest of the key that a request shows as a bearer.
fn shown_key(headers: &HeaderMap) -> Option<KeyDigest> {
    let given = headers.get(header::AUTHORIZATION)?.as_bytes();
    let (scheme, key) = given.split_at_checked("Bearer ".len())?;
    let key = std::str::from_utf8(key.trim_ascii()).ok().filter(|_| scheme.eq_ignore_ascii_case(b"Bearer "))?;
    Some(KeyDigest::of(&SecretString::from(key)))
}

impl ApiClient {
    fn authenticate(callers: &Callers, request: &HttpRequest) -> Result<Self, Rejection> {
        check_visitor(callers, request)?;
        if callers.is_open() {
            return Ok(Self::scoped("open".to_owned()));
        }
        let unauthorized = || {
            let detail = "Send one of the configured API keys as Authorization: Bearer <key>.";
            Rejection::field(ProblemCode::Unauthorized, "Authorization", detail)
        };
        let (client, access) = Self::identify(callers, request.headers()).ok_or_else(unauthorized)?;
        if let Some(access) = access {
            access.admit(request)?;
        }
        Ok(client)
    }

    /// The client whose key a request shows, admitted or not; `None` if it shows none that is configured.
    pub fn shown(callers: &Callers, headers: &HeaderMap) -> Option<Self> {
        Self::identify(callers, headers).map(|(client, _)| client)
    }

    fn identify(callers: &Callers, headers: &HeaderMap) -> Option<(Self, Option<Arc<ClientAccess>>)> {
        let key = shown_key(headers)?;
        let access = callers.owner(&key)?;
        let client = match &access {
            None => Self::scoped(hex::encode(&key.as_bytes()[..8])),
            Some(access) => {
                // No other scope begins like this.
                let scope = format!("client-{}", access.client.name);
                Self { scope, client: Some(access.client.clone()) }
            }
        };
        Some((client, access))
    }

    /// A client of a face that has credentials of its own.
    pub fn scoped(scope: String) -> Self {
        Self { scope, client: None }
    }

    /// The client, if it has a name.
    pub fn named(&self) -> Option<&Arc<Client>> {
        self.client.as_ref()
    }

    /// Checks that the client has one of these scopes.
    ///
    /// # Errors
    /// [`ProblemCode::ScopeMissing`].
    pub fn check_scope(&self, any: &[Scope]) -> Result<(), Rejection> {
        let Some(client) = &self.client else { return Ok(()) };
        if any.iter().any(|scope| client.scopes.contains(scope)) {
            return Ok(());
        }
        let needed: Vec<_> = any.iter().map(|scope| scope.as_str()).collect();
        let detail = format!(
            "The client {} has not got the scope for this: {}. Whoever runs the service gives it, in [clients.{}].",
            client.name,
            needed.join(" or "),
            client.name
        );
        Err(Rejection::field(ProblemCode::ScopeMissing, "Authorization", detail))
    }

    /// Checks that the client may use a bot.
    ///
    /// # Errors
    /// [`ProblemCode::BotNotAllowed`].
    pub fn check_bot(&self, bot: &BotName) -> Result<(), Rejection> {
        match &self.client {
            Some(client) if !client.may_use(bot) => {
                let detail = format!(
                    "The client {} may not use the bot {bot}. Whoever runs the service allows it, in [clients.{}].",
                    client.name, client.name
                );
                Err(Rejection::field(ProblemCode::BotNotAllowed, "bot", detail))
            }
            _ => Ok(()),
        }
    }

    /// Whether the client may use a bot.
    pub fn may_use(&self, bot: &BotName) -> bool {
        self.client.as_ref().is_none_or(|client| client.may_use(bot))
    }

    /// Whether the client sees everything, so that nothing need be looked through.
    pub fn sees_all(&self) -> bool {
        self.client.as_ref().is_none_or(|client| client.scopes.contains(&Scope::Manage) && client.bots.is_none())
    }

    /// Whether the client sees a notification: its own, or with `manage` that of others with a bot that it may use.
    pub fn sees(&self, notification: &Notification) -> bool {
        self.sees_those_of(notification.client.as_ref(), &notification.bot)
    }

    /// The same, by who posted a notification and its bot.
    pub fn sees_those_of(&self, poster: Option<&ClientName>, bot: &BotName) -> bool {
        let Some(client) = &self.client else { return true };
        poster == Some(&client.name) || client.scopes.contains(&Scope::Manage) && client.may_use(bot)
    }

    /// For a filter, if the client does not see everything.
    pub fn viewer(&self) -> Option<Viewer> {
        let client = self.client.as_ref().filter(|_| !self.sees_all())?;
        let managed = client.bots.clone().filter(|_| client.scopes.contains(&Scope::Manage));
        Some(Viewer { client: client.name.clone(), own_bots: None, bots: managed.unwrap_or_default() })
    }

    /// Checks that the client sees a notification. What it does not see does not exist for it.
    ///
    /// # Errors
    /// [`ProblemCode::NotificationNotFound`].
    pub fn check_sees(&self, notification: &Notification) -> Result<(), Rejection> {
        if self.sees(notification) { Ok(()) } else { Err(Rejection::no_such_notification()) }
    }

    /// What it is called where it stands for the client.
    pub fn scope(&self) -> &str {
        &self.scope
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
                Ok(Some(format!("{}:{key}", self.scope)))
            }
            _ => rejected("An idempotency key has 1 to 255 visible ASCII characters, without spaces."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn client(key: &str, name: &str) -> Arc<Client> {
        let (name, key) = (name.parse().unwrap(), KeyDigest::of(&key.to_owned().into()));
        let (scopes, tokens) = ([Scope::Send].into(), [].into());
        let bots = Some([BotName::default_bot()].into());
        let (callback_url, callback_secrets) = (None, Vec::new());
        let (rate, daily_quota) = (0.0, 0);
        Arc::new(Client { name, key, bots, scopes, rate, daily_quota, tokens, callback_url, callback_secrets })
    }

    fn callers() -> Callers {
        Callers::of(&["alpha".to_owned().into(), "beta".to_owned().into()], &[client("gamma", "shop")])
    }

    fn caller(callers: &Callers, headers: &[(&str, &str)]) -> Result<ApiClient, Rejection> {
        let mut request = TestRequest::default();
        for header in headers {
            request = request.append_header(*header);
        }
        ApiClient::authenticate(callers, &request.to_http_request())
    }

    #[test]
    fn a_configured_key_opens_and_nothing_else_does() {
        let callers = callers();
        let with = |authorization: &str| caller(&callers, &[("authorization", authorization)]);
        for good in ["Bearer alpha", "bearer beta", "BEARER  beta "] {
            assert!(with(good).is_ok_and(|client| client.named().is_none()), "{good}");
        }
        assert_eq!(with("Bearer gamma").unwrap().named().unwrap().name.as_str(), "shop");
        for bad in ["", "Bearer", "Bearer ", "alpha", "Basic alpha", "Bearer alph", "Bearer alphaa", "Bearer ALPHA"] {
            assert_eq!(with(bad).err().map(|r| r.code), Some(ProblemCode::Unauthorized), "{bad}");
        }
        assert!(caller(&callers, &[]).is_err());
    }

    #[test]
    fn a_named_client_has_its_scopes_and_bots_and_one_without_a_name_has_all() {
        let callers = callers();
        let unnamed = caller(&callers, &[("authorization", "Bearer alpha")]).unwrap();
        let named = caller(&callers, &[("authorization", "Bearer gamma")]).unwrap();
        let (default, other) = (BotName::default_bot(), "other".parse::<BotName>().unwrap());
        for (scope, bot) in [(Scope::Send, &default), (Scope::Manage, &other)] {
            assert_eq!((unnamed.check_scope(&[scope]), unnamed.check_bot(bot)), (Ok(()), Ok(())));
        }
        assert_eq!((named.check_scope(&[Scope::Read, Scope::Send]), named.check_bot(&default)), (Ok(()), Ok(())));
        assert_eq!(named.check_scope(&[Scope::Read]).unwrap_err().code, ProblemCode::ScopeMissing);
        assert_eq!(named.check_bot(&other).unwrap_err().code, ProblemCode::BotNotAllowed);
        assert!(unnamed.sees_all() && !named.sees_all());
    }

    #[test]
    fn idempotency_keys_are_visible_ascii_and_belong_to_their_client() {
        let callers = callers();
        let of = |key: &str, values: &[&str]| {
            let caller = caller(&callers, &[("authorization", &format!("Bearer {key}"))]).unwrap();
            let mut request = TestRequest::default();
            for value in values {
                request = request.append_header(("idempotency-key", *value));
            }
            caller.idempotency_key(request.to_http_request().headers())
        };
        assert_eq!(of("alpha", &[]), Ok(None));
        assert_ne!(of("alpha", &["a"]).unwrap(), of("beta", &["a"]).unwrap());
        assert!(!of("alpha", &["a"]).unwrap().unwrap().contains("alpha"));
        assert_eq!(of("gamma", &["a"]).unwrap().as_deref(), Some("client-shop:a"));
        for bad in [&[""][..], &["a b"], &["a", "b"], &[&"x".repeat(256)]] {
            assert_eq!(of("alpha", bad).unwrap_err().code, ProblemCode::InvalidIdempotencyKey);
        }
    }
}
