//! Files: how they come, what is refused, and getting them back.

use super::{ANNE, BERT, description, free, last_file_id, photo_form, picture, png, sandbox};
use pixcourier::sandbox::{FaultRule, FileKind, InjectedFault, MediaOrigin, MessageFilter, SandboxOptions};
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

#[tokio::test]
async fn photos_are_refused_in_telegrams_words() {
    let api = free();
    let limit = 10_485_760;
    for (name, bytes, says) in [
        ("a.png", Vec::new(), "file must be non-empty"),
        ("a.webp", picture(1), "photo has unsupported extension. Use one of .jpg, .jpeg, .gif, .png, .tif or .bmp"),
        (
            "application.octet-stream",
            picture(1),
            "photo has unsupported extension. Use one of .jpg, .jpeg, .gif, .png, .tif or .bmp",
        ),
        ("a.jpg", b"<svg xmlns='x'/>".repeat(9), "IMAGE_PROCESS_FAILED"),
        ("a.png", png(9000, 1001, 1, 2000), "PHOTO_INVALID_DIMENSIONS"),
        ("a.png", png(2100, 100, 1, 2000), "PHOTO_INVALID_DIMENSIONS"),
        (
            "a.PNG",
            png(9, 9, 1, limit + 1),
            "file of size 10485761 bytes is too big for a photo; the maximum size is 10485760 bytes",
        ),
    ] {
        let (status, error) = api.upload(ANNE, "sendPhoto", photo_form(5, name, bytes)).await;
        assert_eq!((status.as_u16(), description(&error)), (400, format!("Bad Request: {says}").as_str()));
    }
    api.send_photo(ANNE, 5, png(5000, 5000, 1, limit)).await;
    let huge = "POST /bot1001:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA/sendPhoto HTTP/1.1\r\nhost: x\r\ncontent-length: 60000000\r\n\r\n";
    let refused = api.raw(huge);
    assert!(refused.starts_with("HTTP/1.1 413 ") && refused.contains("Request Entity Too Large"), "{refused}");
    assert_eq!(api.sandbox.stats().uploads, 1);
}

#[tokio::test]
async fn a_file_id_sends_again_without_an_upload_for_its_own_bot_and_kind_only() {
    let api = free();
    let first = api.send_photo(ANNE, 5, png(1600, 1200, 1, 50_000)).await;
    let sizes = first["photo"].as_array().unwrap();
    assert_eq!(sizes.iter().map(|size| size["width"].as_u64().unwrap()).collect::<Vec<_>>(), [90, 320, 800, 1280]);
    let id = last_file_id(&first);
    let (_, again) = api.call(ANNE, "sendPhoto", json!({"chat_id": 6, "photo": id, "caption": "again"})).await;
    assert_eq!(again["result"]["caption"], "again");
    assert_eq!(again["result"]["photo"].as_array().unwrap().len(), 4);
    let small = sizes[0]["file_id"].as_str().unwrap();
    let (_, whole) = api.call(ANNE, "sendPhoto", json!({"chat_id": 6, "photo": small})).await;
    assert_eq!(whole["result"]["photo"].as_array().unwrap().len(), 4, "any size sends the whole photo");

    let (_, foreign) = api.call(BERT, "sendPhoto", json!({"chat_id": 5, "photo": id})).await;
    assert_eq!(description(&foreign), "Bad Request: wrong file identifier/HTTP URL specified");
    let (_, as_document) = api.call(ANNE, "sendDocument", json!({"chat_id": 5, "document": id})).await;
    assert_eq!(description(&as_document), "Bad Request: can't use file of type Photo as Document");
    let (_, made_up) = api.call(ANNE, "sendPhoto", json!({"chat_id": 5, "photo": "AgACAgIAAxkBAAI"})).await;
    assert!(description(&made_up).starts_with("Bad Request: wrong remote file identifier specified: "));

    let same = api.send_photo(BERT, 5, png(1600, 1200, 1, 50_000)).await;
    assert_ne!(last_file_id(&same), id);
    assert_eq!(same["photo"][3]["file_unique_id"], first["photo"][3]["file_unique_id"]);
    let stats = api.sandbox.stats();
    assert_eq!((stats.sends, stats.uploads, stats.by_file_id, stats.distinct_contents), (4, 2, 2, 1));
    let messages = api.sandbox.messages(&MessageFilter { chat_id: Some(6), ..MessageFilter::default() });
    assert!(messages.iter().all(|message| message.media.as_ref().unwrap().how == MediaOrigin::FileId));

    let (_, refused) = api.call(ANNE, "sendDocument", json!({"chat_id": 5, "document": "http://e.org/a.docx"})).await;
    assert_eq!(description(&refused), "Bad Request: wrong type of the web page content");
    let form = Form::new().text("chat_id", "5").part("document", Part::bytes(b"text".to_vec()).file_name("a.txt"));
    let (_, document) = api.upload(ANNE, "sendDocument", form).await;
    assert_eq!(document["result"]["document"]["file_name"], "a.txt");
    let id = &document["result"]["document"]["file_id"];
    let (_, as_photo) = api.call(ANNE, "sendPhoto", json!({"chat_id": 5, "photo": id})).await;
    assert_eq!(description(&as_photo), "Bad Request: can't use file of type Document as Photo");
}

