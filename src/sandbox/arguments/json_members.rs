//! The members of a JSON object as names and texts.

use serde::de::IgnoredAny;

/// The members of a JSON object, up to where it is broken. Strings are unescaped; of all else the text itself is the
/// value, `null` included.
pub fn json_members(text: &str) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    let Some(mut rest) = text.trim_start().strip_prefix('{') else { return pairs };
    loop {
        let Some((name, after)) = split_value(rest) else { return pairs };
        let (Ok(name), Some(after)) = (serde_json::from_str(name), after.trim_start().strip_prefix(':')) else {
            return pairs;
        };
        let Some((value, after)) = split_value(after) else { return pairs };
        pairs.push((name, serde_json::from_str(value).unwrap_or_else(|_| value.to_owned())));
        let Some(after) = after.trim_start().strip_prefix(',') else { return pairs };
        rest = after;
    }
}

/// Splits a JSON value off.
fn split_value(text: &str) -> Option<(&str, &str)> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
    values.next()?.ok()?;
    let (value, rest) = text.split_at(values.byte_offset());
    Some((value.trim(), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_becomes_texts_and_what_comes_before_a_fault_is_kept() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            json_members(
                r#" {"chat_id": 12, "caption":"a\n\"b\"", "reply_markup" : {"x":[1, 2]}, "n":null, "t":true}"#
            ),
            [
                pair("chat_id", "12"),
                pair("caption", "a\n\"b\""),
                pair("reply_markup", r#"{"x":[1, 2]}"#),
                pair("n", "null"),
                pair("t", "true"),
            ]
        );
        assert_eq!(json_members(r#"{"chat_id":1,"caption":"cut"#), [pair("chat_id", "1")]);
        assert_eq!(json_members(r#"{"chat_id":1 "caption":"x"}"#), [pair("chat_id", "1")]);
        for nothing in ["", "[1]", "{", "{}", "{1:2}", "nonsense"] {
            assert_eq!(json_members(nothing), [], "{nothing}");
        }
    }
}
