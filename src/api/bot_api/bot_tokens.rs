//! Authentication by bot token: which bot a token stands for, and whose it is.

use super::caller::BotApiCaller;
use crate::domain::{BotName, Sha256};
use crate::http::callers::ClientAccess;
use crate::settings::{Bot, token_id};
use secrecy::{ExposeSecret, SecretString};
use std::collections::BTreeMap;
use std::sync::Arc;
use subtle::{ConditionallySelectable, ConstantTimeEq};

/// The digests of all valid tokens with their bots, for a constant-time comparison: digests have one length, so the time
/// it takes does not tell how long a token is.
pub struct BotTokens(Vec<(Sha256, BotApiCaller)>);

/// Longer ones are no tokens (Bot API server).
const LONGEST_TOKEN_BYTES: usize = 80;

/// Why a token is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenError {
    /// It does not look like a token.
    Malformed,
    /// What stands before its colon is no whole number.
    Misdirected,
    /// It is no bot's.
    Unknown,
}

impl BotTokens {
    /// Takes each bot's own token, the `client_tokens` that stand for it, and those of clients with a name.
    pub fn new(bots: &BTreeMap<BotName, Arc<Bot>>, clients: &[Arc<ClientAccess>]) -> Self {
        let digest = |token: &SecretString| Sha256::of(token.expose_secret().as_bytes());
        let mut tokens = Vec::new();
        for bot in bots.values() {
            let Some(telegram) = bot.telegram() else { continue };
            let mut add = |token: &SecretString, stand_in, access| {
                tokens.push((digest(token), BotApiCaller { bot: bot.clone(), stand_in, access }));
            };
            add(&telegram.token.get(), None, None);
            for token in &telegram.client_tokens {
                add(token, Some(token.clone()), None);
            }
            for access in clients {
                if let Some(token) = access.client.tokens.get(&bot.name) {
                    add(token, Some(token.clone()), Some(access.clone()));
                }
            }
        }
        Self(tokens)
    }

    /// The caller with a token; compared with every known token in constant time.
    pub fn caller(&self, token: &str) -> Result<BotApiCaller, TokenError> {
        if token_id(token).is_none() {
            let id = token.split_once(':').map(|(id, _)| id);
            let has_no_number = |id: &str| !id.starts_with('0') && id.parse::<i64>().is_err();
            let misdirected = token.len() <= LONGEST_TOKEN_BYTES && id.is_some_and(has_no_number);
            return Err(if misdirected { TokenError::Misdirected } else { TokenError::Malformed });
        }
        let given = Sha256::of(token.as_bytes());
        let mut place = u64::MAX;
        for (at, (known, _)) in (0..).zip(&self.0) {
            place.conditional_assign(&at, known.as_bytes().ct_eq(given.as_bytes()));
        }
        let found = usize::try_from(place).ok().and_then(|place| self.0.get(place));
        found.map(|(_, caller)| caller.clone()).ok_or(TokenError::Unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::RateLimits;

    #[test]
    fn a_bot_answers_to_its_own_token_and_to_those_that_stand_for_it() {
        let bot = |name: &str, token: &str, ours: &[&str]| {
            let name: BotName = name.parse().unwrap();
            let bot =
                Bot::new(name.clone(), token.to_owned().into(), "http://x".into(), RateLimits::default()).unwrap();
            let client_tokens = ours.iter().map(|token| (*token).to_owned().into()).collect();
            (name, Arc::new(bot.with(|telegram| telegram.client_tokens = client_tokens)))
        };
        let (first, second) = ("1:first-first-first-first-first", "2:second-second-second-second");
        let (ours, other) = ("77:ours-ours-ours-ours-ours-ours", "78:other-other-other-other-ok");
        let tokens = BotTokens::new(&[bot("a", first, &[]), bot("b", second, &[ours, other])].into(), &[]);
        let name = |token: &str| tokens.caller(token).map(|caller| caller.bot.name.to_string());
        assert_eq!(name(first), Ok("a".to_owned()));
        for token in [second, ours, other] {
            assert_eq!(name(token), Ok("b".to_owned()));
        }
        assert_eq!(name("1:first-first-first-first-firsT"), Err(TokenError::Unknown));
        for bad in ["", "1", "1:short", "01:first-first-first-first-first", "1:", "-1:first-first-first-first"] {
            assert_eq!(name(bad), Err(TokenError::Malformed), "{bad}");
        }
        for id in ["x", "", "1.5", "9223372036854775808"] {
            assert_eq!(name(&format!("{id}:first-first-first-first")), Err(TokenError::Misdirected), "{id}");
        }
    }
}
