//! How a sandbox behaves.

use crate::sandbox::limits::SandboxLimits;
use secrecy::{ExposeSecret, SecretString};
use std::path::PathBuf;
use std::time::Duration;

/// How a sandbox behaves; the default is a lawful Telegram that answers at once.
#[derive(Clone, Debug)]
pub struct SandboxOptions {
    /// Whose tokens are good.
    pub bots: SandboxBots,
    /// Telegram's rate limits, answered with 429 when broken; `None` for none, [`SandboxLimits::strict`] for the strictest.
    pub limits: Option<SandboxLimits>,
    /// Whether repeated uploads of the same size are slowed down, as the Bot API server does.
    pub pace_uploads: bool,
    /// Whether calls are refused that come while too many are in flight, as the Bot API server does: 1000 of a bot, 100 with
    /// files, 310 messages to one chat. With a latency that is soon reached.
    pub in_flight_limits: bool,
    /// Whether it plays a local Bot API server: `file://` URIs are media, `getFile` gives paths on the disk, and files may
    /// have 2000 MB.
    pub local: bool,
    /// How long every call takes at least.
    pub latency: Duration,
    /// Where pictures are kept; by default in a temporary folder that goes with the sandbox.
    pub store_dir: Option<PathBuf>,
    /// How many pictures are kept at most; the oldest go first.
    pub store_files: usize,
    /// How many bytes of pictures are kept at most; the oldest go first.
    pub store_bytes: u64,
    /// How many of the newest messages are remembered.
    pub messages_kept: usize,
    /// Where the randomness of faults with a probability starts, so that a run can be repeated.
    pub seed: u64,
    /// Threads that answer requests.
    pub workers: usize,
}

impl Default for SandboxOptions {
    fn default() -> Self {
        Self {
            bots: SandboxBots::Any,
            limits: Some(SandboxLimits::default()),
            pace_uploads: true,
            in_flight_limits: false,
            local: false,
            latency: Duration::ZERO,
            store_dir: None,
            store_files: 10_000,
            store_bytes: 1 << 30,
            messages_kept: 200_000,
            seed: 0,
            workers: 1,
        }
    }
}

impl SandboxOptions {
    /// The largest file that is not a photo, in bytes (Bot API).
    pub(crate) fn max_file_bytes(&self) -> u64 {
        if self.local { 2000 << 20 } else { 50 << 20 }
    }

    /// The largest request, in bytes: a file of the largest size and what comes with it.
    pub(crate) fn max_body_bytes(&self) -> u64 {
        self.max_file_bytes() + (1 << 16)
    }
}

/// Whose tokens are good.
#[derive(Clone, Debug)]
pub enum SandboxBots {
    /// Every well-formed token; the number in front of it is the bot's id.
    Any,
    /// These tokens; all others are answered 401.
    Only(Vec<SecretString>),
}

/// What a token is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenCheck {
    /// Good; the bot's id.
    Good(u64),
    /// Well-formed, of no bot.
    Unknown,
    /// Not a token.
    Malformed,
    /// Not a token, since no whole number stands before its colon.
    Misdirected,
}

impl SandboxBots {
    /// Checks a token as the Bot API server does: at most 80 characters, a number up to 2^54, a colon, a secret of at
    /// least 24 base64url characters.
    pub(crate) fn check(&self, token: &str) -> TokenCheck {
        let Some((number, secret)) = token.split_once(':') else { return TokenCheck::Malformed };
        let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        let digits = !number.starts_with('0') && number.bytes().all(|b| b.is_ascii_digit());
        let whole = token.len() <= 80 && secret.len() >= 24 && secret.bytes().all(fits);
        if number.parse::<i64>().is_err() && !number.starts_with('0') && token.len() <= 80 {
            return TokenCheck::Misdirected;
        }
        match number.parse::<u64>() {
            Ok(id) if digits && whole && id <= 1 << 54 => match self {
                Self::Only(tokens) if !tokens.iter().any(|known| known.expose_secret() == token) => TokenCheck::Unknown,
                _ => TokenCheck::Good(id),
            },
            _ => TokenCheck::Malformed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "123456:ABC-DEF1234ghIkl-zyx57W2v1u123ew11";

    #[test]
    fn any_well_formed_token_is_good_unless_the_bots_are_named() {
        assert_eq!(SandboxBots::Any.check(TOKEN), TokenCheck::Good(123_456));
        let only = SandboxBots::Only(vec![TOKEN.to_owned().into()]);
        assert_eq!(only.check(TOKEN), TokenCheck::Good(123_456));
        assert_eq!(only.check("123456:ABC-DEF1234ghIkl-zyx57W2v1u123ew12"), TokenCheck::Unknown);
        for bad in ["", "1", "0123:ABC-DEF1234ghIkl-zyx57W2v1u", "123:short", "-5:ABC-DEF1234ghIkl-zyx57W2v1u"] {
            assert_eq!(SandboxBots::Any.check(bad), TokenCheck::Malformed, "{bad}");
        }
        for bad in [":ABC-DEF1234ghIkl-zyx57W2v1u", "a:ABC-DEF1234ghIkl-zyx57W2v1u", "1e3:x"] {
            assert_eq!(SandboxBots::Any.check(bad), TokenCheck::Misdirected, "{bad}");
        }
    }

    #[test]
    fn debug_hides_the_tokens() {
        let options =
            SandboxOptions { bots: SandboxBots::Only(vec![TOKEN.to_owned().into()]), ..SandboxOptions::default() };
        assert!(!format!("{options:?}").contains("ABC-DEF"));
    }
}
