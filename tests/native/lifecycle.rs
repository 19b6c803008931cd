//! A notification can be asked about, listed, taken back and tried again.

use crate::support::answer::Answer;
use crate::support::api_app::{ApiApp, form, png};
use pixcourier::domain::{
    Attempt, AttemptOutcome, Failure, FailureClass, NotificationId, RecordUpdate, Status, Timestamp,
};
use pixcourier::ports::BeginConditions;
use reqwest::Method;
use serde_json::{Value, json};

async fn settle(app: &ApiApp, id: &str, status: Status) {
    let record = app.engine.ports.ledger.get(id.parse().unwrap()).await.unwrap().unwrap();
    let at = Timestamp::now();
    let attempt = Attempt {
        at,
        duration_ms: 120,
        uploaded: true,
        outcome: AttemptOutcome::Permanent,
        error_code: Some(403),
        reason: Some("Forbidden: bot was blocked by the user".to_owned()),
        retry_after: None,
    };
    let failure = Failure {
        class: FailureClass::Recipient,
        error_code: Some(403),
        description: "Forbidden: bot was blocked by the user".to_owned(),
    };
    let update = RecordUpdate {
        attempt: Some(attempt),
        failure: (status == Status::Failed).then_some(failure),
        message_id: (status == Status::Sent).then_some(77),
        ..RecordUpdate::of(status, at)
    };
    assert!(app.engine.ports.ledger.settle(&record.notification, &update).await.unwrap());
}

async fn post(app: &ApiApp, changes: Value) -> String {
    let mut body = json!({"chat_id": 42, "photo": "AgACAgIAAxk"});
    changes.as_object().unwrap().iter().for_each(|(name, value)| body[name] = value.clone());
    app.post_json(&body).await.id()
}

#[tokio::test]
async fn a_failure_is_told_with_telegrams_own_words() {
    let app = ApiApp::start().await;
    let id = post(&app, json!({})).await;
    settle(&app, &id, Status::Failed).await;
    let view = app.get(&format!("/v1/notifications/{id}")).await.json();
    assert_eq!(view["status"], "failed");
    let words = "Forbidden: bot was blocked by the user";
    assert_eq!(view["failure"], json!({"class": "recipient", "error_code": 403, "description": words}));
    let attempt = &view["attempts"][0];
    assert_eq!((&attempt["outcome"], &attempt["reason"]), (&json!("permanent"), &json!(words)));
    assert_eq!((&attempt["duration_ms"], &attempt["uploaded"]), (&json!(120), &json!(true)));
    app.stop().await;
}

#[tokio::test]
async fn listings_go_page_by_page_and_by_status_and_bot() {
    let app = ApiApp::start().await;
    let mut posted: Vec<String> = Vec::new();
    for i in 0..7 {
        posted.push(post(&app, json!({"bot": if i % 2 == 0 { "default" } else { "alerts" }})).await);
    }
    settle(&app, &posted[3], Status::Sent).await;
    posted.reverse();
    let mut seen: Vec<String> = Vec::new();
    let mut path = "/v1/notifications?limit=3".to_owned();
    for pages in 1.. {
        let page = app.get(&path).await.json();
        let ids = page["notifications"].as_array().unwrap().iter().map(|n| n["id"].as_str().unwrap().to_owned());
        seen.extend(ids);
        let Some(cursor) = page["next_cursor"].as_str() else {
            assert_eq!(pages, 3);
            break;
        };
        path = format!("/v1/notifications?limit=3&cursor={cursor}");
    }
    assert_eq!(seen, posted, "newest first, each once");
    for (query, count) in [
        ("status=sent", 1),
        ("status=queued", 6),
        ("bot=alerts", 3),
        ("bot=alerts&status=queued", 2),
        ("bot=nobody", 0),
    ] {
        let page = app.get(&format!("/v1/notifications?{query}")).await.json();
        assert_eq!(page["notifications"].as_array().unwrap().len(), count, "{query}");
    }
    app.stop().await;
}

#[tokio::test]
async fn a_waiting_one_can_be_cancelled_and_a_finished_one_cannot() {
    let app = ApiApp::start().await;
    let cancel = |id: String| Answer::of(app.request(Method::DELETE, &format!("/v1/notifications/{id}")));
    for changes in [json!({}), json!({"send_at": Timestamp::now().plus(std::time::Duration::from_secs(3600))})] {
        let id = post(&app, changes).await;
        let cancelled = cancel(id.clone()).await;
        assert_eq!((cancelled.status.as_u16(), &cancelled.json()["status"]), (200, &json!("cancelled")));
        let again = cancel(id).await;
        assert_eq!((again.status.as_u16(), again.json()), (200, cancelled.json()), "it will still not be sent");
    }
    let sent = post(&app, json!({})).await;
    settle(&app, &sent, Status::Sent).await;
    cancel(sent).await.assert_problem("sent", 409, "too_late", None);
    let sending = post(&app, json!({})).await;
    let record = app.engine.ports.ledger.get(sending.parse().unwrap()).await.unwrap().unwrap();
    app.engine.ports.ledger.begin(&record.notification, Timestamp::now(), &BeginConditions::NONE).await.unwrap();
    cancel(sending).await.assert_problem("sending", 409, "too_late", None);
    app.stop().await;
}

