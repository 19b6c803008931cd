//! Films, music and all that is no photo, and messages that are sent on.

use super::{ANNE, TestSandbox, description, free, last_file_id, picture};
use pixcourier::sandbox::{FileKind, MediaOrigin, MessageFilter};
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

const FILM: &[u8] = b"\0\0\0\x18ftypisom\0\0\0\0 and so on";
const SONG: &[u8] = b"ID3\x04\0\0 and so on";
const SPEECH: &[u8] = b"OggS\0\x02 OpusHead and so on";

fn form(name: &str, file_name: &str, bytes: &[u8]) -> Form {
    Form::new().text("chat_id", "5").part(name.to_owned(), part(file_name, bytes))
}

fn part(file_name: &str, bytes: &[u8]) -> Part {
    Part::bytes(bytes.to_vec()).file_name(file_name.to_owned())
}

fn jpeg(width: u16, height: u16) -> Vec<u8> {
    let mut bytes = Vec::new();
    let grey = vec![128; usize::from(width) * usize::from(height)];
    let encoder = image::codecs::jpeg::JpegEncoder::new(&mut bytes);
    image::ImageEncoder::write_image(encoder, &grey, width.into(), height.into(), image::ExtendedColorType::L8)
        .unwrap();
    bytes
}

/// A GIF of 320 x 240 with one frame of one pixel.
fn gif() -> Vec<u8> {
    let screen = b"GIF89a\x40\x01\xF0\0\x80\0\0\0\0\0\xFF\xFF\xFF";
    let frame = b"\x2C\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0\x3B";
    [&screen[..], frame].concat()
}

impl TestSandbox {
    async fn sent(&self, method: &str, form: Form) -> Value {
        let (status, body) = self.upload(ANNE, method, form).await;
        assert_eq!(status, 200, "{method}: {body}");
        body["result"].clone()
    }

    async fn refused(&self, method: &str, arguments: Value) -> String {
        let (_, body) = self.call(ANNE, method, arguments).await;
        description(&body).strip_prefix("Bad Request: ").unwrap().to_owned()
    }
}

#[tokio::test]
async fn each_kind_comes_back_in_its_own_field_and_again_by_its_file_id() {
    let api = free();
    for (method, field, file_name, bytes, folder) in [
        ("sendVideo", "video", "film.mp4", FILM, "videos/"),
        ("sendAnimation", "animation", "loop.gif", &gif(), "animations/"),
        ("sendAudio", "audio", "song.mp3", SONG, "music/"),
        ("sendVoice", "voice", "speech.ogg", SPEECH, "voice/"),
        ("sendVideoNote", "video_note", "round.mp4", FILM, "video_notes/"),
        ("sendSticker", "sticker", "s.webp", b"RIFF\0\0\0\0WEBPVP8 ", "stickers/"),
        ("sendDocument", "document", "a.txt", b"text", "documents/"),
    ] {
        let form = form(field, file_name, bytes).text("duration", "61").text("caption", "Look");
        let sent = api.sent(method, form).await;
        let file = &sent[field];
        assert_eq!(file["file_size"], bytes.len(), "{sent}");
        let captioned = !["video_note", "sticker"].contains(&field);
        assert_eq!(sent["caption"].is_string(), captioned);
        assert_eq!(file["duration"].is_u64(), !["document", "sticker"].contains(&field), "{sent}");
        let id = &file["file_id"];
        let (_, again) = api.call(ANNE, method, json!({"chat_id": 6, field: id})).await;
        assert_eq!(&again["result"][field], file, "all that was said goes with the file");
        let got = api.sent("getFile", Form::new().text("file_id", id.as_str().unwrap().to_owned())).await;
        assert!(got["file_path"].as_str().unwrap().starts_with(folder), "{got}");
        let as_photo = api.refused("sendPhoto", json!({"chat_id": 5, "photo": id})).await;
        assert!(as_photo.starts_with("can't use file of type ") && as_photo.ends_with(" as Photo"), "{as_photo}");
        let missing = api.refused(method, json!({"chat_id": 5})).await;
        assert_eq!(missing, format!("there is no {} in the request", field.replace('_', " ")));
    }
    assert_eq!(api.sandbox.stats().by_file_id, 7);
}

