//! What a media parameter can be: file_ids of every kind, URLs, uploads, and much that is none of these.

use super::case::{BOUNDARY, CHAT, Case, PICTURE, Part};
use serde_json::{Value, json};

const KINDS: [(&str, &str, &str); 6] = [
    ("photo", "sendPhoto", "@PHOTO@"),
    ("document", "sendDocument", "@DOCUMENT@"),
    ("video", "sendVideo", "@VIDEO@"),
    ("audio", "sendAudio", "@AUDIO@"),
    ("voice", "sendVoice", "@VOICE@"),
    ("animation", "sendAnimation", "@ANIMATION@"),
];

pub fn cases() -> Vec<Case> {
    [strings(), uploads(), parts(), albums()].concat()
}

fn strings() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, method, _) in KINDS {
        for (kind, _, file_id) in KINDS {
            let body = json!({"chat_id": CHAT, name: file_id});
            cases.push(Case::json(format!("a {kind} as {name}"), method, body));
        }
        cases.push(Case::json(format!("no {name}"), method, json!({"chat_id": CHAT})));
    }
    for text in [
        "",
        " ",
        ".",
        "attach://",
        "attach://missing",
        "attach://photo",
        "ATTACH://x",
        "http://localhost/pic",
        "localhost.pic",
        "ftp://example.org/a.jpg",
        "https://",
        "https://.",
        "https://example.org",
        "HTTPS://EXAMPLE.ORG/A.JPG",
        "https:/a.jpg",
        "//example.org/a.jpg",
        "https://user:pw@example.org/a.jpg",
        "https://example.org:99999/a.jpg",
        "https://bücher.example/ä.jpg",
        "https://example.org/a b.jpg",
        "https://example.org/page.html",
        "https://example.org/a.jpg?x=1#y",
        "file:///etc/passwd",
        "file:/etc/passwd",
        "data:image/png;base64,AAAA",
        "AgAC",
        "AgACAgIAAxkBAAIB",
        "not a file id",
        "@PHOTO@x",
        " @PHOTO@",
        "@PHOTO@ ",
        "@FOREIGN@",
        "@THUMBNAIL@",
        "sha256:0000",
        "null",
        "{\"file_id\":\"x\"}",
        "ü",
        "=====",
        "////",
        "AAAA====",
    ] {
        cases.push(Case::json(format!("the photo {text:?}"), "sendPhoto", json!({"chat_id": CHAT, "photo": text})));
        let form = [("chat_id", "42"), ("document", text)];
        cases.push(Case::form(format!("the document {text:?}"), "sendDocument", &form));
    }
    for value in [json!(1), json!(true), json!(["@PHOTO@"]), json!({"file_id": "@PHOTO@"}), json!([])] {
        cases.push(Case::json(
            format!("the photo {value} in JSON"),
            "sendPhoto",
            json!({"chat_id": CHAT, "photo": value}),
        ));
    }
    cases
}

