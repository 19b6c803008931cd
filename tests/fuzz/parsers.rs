//! Fuzzes the other parsers: `cargo test --test fuzz_parsers -- TARGET SEED SECONDS`, on stable and without a library; without a
//! target all of them, one after the other. A round that fails names its seed.
//!
//! - `image`: real pictures, spoilt. A verdict comes in time, and the same twice; what is untouched is taken.
//! - `json`: texts that JSON allows are read as `serde_json` reads them; spoilt ones to an end.
//! - `json_files`: what is taken out of a body does not depend on the pieces in which it comes.
//! - `markup`: entities lie within the text, whatever the markup.
//! - `form`: what is percent-encoded is read back.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is how it fails")]

use fastrand::Rng;
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use pixcourier::domain::markup::{Formatted, utf16};
use pixcourier::domain::{FileContent, raw_json};
use pixcourier::http::json_stream::{ExtractedPart, FileFields, JsonFileExtractor};
use pixcourier::http::percent;
use pixcourier::imaging::{Oversight, verify, verify_whole};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long one round may take on a busy machine.
const ROUND_LIMIT: Duration = Duration::from_secs(5);
/// How long each target runs if nothing is said.
const SECONDS: u64 = 3;

type Round = fn(&mut Rng);

const TARGETS: [(&str, Round); 5] =
    [("image", image), ("json", json_text), ("json_files", json_files), ("markup", markup), ("form", form)];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let (named, numbers): (Vec<&String>, Vec<&String>) = arguments.iter().partition(|one| one.parse::<u64>().is_err());
    let mut numbers = numbers.into_iter().map(|number| number.parse().unwrap());
    let (first, seconds) = (numbers.next().unwrap_or(1), numbers.next().unwrap_or(SECONDS));
    assert!(named.iter().all(|name| TARGETS.iter().any(|(target, _)| target == name)), "no such target: {named:?}");
    for (name, round) in TARGETS.iter().filter(|(target, _)| named.is_empty() || named.iter().any(|one| one == target))
    {
        fuzz(name, *round, first, seconds);
    }
}

fn fuzz(name: &str, round: Round, first: u64, seconds: u64) {
    let (end, mut seed) = (Instant::now() + Duration::from_secs(seconds), first);
    loop {
        let began = Instant::now();
        if std::panic::catch_unwind(|| round(&mut Rng::with_seed(seed))).is_err() {
            eprintln!("seed {seed} fails: cargo test --test fuzz_parsers -- {name} {seed} 0");
            std::process::exit(1);
        }
        assert!(began.elapsed() < ROUND_LIMIT, "{name}: seed {seed} takes {:?}", began.elapsed());
        seed += 1;
        if Instant::now() >= end {
            break;
        }
    }
    println!("{name}: {} rounds from seed {first} in {seconds} s, no finding", seed - first);
}

/// Bytes that are likely to matter in a length or a mark.
const EXTREMES: [u8; 8] = [0, 1, 0x7f, 0x80, 0xc0, 0xd9, 0xfe, 0xff];

/// Changes a few bytes, or where they stand.
fn spoil(random: &mut Rng, bytes: &mut Vec<u8>) {
    for _ in 0..random.usize(1..8) {
        if bytes.is_empty() {
            return;
        }
        let at = random.usize(..bytes.len());
        let span = at..(at + random.usize(..32)).min(bytes.len());
        match random.u8(..6) {
            0 => bytes[at] = random.u8(..),
            1 => bytes[at] = EXTREMES[random.usize(..EXTREMES.len())],
            2 => bytes.truncate(at),
            3 => _ = bytes.drain(span),
            4 => {
                let copy = bytes[span].to_vec();
                let to = random.usize(..=bytes.len());
                bytes.splice(to..to, copy);
            }
            _ => bytes[span].fill(EXTREMES[random.usize(..EXTREMES.len())]),
        }
    }
}

fn pictures() -> Vec<PathBuf> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let folders = ["images", "field-images"].map(|folder| fixtures.join(folder).read_dir().unwrap());
    let mut pictures: Vec<_> = folders.into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
    pictures.sort();
    pictures
}

