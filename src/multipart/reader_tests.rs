use super::*;

/// What is read of a body in pieces of these sizes, over and over: of each part its name and value, then what was wrong.
fn read_in(
    body: &[u8],
    boundary: &str,
    reading: Reading,
    sizes: &[usize],
) -> (Vec<(String, String)>, Option<MultipartError>) {
    let header = format!("multipart/form-data; boundary={boundary}");
    let boundary = Boundary::of_content_type(header.as_bytes(), reading).unwrap();
    let (mut reader, mut found) = (FormReader::new(&boundary, reading), VecDeque::new());
    let (mut rest, mut sizes, mut fault) = (body, sizes.iter().cycle(), None);
    while !rest.is_empty() && fault.is_none() {
        let (piece, after) = rest.split_at((*sizes.next().unwrap()).min(rest.len()));
        fault = reader.push(piece, &mut found).err();
        rest = after;
    }
    let fault = fault.or_else(|| reader.finish().err());
    let (mut parts, mut open) = (Vec::new(), None);
    for event in found {
        match event {
            PartEvent::Begin(head) => open = Some((String::from_utf8(head.name).unwrap(), Vec::new())),
            PartEvent::Bytes(bytes) => {
                assert!(!bytes.is_empty());
                open.as_mut().unwrap().1.extend_from_slice(&bytes);
            }
            PartEvent::End => {
                let (name, value) = open.take().unwrap();
                parts.push((name, String::from_utf8_lossy(&value).into_owned()));
            }
        }
    }
    (parts, fault)
}

fn read(body: &str, reading: Reading) -> (Vec<(String, String)>, Option<MultipartError>) {
    let whole = read_in(body.as_bytes(), "b", reading, &[usize::MAX]);
    for sizes in [&[1][..], &[2], &[3], &[7], &[1, 5, 2]] {
        assert_eq!(read_in(body.as_bytes(), "b", reading, sizes), whole, "in pieces of {sizes:?}");
    }
    whole
}

