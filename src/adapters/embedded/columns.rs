//! How values are written into columns: plain data as JSON, ids as bytes.

use super::store_error::StoreError;
use crate::domain::NotificationId;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Plain data as JSON.
pub fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("plain data with text keys can be written as JSON")
}

/// What [`to_json`] wrote; `what` names it in the error.
pub fn from_json<T: DeserializeOwned>(what: &str, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::unreadable(what, error))
}

/// The bytes of an id; they sort as the ids do.
pub fn id_bytes(id: NotificationId) -> [u8; 16] {
    id.as_number().to_be_bytes()
}

/// The id that [`id_bytes`] gave the bytes of.
pub fn id_from_bytes(bytes: [u8; 16]) -> NotificationId {
    NotificationId::from_number(u128::from_be_bytes(bytes))
}
