//! Many notifications in one body.

use crate::support::answer::Answer;
use crate::support::api_app::{ApiApp, png};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;

async fn post(app: &ApiApp, media_type: &str, key: Option<&str>, body: impl Into<String>) -> Answer {
    let mut request = app.request(Method::POST, "/v1/notifications/batch").header("Content-Type", media_type);
    if let Some(key) = key {
        request = request.header("Idempotency-Key", key);
    }
    Answer::of(request.body(body.into())).await
}

fn ids(answer: &Value) -> Vec<String> {
    let results = answer["results"].as_array().unwrap().iter();
    results.filter_map(|result| Some(result["notification"]["id"].as_str()?.to_owned())).collect()
}

#[tokio::test]
async fn each_item_has_its_own_result_and_all_may_name_one_image() {
    let app = ApiApp::start().await;
    let image = png(5, 5, 100);
    let put = app.request(Method::PUT, "/v1/images").header("Content-Type", "image/png").body(image);
    let sha256 = Answer::of(put).await.json()["sha256"].as_str().unwrap().to_owned();
    let items = json!([
        {"chat_id": 1, "photo": {"sha256": sha256}, "caption": "one"},
        {"chat_id": 0, "text": "x"},
        {"chat_id": 2, "photo": {"sha256": sha256}, "tags": ["a"]},
        {"chat_id": 3, "photo": {"base64": "aGk="}},
        {"chat_id": 4, "text": "x", "wait": 3},
        {"chat_id": 5, "text": "x", "colour": "red"},
        [],
    ]);
    let (array, rest) = (items.to_string(), json!({"chat_id": 6, "text": "not reached"}));
    let answer = post(&app, "application/json", None, array).await;
    let whole = answer.json();
    assert_eq!(
        (answer.status.as_u16(), &whole["accepted"], &whole["refused"]),
        (200, &json!(2), &json!(4)),
        "{whole:#}"
    );
    let codes: Vec<_> = (0..6).map(|place| &whole["results"][place]["problem"]["code"]).collect();
    assert_eq!(codes[1], "invalid_chat_id");
    assert_eq!((codes[4], codes[5]), (&json!("invalid_field"), &json!("unknown_field")));
    assert!(
        codes[3].is_string() && whole["results"][3]["problem"]["detail"].as_str().unwrap().contains("sha256"),
        "{whole:#}"
    );
    assert_eq!((&whole["problem"]["code"], &whole["results"][5]["index"]), (&json!("malformed_json"), &json!(5)));
    for id in ids(&whole) {
        assert_eq!(app.get(&format!("/v1/notifications/{id}")).await.json()["photo"]["sha256"], json!(sha256));
    }
    post(&app, "application/json", None, "secret").await.assert_problem("no JSON", 400, "malformed_json", None);
    let form = post(&app, "text/plain", None, rest.to_string()).await;
    form.assert_problem("a text", 415, "unsupported_media_type", Some("Content-Type"));
    app.stop().await;
}

#[tokio::test]
async fn a_thousand_lines_are_accepted_once_and_in_the_order_of_each_chat() {
    let app = ApiApp::start().await;
    let line = |number: usize| json!({"chat_id": number % 7 + 1, "text": format!("{number}")}).to_string();
    let lines = (0..1_000).map(line).collect::<Vec<_>>().join("\n");
    let first = post(&app, "application/x-ndjson", Some("batch-1"), lines.as_str()).await.json();
    assert_eq!((&first["accepted"], &first["problem"]), (&json!(1_000), &Value::Null), "{}", first["problem"]);
    let accepted = ids(&first);
    for chat in 0..7 {
        let of_chat: Vec<_> = accepted.iter().skip(chat).step_by(7).collect();
        assert!(of_chat.is_sorted(), "the order of a chat is that of its ids");
    }
    let again = post(&app, "application/x-ndjson", Some("batch-1"), lines.as_str()).await.json();
    assert_eq!(ids(&again), accepted, "the same batch is the same notifications");
    let more = format!("{lines}\n{}", line(1_000));
    let more = post(&app, "application/x-ndjson", None, more).await.json();
    assert_eq!((&more["accepted"], &more["problem"]["code"]), (&json!(1_000), &json!("body_too_large")));
    let all: BTreeSet<_> = ids(&more).into_iter().chain(accepted).collect();
    assert_eq!(all.len(), 2_000);
    app.stop().await;
}