fn part(name: &str, value: &str) -> String {
    format!("--b\r\nContent-Disposition: form-data; name={name}\r\n\r\n{value}\r\n")
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

#[test]
fn a_form_is_read_whatever_is_around_it() {
    let (one, two) = (part("a", "1\r\n--c--\r\n\r"), part("d", ""));
    for form in [
        format!("{one}{two}--b--\r\n"),
        format!("{one}{two}--b--"),
        format!("{one}{two}--b--\n"),
        format!("{one}{two}--b--\r"),
        format!("{one}{two}--b--   \r\n\r\n"),
        format!("{one}{two}--b-- and text\r\n--b\r\nX"),
        format!("\r\n{one}{two}--b--\r\n"),
        format!("preamble\r\n\r\n{one}{two}--b--\r\n"),
        format!("{one}{two}--b--\r\n").replace("--b\r\n", "--b \r\n"),
        format!("{one}{two}--b--\r\n").replace("--b\r\n", "--b \t  \r\n"),
    ] {
        for reading in [Reading::AsTelegram, Reading::Lenient] {
            let expected = (vec![pair("a", "1\r\n--c--\r\n\r"), pair("d", "")], None);
            assert_eq!(read(&form, reading), expected, "{form:?} {reading:?}");
        }
    }
}

#[test]
fn a_boundary_that_ends_in_dashes_or_is_70_bytes_long_is_found() {
    for boundary in ["----7e83e29bb8f61021----", "====1700000000000===", &"-".repeat(70), "-", "a:b/c?d e"] {
        let body =
            format!("--{boundary}\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n--\r\n-\r\n--{boundary}--\r\n");
        for reading in [Reading::AsTelegram, Reading::Lenient] {
            for size in [usize::MAX, 1, 3] {
                let (parts, fault) = read_in(body.as_bytes(), boundary, reading, &[size]);
                assert_eq!((parts, fault), (vec![pair("a", "\r\n--\r\n-")], None), "{boundary}");
            }
        }
    }
}

#[test]
fn what_is_no_form_has_its_reason() {
    use MultipartError::*;
    let one = part("a", "1");
    for (form, telegram, lenient) in [
        (String::new(), BoundaryNotFound, BoundaryNotFound),
        ("--c\r\n\r\n--c--\r\n".to_owned(), BoundaryNotFound, BoundaryNotFound),
        (one.clone(), Unfinished, Unfinished),
        (format!("{one}--b"), Unfinished, Unfinished),
        (format!("{one}--b-"), Unfinished, Unfinished),
        (format!("{one}--b\r\n\r\n"), NamelessPart, NamelessPart),
        (format!("{one}--b\r\nnonsense\r\n\r\n"), MalformedHeaders, MalformedHeaders),
        (format!("{one}--b--\r\n").replace('\r', ""), Unfinished, BareLineFeeds),
        (format!("{one}--b--\r\n").replace("a\r\n\r\n", "a\n\n"), Unfinished, BareLineFeeds),
        (format!("--b\r\nX: {}", "x".repeat(HEADERS_LIMIT_BYTES)), LongHeaders, LongHeaders),
        (part("a", "").repeat(8000), LongHeaders, LongHeaders),
    ] {
        // In small pieces it would be the same, but slow.
        let read = |reading| read_in(form.as_bytes(), "b", reading, &[4096]).1;
        assert_eq!(
            (read(Reading::AsTelegram), read(Reading::Lenient)),
            (Some(telegram), Some(lenient)),
            "{:.80}",
            form
        );
    }
}

#[test]
fn telegram_and_a_lenient_reading_differ_in_a_few_forms() {
    // No part at all.
    assert_eq!(read("--b--\r\n", Reading::Lenient), (vec![], None));
    assert_eq!(read("--b--\r\n", Reading::AsTelegram).1, Some(MultipartError::Unfinished));
    // The line break of the empty line is that of the boundary too.
    let short = format!("--b\r\nContent-Disposition: form-data; name=a\r\n\r\n{}--b--\r\n", part("c", "2"));
    assert_eq!(read(&short, Reading::Lenient), (vec![pair("a", ""), pair("c", "2")], None));
    let swallowed = short.replace("--b--\r\n", "").split_once("\r\n\r\n").unwrap().1.trim_end().to_owned();
    assert_eq!(read(&short, Reading::AsTelegram), (vec![pair("a", &swallowed)], None));
    // A line that only begins like the boundary.
    let longer = format!("{}--b--", part("a", "1\r\n--bold\r\n--b-\r\n--"));
    assert_eq!(read(&longer, Reading::Lenient), (vec![pair("a", "1\r\n--bold\r\n--b-\r\n--")], None));
    assert_eq!(read(&longer, Reading::AsTelegram).0, [pair("a", "1")]);
}

#[test]
fn nothing_but_the_beginning_of_a_boundary_is_held_back() {
    let boundary = Boundary::of_content_type(b"multipart/form-data; boundary=bound", Reading::Lenient).unwrap();
    let (mut reader, mut found) = (FormReader::new(&boundary, Reading::Lenient), VecDeque::new());
    reader.push(b"--bound\r\nContent-Disposition: form-data; name=a\r\n\r\n", &mut found).unwrap();
    for _ in 0..100 {
        reader.push(&[b'\r'; 5000], &mut found).unwrap();
        assert!(reader.buffer.len() < "\r\n--bound".len());
    }
    let (mut preamble, mut found) = (FormReader::new(&boundary, Reading::AsTelegram), VecDeque::new());
    preamble.push(&[b'-'; 5000], &mut found).unwrap();
    assert!(preamble.buffer.len() < "--bound".len() && found.is_empty());
}

/// Bytes that are likely to be taken for something else.
fn nasty(random: &mut fastrand::Rng, pieces: usize) -> Vec<u8> {
    let words: [&[u8]; 12] =
        [b"\r", b"\n", b"-", b"--b", b"\r\n--b", b"\r\n--", b"--", b"\r\n\r\n", b"x", b"\0\xff", b": ", b"b-"];
    (0..random.usize(..pieces)).flat_map(|_| words[random.usize(..words.len())]).copied().collect()
}

#[test]
fn any_pieces_give_the_same_parts() {
    for seed in 0..3000 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut body = Vec::new();
        for _ in 0..random.usize(..4) {
            body.extend_from_slice(&nasty(&mut random, 3));
            body.extend_from_slice(b"--b\r\nContent-Disposition: form-data; name=a\r\n\r\n");
            body.extend_from_slice(&nasty(&mut random, 12));
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"--b--");
        body.extend_from_slice(&nasty(&mut random, 4));
        for reading in [Reading::AsTelegram, Reading::Lenient] {
            let whole = read_in(&body, "b", reading, &[usize::MAX]);
            let sizes: Vec<usize> = (0..8).map(|_| random.usize(1..9)).collect();
            assert_eq!(read_in(&body, "b", reading, &sizes), whole, "seed {seed}, {sizes:?}, {reading:?}");
        }
    }
}
