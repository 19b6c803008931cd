//! Percent-encoding as the Bot API server reads it, and as forms and query strings are read on every face: a percent sign that
//! encodes nothing stays as it is.

/// Decodes percent-encoded text.
pub fn decode(text: &[u8]) -> Vec<u8> {
    percent_encoding::percent_decode(text).collect()
}

/// Decodes text of an urlencoded form, where a plus is a space.
pub fn decode_form(text: &[u8]) -> Vec<u8> {
    let spaced: Vec<u8> = text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    decode(&spaced)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_signs_that_encode_nothing_stay() {
        assert_eq!(decode(b"a%2Fb%2fc+d%4"), b"a/b/c+d%4");
        assert_eq!(decode_form(b"100%+%zz%2B"), b"100% %zz+");
    }
}
