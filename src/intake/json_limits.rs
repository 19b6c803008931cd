//! How large and how deep the JSON of a request may be, so that it can be written down and read again.

use super::rejection::Rejection;

/// How deep the value of a field may be nested; Telegram's keyboards have five levels. A record wraps it in more, and
/// what is nested deeper than 128 levels serde_json does not read back.
pub const NESTING_LIMIT: usize = 32;
/// How many bytes the JSON text of a field may have that is an object or an array.
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
    Rejection::invalid(name, &format!("is nested deeper than {NESTING_LIMIT} levels"))
}

/// The rejection of a field whose JSON text is longer than `limit` bytes.
pub fn too_large(name: &str, limit: usize) -> Rejection {
    Rejection::invalid(name, &format!("is longer than {limit} bytes of JSON"))
}