fn image(random: &mut Rng) {
    let pictures = pictures();
    let picture = &pictures[random.usize(..pictures.len())];
    let mut bytes = std::fs::read(picture).unwrap();
    let is_whole = random.u8(..50) == 0;
    if !is_whole {
        spoil(random, &mut bytes);
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &bytes).unwrap();
    let (in_file, in_memory) = (FileContent::File(file.path().to_owned()), FileContent::Memory(bytes.into()));
    let verdict = |content| format!("{:?}", verify_whole(content, &Oversight::none()));
    let first = verdict(&in_file);
    assert_eq!(first, verdict(&in_memory));
    let as_photo = verify(&in_memory, &Oversight::none());
    let name = picture.file_name().unwrap().to_string_lossy();
    let is_taken = !name.ends_with(".webp") && name != "negative-width.bmp";
    assert!(!is_whole || (first == "Ok(())") == is_taken, "{name}: {first}");
    // What is a photo is whole.
    assert!(as_photo.is_err() || first == "Ok(())", "{as_photo:?}, {first}");
}

/// Strings with what JSON must escape, and letters of every size.
fn word(random: &mut Rng) -> String {
    const LETTERS: [char; 14] =
        ['a', 'Z', '"', '\\', '/', '\n', '\t', '\u{0}', '\u{7f}', '\u{e9}', '\u{20ac}', '\u{1f408}', '{', ','];
    (0..random.usize(..8)).map(|_| LETTERS[random.usize(..LETTERS.len())]).collect()
}

/// A value, or something simple where it would be too deep.
fn value(random: &mut Rng, depth: usize) -> Value {
    match random.u8(..if depth == 0 { 4 } else { 6 }) {
        0 => json!(random.i64(-1_000..1_000_000_000_000)),
        1 => json!(random.bool()),
        2 => Value::Null,
        3 => json!(word(random)),
        4 => (0..random.usize(..4)).map(|_| value(random, depth - 1)).collect(),
        _ => Value::Object((0..random.usize(..4)).map(|_| (word(random), value(random, depth - 1))).collect()),
    }
}

fn json_text(random: &mut Rng) {
    let depth = random.usize(..6);
    let meant = value(random, depth);
    let text = if random.bool() { meant.to_string() } else { serde_json::to_string_pretty(&meant).unwrap() };
    assert_eq!(raw_json::tree(text.as_bytes(), 10_000), Some(meant.clone()), "{text}");
    if let Value::Object(object) = &meant {
        let members: Map<String, Value> = raw_json::members(text.as_bytes())
            .map(|(name, value)| {
                let (name, said) = (String::from_utf8(name).unwrap(), value.text().into_owned());
                let is_text = object[&name].is_string();
                let said = String::from_utf8(said).unwrap();
                (name, if is_text { json!(said) } else { serde_json::from_str(&said).unwrap() })
            })
            .collect();
        assert_eq!(&members, object);
    }
    let mut spoilt = text.into_bytes();
    spoil(random, &mut spoilt);
    let said: usize = raw_json::members(&spoilt).map(|(name, value)| name.len() + value.text().len()).sum();
    assert!(said <= 2 * spoilt.len());
    let _ = raw_json::items(&spoilt).count();
    if let Some(tree) = raw_json::tree(&spoilt, 10_000) {
        // Written again it says the same.
        assert_eq!(raw_json::tree(tree.to_string().as_bytes(), 10_000), Some(tree));
    }
}

fn fields() -> FileFields {
    FileFields::Objects { is_file: |name| name == "photo" || name == "media", check_name: |_| Ok(()), limit: |_| 2_000 }
}

/// A document, and the files that were in it with their places.
type Extracted = (Vec<u8>, Vec<(String, Vec<u8>)>);

