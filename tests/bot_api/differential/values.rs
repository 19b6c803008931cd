//! Odd values of ordinary parameters.

use super::case::{CHAT, Case};
use serde_json::{Value, json};

pub fn cases() -> Vec<Case> {
    [chats(), booleans(), nulls(), captions(), keyboards(), threads()].concat()
}

fn photo_with(name: &str, value: Value) -> Value {
    let mut body = json!({"chat_id": CHAT, "photo": "@PHOTO@"});
    body[name] = value;
    body
}

fn chats() -> Vec<Case> {
    let mut cases = vec![
        Case::json("no chat_id", "sendPhoto", json!({"photo": "@PHOTO@"})),
        Case::form("no chat_id in a form", "sendMessage", &[("text", "a")]),
        Case::form("chat_id in capitals", "sendMessage", &[("CHAT_ID", "42"), ("text", "a")]),
    ];
    for chat in [
        "",
        "0",
        "-1",
        "-0",
        "+42",
        " 42",
        "42 ",
        "042",
        "4２",
        "42abc",
        "abc",
        "4.2",
        "1e3",
        "0x2a",
        "null",
        "true",
        "@",
        "@x",
        "@channelname",
        "@ChannelName",
        "@has space",
        "@ünïcode_name",
        "channelname",
        "t.me/channelname",
        "-1001234567890",
        "-1000000000000",
        "-5",
        "9007199254740993",
        "4503599627370497",
        "-9223372036854775808",
        "99999999999999999999",
        "42\n",
        "42,43",
        "[42]",
    ] {
        cases.push(Case::form(format!("the chat {chat:?}"), "sendMessage", &[("chat_id", chat), ("text", "a")]));
        let photo = json!({"chat_id": chat, "photo": "@PHOTO@"});
        cases.push(Case::json(format!("the chat {chat:?} for a photo"), "sendPhoto", photo));
    }
    for chat in [json!(0), json!(-7), json!(null), json!(true), json!(1.5), json!([42]), json!({"id": 42})] {
        let body = json!({"chat_id": chat, "photo": "@PHOTO@"});
        cases.push(Case::json(format!("the chat {chat} in JSON"), "sendPhoto", body));
    }
    cases
}

fn booleans() -> Vec<Case> {
    let values = [
        json!(true),
        json!(false),
        json!("true"),
        json!("True"),
        json!("TRUE"),
        json!("yes"),
        json!("YES"),
        json!("1"),
        json!(1),
        json!(0),
        json!(2),
        json!("on"),
        json!("t"),
        json!("y"),
        json!(""),
        json!(" true"),
        json!(null),
        json!([]),
        json!("false"),
    ];
    let mut cases = Vec::new();
    for value in values {
        cases.push(Case::json(format!("has_spoiler {value}"), "sendPhoto", photo_with("has_spoiler", value.clone())));
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let form = [("chat_id", "42"), ("photo", "@PHOTO@"), ("protect_content", text.as_str())];
        cases.push(Case::form(format!("protect_content {value} in a form"), "sendPhoto", &form));
    }
    cases
}

fn nulls() -> Vec<Case> {
    let names = [
        "caption",
        "parse_mode",
        "caption_entities",
        "reply_markup",
        "reply_parameters",
        "reply_to_message_id",
        "message_thread_id",
        "disable_notification",
        "has_spoiler",
        "message_effect_id",
        "business_connection_id",
    ];
    let mut cases: Vec<_> = names
        .iter()
        .map(|name| Case::json(format!("{name} null"), "sendPhoto", photo_with(name, Value::Null)))
        .collect();
    cases.push(Case::json("photo null", "sendPhoto", json!({"chat_id": CHAT, "photo": null})));
    cases.push(Case::json("text null", "sendMessage", json!({"chat_id": CHAT, "text": null})));
    cases.push(Case::json("media null", "sendMediaGroup", json!({"chat_id": CHAT, "media": null})));
    cases
}

