//! Fuzzes the reader of forms: `cargo test --test fuzz_multipart -- SEED SECONDS`, on stable and without a library.
//!
//! Each round makes a form as clients may write it, from a seed of its own, and wants it read as it was meant, either way
//! to read it and in any pieces. Then it spoils the bytes: what is read of them must not depend on the pieces, and must be
//! what a reader of a few lines finds that has the whole body at once. A round that fails names its seed.
#![allow(clippy::unwrap_used, reason = "a panic is how it fails")]

use bytes::Bytes;
use fastrand::Rng;
use futures_util::{FutureExt, stream};
use pixcourier::multipart::{Boundary, EncodedForm, FormBody, Parts, PartsError, Reading};
use std::convert::Infallible;
use std::time::{Duration, Instant};

/// A part as it was read, or was meant: name, filename, value.
type Part = (Vec<u8>, Option<Vec<u8>>, Vec<u8>);

/// What is likely to be taken for something else.
const WORDS: [&[u8]; 28] = [
    b"\r",
    b"\n",
    b"\r\n",
    b"\r\n\r\n",
    b"-",
    b"--",
    b"\r\n--",
    b"\"",
    b"\\",
    b";",
    b"=",
    b":",
    b"%",
    b"%41",
    b"%2",
    b"'",
    b"\0",
    b" ",
    b"\t",
    b"\xff\xfe",
    b"\xd0\xb4",
    b"name",
    b"filename=",
    b"filename*=utf-8''",
    b"form-data;",
    b"Content-Disposition: ",
    b"Content-Length: 3",
    b"x",
];
/// How long one round may take on a busy machine.
const ROUND_LIMIT: Duration = Duration::from_secs(5);

fn main() {
    let mut arguments = std::env::args().skip(1).filter_map(|argument| argument.parse::<u64>().ok());
    let first = arguments.next().unwrap_or(1);
    let seconds = arguments.next().unwrap_or(5);
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut seed = first;
    while Instant::now() < end {
        let began = Instant::now();
        if std::panic::catch_unwind(|| round(seed)).is_err() {
            eprintln!("seed {seed} fails: cargo test --test fuzz_multipart -- {seed} 0");
            std::process::exit(1);
        }
        assert!(began.elapsed() < ROUND_LIMIT, "seed {seed} takes {:?}", began.elapsed());
        seed += 1;
    }
    if seconds == 0 {
        round(first);
        seed += 1;
    }
    println!("{} forms from seed {first} in {seconds} s, none misread", seed - first);
}

fn round(seed: u64) {
    let mut random = Rng::with_seed(seed);
    let boundary = boundary(&mut random);
    let (body, meant) = form(&mut random, &boundary);
    for reading in [Reading::AsTelegram, Reading::Lenient] {
        let sizes = sizes(&mut random);
        assert_eq!(read(&body, &boundary, reading, &sizes), (meant.clone(), true), "{reading:?} {sizes:?}");
    }
    written_is_read_back(&mut random);
    let spoilt = spoil(&mut random, body, &boundary);
    for reading in [Reading::AsTelegram, Reading::Lenient] {
        let whole = read(&spoilt, &boundary, reading, &[usize::MAX]);
        let sizes = sizes(&mut random);
        assert_eq!(read(&spoilt, &boundary, reading, &sizes), whole, "{reading:?} {sizes:?}");
        let bytes: usize = whole.0.iter().map(|(_, _, value)| value.len()).sum();
        assert!(bytes <= spoilt.len());
    }
    let values: Vec<_> = read(&spoilt, &boundary, Reading::AsTelegram, &[usize::MAX]).0;
    let values: Vec<_> = values.into_iter().map(|(_, _, value)| value).collect();
    assert!(simply_read(&spoilt, &boundary).starts_with(&values), "{:?}", String::from_utf8_lossy(&spoilt));
}

/// Any of what RFC 2046 allows, and some more; neither quotes nor spaces at its ends.
fn boundary(random: &mut Rng) -> String {
    let characters = b"abcXYZ019'()+_,-./:=?";
    let length = random.usize(1..=70);
    let text: Vec<u8> = (0..length).map(|_| characters[random.usize(..characters.len())]).collect();
    String::from_utf8(text).unwrap()
}

fn noise(random: &mut Rng, words: usize) -> Vec<u8> {
    (0..random.usize(..words)).flat_map(|_| WORDS[random.usize(..WORDS.len())]).copied().collect()
}