/// What an extractor makes of a body in pieces of these sizes: the document and the files, or the code of its refusal.
fn extracted(fields: FileFields, body: &[u8], sizes: &[usize]) -> Result<Extracted, String> {
    let (mut extractor, mut parts, mut rest, mut turn) = (JsonFileExtractor::new(fields), Vec::new(), body, 0);
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(sizes[turn % sizes.len()].min(rest.len()));
        extractor.push(piece, &mut parts).map_err(|rejection| rejection.to_string())?;
        (rest, turn) = (after, turn + 1);
    }
    let document = extractor.finish().map_err(|rejection| rejection.to_string())?;
    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    for part in parts {
        match part {
            ExtractedPart::Begin(place) => files.push((place, Vec::new())),
            ExtractedPart::Bytes(bytes) => files.last_mut().unwrap().1.extend(bytes),
            ExtractedPart::End => {}
        }
    }
    Ok((document, files))
}

fn json_files(random: &mut Rng) {
    const BASE64: [&str; 4] = ["aGFsbG8=", "/9j/4AAQSkZJRgABAQ==", "", "aGFsbG8"];
    let file = |random: &mut Rng| json!({"base64": BASE64[random.usize(..BASE64.len())], "name": word(random)});
    let mut body = json!({"chat_id": 7, "photo": file(random), "caption": word(random)});
    body["album"] = (0..random.usize(..3)).map(|_| json!({"media": file(random), "caption": word(random)})).collect();
    body["more"] = value(random, 3);
    let mut text = body.to_string().into_bytes();
    if random.bool() {
        spoil(random, &mut text);
    }
    let sizes: Vec<usize> = (0..4).map(|_| random.usize(1..40)).collect();
    for only in [false, true] {
        let fields = || if only { FileFields::Only("photo") } else { fields() };
        let whole = extracted(fields(), &text, &[usize::MAX]);
        assert_eq!(extracted(fields(), &text, &sizes), whole, "{sizes:?} {}", String::from_utf8_lossy(&text));
    }
}

fn markup(random: &mut Rng) {
    const TOKENS: [&str; 46] = [
        "<b>",
        "</b>",
        "<i>",
        "</i>",
        "<u>",
        "</u>",
        "<a href=\"https://e.org\">",
        "<a href='",
        "</a>",
        "<code>",
        "</code>",
        "<pre>",
        "<pre><code class=\"language-x\">",
        "</pre>",
        "<tg-spoiler>",
        "</tg-spoiler>",
        "<tg-emoji emoji-id=\"5\">",
        "</tg-emoji>",
        "<blockquote expandable>",
        "</blockquote>",
        "<",
        ">",
        "&lt;",
        "&#128;",
        "&#x1F408;",
        "&",
        ";",
        "*",
        "_",
        "__",
        "~",
        "||",
        "`",
        "```",
        "```x\n",
        "[",
        "](https://e.org)",
        "](tg://user?id=7)",
        "![",
        ">",
        "\\",
        "\n",
        " ",
        "w",
        "\u{1f408}",
        "\u{301}",
    ];
    let text: String = (0..random.usize(..40)).map(|_| TOKENS[random.usize(..TOKENS.len())]).collect();
    for mode in ["HTML", "Markdown", "MarkdownV2"] {
        let Some(Ok(read)) = Formatted::parse(&text, mode) else { continue };
        check_entities(&read, &text);
        if let Ok(clean) = read.clean() {
            check_entities(&clean, &text);
        }
    }
}

fn check_entities(read: &Formatted, source: &str) {
    let units = utf16(&read.text);
    for entity in &read.entities {
        let number = |name: &str| usize::try_from(entity[name].as_u64().unwrap()).unwrap();
        assert!(
            number("length") > 0 && number("offset") + number("length") <= units,
            "{entity} of {units} in {source:?}"
        );
    }
}

fn form(random: &mut Rng) {
    let meant: Vec<u8> = (0..random.usize(..60)).map(|_| random.u8(..)).collect();
    let written = percent_encode(&meant, NON_ALPHANUMERIC).to_string();
    assert_eq!(percent::decode(written.as_bytes()), meant);
    assert_eq!(percent::decode_form(written.replace("%20", "+").as_bytes()), meant);
    let mut spoilt = written.into_bytes();
    spoil(random, &mut spoilt);
    assert!(percent::decode(&spoilt).len() <= spoilt.len());
}
