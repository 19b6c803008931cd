//! Query strings.

use crate::domain::{BotName, InvalidIdError};
use crate::intake::rejection::{ProblemCode, Rejection};
use crate::ports::ListQuery;
use actix_web::web::Query;
use std::collections::BTreeMap;

/// Reads a query string of which only these parameters are known, each at most once.
pub fn parameters(query: &str, names: &[&str]) -> Result<BTreeMap<String, String>, Rejection> {
    let pairs = Query::<Vec<(String, String)>>::from_query(query).map_err(|_| {
        Rejection::new(ProblemCode::InvalidQuery, "The query string is not name=value&… in percent-encoding.")
    })?;
    let mut given = BTreeMap::new();
    for (name, value) in pairs.into_inner() {
        if !names.contains(&name.as_str()) {
            let shown: String = name.chars().take(64).collect();
            let detail = format!("There is no such parameter; there are {}.", names.join(", "));
            return Err(Rejection::field(ProblemCode::InvalidQuery, shown, detail));
        }
        if given.insert(name.clone(), value).is_some() {
            return Err(Rejection::field(ProblemCode::InvalidQuery, &name, format!("{name} is given twice.")));
        }
    }
    Ok(given)
}

/// The configured bot that a query names, `default` if it names none.
pub fn bot(given: &BTreeMap<String, String>, is_bot: impl Fn(&BotName) -> bool) -> Result<BotName, Rejection> {
    let name = given.get("bot").map_or(Ok(BotName::default_bot()), |name| name.parse());
    name.ok()
        .filter(is_bot)
        .ok_or_else(|| Rejection::field(ProblemCode::UnknownBot, "bot", "No bot of this name is configured."))
}

/// How many a page of a listing holds if nobody says.
pub const DEFAULT_LIMIT: usize = 50;
const LARGEST_LIMIT: usize = 1000;

/// Reads how many a page may hold.
pub fn limit(text: &str) -> Result<usize, Rejection> {
    let limit = text.parse().ok().filter(|limit| (1..=LARGEST_LIMIT).contains(limit));
    let detail = "limit is a whole number from 1 to 1000.";
    limit.ok_or_else(|| Rejection::field(ProblemCode::InvalidQuery, "limit", detail))
}

/// Reads the query string of a listing.
pub fn list(query: &str) -> Result<ListQuery, Rejection> {
    let mut list = ListQuery { limit: DEFAULT_LIMIT, ..ListQuery::default() };
    for (name, value) in parameters(query, &["status", "bot", "limit", "cursor"])? {
        let because = |error: InvalidIdError| Rejection::field(ProblemCode::InvalidQuery, &name, format!("{error}."));
        match name.as_str() {
            "status" => list.status = Some(value.parse().map_err(because)?),
            "bot" => list.bot = Some(value.parse().map_err(because)?),
            "limit" => list.limit = limit(&value)?,
            _ => {
                let wrong = InvalidIdError("cursor is the next_cursor of the page before, taken as it is");
                list.before = Some(value.parse().map_err(|_| because(wrong))?);
            }
        }
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{NotificationId, Status};

    #[test]
    fn queries_are_read_and_their_faults_named() {
        let id = NotificationId::from_number(7);
        let query = list(&format!("status=failed&bot=alerts&limit=1000&cursor={id}")).unwrap();
        assert_eq!((query.status, query.limit, query.before), (Some(Status::Failed), 1000, Some(id)));
        assert_eq!(list("").unwrap().limit, 50);
        for (bad, field) in [
            ("status=lost", "status"),
            ("status=", "status"),
            ("bot=No%20Body", "bot"),
            ("limit=0", "limit"),
            ("limit=1001", "limit"),
            ("limit=-1", "limit"),
            ("cursor=abc", "cursor"),
            ("limit=1&limit=2", "limit"),
            ("stauts=sent", "stauts"),
        ] {
            let rejection = list(bad).unwrap_err();
            assert_eq!((rejection.code, rejection.field.as_deref()), (ProblemCode::InvalidQuery, Some(field)), "{bad}");
        }
    }
}
