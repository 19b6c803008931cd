//! Messages: what goes with them, where they go, and how they change.

use super::{ANNE, BERT, description, free, last_file_id, picture, png};
use pixcourier::sandbox::MessageFilter;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

#[tokio::test]
async fn captions_keyboards_and_replies_are_checked() {
    let api = free();
    let sent = api.send_photo(ANNE, 5, picture(1)).await;
    let id = last_file_id(&sent);
    let send = |mut more: Value| {
        more["photo"] = id.into();
        more["chat_id"] = 5.into();
        api.call(ANNE, "sendPhoto", more)
    };
    let (_, good) = send(json!({"caption": "<b>bold</b> & more", "parse_mode": "html", "protect_content": true,
        "reply_parameters": {"message_id": sent["message_id"]},
        "reply_markup": {"inline_keyboard": [[{"text": "Open", "url": "https://example.com"}]]}}))
    .await;
    let good = &good["result"];
    assert_eq!(good["caption"], "bold & more");
    assert_eq!(good["caption_entities"], json!([{"offset": 0, "length": 4, "type": "bold"}]));
    assert_eq!(good["reply_markup"]["inline_keyboard"][0][0]["text"], "Open");
    assert_eq!(good["reply_to_message"]["message_id"], sent["message_id"]);
    assert_eq!(good["has_protected_content"], true);
    assert!(good["message_id"].as_i64() > sent["message_id"].as_i64());
    for (more, says) in [
        (json!({"caption": "x".repeat(1025)}), "message caption is too long"),
        (
            json!({"caption": "<b>x", "parse_mode": "HTML"}),
            "can't parse entities: Can't find end tag corresponding to start tag \"b\"",
        ),
        (
            json!({"caption": "x.", "parse_mode": "MarkdownV2"}),
            "can't parse entities: Character '.' is reserved and must be escaped with the preceding '\\'",
        ),
        (json!({"reply_markup": null}), "object expected as reply markup"),
        (json!({"reply_to_message_id": 99_999}), "message to be replied not found"),
        (json!({"message_thread_id": 7}), "message thread not found"),
    ] {
        let (_, error) = send(more).await;
        assert_eq!(description(&error), format!("Bad Request: {says}"));
    }
    let (_, lenient) =
        send(json!({"reply_parameters": {"message_id": 99_999, "allow_sending_without_reply": true}})).await;
    assert_eq!(lenient["ok"], true);
}

#[tokio::test]
async fn chats_are_what_their_ids_say() {
    let api = free();
    let send = |chat: Value| api.call(ANNE, "sendMessage", json!({"chat_id": chat, "text": "x"}));
    for (chat, kind) in [
        (json!(1), "private"),
        (json!("-5"), "group"),
        (json!(-1_001_234_567_890_i64), "supergroup"),
        (json!("@some_channel"), "channel"),
    ] {
        assert_eq!(send(chat).await.1["result"]["chat"]["type"], kind);
    }
    for (chat, code, says) in [
        (json!("somebody"), 400, "Bad Request: chat not found"),
        (json!(0), 400, "Bad Request: chat not found"),
        (json!(""), 400, "Bad Request: chat_id is empty"),
        (json!(9_000_000_403_i64), 403, "Forbidden: bot was blocked by the user"),
        (json!(9_000_000_410_i64), 403, "Forbidden: user is deactivated"),
        (json!(-9_000_000_301_i64), 400, "Bad Request: group chat was upgraded to a supergroup chat"),
    ] {
        let (status, error) = send(chat).await;
        assert_eq!((status.as_u16(), description(&error)), (code, says));
    }
    assert_eq!(send(json!(-9_000_000_301_i64)).await.1["parameters"]["migrate_to_chat_id"], -1_009_000_000_301_i64);
}

