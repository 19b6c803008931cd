//! Forms as clients write them, byte by byte.

/// The part that names a chat.
pub const CHAT: (&str, &[u8]) = ("Content-Disposition: form-data; name=\"chat_id\"", b"42");

/// A body of parts, each the headers and the value.
pub fn body(boundary: &str, parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (head, value) in parts {
        body.extend_from_slice(format!("--{boundary}\r\n{head}\r\n\r\n").as_bytes());
        body.extend_from_slice(value);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    body
}
