//! What came of a try, for the metrics.

use super::try_error::TryError;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryResult {
    /// The receiver has taken it.
    Delivered,
    /// It failed, and is tried again.
    Retried,
    /// The same, because the receiver has a private address.
    RefusedAddress,
    /// It failed for the last time.
    GivenUp,
}

impl TryResult {
    /// All results.
    pub const ALL: [Self; 4] = [Self::Delivered, Self::Retried, Self::RefusedAddress, Self::GivenUp];

    /// Of a try that failed, and will be tried again or not.
    pub fn of(error: &TryError, is_tried_again: bool) -> Self {
        match (is_tried_again, error) {
            (false, _) => Self::GivenUp,
            (true, TryError::PrivateAddress) => Self::RefusedAddress,
            (true, _) => Self::Retried,
        }
    }

    /// The name in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Retried => "retried",
            Self::RefusedAddress => "refused_address",
            Self::GivenUp => "given_up",
        }
    }
}
