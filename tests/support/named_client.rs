//! Named clients of a service under test.

use pixcourier::settings::{Client, KeyDigest, Scope};

/// A named client with the default scopes, no limits, and the key `the-key-of-NAME`.
pub fn client(name: &str) -> Client {
    Client {
        name: name.parse().unwrap(),
        key: KeyDigest::of(&format!("the-key-of-{name}").into()),
        bots: None,
        scopes: [Scope::Send, Scope::Read].into(),
        rate: 0.0,
        daily_quota: 0,
        tokens: [].into(),
        callback_url: None,
        callback_secrets: Vec::new(),
    }
}
