//! Reads typed values out of the layers. A value that cannot be read becomes an error and a stand-in, so that all
//! errors are found in one go; with any error, nothing is made of the stand-ins.

use super::config_error::ConfigError;
use super::layers::Layers;
use reqwest::Url;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// The layers, read by path: `listen`, `bots.alerts.token`.
pub struct ValueReader {
    pub layers: Layers,
}

impl ValueReader {
    /// The text at a path, if anybody set it.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.layers.values.get(path)?.values.first().map(String::as_str)
    }

    /// The texts of a list.
    pub fn list(&self, path: &str) -> Vec<String> {
        self.layers.values.get(path).map(|raw| raw.values.clone()).unwrap_or_default()
    }

    /// The paths that begin like this, with their texts.
    pub fn below(&self, prefix: &str) -> Vec<(String, String)> {
        let from = self.layers.values.range(prefix.to_owned()..);
        let below = from.take_while(|(path, _)| path.starts_with(prefix));
        below.map(|(path, raw)| (path.clone(), raw.values.concat())).collect()
    }

    /// Notes what is wrong with the value at a path, under the name by which whoever wrote it knows it.
    pub fn add_error(&mut self, path: &str, message: impl Into<String>) {
        let place = self.layers.place(path);
        self.layers.errors.push(ConfigError::new(place, message));
    }

    /// The value at a path as its type reads it, or the stand-in if it is not set or not readable.
    pub fn parsed<T: FromStr>(&mut self, path: &str, expected: &str, stand_in: T) -> T {
        let Some(text) = self.text(path) else { return stand_in };
        let text = text.to_owned();
        text.trim().parse().unwrap_or_else(|_| {
            self.add_error(path, format!("expected {expected}, found {text:?}"));
            stand_in
        })
    }

    /// A number within a range, or the stand-in.
    pub fn number<T>(&mut self, path: &str, range: RangeInclusive<T>, stand_in: T) -> T
    where
        T: FromStr + PartialOrd + Display + Copy,
    {
        let Some(text) = self.text(path) else { return stand_in };
        match text.trim().parse::<T>() {
            Ok(number) if range.contains(&number) => number,
            _ => {
                let message = format!("expected a number from {} to {}, found {text:?}", range.start(), range.end());
                self.add_error(path, message);
                stand_in
            }
        }
    }

    /// Checks that a text is a URL with one of some schemes and a host. The message does not repeat it: it may hold a
    /// password.
    pub fn url(&mut self, path: &str, text: &str, schemes: &[&str]) -> Option<Url> {
        let url = Url::parse(text).ok().filter(|url| schemes.contains(&url.scheme()));
        let url = url.filter(|url| url.scheme() == "file" || url.host_str().is_some_and(|host| !host.is_empty()));
        if url.is_none() {
            let schemes: Vec<String> = schemes.iter().map(|scheme| format!("{scheme}://")).collect();
            self.add_error(path, format!("expected a URL that begins with {} and names a host", schemes.join(" or ")));
        }
        url
    }

    /// Checks an http(s) URL that is kept as plain text, so it must not hold a password.
    pub fn plain_url(&mut self, path: &str, text: &str) {
        let url = self.url(path, text, &["http", "https"]);
        if url.is_some_and(|url| !url.username().is_empty() || url.password().is_some()) {
            self.add_error(path, "must not hold a user or a password");
        }
    }
}
