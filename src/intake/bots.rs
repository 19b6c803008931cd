//! Which bot a request means.

use super::rejection::Rejection;
use crate::domain::BotName;

/// The configured bot of a name; without a name the one named `default`.
///
/// # Errors
/// [`UnknownBot`](super::rejection::ProblemCode::UnknownBot) if `is_bot` knows no bot of this name.
pub fn configured_bot(name: Option<&str>, is_bot: impl Fn(&BotName) -> bool) -> Result<BotName, Rejection> {
    let name = name.map_or(Some(BotName::default_bot()), |name| name.parse().ok());
    name.filter(is_bot).ok_or_else(Rejection::unknown_bot)
}
