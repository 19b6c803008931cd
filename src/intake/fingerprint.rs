//! Tells the repetition of a request from another request with the same idempotency key (deduplication).

use crate::domain::Sha256;
use serde_json::Value;

/// The SHA-256 of a value with the members of every object sorted by name, in lower-case hexadecimal.
pub fn fingerprint(value: &Value) -> String {
    Sha256::of(sorted(value).to_string().as_bytes()).to_string()
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(name, _)| *name);
            members.into_iter().map(|(name, value)| (name.clone(), sorted(value))).collect()
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        other => other.clone(),
    }
}
