//! Requests, as they may be put.

use super::{ANNE, BERT, FORM, answer, description, free, picture, sandbox};
use pixcourier::sandbox::{SandboxBots, SandboxOptions};
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

#[tokio::test]
async fn all_encodings_say_the_same_and_the_first_of_a_name_wins() {
    let api = free();
    let url = api.url(ANNE, "SENDmessage");
    let text = |body: &Value| body["result"]["text"].as_str().unwrap().to_owned();
    let (_, query) = answer(api.http.get(format!("{url}?chat_id=5&text=a%20b"))).await;
    let (_, form) = answer(api.http.post(&url).header("content-type", FORM).body("chat_id=5&text=a+b&text=late")).await;
    let (_, json) = answer(api.http.post(&url).json(&json!({"chat_id": 5, "text": "a b", "surprise": [1]}))).await;
    let (_, multi) = answer(api.http.post(&url).multipart(Form::new().text("chat_id", "5").text("text", "a b"))).await;
    let (_, both) = answer(api.http.post(format!("{url}?text=a+b")).json(&json!({"chat_id": 5, "text": "late"}))).await;
    for body in [query, form, json, multi, both] {
        assert_eq!(text(&body), "a b");
    }
    let body = |kind: &str, body: &'static str| api.http.post(&url).header("content-type", kind).body(body);
    let (_, kept) = answer(body("application/json", r#"{"chat_id":"5","text":"kept","caption":"#)).await;
    assert_eq!(text(&kept), "kept");
    for ignored in [
        body("application/json", r#"{"text":"x" "chat_id":5}"#),
        body("text/plain", "chat_id=5&text=x"),
        body("application/json; charset=utf-8", r#"["chat_id",5]"#),
    ] {
        let (status, error) = answer(ignored).await;
        assert_eq!((status.as_u16(), description(&error).starts_with("Bad Request: ")), (400, true), "{error}");
    }
    let (_, garbled) = answer(api.http.get(format!("{url}?chat_id=5&text=%FF"))).await;
    assert_eq!(description(&garbled), "Bad Request: strings must be encoded in UTF-8");
    let (_, spelled_null) = api.call(ANNE, "sendMessage", json!({"chat_id": 5, "text": null})).await;
    assert_eq!(text(&spelled_null), "null");
    let (_, by_argument) = answer(api.http.get(api.url(ANNE, "?method=getMe"))).await;
    assert_eq!(by_argument["result"]["id"], 1001);
    let long = api.http.post(&url).header("content-type", FORM).body("x".repeat(1 << 21)).send().await.unwrap();
    assert_eq!(long.status(), 413);
    assert_eq!(long.bytes().await.unwrap().len(), 0);
}

#[tokio::test]
async fn a_part_is_a_file_only_with_a_file_name_and_text_wins() {
    let api = free();
    let send = |form: Form| api.upload(ANNE, "sendPhoto", form.text("chat_id", "5"));
    let file = || Part::bytes(picture(1)).file_name("a.jpg");
    let (_, sent) = send(Form::new().part("photo", file())).await;
    assert_eq!(sent["result"]["chat"]["type"], "private");
    let (_, sent) = send(Form::new().text("photo", "attach://pic").part("pic", file())).await;
    assert_eq!(sent["ok"], true);
    let (_, nameless) = send(Form::new().part("photo", Part::bytes(b"only text".to_vec()))).await;
    assert!(description(&nameless).starts_with("Bad Request: wrong remote file identifier specified: "));
    let (_, both) = send(Form::new().part("photo", file()).text("photo", "AAAA")).await;
    assert!(description(&both).starts_with("Bad Request: wrong remote file identifier specified: "));
    let (_, none) = send(Form::new().part("foto", file())).await;
    assert_eq!(description(&none), "Bad Request: there is no photo in the request");
    let (_, elsewhere) = send(Form::new().text("photo", "attach://pic").part("photo", file())).await;
    assert_eq!(description(&elsewhere), "Bad Request: there is no photo in the request");
    assert_eq!(api.sandbox.stats().uploads, 2);
    assert_eq!(api.sandbox.stats().distinct_contents, 1);
}

#[tokio::test]
async fn tokens_and_methods_are_checked() {
    let only = SandboxBots::Only(vec![ANNE.to_owned().into()]);
    let api = sandbox(SandboxOptions { bots: only, ..SandboxOptions::default() });
    let get = |token: &str, method: &str| answer(api.http.get(api.url(token, method)));
    let (_, me) = get(ANNE, "GetMe").await;
    assert_eq!((&me["result"]["id"], &me["result"]["is_bot"]), (&json!(1001), &json!(true)));
    assert_eq!(get(BERT, "getMe").await.1, json!({"ok": false, "error_code": 401, "description": "Unauthorized"}));
    assert_eq!(description(&get("1001:short", "getMe").await.1), "Not Found");
    assert_eq!(description(&get(ANNE, "sendFoto").await.1), "Not Found: method not found");
    assert_eq!(description(&answer(api.http.get(format!("{}/nothing", api.sandbox.url()))).await.1), "Not Found");
    let put = api.http.put(api.url(ANNE, "getMe")).send().await.unwrap();
    assert_eq!((put.status().as_u16(), put.bytes().await.unwrap().len()), (501, 0));
    let started = Instant::now();
    assert_eq!(get(ANNE, "getUpdates?timeout=1").await.1["result"], json!([]));
    assert!(started.elapsed() >= Duration::from_secs(1));
    assert_eq!(get(ANNE, "sendChatAction?chat_id=5&action=upload_photo").await.1["result"], true);
    assert_eq!(
        description(&get(ANNE, "sendChatAction?chat_id=5&action=dance").await.1),
        "Bad Request: wrong parameter action in request"
    );
    assert_eq!(api.sandbox.stats().requests["getMe"], 1);
}
