//! Both faces of other contracts on a bot that is paused. A WhatsMate client is answered as always, and what it sent goes out after
//! the resume. A Bot API client waits for the message itself, so it is told to come again, and nothing of its call is kept.

use crate::support::test_app::{TOKEN, TestApp, png};
use crate::whatsmate::requests::{GROUP, NUMBER, PERSON, post, queued, register};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::time::Duration;

on_both_engines!(
    what_whatsmate_clients_send_to_a_paused_bot_is_taken_and_goes_out_after_the_resume,
    a_bot_api_client_of_a_paused_bot_comes_again_and_nothing_is_sent_twice,
);

async fn steer(app: &TestApp, order: &str) {
    let steered = app.client.post(format!("{}/v1/bots/default/{order}", app.api)).send().await.unwrap();
    assert_eq!(steered.status(), 200, "{order}");
}

/// How long it is watched that nothing is sent.
const QUIET_PERIOD: Duration = Duration::from_secs(1);

async fn what_whatsmate_clients_send_to_a_paused_bot_is_taken_and_goes_out_after_the_resume(app: &TestApp) {
    register(app).await;
    steer(app, "pause").await;
    let image = STANDARD.encode(png(1));
    let group = json!({"group_name": "Night shift", "group_admin": NUMBER});
    let mut ids = Vec::new();
    for (path, mut body, to) in [
        ("/v3/telegram/single/text/message/1", json!({"message": "first"}), json!({"number": NUMBER})),
        (
            "/v3/telegram/single/image/message/1",
            json!({"image": image, "caption": "second"}),
            json!({"number": NUMBER}),
        ),
        ("/v3/telegram/group/text/message/1", json!({"message": "to all"}), group),
        ("/v1/telegram/single/message/1", json!({"message": "third"}), json!({"number": NUMBER})),
    ] {
        body.as_object_mut().unwrap().extend(to.as_object().unwrap().clone());
        ids.push(queued(post(app, path, &body).await).await);
    }
    tokio::time::sleep(QUIET_PERIOD).await;
    assert_eq!(app.messages().len(), 0, "nothing goes out");
    for id in &ids {
        let record = app.record(id).await;
        assert_eq!((&record["status"], &record["paused"]), (&json!("queued"), &json!(true)), "{record:#}");
    }
    steer(app, "resume").await;
    for id in &ids {
        let record = app.sent(id).await;
        assert_eq!(record["attempts"].as_array().unwrap().len(), 1, "{record:#}");
    }
    let arrived = |chat| {
        let messages = app.messages().into_iter().filter(move |message| message.chat_id == chat);
        messages.map(|message| message.caption.unwrap_or_default().into_string()).collect::<Vec<_>>()
    };
    assert_eq!(arrived(PERSON), ["first", "second", "third"], "in order, each once");
    assert_eq!(arrived(GROUP), ["to all"]);
}

async fn a_bot_api_client_of_a_paused_bot_comes_again_and_nothing_is_sent_twice(app: &TestApp) {
    steer(app, "pause").await;
    let url = |method: &str| format!("{}/bot{TOKEN}/{method}", app.api);
    let text = || async {
        let sent = app.client.post(url("sendMessage")).json(&json!({"chat_id": PERSON, "text": "hello"})).send().await;
        sent.unwrap()
    };
    let photo = || async {
        let form = reqwest::multipart::Form::new().text("chat_id", PERSON.to_string()).text("caption", "picture");
        let form = form.part("photo", reqwest::multipart::Part::bytes(png(1)).file_name("a.png"));
        app.client.post(url("sendPhoto")).multipart(form).send().await.unwrap()
    };
    for refused in [text().await, photo().await] {
        assert_eq!(refused.status(), 429);
        let refused: Value = refused.json().await.unwrap();
        assert!(refused["parameters"]["retry_after"].as_u64().is_some_and(|seconds| seconds > 0), "{refused}");
    }
    steer(app, "resume").await;
    // Long enough for what was refused, had it been kept.
    tokio::time::sleep(QUIET_PERIOD).await;
    assert_eq!(app.messages().len(), 0, "nothing of a refused call is kept");
    for sent in [text().await, photo().await] {
        assert_eq!(sent.status(), 200);
        let sent: Value = sent.json().await.unwrap();
        assert!(sent["result"]["message_id"].is_u64(), "{sent}");
    }
    let mut arrived: Vec<_> =
        app.messages().into_iter().map(|message| message.caption.unwrap_or_default().into_string()).collect();
    arrived.sort();
    assert_eq!(arrived, ["hello", "picture"]);
}