/// A form as a client may write it, and what it means. No value holds its boundary.
fn form(random: &mut Rng, boundary: &str) -> (Vec<u8>, Vec<Part>) {
    let clean = |random: &mut Rng, words| {
        let text = noise(random, words);
        let found = text.windows(2 + boundary.len()).any(|part| part == format!("--{boundary}").as_bytes());
        // What might complete a boundary with what follows ends in something harmless.
        if found { Vec::new() } else { [text, b"x".to_vec()].concat() }
    };
    let (mut body, mut parts) = (clean(random, 3), Vec::new());
    body.truncate(if random.bool() { 0 } else { body.len() });
    for _ in 0..random.usize(1..5) {
        let name =
            format!("{} {}", random.alphabetic(), ["photo", "my plot #1", "\u{434}", "a;b=c"][random.usize(..4)]);
        let filename = random.bool().then(|| ["", "a.png", "100%.png", "\u{434} 1.pdf"][random.usize(..4)].to_owned());
        let value = clean(random, 40);
        let padding = ["", " ", "\t ", "     "][random.usize(..4)];
        let fold = ["", "\r\n\t", " \r\n  "][random.usize(..3)];
        let disposition = ["Content-Disposition", "content-disposition", "CONTENT-DISPOSITION"][random.usize(..3)];
        let filename_text = filename.as_ref().map(|name| format!(";{fold} filename=\"{name}\"")).unwrap_or_default();
        let others = ["", "\r\nContent-Length: 1", "\r\ncontent-type:multipart/form-data", "\r\nX:"][random.usize(..4)];
        let head = format!(
            "--{boundary}{padding}\r\n{disposition}:form-data;{fold} name=\"{name}\"{filename_text}{others}\r\n\r\n"
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(&value);
        body.extend_from_slice(b"\r\n");
        parts.push((name.into_bytes(), filename.map(String::into_bytes), value));
    }
    body.extend_from_slice(format!("--{boundary}--").as_bytes());
    body.extend_from_slice(&noise(random, 6));
    (body, parts)
}

fn spoil(random: &mut Rng, mut body: Vec<u8>, boundary: &str) -> Vec<u8> {
    for _ in 0..random.usize(1..6) {
        let at = random.usize(..=body.len());
        let end = (at + random.usize(..20)).min(body.len());
        match random.u8(..6) {
            0 => body.truncate(at),
            1 => _ = body.drain(at..end),
            2 => body[at..end].fill_with(|| random.u8(..)),
            3 => _ = body.splice(at..at, noise(random, 4)),
            4 => _ = body.splice(at..at, format!("\r\n--{boundary}").into_bytes()),
            _ => {
                let copied = body[at..end].to_vec();
                let to = random.usize(..=body.len());
                body.splice(to..to, copied);
            }
        }
    }
    body
}

fn sizes(random: &mut Rng) -> Vec<usize> {
    let most = [2, 5, 80, 5000][random.usize(..4)];
    (0..9).map(|_| random.usize(1..=most)).collect()
}

/// The complete parts that are read of a body in pieces of these sizes, and whether it is a form to its end.
fn read(body: &[u8], boundary: &str, reading: Reading, sizes: &[usize]) -> (Vec<Part>, bool) {
    let header = format!("multipart/form-data; boundary={boundary}");
    let boundary = Boundary::of_content_type(header.as_bytes(), reading).unwrap();
    let (mut pieces, mut rest, mut sizes) = (Vec::new(), body, sizes.iter().cycle());
    while !rest.is_empty() {
        let (piece, after) = rest.split_at((*sizes.next().unwrap()).min(rest.len()));
        pieces.push(Ok::<_, Infallible>(Bytes::copy_from_slice(piece)));
        rest = after;
    }
    let mut parts = Parts::new(stream::iter(pieces), &boundary, reading);
    let reading = async {
        let mut complete = Vec::new();
        loop {
            match read_part(&mut parts).await {
                Ok(Some(part)) => complete.push(part),
                Ok(None) => return (complete, true),
                Err(PartsError::Malformed(_)) => return (complete, false),
                Err(PartsError::Body(never)) => match never {},
            }
        }
    };
    reading.now_or_never().unwrap()
}

async fn read_part<S>(parts: &mut Parts<S>) -> Result<Option<Part>, PartsError<Infallible>>
where
    S: futures_util::Stream<Item = Result<Bytes, Infallible>> + Unpin,
{
    let Some(head) = parts.next_part().await? else { return Ok(None) };
    let mut value = Vec::new();
    while let Some(piece) = parts.next_piece().await? {
        value.extend_from_slice(&piece);
    }
    Ok(Some((head.name, head.filename, value)))
}

/// The values between the boundaries as Telegram's server finds them, whatever the headers say.
fn simply_read(body: &[u8], boundary: &str) -> Vec<Vec<u8>> {
    let find = |text: &[u8], word: &[u8]| text.windows(word.len()).position(|part| part == word);
    let (first, between) = (format!("--{boundary}"), format!("\r\n--{boundary}"));
    let mut values = Vec::new();
    let Some(at) = find(body, first.as_bytes()) else { return values };
    let mut rest = &body[at + first.len()..];
    while let Some(head) = find(rest, b"\r\n\r\n") {
        let value = &rest[head + 4..];
        let Some(length) = find(value, between.as_bytes()) else { break };
        rest = &value[length + between.len()..];
        if rest.len() < 2 {
            break;
        }
        values.push(value[..length].to_vec());
        if rest.starts_with(b"--") {
            break;
        }
    }
    values
}

fn written_is_read_back(random: &mut Rng) {
    let mut form = FormBody::new();
    let mut meant = Vec::new();
    for _ in 0..random.usize(1..4) {
        let text = |random: &mut Rng| String::from_utf8_lossy(&noise(random, 8)).into_owned();
        let (name, filename, value) = (format!("n{}", text(random)), text(random), noise(random, 30));
        if random.bool() {
            let content = stream::iter([Ok(Bytes::from(value.clone()))]);
            form.add_file(&name, &filename, value.len() as u64, content);
            meant.push((name.into_bytes(), Some(filename.into_bytes()), value));
        } else {
            let value = String::from_utf8_lossy(&value).into_owned();
            form.add_text(&name, &value);
            meant.push((name.into_bytes(), None, value.into_bytes()));
        }
    }
    let EncodedForm { content_type, length, body } = form.finish();
    let pieces: Vec<_> = futures_util::StreamExt::collect::<Vec<_>>(body).now_or_never().unwrap();
    let whole: Vec<u8> = pieces.into_iter().flat_map(|piece| piece.unwrap().to_vec()).collect();
    assert_eq!(whole.len() as u64, length);
    let boundary = content_type.split("boundary=").nth(1).unwrap();
    for reading in [Reading::AsTelegram, Reading::Lenient] {
        assert_eq!(read(&whole, boundary, reading, &sizes(random)), (meant.clone(), true));
    }
}
