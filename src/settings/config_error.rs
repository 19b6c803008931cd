//! What is wrong with a configuration, said so that it can be put right.

use std::fmt;
use strsim::osa_distance;

/// One thing that is wrong. Never repeats a secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConfigError {
    /// Where: a key of the file, an environment variable, a flag.
    pub at: String,
    /// What, and what to do.
    pub message: String,
}

impl ConfigError {
    /// Something wrong at a place.
    pub fn new(at: impl Into<String>, message: impl Into<String>) -> Self {
        Self { at: at.into(), message: message.into() }
    }

    /// A name that does not exist, with the one that was probably meant.
    pub(super) fn unknown<'a>(at: String, what: &str, names: impl Iterator<Item = &'a str>) -> Self {
        let found = at.rsplit('.').next().unwrap_or(&at).to_owned();
        // A name that was cut short is meant, however much is missing.
        let cut_short = |name: &str| found.len() > 3 && name.starts_with(&found);
        let distance = |name: &str| if cut_short(name) { 0 } else { osa_distance(&found, name) };
        match names.map(|name| (distance(name), name)).min() {
            Some((distance, name)) if distance * 3 <= name.len() => {
                Self::new(at, format!("unknown {what}; did you mean {name}?"))
            }
            _ => Self::new(at, format!("unknown {what}")),
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_errors_are_near_and_other_words_are_far() {
        let names = || ["listen", "bot_rate"].into_iter();
        for (written, message) in [
            ("botrate", "unknown key; did you mean bot_rate?"),
            ("bot_", "unknown key; did you mean bot_rate?"),
            ("lsitne", "unknown key; did you mean listen?"),
            ("lxstex", "unknown key; did you mean listen?"),
            ("lxxxen", "unknown key"),
            ("colour", "unknown key"),
        ] {
            assert_eq!(ConfigError::unknown(written.into(), "key", names()).message, message, "{written}");
        }
    }
}
