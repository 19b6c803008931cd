//! Replies, edits, deletions, copies and downloads of messages and files that are there, or not.

use super::case::{CHAT, Case, Part};
use serde_json::{Value, json};

pub fn cases() -> Vec<Case> {
    [replies(), edits(), deletions(), copies(), files(), the_rest()].concat()
}

fn replies() -> Vec<Case> {
    let mut cases = Vec::new();
    for reply in [
        r#"{"message_id":@SENT@}"#,
        r#"{"message_id":"@SENT@"}"#,
        r#"{"message_id":999999}"#,
        r#"{"message_id":999999,"allow_sending_without_reply":true}"#,
        r#"{"message_id":0}"#,
        r#"{"message_id":-1}"#,
        r#"{}"#,
        r#"[]"#,
        r#""text""#,
        r#"7"#,
        r#"{"message_id":@SENT@,"quote":"before"}"#,
        r#"{"message_id":@SENT@,"tomorrow":1}"#,
    ] {
        let body = format!(r#"{{"chat_id":42,"photo":"@PHOTO@","reply_parameters":{reply}}}"#);
        cases.push(Case::raw(format!("reply_parameters {reply}"), "sendPhoto", "application/json", body));
        let form = [("chat_id", "42"), ("text", "a"), ("reply_parameters", reply)];
        cases.push(Case::form(format!("reply_parameters {reply} in a form"), "sendMessage", &form));
    }
    for (id, lenient) in
        [("@SENT@", "false"), ("999999", "false"), ("999999", "true"), ("0", ""), ("abc", ""), ("", "")]
    {
        let form =
            [("chat_id", "42"), ("text", "a"), ("reply_to_message_id", id), ("allow_sending_without_reply", lenient)];
        cases.push(Case::form(format!("reply_to_message_id {id:?} {lenient}"), "sendMessage", &form));
    }
    cases
}

fn edits() -> Vec<Case> {
    let mut cases = Vec::new();
    // With a message of its own where one is found, since the order of the cases is not certain.
    for id in ["999999", "0", "-1", "abc", "", "@SENT@.5", "99999999999999999999"] {
        let at = [("chat_id", "42"), ("message_id", id)];
        let with = |name, value| [at[0], at[1], (name, value)];
        cases.push(Case::form(format!("the caption of {id:?}"), "editMessageCaption", &with("caption", "x")));
        cases.push(Case::form(format!("the text of {id:?}"), "editMessageText", &with("text", "x")));
        let media = r#"{"type":"photo","media":"@PHOTO@"}"#;
        cases.push(Case::form(format!("the media of {id:?}"), "editMessageMedia", &with("media", media)));
        cases.push(Case::form(format!("the deletion of {id:?}"), "deleteMessage", &at));
    }
    for (name, method, fields) in [
        ("no message", "editMessageCaption", vec![("chat_id", "42"), ("caption", "x")]),
        ("no chat", "editMessageCaption", vec![("message_id", "@SENT@"), ("caption", "x")]),
        ("another chat", "editMessageCaption", vec![("chat_id", "43"), ("message_id", "@SENT@"), ("caption", "x")]),
        (
            "the same caption",
            "editMessageCaption",
            vec![("chat_id", "42"), ("message_id", "@SENT@"), ("caption", "before")],
        ),
        ("the same text", "editMessageText", vec![("chat_id", "42"), ("message_id", "@TEXT@"), ("text", "before")]),
        ("no caption", "editMessageCaption", vec![("chat_id", "42"), ("message_id", "@SENT@")]),
        ("no text", "editMessageText", vec![("chat_id", "42"), ("message_id", "@TEXT@")]),
        (
            "the caption of a text",
            "editMessageCaption",
            vec![("chat_id", "42"), ("message_id", "@TEXT@"), ("caption", "x")],
        ),
        ("the text of a photo", "editMessageText", vec![("chat_id", "42"), ("message_id", "@SENT@"), ("text", "x")]),
        (
            "a refusing chat",
            "editMessageCaption",
            vec![("chat_id", "9000000403"), ("message_id", "1"), ("caption", "x")],
        ),
        ("an inline message", "editMessageCaption", vec![("inline_message_id", "abc"), ("caption", "x")]),
        ("a keyboard away", "editMessageReplyMarkup", vec![("chat_id", "42"), ("message_id", "@SENT@")]),
    ] {
        cases.push(Case::form(format!("an edit: {name}"), method, &fields));
    }
    for media in [
        r#"{"type":"photo","media":"https://example.org/a.jpg","caption":"new"}"#,
        r#"{"type":"video","media":"@VIDEO@"}"#,
        r#"{"type":"animation","media":"@ANIMATION@"}"#,
        r#"{"type":"audio","media":"@AUDIO@"}"#,
        r#"{"type":"voice","media":"@VOICE@"}"#,
        r#"{"type":"photo","media":"@DOCUMENT@"}"#,
        r#"{"type":"photo","media":"@FOREIGN@"}"#,
        r#"{"type":"photo","media":"broken"}"#,
        r#"{"type":"photo","media":"attach://missing"}"#,
        r#"{"type":"photo"}"#,
        r#"{"media":"@PHOTO@"}"#,
        r#"[]"#,
        r#"null"#,
        r#"{"type":"#,
        r#"{"type":"photo","media":"@PHOTO@","caption":"*x","parse_mode":"MarkdownV2"}"#,
    ] {
        let form = [("chat_id", "42"), ("message_id", "@SENT@"), ("media", media)];
        cases.push(Case::form(format!("an edit to {media}"), "editMessageMedia", &form));
    }
    for (name, media) in [("@SENT@", "attach://new"), ("@TEXT@", "attach://new")] {
        let item = format!(r#"{{"type":"photo","media":"{media}","caption":"new"}}"#);
        let parts = [Part::chat(), Part::text("message_id", name), Part::text("media", &item), Part::picture("new")];
        cases.push(Case::parts(format!("an edit of {name} by upload"), "editMessageMedia", &parts));
    }
    let inline = [
        Part::text("inline_message_id", "abc"),
        Part::text("media", r#"{"type":"photo","media":"attach://new"}"#),
        Part::picture("new"),
    ];
    cases.push(Case::parts("an upload to an inline message", "editMessageMedia", &inline));
    cases
}

fn deletions() -> Vec<Case> {
    let mut cases = Vec::new();
    for ids in [json!([]), json!([999_999]), json!("x"), json!([0]), json!(["a"]), json!(null), json!(vec![1; 101])] {
        let body = json!({"chat_id": CHAT, "message_ids": ids});
        cases.push(Case::json(format!("deleteMessages {ids}"), "deleteMessages", body));
    }
    cases.push(Case::json("deleteMessages without ids", "deleteMessages", json!({"chat_id": CHAT})));
    cases.push(Case::json("deleteMessage without an id", "deleteMessage", json!({"chat_id": CHAT})));
    cases.push(Case::json("deleteMessage without a chat", "deleteMessage", json!({"message_id": "@SENT@"})));
    cases
}

fn copies() -> Vec<Case> {
    let mut cases = Vec::new();
    for method in ["copyMessage", "forwardMessage"] {
        for (name, body) in [
            ("a missing message", json!({"chat_id": CHAT, "from_chat_id": CHAT, "message_id": 999_999})),
            ("no message", json!({"chat_id": CHAT, "from_chat_id": CHAT})),
            ("no source", json!({"chat_id": CHAT, "message_id": "@SENT@"})),
            ("a wrong source", json!({"chat_id": CHAT, "from_chat_id": "nowhere", "message_id": "@SENT@"})),
            ("no chat", json!({"from_chat_id": CHAT, "message_id": "@SENT@"})),
            ("a refusing chat", json!({"chat_id": 9_000_000_403_i64, "from_chat_id": CHAT, "message_id": "@SENT@"})),
            (
                "a caption",
                json!({"chat_id": CHAT, "from_chat_id": CHAT, "message_id": "@SENT@", "caption": "c".repeat(1025)}),
            ),
        ] {
            cases.push(Case::json(format!("{method}: {name}"), method, body));
        }
    }
    cases
}

fn files() -> Vec<Case> {
    let ids = [
        "",
        " ",
        "abc",
        "@FOREIGN@",
        "@THUMBNAIL@",
        "@VIDEO@",
        "@AUDIO@",
        "@VOICE@",
        "@ANIMATION@",
        "@PHOTO@x",
        "https://example.org/a.jpg",
        "attach://x",
        "ü",
    ];
    let mut cases: Vec<_> =
        ids.iter().map(|id| Case::get(format!("the file {id:?}"), "getFile", &[("file_id", id)])).collect();
    cases.push(Case::get("no file", "getFile", &[]));
    cases.push(Case::json("the file 7", "getFile", json!({"file_id": 7})));
    cases
}

fn the_rest() -> Vec<Case> {
    let mut cases = Vec::new();
    for action in ["typing", "TYPING", "upload_video", "dancing", ""] {
        let body = json!({"chat_id": CHAT, "action": action});
        cases.push(Case::json(format!("the action {action:?}"), "sendChatAction", body));
    }
    for (name, body) in [
        ("an unknown query", json!({"inline_query_id": "1", "results": []})),
        ("no query", json!({"results": []})),
        ("no results", json!({"inline_query_id": "1"})),
        ("results that are none", json!({"inline_query_id": "1", "results": "x"})),
        ("51 results", json!({"inline_query_id": "1", "results": many(51)})),
        ("a broken result", json!({"inline_query_id": "1", "results": [{"type": "photo"}]})),
        (
            "a foreign photo",
            json!({"inline_query_id": "1", "results": [{"type": "photo", "id": "1", "photo_file_id": "@FOREIGN@"}]}),
        ),
    ] {
        cases.push(Case::json(format!("an inline answer: {name}"), "answerInlineQuery", body));
    }
    // Different offsets: to the same one the answer is held for three seconds (Bot API server).
    for (name, fields) in [
        ("plain", vec![("offset", "5"), ("timeout", "0")]),
        ("limit", vec![("offset", "1"), ("limit", "0")]),
        ("a negative offset", vec![("offset", "-1"), ("timeout", "0")]),
        ("nonsense", vec![("offset", "x"), ("timeout", "y")]),
        ("allowed_updates", vec![("offset", "3"), ("allowed_updates", "[\"message\"]")]),
        ("broken allowed_updates", vec![("offset", "4"), ("allowed_updates", "message")]),
    ] {
        cases.push(Case::get(format!("getUpdates: {name}"), "getUpdates", &fields));
    }
    for latitude in ["52", "x", "", "91"] {
        let form = [("chat_id", "42"), ("latitude", latitude), ("longitude", "13")];
        cases.push(Case::form(format!("the latitude {latitude:?}"), "sendLocation", &form));
    }
    cases
}

fn many(count: usize) -> Value {
    (0..count).map(|n| json!({"type": "photo", "id": n.to_string(), "photo_file_id": "@PHOTO@"})).collect()
}
