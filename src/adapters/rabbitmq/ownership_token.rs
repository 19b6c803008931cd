//! The token message whose holder owns a bot, and what a token that is delivered says about the time since the last one
//! was acked.

use serde::{Deserialize, Serialize};

/// The body of the token message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct OwnershipToken {
    /// Newer ones have higher numbers.
    pub(super) generation: u64,
    /// The process that published it.
    pub(super) worker: String,
}

impl OwnershipToken {
    /// A token newer than `last`.
    pub(super) fn after(last: Option<&OwnershipToken>, worker: &str) -> Self {
        let now = u64::try_from(crate::domain::Timestamp::now().unix_millis()).unwrap_or(0);
        let generation = last.map_or(now, |last| now.max(last.generation + 1));
        Self { generation, worker: worker.to_owned() }
    }

    /// Reads a token; one that cannot be read is as good as any other.
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok()
    }
}

/// What a token says that is delivered while a renewal awaits its own.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum TokenContinuity {
    /// It is the awaited one and nobody has held it: we have been the active consumer all along.
    Kept,
    /// One too many, published by a worker that waits for the ownership: ack it and go on waiting.
    Extra,
    /// Somebody else has held it since: another ownership came between.
    Broken,
}

impl TokenContinuity {
    pub(super) fn of(received: Option<&OwnershipToken>, redelivered: bool, awaited: &OwnershipToken) -> Self {
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
        let future = OwnershipToken { generation: u64::MAX - 1, worker: "a".into() };
        assert_eq!(OwnershipToken::after(Some(&future), "b").generation, u64::MAX);
    }

    #[test]
    fn only_the_own_token_fresh_from_the_queue_proves_that_nobody_came_between() {
        let (own, other) = (OwnershipToken::after(None, "a"), OwnershipToken { generation: 1, worker: "b".into() });
        assert_eq!(TokenContinuity::of(Some(&own), false, &own), TokenContinuity::Kept);
        assert_eq!(TokenContinuity::of(Some(&own), true, &own), TokenContinuity::Broken);
        assert_eq!(TokenContinuity::of(Some(&other), false, &own), TokenContinuity::Extra);
        assert_eq!(TokenContinuity::of(Some(&other), true, &own), TokenContinuity::Broken);
        assert_eq!(TokenContinuity::of(None, false, &own), TokenContinuity::Extra);
    }
}
