//! Posting and waiting for the outcome in one request.

use crate::support::test_app::{TestApp, base64_png};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

on_both_engines!(who_waits_is_told_the_outcome, who_waits_in_vain_is_told_where_to_ask);

async fn post(app: &TestApp, query: &[(&str, &str)], body: Value) -> (u16, Value) {
    let answer = reqwest::Client::new().post(app.url("/v1/notifications", query)).json(&body).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

async fn who_waits_is_told_the_outcome(app: &TestApp) {
    let (status, sent) = post(app, &[("wait", "30")], json!({"chat_id": 1, "photo": base64_png(1)})).await;
    assert_eq!(
        (status, &sent["status"], &sent["attempts"][0]["outcome"]),
        (200, &json!("sent"), &json!("sent")),
        "{sent}"
    );
    assert!(sent["message_id"].is_i64(), "{sent}");
    let (status, failed) =
        post(app, &[], json!({"chat_id": 9_000_000_403_i64, "photo": base64_png(1), "wait": 30})).await;
    assert_eq!((status, &failed["status"]), (200, &json!("failed")), "so or so: {failed}");
    for (query, body, code) in [
        (&[("wait", "61")][..], json!({}), "invalid_field"),
        (&[("wait", "x")], json!({}), "invalid_field"),
        (&[("wait", "1")], json!({"wait": 1}), "duplicate_field"),
    ] {
        let mut whole = json!({"chat_id": 1, "text": "x"});
        whole.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        let (status, problem) = post(app, query, whole).await;
        assert_eq!((status, &problem["code"], &problem["field"]), (400, &json!(code), &json!("wait")), "{problem}");
    }
}

async fn who_waits_in_vain_is_told_where_to_ask(app: &TestApp) {
    app.fault(1, json!({"flood": {"retry_after": 5}}));
    let began = Instant::now();
    let (status, accepted) = post(app, &[("wait", "1")], json!({"chat_id": 1, "photo": base64_png(1)})).await;
    assert_eq!(status, 202, "{accepted}");
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    app.sent(accepted["id"].as_str().unwrap()).await;
}
