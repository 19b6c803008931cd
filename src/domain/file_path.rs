//! Paths of files, as `getFile` of the Bot API gives them.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

/// What is encoded in a path: everything but letters, digits, `/` and the unreserved characters of RFC 3986.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The path of a file, percent-encoded anew; `None` of one that would lead elsewhere.
pub fn encode(decoded: &[u8]) -> Option<String> {
    let leads_elsewhere = decoded.split(|b| *b == b'/').any(|segment| segment == b"." || segment == b"..");
    (!leads_elsewhere).then(|| percent_encode(decoded, ENCODED).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_paths_are_encoded_anew_and_lead_nowhere_else() {
        assert_eq!(encode(b"documents/file_3.txt").as_deref(), Some("documents/file_3.txt"));
        assert_eq!(encode(b"a b?c#d%\xff").as_deref(), Some("a%20b%3Fc%23d%25%FF"));
        for bad in [&b"../x"[..], b"a/../../bot1:x/getMe", b"./a", b".."] {
            assert_eq!(encode(bad), None);
        }
    }
}
