//! The handlers of `/v1/recipients`: the recipient book.

use super::problems::{
    BodyTooLarge, Invalid, InvalidQuery, LedgerAway, NoSuchRecipient, NotJson, NotOneRecipient, TooSlow, Unauthorized,
};
use super::query;
use super::recipient_view::{RecipientEntries, RecipientList, RecipientListing, RecipientView};
use crate::domain::{Address, BotName, InvalidIdError, Recipient};
use crate::http::auth::ApiClient;
use crate::http::body::{Body, content_type};
use crate::http::routing::HandlerResult;
use crate::http::state::AppState;
use crate::intake::members::Members;
use crate::intake::recipients::{MAX_BULK_ENTRIES, address, entry};
use crate::intake::rejection::{ProblemCode, Rejection};
use crate::ports::{RecipientPage, RecipientQuery};
use crate::settings::Scope;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use std::collections::{BTreeMap, HashMap};

/// The largest body in bytes: as many entries with the longest names.
const BODY_LIMIT_BYTES: u64 = 2 << 20;

/// Register recipients.
///
/// One, or an array of up to 1,000, of which all are written or, when one of them is wrong, none. What an address led to
/// before is replaced. `field` of a problem names the entry by its place: `[3].number`.
#[utoipa::path(
    put, operation_id = "put_recipients", path = "/v1/recipients", tag = "Recipients", security(("api_key" = [])),
    request_body(content = RecipientEntries, content_type = "application/json"),
    responses(
        (status = 200, body = RecipientList, description = "They are in the book, durably"),
        Invalid, Unauthorized, TooSlow, BodyTooLarge, NotJson, LedgerAway,
    )
)]
pub async fn put(request: HttpRequest, caller: ApiClient, payload: Payload, state: Data<AppState>) -> HandlerResult {
    caller.check_scope(&[Scope::Manage])?;
    if content_type(&request) != "application/json" {
        return Err(Rejection::field(ProblemCode::UnsupportedMediaType, "Content-Type", "Send application/json."));
    }
    let document = Body::new(&request, payload.into_inner(), BODY_LIMIT_BYTES)?.collect_within_limit().await?;
    let recipients = entries(&document, |bot| state.intake.has_bot(bot))?;
    recipients.iter().try_for_each(|recipient| caller.check_bot(&recipient.bot))?;
    let putting = state.with_ports(|ports| async move { ports.recipients.put(&recipients).await.map(|()| recipients) });
    let recipients = putting.await?;
    let recipients = recipients.into_iter().map(RecipientView::from).collect();
    Ok(HttpResponse::Ok().json(RecipientList { recipients }))
}

/// List recipients, or find one.
///
/// With a number, or a group's name and its admin's number, the one entry that is meant, if there is one; with a group's
/// name alone all groups of that name.
#[utoipa::path(
    get, operation_id = "list_recipients", path = "/v1/recipients", tag = "Recipients", security(("api_key" = [])),
    params(
        ("bot" = Option<String>, Query, pattern = "^[a-z0-9_-]{1,64}$", description = "The bot whose book it is; `default` if not given"),
        ("number" = Option<String>, Query, description = "A phone number"),
        ("group_name" = Option<String>, Query, min_length = 1, max_length = 150, description = "A group's title, letter by letter"),
        ("group_admin" = Option<String>, Query, description = "The phone number of the group's admin"),
        ("limit" = Option<u16>, Query, minimum = 1, maximum = 1000, description = "At most so many; 50 if not given"),
        ("cursor" = Option<String>, Query, description = "The next_cursor of the page before"),
    ),
    responses(
        (status = 200, body = RecipientListing, description = "A page"),
        InvalidQuery, Unauthorized, LedgerAway,
    )
)]
pub async fn list(request: HttpRequest, caller: ApiClient, state: Data<AppState>) -> HandlerResult {
    caller.check_scope(&[Scope::Read, Scope::Manage])?;
    const NAMES: [&str; 6] = ["bot", "number", "group_name", "group_admin", "limit", "cursor"];
    let mut given = query::read(request.query_string(), &NAMES)?;
    let bot = query::bot_or_default(&mut given, |bot| state.intake.has_bot(bot))?;
    caller.check_bot(&bot)?;
    let (limit, after) = (given.remove("limit"), given.remove("cursor"));
    let limit = limit.map_or(Ok(query::DEFAULT_PAGE_LIMIT), |text| query::page_limit(&text))?;
    let after = after.map(|text| cursor(&text)).transpose()?;
    let is_group_search = given.contains_key("group_name") && given.len() == 1;
    let group_name = if is_group_search { given.remove("group_name") } else { None };
    let group_name =
        group_name.map(|name| name.parse().map_err(|InvalidIdError(text)| invalid_query("group_name", text)));
    let group_name = group_name.transpose()?;
    let address = if given.is_empty() { None } else { Some(address_of_query(&given)?) };
    let finding = state.with_ports(|ports| async move {
        match address {
            Some(address) => {
                let recipients = ports.recipients.get(&bot, &address).await?.into_iter().collect();
                Ok(RecipientPage { recipients, next: None })
            }
            None => ports.recipients.list(&RecipientQuery { bot, group_name, limit, after }).await,
        }
    });
    Ok(HttpResponse::Ok().json(RecipientListing::from(finding.await?)))
}

