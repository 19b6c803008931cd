//! What is taken back and tried again while it waits for its turn in the queue.

use crate::support::test_app::{On, TestApp, lenient};
use pixcourier::app::Role;
use pixcourier::settings::RateLimits;
use serde_json::json;

on_both_engines!(On: a_retry_of_what_was_deferred_holds_nothing_back);

/// Two a second and a window of ten: from the sixth on they go back to the queue until their turns. The last four of them are
/// taken back; when it is their turn, one is tried again, so that the retry is here before its older copy is.
async fn a_retry_of_what_was_deferred_holds_nothing_back(on: On) {
    let limits = RateLimits { bot_rate: 0.0, chat_rate: 2.0, chat_burst: 1, group_rate_per_minute: 0 };
    let app = TestApp::tuned(on, Role::All, limits, lenient(), |settings| settings.window = 10).await;
    let mut ids = Vec::new();
    for number in 0..12 {
        ids.push(app.accept(json!({"chat_id": 1, "text": format!("number {number}")})).await);
    }
    for id in &ids[8..] {
        let cancelled = app.client.delete(format!("{}/v1/notifications/{id}", app.api)).send().await.unwrap();
        assert_eq!(cancelled.status(), 200);
    }
    for id in &ids[..8] {
        app.sent(id).await;
    }
    let again = app.client.post(format!("{}/v1/notifications/{}/retry", app.api, ids[11])).send().await.unwrap();
    assert_eq!(again.status(), 202);
    let last = app.accept(json!({"chat_id": 1, "text": "the last"})).await;
    for id in [&ids[11], &last] {
        app.sent(id).await;
    }
    assert_eq!(app.messages().len(), 10);
    app.stop().await;
}
