//! The fields of a request by name, as JSON or as form texts, and how one value is read out of them.

use super::names::check_name;
use crate::domain::Timestamp;
use crate::intake::json_limits::{MAX_NESTING_LEVELS, STRUCTURE_LIMIT_BYTES, nesting, too_deep, too_large};
use crate::intake::rejection::{ProblemCode, Rejection};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// How many bytes the JSON text of an album may have, which holds up to ten captions.
const ALBUM_LIMIT_BYTES: usize = 64 * 1024;
/// How many tags a notification may have.
pub const MAX_TAGS: usize = 10;

/// The fields of one request, none of them twice, none unknown.
#[derive(Debug, Default)]
pub struct Fields {
    values: Map<String, Value>,
    /// Whether the values are form texts, to be read as numbers, flags or JSON where those are wanted.
    form: bool,
}

impl Fields {
    /// No fields yet, of a JSON body.
    pub fn json() -> Self {
        Self::default()
    }

    /// No fields yet, of a form.
    pub fn form() -> Self {
        Self { values: Map::new(), form: true }
    }

    /// The members of an object within a JSON body.
    pub fn of(values: Map<String, Value>) -> Self {
        Self { values, form: false }
    }

    /// Adds a field. A JSON `null` is as good as no field, and so is an empty text in a form, which is what an input left
    /// alone sends; `tags` may be repeated in a form.
    pub fn insert(&mut self, name: &str, mut value: Value) -> Result<(), Rejection> {
        check_name(name)?;
        if self.form && name != "tags" && value == "" {
            value = Value::Null;
        }
        let repeated = self.values.get_mut(name);
        match (repeated, self.form && name == "tags") {
            (None, false) => _ = self.values.insert(name.to_owned(), value),
            (None, true) => _ = self.values.insert(name.to_owned(), Value::Array(vec![value])),
            (Some(Value::Array(tags)), true) if tags.len() < MAX_TAGS => tags.push(value),
            (Some(_), true) => return Err(invalid_tags()),
            _ => {
                return Err(Rejection::field(
                    ProblemCode::DuplicateField,
                    name,
                    format!("The field {name} is given twice."),
                ));
            }
        }
        Ok(())
    }

    /// Whether the values are form texts.
    pub fn is_form(&self) -> bool {
        self.form
    }

    /// How many bytes the texts of a form have.
    pub fn text_bytes(&self) -> usize {
        self.values.values().filter_map(Value::as_str).map(str::len).sum()
    }

    /// Whether there is a field of this name.
    pub fn has(&self, name: &str) -> bool {
        self.values.get(name).is_some_and(|value| !value.is_null())
    }

    /// Rejects a field that nobody has taken: there is such a field, but it does not belong to `whose`.
    pub fn check_empty(&self, whose: &str) -> Result<(), Rejection> {
        let Some(name) = self.values.iter().find(|(_, value)| !value.is_null()).map(|(name, _)| name) else {
            return Ok(());
        };
        check_name(name)?;
        Err(Rejection::field(
            ProblemCode::MisplacedField,
            name,
            format!("{name} is no field of {whose}. Leave it out."),
        ))
    }

    /// Takes a field as it is.
    pub fn take(&mut self, name: &str) -> Option<Value> {
        self.values.remove(name).filter(|value| !value.is_null())
    }

