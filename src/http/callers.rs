//! The callers that are known: the API keys, and the clients that they belong to.

use super::client_trace::ClientTrace;
use super::rate_meter::RateMeter;
use crate::intake::rejection::{ProblemCode, Rejection};
use crate::settings::{Client, KeyDigest, Settings};
use actix_web::{HttpMessage, HttpRequest};
use secrecy::SecretString;
use std::sync::Arc;
use std::time::Instant;
use subtle::{ConditionallySelectable, ConstantTimeEq};

/// The digests of the API keys with their owners, for a constant-time comparison: digests have one length, so the time it
/// takes does not tell how long a key is.
pub struct Callers {
    keys: Vec<(KeyDigest, Option<Arc<ClientAccess>>)>,
    clients: Vec<Arc<ClientAccess>>,
}

/// A named client, and how fast it calls.
pub struct ClientAccess {
    /// Who it is and what it may do.
    pub client: Arc<Client>,
    meter: Option<Arc<RateMeter>>,
}

impl Callers {
    /// Those of the settings: keys without a name, which open everything, and clients.
    pub fn new(settings: &Settings) -> Self {
        Self::of(&settings.api_keys, &settings.clients)
    }

    /// The same from their parts.
    pub fn of(api_keys: &[SecretString], clients: &[Arc<Client>]) -> Self {
        Self::with_meters(api_keys, clients, |_| None)
    }

    /// Those of changed settings. A client whose rate is what it was has used of it what it had used.
    pub fn changed(&self, settings: &Settings) -> Self {
        Self::with_meters(&settings.api_keys, &settings.clients, |client| {
            let known = self.clients.iter().find(|access| access.client.name == client.name);
            known.filter(|access| access.client.rate == client.rate)?.meter.clone()
        })
    }

    fn with_meters(
        api_keys: &[SecretString],
        clients: &[Arc<Client>],
        known_meter: impl Fn(&Client) -> Option<Arc<RateMeter>>,
    ) -> Self {
        let now = Instant::now();
        let access = |client: &Arc<Client>| {
            let meter = known_meter(client).or_else(|| RateMeter::new(client.rate, now).map(Arc::new));
            Arc::new(ClientAccess { client: client.clone(), meter })
        };
        let clients: Vec<_> = clients.iter().map(access).collect();
        let unnamed = api_keys.iter().map(|key| (KeyDigest::of(key), None));
        let named = clients.iter().map(|access| (access.client.key, Some(access.clone())));
        Self { keys: unnamed.chain(named).collect(), clients }
    }

    /// Whether no key is configured, so that every program on this machine may call.
    pub fn is_open(&self) -> bool {
        self.keys.is_empty()
    }

    /// The named clients.
    pub fn clients(&self) -> &[Arc<ClientAccess>] {
        &self.clients
    }

    /// Whose key this is, if it is one; nobody's name for one without. Compared with every key in constant time.
    pub fn owner(&self, key: &KeyDigest) -> Option<Option<Arc<ClientAccess>>> {
        let mut place = u64::MAX;
        for (at, (known, _)) in (0..).zip(&self.keys) {
            place.conditional_assign(&at, known.as_bytes().ct_eq(key.as_bytes()));
        }
        let found = usize::try_from(place).ok().and_then(|place| self.keys.get(place));
        found.map(|(_, access)| access.clone())
    }
}

impl ClientAccess {
    /// Counts a request of the client, and leaves a trace of it for the response, the access log and the metrics.
    ///
    /// # Errors
    /// [`ProblemCode::RateLimited`] when it calls faster than its rate.
    pub fn admit(&self, request: &HttpRequest) -> Result<(), Rejection> {
        let taken = self.meter.as_ref().map(|meter| meter.take(Instant::now()));
        let reading = taken.map(|taken| taken.unwrap_or_else(|refused| refused));
        request.extensions_mut().insert(ClientTrace::new(&self.client, reading));
        match taken {
            Some(Err(reading)) => {
                let detail = format!(
                    "The client {} may make {} requests in {} s. Nothing was done; try again after the time in Retry-After.",
                    self.client.name, reading.quota, reading.window
                );
                Err(Rejection::new(ProblemCode::RateLimited, detail).after(reading.reset))
            }
            _ => Ok(()),
        }
    }
}
