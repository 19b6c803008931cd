//! Requests as odd clients write them, byte by byte: what JSON and forms do not allow, and bodies of other types.

use super::case::Case;

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

pub fn cases() -> Vec<Case> {
    [bytes_in_json(), bytes_in_forms(), surrogates(), broken_json(), content_types()].concat()
}

/// JSON as bytes, with `^` for the place where something odd stands.
pub fn written(name: String, method: &str, around: &str, odd: &[u8]) -> Case {
    let (before, after) = around.split_once('^').unwrap();
    Case::raw(name, method, JSON, [before.as_bytes(), odd, after.as_bytes()].concat())
}

const IN_A_TEXT: &str = r#"{"chat_id":42,"text":"a^z","disable_notification":true}"#;
const IN_A_CAPTION: &str = r#"{"chat_id":42,"photo":"@PHOTO@","caption":"a^z","has_spoiler":true}"#;
const IN_AN_ALBUM: &str =
    r#"{"chat_id":42,"media":[{"type":"photo","media":"@PHOTO@","caption":"a^z"},{"type":"photo","media":"@PHOTO@"}]}"#;
const IN_A_QUOTE: &str = r#"{"chat_id":42,"text":"x","reply_parameters":{"message_id":@TEXT@,"quote":"a^z"}}"#;
const IN_A_BUTTON: &str =
    r#"{"chat_id":42,"text":"x","reply_markup":{"inline_keyboard":[[{"text":"a^z","callback_data":"b"}]]}}"#;
const IN_MARKUP: &str = r#"{"chat_id":42,"text":"<b>a^z</b>","parse_mode":"HTML"}"#;