#[tokio::test]
async fn what_a_sender_says_about_a_film_and_a_song_is_in_the_message() {
    let api = free();
    let film = form("video", "film.mp4", FILM)
        .text("width", "640")
        .text("height", "360")
        .text("duration", "12")
        .text("has_spoiler", "true")
        .part("thumbnail", part("t.jpg", &jpeg(320, 180)));
    let sent = api.sent("sendVideo", film).await;
    let video = &sent["video"];
    assert_eq!((&video["width"], &video["height"], &video["duration"]), (&json!(640), &json!(360), &json!(12)));
    assert_eq!((&video["mime_type"], &video["file_name"]), (&json!("video/mp4"), &json!("film.mp4")));
    assert_eq!((&video["thumbnail"]["width"], &sent["has_media_spoiler"]), (&json!(320), &json!(true)));
    let thumbnail = &video["thumbnail"]["file_id"];
    let refused = api.refused("sendPhoto", json!({"chat_id": 5, "photo": thumbnail})).await;
    assert_eq!(refused, "can't use file of type Thumbnail as Photo");
    let (_, got) = api.call(ANNE, "getFile", json!({"file_id": thumbnail})).await;
    assert_eq!(got["result"]["file_size"], jpeg(320, 180).len());

    let song = form("audio", "song.mp3", SONG).text("performer", "Somebody").text("title", "Something");
    let sent = api.sent("sendAudio", song).await;
    assert_eq!((&sent["audio"]["performer"], &sent["audio"]["title"]), (&json!("Somebody"), &json!("Something")));
}

#[tokio::test]
async fn thumbnails_are_small_jpegs_that_are_uploaded_and_others_are_passed_over() {
    let api = free();
    let send = |thumbnail: Vec<u8>| form("document", "a.txt", b"text").part("thumbnail", part("t.jpg", &thumbnail));
    let (status, error) = api.upload(ANNE, "sendDocument", send(vec![0xFF; 204_800])).await;
    let says = "Bad Request: file of size 204800 bytes is too big for a thumbnail; the maximum size is 204799 bytes";
    assert_eq!((status.as_u16(), description(&error)), (400, says));
    for passed_over in [picture(1), jpeg(321, 10)] {
        assert!(api.sent("sendDocument", send(passed_over)).await["document"]["thumbnail"].is_null());
    }
    assert!(api.sent("sendDocument", send(jpeg(300, 300))).await["document"]["thumbnail"].is_object());
    let by_id = form("document", "b.txt", b"other").text("thumbnail", "AgACAgQAAx");
    assert!(api.sent("sendDocument", by_id).await["document"]["thumbnail"].is_null());
}

#[tokio::test]
async fn what_a_file_is_not_it_is_not_sent_as() {
    let api = free();
    let sent = api.sent("sendVideo", form("video", "loop.gif", &gif())).await;
    assert!(sent["animation"].is_object() && sent["video"].is_null());
    let sent = api.sent("sendDocument", form("document", "loop.gif", &gif())).await;
    assert_eq!((&sent["animation"]["width"], sent["document"].is_object()), (&json!(320), true));
    let plain = form("document", "loop.gif", &gif()).text("disable_content_type_detection", "true");
    assert!(api.sent("sendDocument", plain).await["animation"].is_null());
    let sent = api.sent("sendVoice", form("voice", "x.pdf", b"%PDF-1.4 and so on")).await;
    assert_eq!(sent["document"]["mime_type"], "application/pdf");
    for (method, field, url, says) in [
        ("sendVideo", "video", "https://e.org/a.html", "wrong type of the web page content"),
        ("sendVideoNote", "video_note", "https://e.org/a.mp4", "wrong type of the web page content"),
        ("sendDocument", "document", "https://e.org/a.txt", "wrong type of the web page content"),
    ] {
        assert_eq!(api.refused(method, json!({"chat_id": 5, field: url})).await, says);
    }
    let (_, by_url) = api.call(ANNE, "sendVideo", json!({"chat_id": 5, "video": "https://e.org/a.mp4"})).await;
    assert_eq!(by_url["result"]["video"]["file_name"], "a.mp4");
}

