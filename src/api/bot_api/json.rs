//! JSON bodies as the Bot API server reads them: the members of one object as a flat list of texts. Strings are unescaped;
//! of every other value the JSON text itself is the text, `null` included. Broken JSON is not reported: the members before
//! the error count.

use serde::de::IgnoredAny;

/// The members of the object, up to where it is broken.
pub fn members(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let Some(mut rest) = text.trim_start().strip_prefix('{') else { return found };
    while let Some((member, after)) = member(rest) {
        found.push(member);
        match after.trim_start().strip_prefix(',') {
            Some(after) => rest = after,
            None => break,
        }
    }
    found
}

fn member(text: &str) -> Option<((String, String), &str)> {
    let (name, after) = value(text)?;
    let (value, rest) = value(after.trim_start().strip_prefix(':')?)?;
    let name = serde_json::from_str(name).ok()?;
    Some(((name, serde_json::from_str(value).unwrap_or_else(|_| value.to_owned())), rest))
}

/// Splits a JSON value off.
fn value(text: &str) -> Option<(&str, &str)> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
    values.next()?.ok()?;
    let (value, rest) = text.split_at(values.byte_offset());
    Some((value.trim(), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_become_texts_and_what_comes_before_an_error_is_kept() {
        let pairs = |text| members(text).into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>();
        assert_eq!(
            pairs(r#" {"chat_id": 12, "caption":"a\n\"b\"", "reply_markup" : {"x":[1, 2]}, "n":null, "t":true}"#),
            ["chat_id=12", "caption=a\n\"b\"", "reply_markup={\"x\":[1, 2]}", "n=null", "t=true"]
        );
        assert_eq!(pairs(r#"{"chat_id":1,"caption":"cut"#), ["chat_id=1"]);
        assert_eq!(pairs(r#"{"chat_id":1 "caption":"x"}"#), ["chat_id=1"]);
        for nothing in ["", "[1]", "{", "{}", "{1:2}", "nonsense"] {
            assert!(members(nothing).is_empty(), "{nothing}");
        }
    }
}
