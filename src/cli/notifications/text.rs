//! A notification in a line, for people.

use serde_json::Value;

/// So many characters of its text are shown in a line.
const SHOWN_CHARS: usize = 40;

/// Its id, status, chat, when it was made, method, and the beginning of its text or why it was not sent.
pub fn line(notification: &Value) -> String {
    let text = |name: &str| match &notification[name] {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    let why = notification["failure"]["description"].as_str().map(str::to_owned).unwrap_or_else(|| text("text"));
    // What others have written may hold what a terminal obeys.
    let shown: String = why.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SHOWN_CHARS).collect();
    let (id, chat, at, method) = (text("id"), text("chat_id"), text("created_at"), text("method"));
    let status = if notification["paused"] == Value::Bool(true) { "paused".to_owned() } else { text("status") };
    format!("{id}  {status:9}  {chat:>14}  {at}  {method}  {shown}").trim_end().to_owned()
}
