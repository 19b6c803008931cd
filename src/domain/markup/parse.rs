//! Takes the markup of any `parse_mode` out.

use super::formatted::Formatted;
use super::{html, markdown, markdown_v2};

impl Formatted {
    /// Takes the markup of a `parse_mode` out, in any case of letters; `None` if there is no such mode.
    ///
    /// # Errors
    /// What is wrong with the markup, in the words of the Bot API server.
    pub fn parse(text: &str, mode: &str) -> Option<Result<Self, String>> {
        Some(match mode.to_ascii_lowercase().as_str() {
            "html" => html::parse(text),
            "markdownv2" => markdown_v2::parse(text),
            "markdown" => markdown::parse(text),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn entities(mode: &str, text: &str) -> Value {
        Formatted::parse(text, mode).unwrap().unwrap().entities.into()
    }

    #[test]
    fn code_keeps_its_language() {
        let wanted = json!([{"type": "pre", "offset": 0, "length": 4, "language": "rust"}]);
        assert_eq!(entities("HTML", "<pre><code class=\"language-rust\">main</code></pre>"), wanted);
        assert_eq!(entities("MarkdownV2", "```rust\nmain```"), wanted);
        let plain = json!([{"type": "pre", "offset": 0, "length": 4}]);
        assert_eq!(entities("MarkdownV2", "```\nmain```"), plain);
        assert_eq!(entities("HTML", "<pre><code>main</code></pre>"), plain);
        let alone = json!([{"type": "code", "offset": 0, "length": 4}]);
        assert_eq!(entities("HTML", "<code class=\"language-rust\">main</code>"), alone);
    }

    #[test]
    fn long_quotations_can_be_folded() {
        let folded = json!([{"type": "expandable_blockquote", "offset": 0, "length": 1}]);
        assert_eq!(entities("HTML", "<blockquote expandable>x</blockquote>"), folded);
    }
}
