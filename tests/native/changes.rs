//! Editing and deleting what has been sent, on both engines.

use crate::support::test_app::{TestApp, base64_png, png};
use pixcourier::domain::Sha256;
use pixcourier::sandbox::{FileKind, SandboxMessage};
use reqwest::Response;
use serde_json::{Value, json};

on_both_engines!(
    what_was_sent_is_edited_in_its_place,
    what_was_sent_is_deleted_albums_as_a_whole,
    only_what_was_sent_can_be_changed,
    a_change_under_one_key_is_made_once,
);

impl TestApp {
    async fn change(&self, id: &str, what: &str, body: Value) -> Response {
        let url = format!("{}/v1/notifications/{id}/{what}", self.api);
        self.client.post(url).json(&body).send().await.unwrap()
    }

    /// Makes a change that must work; returns its record.
    async fn changed(&self, id: &str, what: &str, body: Value) -> Value {
        let response = self.change(id, what, body).await;
        let status = response.status();
        let answer: Value = response.json().await.unwrap();
        assert_eq!(status, 202, "{answer:#}");
        assert_ne!(answer["id"], id);
        self.sent(answer["id"].as_str().unwrap()).await
    }

    fn message(&self, record: &Value) -> SandboxMessage {
        self.messages().into_iter().find(|m| Some(m.message_id) == record["message_id"].as_i64()).unwrap()
    }
}

async fn problem(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    let problem: Value = response.json().await.unwrap();
    (status, problem["code"].as_str().unwrap_or_default().to_owned())
}

async fn what_was_sent_is_edited_in_its_place(app: &TestApp) {
    let id = app.accept(json!({"chat_id": 42, "photo": base64_png(1), "caption": "a"})).await;
    let record = app.sent(&id).await;
    let edit = app.changed(&id, "edit", json!({"caption": "<i>b</i>", "parse_mode": "HTML"})).await;
    assert_eq!((&edit["method"], &edit["message_id"]), (&json!("editMessageCaption"), &record["message_id"]));
    assert_eq!(app.message(&record).caption.as_deref(), Some("b"));

    let buttons = json!({"inline_keyboard": [[{"text": "x", "callback_data": "x"}]]});
    app.changed(&id, "edit", json!({"reply_markup": buttons})).await;
    assert!(app.message(&record).reply_markup.is_some());

    let edit = app.changed(&id, "edit", json!({"photo": base64_png(2), "caption": "c"})).await;
    let message = app.message(&record);
    assert_eq!((message.media.unwrap().sha256, message.caption.as_deref()), (Sha256::of(&png(2)), Some("c")));
    let again = app.changed(edit["id"].as_str().unwrap(), "edit", json!({"document": base64_png(3)})).await;
    assert_eq!(again["message_id"], record["message_id"], "an edit can be edited");
    assert_eq!(app.message(&record).media.unwrap().kind, FileKind::Document);

    let id = app.accept(json!({"chat_id": 42, "photo": base64_png(2)})).await;
    app.sent(&id).await;
    assert_eq!(app.sandbox.stats().uploads, 3, "an edit's file_id is good for a send");

    let id = app.accept(json!({"chat_id": 42, "text": "a"})).await;
    let record = app.sent(&id).await;
    app.changed(&id, "edit", json!({"text": "b"})).await;
    assert_eq!(app.message(&record).caption.as_deref(), Some("b"));
}

async fn what_was_sent_is_deleted_albums_as_a_whole(app: &TestApp) {
    let id = app.accept(json!({"chat_id": 42, "photo": base64_png(1)})).await;
    let record = app.sent(&id).await;
    let url = format!("{}/v1/notifications/{id}/delete", app.api);
    let response = app.client.post(url).send().await.unwrap();
    assert_eq!(response.status(), 202, "without a body");
    let deletion = response.json::<Value>().await.unwrap()["id"].as_str().unwrap().to_owned();
    app.sent(&deletion).await;
    assert!(app.message(&record).deleted);
    assert_eq!(problem(app.change(&deletion, "delete", json!({})).await).await, (409, "no_message".into()));

    let item = |number| json!({"type": "photo", "media": base64_png(number)});
    let id = app.accept(json!({"chat_id": 43, "album": [item(1), item(2), item(3)]})).await;
    app.sent(&id).await;
    let gone = || app.messages().iter().filter(|m| m.chat_id == 43 && m.deleted).count();
    app.changed(&id, "delete", json!({"item": 2})).await;
    assert_eq!(gone(), 1);
    let edit = app.changed(&id, "edit", json!({"item": 3, "caption": "c"})).await;
    assert_eq!(edit["method"], "editMessageCaption");
    app.changed(&id, "delete", json!({})).await;
    assert_eq!(gone(), 3);
}

async fn only_what_was_sent_can_be_changed(app: &TestApp) {
    let later = json!({"chat_id": 42, "photo": base64_png(1), "send_at": "2099-01-01T00:00:00Z"});
    let refused = app.post(later).await.status();
    assert_eq!(refused, 400, "too far ahead");
    let at = pixcourier::domain::Timestamp::now().plus(std::time::Duration::from_secs(3600));
    let waiting = app.accept(json!({"chat_id": 42, "photo": base64_png(1), "send_at": at})).await;
    app.leave_unfinished();
    let sent = app.accept(json!({"chat_id": 42, "photo": base64_png(1)})).await;
    app.sent(&sent).await;
    let nobody = "01890a5d-ac96-774b-bcce-b302099a8057";
    for (id, what, body, status, code) in [
        (nobody, "edit", json!({"caption": "a"}), 404, "notification_not_found"),
        (nobody, "delete", json!({}), 404, "notification_not_found"),
        (&waiting, "edit", json!({"caption": "a"}), 409, "not_sent"),
        (&waiting, "delete", json!({}), 409, "not_sent"),
        (&sent, "edit", json!({}), 400, "missing_field"),
        (&sent, "edit", json!({"text": "a"}), 400, "misplaced_field"),
        (&sent, "edit", json!({"voice": "AgAC"}), 400, "misplaced_field"),
        (&sent, "edit", json!({"caption": "a", "chat_id": 5}), 400, "misplaced_field"),
        (&sent, "edit", json!({"captoin": "a"}), 400, "unknown_field"),
        (&sent, "edit", json!({"caption": "a", "item": 2}), 400, "invalid_field"),
        (&sent, "edit", json!({"reply_markup": {"force_reply": true}}), 400, "invalid_field"),
        (&sent, "delete", json!({"caption": "a"}), 400, "misplaced_field"),
    ] {
        let answer = problem(app.change(id, what, body.clone()).await).await;
        assert_eq!(answer, (status, code.to_owned()), "{what} {body}");
    }
}

async fn a_change_under_one_key_is_made_once(app: &TestApp) {
    let id = app.accept(json!({"chat_id": 42, "photo": base64_png(1)})).await;
    app.sent(&id).await;
    let url = format!("{}/v1/notifications/{id}/edit", app.api);
    let edit = async |caption: &str| {
        let request = app.client.post(&url).header("Idempotency-Key", "k").json(&json!({"caption": caption}));
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json::<Value>().await.unwrap())
    };
    let (first, again, other) = (edit("a").await, edit("a").await, edit("b").await);
    assert_eq!((first.0, again.0, other.0), (202, 202, 422));
    assert_eq!(first.1["id"], again.1["id"]);
    app.sent(first.1["id"].as_str().unwrap()).await;
    assert_eq!(app.sandbox.stats().edits, 1);
}