/// Uploads that are good, or not what they are sent as.
fn uploads() -> Vec<Case> {
    let film: &[u8] = include_bytes!("../../clients/media/film.mp4");
    let song: &[u8] = include_bytes!("../../clients/media/music.mp3");
    let speech: &[u8] = include_bytes!("../../clients/media/speech.ogg");
    let gif: &[u8] = include_bytes!("../../clients/media/moving.gif");
    let paper: &[u8] = include_bytes!("../../clients/media/report.pdf");
    let photo: &[u8] = include_bytes!("../../clients/media/photo.jpg");
    let small: &[u8] = include_bytes!("../../clients/media/thumbnail.jpg");
    let files = [
        ("photo.png", PICTURE),
        ("photo.jpg", photo),
        ("moving.gif", gif),
        ("film.mp4", film),
        ("song.mp3", song),
        ("speech.ogg", speech),
        ("report.pdf", paper),
        ("empty.jpg", b""),
        ("text.jpg", b"this is no picture"),
        ("Bericht über Öl.pdf", paper),
    ];
    let mut cases = Vec::new();
    for (name, method, _) in KINDS {
        for (file_name, content) in files {
            let parts = [Part::chat(), Part::file(name, file_name, content), Part::text("caption", "c")];
            cases.push(Case::parts(format!("{file_name} as {name}"), method, &parts));
        }
    }
    for file_name in
        ["", "photo", "photo.JPG", "photo.webp", "photo.txt", "a.b.jpeg", "%66ile.jpg", "ä.jpg", "../../x.jpg", ".jpg"]
    {
        let parts = [Part::chat(), Part::file("photo", file_name, PICTURE)];
        cases.push(Case::parts(format!("a picture called {file_name:?}"), "sendPhoto", &parts));
        let parts = [Part::chat(), Part::file("document", file_name, paper)];
        cases.push(Case::parts(format!("a document called {file_name:?}"), "sendDocument", &parts));
    }
    for (what, thumbnail) in [
        ("an uploaded", Part::file("thumbnail", "t.jpg", small)),
        ("an old-fashioned", Part::file("thumb", "t.jpg", small)),
        ("a large", Part::file("thumbnail", "t.jpg", photo)),
        ("an empty", Part::file("thumbnail", "t.jpg", "")),
        ("a file_id as", Part::text("thumbnail", "@PHOTO@")),
        ("a URL as", Part::text("thumbnail", "https://example.org/a.jpg")),
        ("a missing", Part::text("thumbnail", "attach://missing")),
    ] {
        let parts = [Part::chat(), Part::file("document", "a.pdf", paper), thumbnail];
        cases.push(Case::parts(format!("{what} thumbnail"), "sendDocument", &parts));
    }
    let detection =
        [Part::chat(), Part::file("document", "a.gif", gif), Part::text("disable_content_type_detection", "true")];
    cases.push(Case::parts("a GIF that stays a document", "sendDocument", &detection));
    let film = [
        Part::chat(),
        Part::text("video", "attach://film"),
        Part::file("film", "f.mp4", film),
        Part::text("duration", "99999999"),
        Part::text("width", "20000"),
        Part::text("height", "x"),
    ];
    cases.push(Case::parts("a film with odd numbers", "sendVideo", &film));
    cases
}