#[tokio::test]
async fn an_album_is_all_or_nothing_and_passes_core_errors_on_unmapped() {
    let api = free();
    let photo = last_file_id(&api.send_photo(ANNE, 5, picture(9)).await).to_owned();
    let album = |media: Value| {
        Form::new()
            .text("chat_id", "5")
            .text("media", media.to_string())
            .part("a", Part::bytes(picture(1)).file_name("a.jpg"))
            .part("b", Part::bytes(b"no image".to_vec()).file_name("b.jpg"))
    };
    let item = |media: &str| json!({"type": "photo", "media": media});
    let first = json!({"type": "photo", "media": "attach://a", "caption": "Both"});
    let (_, sent) = api.upload(ANNE, "sendMediaGroup", album(json!([first, item(&photo)]))).await;
    let messages = sent["result"].as_array().unwrap();
    assert_eq!((messages.len(), &messages[0]["caption"]), (2, &json!("Both")));
    assert_eq!(messages[0]["media_group_id"], messages[1]["media_group_id"]);
    assert_ne!(messages[0]["message_id"], messages[1]["message_id"]);
    let foreign = last_file_id(&api.send_photo(BERT, 5, picture(9)).await).to_owned();
    for (media, says) in [
        (json!([first, item(&foreign)]), "failed to send message #2 with the error message \"MEDIA_EMPTY\""),
        (
            json!([first, item("attach://b")]),
            "failed to send message #2 with the error message \"IMAGE_PROCESS_FAILED\"",
        ),
        (json!([first, item("attach://c")]), "can't parse InputMedia: media not found"),
        (json!([first, {"type": "document", "media": "attach://b"}]), "document can't be mixed with other media types"),
        (
            json!([first, {"type": "animation", "media": "attach://b"}]),
            "can't parse InputMedia: type \"animation\" can't be used in sendMediaGroup",
        ),
        (json!([]), "there are no messages to send"),
        (json!(vec![item(&photo); 11]), "too many messages to send as an album"),
        (json!({}), "expected an Array of InputMedia"),
    ] {
        let (_, error) = api.upload(ANNE, "sendMediaGroup", album(media)).await;
        assert_eq!(description(&error), format!("Bad Request: {says}"));
    }
    let stats = api.sandbox.stats();
    assert_eq!((stats.sends, stats.uploads, stats.by_file_id), (4, 3, 1));
}

#[tokio::test]
async fn messages_can_be_edited_and_deleted() {
    let api = free();
    let sent = api.send_photo(ANNE, 5, picture(1)).await;
    let about = |more: Value| {
        let mut arguments = json!({"chat_id": 5, "message_id": sent["message_id"]});
        arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        arguments
    };
    let caption = about(json!({"caption": "new"}));
    let (_, edited) = api.call(ANNE, "editMessageCaption", caption.clone()).await;
    assert_eq!((&edited["result"]["caption"], &edited["result"]["message_id"]), (&json!("new"), &sent["message_id"]));
    assert!(edited["result"]["edit_date"].is_i64());
    let (_, same) = api.call(ANNE, "editMessageCaption", caption).await;
    assert!(description(&same).starts_with("Bad Request: message is not modified: "));
    let form = Form::new()
        .text("chat_id", "5")
        .text("message_id", sent["message_id"].to_string())
        .text("media", json!({"type": "photo", "media": "attach://p"}).to_string())
        .part("p", Part::bytes(png(100, 100, 2, 900)).file_name("p.png"));
    let (_, replaced) = api.upload(ANNE, "editMessageMedia", form).await;
    assert_eq!(replaced["result"]["photo"][1]["width"], 100);
    let (_, foreign) = api.call(BERT, "deleteMessage", about(json!({}))).await;
    assert_eq!(description(&foreign), "Bad Request: message to delete not found");
    assert_eq!(api.call(ANNE, "deleteMessage", about(json!({}))).await.1["result"], true);
    let (_, gone) = api.call(ANNE, "editMessageCaption", about(json!({"caption": "x"}))).await;
    assert_eq!(description(&gone), "Bad Request: message to edit not found");
    let kept = api.sandbox.messages(&MessageFilter::default());
    assert!(kept[0].deleted && kept[0].media.as_ref().unwrap().width == 100);
    let stats = api.sandbox.stats();
    assert_eq!((stats.sends, stats.edits, stats.deletes, stats.uploads), (1, 2, 1, 2));
}