#[tokio::test]
async fn a_url_is_recorded_and_not_fetched() {
    let api = free();
    let send = |photo: String| api.call(ANNE, "sendPhoto", json!({"chat_id": 5, "photo": photo}));
    let (_, sent) = send("https://example.com/a.jpg".into()).await;
    let (_, again) = send(last_file_id(&sent["result"]).to_owned()).await;
    assert_eq!(again["ok"], true);
    let messages = api.sandbox.messages(&MessageFilter::default());
    let media = messages[0].media.as_ref().unwrap();
    assert_eq!(
        (media.how, media.url.as_deref(), media.kind),
        (MediaOrigin::Url, Some("https://example.com/a.jpg"), FileKind::Photo)
    );
    for (url, says) in [
        ("ftp://example.com/a.jpg", "invalid file HTTP URL specified: Unsupported URL protocol"),
        ("http:///a.jpg", "invalid file HTTP URL specified: URL host is empty"),
        ("http://./a.jpg", "invalid file HTTP URL specified: Host is invalid"),
        ("http://example.com:x/a.jpg", "invalid file HTTP URL specified: Wrong port number specified in the URL"),
        (&format!("{}/nothing.jpg", api.sandbox.url()), "failed to get HTTP URL content"),
    ] {
        let (_, error) = send(url.to_owned()).await;
        assert_eq!(description(&error), format!("Bad Request: {says}"));
    }
    let (_, nodot) = send("http://localhost/pic".into()).await;
    assert!(
        description(&nodot).starts_with("Bad Request: wrong remote file identifier specified: "),
        "read as a file_id"
    );
}

#[tokio::test]
async fn files_can_be_downloaded_again_by_their_bot() {
    let api = free();
    let sent = api.send_photo(ANNE, 5, picture(3)).await;
    let id = last_file_id(&sent);
    let (_, file) = api.call(ANNE, "getFile", json!({"file_id": id})).await;
    let path = file["result"]["file_path"].as_str().unwrap();
    assert_eq!(file["result"]["file_size"], 2000);
    for path in [path.to_owned(), path.replace('/', "%2F")] {
        let url = format!("{}/file/bot{ANNE}/{path}", api.sandbox.url());
        let bytes = api.http.get(url).send().await.unwrap().bytes().await.unwrap();
        assert_eq!(bytes, picture(3));
    }
    let foreign = api.http.get(format!("{}/file/bot{BERT}/{path}", api.sandbox.url())).send().await.unwrap();
    assert_eq!(foreign.status(), 404);
    let (_, refused) = api.call(BERT, "getFile", json!({"file_id": id})).await;
    assert_eq!(description(&refused), "Bad Request: wrong file_id or the file is temporarily unavailable");
    let (_, invalid) = api.call(ANNE, "getFile", json!({"file_id": "x"})).await;
    assert_eq!(description(&invalid), "Bad Request: invalid file_id");
    let (_, own) = api
        .call(
            ANNE,
            "sendPhoto",
            json!({"chat_id": 5,
        "photo": format!("{}/file/bot{ANNE}/{path}", api.sandbox.url())}),
        )
        .await;
    assert_eq!(own["ok"], true, "the sandbox knows its own pictures by URL");
}

