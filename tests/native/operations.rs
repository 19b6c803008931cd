//! What is done to many at once, found by a filter, on both engines.

use crate::support::test_app::{TestApp, png};
use pixcourier::domain::{Failure, FailureClass, RecordUpdate, Status, Timestamp};
use pixcourier::sandbox::{FaultRule, InjectedFault};
use reqwest::Response;
use serde_json::{Value, json};

on_both_engines!(
    scheduled_ones_are_cancelled_by_tag,
    failed_ones_are_tried_again_once_and_those_sent_again_are_not,
    found_ones_are_recognised_and_counted,
    what_fails_again_is_not_tried_a_third_time,
    replies_end_with_what_they_follow_and_come_along_again,
    dead_letters_are_brought_back_by_their_class,
);

impl TestApp {
    async fn post_to(&self, path: &str, body: Value) -> Response {
        self.client.post(format!("{}{path}", self.api)).json(&body).send().await.unwrap()
    }

    /// Begins an operation and waits for its end.
    async fn operate(&self, path: &str, body: Value) -> Value {
        let response = self.post_to(path, body).await;
        assert_eq!(response.status(), 202);
        let location = response.headers()["location"].to_str().unwrap().to_owned();
        self.until_some("the operation to be finished", async || {
            let operation = self.json(&location).await;
            (!operation["finished_at"].is_null()).then_some(operation)
        })
        .await
    }
}

fn counts(operation: &Value) -> [u64; 5] {
    ["matched", "done", "skipped", "resent", "failed"].map(|name| operation[name].as_u64().unwrap())
}

fn in_an_hour() -> String {
    let then = time::OffsetDateTime::now_utc() + time::Duration::HOUR;
    then.format(&time::format_description::well_known::Rfc3339).unwrap()
}

async fn scheduled_ones_are_cancelled_by_tag(app: &TestApp) {
    let mut ids = Vec::new();
    for number in 0..250 {
        let tag = if number % 5 == 0 { "kept" } else { "batch" };
        let body = json!({"chat_id": number + 1, "text": "x", "tags": [tag], "send_at": in_an_hour()});
        ids.push(app.accept(body).await);
    }
    let filter = json!({"tag": "batch", "dry_run": true});
    let dry: Value = app.post_to("/v1/notifications/cancel", filter).await.json().await.unwrap();
    assert_eq!((&dry["matched"], &dry["complete"]), (&json!(200), &json!(true)));
    assert_eq!(dry["examples"].as_array().unwrap().len(), 10);
    assert_eq!(app.json("/v1/notifications/summary?tag=batch").await["by_status"], json!({"scheduled": 200}));

    let operation = app.operate("/v1/notifications/cancel", json!({"tag": "batch"})).await;
    assert_eq!(counts(&operation), [200, 200, 0, 0, 0], "{operation:#}");
    assert_eq!(operation["filter"]["status"], json!(["queued", "scheduled", "retrying", "held"]));
    let counted = app.json("/v1/notifications/summary?tag=batch").await;
    assert_eq!(counted["by_status"], json!({"cancelled": 200}));
    assert_eq!(app.json("/v1/notifications/summary?tag=kept").await["by_status"], json!({"scheduled": 50}));
    let again = app.operate("/v1/notifications/cancel", json!({"tag": "batch"})).await;
    assert_eq!(counts(&again), [0; 5]);
    let listed = app.json("/v1/operations?limit=1").await;
    assert_eq!(listed["operations"], json!([again]));
    app.operate("/v1/notifications/cancel", json!({"tag": "kept"})).await;
}

fn refused(times: u64) -> FaultRule {
    FaultRule::next("sendMessage", InjectedFault::Blocked).times(times)
}

