//! How large and how deeply nested the JSON of a request may be, so that it can be stored and read back.

use super::rejection::Rejection;

/// How deep the value of a field may be nested; Telegram's keyboards have five levels. A record adds some, and serde_json
/// does not read back what is nested deeper than 128 levels.
pub const MAX_NESTING_LEVELS: usize = 32;
/// How long the JSON text of a field may be that is an object or an array.
pub const STRUCTURE_LIMIT_BYTES: usize = 32 * 1024;

/// How deep a JSON text is nested, if it is one.
pub fn nesting(text: &str) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// The rejection of a field that is nested too deep.
pub fn too_deep(name: &str) -> Rejection {
    Rejection::invalid(name, &format!("is nested deeper than {MAX_NESTING_LEVELS} levels"))
}

/// The rejection of a field whose JSON text is longer than `limit` bytes.
pub fn too_large(name: &str, limit: usize) -> Rejection {
    Rejection::invalid(name, &format!("is longer than {limit} bytes of JSON"))
}
