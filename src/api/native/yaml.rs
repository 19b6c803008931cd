//! JSON values as YAML 1.2 in block style. Strings are written as JSON writes them, which YAML reads the same.

use serde_json::Value;
use std::fmt::Write;

/// The document.
pub fn from_json(value: &Value) -> String {
    let mut text = String::new();
    block(value, 0, &mut text);
    text
}

fn block(value: &Value, indent: usize, text: &mut String) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (name, value) in members {
                let _ = write!(text, "{:indent$}{}:", "", key(name));
                nested(value, indent + 2, text);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                let start = text.len();
                block(item, indent + 2, text);
                text.replace_range(start + indent..start + indent + 1, "-");
            }
        }
        scalar => {
            let _ = writeln!(text, "{:indent$}{scalar}", "");
        }
    }
}

fn nested(value: &Value, indent: usize, text: &mut String) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            text.push('\n');
            block(value, indent, text);
        }
        Value::Array(items) if !items.is_empty() => {
            text.push('\n');
            block(value, indent, text);
        }
        scalar => {
            let _ = writeln!(text, " {scalar}");
        }
    }
}

/// Names that YAML could read as something else than a string are quoted.
fn key(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-/.{}+".contains(&b))
        && !["true", "false", "null", "yes", "no", "on", "off", "y", "n"].contains(&name.to_ascii_lowercase().as_str());
    if plain { name.to_owned() } else { Value::from(name).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_become_blocks_and_doubtful_names_are_quoted() {
        let value = json!({
            "openapi": "3.1.0", "paths": {"/v1/{id}": {"get": {"tags": ["a", "b\n\"c\""], "empty": {}, "none": []}}},
            "200": true, "no": null, "list": [{"a": 1}, [2, 3]],
        });
        let text = concat!(
            "openapi: \"3.1.0\"\npaths:\n  /v1/{id}:\n    get:\n      tags:\n        - \"a\"\n        - \"b\\n\\\"c\\\"\"\n",
            "      empty: {}\n      none: []\n\"200\": true\n\"no\": null\nlist:\n  - a: 1\n  - - 2\n    - 3\n",
        );
        assert_eq!(from_json(&value), text);
    }
}