#[tokio::test]
async fn albums_mix_photos_and_films_and_keep_documents_and_music_to_themselves() {
    let api = free();
    let album = |kinds: &[&str]| {
        let items = kinds.iter().map(|kind| json!({"type": kind, "media": format!("attach://{kind}"), "duration": 7}));
        Form::new()
            .text("chat_id", "5")
            .text("media", Value::Array(items.collect()).to_string())
            .part("photo", part("a.png", &picture(1)))
            .part("video", part("a.mp4", FILM))
            .part("document", part("a.gif", &gif()))
            .part("audio", part("a.mp3", SONG))
    };
    let sent = api.sent("sendMediaGroup", album(&["photo", "video", "photo"])).await;
    assert_eq!(sent[1]["video"]["duration"], 7);
    let sent = api.sent("sendMediaGroup", album(&["document", "document"])).await;
    assert!(sent[0]["document"].is_object() && sent[0]["animation"].is_null(), "nothing is detected in albums");
    api.sent("sendMediaGroup", album(&["audio", "audio"])).await;
    for (kinds, says) in [
        (&["photo", "document"][..], "document can't be mixed with other media types"),
        (&["video", "audio"], "audio can't be mixed with other media types"),
        (&["photo", "voice"], "can't parse InputMedia: type \"voice\" is unsupported"),
    ] {
        let form = album(kinds).part("voice", part("a.ogg", SPEECH));
        let (_, error) = api.upload(ANNE, "sendMediaGroup", form).await;
        assert_eq!(description(&error), format!("Bad Request: {says}"));
    }
    let photo = api.send_photo(ANNE, 5, picture(1)).await;
    let item = |above: bool| json!({"type": "photo", "media": last_file_id(&photo), "show_caption_above_media": above});
    let uneven = api.refused("sendMediaGroup", json!({"chat_id": 5, "media": [item(true), item(false)]})).await;
    assert_eq!(uneven, "parameter show_caption_above_media must be the same for all messages");
}

#[tokio::test]
async fn a_message_can_become_another_kind_unless_its_album_forbids_it() {
    let api = free();
    let text = api.sent("sendMessage", Form::new().text("chat_id", "5").text("text", "soon a film")).await;
    let edit = |message: &Value, kind: &str, bytes: &[u8]| {
        Form::new()
            .text("chat_id", "5")
            .text("message_id", message["message_id"].to_string())
            .text("media", json!({"type": kind, "media": "attach://f", "caption": "new"}).to_string())
            .part("f", part("f.bin.png", bytes))
    };
    let film = api.sent("editMessageMedia", edit(&text, "video", FILM)).await;
    assert_eq!((film["video"].is_object(), &film["caption"]), (true, &json!("new")));
    let animation = api.sent("editMessageMedia", edit(&text, "animation", &gif())).await;
    assert!(animation["animation"].is_object());
    let items = json!([{"type": "photo", "media": "attach://a"}, {"type": "photo", "media": "attach://a"}]);
    let album = Form::new().text("chat_id", "5").text("media", items.to_string()).part("a", part("a.png", &picture(1)));
    let album = api.sent("sendMediaGroup", album).await;
    let (_, error) = api.upload(ANNE, "editMessageMedia", edit(&album[0], "document", b"text")).await;
    assert_eq!(description(&error), "Bad Request: can't change media type in the album");
    api.sent("editMessageMedia", edit(&album[0], "video", FILM)).await;

    let keys = json!({"inline_keyboard": [[{"text": "Open", "url": "https://example.com"}]]});
    let about = |markup: Value| json!({"chat_id": 5, "message_id": text["message_id"], "reply_markup": markup});
    let (_, keyed) = api.call(ANNE, "editMessageReplyMarkup", about(keys.clone())).await;
    assert_eq!((&keyed["result"]["reply_markup"], &keyed["result"]["caption"]), (&keys, &json!("new")));
    let same = api.refused("editMessageReplyMarkup", about(keys)).await;
    assert!(same.starts_with("message is not modified: "), "{same}");
    let nowhere = api.refused("editMessageReplyMarkup", json!({})).await;
    assert_eq!(nowhere, "message identifier is not specified");
    let inline = api.refused("editMessageCaption", json!({"inline_message_id": "AAAA", "caption": "x"})).await;
    assert_eq!(inline, "MESSAGE_ID_INVALID");
}

