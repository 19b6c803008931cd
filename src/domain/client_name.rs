//! The names of clients.

use super::ids::{BotName, InvalidIdError};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The name of a client with an API key of its own, made like that of a bot: 1 to 64 of `a-z 0-9 _ -`. It is part of
/// records, log lines and metric labels.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClientName(BotName);

impl ClientName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl FromStr for ClientName {
    type Err = InvalidIdError;

    fn from_str(text: &str) -> Result<Self, InvalidIdError> {
        let wrong = |_| InvalidIdError("a client name is 1 to 64 characters of a-z, 0-9, _ and -");
        text.parse().map(Self).map_err(wrong)
    }
}

impl fmt::Display for ClientName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for ClientName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
