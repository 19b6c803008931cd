//! The limits that Telegram and the Bot API server put on bots: rate limits per bot and chat, calls in flight, and the pacing
//! of repeated uploads. Pure state machines with `now` in seconds passed in.

mod in_flight;
mod rate_limit;
mod upload_pacing;

pub use in_flight::{CallShare, InFlightCall, InFlightLimits, InFlightRejection};
pub use rate_limit::{RateDecision, SandboxLimits, SandboxRateLimiter};
pub use upload_pacing::{REJECTION_DELAY, REJECTION_RETRY_AFTER_SECONDS, UploadPacing};
