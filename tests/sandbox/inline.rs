//! Inline mode: queries, answers, and messages that were sent through the bot.

use super::{ANNE, BERT, TestSandbox, description, free, last_file_id, picture};
use pixcourier::sandbox::UserAction;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

const BOT: u64 = 1001;

impl TestSandbox {
    fn asks(&self) -> String {
        let asked = self.sandbox.incoming(BOT, UserAction::InlineQuery { user_id: 7, query: "cats".into() });
        asked.unwrap().inline_query_id.unwrap()
    }

    async fn answers(&self, token: &str, id: &str, results: Value) -> (u16, String) {
        let arguments = json!({"inline_query_id": id, "results": results, "cache_time": 5, "is_personal": true});
        let (status, body) = self.call(token, "answerInlineQuery", arguments).await;
        (status.as_u16(), body["description"].as_str().unwrap_or("").replacen("Bad Request: ", "", 1))
    }
}

#[tokio::test]
async fn pictures_are_answered_by_url_and_by_the_bots_own_file_ids() {
    let api = free();
    let id = api.asks();
    let (_, updates) = api.call(ANNE, "getUpdates", json!({})).await;
    assert_eq!(
        (&updates["result"][0]["inline_query"]["id"], &updates["result"][0]["inline_query"]["query"]),
        (&json!(id), &json!("cats"))
    );
    let photo = api.send_photo(ANNE, 5, picture(1)).await;
    let foreign = api.send_photo(BERT, 5, picture(1)).await;
    let form = Form::new().text("chat_id", "5").part("document", Part::bytes(b"text".to_vec()).file_name("a.txt"));
    let (_, document) = api.upload(ANNE, "sendDocument", form).await;
    let document = &document["result"]["document"]["file_id"];
    let cached = json!({"type": "photo", "id": "a", "photo_file_id": last_file_id(&photo), "caption": "<b>x</b>", "parse_mode": "HTML"});
    let by_url =
        json!({"type": "photo", "id": "b", "photo_url": "https://e.org/a.jpg", "thumbnail_url": "https://e.org/t.jpg"});
    let file = json!({"type": "document", "id": "c", "title": "A", "document_file_id": document});
    let article = json!({"type": "article", "id": "d", "title": "A", "input_message_content": {"message_text": "hi"}});
    let all = json!([cached, by_url, file, article]);
    assert_eq!(api.answers(ANNE, &id, all.clone()).await, (200, String::new()));
    let recorded = api.sandbox.inline_answer(&id).unwrap();
    assert_eq!((Value::Array(recorded.results), recorded.cache_time, recorded.is_personal), (all, 5, true));
    assert_eq!(api.control(&format!("/sandbox/inline/{id}")).await["results"][1]["id"], "b");

    let mut thumbless = by_url.clone();
    thumbless.as_object_mut().unwrap().remove("thumbnail_url");
    let photo_of = |file_id: &Value| json!([{"type": "photo", "id": "a", "photo_file_id": file_id}]);
    for (results, says) in [
        (photo_of(&json!(last_file_id(&foreign))), "wrong file identifier/HTTP URL specified"),
        (photo_of(document), "can't use file of type Document as Photo"),
        (photo_of(&json!("no sense")), "wrong remote file identifier specified: Wrong character in the string"),
        (json!([thumbless]), "PHOTO_THUMB_URL_EMPTY"),
        (json!([{"type": "photo", "id": "a"}]), "can't parse inline query result: Can't find field \"photo_file_id\""),
        (
            json!([{"type": "document", "id": "a", "document_file_id": document}]),
            "can't parse inline query result: Can't find field \"title\"",
        ),
        (
            json!([{"type": "poem", "id": "a"}]),
            "can't parse inline query result: type \"poem\" is unsupported for the inline query result",
        ),
        (json!([article, article]), "RESULT_ID_DUPLICATE"),
        (json!(["x"]), "can't parse inline query result: Inline query result must be an object"),
        (json!({}), "expected an Array of inline query results"),
        (Value::Array(vec![article.clone(); 51]), "too many inline query results specified"),
    ] {
        let (status, error) = api.answers(ANNE, &id, results).await;
        assert_eq!(status, 400);
        assert_eq!(error, says);
    }
    let late = "query is too old and response timeout expired or query ID is invalid";
    assert_eq!(api.answers(ANNE, "999999", json!([])).await, (400, late.into()));
    assert_eq!(api.answers(BERT, &id, json!([])).await, (400, late.into()));
}

#[tokio::test]
async fn what_was_sent_of_an_answer_is_edited_by_its_name_and_without_uploads() {
    let api = free();
    let id = api.asks();
    let photo = last_file_id(&api.send_photo(ANNE, 5, picture(1)).await).to_owned();
    let keys = json!({"inline_keyboard": [[{"text": "More", "callback_data": "more"}]]});
    let results = json!([{"type": "photo", "id": "a", "photo_file_id": photo, "caption": "old", "reply_markup": keys}]);
    assert_eq!(api.answers(ANNE, &id, results).await.0, 200);
    let choose =
        |result: &str| UserAction::ChooseInlineResult { inline_query_id: id.clone(), result_id: result.into() };
    assert!(api.sandbox.incoming(BOT, choose("b")).is_err());
    let name = api.sandbox.incoming(BOT, choose("a")).unwrap().inline_message_id.unwrap();
    let (_, updates) = api.call(ANNE, "getUpdates", json!({"offset": 2})).await;
    assert_eq!(updates["result"][0]["chosen_inline_result"]["inline_message_id"], json!(name));
    let edit = |method: &'static str, mut more: Value| {
        more["inline_message_id"] = json!(name);
        api.call(ANNE, method, more)
    };
    let (_, edited) = edit("editMessageCaption", json!({"caption": "new"})).await;
    assert_eq!(edited["result"], true);
    let (_, same) = edit("editMessageCaption", json!({"caption": "new"})).await;
    assert!(description(&same).starts_with("Bad Request: message is not modified"));
    let by_url = json!({"media": {"type": "photo", "media": "https://e.org/b.jpg", "caption": "new"}});
    assert_eq!(edit("editMessageMedia", by_url).await.1["result"], true);
    let form = Form::new()
        .text("inline_message_id", name.clone())
        .text("media", json!({"type": "photo", "media": "attach://p"}).to_string())
        .part("p", Part::bytes(picture(2)).file_name("p.png"));
    let (_, refused) = api.upload(ANNE, "editMessageMedia", form).await;
    assert_eq!(description(&refused), "Bad Request: invalid message content specified");
    let foreign = json!({"inline_message_id": name, "caption": "x"});
    assert_eq!(description(&api.call(BERT, "editMessageCaption", foreign).await.1), "Bad Request: MESSAGE_ID_INVALID");
}