    /// Takes a text.
    pub fn text(&mut self, name: &str) -> Result<Option<String>, Rejection> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Rejection::invalid(name, "is a string: write it between quotation marks")),
        }
    }

    /// Takes a text of 1 to 256 characters.
    pub fn short_text(&mut self, name: &str) -> Result<Option<String>, Rejection> {
        match self.text(name)? {
            Some(text) if text.is_empty() || text.chars().count() > 256 => {
                Err(Rejection::invalid(name, "is a string of 1 to 256 characters"))
            }
            text => Ok(text),
        }
    }

    /// Takes one of a few words.
    pub fn choice<T: Copy>(&mut self, name: &str, choices: &[(&str, T)]) -> Result<Option<T>, Rejection> {
        let given = self.take(name);
        let Some(given) = given else { return Ok(None) };
        let found = given.as_str().and_then(|text| choices.iter().find(|(word, _)| *word == text));
        found.map(|(_, choice)| Some(*choice)).ok_or_else(|| {
            let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
            Rejection::invalid(name, &format!("is one of {}", words.join(", ")))
        })
    }

    /// Takes true or false.
    pub fn flag(&mut self, name: &str) -> Result<Option<Value>, Rejection> {
        let flag = match self.take(name) {
            None => return Ok(None),
            Some(Value::Bool(flag)) => flag,
            Some(Value::String(text)) if self.form => match text.to_ascii_lowercase().as_str() {
                "true" | "yes" | "1" => true,
                "false" | "no" | "0" => false,
                _ => return Err(Rejection::invalid(name, "is true or false")),
            },
            Some(_) => return Err(Rejection::invalid(name, "is true or false, without quotation marks")),
        };
        Ok(Some(Value::Bool(flag)))
    }

    /// Takes a whole number within bounds.
    pub fn number(&mut self, name: &str, least: i64, most: i64) -> Result<Option<Value>, Rejection> {
        let (number, advice) = match self.take(name) {
            None => return Ok(None),
            Some(Value::Number(number)) => (number.as_i64(), ""),
            Some(Value::String(text)) if self.form => (text.parse().ok(), ", digits only"),
            Some(_) => (None, ", without quotation marks"),
        };
        match number {
            Some(number) if (least..=most).contains(&number) => Ok(Some(number.into())),
            _ => Err(Rejection::invalid(name, &format!("is a whole number from {least} to {most}{advice}"))),
        }
    }

    /// Takes an object; in a form, its JSON text.
    pub fn object(&mut self, name: &str) -> Result<Option<Map<String, Value>>, Rejection> {
        match self.structure(name)? {
            None => Ok(None),
            Some(Value::Object(object)) => Ok(Some(object)),
            Some(_) => Err(Rejection::invalid(name, &format!("is {}", self.expected("object")))),
        }
    }

    /// Takes an array; in a form, its JSON text.
    pub fn array(&mut self, name: &str) -> Result<Option<Vec<Value>>, Rejection> {
        match self.structure(name)? {
            None => Ok(None),
            Some(Value::Array(array)) => Ok(Some(array)),
            Some(_) => Err(Rejection::invalid(name, &format!("is {}", self.expected("array")))),
        }
    }

    /// Takes a time.
    pub fn timestamp(&mut self, name: &str) -> Result<Option<Timestamp>, Rejection> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let timestamp = value.as_str().and_then(Timestamp::parse);
        let wrong =
            || Rejection::invalid(name, "is a time as RFC 3339 writes it, with its offset: 2026-11-21T09:30:00Z");
        timestamp.map(Some).ok_or_else(wrong)
    }

    /// Takes a field that is an object or an array; in a form, its JSON text.
    fn structure(&mut self, name: &str) -> Result<Option<Value>, Rejection> {
        match self.take(name) {
            Some(Value::String(text)) if self.form => Ok(Some(parsed(name, &text)?).filter(|v: &Value| !v.is_null())),
            value => Ok(value),
        }
    }

    /// What an object or array has to be, for a rejection.
    fn expected(&self, kind: &str) -> String {
        if self.form {
            format!("the JSON text of an {kind}")
        } else {
            format!("a JSON {kind}, not a string that holds one")
        }
    }
}

/// Reads the JSON text of a field that is an object or an array; rejects a text that is too long or nested too deep before
/// it is parsed.
pub fn parsed<T: DeserializeOwned>(name: &str, text: &str) -> Result<T, Rejection> {
    if text.len() > structure_limit(name) {
        return Err(too_large(name, structure_limit(name)));
    }
    if nesting(text) > MAX_NESTING_LEVELS {
        return Err(too_deep(name));
    }
    serde_json::from_str(text).map_err(|_| Rejection::invalid(name, "is JSON text, and this is not valid JSON"))
}

/// How many bytes the JSON text of a field may have, without the files in it.
pub fn structure_limit(name: &str) -> usize {
    if name == "album" { ALBUM_LIMIT_BYTES } else { STRUCTURE_LIMIT_BYTES }
}

