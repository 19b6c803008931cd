use super::*;

type Found = Vec<(String, Vec<u8>)>;

/// The native face's fields, as far as these tests use them.
const NATIVE: FileFields = FileFields::Objects {
    is_file: |name| ["photo", "video", "thumbnail"].contains(&name),
    check_name: |name| match ["photo", "caption", "reply_markup", "album"].contains(&name) {
        true => Ok(()),
        false => Err(Rejection::field(ProblemCode::UnknownField, name, "There is no such field.")),
    },
    limit: |name| if name == "album" { 2 * STRUCTURE_LIMIT_BYTES } else { STRUCTURE_LIMIT_BYTES },
};

fn split(body: &[u8], step: usize) -> Result<(String, Found), ProblemCode> {
    let (mut extractor, mut parts) = (JsonFileExtractor::new(NATIVE), Vec::new());
    for piece in body.chunks(step) {
        extractor.push(piece, &mut parts).map_err(|r| r.code)?;
    }
    let document = extractor.finish().map_err(|r| r.code)?;
    let mut found = Found::new();
    for part in parts {
        match part {
            ExtractedPart::Begin(place) => found.push((place, Vec::new())),
            ExtractedPart::Bytes(bytes) => found.last_mut().unwrap().1.extend(bytes),
            ExtractedPart::End => {}
        }
    }
    Ok((String::from_utf8(document).unwrap(), found))
}

fn photo(bytes: &[u8]) -> Found {
    vec![("photo".to_owned(), bytes.to_vec())]
}

/// Splits the body at every place and byte by byte, and wants one and the same result.
fn everywhere(body: &str) -> Result<(String, Found), ProblemCode> {
    let whole = split(body.as_bytes(), usize::MAX);
    for step in 1..=body.len() {
        assert_eq!(split(body.as_bytes(), step), whole, "in steps of {step}: {body}");
    }
    whole
}

#[test]
fn the_image_is_taken_out_wherever_the_body_is_cut() {
    for body in [
        r#"{"chat_id":1,"photo":{"base64":"aGVsbG8="},"caption":"a \"photo\""}"#,
        r#"{ "photo" : { "base64" : "aGVs\nbG8=" } }"#,
        r#"{"photo":{"base64":"aGVsbG8"}}"#,
        r#"{"\u0070hoto":{"b\u0061se64":"\u0061GVsbG8="}}"#,
        r#"{"reply_markup":{"photo":{"base64":"x"}},"tags":["photo",{"base64":"y"}],"photo":{"base64":"aGVsbG8="}}"#,
    ] {
        let (document, found) = everywhere(body).unwrap();
        assert_eq!(found, photo(b"hello"), "{body}");
        let parsed: serde_json::Value = serde_json::from_str(&document).unwrap();
        assert_eq!(parsed["photo"]["base64"], "");
    }
}

