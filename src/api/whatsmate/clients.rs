//! Authentication of WhatsMate clients, and which bots each may send with.

use crate::domain::{BotName, Sha256};
use crate::intake::rejection::{ProblemCode, Rejection};
use crate::settings::{Live, WhatsMateClient};
use actix_web::http::header::HeaderMap;
use secrecy::ExposeSecret;
use std::collections::BTreeMap;
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// The digests of the configured clients' ids and secrets, for a constant-time comparison: digests have one length, so the
/// time it takes does not tell how long a secret is.
pub struct WhatsMateClients(Live<Vec<Arc<KnownClient>>>);

/// A configured client.
pub struct KnownClient {
    id: Sha256,
    secret: Sha256,
    instances: BTreeMap<u32, BotName>,
}

impl WhatsMateClients {
    /// With no clients, nobody may call.
    pub fn new(clients: &[WhatsMateClient]) -> Self {
        Self(Live::new(known(clients)))
    }

    /// Takes other clients from now on.
    pub fn replace(&self, clients: &[WhatsMateClient]) {
        self.0.replace(known(clients));
    }

    /// The client whose id and secret a request shows; compared with all of them in constant time.
    pub fn admit(&self, headers: &HeaderMap) -> Result<Arc<KnownClient>, Rejection> {
        let given = |name: &str, missing: &str| match headers.get(name).map(|value| value.as_bytes().trim_ascii()) {
            Some(text) if !text.is_empty() => Ok(Sha256::of(text)),
            _ => Err(Rejection::field(ProblemCode::Unauthorized, name, missing)),
        };
        let id = given("X-WM-CLIENT-ID", "Missing client ID: send it in the header X-WM-CLIENT-ID.")?;
        let secret = given("X-WM-CLIENT-SECRET", "Missing client secret: send it in the header X-WM-CLIENT-SECRET.")?;
        let mut found = None;
        for client in self.0.get().iter() {
            let same = client.id.as_bytes().ct_eq(id.as_bytes()) & client.secret.as_bytes().ct_eq(secret.as_bytes());
            if same.into() {
                found = Some(client.clone());
            }
        }
        found.ok_or_else(|| {
            let detail = "Wrong client ID or client secret: this service has its own, set by whoever runs it.";
            Rejection::new(ProblemCode::Unauthorized, detail)
        })
    }
}

fn known(clients: &[WhatsMateClient]) -> Vec<Arc<KnownClient>> {
    let known = clients.iter().map(|client| KnownClient {
        id: Sha256::of(client.id.expose_secret().as_bytes()),
        secret: Sha256::of(client.secret.expose_secret().as_bytes()),
        instances: client.instances.clone(),
    });
    known.map(Arc::new).collect()
}

impl KnownClient {
    /// The bot of an instance number as it stands in a path.
    pub fn bot(&self, instance: &str) -> Result<&BotName, Rejection> {
        let number = instance.parse::<u32>().ok().filter(|_| instance.bytes().all(|b| b.is_ascii_digit()));
        number.and_then(|number| self.instances.get(&number)).ok_or_else(|| unknown_instance(instance))
    }

    /// The scope of its idempotency keys.
    pub fn scope(&self) -> String {
        format!("whatsmate-{}", &self.id.to_string()[..16])
    }
}

/// The rejection of an instance number that a client does not have.
pub fn unknown_instance(instance: &str) -> Rejection {
    let shown: String = instance.chars().take(20).collect();
    let detail =
        format!("There is no instance {shown:?} for this client. The instance number is the last part of the path.");
    Rejection::new(ProblemCode::UnknownBot, detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::{HeaderName, HeaderValue};

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        };
        pairs.iter().map(pair).collect()
    }

    fn clients() -> WhatsMateClients {
        let client = |id: &str, secret: &str, number: u32, bot: &str| WhatsMateClient {
            id: id.into(),
            secret: secret.into(),
            instances: [(number, bot.parse().unwrap())].into(),
        };
        WhatsMateClients::new(&[client("a@x", "secret-of-a", 1, "one"), client("b@x", "secret-of-b", 2, "two")])
    }

    #[test]
    fn a_client_shows_both_its_id_and_its_own_secret() {
        let clients = clients();
        let shown = |id, secret| {
            let client = clients.admit(&headers(&[("x-wm-client-id", id), ("x-wm-client-secret", secret)]));
            client.map(|client| client.instances.keys().copied().collect::<Vec<_>>()).map_err(|r| r.detail)
        };
        assert_eq!((shown("a@x", "secret-of-a"), shown("b@x", " secret-of-b ")), (Ok(vec![1]), Ok(vec![2])));
        for (id, secret, word) in [
            ("a@x", "secret-of-b", "Wrong"),
            ("c@x", "secret-of-a", "Wrong"),
            ("A@X", "secret-of-a", "Wrong"),
            ("", "secret-of-a", "Missing client ID"),
            ("a@x", " ", "Missing client secret"),
        ] {
            let words = shown(id, secret).unwrap_err();
            assert!(words.contains(word) && !words.contains("secret-of"), "{words}");
        }
        assert!(clients.admit(&headers(&[])).is_err());
        let nobody = WhatsMateClients::new(&[]);
        assert!(nobody.admit(&headers(&[("x-wm-client-id", "a"), ("x-wm-client-secret", "b")])).is_err());
    }

    #[test]
    fn an_instance_is_one_of_the_clients_own_numbers() {
        let clients = clients().0.get();
        assert_eq!(clients[0].bot("1").unwrap().as_str(), "one");
        for bad in ["2", "0", "+1", "-1", "x", "", "99999999999"] {
            assert_eq!(clients[0].bot(bad).unwrap_err().code, ProblemCode::UnknownBot, "{bad}");
        }
        assert_ne!(clients[0].scope(), clients[1].scope());
    }
}
