//! Reading filters, which a listing has in its query and what is done to many in its body.

use crate::domain::{Filter, Status, Timestamp};
use crate::intake::rejection::{ProblemCode, Rejection};

/// The names of the conditions.
pub const NAMES: [&str; 9] = ["status", "bot", "client", "chat_id", "tag", "class", "since", "until", "reason"];

/// The longest tag and text in bytes.
const TEXT_LIMIT_BYTES: usize = 1024;

/// Adds a condition to a filter, one of [`NAMES`]. Of `status` several may be given, one after the other or with commas.
pub fn put(filter: &mut Filter, name: &str, value: &str, code: ProblemCode) -> Result<(), Rejection> {
    let rejected = |detail: String| Rejection::field(code, name, detail);
    fn parse<T: std::str::FromStr<Err: std::fmt::Display>>(value: &str) -> Result<Option<T>, String> {
        value.parse().map(Some).map_err(|error| format!("{error}."))
    }
    match name {
        "status" => {
            for status in value.split(',') {
                filter.statuses.extend(parse::<Status>(status).map_err(rejected)?);
            }
        }
        "bot" => filter.bot = parse(value).map_err(rejected)?,
        "client" => filter.client = parse(value).map_err(rejected)?,
        "chat_id" => filter.chat_id = parse(value).map_err(rejected)?,
        "class" => filter.class = parse(value).map_err(rejected)?,
        "since" | "until" => {
            let wrong = || rejected(format!("{name} is a time such as 2026-11-30T08:00:00Z (RFC 3339)."));
            let at = Some(Timestamp::parse(value).ok_or_else(wrong)?);
            *if name == "since" { &mut filter.since } else { &mut filter.until } = at;
        }
        _ if value.is_empty() || value.len() > TEXT_LIMIT_BYTES => {
            return Err(rejected(format!("{name} is a text of 1 to {TEXT_LIMIT_BYTES} bytes.")));
        }
        "tag" => filter.tag = Some(value.to_owned()),
        _ => filter.reason = Some(value.to_owned()),
    }
    Ok(())
}

/// Checks that no condition forbids what another asks for.
pub fn check(filter: &Filter, code: ProblemCode) -> Result<(), Rejection> {
    if let (Some(since), Some(until)) = (filter.since, filter.until)
        && until <= since
    {
        return Err(Rejection::field(code, "until", "until is later than since."));
    }
    let reason = if filter.class.is_some() { "class" } else { "reason" };
    if filter.candidates().is_some_and(|statuses| statuses.is_empty()) {
        let detail = format!("What is sent has not failed, so {reason} goes with other statuses.");
        return Err(Rejection::field(code, reason, detail));
    }
    Ok(())
}