/// Take a recipient out of the book.
#[utoipa::path(
    delete, operation_id = "delete_recipient", path = "/v1/recipients", tag = "Recipients", security(("api_key" = [])),
    params(
        ("bot" = Option<String>, Query, pattern = "^[a-z0-9_-]{1,64}$", description = "The bot whose book it is; `default` if not given"),
        ("number" = Option<String>, Query, description = "A phone number"),
        ("group_name" = Option<String>, Query, min_length = 1, max_length = 150, description = "Or a group's title"),
        ("group_admin" = Option<String>, Query, description = "and the phone number of its admin"),
    ),
    responses(
        (status = 204, description = "It is no longer there"),
        NotOneRecipient, Unauthorized, NoSuchRecipient, LedgerAway,
    )
)]
pub async fn delete(request: HttpRequest, caller: ApiClient, state: Data<AppState>) -> HandlerResult {
    caller.check_scope(&[Scope::Manage])?;
    let mut given = query::read(request.query_string(), &["bot", "number", "group_name", "group_admin"])?;
    let bot = query::bot_or_default(&mut given, |bot| state.intake.has_bot(bot))?;
    caller.check_bot(&bot)?;
    let address = address_of_query(&given)?;
    match state.with_ports(|ports| async move { ports.recipients.delete(&bot, &address).await }).await? {
        true => Ok(HttpResponse::NoContent().finish()),
        false => Err(Rejection::new(ProblemCode::RecipientNotFound, "The book of this bot has no such recipient.")),
    }
}

fn invalid_query(name: &str, text: &str) -> Rejection {
    Rejection::field(ProblemCode::InvalidQuery, name, format!("{text}."))
}

/// The one address that a query names.
fn address_of_query(given: &BTreeMap<String, String>) -> Result<Address, Rejection> {
    let part = |name: &str| given.get(name).map(String::as_str);
    address(part("number"), part("group_name"), part("group_admin")).map_err(|(part, error)| match error {
        Some(InvalidIdError(text)) => invalid_query(part, text),
        None => invalid_query(part, "Name one recipient: by number, or by group_name and group_admin"),
    })
}

/// The address behind which a page begins, from the parameter `cursor`.
fn cursor(text: &str) -> Result<Address, Rejection> {
    let key = hex::decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let address = key.and_then(|key| Address::from_key(&key));
    address.ok_or_else(|| invalid_query("cursor", "cursor is the next_cursor of the page before, taken as it is"))
}

