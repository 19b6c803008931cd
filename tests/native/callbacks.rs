//! The field `callback_url`: who may name a receiver, and which.

use crate::support::answer::Answer;
use crate::support::api_app::ApiApp;
use crate::support::named_client::client;
use pixcourier::domain::{CallbackUrl, NotificationId};
use pixcourier::settings::{CallbackSecret, CallbackSettings, Client, Settings};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::sync::Arc;

fn secret() -> CallbackSecret {
    CallbackSecret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap()
}

fn with_secret(settings: &mut Settings) {
    settings.callbacks.secrets = vec![secret()];
}

async fn post(app: &ApiApp, key: &str, body: Value) -> Answer {
    Answer::of(app.request(Method::POST, "/v1/notifications").bearer_auth(key).json(&body)).await
}

fn text(callback_url: Value) -> Value {
    json!({"chat_id": 42, "text": "x", "callback_url": callback_url})
}

#[tokio::test]
async fn a_receiver_that_cannot_be_called_is_refused_at_once() {
    let app = ApiApp::tuned(with_secret).await;
    for bad in [
        json!("example.org/hook"),
        json!("ftp://example.org/hook"),
        json!("https://user:hunter2@example.org/"),
        json!("https://example.org/#x"),
        json!(format!("https://example.org/{}", "x".repeat(2_048))),
        json!(7),
        json!("http://127.0.0.1:9000/?hunter2"),
        json!("http://2130706433/"),
        json!("http://[fe80::1]/"),
        json!("https://169.254.169.254/latest/meta-data"),
    ] {
        let answer = post(&app, "", text(bad.clone())).await;
        answer.assert_problem(&bad.to_string(), 400, "invalid_field", Some("callback_url"));
        assert!(!answer.text.contains("hunter2"), "{}", answer.text);
    }
    assert_eq!(post(&app, "", text(json!("https://example.org/hook?a=b"))).await.status, 202);
    app.stop().await;
}

#[tokio::test]
async fn without_a_secret_nobody_has_callbacks_and_the_setting_is_named() {
    let own = Client { callback_secrets: vec![secret()], ..client("own") };
    let app = ApiApp::tuned(|settings| settings.clients = vec![Arc::new(own), Arc::new(client("none"))]).await;
    let answer = post(&app, "the-key-of-none", text(json!("https://example.org/"))).await;
    answer.assert_problem("no secret", 400, "invalid_field", Some("callback_url"));
    assert!(answer.text.contains("callback_secret, at the top or in [clients.none]"), "{}", answer.text);
    assert_eq!(post(&app, "the-key-of-own", text(json!("https://example.org/"))).await.status, 202);
    app.stop().await;
}

#[tokio::test]
async fn it_may_stand_in_json_a_form_and_the_query_and_is_part_of_what_a_key_stands_for() {
    let app = ApiApp::tuned(with_secret).await;
    let url = "https://example.org/hook?a=b&c=d";
    let at = "/v1/notifications";
    let query = reqwest::Url::parse_with_params(&format!("{}{at}", app.url), [("callback_url", url)]).unwrap();
    let query = format!("{at}?{}", query.query().unwrap());
    let form = |url: &str| {
        let body = reqwest::Url::parse_with_params("http://x", [("chat_id", "42"), ("text", "x")]).unwrap();
        format!("{}{url}", body.query().unwrap())
    };
    let in_form = format!("&{}", query.split_once('?').unwrap().1);
    let posted = |path: &str, body: String| {
        let request = app.request(Method::POST, path).header("Content-Type", "application/x-www-form-urlencoded");
        request.body(body)
    };
    let keyed = |request: reqwest::RequestBuilder| request.header("Idempotency-Key", "one");
    let answers = [
        Answer::of(keyed(app.request(Method::POST, at).json(&text(json!(url))))).await,
        Answer::of(keyed(posted(at, form(&in_form)))).await,
        Answer::of(keyed(posted(&query, form("")))).await,
    ];
    let ids: Vec<String> = answers.iter().map(Answer::id).collect();
    assert_eq!((&ids[1], &ids[2]), (&ids[0], &ids[0]));
    let another = keyed(app.request(Method::POST, at).json(&text(json!("https://example.org/other"))));
    assert_eq!(Answer::of(another).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let id: NotificationId = ids[0].parse().unwrap();
    let record = app.engine.ports.ledger.get(id).await.unwrap().unwrap();
    assert_eq!(record.notification.callback_url, Some(CallbackUrl::parse(url).unwrap()));
    app.stop().await;
}

#[tokio::test]
async fn without_the_field_a_client_has_its_own_receiver() {
    let own = CallbackUrl::parse("https://shop.example/outcomes").unwrap();
    let shop = Client { callback_url: Some(own.clone()), callback_secrets: vec![secret()], ..client("shop") };
    let app = ApiApp::tuned(|settings| {
        settings.clients = vec![Arc::new(shop), Arc::new(client("plain"))];
        settings.callbacks = CallbackSettings { secrets: vec![secret()], allow_private: false };
    })
    .await;
    let other = CallbackUrl::parse("https://other.example/").unwrap();
    for (key, body, receiver) in [
        ("the-key-of-shop", text(Value::Null), Some(&own)),
        ("the-key-of-shop", text(json!(other.expose())), Some(&other)),
        ("the-key-of-plain", text(Value::Null), None),
    ] {
        let id: NotificationId = post(&app, key, body).await.id().parse().unwrap();
        let record = app.engine.ports.ledger.get(id).await.unwrap().unwrap();
        assert_eq!(record.notification.callback_url.as_ref(), receiver, "{key}");
    }
    app.stop().await;
}
