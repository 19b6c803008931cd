//! A process that is drained gives up its bots and goes on answering.

use crate::support::test_app::{On, TestApp};
use pixcourier::app::Role;
use serde_json::{Value, json};

on_both_engines!(a_drained_process_sends_nothing_until_it_is_resumed);

async fn post(app: &TestApp, api: &str, path: &str) -> Value {
    let response = app.client.post(format!("{api}{path}")).send().await.unwrap();
    assert_eq!(response.status(), 200, "{path}");
    response.json().await.unwrap()
}

async fn process(app: &TestApp, api: &str) -> Value {
    app.client.get(format!("{api}/v1/process")).send().await.unwrap().json().await.unwrap()
}

async fn owns(app: &TestApp, api: &str, owned: Value) {
    app.until(&format!("{owned} to be owned"), async || process(app, api).await["owned"] == owned).await;
}

async fn a_drained_process_sends_nothing_until_it_is_resumed(app: &TestApp) {
    owns(app, &app.api, json!(["default"])).await;
    for _ in 0..2 {
        assert_eq!(post(app, &app.api, "/v1/process/drain").await["draining"], json!(true), "twice is once");
    }
    owns(app, &app.api, json!([])).await;
    let ready = app.get("/readyz").await;
    assert_eq!(
        (ready.status().as_u16(), ready.json::<Value>().await.unwrap()["status"].clone()),
        (503, json!("draining"))
    );
    let sent = app.messages().len();
    let ids =
        [app.accept(json!({"chat_id": 1, "text": "x"})).await, app.accept(json!({"chat_id": 1, "text": "y"})).await];
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert_eq!(app.messages().len(), sent, "it is accepted and waits");
    assert_eq!(post(app, &app.api, "/v1/process/resume").await["draining"], json!(false));
    for id in &ids {
        app.sent(id).await;
    }
    assert_eq!(app.get("/readyz").await.status(), 200);
    owns(app, &app.api, json!(["default"])).await;
}

/// All bots, and they come back to their share when it is resumed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_worker_has_the_bots_of_a_drained_one() {
    let app = TestApp::with_two_bots(On::Distributed).await;
    let worker = app.peer(Role::Worker).await;
    let both = json!(["default", "other"]);
    for (drained, heir) in [(&worker.url, &app.api), (&app.api, &worker.url), (&worker.url, &app.api)] {
        post(&app, drained, "/v1/process/drain").await;
        owns(&app, drained, json!([])).await;
        owns(&app, heir, both.clone()).await;
        let ids = [
            app.accept(json!({"chat_id": 1, "text": "x"})).await,
            app.accept(json!({"chat_id": 1, "text": "y", "bot": "other"})).await,
        ];
        for id in &ids {
            app.sent(id).await;
        }
        post(&app, drained, "/v1/process/resume").await;
        app.until("a bot each", async || process(&app, drained).await["owned"].as_array().unwrap().len() == 1).await;
    }
    worker.stop().await;
    app.stop().await;
}
