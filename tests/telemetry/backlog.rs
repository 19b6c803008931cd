//! The backlog in the metrics, where it is wherever it waits; and that no series is born at 1.

use crate::support::settings::TOKEN;
use crate::support::test_app::TestApp;
use pixcourier::domain::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

on_both_engines!(
    a_jam_is_seen_whole_and_so_is_what_is_scheduled,
    every_series_is_there_from_the_start,
    no_answer_makes_a_series_of_its_own
);

/// More than a chat may hold of the window, so that most of it goes back to the queue.
const JAMMED: u32 = 120;

async fn open(app: &TestApp, lane: &str, status: &str) -> f64 {
    app.metric("notifications_open", &format!(",lane=\"{lane}\",status=\"{status}\"")).await
}

async fn a_jam_is_seen_whole_and_so_is_what_is_scheduled(app: &TestApp) {
    app.fault(1, json!({"flood": {"retry_after": 3_000}}));
    for _ in 0..JAMMED {
        app.accept(json!({"chat_id": 7, "photo": "https://example.com/a.png"})).await;
    }
    let later = Timestamp::now().plus(Duration::from_secs(3_600)).to_string();
    for _ in 0..5 {
        app.accept(json!({"chat_id": 8, "text": "x", "send_at": later, "priority": "bulk"})).await;
    }
    let jam = async || open(app, "normal", "queued").await + open(app, "normal", "retrying").await;
    app.until("the whole jam", async || jam().await == f64::from(JAMMED)).await;
    app.until("what is scheduled", async || open(app, "bulk", "scheduled").await == 5.0).await;
    assert_eq!(open(app, "normal", "scheduled").await, 0.0);
    // The chat waits for 50 minutes, so all of it goes back until then.
    let deferred = async || app.metric("deferred_notifications", ",lane=\"normal\"").await;
    app.until("what is deferred", async || deferred().await >= f64::from(JAMMED) - 1.0).await;
    app.leave_unfinished();
}

async fn every_series_is_there_from_the_start(app: &TestApp) {
    let asked = "pixcourier_notifications_open{bot=\"default\",lane=\"urgent\",status=\"held\"} 0";
    let page = async || app.get("/metrics").await.text().await.unwrap();
    app.until("what is asked of the ledger", async || page().await.contains(asked)).await;
    let page = page().await;
    let series = [
        "pixcourier_notifications_sent_total{bot=\"default\",lane=\"urgent\"} 0",
        "pixcourier_notifications_failed_total{bot=\"default\",class=\"buried\"} 0",
        "pixcourier_notifications_ended_total{bot=\"default\",status=\"expired\"} 0",
        "pixcourier_attempts_total{bot=\"default\",outcome=\"flood_wait\"} 0",
        "pixcourier_flood_waits_total{bot=\"default\"} 0",
        "pixcourier_held{bot=\"default\"} 0",
        "pixcourier_part_up{part=\"disk\"} 1",
        "pixcourier_damaged 0",
        "pixcourier_oldest_notification_age_seconds{bot=\"default\",lane=\"bulk\"} 0",
        concat!("pixcourier_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
    ];
    for line in series {
        assert!(page.contains(line), "{line} is not in\n{page}");
    }
    assert!(page.contains("pixcourier_owned{bot=\"default\"}"), "in every role");
    assert!(!page.contains(TOKEN));
}

/// The series of requests, without their values.
async fn of_requests(app: &TestApp) -> BTreeSet<String> {
    let page = app.get("/metrics").await.text().await.unwrap();
    let series = page.lines().filter(|line| line.starts_with("pixcourier_http_requests_total{"));
    series.map(|line| line.rsplit_once(' ').expect("a value").0.to_owned()).collect()
}

/// Whatever is asked, of every operation in the description and of the other faces, is counted in a series that was there before.
async fn no_answer_makes_a_series_of_its_own(app: &TestApp) {
    let before = of_requests(app).await;
    let described: Value = app.get("/openapi.json").await.json().await.unwrap();
    let mut asked = 0;
    for (path, operations) in described["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let method = method.to_uppercase();
            for status in operation["responses"].as_object().unwrap().keys().map(String::as_str).chain(["500"]) {
                let series = format!("{{method=\"{method}\",route=\"{path}\",status=\"{status}\"}}");
                assert!(before.contains(&format!("pixcourier_http_requests_total{series}")), "{series} is not there");
            }
            if path == "/v1/events" || path.starts_with("/v1/process/") {
                // One goes on for ever, the others stop the courier.
                continue;
            }
            let address = path.replace("{id}", "0199e0f5-0000-7000-8000-000000000000").replace("{bot}", "default");
            let address =
                address.replace("{chat_id}", "42").replace("{sha256}", &"0".repeat(64)).replace("{file_id}", "AgAC");
            let method: Method = method.parse().unwrap();
            for body in [None, Some("{"), Some("{}"), Some(r#"{"chat_id": 42, "text": "x"}"#)] {
                let mut request = app.client.request(method.clone(), app.url(&address, &[]));
                if let Some(body) = body {
                    request = request.header("content-type", "application/json").body(body);
                }
                request.send().await.unwrap();
                asked += 1;
            }
        }
    }
    let token = format!("/bot{TOKEN}");
    for path in [
        &format!("{token}/getMe"),
        &format!("{token}/nothing"),
        &format!("{token}/sendMessage?chat_id=1&text=x"),
        "/bot1:x/getMe",
    ] {
        for method in [Method::GET, Method::POST] {
            app.client.request(method, app.url(path, &[])).send().await.unwrap();
        }
    }
    for (method, path) in [
        (Method::GET, "/docs/"),
        (Method::GET, "/docs"),
        (Method::GET, "/nowhere"),
        (Method::POST, "/nowhere"),
        (Method::POST, "/v3/telegram/single/text/message/1"),
        (Method::POST, "/v1/telegram/group/message/1"),
        (Method::GET, "/v1/telegram/other"),
        (Method::GET, "/bot1"),
        (Method::HEAD, "/healthz"),
        (Method::POST, "/webhook/default"),
        (Method::GET, "/file/bot1:x/a"),
        (Method::GET, "/1:x/getMe"),
    ] {
        app.client.request(method, app.url(path, &[])).send().await.unwrap();
    }
    let born: Vec<_> = of_requests(app).await.difference(&before).cloned().collect();
    // A HEAD that goes well is nothing to watch.
    assert_eq!(born, ["pixcourier_http_requests_total{method=\"HEAD\",route=\"/healthz\",status=\"200\"}"]);
    println!("{} series of requests, {asked} requests to the native API", before.len());
    app.leave_unfinished();
}
