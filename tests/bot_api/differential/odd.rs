//! Requests whose values are of other types than Telegram documents, and numbers, texts and addresses in other writings.

use super::case::{CHAT, Case};
use super::raw::written;
use serde_json::{Value, json};

pub fn cases() -> Vec<Case> {
    [integers(), types_of_media(), types_of_replies(), types_of_buttons(), cleaned_texts(), entities(), addresses()]
        .concat()
}

fn integers() -> Vec<Case> {
    const NUMBERS: [&str; 22] = [
        "7",
        "07",
        "7abc",
        "7.0",
        "7.9",
        "1e3",
        "-7",
        "-0",
        "+7",
        " 7",
        "7 ",
        "7\n",
        "",
        "-",
        "--7",
        "2147483647",
        "2147483648",
        "4294967303",
        "9223372036854775808",
        "18446744073709551623",
        "true",
        "٧",
    ];
    let mut cases = Vec::new();
    for text in NUMBERS {
        let name = |what: &str| format!("{what} {text:?}");
        let sent = |field: &str| json!({"chat_id": -1_001_234_567_890_i64, "text": "x", field: text});
        for field in ["message_thread_id", "reply_to_message_id"] {
            cases.push(Case::json(name(field), "sendMessage", sent(field)));
        }
        let video = |field: &str| json!({"chat_id": CHAT, "video": "@VIDEO@", field: text});
        for field in ["duration", "width", "height"] {
            cases.push(Case::json(name(field), "sendVideo", video(field)));
        }
        cases.push(Case::json(
            name("message_id"),
            "editMessageText",
            json!({"chat_id": 42, "message_id": text, "text": "x"}),
        ));
        cases.push(Case::json(name("chat_id"), "sendMessage", json!({"chat_id": text, "text": "x"})));
        let ids = json!({"chat_id": CHAT, "message_ids": [text]});
        cases.push(Case::json(name("message_ids"), "deleteMessages", ids));
        cases.push(Case::form(name("chat_id in a form"), "sendPhoto", &[("chat_id", text), ("photo", "@PHOTO@")]));
    }
    for text in ["@channelname\n", "@channel.name", "@ channelname", "@Channelname ", "@channelname/", "@@channelname"]
    {
        cases.push(Case::json(format!("the username {text:?}"), "sendMessage", json!({"chat_id": text, "text": "x"})));
    }
    cases
}

/// Values of every type, as they are written in a body.
fn odd_values() -> Vec<Value> {
    vec![
        Value::Null,
        json!(true),
        json!(1),
        json!(1.5),
        json!("true"),
        json!("7"),
        json!("07"),
        json!(""),
        json!("x"),
        json!([]),
        json!({}),
        json!(2_147_483_648_i64),
    ]
}

fn types_of_media() -> Vec<Case> {
    let mut cases = Vec::new();
    let fields = [
        "caption",
        "parse_mode",
        "caption_entities",
        "show_caption_above_media",
        "has_spoiler",
        "type",
        "media",
        "thumbnail",
    ];
    for field in
        fields.into_iter().chain(["width", "height", "duration", "supports_streaming", "cover", "start_timestamp"])
    {
        for value in odd_values() {
            let mut item = json!({"type": "video", "media": "@VIDEO@", "caption": "words"});
            item[field] = value.clone();
            let media = json!([item, {"type": "photo", "media": "@PHOTO@"}]);
            let name = format!("{field} of an item is {value}");
            cases.push(Case::json(name, "sendMediaGroup", json!({"chat_id": CHAT, "media": media})));
        }
        let mut item = json!({"type": "audio", "media": "@AUDIO@"});
        item[field] = json!({});
        let body = json!({"chat_id": CHAT, "message_id": "@SENT@", "media": item});
        cases.push(Case::json(format!("{field} of an edit is an object"), "editMessageMedia", body));
    }
    for (name, media) in [
        ("bad markup", json!([{"type": "photo", "media": "@PHOTO@", "caption": "<b>x", "parse_mode": "HTML"}])),
        ("an unknown parse_mode", json!([{"type": "photo", "media": "@PHOTO@", "caption": "x", "parse_mode": "BB"}])),
        ("a caption of 40,000", json!([{"type": "photo", "media": "@PHOTO@", "caption": "x".repeat(40_000)}])),
        ("a caption of 1,025", json!([{"type": "photo", "media": "@PHOTO@", "caption": "x".repeat(1025)}])),
        (
            "a caption that is trimmed",
            json!([{"type": "photo", "media": "@PHOTO@", "caption": "x".repeat(1024) + "\n"}]),
        ),
        ("no object", json!(["@PHOTO@"])),
        ("an object", json!({"type": "photo", "media": "@PHOTO@"})),
        ("nothing", json!([])),
    ] {
        cases.push(Case::json(
            format!("an album of {name}"),
            "sendMediaGroup",
            json!({"chat_id": CHAT, "media": media}),
        ));
    }
    let twice =
        r#"{"chat_id":42,"media":[{"type":"photo","type":"audio","media":"@PHOTO@","media":"x","caption":"^"}]}"#;
    cases.push(written("an album of names twice".to_owned(), "sendMediaGroup", twice, b"first"));
    cases
}

