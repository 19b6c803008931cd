//! The arguments that name messages.

use super::call::SandboxCall;
use crate::sandbox::sandbox_error::SandboxError;
use serde_json::Value;

/// The most messages that one call copies, forwards or deletes (Bot API).
const MAX_MESSAGE_IDS: usize = 100;

/// The argument `message_id`.
pub fn message_id(call: &SandboxCall) -> Result<i64, SandboxError> {
    let id = call.arguments.integer("message_id").filter(|id| *id != 0);
    id.ok_or_else(|| SandboxError::bad("message identifier is not specified"))
}

/// The argument `message_ids`.
pub fn message_ids(call: &SandboxCall) -> Result<Vec<i64>, SandboxError> {
    let text = call.arguments.text("message_ids");
    let text = text.ok_or_else(|| SandboxError::bad("message identifiers are not specified"))?;
    let value: Value =
        serde_json::from_str(text).map_err(|_| SandboxError::bad("can't parse message_ids JSON object"))?;
    let Value::Array(values) = value else { return Err(SandboxError::bad("expected an Array of message identifiers")) };
    if values.len() > MAX_MESSAGE_IDS {
        return Err(SandboxError::bad("too many message identifiers specified"));
    }
    let ids = values.iter().map(|value| {
        let number = match value {
            Value::Number(number) => number.as_i64(),
            Value::String(text) => text.parse().ok(),
            _ => return Err(SandboxError::bad("message identifier must be a Number")),
        };
        let number = number.ok_or_else(|| SandboxError::bad("can't parse message identifier as a Number"))?;
        if number > 0 { Ok(number) } else { Err(SandboxError::bad("invalid message identifier specified")) }
    });
    let ids = ids.collect::<Result<Vec<_>, _>>()?;
    if ids.is_empty() { Err(SandboxError::bad("message identifiers are not specified")) } else { Ok(ids) }
}