#[test]
fn a_field_of_another_contract_is_taken_out_where_it_stands_and_the_rest_left_alone() {
    let of_field = |body: &str, step: usize| {
        let (mut extractor, mut parts) = (JsonFileExtractor::new(FileFields::Only("image")), Vec::new());
        for piece in body.as_bytes().chunks(step) {
            extractor.push(piece, &mut parts).map_err(|r| r.code)?;
        }
        let document = String::from_utf8(extractor.finish().map_err(|r| r.code)?).unwrap();
        let bytes = parts.iter().filter_map(|part| match part {
            ExtractedPart::Bytes(bytes) => Some(bytes.as_slice()),
            _ => None,
        });
        Ok((document, bytes.collect::<Vec<_>>().concat()))
    };
    for step in 1..20 {
        let body = r#"{"x":{"image":"a b","photo":{"base64":"?","base64":1}},"number":"1","image":"aGVsbG8=","y":[]}"#;
        let rest = body.replace("aGVsbG8=", "");
        assert_eq!(of_field(body, step), Ok((rest, b"hello".to_vec())));
        assert_eq!(of_field(r#"{"image":"aGVsbG8"}"#, step), Err(ProblemCode::InvalidBase64));
        assert_eq!(of_field(r#"{"image":"","image":""}"#, step), Err(ProblemCode::DuplicateField));
        assert_eq!(of_field(r#"["image","aGVsbG8="]"#, step).unwrap().1, b"");
    }
}

#[test]
fn escaped_slashes_and_pluses_are_base64_too() {
    let (_, found) = everywhere(r#"{"photo":{"base64":"\/\/\u002b\u002F"}}"#).unwrap();
    assert_eq!(found, photo(&[0xff, 0xff, 0xbf]));
}

#[test]
fn files_are_found_in_every_field_and_in_the_items_of_an_album() {
    let body = r#"{"video":{"filename":"a.mp4","base64":"YQ=="},"thumbnail":{"base64":"Yg=="},"album":[
        {"type":"photo","media":{"base64":"Yw=="}},
        {"type":"video","media":"AgAC","thumbnail":{"base64":"ZA=="}},
        {"media":{"base64":"ZQ==","filename":"e"}}]}"#;
    let (document, found) = everywhere(body).unwrap();
    let named = [
        ("video", "a"),
        ("thumbnail", "b"),
        ("album[0].media", "c"),
        ("album[1].thumbnail", "d"),
        ("album[2].media", "e"),
    ];
    assert_eq!(found, named.map(|(place, bytes)| (place.to_owned(), bytes.as_bytes().to_vec())));
    assert!(serde_json::from_str::<serde_json::Value>(&document).is_ok());
}

#[test]
fn everything_else_passes_through_untouched() {
    for body in [
        r#"{"photo":"base64"}"#,
        r#"{"photo":["base64","aGVsbG8="]}"#,
        r#"{"caption":{"base64":"aGVsbG8="},"photo":{"sha256":"base64"}}"#,
        r#"[{"photo":{"base64":"aGVsbG8="}}]"#,
        r#"{"photo":{"x":{"base64":"aGVsbG8="}}}"#,
        r#"{"a":{"photo":1},"base64":"aGVsbG8="}"#,
        r#"{"photo":{"base64":17}}"#,
        r#"}}]]{"":"\\","\"":""}"#,
        "",
        "no json at all \u{1F408}",
    ] {
        assert_eq!(everywhere(body), Ok((body.to_owned(), Found::new())), "{body}");
    }
}

#[test]
fn what_is_broken_in_the_image_is_rejected_with_the_right_code() {
    for (body, code) in [
        (r#"{"photo":{"base64":"aGV*"}}"#, ProblemCode::InvalidBase64),
        (r#"{"photo":{"base64":"data:image/png;base64,aGVs"}}"#, ProblemCode::InvalidBase64),
        (r#"{"photo":{"base64":"aGVsb"}}"#, ProblemCode::InvalidBase64),
        (r#"{"photo":{"base64":"\u1234"}}"#, ProblemCode::InvalidBase64),
        (r#"{"photo":{"base64":"\"#, ProblemCode::MalformedJson),
        (r#"{"photo":{"base64":"aG\x41"}}"#, ProblemCode::MalformedJson),
        (r#"{"photo":{"base64":"\u00g0"}}"#, ProblemCode::MalformedJson),
        ("{\"photo\":{\"base64\":\"aGVs\nbG8=\"}}", ProblemCode::MalformedJson),
        (r#"{"photo":{"base64":"aGVsbG8="#, ProblemCode::MalformedJson),
        (r#"{"photo":{"base64":"aGVs","base64":"bG8="}}"#, ProblemCode::DuplicateField),
        (r#"{"photo":{"base64":"aGVs"},"photo":{"base64":"bG8="}}"#, ProblemCode::DuplicateField),
        (r#"{"album":[1,{"media":{"base64":"aGVs","base64":"bG8="}}]}"#, ProblemCode::DuplicateField),
        (r#"{"photo":{"sha256":"aGVs","sha256":"bG8="}}"#, ProblemCode::DuplicateField),
    ] {
        assert_eq!(everywhere(body), Err(code), "{body}");
    }
}

#[test]
fn a_field_that_is_too_large_or_nested_too_deep_is_rejected_by_name() {
    let rejected = |name: &str, value: String| {
        let body = format!("{{\"chat_id\":1,\"{name}\":{value}}}");
        JsonFileExtractor::new(NATIVE).push(body.as_bytes(), &mut Vec::new()).err().map(|r| (r.code, r.field.unwrap()))
    };
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert_eq!(rejected("reply_markup", nested(MAX_NESTING_LEVELS)), None);
    let by_name = Some((ProblemCode::InvalidField, "reply_markup".to_owned()));
    assert_eq!(rejected("reply_markup", nested(MAX_NESTING_LEVELS + 1)), by_name);
    assert_eq!(rejected("no_field", nested(100)), Some((ProblemCode::UnknownField, "no_field".to_owned())));
    let empties = |count: usize| format!("[{}]", ["[]"; 1].repeat(count).join(","));
    assert_eq!(rejected("reply_markup", empties(STRUCTURE_LIMIT_BYTES / 3)), None);
    assert_eq!(rejected("reply_markup", empties(STRUCTURE_LIMIT_BYTES / 3 + 1)), by_name);
    assert_eq!(rejected("caption", format!("\"{}\"", "x".repeat(STRUCTURE_LIMIT_BYTES + 1))), None, "not a structure");
}

#[test]
fn the_document_is_bounded_and_the_image_is_not() {
    let caption = format!(r#"{{"caption":"{}"}}"#, "x".repeat(DOCUMENT_LIMIT_BYTES));
    assert_eq!(split(caption.as_bytes(), 4096), Err(ProblemCode::BodyTooLarge));
    let image = format!(r#"{{"photo":{{"base64":"{}"}}}}"#, "AAAA".repeat(DOCUMENT_LIMIT_BYTES));
    let (document, found) = split(image.as_bytes(), 4096).unwrap();
    assert_eq!((document.as_str(), found[0].1.len()), (r#"{"photo":{"base64":""}}"#, 3 * DOCUMENT_LIMIT_BYTES));
}
