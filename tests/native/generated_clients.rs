//! Clients of the native API that are made of its OpenAPI document, by generators as people use them, and send with it.

use crate::bot_api::clients::{node, python, run};
use crate::support::test_app::{On, TestApp};

/// It also asks a validator about the document.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_python_client_is_generated_and_sends() {
    let app = TestApp::with_two_bots(On::Embedded).await;
    run(&app, python("openapi_client.py"), &["valid", "photo", "text", "album", "edit", "problem"]).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_javascript_client_is_made_and_sends_every_example() {
    let app = TestApp::with_two_bots(On::Embedded).await;
    run(&app, node("openapi_client.js"), &["examples", "problem"]).await;
    app.stop().await;
}