async fn failed_ones_are_tried_again_once_and_those_sent_again_are_not(app: &TestApp) {
    app.sandbox.add_fault(refused(40)).unwrap();
    let post = async |number: u64| app.accept(json!({"chat_id": number + 1, "text": format!("letter {number}")})).await;
    for number in 0..40 {
        let id = post(number).await;
        assert_eq!(app.settled(&id).await["status"], "failed");
    }
    for number in 0..10 {
        app.sent(&post(number).await).await;
    }
    let key = |request: reqwest::RequestBuilder| {
        request.header("Idempotency-Key", "once").json(&json!({"reason": "BLOCKED"}))
    };
    let retry = async || key(app.client.post(format!("{}/v1/notifications/retry", app.api))).send().await.unwrap();
    let (first, second): (Value, Value) = (retry().await.json().await.unwrap(), retry().await.json().await.unwrap());
    assert_eq!(first["id"], second["id"], "the same key begins it once");
    let path = format!("/v1/operations/{}", first["id"].as_str().unwrap());
    let operation = app
        .until_some("the end", async || {
            Some(app.json(&path).await).filter(|operation| !operation["finished_at"].is_null())
        })
        .await;
    assert_eq!(counts(&operation), [40, 30, 10, 10, 0], "{operation:#}");
    app.until("all are sent", async || {
        app.json("/v1/notifications/summary").await["by_status"] == json!({"sent": 40, "failed": 10})
    })
    .await;
    assert_eq!(app.messages().len(), 40, "each once");
    let rest = app.operate("/v1/notifications/retry", json!({"class": "recipient", "skip_resent": false})).await;
    assert_eq!(counts(&rest), [10, 10, 0, 0, 0]);
    app.until("these too", async || app.messages().len() == 50).await;
    app.until("their ends", async || app.json("/v1/notifications/summary").await["by_status"] == json!({"sent": 50}))
        .await;
}

async fn found_ones_are_recognised_and_counted(app: &TestApp) {
    let image = png(3);
    let id = app.upload(image.clone(), json!({"chat_id": 7, "caption": "p95 is back to normal"})).await;
    let sent = app.sent(&id).await;
    assert_eq!((&sent["text"], &sent["changes"]), (&json!("p95 is back to normal"), &json!([])));
    let response = app.post_to(&format!("/v1/notifications/{id}/edit"), json!({"caption": "p95 was high"})).await;
    let edit: Value = response.json().await.unwrap();
    app.sent(edit["id"].as_str().unwrap()).await;
    let listed = app.json("/v1/notifications?chat_id=7&status=sent,failed&status=expired").await;
    let listed = listed["notifications"].as_array().unwrap();
    let shown: Vec<_> =
        listed.iter().map(|it| (it["method"].clone(), it["text"].clone(), it["changes"].clone())).collect();
    let edited = (json!("editMessageCaption"), json!("p95 was high"), json!([sent["message_id"]]));
    assert_eq!(shown, [edited, (json!("sendPhoto"), json!("p95 is back to normal"), json!([]))]);

    let sha256 = sent["photo"]["sha256"].as_str().unwrap();
    let response = app.get(&format!("/v1/images/{sha256}/content")).await;
    assert_eq!(response.status(), 200);
    let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    assert_eq!((header("content-type"), header("x-content-type-options")), ("image/png".into(), "nosniff".into()));
    assert_eq!(header("content-disposition"), "inline; filename=\"photo.png\"");
    assert_eq!(response.bytes().await.unwrap(), image);
    let of = |id: &str| format!("/v1/images/{sha256}/content?notification={id}");
    assert_eq!(app.get(&of(&id)).await.status(), 200);
    assert_eq!(app.get(&of(edit["id"].as_str().unwrap())).await.status(), 404, "it carries none");
    assert_eq!(app.get(&format!("/v1/images/{}/content", "0".repeat(64))).await.status(), 404);

    for (path, body, code, field) in [
        ("cancel", json!({}), "missing_field", Value::Null),
        ("retry", json!({"dry_run": true}), "missing_field", Value::Null),
        ("cancel", json!({"tagg": "x"}), "unknown_field", json!("tagg")),
        ("cancel", json!({"tag": 5}), "invalid_field", json!("tag")),
        ("cancel", json!({"status": "sent"}), "invalid_field", json!("status")),
        ("retry", json!({"status": ["queued"]}), "invalid_field", json!("status")),
        ("retry", json!({"dry_run": "yes", "tag": "x"}), "invalid_field", json!("dry_run")),
        ("retry", json!([]), "malformed_json", Value::Null),
    ] {
        let response = app.post_to(&format!("/v1/notifications/{path}"), body.clone()).await;
        let problem: Value = response.json().await.unwrap();
        assert_eq!(
            (&problem["code"], problem.get("field").unwrap_or(&Value::Null)),
            (&json!(code), &field),
            "{body}: {problem}"
        );
    }
}

