use super::*;
use crate::domain::raw_json;
use serde_json::json;

fn members(text: &str) -> Vec<(String, String)> {
    let text_of = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Json::members(text.as_bytes()).into_iter().map(|(name, value)| (text_of(name), text_of(value))).collect()
}

#[test]
fn members_become_texts_and_what_comes_before_a_fault_is_kept() {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        members(r#" {"chat_id": 12, "caption":"a\n\"b\"", "reply_markup" : {"x":[1, 2]}, "n":null, "t":true}"#),
        [
            pair("chat_id", "12"),
            pair("caption", "a\n\"b\""),
            pair("reply_markup", r#"{"x":[1, 2]}"#),
            pair("n", "null"),
            pair("t", "true"),
        ]
    );
    assert_eq!(members(r#"{"chat_id":1,"caption":"cut"#), [pair("chat_id", "1")]);
    assert_eq!(members(r#"{"chat_id":1 "caption":"x"}"#), [pair("chat_id", "1")]);
    assert_eq!(members("{\"a\":\"two\nlines\",\"b\":\"v1\\.2\",\"c\":1,}").len(), 3);
    for nothing in ["", "[1]", "{", "{}", "{1:2}", "nonsense", "\u{feff}{\"a\":1}"] {
        assert_eq!(members(nothing), [], "{nothing}");
    }
}

#[test]
fn strings_say_whatever_their_bytes_say() {
    let said = |text: &str| match Json::parse(format!("\"{text}\"").as_bytes()) {
        Some(Json::String(said)) => said,
        other => panic!("{other:?}"),
    };
    assert_eq!(said(r"\ud83c\udf89\u00e9\u0000\/\'"), "🎉é\0/'".as_bytes());
    assert_eq!(said(r"\ud83d"), [0xed, 0xa0, 0xbd]);
    assert_eq!(said(r"\ud83d\u0041"), [0xed, 0xa0, 0xbd, b'A']);
    assert_eq!(said(r"\udf89\ud83c"), "\u{f243c}".as_bytes());
    for broken in [r"\u12", r"\u+123", "\\"] {
        assert_eq!(Json::parse(format!("\"{broken}\"").as_bytes()), None, "{broken}");
    }
}

#[test]
fn whole_values_are_read_strictly() {
    let value = Json::parse(b" {\"a\":[1,+2.50,\"x\"],\"a\":0,\"b\":{}} ").unwrap();
    assert_eq!(value.to_value(), json!({"a": [1, "+2.50", "x"], "b": {}}));
    let nested = |depth: usize| Json::parse(format!("{}{}", "[".repeat(depth), "]".repeat(depth)).as_bytes());
    assert!(nested(101).is_some() && nested(102).is_none() && nested(50_000).is_none());
    for broken in ["", "[1,]", "[1", "{\"a\":1,}", "[1] 2", "nul", "'a'", "\u{feff}1"] {
        assert_eq!(Json::parse(broken.as_bytes()), None, "{broken}");
    }
}

#[test]
fn members_have_types() {
    let text = br#"{"t":"x","n":7,"b":true,"s":"8","f":1.5,"z":"07","big":2147483648,"null":null}"#;
    let Some(Json::Object(object)) = Json::parse(text) else { panic!("an object") };
    assert_eq!((object.word("t"), object.word("n"), object.word("x")), (Ok("x".into()), Ok("7".into()), Ok("".into())));
    assert_eq!((object.integer("n"), object.integer("s"), object.integer("x")), (Ok(Some(7)), Ok(Some(8)), Ok(None)));
    assert_eq!((object.flag("b"), object.flag("x")), (Ok(true), Ok(false)));
    assert_eq!(object.flag("t").unwrap_err(), "Field \"t\" must be of type Boolean");
    assert_eq!(object.word("null").unwrap_err(), "Field \"null\" must be of type String");
    assert_eq!(object.integer("b").unwrap_err(), "Field \"b\" must be a Number");
    for name in ["f", "z", "big", "t"] {
        assert_eq!(object.integer(name).unwrap_err(), format!("Field \"{name}\" must be a valid Number"));
    }
    assert_eq!(object.required_integer("x").unwrap_err(), "Can't find field \"x\"");
    assert_eq!(object.required_word("x").unwrap_err(), "Can't find field \"x\"");
}

/// What random documents are made of.
const PIECES: [&str; 48] = [
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\"",
    "\\",
    "\"a\"",
    "\"text\":",
    "\"\\u",
    "\\ud83d",
    "\\udc4d",
    "\\u0041",
    "\\u00e9",
    "\\n",
    "\\.",
    "\\\"",
    "null",
    "true",
    "false",
    "nul",
    "0",
    "-1",
    "+1e3",
    ".5",
    "1.2.3",
    "{}",
    "[]",
    "[1,2]",
    "[1,]",
    "{\"a\":1}",
    "{\"a\":1,}",
    " ",
    "\n",
    "\t",
    "\0",
    "\x0b",
    "\x0c",
    "é",
    "🎉",
    "\u{feff}",
    "'",
    "/",
    "a",
    "[[[[",
    "]]]]",
    "{\"x\":{\"y\":[\"z\"]}}",
];

/// The face and the sandbox have a reader each, written apart, and read every document the same. `PIXCOURIER_FUZZ_SEED` and
/// `PIXCOURIER_FUZZ_SECONDS` choose which documents and how many.
#[test]
#[expect(clippy::disallowed_methods, reason = "a test's own arguments, no configuration")]
fn the_face_reads_random_documents_alike() {
    let number = |name: &str, otherwise: u64| std::env::var(name).map_or(otherwise, |text| text.parse().unwrap());
    let seed = number("PIXCOURIER_FUZZ_SEED", 1);
    let time = std::time::Duration::from_millis(1000 * number("PIXCOURIER_FUZZ_SECONDS", 0) + 300);
    let (mut random, begin, mut count) = (fastrand::Rng::with_seed(seed), std::time::Instant::now(), 0_u64);
    while begin.elapsed() < time {
        let mut document = if random.bool() { b"{\"a\":".to_vec() } else { Vec::new() };
        for _ in 0..random.usize(0..24) {
            document.extend_from_slice(PIECES[random.usize(0..PIECES.len())].as_bytes());
        }
        for _ in 0..random.usize(0..3) {
            let at = random.usize(0..=document.len());
            document.insert(at, random.u8(..));
        }
        let shown = String::from_utf8_lossy(&document);
        let read: Vec<_> =
            raw_json::members(&document).map(|(name, value)| (name, value.text().into_owned())).collect();
        assert_eq!(read, Json::members(&document), "seed {seed}: {shown:?}");
        let whole = Json::parse(&document);
        if let Some(Json::Array(items)) = &whole {
            assert_eq!(raw_json::items(&document).count(), items.len(), "seed {seed}: {shown:?}");
        }
        if let Some(tree) = raw_json::tree(&document, 1000) {
            let whole = whole.unwrap_or_else(|| panic!("seed {seed}: {shown:?}"));
            assert_eq!(tree, whole.to_value(), "seed {seed}: {shown:?}");
        }
        count += 1;
    }
    println!("{count} documents from seed {seed} read alike");
}