fn types_of_replies() -> Vec<Case> {
    let mut cases = Vec::new();
    for field in ["message_id", "chat_id", "allow_sending_without_reply", "quote", "quote_parse_mode", "quote_position"]
    {
        for value in odd_values() {
            let mut reply = json!({"message_id": 999_999, "allow_sending_without_reply": true});
            reply[field] = value.clone();
            let body = json!({"chat_id": CHAT, "text": "x", "reply_parameters": reply});
            cases.push(Case::json(format!("{field} of a reply is {value}"), "sendMessage", body));
        }
    }
    for reply in
        odd_values().into_iter().chain([json!({"allow_sending_without_reply": true}), json!("{\"message_id\":\n7}")])
    {
        let body = json!({"chat_id": CHAT, "text": "x", "reply_parameters": reply, "reply_to_message_id": 999_999});
        cases.push(Case::json(format!("reply_parameters {reply} beside the short form"), "sendMessage", body));
    }
    for lenient in ["true", "yes", "1", "TRUE", " true ", "0", "no", ""] {
        let fields = [
            ("chat_id", "42"),
            ("text", "x"),
            ("reply_to_message_id", "999999"),
            ("allow_sending_without_reply", lenient),
        ];
        cases.push(Case::form(format!("the short form, lenient {lenient:?}"), "sendMessage", &fields));
    }
    cases
}

fn types_of_buttons() -> Vec<Case> {
    let mut cases = Vec::new();
    for field in ["text", "url", "callback_data"] {
        for value in odd_values() {
            let mut button = json!({"text": "a", "callback_data": "b"});
            button[field] = value.clone();
            let body = json!({"chat_id": CHAT, "text": "x", "reply_markup": {"inline_keyboard": [[button]]}});
            cases.push(Case::json(format!("{field} of a button is {value}"), "sendMessage", body));
        }
    }
    for field in
        ["keyboard", "inline_keyboard", "remove_keyboard", "force_reply", "selective", "input_field_placeholder"]
    {
        for value in odd_values() {
            let body = json!({"chat_id": CHAT, "text": "x", "reply_markup": {field: value}});
            cases.push(Case::json(format!("{field} is {value}"), "sendMessage", body));
        }
    }
    cases
}

fn cleaned_texts() -> Vec<Case> {
    let mut cases = Vec::new();
    for text in [
        " a ",
        "\na\n",
        "\r\na\r\n",
        "\ta\t",
        "a\rb",
        "a\u{2028}b",
        "a\u{202e}b",
        "a\u{333}b",
        "a\u{33f}b",
        "a\u{30a}b",
        "\u{a0}a\u{a0}",
        "\u{200b}",
        "\u{feff}",
        "\u{2800}",
        "\u{3000}",
        " \u{200e}\n",
        "\u{b}\u{c}",
        "\0",
        "\u{7f}",
        "e\u{301}",
        "🎉 \r🎉",
        "\u{ad}",
        "\u{e0020}",
    ] {
        let name = |what: &str| format!("{what} {text:?}");
        cases.push(Case::json(name("the text"), "sendMessage", json!({"chat_id": CHAT, "text": text})));
        cases.push(Case::json(
            name("the caption"),
            "sendPhoto",
            json!({"chat_id": CHAT, "photo": "@PHOTO@", "caption": text}),
        ));
        let marked = json!({"chat_id": CHAT, "text": format!(" {text}<b>{text}</b>"), "parse_mode": "HTML"});
        cases.push(Case::json(name("markup round"), "sendMessage", marked));
        let edit = json!({"chat_id": CHAT, "message_id": "@SENT@", "caption": text});
        cases.push(Case::json(name("the new caption"), "editMessageCaption", edit));
    }
    cases
}

fn entities() -> Vec<Case> {
    let entity = |offset: i64, length: i64| json!([{"type": "bold", "offset": offset, "length": length}]);
    let mut lists: Vec<Value> =
        [(0, 1), (0, 4), (1, 2), (2, 1), (0, 5), (9, 1), (5, 0), (-1, 2), (0, -1), (1_000_001, 1), (3, 9)]
            .map(|(o, l)| entity(o, l))
            .into();
    for kind in ["italic", "mention", "text_link", "text_mention", "custom_emoji", "pre", "", "nothing"] {
        lists.push(json!([{"type": kind, "offset": 0, "length": 2}]));
    }
    lists.extend([
        json!([{"type": "text_link", "url": "https://e.org", "offset": "0", "length": "2"}]),
        json!([7]),
        json!([{}]),
        json!("no JSON"),
    ]);
    let mut cases = Vec::new();
    for list in lists {
        for text in ["a\r🎉 b", " ab \n"] {
            let body = json!({"chat_id": CHAT, "text": text, "entities": list});
            cases.push(Case::json(format!("the entities {list} of {text:?}"), "sendMessage", body));
        }
    }
    cases
}

fn addresses() -> Vec<Case> {
    [
        "https://example.org/a.jpg",
        "HTTPS://EXAMPLE.ORG/a.jpg",
        "example.org/a.jpg",
        "ftp://example.org/a.jpg",
        "http://",
        "http:///a.jpg",
        "http://./a.jpg",
        "http://e.org:0/a.jpg",
        "http://e.org:99999/a.jpg",
        "http://e.org:8a/a.jpg",
        "http://[::1]/a.jpg",
        "http://[::z]/a.jpg",
        "http://e org/a.jpg",
        "http://e%4zorg/a.jpg",
        "http://ex%41mple.org/a.jpg",
        "http://user:pa@e.org/a.jpg",
        "http://us er@e.org/a.jpg",
        "http://größe.org/a.jpg",
        "http://e.org",
        "http://e.org?x=a.jpg",
        ".",
        "a.b",
        "..",
        "file:///etc/passwd.jpg",
        "http://e.org/a b.jpg",
        "http://e.org/a.jpg\n",
        " http://e.org/a.jpg",
        "data:image/png;base64,iVBORw0KGgo.",
        "//e.org/a.jpg",
        "javascript:a.b",
    ]
    .into_iter()
    .map(|url| Case::json(format!("the address {url:?}"), "sendPhoto", json!({"chat_id": CHAT, "photo": url})))
    .collect()
}
