//! The token whose holder owns a bot, and what a token that comes in says about the time since the last one went.

use serde::{Deserialize, Serialize};

/// The token message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Token {
    /// Newer ones have higher numbers.
    pub(super) generation: u64,
    /// The process that issued it.
    pub(super) worker: String,
}

impl Token {
    /// A token newer than `last`.
    pub(super) fn after(last: Option<&Token>, worker: &str) -> Self {
        let now = u64::try_from(crate::domain::Timestamp::now().unix_millis()).unwrap_or(0);
        let generation = last.map_or(now, |last| now.max(last.generation + 1));
        Self { generation, worker: worker.to_owned() }
    }

    /// Reads a token; one that cannot be read is as good as any other.
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok()
    }
}

/// What a token says that comes in while a renewal awaits its own.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Continuity {
    /// It is the awaited one and nobody has held it: we have been the active consumer all along.
    Kept,
    /// One too many, issued by somebody who stood by: ack it and go on waiting.
    Extra,
    /// Somebody else has held it since: another ownership came between.
    Broken,
}

impl Continuity {
    pub(super) fn of(received: Option<&Token>, redelivered: bool, awaited: &Token) -> Self {
        match received {
            _ if redelivered => Self::Broken,
            Some(token) if token == awaited => Self::Kept,
            _ => Self::Extra,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_token_is_newer_whatever_the_clock_says() {
        let future = Token { generation: u64::MAX - 1, worker: "a".into() };
        assert_eq!(Token::after(Some(&future), "b").generation, u64::MAX);
    }

    #[test]
    fn only_the_own_token_fresh_from_the_queue_proves_that_nobody_came_between() {
        let (own, other) = (Token::after(None, "a"), Token { generation: 1, worker: "b".into() });
        assert_eq!(Continuity::of(Some(&own), false, &own), Continuity::Kept);
        assert_eq!(Continuity::of(Some(&own), true, &own), Continuity::Broken);
        assert_eq!(Continuity::of(Some(&other), false, &own), Continuity::Extra);
        assert_eq!(Continuity::of(Some(&other), true, &own), Continuity::Broken);
        assert_eq!(Continuity::of(None, false, &own), Continuity::Extra);
    }
}