#[tokio::test]
async fn a_scheduled_one_is_accepted_as_scheduled() {
    let app = ApiApp::start().await;
    let at = Timestamp::now().plus(std::time::Duration::from_secs(3600));
    let answer = app.post_json(&json!({"chat_id": 42, "photo": "AgACAgIAAxk", "send_at": at})).await;
    assert_eq!(answer.json()["status"], "scheduled");
    let view = app.get(answer.header("location")).await.json();
    assert_eq!((&view["status"], &view["send_at"]), (&json!("scheduled"), &json!(at)));
    assert_eq!(view["expires_at"], json!(at.plus(std::time::Duration::from_secs(86_400))));
    app.stop().await;
}

#[tokio::test]
async fn a_retry_keeps_when_it_was_created_and_a_time_that_lies_ahead() {
    let app = ApiApp::start().await;
    let at = Timestamp::now().plus(std::time::Duration::from_secs(3_600));
    let id = post(&app, json!({"send_at": at})).await;
    let before = app.get(&format!("/v1/notifications/{id}")).await.json();
    assert_eq!(Answer::of(app.request(Method::DELETE, &format!("/v1/notifications/{id}"))).await.status, 200);
    for _ in 0..2 {
        let again = Answer::of(app.request(Method::POST, &format!("/v1/notifications/{id}/retry"))).await.json();
        assert_eq!((&again["status"], &again["send_at"]), (&json!("scheduled"), &json!(at)));
        assert_eq!(again["created_at"], before["created_at"]);
        assert_eq!(again["expires_at"], json!(at.plus(std::time::Duration::from_secs(86_400))));
        assert_eq!(Answer::of(app.request(Method::DELETE, &format!("/v1/notifications/{id}"))).await.status, 200);
    }
    app.stop().await;
}

#[tokio::test]
async fn what_ended_unsent_can_be_tried_again_and_nothing_else() {
    let app = ApiApp::start().await;
    let retry = |id: String| Answer::of(app.request(Method::POST, &format!("/v1/notifications/{id}/retry")));
    for status in [Status::Failed, Status::Expired, Status::Cancelled, Status::Unknown] {
        let id = post(&app, json!({})).await;
        settle(&app, &id, status).await;
        let again = retry(id.clone()).await;
        assert_eq!(again.status, 202, "{}", again.text);
        assert_eq!(again.header("location"), format!("/v1/notifications/{id}"));
        let view = again.json();
        assert_eq!((&view["id"], &view["status"], &view["failure"]), (&json!(id), &json!("queued"), &Value::Null));
        let expiry = Timestamp::parse(view["expires_at"].as_str().unwrap()).unwrap();
        assert!(expiry > Timestamp::now().plus(std::time::Duration::from_secs(86_000)));
        retry(id).await.assert_problem("on its way", 409, "not_retryable", None);
    }
    let sent = post(&app, json!({})).await;
    settle(&app, &sent, Status::Sent).await;
    retry(sent).await.assert_problem("sent", 409, "not_retryable", None);
    let unknown = NotificationId::new().to_string();
    retry(unknown).await.assert_problem("unknown", 404, "notification_not_found", None);
    app.stop().await;
}

#[tokio::test]
async fn a_retry_without_its_image_says_that_the_image_is_gone() {
    let app = ApiApp::start().await;
    let id = app.post_form(form("42", png(5, 5, 100))).await.id();
    settle(&app, &id, Status::Failed).await;
    let far = Timestamp::now().plus(std::time::Duration::from_secs(40 * 86_400));
    let pins = Unpinned;
    assert_eq!(app.engine.ports.blobs.sweep(far, &pins).await.unwrap(), 1);
    let answer = Answer::of(app.request(Method::POST, &format!("/v1/notifications/{id}/retry"))).await;
    answer.assert_problem("swept", 410, "image_gone", None);
    app.stop().await;
}

/// An index that pins nothing, to sweep with.
pub struct Unpinned;

#[async_trait::async_trait]
impl pixcourier::ports::MediaIndex for Unpinned {
    async fn file_id(&self, _: &pixcourier::ports::FileKey) -> Result<Option<String>, pixcourier::ports::LedgerError> {
        Ok(None)
    }

    async fn keep(&self, _: &pixcourier::ports::FileKey, _: &str) -> Result<(), pixcourier::ports::LedgerError> {
        Ok(())
    }

    async fn evict(&self, _: &pixcourier::ports::FileKey, _: &str) -> Result<(), pixcourier::ports::LedgerError> {
        Ok(())
    }

    async fn pin(&self, _: &pixcourier::domain::Sha256, _: Timestamp) -> Result<(), pixcourier::ports::LedgerError> {
        Ok(())
    }

    async fn is_pinned(
        &self,
        _: &pixcourier::domain::Sha256,
        _: Timestamp,
    ) -> Result<bool, pixcourier::ports::LedgerError> {
        Ok(false)
    }
}
