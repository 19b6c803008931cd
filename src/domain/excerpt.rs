//! What a call is recognised by: the beginning of its text, and the messages that it changes.

use super::call::Call;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};
use std::fmt;

/// So many characters of a text are shown.
const EXCERPT_CHARS: usize = 200;

/// The parameters that a listing has of a call: the beginning of its caption or text, also of the first in an album, and the numbers
/// of the messages that it is about.
#[derive(Default)]
pub struct ListedParams(pub Map<String, Value>);

impl Call {
    /// The beginning of its caption or text, or of the first caption of an album: 200 characters at most.
    pub fn excerpt(&self) -> Option<String> {
        let of = |params: &Map<String, Value>| {
            let texts = ["caption", "text"].iter().filter_map(|name| params.get(*name)?.as_str());
            texts.filter(|text| !text.is_empty()).map(cut).next()
        };
        let items = match self.params.get("media") {
            Some(Value::Array(items)) => items.as_slice(),
            Some(item) => std::slice::from_ref(item),
            None => &[],
        };
        of(&self.params).or_else(|| items.iter().filter_map(Value::as_object).find_map(of))
    }

    /// The numbers of the messages that it edits, deletes or otherwise changes.
    pub fn changes(&self) -> Vec<i64> {
        const CHANGING: [&str; 6] = ["edit", "delete", "stop", "pin", "unpin", "setMessageReaction"];
        if !CHANGING.iter().any(|start| self.method.starts_with(start)) {
            return Vec::new();
        }
        let number = |value: &Value| value.as_i64().or_else(|| value.as_str()?.parse().ok());
        match self.params.get("message_ids") {
            Some(Value::Array(numbers)) => numbers.iter().filter_map(number).collect(),
            _ => self.params.get("message_id").and_then(number).into_iter().collect(),
        }
    }
}

fn cut(text: &str) -> String {
    text.chars().take(EXCERPT_CHARS).collect()
}

impl<'de> Deserialize<'de> for ListedParams {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ParamsVisitor)
    }
}

struct ParamsVisitor;

impl<'de> Visitor<'de> for ParamsVisitor {
    type Value = ListedParams;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the parameters of a call")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<ListedParams, A::Error> {
        /// What a parameter may be: a text, a number, numbers, or an album.
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Param {
            Text(String),
            Number(i64),
            Numbers(Vec<i64>),
            Album(Vec<Item>),
            Item(Item),
            Other(IgnoredAny),
        }
        #[derive(Deserialize)]
        struct Item {
            #[serde(default)]
            caption: Option<String>,
        }
        let mut kept = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if !["caption", "text", "media", "message_id", "message_ids"].contains(&name.as_str()) {
                members.next_value::<IgnoredAny>()?;
                continue;
            }
            let value = match members.next_value::<Param>()? {
                Param::Text(text) => cut(&text).into(),
                Param::Number(number) => number.into(),
                Param::Numbers(numbers) => numbers.into(),
                Param::Album(items) => match items.into_iter().find_map(|item| item.caption) {
                    Some(caption) => json!([{"caption": cut(&caption)}]),
                    None => continue,
                },
                Param::Item(Item { caption: Some(caption) }) => json!({"caption": cut(&caption)}),
                Param::Item(_) | Param::Other(_) => continue,
            };
            kept.insert(name, value);
        }
        Ok(ListedParams(kept))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_recognised_whole_and_listed_alike() {
        let long = "ü".repeat(EXCERPT_CHARS + 1);
        let album = json!({"media": [{"media": "attach://a"}, {"media": "attach://b", "caption": "second"}]});
        for (method, params, text, changes) in [
            ("sendPhoto", json!({"caption": long, "reply_markup": {"a": [1]}}), Some(cut(&long)), vec![]),
            ("sendMessage", json!({"text": "hello", "message_id": 5}), Some("hello".to_owned()), vec![]),
            ("sendMediaGroup", album, Some("second".to_owned()), vec![]),
            (
                "editMessageMedia",
                json!({"media": {"caption": "new"}, "message_id": "17"}),
                Some("new".to_owned()),
                vec![17],
            ),
            ("deleteMessages", json!({"message_ids": [1, 2]}), None, vec![1, 2]),
            ("sendPhoto", json!({"caption": {"odd": true}, "media": "[]", "text": null}), None, vec![]),
        ] {
            let listed: ListedParams = serde_json::from_value(params.clone()).unwrap();
            let Value::Object(params) = params else { panic!("an object") };
            for params in [params, listed.0] {
                let call = Call { method: method.to_owned(), params, media: Vec::new() };
                assert_eq!((call.excerpt(), call.changes()), (text.clone(), changes.clone()), "{method}");
            }
        }
    }
}
