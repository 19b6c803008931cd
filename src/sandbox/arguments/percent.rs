//! Percent-decoding. A `%` that begins no escape stays as it is.

use std::borrow::Cow;

/// Undoes the percent-encoding of a path or a name.
pub fn percent_decoded(text: &[u8]) -> Cow<'_, [u8]> {
    percent_encoding::percent_decode(text).into()
}

/// Undoes the percent-encoding of a form, in which a plus is a space.
pub fn form_decoded(text: &[u8]) -> Vec<u8> {
    let spaced: Vec<u8> = text.iter().map(|b| if *b == b'+' { b' ' } else { *b }).collect();
    percent_decoded(&spaced).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_decoded_and_every_other_byte_stays() {
        for byte in 0..=u8::MAX {
            for escape in [format!("%{byte:02x}"), format!("%{byte:02X}")] {
                assert_eq!(*percent_decoded(escape.as_bytes()), [byte], "{escape}");
                assert_eq!(form_decoded(escape.as_bytes()), [byte], "{escape}");
            }
            assert_eq!(*percent_decoded(&[b'x', byte]), [b'x', byte]);
            assert_eq!(form_decoded(&[b'x', byte]), [b'x', if byte == b'+' { b' ' } else { byte }]);
        }
    }

    #[test]
    fn what_is_no_escape_stays() {
        for (text, path, form) in [
            ("%", "%", "%"),
            ("%4", "%4", "%4"),
            ("%4g", "%4g", "%4g"),
            ("%%41", "%A", "%A"),
            ("%+1", "%+1", "% 1"),
            ("%2B+", "++", "+ "),
            ("%2541", "%41", "%41"),
            ("", "", ""),
        ] {
            assert_eq!(*percent_decoded(text.as_bytes()), *path.as_bytes(), "{text}");
            assert_eq!(form_decoded(text.as_bytes()), form.as_bytes(), "{text}");
        }
    }
}
