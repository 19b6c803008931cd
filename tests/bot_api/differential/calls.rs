//! Methods in every encoding, odd paths and verbs, special chats, bodies that are not what they say.

use super::case::{CHAT, Case, Part};
use reqwest::Method;
use serde_json::{Value, json};

/// A call that works, of every method that takes part: its fields but for the chat.
const CALLS: [(&str, &[(&str, &str)]); 29] = [
    ("getMe", &[]),
    ("getChat", &[("chat_id", "42")]),
    ("getWebhookInfo", &[]),
    ("deleteWebhook", &[]),
    ("sendChatAction", &[("chat_id", "42"), ("action", "upload_photo")]),
    ("sendMessage", &[("chat_id", "42"), ("text", "<b>hi</b> & you"), ("parse_mode", "HTML")]),
    ("sendPhoto", &[("chat_id", "42"), ("photo", "@PHOTO@"), ("caption", "äöü 🎉"), ("has_spoiler", "true")]),
    ("sendPhoto", &[("chat_id", "42"), ("photo", "https://example.org/a.jpg"), ("disable_notification", "true")]),
    ("sendDocument", &[("chat_id", "42"), ("document", "@DOCUMENT@"), ("caption", "a+b c")]),
    ("sendDocument", &[("chat_id", "42"), ("document", "https://example.org/a.pdf")]),
    ("sendVideo", &[("chat_id", "42"), ("video", "@VIDEO@"), ("supports_streaming", "yes")]),
    ("sendAudio", &[("chat_id", "42"), ("audio", "@AUDIO@"), ("performer", "They"), ("title", "It")]),
    ("sendVoice", &[("chat_id", "42"), ("voice", "@VOICE@"), ("duration", "3")]),
    ("sendAnimation", &[("chat_id", "42"), ("animation", "@ANIMATION@")]),
    ("sendLocation", &[("chat_id", "42"), ("latitude", "52.5"), ("longitude", "13.4")]),
    ("sendContact", &[("chat_id", "42"), ("phone_number", "+49301234"), ("first_name", "A")]),
    (
        "sendMediaGroup",
        &[
            ("chat_id", "42"),
            ("media", r#"[{"type":"photo","media":"@PHOTO@","caption":"one"},{"type":"video","media":"@VIDEO@"}]"#),
        ],
    ),
    ("copyMessage", &[("chat_id", "43"), ("from_chat_id", "42"), ("message_id", "@SENT@"), ("caption", "a copy")]),
    ("copyMessages", &[("chat_id", "43"), ("from_chat_id", "42"), ("message_ids", "[@TEXT@,@SENT@]")]),
    ("forwardMessage", &[("chat_id", "43"), ("from_chat_id", "42"), ("message_id", "@SENT@")]),
    ("forwardMessages", &[("chat_id", "43"), ("from_chat_id", "42"), ("message_ids", "[@TEXT@]")]),
    ("editMessageText", &[("chat_id", "42"), ("message_id", "@TEXT@"), ("text", "new")]),
    ("editMessageCaption", &[("chat_id", "42"), ("message_id", "@SENT@"), ("caption", "new")]),
    (
        "editMessageMedia",
        &[("chat_id", "42"), ("message_id", "@SENT@"), ("media", r#"{"type":"document","media":"@DOCUMENT@"}"#)],
    ),
    (
        "editMessageReplyMarkup",
        &[
            ("chat_id", "42"),
            ("message_id", "@SENT@"),
            ("reply_markup", r#"{"inline_keyboard":[[{"text":"a","callback_data":"b"}]]}"#),
        ],
    ),
    ("deleteMessage", &[("chat_id", "42"), ("message_id", "@SENT@")]),
    ("deleteMessages", &[("chat_id", "42"), ("message_ids", "[@SENT@,@TEXT@,999999]")]),
    ("getFile", &[("file_id", "@DOCUMENT@")]),
    ("getFile", &[("file_id", "@PHOTO@")]),
];

/// What users and groups answer that cannot be written to, see the sandbox.
const REFUSERS: [i64; 8] = [
    9_000_000_400,
    9_000_000_403,
    9_000_000_404,
    9_000_000_410,
    -9_000_000_400,
    -9_000_000_403,
    -9_000_000_405,
    -9_000_000_301,
];

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (number, (method, fields)) in CALLS.iter().enumerate() {
        cases.extend(encodings(&format!("{method} {number}"), method, fields));
    }
    cases.extend(paths());
    cases.extend(bodies());
    for chat in REFUSERS {
        let name = |what: &str| format!("{what} to the chat {chat}");
        cases.push(Case::json(name("photo"), "sendPhoto", json!({"chat_id": chat, "photo": "@PHOTO@"})));
        cases.push(Case::json(name("text"), "sendMessage", json!({"chat_id": chat, "text": "hi"})));
        let album = json!([{"type": "photo", "media": "@PHOTO@"}, {"type": "photo", "media": "@PHOTO@"}]);
        cases.push(Case::json(name("album"), "sendMediaGroup", json!({"chat_id": chat, "media": album})));
        cases.push(Case::json(name("action"), "sendChatAction", json!({"chat_id": chat, "action": "typing"})));
    }
    cases
}

/// One call in every encoding: as a query, as a form, in JSON with native values and with texts, as multipart.
fn encodings(name: &str, method: &str, fields: &[(&str, &str)]) -> Vec<Case> {
    let native = |text: &str| serde_json::from_str(text).unwrap_or_else(|_| Value::from(text));
    // A gap inside of JSON text stands for a number.
    let gapped = |text: &str| if text.contains("s_id") || text.starts_with("[@") { text.into() } else { native(text) };
    let native: serde_json::Map<_, _> = fields.iter().map(|(name, value)| ((*name).into(), gapped(value))).collect();
    let texts: serde_json::Map<_, _> = fields.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    let parts: Vec<_> = fields.iter().map(|(name, value)| Part::text(name, value)).collect();
    let (in_query, in_body) = fields.split_at(fields.len() / 2);
    let split = Case::get("", method, in_query).target;
    vec![
        Case::get(format!("{name} as a query"), method, fields),
        Case::form(format!("{name} as a form"), method, fields),
        Case::form(format!("{name} half as a query"), method, in_body).at(&split),
        Case::json(format!("{name} as JSON"), method, native.into()),
        Case::json(format!("{name} as JSON of texts"), method, texts.into()),
        Case::parts(format!("{name} as multipart"), method, &parts),
    ]
}

fn paths() -> Vec<Case> {
    let text = [("chat_id", "42"), ("text", "hi")];
    let mut cases = Vec::new();
    for method in ["SENDMESSAGE", "sendmessage", "SendMessage", "sEnDmEsSaGe", "sendMessage/", "%73endMessage"] {
        cases.push(Case::form(format!("the method {method}"), method, &text));
    }
    for method in ["sendHologram", "send", "sendMessage2", "sendMessage/more", "sendMessage%20", "%00", "методы"]
    {
        cases.push(Case::form(format!("the unknown method {method}"), method, &text));
        cases.push(Case::get(format!("the unknown method {method} by GET"), method, &text));
    }
    let named = [("method", "sendMessage"), ("chat_id", "42"), ("text", "hi")];
    cases.push(Case::form("a method named in the body", "", &named));
    cases.push(Case::get("a method named in the query", "", &named));
    cases.push(Case::form("no method", "", &text));
    cases.push(Case::form("a method of no name in the body", "", &[("method", "sendHologram")]));
    for verb in [Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS, Method::HEAD] {
        cases.push(Case::bare(format!("the verb {verb}"), verb, "getMe"));
    }
    for (name, target) in [
        ("an unknown token", "/bot999999:ABC-DEF1234ghIkl-zyx57W2v1u123ew11/getMe"),
        ("a wrong secret", "/bot123456:ABC-DEF1234ghIkl-zyx57W2v1u123ew12/getMe"),
        ("a short token", "/bot123456:short/getMe"),
        ("a token without a colon", "/bot123456/getMe"),
        ("an empty token", "/bot/getMe"),
        ("a token in capitals", "/BOT@TOKEN@/getMe"),
        ("a percent-encoded token", "/bot123456%3AABC-DEF1234ghIkl-zyx57W2v1u123ew11/getMe"),
        ("no method and no slash", "/bot@TOKEN@"),
        ("a download", "/file/bot@TOKEN@/@PATH@"),
        ("a download that is not there", "/file/bot@TOKEN@/photos/file_1.jpg"),
        ("a download of nothing", "/file/bot@TOKEN@/"),
        ("a download with an unknown token", "/file/bot999999:ABC-DEF1234ghIkl-zyx57W2v1u123ew11/photos/file_1.jpg"),
        ("a download upwards", "/file/bot@TOKEN@/..%2F..%2Fetc%2Fpasswd"),
    ] {
        cases.push(Case::bare(name, Method::GET, "").at(target));
    }
    cases.push(Case::bare("the head of a download", Method::HEAD, "").at("/file/bot@TOKEN@/@PATH@"));
    cases
}

/// Bodies that are not what they say they are, or say nothing.
fn bodies() -> Vec<Case> {
    let whole = r#"{"chat_id":42,"text":"hello","disable_notification":true}"#;
    let form = "chat_id=42&text=hi";
    let mut cases: Vec<_> = (0..whole.len())
        .step_by(4)
        .map(|end| Case::raw(format!("JSON cut after {end} bytes"), "sendMessage", "application/json", &whole[..end]))
        .collect();
    for (name, content_type, body) in [
        ("JSON with a charset", "application/json; charset=utf-8", whole),
        ("JSON in capitals", "Application/JSON", whole),
        ("JSON called text", "text/plain", whole),
        ("JSON called something like it", "application/json-patch", whole),
        ("JSON called a form", "application/x-www-form-urlencoded", whole),
        ("a form called JSON", "application/json", form),
        ("a form with a charset", "application/x-www-form-urlencoded; charset=utf-8", form),
        ("a form in capitals", "APPLICATION/X-WWW-FORM-URLENCODED", form),
        ("a form called bytes", "application/octet-stream", form),
        ("a form called multipart", "multipart/form-data; boundary=abc", form),
        ("multipart without a boundary", "multipart/form-data", form),
        ("a boundary of 71 characters", &format!("multipart/form-data; boundary={}", "b".repeat(71)), form),
        ("an array", "application/json", r#"[{"chat_id":42}]"#),
        ("a text in JSON", "application/json", r#""chat_id""#),
        ("an empty object", "application/json", "{}"),
        ("nothing as JSON", "application/json", ""),
        ("nothing as a form", "application/x-www-form-urlencoded", ""),
        ("two objects", "application/json", r#"{"chat_id":42,"text":"a"}{"text":"b"}"#),
        ("white space round JSON", "application/json", " \n{ \"chat_id\" : 42 , \"text\" : \"a\" }\n "),
        ("a name twice in JSON", "application/json", r#"{"chat_id":42,"text":"first","text":"second"}"#),
        ("a name twice in a form", "application/x-www-form-urlencoded", "chat_id=42&text=first&text=second"),
        ("a name that is empty", "application/x-www-form-urlencoded", "=1&chat_id=42&text=hi"),
        ("no equals sign", "application/x-www-form-urlencoded", "chat_id=42&text"),
        ("ampersands", "application/x-www-form-urlencoded", "&&chat_id=42&&text=hi&&"),
        ("a plus in a form", "application/x-www-form-urlencoded", "chat_id=42&text=a+b%2Bc"),
        ("a broken percent", "application/x-www-form-urlencoded", "chat_id=42&text=100%&x=%zz"),
        ("a semicolon", "application/x-www-form-urlencoded", "chat_id=42;text=hi"),
        ("UTF-8 broken in a form", "application/x-www-form-urlencoded", "chat_id=42&text=%FF%FE"),
        ("a lone surrogate", "application/json", r#"{"chat_id":42,"text":"a\ud83db"}"#),
        ("a pair of surrogates", "application/json", r#"{"chat_id":42,"text":"\ud83c\udf89"}"#),
        ("a NUL", "application/json", r#"{"chat_id":42,"text":"a\u0000b"}"#),
        ("right to left", "application/json", r#"{"chat_id":42,"text":"\u202eabc"}"#),
        ("a number with an exponent", "application/json", r#"{"chat_id":4.2e1,"text":"a"}"#),
        ("unknown parameters", "application/json", r#"{"chat_id":42,"text":"a","tomorrow":{"a":[1,null]},"x":null}"#),
    ] {
        cases.push(Case::raw(name, "sendMessage", content_type, body));
    }
    cases.push(Case::raw(
        "UTF-8 broken in JSON",
        "sendMessage",
        "application/json",
        &b"{\"chat_id\":42,\"text\":\"\xff\"}"[..],
    ));
    cases.push(Case::raw("a form without a type", "sendMessage", "", form).untyped());
    cases.push(
        Case::form("the query comes first", "", &[("text", "body")])
            .at("/bot@TOKEN@/sendMessage?chat_id=42&text=query"),
    );
    let long = "x".repeat(40_000);
    cases.push(Case::form("a text over 32768 bytes", "sendMessage", &[("chat_id", "42"), ("text", &long)]));
    let longer = "x".repeat(1_100_000);
    cases.push(Case::json("parameters over 1 MiB", "sendMessage", json!({"chat_id": CHAT, "text": longer})));
    cases
}