/// Reads a body: one entry or an array of them.
fn entries(document: &[u8], is_bot: impl Fn(&BotName) -> bool) -> Result<Vec<Recipient>, Rejection> {
    let malformed = |error: serde_json::Error| {
        let detail = if error.is_data() {
            "The body is JSON, but neither an object nor an array of objects.".to_owned()
        } else {
            format!("The body is not valid JSON: {error}.")
        };
        Rejection::new(ProblemCode::MalformedJson, detail)
    };
    if document.trim_ascii_start().first() != Some(&b'[') {
        let members: Members = serde_json::from_slice(document).map_err(malformed)?;
        return Ok(vec![entry(members, &is_bot)?]);
    }
    let all: Vec<Members> = serde_json::from_slice(document).map_err(malformed)?;
    if all.len() > MAX_BULK_ENTRIES {
        let detail = format!("One request writes at most {MAX_BULK_ENTRIES} recipients; this one has {}.", all.len());
        return Err(Rejection::new(ProblemCode::InvalidField, detail));
    }
    let (mut recipients, mut places) = (Vec::with_capacity(all.len()), HashMap::new());
    for (place, members) in all.into_iter().enumerate() {
        let recipient = entry(members, &is_bot).map_err(|rejection| {
            let field = rejection.field.map(|field| format!("[{place}].{field}"));
            Rejection { field, ..rejection }
        })?;
        if let Some(first) = places.insert((recipient.bot.clone(), recipient.address.clone()), place) {
            let detail = format!("The entries {first} and {place} (counted from 0) have the same address.");
            return Err(Rejection::field(ProblemCode::DuplicateField, format!("[{place}]"), detail));
        }
        recipients.push(recipient);
    }
    Ok(recipients)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ChatId, RecipientSource};

    fn read(document: &str) -> Result<Vec<Recipient>, Rejection> {
        entries(document.as_bytes(), |bot| bot.as_str() == "default")
    }

    #[test]
    fn one_entry_or_many_are_read() {
        let one = read(r#"{"number":"+49 170 1234567","chat_id":987,"name":" Ada "}"#).unwrap();
        assert_eq!((one[0].address.key().as_str(), one[0].name.as_deref()), ("n:491701234567", Some("Ada")));
        assert_eq!((&one[0].chat_id, one[0].source), (&ChatId::Id(987), RecipientSource::Api));
        let two = r#" [{"number":"491701234567","chat_id":"1","source":"import"},
            {"group_name":"Ops","group_admin":"491701234567","chat_id":"-5","bot":"default","name":null}]"#;
        let two = read(two).unwrap();
        assert_eq!((two.len(), two[0].source, two[1].name.as_deref()), (2, RecipientSource::Import, None));
        assert_eq!(read("[]").unwrap(), []);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let array = |second: &str| format!(r#"[{{"number":"491701234567","chat_id":1}},{second}]"#);
        for (document, code, field) in [
            (r#"{"number":"0170","chat_id":1}"#.to_owned(), ProblemCode::InvalidRecipient, Some("number")),
            (array(r#"{"number":"0170","chat_id":1}"#), ProblemCode::InvalidRecipient, Some("[1].number")),
            (array(r#"{"chat_id":1}"#), ProblemCode::InvalidRecipient, Some("[1].number")),
            (array(r#"{"group_name":"a","chat_id":1}"#), ProblemCode::InvalidRecipient, Some("[1].group_admin")),
            (array(r#"{"number":"4917012","chat_id":0}"#), ProblemCode::InvalidChatId, Some("[1].chat_id")),
            (array(r#"{"number":"4917012","chat_id":1.5}"#), ProblemCode::InvalidChatId, Some("[1].chat_id")),
            (array(r#"{"number":"4917012"}"#), ProblemCode::MissingField, Some("[1].chat_id")),
            (array(r#"{"number":4917012,"chat_id":1}"#), ProblemCode::InvalidField, Some("[1].number")),
            (array(r#"{"number":"4917012","chat_id":1,"bot":"x"}"#), ProblemCode::UnknownBot, Some("[1].bot")),
            (
                array(r#"{"number":"4917012","chat_id":1,"source":"bot"}"#),
                ProblemCode::InvalidField,
                Some("[1].source"),
            ),
            (array(r#"{"number":"4917012","chat_id":1,"chat":1}"#), ProblemCode::UnknownField, Some("[1].chat")),
            (array(r#"{"number":"4917012","number":"4917012"}"#), ProblemCode::DuplicateField, Some("[1].number")),
            (array(r#"{"number":"+491701234567","chat_id":2}"#), ProblemCode::DuplicateField, Some("[1]")),
            ("7".to_owned(), ProblemCode::MalformedJson, None),
            ("[1]".to_owned(), ProblemCode::MalformedJson, None),
            ("[{]".to_owned(), ProblemCode::MalformedJson, None),
            (format!("[{}]", vec!["{}"; MAX_BULK_ENTRIES + 1].join(",")), ProblemCode::InvalidField, None),
        ] {
            let rejection = read(&document).unwrap_err();
            assert_eq!((rejection.code, rejection.field.as_deref()), (code, field), "{document:.200}");
        }
    }
}