async fn replies_end_with_what_they_follow_and_come_along_again(app: &TestApp) {
    let text: String = (0..2500).map(|n| format!("word{n} ")).collect();
    let body = json!({"chat_id": 9, "text": text, "long_caption": "split", "tags": ["long"], "send_at": in_an_hour()});
    let id = app.accept(body).await;
    let then = app.record(&id).await["then"].as_array().unwrap().len();
    assert!(then > 2);
    let cancelled = app.operate("/v1/notifications/cancel", json!({"tag": "long"})).await;
    assert_eq!(counts(&cancelled), [1, 1, 0, 0, 0], "{cancelled:#}");
    let all = app.json("/v1/notifications/summary?tag=long").await;
    assert_eq!(all["by_status"], json!({"cancelled": then + 1}));
    // Its time is an hour ahead still.
    let retried = app.operate("/v1/notifications/retry", json!({"tag": "long", "status": "cancelled"})).await;
    assert_eq!(counts(&retried), [1, 1, 0, 0, 0], "{retried:#}");
    let all = app.json("/v1/notifications/summary?tag=long").await;
    assert_eq!(all["by_status"], json!({"queued": then, "scheduled": 1}));
    app.operate("/v1/notifications/cancel", json!({"tag": "long"})).await;
}

/// As the courier buries what crashes it.
async fn dead_letters_are_brought_back_by_their_class(app: &TestApp) {
    let pause = async |verb: &str| {
        assert_eq!(app.post_to(&format!("/v1/bots/default/{verb}"), json!({})).await.status(), 200);
    };
    pause("pause").await;
    let (buried, other) =
        (app.accept(json!({"chat_id": 1, "text": "x"})).await, app.accept(json!({"chat_id": 2, "text": "y"})).await);
    let ledger = app.ledger();
    for (id, class) in [(&buried, FailureClass::Buried), (&other, FailureClass::Content)] {
        let record = ledger.get(id.parse().unwrap()).await.unwrap().unwrap();
        let failure = Some(Failure { class, error_code: None, description: "crashed its courier 3 times".to_owned() });
        let update = RecordUpdate { failure, ..RecordUpdate::of(Status::Failed, Timestamp::now()) };
        assert!(ledger.settle(&record.notification, &update).await.unwrap());
    }
    pause("resume").await;
    let found = app.json("/v1/notifications?class=buried").await;
    assert_eq!(found["notifications"][0]["id"], json!(buried), "{found:#}");
    let retried = app.operate("/v1/notifications/retry", json!({"class": "buried"})).await;
    assert_eq!(counts(&retried), [1, 1, 0, 0, 0], "{retried:#}");
    app.sent(&buried).await;
    assert_eq!(app.record(&other).await["status"], "failed");
    assert_eq!(app.messages().len(), 1);
}

async fn what_fails_again_is_not_tried_a_third_time(app: &TestApp) {
    app.sandbox.add_fault(refused(0)).unwrap();
    for number in 0..150 {
        app.accept(json!({"chat_id": number + 1, "text": "x"})).await;
    }
    let failed = async || app.json("/v1/notifications/summary").await["by_status"]["failed"] == json!(150);
    app.until("all to fail", failed).await;
    let retried = app.operate("/v1/notifications/retry", json!({"status": "failed"})).await;
    assert_eq!(counts(&retried), [150, 150, 0, 0, 0], "{retried:#}");
    app.until("all to fail again", failed).await;
    let listed = app.json("/v1/notifications?limit=1000").await;
    let attempts =
        listed["notifications"].as_array().unwrap().iter().map(|it| it["attempts"].as_array().unwrap().len());
    assert_eq!(attempts.collect::<Vec<_>>(), vec![2; 150]);
    app.sandbox.clear_faults();
}
