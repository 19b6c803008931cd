//! Reading query strings.

use crate::domain::{BotName, CallbackState, InvalidIdError};
use crate::intake::configured_bot;
use crate::intake::rejection::{ProblemCode, Rejection};
use crate::ports::{CallbackQuery, ListQuery};
use actix_web::web::Query;
use std::collections::BTreeMap;

/// The parameters of a query string. Only these names are known, each at most once.
pub fn read(query: &str, names: &[&str]) -> Result<BTreeMap<String, String>, Rejection> {
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

/// Takes the parameter `bot`: the configured bot that it names, `default` without it.
pub fn bot_or_default(
    given: &mut BTreeMap<String, String>,
    is_bot: impl Fn(&BotName) -> bool,
) -> Result<BotName, Rejection> {
    configured_bot(given.remove("bot").as_deref(), is_bot)
}

/// How many entries a page of a listing has if the query does not say.
pub const DEFAULT_PAGE_LIMIT: usize = 50;
/// The most entries that a page of a listing may have.
const MAX_PAGE_LIMIT: usize = 1000;

/// How many entries a page may have, from the parameter `limit`.
pub fn page_limit(text: &str) -> Result<usize, Rejection> {
    let limit = text.parse().ok().filter(|limit| (1..=MAX_PAGE_LIMIT).contains(limit));
    let detail = "limit is a whole number from 1 to 1000.";
    limit.ok_or_else(|| Rejection::field(ProblemCode::InvalidQuery, "limit", detail))
}

/// The query of a listing of notifications.
pub fn list_query(query: &str) -> Result<ListQuery, Rejection> {
    let mut list = ListQuery { limit: DEFAULT_PAGE_LIMIT, ..ListQuery::default() };
    for (name, value) in read(query, &["status", "bot", "limit", "cursor"])? {
        let because = |error: InvalidIdError| Rejection::field(ProblemCode::InvalidQuery, &name, format!("{error}."));
        match name.as_str() {
            "status" => list.status = Some(value.parse().map_err(because)?),
            "bot" => list.bot = Some(value.parse().map_err(because)?),
            "limit" => list.limit = page_limit(&value)?,
            _ => {
                let wrong = InvalidIdError("cursor is the next_cursor of the page before, taken as it is");
                list.before = Some(value.parse().map_err(|_| because(wrong))?);
            }
        }
    }
    Ok(list)
}

/// The query of a listing of callbacks, in all of these states if it does not say.
pub fn callback_query(query: &str, states: &[CallbackState]) -> Result<CallbackQuery, Rejection> {
    let mut list = CallbackQuery { states: states.to_vec(), limit: DEFAULT_PAGE_LIMIT, before: None };
    for (name, value) in read(query, &["state", "limit", "cursor"])? {
        let because = |error: InvalidIdError| Rejection::field(ProblemCode::InvalidQuery, &name, format!("{error}."));
        match name.as_str() {
            "state" => list.states = vec![value.parse().map_err(because)?],
            "limit" => list.limit = page_limit(&value)?,
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
    fn queries_are_read_and_what_is_wrong_is_named() {
        let id = NotificationId::from_number(7);
        let query = list_query(&format!("status=failed&bot=alerts&limit=1000&cursor={id}")).unwrap();
        assert_eq!((query.status, query.limit, query.before), (Some(Status::Failed), 1000, Some(id)));
        assert_eq!(list_query("").unwrap().limit, 50);
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
            let rejection = list_query(bad).unwrap_err();
            assert_eq!((rejection.code, rejection.field.as_deref()), (ProblemCode::InvalidQuery, Some(field)), "{bad}");
        }
    }
}
