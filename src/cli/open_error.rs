//! How a notification, or what is done to many, may stand other than well.

/// It was not sent, or not done, for good: the exit code is 1.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct NotSentError(pub String);

/// It is still under way: the exit code is 75.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StillOpenError(pub String);