fn captions() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, caption) in [
        ("empty", String::new()),
        ("white space", " \n\t ".into()),
        ("1024 letters", "x".repeat(1024)),
        ("1025 letters", "x".repeat(1025)),
        ("1024 emoji", "🎉".repeat(1024)),
        ("1025 emoji", "🎉".repeat(1025)),
        ("family", "👨‍👩‍👧‍👦 e\u{301} \u{202e}abc".into()),
        ("lines", "a\r\nb\n\n\nc".into()),
        ("32769 bytes", "x".repeat(32_769)),
        ("trimmed", "  inside  ".into()),
    ] {
        cases.push(Case::json(format!("a caption: {name}"), "sendPhoto", photo_with("caption", caption.into())));
    }
    for (mode, caption) in [
        ("HTML", "<b>bold <i>both</i></b> &lt;&amp;&gt; <a href=\"https://example.org\">link</a>"),
        ("html", "<code>x</code><pre>y</pre>"),
        ("HTML", "<b>open"),
        ("HTML", "<b>crossed <i>over</b></i>"),
        ("HTML", "<unknown>tag</unknown>"),
        ("HTML", "a < b && c"),
        ("HTML", "<tg-spoiler>s</tg-spoiler><u>u</u><s>s</s>"),
        ("MarkdownV2", "*bold* _italic_ __under__ ~strike~ ||spoiler|| `code`"),
        ("markdownv2", "[link](https://example.org)"),
        ("MarkdownV2", "not escaped."),
        ("MarkdownV2", "*open"),
        ("MarkdownV2", "escaped\\."),
        ("Markdown", "*bold* _italic_ `code` [link](https://example.org)"),
        ("Markdown", "*open"),
        ("markdown", "snake_case_name"),
        ("bogus", "text"),
        ("", "*plain*"),
        ("none", "text"),
        ("HTML", "🎉<b>after an emoji</b>"),
    ] {
        let mut body = photo_with("parse_mode", mode.into());
        body["caption"] = caption.into();
        cases.push(Case::json(format!("{mode:?}: {caption}"), "sendPhoto", body));
        let text = [("chat_id", "42"), ("text", caption), ("parse_mode", mode)];
        cases.push(Case::form(format!("{mode:?} in a text: {caption}"), "sendMessage", &text));
    }
    for entities in [
        json!([{"type": "bold", "offset": 0, "length": 2}]),
        json!([{"type": "bold", "offset": 0, "length": 200}]),
        json!([{"type": "nothing", "offset": 0, "length": 1}]),
        json!({"type": "bold"}),
        json!("bold"),
        json!([]),
    ] {
        let mut body = photo_with("caption_entities", entities.clone());
        body["caption"] = "some words".into();
        cases.push(Case::json(format!("caption_entities {entities}"), "sendPhoto", body));
    }
    for (name, text) in [("no text", None), ("an empty text", Some("")), ("blanks", Some("   "))] {
        let mut body = json!({"chat_id": CHAT});
        text.inspect(|text| body["text"] = (*text).into());
        cases.push(Case::json(name, "sendMessage", body));
    }
    for length in [4096, 4097] {
        let body = json!({"chat_id": CHAT, "text": "x".repeat(length)});
        cases.push(Case::json(format!("a text of {length}"), "sendMessage", body));
    }
    cases
}

fn keyboards() -> Vec<Case> {
    let button = json!({"text": "a", "callback_data": "b"});
    [
        json!({"inline_keyboard": [[button]]}),
        json!({"inline_keyboard": []}),
        json!({"inline_keyboard": [button]}),
        json!({"inline_keyboard": [[{"text": "no action"}]]}),
        json!({"inline_keyboard": [[{"text": "a", "callback_data": "x".repeat(65)}]]}),
        json!({"inline_keyboard": [[{"text": "a", "url": "https://example.org"}]]}),
        json!({"inline_keyboard": "rows"}),
        json!({"keyboard": [["a", {"text": "b"}]], "resize_keyboard": true}),
        json!({"keyboard": [[{"request_contact": true}]]}),
        json!({"remove_keyboard": true}),
        json!({"force_reply": true}),
        json!({}),
        json!([]),
        json!(""),
        json!("text"),
        json!(7),
        json!("{\"inline_keyboard\":[[{\"text\":\"a\",\"callback_data\":\"b\"}]]}"),
        json!("{\"inline_keyboard\":[["),
    ]
    .into_iter()
    .map(|markup| Case::json(format!("reply_markup {markup}"), "sendPhoto", photo_with("reply_markup", markup)))
    .collect()
}

fn threads() -> Vec<Case> {
    let mut cases = Vec::new();
    for chat in [42_i64, -42, -1_001_234_567_890] {
        for thread in [json!(0), json!(1), json!(7), json!("abc"), json!("7"), json!(-1)] {
            let body = json!({"chat_id": chat, "photo": "@PHOTO@", "message_thread_id": thread});
            cases.push(Case::json(format!("the topic {thread} of {chat}"), "sendPhoto", body));
        }
    }
    cases
}
