//! Why a callback was not taken.

use std::fmt;
use std::time::Duration;

/// See the module. Shown to those who posted, so it repeats nothing of the URL and of the response but its status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TryError {
    /// There is no secret to sign it with (any more).
    NoSecret,
    /// The receiver has a private address; nothing was sent.
    PrivateAddress,
    /// It answered 410: it does not want it, ever.
    Gone,
    /// It answered with another status, and may have said when to come back.
    Status(u16, Option<Duration>),
    /// It did not answer in time.
    Timeout(Duration),
    /// Something went wrong on the way.
    Connection(String),
}

impl fmt::Display for TryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSecret => f.write_str("there is no callback_secret to sign it with"),
            Self::PrivateAddress => {
                f.write_str("the receiver has a private address, and callback_allow_private is false")
            }
            Self::Gone => f.write_str("answered 410: it wants no more"),
            Self::Status(status @ 300..400, _) => write!(f, "answered {status}: redirects are not followed"),
            Self::Status(status, _) => write!(f, "answered {status}"),
            Self::Timeout(limit) => write!(f, "no answer within {} s", limit.as_secs()),
            Self::Connection(what) => f.write_str(what),
        }
    }
}
