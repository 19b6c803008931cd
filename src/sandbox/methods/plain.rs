//! Messages without text and without files.

use super::call::SandboxCall;
use super::send;
use crate::sandbox::sandbox_error::{ApiResult, SandboxError};
use serde_json::{Map, Value, json};

/// How many sides the dice of each emoji have (Bot API).
const DICE: [(&str, i64); 6] = [("🎲", 6), ("🎯", 6), ("🎳", 6), ("🏀", 5), ("⚽", 5), ("🎰", 64)];

pub fn send_location(call: &SandboxCall) -> ApiResult<Value> {
    let place = place(call)?;
    post(call, "sendLocation", [("location", place)])
}

/// `sendVenue`; a venue also carries its location.
pub fn send_venue(call: &SandboxCall) -> ApiResult<Value> {
    let place = place(call)?;
    let venue = json!({"location": place, "title": call.required("title")?, "address": call.required("address")?});
    post(call, "sendVenue", [("venue", venue), ("location", place)])
}

pub fn send_contact(call: &SandboxCall) -> ApiResult<Value> {
    let mut contact =
        json!({"phone_number": call.required("phone_number")?, "first_name": call.required("first_name")?});
    for name in ["last_name", "vcard"] {
        if let Some(text) = call.arguments.text(name) {
            contact[name] = text.into();
        }
    }
    post(call, "sendContact", [("contact", contact)])
}

pub fn send_dice(call: &SandboxCall) -> ApiResult<Value> {
    let emoji = call.arguments.text("emoji").unwrap_or(DICE[0].0);
    let sides = DICE.iter().find(|(known, _)| *known == emoji).map(|(_, sides)| *sides);
    let sides = sides.ok_or_else(|| SandboxError::bad("EMOTICON_INVALID"))?;
    post(call, "sendDice", [("dice", json!({"emoji": emoji, "value": fastrand::i64(1..=sides)}))])
}

fn post<const N: usize>(call: &SandboxCall, method: &str, content: [(&str, Value); N]) -> ApiResult<Value> {
    let mut message = send::message_head(call, method)?;
    let content: Map<String, Value> = content.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    message.content = Some(Box::new(content));
    send::post_one(call, message, None)
}

fn place(call: &SandboxCall) -> ApiResult<Value> {
    let degrees = |name| {
        let text = call.arguments.text(name).map(str::trim).filter(|text| !text.is_empty());
        let text = text.ok_or_else(|| SandboxError::bad(format!("{name} is empty")))?;
        Ok::<f64, SandboxError>(text.parse().unwrap_or(0.0))
    };
    Ok(json!({"latitude": degrees("latitude")?, "longitude": degrees("longitude")?}))
}
