//! The token message whose holder owns a bot, and what a token that is delivered says about the time since the last one
//! was acked.

use crate::domain::Timestamp;
use crate::ports::HandOver;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// For how long what a token says of the last owner is believed: a bot that is given away is owned again long before that.
pub(super) const HAND_OVER_VALID_FOR: Duration = Duration::from_secs(5);

/// The body of the token message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct OwnershipToken {
    /// Newer ones have higher numbers.
    pub(super) generation: u64,
    /// The process that published it.
    pub(super) worker: String,
    /// What the owner left that gave the bot away by this token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hand_over: Option<HandOver>,
}

impl OwnershipToken {
    /// A token newer than `last`.
    pub(super) fn after(last: Option<&OwnershipToken>, worker: &str) -> Self {
        let now = u64::try_from(Timestamp::now().unix_millis()).unwrap_or(0);
        let generation = last.map_or(now, |last| now.max(last.generation + 1));
        Self { generation, worker: worker.to_owned(), hand_over: None }
    }

    /// The same, by which an owner gives the bot away.
    pub(super) fn with_hand_over(self, left: HandOver) -> Self {
        Self { hand_over: Some(left), ..self }
    }

    /// What the owner before left, if this token comes from it just now. Generations are milliseconds of a wall clock;
    /// where those of two workers differ by more than [`HAND_OVER_VALID_FOR`], nothing is believed.
    pub(super) fn inheritance(&self) -> Option<&HandOver> {
        let now = u64::try_from(Timestamp::now().unix_millis()).unwrap_or(0);
        let valid_for = u64::try_from(HAND_OVER_VALID_FOR.as_millis()).unwrap_or(0);
        self.hand_over.as_ref().filter(|_| now.abs_diff(self.generation) <= valid_for)
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
        let future = OwnershipToken { generation: u64::MAX - 1, worker: "a".into(), hand_over: None };
        assert_eq!(OwnershipToken::after(Some(&future), "b").generation, u64::MAX);
    }

    #[test]
    fn what_the_last_owner_left_is_believed_for_a_short_time_only() {
        let left = HandOver { frozen_ms: 7, ..HandOver::default() };
        let token = OwnershipToken::after(None, "a").with_hand_over(left.clone());
        let read = OwnershipToken::read(&serde_json::to_vec(&token).unwrap()).unwrap();
        assert_eq!(read.inheritance(), Some(&left));
        for generation in [token.generation - 6_000, token.generation + 60_000] {
            assert_eq!(OwnershipToken { generation, ..token.clone() }.inheritance(), None);
        }
        let plain = br#"{"generation":1,"worker":"of an earlier version"}"#;
        assert_eq!(OwnershipToken::read(plain).unwrap().inheritance(), None);
    }

    #[test]
    fn only_the_own_token_fresh_from_the_queue_proves_that_nobody_came_between() {
        let own = OwnershipToken::after(None, "a");
        let other = OwnershipToken { generation: 1, worker: "b".into(), hand_over: None };
        assert_eq!(TokenContinuity::of(Some(&own), false, &own), TokenContinuity::Kept);
        assert_eq!(TokenContinuity::of(Some(&own), true, &own), TokenContinuity::Broken);
        assert_eq!(TokenContinuity::of(Some(&other), false, &own), TokenContinuity::Extra);
        assert_eq!(TokenContinuity::of(Some(&other), true, &own), TokenContinuity::Broken);
        assert_eq!(TokenContinuity::of(None, false, &own), TokenContinuity::Extra);
    }
}
