//! Reading query strings.

use super::filter;
use crate::domain::{BotName, CallbackState, Filter, InvalidIdError, Status};
use crate::intake::configured_bot;
use crate::intake::rejection::{ProblemCode, Rejection};
use crate::ports::{CallbackQuery, ListQuery};
use actix_web::web::Query;
use std::collections::{BTreeMap, BTreeSet};

/// The parameters of a query string. Only these names are known, each at most once.
pub fn read(query: &str, names: &[&str]) -> Result<BTreeMap<String, String>, Rejection> {
    Ok(read_pairs(query, names, "")?.into_iter().collect())
}

/// The same in order; one of them may be given several times.
fn read_pairs(query: &str, names: &[&str], repeatable: &str) -> Result<Vec<(String, String)>, Rejection> {
    let pairs = Query::<Vec<(String, String)>>::from_query(query).map_err(|_| {
        Rejection::new(ProblemCode::InvalidQuery, "The query string is not name=value&… in percent-encoding.")
    })?;
    let (pairs, mut given) = (pairs.into_inner(), BTreeSet::new());
    for (name, _) in &pairs {
        if !names.contains(&name.as_str()) {
            let shown: String = name.chars().take(64).collect();
            let detail = match names {
                [] => "This address has no parameters.".to_owned(),
                names => format!("There is no such parameter; there are {}.", names.join(", ")),
            };
            return Err(Rejection::field(ProblemCode::InvalidQuery, shown, detail));
        }
        if !given.insert(name) && name != repeatable {
            return Err(Rejection::field(ProblemCode::InvalidQuery, name, format!("{name} is given twice.")));
        }
    }
    Ok(pairs)
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
    limit(text, MAX_PAGE_LIMIT)
}

/// The value of the parameter `limit`, which may be so much at the most.
pub fn limit(text: &str, most: usize) -> Result<usize, Rejection> {
    let limit = text.parse().ok().filter(|limit| (1..=most).contains(limit));
    let detail = format!("limit is a whole number from 1 to {most}.");
    limit.ok_or_else(|| Rejection::field(ProblemCode::InvalidQuery, "limit", detail))
}

/// The query of a listing of notifications.
pub fn list_query(query: &str) -> Result<ListQuery, Rejection> {
    let mut list = ListQuery { limit: DEFAULT_PAGE_LIMIT, ..ListQuery::default() };
    let names = [&filter::NAMES[..], &["limit", "cursor"]].concat();
    for (name, value) in read_pairs(query, &names, "status")? {
        match name.as_str() {
            "limit" => list.limit = page_limit(&value)?,
            "cursor" => {
                let detail = "cursor is the next_cursor of the page before, taken as it is.";
                let cursor = value.parse().map_err(|_| Rejection::field(ProblemCode::InvalidQuery, &name, detail));
                list.before = Some(cursor?);
            }
            _ => filter::put(&mut list.filter, &name, &value, ProblemCode::InvalidQuery)?,
        }
    }
    filter::check(&list.filter, ProblemCode::InvalidQuery)?;
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

/// The query of a count of notifications.
pub fn filter_query(query: &str) -> Result<Filter, Rejection> {
    let mut filter = Filter::default();
    for (name, value) in read_pairs(query, &filter::NAMES, "status")? {
        filter::put(&mut filter, &name, &value, ProblemCode::InvalidQuery)?;
    }
    filter::check(&filter, ProblemCode::InvalidQuery)?;
    Ok(filter)
}

/// The query of an event stream.
pub fn event_query(query: &str) -> Result<Filter, Rejection> {
    let mut filter = Filter::default();
    for (name, value) in read_pairs(query, &["status", "bot", "client", "tag"], "status")? {
        filter::put(&mut filter, &name, &value, ProblemCode::InvalidQuery)?;
    }
    if filter.statuses.iter().any(|status| !status.is_final() || *status == Status::Refused) {
        let detail = "Only ends are told: status is one of sent, failed, expired, cancelled, unknown.";
        return Err(Rejection::field(ProblemCode::InvalidQuery, "status", detail));
    }
    Ok(filter)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ChatId, FailureClass, NotificationId, Timestamp};

    #[test]
    fn queries_are_read_and_what_is_wrong_is_named() {
        let id = NotificationId::from_number(7);
        let query = list_query(&format!("status=failed&bot=alerts&limit=1000&cursor={id}")).unwrap();
        assert_eq!((&query.filter.statuses, query.limit, query.before), (&[Status::Failed].into(), 1000, Some(id)));
        assert_eq!(list_query("").unwrap().limit, 50);
        let filter = "status=failed,expired&status=unknown&client=shop&chat_id=-5&tag=a%2Cb&class=recipient&\
                      since=2026-01-01T00:00:00Z&until=2026-01-02T01:00:00%2B01:00&reason=bot%20was";
        let whole = Filter {
            statuses: [Status::Failed, Status::Expired, Status::Unknown].into(),
            bot: None,
            client: Some("shop".parse().unwrap()),
            chat_id: Some(ChatId::Id(-5)),
            tag: Some("a,b".into()),
            class: Some(FailureClass::Recipient),
            since: Timestamp::parse("2026-01-01T00:00:00Z"),
            until: Timestamp::parse("2026-01-02T00:00:00Z"),
            reason: Some("bot was".into()),
            seen_by: None,
        };
        assert_eq!((list_query(filter).unwrap().filter, filter_query(filter).unwrap()), (whole.clone(), whole));
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
            ("status=sent,lost", "status"),
            ("tag=a&tag=b", "tag"),
            ("tag=", "tag"),
            ("class=bad", "class"),
            ("chat_id=me", "chat_id"),
            ("client=A%20B", "client"),
            ("since=yesterday", "since"),
            ("since=2026-01-02T00:00:00Z&until=2026-01-02T00:00:00Z", "until"),
            ("status=sent&reason=x", "reason"),
            ("status=sent&class=content", "class"),
        ] {
            let rejection = list_query(bad).unwrap_err();
            assert_eq!((rejection.code, rejection.field.as_deref()), (ProblemCode::InvalidQuery, Some(field)), "{bad}");
        }
    }

    #[test]
    fn an_event_stream_is_asked_for_ends() {
        let filter = event_query("status=sent,failed&status=unknown&bot=alerts&client=shop&tag=a").unwrap();
        assert_eq!(filter.statuses, [Status::Sent, Status::Failed, Status::Unknown].into());
        assert_eq!(event_query("").unwrap(), Filter::default());
        for (bad, field) in [
            ("status=queued", "status"),
            ("status=sent,refused", "status"),
            ("limit=5", "limit"),
            ("chat_id=5", "chat_id"),
            ("tag=a&tag=b", "tag"),
        ] {
            let rejection = event_query(bad).unwrap_err();
            assert_eq!((rejection.code, rejection.field.as_deref()), (ProblemCode::InvalidQuery, Some(field)), "{bad}");
        }
    }
}
