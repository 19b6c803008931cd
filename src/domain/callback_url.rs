//! The address that is told how a notification has ended.

use super::public_address::is_public;
use reqwest::Url;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;

/// An `http` or `https` URL of a receiver, as short as it may be written. Its query may hold a secret, so it is printed without.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CallbackUrl(String);

/// Why a text is no callback URL; reads behind its name, and repeats nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidCallbackUrl(pub &'static str);

impl CallbackUrl {
    /// The longest in bytes.
    pub const LIMIT_BYTES: usize = 2_048;

    /// Reads one.
    ///
    /// # Errors
    /// It is too long, is no URL, or has another scheme, a user, a password or a fragment.
    pub fn parse(text: &str) -> Result<Self, InvalidCallbackUrl> {
        if text.len() > Self::LIMIT_BYTES {
            return Err(InvalidCallbackUrl("has more than 2048 bytes"));
        }
        let url = Url::parse(text).ok().filter(|url| ["http", "https"].contains(&url.scheme()) && url.has_host());
        let Some(url) = url else {
            return Err(InvalidCallbackUrl("is no URL that begins with http:// or https:// and names a host"));
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(InvalidCallbackUrl(
                "must not hold a user or a password: what is sent is signed, and the query may hold a secret",
            ));
        }
        if url.fragment().is_some() {
            return Err(InvalidCallbackUrl("must not hold a fragment (#...), which no server is sent"));
        }
        let written = String::from(url);
        // Percent-encoding makes it longer.
        if written.len() > Self::LIMIT_BYTES {
            return Err(InvalidCallbackUrl("has more than 2048 bytes once it is percent-encoded"));
        }
        Ok(Self(written))
    }

    /// All of it: for the request, and to be stored.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Its host, with the port if it is not the usual one.
    pub fn host_and_port(&self) -> &str {
        let rest = self.0.split_once("://").map_or("", |(_, rest)| rest);
        rest.split(['/', '?']).next().unwrap_or_default()
    }

    /// Whether it names an address (and no host) that is not one of the public internet. Such a one is never resolved.
    pub fn names_private_address(&self) -> bool {
        let host = self.host_and_port();
        let host = match host.strip_prefix('[') {
            Some(address) => address.split(']').next().unwrap_or_default(),
            None => host.split(':').next().unwrap_or_default(),
        };
        host.parse::<IpAddr>().is_ok_and(|address| !is_public(address))
    }
}

impl fmt::Display for CallbackUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.split_once('?') {
            Some((path, _)) => write!(f, "{path}?***"),
            None => f.write_str(&self.0),
        }
    }
}

impl fmt::Debug for CallbackUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_receivers_are_read_and_shown_without_their_query() {
        let url = CallbackUrl::parse("HTTPS://Hooks.Example:443/a?key=hunter2").unwrap();
        assert_eq!(url.expose(), "https://hooks.example/a?key=hunter2");
        assert_eq!((url.to_string(), format!("{url:?}")), ("https://hooks.example/a?***".into(), url.to_string()));
        let long = format!("https://a.example/{}", "x".repeat(2_048));
        let encoded = format!("https://a.example/{}", "ü".repeat(700));
        for bad in [
            "",
            "example.org",
            "ftp://a.example",
            "file:///etc/passwd",
            "https://",
            "http://u@a.example",
            "http://:p@a.example",
            "https://a.example/#b",
            long.as_str(),
            encoded.as_str(),
        ] {
            assert!(CallbackUrl::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_private_address_is_known_however_it_is_written() {
        let hosts = |text: &str| CallbackUrl::parse(text).unwrap();
        for private in [
            "http://127.0.0.1/",
            "http://127.1:8080/x",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://[::1]:80/",
            "http://[::ffff:10.0.0.1]/",
            "https://169.254.169.254/latest",
            "http://0177.0.0.1/",
            "http://10.0.0.1?a=b",
            "http://１２７.0.0.1/",
        ] {
            assert!(hosts(private).names_private_address(), "{private}");
        }
        for other in
            ["https://8.8.8.8/", "https://localhost/", "https://[2606:4700::1111]/", "https://127.0.0.1.a.example/"]
        {
            assert!(!hosts(other).names_private_address(), "{other}");
        }
        assert_eq!(hosts("http://[::1]:8080?x").host_and_port(), "[::1]:8080");
    }

    /// Scripts in Redis look for it at the end of a notification's JSON, where nothing that a caller writes can stand.
    #[test]
    fn it_is_written_without_quotes() {
        let url = CallbackUrl::parse(r#"https://a.example/"'\?"\'=<>"#).unwrap();
        assert!(!url.expose().contains('"'), "{}", url.expose());
    }
}