/// Odd multipart.
fn parts() -> Vec<Case> {
    let photo =
        |parts: Vec<Part>, name: &str| Case::parts(name, "sendPhoto", &[vec![Part::chat()], parts].concat_parts());
    let raw = |name: &str, body: String| {
        Case::raw(name, "sendPhoto", &format!("multipart/form-data; boundary={BOUNDARY}"), body)
    };
    let head = "Content-Disposition: form-data; name=\"photo\"";
    vec![
        photo(vec![Part::picture("photo"), Part::text("photo", "@PHOTO@")], "a text beats a file"),
        photo(vec![Part::text("photo", "@PHOTO@"), Part::picture("photo")], "a text beats a later file"),
        photo(vec![Part::text("photo", "attach://photo"), Part::picture("photo")], "a file named by itself"),
        photo(vec![Part::text("photo", "attach://x"), Part::picture("x")], "an attached file"),
        photo(vec![Part::text("photo", "attach://x"), Part::picture("X")], "an attached file in capitals"),
        photo(vec![Part::text("photo", "attach://x"), Part::text("x", "@PHOTO@")], "a text that is attached"),
        photo(vec![Part::picture("photo"), Part::file("photo", "b.jpg", "no picture")], "two files of a name"),
        photo(vec![Part::text("photo", "@PHOTO@"), Part::text("photo", "nonsense")], "two texts of a name"),
        photo(vec![Part::text("photo", ""), Part::picture("photo")], "an empty text and a file"),
        photo(vec![Part::picture("photo"), Part::picture("other")], "a file that nobody asked for"),
        photo(vec![Part::text("photo", "@PHOTO@"), Part::picture("other")], "only a file that nobody asked for"),
        photo(vec![Part::new(head, "no filename")], "no filename"),
        photo(vec![Part::new(&format!("{head}; filename"), PICTURE)], "a filename without a value"),
        photo(vec![Part::new(&format!("{head}; filename=bare.png"), PICTURE)], "a filename without quotes"),
        photo(vec![Part::new(&format!("{head}; filename*=UTF-8''a.png"), "x")], "only an extended filename"),
        photo(
            vec![Part::new("Content-Disposition: form-data; name=\"%70hoto\"; filename=\"a.png\"", PICTURE)],
            "a percent-encoded name",
        ),
        photo(
            vec![Part::new(&format!("{head}; filename=\"a.png\"\r\nContent-Type: text/html"), PICTURE)],
            "a wrong type of a part",
        ),
        photo(vec![Part::new("Content-Disposition: form-data; filename=\"a.png\"", PICTURE)], "a part without a name"),
        photo(vec![Part::new("Content-Type: image/png", PICTURE)], "a part without a disposition"),
        photo(
            vec![Part::new("Content-Disposition: attachment; name=\"photo\"; filename=\"a.png\"", PICTURE)],
            "another disposition",
        ),
        photo(
            vec![Part::new(
                "Content-Disposition: form-data; name=\"x\"\r\nContent-Type: application/x-www-form-urlencoded",
                "photo=@PHOTO@&caption=from+a+form",
            )],
            "a form in a part",
        ),
        Case::parts("a chat as a file", "sendPhoto", &[Part::file("chat_id", "c", "42"), Part::picture("photo")]),
        Case::parts("two chats", "sendPhoto", &[Part::chat(), Part::text("chat_id", "43"), Part::picture("photo")]),
        Case::parts("the chat last", "sendPhoto", &[Part::picture("photo"), Part::chat()]),
        Case::parts("no parts", "sendPhoto", &[]),
        Case::parts("an upload to a method without one", "getMe", &[Part::picture("photo")]),
        Case::parts("an upload to an unknown method", "sendHologram", &[Part::picture("photo")]),
        raw("an empty multipart", String::new()),
        raw("multipart that does not end", format!("--{BOUNDARY}\r\n{head}\r\n\r\n@PHOTO@")),
        raw("multipart with another boundary", format!("--other\r\n{head}\r\n\r\n@PHOTO@\r\n--other--\r\n")),
        raw("a preamble", format!("hello\r\n--{BOUNDARY}\r\n{head}\r\n\r\n@PHOTO@\r\n--{BOUNDARY}--\r\n")),
        raw("bare line ends", format!("--{BOUNDARY}\n{head}\n\n@PHOTO@\n--{BOUNDARY}--\n")),
        photo((0..51).map(|n| Part::file(&format!("f{n}"), "a.png", "x")).collect(), "51 files"),
    ]
}

trait Joined {
    fn concat_parts(self) -> Vec<Part>;
}

impl Joined for [Vec<Part>; 2] {
    fn concat_parts(self) -> Vec<Part> {
        self.into_iter().flatten().collect()
    }
}

