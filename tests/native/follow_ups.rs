//! The rest of a long text: parts of their own, which wait for the one before.

use crate::support::test_app::TestApp;
use pixcourier::sandbox::{FaultRule, InjectedFault};
use serde_json::{Value, json};

on_both_engines!(
    parts_are_known_from_the_start_and_can_be_taken_back,
    parts_of_one_that_was_taken_back_come_along_when_it_is_tried_again,
    parts_of_one_that_failed_are_not_sent,
);

const NOT_SENT: &str = "the message that it follows was not sent";

fn long_text() -> String {
    (0..2500).map(|n| format!("word{n} ")).collect()
}

/// Posts one that becomes several messages; their ids in order.
async fn post(app: &TestApp, more: Value) -> Vec<String> {
    let mut body = json!({"chat_id": 42, "text": long_text(), "long_caption": "split"});
    more.as_object().unwrap().iter().for_each(|(name, value)| body[name] = value.clone());
    let response = app.post(body).await;
    assert_eq!(response.status(), 202);
    let answer: Value = response.json().await.unwrap();
    let ids = std::iter::once(&answer["id"]).chain(answer["then"].as_array().unwrap());
    ids.map(|id| id.as_str().unwrap().to_owned()).collect()
}

async fn delete(app: &TestApp, id: &str) -> Value {
    let response = app.client.delete(format!("{}/v1/notifications/{id}", app.api)).send().await.unwrap();
    assert_eq!(response.status(), 200);
    response.json().await.unwrap()
}

async fn retry(app: &TestApp, id: &str) -> u16 {
    let url = format!("{}/v1/notifications/{id}/retry", app.api);
    app.client.post(url).send().await.unwrap().status().as_u16()
}

fn in_an_hour() -> String {
    let then = time::OffsetDateTime::now_utc() + time::Duration::HOUR;
    then.format(&time::format_description::well_known::Rfc3339).unwrap()
}

/// The texts of the messages that have arrived.
fn texts(app: &TestApp) -> Vec<String> {
    let texts = app.messages().into_iter().map(|message| message.caption.unwrap().into_string());
    texts.collect()
}

async fn parts_are_known_from_the_start_and_can_be_taken_back(app: &TestApp) {
    let ids = post(app, json!({"send_at": in_an_hour()})).await;
    assert_eq!(ids.len(), 6);
    for id in &ids[1..] {
        let record = app.record(id).await;
        assert_eq!((&record["status"], &record["method"]), (&json!("queued"), &json!("sendMessage")), "{record:#}");
    }
    let listed = app.json("/v1/notifications?limit=10").await;
    let listed: Vec<_> =
        listed["notifications"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap()).collect();
    assert!(ids.iter().all(|id| listed.contains(&id.as_str())));
    assert_eq!(retry(app, &ids[3]).await, 409, "it has not ended");
    assert_eq!(delete(app, &ids[3]).await["status"], "cancelled");
    for id in &ids[4..] {
        let record = app.record(id).await;
        assert_eq!((&record["status"], &record["failure"]["description"]), (&json!("cancelled"), &json!(NOT_SENT)));
    }
    assert_eq!(app.record(&ids[2]).await["status"], "queued");
    assert_eq!(retry(app, &ids[3]).await, 409, "what it follows is not sent");
    delete(app, &ids[0]).await;
    for id in &ids {
        assert_eq!(app.record(id).await["status"], "cancelled");
    }
}

async fn parts_of_one_that_was_taken_back_come_along_when_it_is_tried_again(app: &TestApp) {
    let ids = post(app, json!({"send_at": in_an_hour()})).await;
    // The last by itself, the others with the first.
    delete(app, &ids[5]).await;
    delete(app, &ids[0]).await;
    let later = post(app, json!({})).await;
    for id in &later {
        app.sent(id).await;
    }
    assert_eq!(retry(app, &later[0]).await, 409, "it is sent");
    assert_eq!(retry(app, &ids[0]).await, 202);
    for id in &ids[1..5] {
        let record = app.record(id).await;
        assert_eq!((&record["status"], &record["failure"]), (&json!("queued"), &Value::Null), "{record:#}");
    }
    assert_eq!(app.record(&ids[5]).await["status"], "cancelled", "taken back by its caller");
    delete(app, &ids[0]).await;
}

async fn parts_of_one_that_failed_are_not_sent(app: &TestApp) {
    let refusal = json!({"status": {"code": 400, "description": "Bad Request: chat not found"}});
    let refusal: InjectedFault = serde_json::from_value(refusal).unwrap();
    app.sandbox.add_fault(FaultRule::next("sendMessage", refusal.clone())).unwrap();
    let ids = post(app, json!({})).await;
    assert_eq!(app.settled(&ids[0]).await["status"], "failed");
    for id in &ids[1..] {
        let record = app.settled(id).await;
        assert_eq!((&record["status"], &record["failure"]["description"]), (&json!("cancelled"), &json!(NOT_SENT)));
    }
    assert_eq!(texts(app), Vec::<String>::new());
    // Of what is tried again the first arrives, and the second does not.
    let mut second = FaultRule::next("sendMessage", refusal);
    second.matching.nth = 2;
    app.sandbox.add_fault(second).unwrap();
    assert_eq!(retry(app, &ids[0]).await, 202);
    assert_eq!(app.settled(&ids[1]).await["status"], "failed");
    for id in &ids[2..] {
        assert_eq!(app.settled(id).await["status"], "cancelled");
    }
    assert_eq!(retry(app, &ids[1]).await, 202);
    let mut before = None;
    for id in &ids {
        let record = app.sent(id).await;
        let message = app.messages().into_iter().find(|m| Some(m.message_id) == record["message_id"].as_i64()).unwrap();
        assert_eq!(message.reply_to_message_id, before);
        before = Some(message.message_id);
    }
    assert_eq!(texts(app).join(" "), long_text().trim_end());
}