#[tokio::test]
async fn messages_are_copied_and_forwarded_without_an_upload() {
    let api = free();
    let photo = api.send_photo(ANNE, 5, picture(1)).await;
    let about = |more: Value| {
        let mut arguments = json!({"chat_id": 6, "from_chat_id": 5, "message_id": photo["message_id"]});
        arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        arguments
    };
    api.call(ANNE, "editMessageCaption", json!({"chat_id": 5, "message_id": photo["message_id"], "caption": "old"}))
        .await;
    let (_, copied) = api.call(ANNE, "copyMessage", about(json!({}))).await;
    assert_eq!(copied["result"].as_object().unwrap().len(), 1, "only the number comes back");
    api.call(ANNE, "copyMessage", about(json!({"caption": "new"}))).await;
    api.call(ANNE, "copyMessage", about(json!({"caption": ""}))).await;
    let (_, forwarded) = api.call(ANNE, "forwardMessage", about(json!({}))).await;
    assert_eq!(forwarded["result"]["forward_origin"]["sender_user"]["id"], 1001);
    let there = api.sandbox.messages(&MessageFilter { chat_id: Some(6), ..MessageFilter::default() });
    let captions: Vec<_> = there.iter().map(|message| message.caption.as_deref()).collect();
    assert_eq!(captions, [Some("old"), Some("new"), None, Some("old")]);
    let same =
        |kind| there.iter().all(|m| m.media.as_ref().is_some_and(|m| (m.kind, m.how) == (kind, MediaOrigin::FileId)));
    assert!(same(FileKind::Photo));

    let item = json!({"type": "photo", "media": last_file_id(&photo)});
    let (_, album) = api.call(ANNE, "sendMediaGroup", json!({"chat_id": 5, "media": [item, item]})).await;
    let ids: Vec<_> = album["result"].as_array().unwrap().iter().map(|m| m["message_id"].as_i64().unwrap()).collect();
    let many = |ids: Value| json!({"chat_id": 7, "from_chat_id": 5, "message_ids": ids});
    for method in ["copyMessages", "forwardMessages"] {
        let (_, sent) = api.call(ANNE, method, many(json!([ids[0], ids[1], 99_999]))).await;
        assert_eq!(sent["result"].as_array().unwrap().len(), 2, "{sent}");
    }
    let there = api.sandbox.messages(&MessageFilter { chat_id: Some(7), ..MessageFilter::default() });
    assert!(there[0].media_group_id.is_some() && there[0].media_group_id == there[1].media_group_id);
    assert_ne!(there[0].media_group_id, there[2].media_group_id);
    for (method, arguments, says) in [
        ("copyMessage", about(json!({"message_id": 99_999})), "message to copy not found"),
        ("forwardMessage", about(json!({"message_id": 99_999})), "message to forward not found"),
        ("copyMessage", json!({"chat_id": 6, "message_id": 1}), "parameter \"from_chat_id\" is required"),
        ("copyMessages", many(json!([])), "message identifiers are not specified"),
        ("copyMessages", many(json!([2, 1])), "message identifiers must be in a strictly increasing order"),
        ("copyMessages", many(json!(vec![1; 101])), "too many message identifiers specified"),
        ("forwardMessages", many(json!([99_998, 99_999])), "there are no messages to forward"),
    ] {
        assert_eq!(api.refused(method, arguments).await, says);
    }
    assert_eq!(api.sandbox.stats().uploads, 1);
}

#[tokio::test]
async fn places_contacts_and_dice_are_messages_too() {
    let api = free();
    let (_, place) = api.call(ANNE, "sendLocation", json!({"chat_id": 5, "latitude": 48.2, "longitude": "16.4"})).await;
    assert_eq!(place["result"]["location"], json!({"latitude": 48.2, "longitude": 16.4}));
    let (_, contact) =
        api.call(ANNE, "sendContact", json!({"chat_id": 5, "phone_number": "+1", "first_name": "A"})).await;
    assert_eq!(contact["result"]["contact"]["phone_number"], "+1");
    let (_, dice) = api.call(ANNE, "sendDice", json!({"chat_id": 5})).await;
    assert!((1..=6).contains(&dice["result"]["dice"]["value"].as_i64().unwrap()));
    assert_eq!(api.refused("sendLocation", json!({"chat_id": 5, "latitude": 1})).await, "longitude is empty");
}