#[tokio::test]
async fn forgotten_file_ids_are_refused_until_the_picture_is_uploaded_again() {
    let api = free();
    let old = last_file_id(&api.send_photo(ANNE, 5, picture(1)).await).to_owned();
    let others = last_file_id(&api.send_photo(BERT, 5, picture(1)).await).to_owned();
    api.sandbox.add_fault(FaultRule::next("sendPhoto", InjectedFault::FileIdsForgotten)).unwrap();
    for _ in 0..2 {
        let (_, refused) = api.call(ANNE, "sendPhoto", json!({"chat_id": 5, "photo": old})).await;
        assert_eq!(description(&refused), "Bad Request: wrong file identifier/HTTP URL specified");
    }
    let new = last_file_id(&api.send_photo(ANNE, 5, picture(1)).await).to_owned();
    assert_eq!(api.call(ANNE, "sendPhoto", json!({"chat_id": 5, "photo": new})).await.0, 200);
    assert_eq!(api.call(BERT, "sendPhoto", json!({"chat_id": 5, "photo": others})).await.0, 200);
}

#[tokio::test]
async fn downloads_say_their_length_and_come_in_parts() {
    let api = free();
    let id = last_file_id(&api.send_photo(ANNE, 5, picture(3)).await).to_owned();
    let (_, file) = api.call(ANNE, "getFile", json!({"file_id": id})).await;
    let url = format!("{}/file/bot{ANNE}/{}", api.sandbox.url(), file["result"]["file_path"].as_str().unwrap());
    let whole = api.http.get(&url).send().await.unwrap();
    assert_eq!(whole.headers()["content-length"], "2000");
    assert_eq!(whole.headers()["accept-ranges"], "bytes");
    assert_eq!(whole.bytes().await.unwrap(), picture(3));
    for (range, status, content_range, bytes) in [
        ("bytes=0-7", 206, "bytes 0-7/2000", &picture(3)[..8]),
        ("bytes=1990-", 206, "bytes 1990-1999/2000", &picture(3)[1990..]),
        ("bytes=-10", 206, "bytes 1990-1999/2000", &picture(3)[1990..]),
        ("bytes=2000-", 416, "bytes */2000", b""),
    ] {
        let part = api.http.get(&url).header("range", range).send().await.unwrap();
        assert_eq!(part.status(), status);
        assert_eq!(part.headers()["content-range"], content_range);
        assert_eq!(part.bytes().await.unwrap(), bytes);
    }
}

#[tokio::test]
async fn the_cloud_gives_out_twenty_megabytes_and_a_local_server_names_the_path() {
    let big = vec![7; (20 << 20) + 1];
    let form = || Form::new().text("chat_id", "5").part("document", Part::bytes(big.clone()).file_name("big.bin"));
    let cloud = free();
    let file_id = |sent: &Value| json!({"file_id": sent["result"]["document"]["file_id"]});
    let (_, sent) = cloud.upload(ANNE, "sendDocument", form()).await;
    let (_, refused) = cloud.call(ANNE, "getFile", file_id(&sent)).await;
    assert_eq!(description(&refused), "Bad Request: file is too big");

    let local = sandbox(SandboxOptions { limits: None, pace_uploads: false, local: true, ..SandboxOptions::default() });
    let (_, sent) = local.upload(ANNE, "sendDocument", form()).await;
    let (_, file) = local.call(ANNE, "getFile", file_id(&sent)).await;
    assert_eq!(std::fs::read(file["result"]["file_path"].as_str().unwrap()).unwrap(), big);

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a picture.png");
    std::fs::write(&path, picture(4)).unwrap();
    let uri = format!("file://{}", path.display()).replace(' ', "%20");
    let by_path = json!({"chat_id": 5, "photo": uri});
    let (_, sent) = local.call(ANNE, "sendPhoto", by_path.clone()).await;
    assert_eq!(sent["result"]["photo"][1]["width"], 320);
    assert!(path.exists(), "the file is left where it was");
    let item = json!({"type": "document", "media": uri});
    let (_, album) = local.call(ANNE, "sendMediaGroup", json!({"chat_id": 5, "media": [item, item]})).await;
    assert_eq!(album["result"][1]["document"]["file_name"], "a picture.png");
    let (_, missing) = local.call(ANNE, "sendPhoto", json!({"chat_id": 5, "photo": "file:///nowhere/a.png"})).await;
    assert_eq!(description(&missing), "Bad Request: wrong file identifier/HTTP URL specified");
    let (_, cloud_says) = cloud.call(ANNE, "sendPhoto", by_path).await;
    assert_eq!(description(&cloud_says), "Bad Request: invalid file HTTP URL specified: Unsupported URL protocol");
}
