//! The same key and the same request are the same notification.

use crate::native::lifecycle::Unpinned;
use crate::support::answer::Answer;
use crate::support::api_app::{ApiApp, form, png};
use crate::support::wait::{WAIT_TIMEOUT, until_true};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pixcourier::domain::{Sha256, Timestamp};
use pixcourier::ports::ListQuery;
use serde_json::{Value, json};
use std::time::Duration;

async fn accepted(app: &ApiApp) -> usize {
    app.engine.ports.ledger.list(&ListQuery { limit: 1000, ..ListQuery::default() }).await.unwrap().records.len()
}

#[tokio::test]
async fn the_same_request_gets_the_same_answer_whatever_form_it_takes() {
    let app = ApiApp::start().await;
    let image = png(64, 48, 5000);
    let base64 = STANDARD.encode(&image);
    let json = |body: Value| app.post().header("Idempotency-Key", "order-17").json(&body);
    let first = Answer::of(json(json!({"chat_id": 42, "photo": {"base64": base64}}))).await;
    let again = Answer::of(json(json!({"chat_id": 42, "photo": {"base64": base64}}))).await;
    let ordered =
        Answer::of(json(json!({"photo": {"base64": base64}, "bot": "default", "chat_id": "42", "tags": []}))).await;
    let by_form = Answer::of(app.post().header("Idempotency-Key", "order-17").multipart(form("42", image))).await;
    assert_eq!(first.status, 202);
    assert!(!first.headers.contains_key("idempotent-replayed"));
    for repeat in [again, ordered, by_form] {
        assert_eq!(repeat.header("idempotent-replayed"), "true");
        assert_eq!((repeat.status, &repeat.text), (first.status, &first.text));
        assert_eq!(repeat.header("location"), first.header("location"));
    }
    assert_eq!(accepted(&app).await, 1);
    let other = Answer::of(json(json!({"chat_id": 43, "photo": {"base64": base64}}))).await;
    other.assert_problem("another chat", 422, "idempotency_key_reused", Some("Idempotency-Key"));
    let other =
        Answer::of(app.post().header("Idempotency-Key", "order-17").multipart(form("42", png(64, 49, 5000)))).await;
    other.assert_problem("another image", 422, "idempotency_key_reused", Some("Idempotency-Key"));
    assert_eq!(accepted(&app).await, 1);
    app.stop().await;
}

/// Whoever lost the answer asks again, however late: what has passed since does not make it another answer.
#[tokio::test]
async fn a_repeat_gets_its_answer_though_it_has_expired_or_its_image_was_swept() {
    let app = ApiApp::start().await;
    let image = png(64, 48, 500);
    app.post_form(form("42", image.clone())).await.id();
    let soon = Timestamp::now().plus(Duration::from_millis(1500));
    let expiring = json!({"chat_id": 42, "photo": {"sha256": Sha256::of(&image)}, "expires_at": soon});
    let swept = json!({"chat_id": 43, "photo": {"sha256": Sha256::of(&image)}});
    let post =
        |key: &'static str, body: &serde_json::Value| Answer::of(app.post().header("Idempotency-Key", key).json(body));
    let first = [post("expiring", &expiring).await, post("swept", &swept).await];
    until_true("it to expire", WAIT_TIMEOUT, async || Timestamp::now() > soon).await;
    let far = Timestamp::now().plus(Duration::from_secs(40 * 86_400));
    assert_eq!(app.engine.ports.blobs.sweep(far, &Unpinned).await.unwrap(), 1);
    let again = [post("expiring", &expiring).await, post("swept", &swept).await];
    for (first, again) in first.iter().zip(&again) {
        assert_eq!((first.status.as_u16(), &first.text), (202, &again.text), "{again:?}");
    }
    post("swept", &expiring).await.assert_problem("another", 422, "idempotency_key_reused", Some("Idempotency-Key"));
    post("new", &expiring).await.assert_problem("expired", 400, "invalid_field", Some("expires_at"));
    post("new", &swept).await.assert_problem("swept", 400, "unknown_image", Some("photo.sha256"));
    assert_eq!(accepted(&app).await, 3);
    app.stop().await;
}

#[tokio::test]
async fn without_a_key_every_request_is_a_notification_of_its_own() {
    let app = ApiApp::start().await;
    let body = json!({"chat_id": 42, "photo": "AgACAgIAAxk"});
    assert_ne!(app.post_json(&body).await.id(), app.post_json(&body).await.id());
    app.stop().await;
}

#[tokio::test]
async fn of_many_at_once_with_one_key_one_is_accepted() {
    let app = ApiApp::start().await;
    let body = json!({"chat_id": 42, "photo": "AgACAgIAAxk"});
    let posts = (0..32).map(|_| Answer::of(app.post().header("Idempotency-Key", "once").json(&body)));
    let answers = futures_util::future::join_all(posts).await;
    assert!(answers.iter().all(|answer| answer.status == 202 && answer.text == answers[0].text));
    assert_eq!(accepted(&app).await, 1);
    app.stop().await;
}

#[tokio::test]
async fn a_refused_request_does_not_use_up_its_key_and_callers_do_not_share_keys() {
    let app = ApiApp::with_keys(&["alpha-key-for-the-test", "beta-key-for-the-test"]).await;
    let post = |key: &str, chat: i64| {
        let body = json!({"chat_id": chat, "photo": "AgACAgIAAxk"});
        Answer::of(app.post().bearer_auth(key).header("Idempotency-Key", "k").json(&body))
    };
    assert_eq!(post("alpha-key-for-the-test", 0).await.status, 400);
    let alpha = post("alpha-key-for-the-test", 1).await.id();
    let beta = post("beta-key-for-the-test", 2).await.id();
    assert_ne!(alpha, beta);
    assert_eq!(post("alpha-key-for-the-test", 2).await.status, 422);
    app.stop().await;
}

#[tokio::test]
async fn malformed_keys_are_refused() {
    let app = ApiApp::start().await;
    for bad in ["", "with space", &"x".repeat(256)] {
        let body = json!({"chat_id": 42, "photo": "AgACAgIAAxk"});
        let answer = Answer::of(app.post().header("Idempotency-Key", bad).json(&body)).await;
        answer.assert_problem(bad, 400, "invalid_idempotency_key", Some("Idempotency-Key"));
    }
    app.stop().await;
}