/// The rejection of tags, for their number or for what they are.
pub fn invalid_tags() -> Rejection {
    Rejection::invalid("tags", &format!("is an array of up to {MAX_TAGS} strings of 1 to 64 characters each"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn no_field_is_taken_twice_but_tags_of_a_form() {
        let mut fields = Fields::json();
        fields.insert("caption", json!("a")).unwrap();
        assert_eq!(fields.insert("caption", json!("a")).unwrap_err().code, ProblemCode::DuplicateField);
        let mut form = Fields::form();
        form.insert("tags", json!("a")).unwrap();
        form.insert("tags", json!("b")).unwrap();
        assert_eq!(form.take("tags"), Some(json!(["a", "b"])));
    }

    #[test]
    fn null_is_no_field_and_neither_is_an_input_left_alone() {
        for (mut fields, nothing) in [(Fields::json(), Value::Null), (Fields::form(), json!(""))] {
            fields.insert("parse_mode", nothing.clone()).unwrap();
            assert_eq!(fields.text("parse_mode"), Ok(None));
            fields.insert("caption", nothing).unwrap();
            assert_eq!(fields.insert("caption", json!("a")).unwrap_err().code, ProblemCode::DuplicateField);
        }
        let mut fields = Fields::json();
        fields.insert("parse_mode", json!("")).unwrap();
        assert_eq!(fields.text("parse_mode"), Ok(Some(String::new())));
    }

    #[test]
    fn the_eleventh_tag_of_a_form_is_rejected_as_it_comes() {
        let mut form = Fields::form();
        for _ in 0..MAX_TAGS {
            form.insert("tags", json!("")).unwrap();
        }
        assert_eq!(form.insert("tags", json!("")).unwrap_err().field.as_deref(), Some("tags"));
    }

    #[test]
    fn json_texts_are_bounded_in_length_and_depth() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(parsed::<Value>("reply_markup", &nested(MAX_NESTING_LEVELS)).is_ok());
        assert!(parsed::<Value>("reply_markup", &format!("[\"{}\\\"[\"]", "[".repeat(900))).is_ok());
        for levels in [MAX_NESTING_LEVELS + 1, 120, 5000] {
            assert!(parsed::<Value>("reply_markup", &nested(levels)).unwrap_err().detail.contains("32 levels"));
        }
        let long = |length: usize| format!("\"{}\"", "x".repeat(length - 2));
        assert!(parsed::<Value>("reply_markup", &long(STRUCTURE_LIMIT_BYTES)).is_ok());
        let rejection = parsed::<Value>("reply_markup", &long(STRUCTURE_LIMIT_BYTES + 1)).unwrap_err();
        assert_eq!((rejection.code, rejection.field.as_deref()), (ProblemCode::InvalidField, Some("reply_markup")));
    }

    #[test]
    fn forms_read_texts_as_what_is_wanted_and_json_does_not() {
        let form = |name: &str, text: &str| {
            let mut fields = Fields::form();
            fields.insert(name, json!(text)).unwrap();
            fields
        };
        assert_eq!(form("has_spoiler", "True").flag("has_spoiler"), Ok(Some(json!(true))));
        assert_eq!(form("message_thread_id", "7").number("message_thread_id", 1, 9), Ok(Some(json!(7))));
        assert!(form("reply_markup", "{\"a\":1}").object("reply_markup").unwrap().is_some());
        assert_eq!(form("reply_markup", "null").object("reply_markup"), Ok(None));
        for bad in ["[1]", "\"{}\"", "{"] {
            assert!(form("reply_markup", bad).object("reply_markup").is_err(), "{bad}");
        }
        let mut json = Fields::json();
        for (name, value) in
            [("has_spoiler", json!("true")), ("message_thread_id", json!("7")), ("reply_markup", json!("{}"))]
        {
            json.insert(name, value).unwrap();
        }
        assert!(json.flag("has_spoiler").is_err());
        assert!(json.number("message_thread_id", 1, 9).is_err());
        assert!(json.object("reply_markup").is_err());
    }
}
