//! Messages without text and without files.

use super::super::call::Call;
use super::super::error::ApiError;
use super::send;
use serde_json::{Map, Value, json};

/// How many sides the dice of each emoji have (Bot API).
const DICE: [(&str, i64); 6] = [("🎲", 6), ("🎯", 6), ("🎳", 6), ("🏀", 5), ("⚽", 5), ("🎰", 64)];

/// `sendLocation`.
pub(super) fn location(call: &Call) -> Result<Value, ApiError> {
    let place = place(call)?;
    post(call, "sendLocation", [("location", place)])
}

/// `sendVenue`; a venue also carries its location.
pub(super) fn venue(call: &Call) -> Result<Value, ApiError> {
    let place = place(call)?;
    let venue = json!({"location": place, "title": required(call, "title")?, "address": required(call, "address")?});
    post(call, "sendVenue", [("venue", venue), ("location", place)])
}

/// `sendContact`.
pub(super) fn contact(call: &Call) -> Result<Value, ApiError> {
    let mut contact =
        json!({"phone_number": required(call, "phone_number")?, "first_name": required(call, "first_name")?});
    for name in ["last_name", "vcard"] {
        if let Some(text) = call.arguments.text(name) {
            contact[name] = text.into();
        }
    }
    post(call, "sendContact", [("contact", contact)])
}

/// `sendDice`.
pub(super) fn dice(call: &Call) -> Result<Value, ApiError> {
    let emoji = call.arguments.text("emoji").unwrap_or(DICE[0].0);
    let sides = DICE.iter().find(|(known, _)| *known == emoji).map(|(_, sides)| *sides);
    let sides = sides.ok_or_else(|| ApiError::bad("EMOTICON_INVALID"))?;
    post(call, "sendDice", [("dice", json!({"emoji": emoji, "value": fastrand::i64(1..=sides)}))])
}

fn post<const N: usize>(call: &Call, method: &str, content: [(&str, Value); N]) -> Result<Value, ApiError> {
    let mut message = send::envelope(call, method)?;
    let content: Map<String, Value> = content.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    message.content = Some(Box::new(content));
    send::post(call, vec![(message, None)]).map(send::one)
}

fn place(call: &Call) -> Result<Value, ApiError> {
    let degrees = |name| {
        let text = call.arguments.text(name).map(str::trim).filter(|text| !text.is_empty());
        let text = text.ok_or_else(|| ApiError::bad(format!("{name} is empty")))?;
        Ok::<f64, ApiError>(text.parse().unwrap_or(0.0))
    };
    Ok(json!({"latitude": degrees("latitude")?, "longitude": degrees("longitude")?}))
}

fn required<'a>(call: &'a Call, name: &str) -> Result<&'a str, ApiError> {
    call.arguments.text(name).ok_or_else(|| ApiError::bad(format!("parameter \"{name}\" is required")))
}
