//! The field `recipient`, which names a person or group in place of a chat id.

use crate::domain::{Address, InvalidIdError};
use crate::intake::members::Members;
use crate::intake::recipients::address;
use crate::intake::rejection::{ProblemCode, Rejection};
use serde_json::Value;

const RECIPIENT_FIELD: &str = "recipient";

/// Reads how a request names a recipient: `{"number": …}`, `{"group_name": …, "group_admin": …}`, or a number as a
/// plain string. In a form the same as JSON text.
pub fn read(value: Value) -> Result<Address, Rejection> {
    let members = match value {
        Value::String(text) if text.trim_start().starts_with('{') => {
            serde_json::from_str::<Members>(&text).map_err(|_| invalid(None))?.0
        }
        Value::String(number) => vec![("number".to_owned(), Value::String(number))],
        Value::Object(members) => members.into_iter().collect(),
        _ => return Err(invalid(None)),
    };
    let (mut number, mut name, mut admin) = (None, None, None);
    for (member, value) in members {
        let place = match member.as_str() {
            "number" => &mut number,
            "group_name" => &mut name,
            "group_admin" => &mut admin,
            _ => return Err(invalid(None)),
        };
        let Value::String(text) = value else { return Err(invalid(None)) };
        if place.replace(text).is_some() {
            return Err(invalid(None));
        }
    }
    address(number.as_deref(), name.as_deref(), admin.as_deref()).map_err(|(_, error)| invalid(error))
}

fn invalid(because: Option<InvalidIdError>) -> Rejection {
    let detail = because.map(|error| format!("{error}.")).unwrap_or_else(|| {
        "recipient is {\"number\": \"491701234567\"}, or {\"group_name\": \"Night shift\", \"group_admin\": \"491701234567\"}.".to_owned()
    });
    Rejection::field(ProblemCode::InvalidRecipient, RECIPIENT_FIELD, detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::PhoneNumber;
    use serde_json::json;

    #[test]
    fn recipients_are_named_by_number_or_by_group_and_admin() {
        let number: PhoneNumber = "491701234567".parse().unwrap();
        for value in
            [json!("+49 170 1234567"), json!({"number": "491701234567"}), json!("{\"number\":\"491701234567\"}")]
        {
            assert_eq!(read(value), Ok(Address::Number(number.clone())));
        }
        let group = Address::Group { name: "Night shift".parse().unwrap(), admin: number };
        assert_eq!(read(json!({"group_admin": "+491701234567", "group_name": "Night shift"})), Ok(group));
    }

    #[test]
    fn what_names_no_recipient_is_rejected() {
        for bad in [
            json!(491701234567u64),
            json!([]),
            json!({}),
            json!("0170 1234567"),
            json!({"number": 491701234567u64}),
            json!({"number": "491701234567", "group_name": "a", "group_admin": "491701234567"}),
            json!({"group_name": "a"}),
            json!({"group_admin": "491701234567"}),
            json!({"nummer": "491701234567"}),
            json!("{\"number\":\"491701234567\",\"number\":\"491701234568\"}"),
        ] {
            let rejection = read(bad.clone()).unwrap_err();
            assert_eq!(
                (rejection.code, rejection.field.as_deref()),
                (ProblemCode::InvalidRecipient, Some(RECIPIENT_FIELD)),
                "{bad}"
            );
        }
    }
}