fn albums() -> Vec<Case> {
    let photo = json!({"type": "photo", "media": "@PHOTO@"});
    let of = |kind: &str, media: &str| json!({"type": kind, "media": media});
    let mut cases = Vec::new();
    for (name, media) in [
        ("none", json!([])),
        ("one", json!([photo])),
        ("ten", Value::from(vec![photo.clone(); 10])),
        ("eleven", Value::from(vec![photo.clone(); 11])),
        ("a document and a photo", json!([photo, of("document", "@DOCUMENT@")])),
        ("an audio and a photo", json!([of("audio", "@AUDIO@"), photo])),
        ("a document and an audio", json!([of("document", "@DOCUMENT@"), of("audio", "@AUDIO@")])),
        ("a photo and a video", json!([photo, of("video", "@VIDEO@")])),
        ("an animation", json!([photo, of("animation", "@ANIMATION@")])),
        ("a voice", json!([photo, of("voice", "@VOICE@")])),
        ("an unknown type", json!([photo, of("hologram", "@PHOTO@")])),
        ("a type in capitals", json!([photo, of("PHOTO", "@PHOTO@")])),
        ("no type", json!([photo, {"media": "@PHOTO@"}])),
        ("no media", json!([photo, {"type": "photo"}])),
        ("media null", json!([photo, {"type": "photo", "media": null}])),
        ("media a number", json!([photo, {"type": "photo", "media": 7}])),
        ("an item null", json!([photo, null])),
        ("an item a text", json!([photo, "@PHOTO@"])),
        ("an object", json!({"type": "photo", "media": "@PHOTO@"})),
        ("a text", json!("photo")),
        ("broken", json!("[{\"type\":\"photo\"")),
        ("as a text", json!("[{\"type\":\"photo\",\"media\":\"@PHOTO@\"},{\"type\":\"photo\",\"media\":\"@PHOTO@\"}]")),
        ("a missing part", json!([photo, of("photo", "attach://missing")])),
        ("a URL", json!([photo, of("photo", "https://example.org/a.jpg")])),
        ("a wrong URL", json!([photo, of("photo", "ftp://example.org/a.jpg")])),
        ("a page", json!([photo, of("video", "https://example.org/page.html")])),
        ("a foreign file_id", json!([photo, of("photo", "@FOREIGN@")])),
        ("a broken file_id", json!([photo, of("photo", "broken")])),
        ("a document as a photo", json!([photo, of("photo", "@DOCUMENT@")])),
        ("a photo as a document", json!([of("document", "@PHOTO@"), of("document", "@DOCUMENT@")])),
        (
            "captions",
            json!([{"type": "photo", "media": "@PHOTO@", "caption": "<b>a</b>", "parse_mode": "HTML"}, photo]),
        ),
        (
            "a broken caption",
            json!([{"type": "photo", "media": "@PHOTO@", "caption": "<b>a", "parse_mode": "HTML"}, photo]),
        ),
        ("a long caption", json!([photo, {"type": "photo", "media": "@PHOTO@", "caption": "x".repeat(1025)}])),
        (
            "captions above some",
            json!([{"type": "photo", "media": "@PHOTO@", "show_caption_above_media": true}, photo]),
        ),
        ("a spoiler", json!([{"type": "photo", "media": "@PHOTO@", "has_spoiler": true}, photo])),
        ("an unknown field", json!([{"type": "photo", "media": "@PHOTO@", "tomorrow": [1]}, photo])),
    ] {
        let body = json!({"chat_id": CHAT, "media": media});
        cases.push(Case::json(format!("an album: {name}"), "sendMediaGroup", body));
    }
    cases.push(Case::json("an album without media", "sendMediaGroup", json!({"chat_id": CHAT})));
    cases.push(Case::json("an album without a chat", "sendMediaGroup", json!({"media": [photo, photo]})));
    let attached = [
        Part::chat(),
        Part::text(
            "media",
            r#"[{"type":"photo","media":"attach://a"},{"type":"photo","media":"@PHOTO@"},{"type":"photo","media":"https://example.org/x.jpg"}]"#,
        ),
        Part::picture("a"),
    ];
    cases.push(Case::parts("an album of all ways", "sendMediaGroup", &attached));
    let same = [
        Part::chat(),
        Part::text("media", r#"[{"type":"photo","media":"attach://a"},{"type":"photo","media":"attach://a"}]"#),
        Part::picture("a"),
    ];
    cases.push(Case::parts("an album with one file twice", "sendMediaGroup", &same));
    let spoilt = [
        Part::chat(),
        Part::text("media", r#"[{"type":"photo","media":"attach://a"},{"type":"photo","media":"attach://b"}]"#),
        Part::picture("a"),
        Part::file("b", "b.jpg", "no picture"),
    ];
    cases.push(Case::parts("an album with a spoilt picture", "sendMediaGroup", &spoilt));
    cases
}
