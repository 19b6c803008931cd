//! The harness itself: a test that leaves something behind must fail.

use crate::support::api_app::ApiApp;
use crate::support::test_app::{NO_LIMITS, On, TestApp, base64_png, lenient};
use pixcourier::app::Role;
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[should_panic(expected = "without stop()")]
async fn a_forgotten_stop_fails() {
    drop(ApiApp::start().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[should_panic(expected = "tasks to end that outlive the service: 1 are alive, 0 were before it started")]
async fn a_task_that_is_left_running_fails() {
    let app = ApiApp::start().await;
    tokio::spawn(std::future::pending::<()>());
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[should_panic(expected = "all records to be final (or a call of leave_unfinished): queued of ")]
async fn an_unfinished_notification_fails() {
    let app = TestApp::tuned(On::Embedded, Role::Api, NO_LIMITS, lenient(), |_| {}).await;
    app.accept(json!({"chat_id": 1, "photo": base64_png(1)})).await;
    app.stop().await;
}