fn bytes_in_json() -> Vec<Case> {
    let mut cases = Vec::new();
    for byte in (0..0x20_u8).chain([0x7f]) {
        for (what, method, around) in [
            ("text", "sendMessage", IN_A_TEXT),
            ("caption", "sendPhoto", IN_A_CAPTION),
            ("album", "sendMediaGroup", IN_AN_ALBUM),
        ] {
            cases.push(written(format!("the byte {byte:#04x} in a {what}"), method, around, &[byte]));
        }
    }
    for c in (0x20..0x7f_u8).map(char::from).filter(|c| *c != '"') {
        let escape = format!("\\{c}");
        cases.push(written(format!("the escape {escape} in a text"), "sendMessage", IN_A_TEXT, escape.as_bytes()));
        if c.is_ascii_punctuation() {
            cases.push(written(
                format!("the escape {escape} in a caption"),
                "sendPhoto",
                IN_A_CAPTION,
                escape.as_bytes(),
            ));
        }
    }
    for odd in
        [&b"\xff"[..], b"\xc3\x28", b"\xe2\x82", b"\xf0\x9f\x92", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\x80"]
    {
        let name = |what: &str| format!("no UTF-8 {odd:x?} in {what}");
        cases.push(written(name("a text"), "sendMessage", IN_A_TEXT, odd));
        cases.push(written(name("a caption"), "sendPhoto", IN_A_CAPTION, odd));
        cases.push(written(name("markup"), "sendMessage", IN_MARKUP, odd));
        cases.push(written(name("an unknown one"), "sendMessage", r#"{"chat_id":42,"text":"x","tomorrow":"^"}"#, odd));
        cases.push(written(name("a name"), "sendMessage", r#"{"chat_id":42,"text":"x","^":"tomorrow"}"#, odd));
        cases.push(written(name("a chat"), "sendMessage", r#"{"chat_id":"42^","text":"x"}"#, odd));
    }
    cases
}

fn bytes_in_forms() -> Vec<Case> {
    let mut cases = Vec::new();
    for byte in 0..=255_u8 {
        let body = format!("chat_id=42&text=a%{byte:02X}z");
        cases.push(Case::raw(format!("the byte {byte:#04x} in a form"), "sendMessage", FORM, body));
    }
    for (name, body) in [
        ("raw line breaks", &b"chat_id=42&text=two\nlines\r\nhere"[..]),
        ("raw UTF-8", "chat_id=42&text=größer 🎉".as_bytes()),
        ("raw bytes", b"chat_id=42&text=\xff"),
        ("a byte order mark", b"\xef\xbb\xbfchat_id=42&text=a"),
        (
            "JSON as a value",
            b"chat_id=42&text=a&reply_markup={\"inline_keyboard\":[[{\"text\":\"\n\",\"callback_data\":\"b\"}]]}",
        ),
        ("empty names and values", b"&=&==&chat_id=42&text=a=b=c"),
        ("a NUL in a name", b"chat%00_id=41&chat_id=42&text=a"),
        ("numbers with signs", b"chat_id=%2B42&text=a"),
        ("booleans in capitals", b"chat_id=42&text=a&disable_notification=TRUE&protect_content=%20yes%0A"),
    ] {
        cases.push(Case::raw(format!("a form with {name}"), "sendMessage", FORM, body));
    }
    cases
}

fn surrogates() -> Vec<Case> {
    let mut cases = Vec::new();
    for odd in [
        r"\ud83d",
        r"\udc4d",
        r"\ud83d\udc4d",
        r"\udc4d\ud83d",
        r"\ud83d\ud83d",
        r"\udc4d\udc4d",
        r"\ud83d x \udc4d",
        r"\ud83d\u0041",
        r"\ud83d\n",
        r"\uD83D\uDC4D",
        r"\ud83d\udc4d\udc4d",
        r"\u0000",
        r"\ufeff",
        r"\uffff",
        r"\ud83",
        r"\uzzzz",
        r"\ud83d\uzzzz",
        r"\ud83d\u",
    ] {
        let name = |what: &str| format!("{odd} in {what}");
        cases.push(written(name("a text"), "sendMessage", IN_A_TEXT, odd.as_bytes()));
        cases.push(written(name("a caption"), "sendPhoto", IN_A_CAPTION, odd.as_bytes()));
        cases.push(written(name("an album"), "sendMediaGroup", IN_AN_ALBUM, odd.as_bytes()));
        cases.push(written(name("a quote"), "sendMessage", IN_A_QUOTE, odd.as_bytes()));
        cases.push(written(name("a button"), "sendMessage", IN_A_BUTTON, odd.as_bytes()));
        cases.push(written(name("markup"), "sendMessage", IN_MARKUP, odd.as_bytes()));
    }
    cases
}

fn broken_json() -> Vec<Case> {
    let mut cases = Vec::new();
    for (number, odd) in [
        "NaN",
        "Infinity",
        "undefined",
        "'x'",
        "True",
        "nul",
        "tru",
        "+1",
        "-",
        ".5",
        "1.2.3",
        "0x1f",
        "1_000",
        "[1,]",
        "[,1]",
        "{\"a\"}",
        "{a:1}",
        "{\"a\":1,}",
        "[",
        "{",
        "\"open",
        "//x\n1",
        "/*x*/1",
        "[[[]]]",
        "{\"a\":{\"b\":[null]}}",
    ]
    .into_iter()
    .enumerate()
    {
        let around = r#"{"chat_id":42,"text":"kept","x":^,"parse_mode":"nonsense"}"#;
        cases.push(written(
            format!("broken {number}: {odd} before a bad parse_mode"),
            "sendMessage",
            around,
            odd.as_bytes(),
        ));
        let around = r#"{"chat_id":42,"photo":"@PHOTO@","caption":^,"has_spoiler":true}"#;
        cases.push(written(format!("broken {number}: {odd} as a caption"), "sendPhoto", around, odd.as_bytes()));
        let around = r#"{"chat_id":42,"text":"x","reply_markup":^}"#;
        cases.push(written(format!("broken {number}: {odd} as buttons"), "sendMessage", around, odd.as_bytes()));
    }
    for depth in [100, 101, 102, 5000] {
        let nested = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let around = r#"{"chat_id":42,"x":^,"text":"behind"}"#;
        cases.push(written(format!("nested {depth} deep"), "sendMessage", around, nested.as_bytes()));
    }
    cases
}

fn content_types() -> Vec<Case> {
    let (json, form) = (r#"{"chat_id":42,"text":"a"}"#, "chat_id=42&text=a");
    let mut cases = Vec::new();
    for content_type in [
        "application/json",
        "application/json;charset=UTF-8",
        "text/json",
        "application/json, text/plain",
        "x-application/json-y",
        "*/*",
        "application/x-www-form-urlencoded;",
        "text/plain;was=application/x-www-form-urlencoded",
        "form",
        "image/png",
        "text/html",
    ] {
        cases.push(Case::raw(format!("JSON as {content_type}"), "sendMessage", content_type, json));
        cases.push(Case::raw(format!("a form as {content_type}"), "sendMessage", content_type, form));
        let target = "/bot@TOKEN@/sendDocument?chat_id=42&document=attach://file";
        cases.push(Case::raw(format!("a file as {content_type}"), "", content_type, json).at(target));
    }
    cases.push(
        Case::raw("a file of no type", "", "", json)
            .untyped()
            .at("/bot@TOKEN@/sendDocument?chat_id=42&document=attach://file"),
    );
    cases.push(
        Case::raw("nothing of no type", "", "", "")
            .untyped()
            .at("/bot@TOKEN@/sendDocument?chat_id=42&document=attach://file"),
    );
    cases
}
