//! The alert rules and the dashboard, by Prometheus itself.

use crate::support::event_reader::EventReader;
use crate::support::prometheus::{self, Prometheus};
use crate::support::test_app::{On, TestApp, base64_png};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn alerts() -> Vec<String> {
    let rules = read("deploy/alerts.yaml");
    let names = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: "));
    let names: Vec<String> = names.map(str::to_owned).collect();
    assert!(names.len() >= 16, "{names:?}");
    names
}

/// What is to be done when one fires must be found at night.
#[test]
fn every_alert_has_a_runbook_and_a_test_that_it_fires_and_one_that_it_does_not() {
    let (rules, tests, manual) =
        (read("deploy/alerts.yaml"), read("tests/alerts/alerts.test.yaml"), read("docs/operation.md"));
    let normal = tests.split("  - name: ").nth(1).expect("the first is normal traffic");
    for alert in alerts() {
        let url = format!("runbook_url: docs/operation.md#{}", alert.to_lowercase());
        assert!(rules.contains(&url), "{alert} has no {url}");
        assert!(manual.contains(&format!("### {alert}\n")), "docs/operation.md says nothing of {alert}");
        assert!(normal.contains(&format!("alertname: {alert},")), "{alert} is not judged on normal traffic");
        assert!(tests.contains(&format!("- alertname: {alert}\n")), "no test has {alert} fire");
    }
}

#[test]
fn alerts_fire_when_they_should_and_not_on_normal_traffic() {
    let Some(promtool) = prometheus::program("PIXCOURIER_TEST_PROMTOOL") else { return };
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/alerts/alerts.test.yaml");
    let judged = Command::new(promtool).args(["test", "rules"]).arg(tests).output().unwrap();
    assert!(
        judged.status.success(),
        "{}{}",
        String::from_utf8_lossy(&judged.stdout),
        String::from_utf8_lossy(&judged.stderr)
    );
}

/// A few that are sent, fail, wait and are tried again, so that every series has something to tell.
async fn make_traffic(app: &TestApp) {
    for chat in [1, 2, 9_000_000_403_i64] {
        let id = app.accept(json!({"chat_id": chat, "photo": base64_png(1)})).await;
        app.settled(&id).await;
    }
    app.fault(1, json!({"flood": {"retry_after": 1}}));
    let id = app.accept(json!({"chat_id": 1, "photo": base64_png(1)})).await;
    app.sent(&id).await;
}

#[tokio::test]
async fn every_expression_of_alerts_and_dashboard_is_answered_by_a_real_prometheus() {
    let app = TestApp::start(On::Embedded).await;
    let Some(prometheus) = Prometheus::scraping(&app.url("/metrics", &[])) else { return app.stop().await };
    prometheus.until_scraped().await;
    make_traffic(&app).await;
    // Something to see of pauses and event streams.
    let paused = app.client.post(app.url("/v1/bots/default/chats/5/pause", &[])).send().await.unwrap();
    assert_eq!(paused.status(), 200);
    let stream = EventReader::open(app.client.get(app.url("/v1/events", &[])), "").await;
    for seen in ["pixcourier_chats_paused == 1", "pixcourier_event_streams == 1"] {
        prometheus.until(seen, seen).await;
    }
    // Two samples of what the traffic made, for the rates.
    prometheus.until("what was sent", "increase(pixcourier_notifications_sent_total{lane=\"normal\"}[1m]) > 0").await;
    prometheus.until("what failed", "increase(pixcourier_notifications_failed_total[1m]) > 0").await;

    let rules = prometheus.ask("rules", &[]).await;
    let rules = rules["groups"][0]["rules"].as_array().expect("rules");
    assert_eq!(rules.len(), alerts().len());
    for rule in rules {
        assert!(rule["lastError"].is_null() && rule["health"] != "err", "{rule:#}");
        prometheus.query(rule["query"].as_str().unwrap()).await;
        assert_ne!(rule["state"], "firing", "on a service that works: {rule:#}");
    }

    let dashboard: Value = serde_json::from_str(&read("deploy/grafana-dashboard.json")).unwrap();
    let mut empty = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let expression = target["expr"].as_str().unwrap();
            let asked = expression.replace("$bot", ".*").replace("$__rate_interval", "1m");
            if prometheus.query(&asked).await.is_empty() {
                empty.push(format!("{}: {expression}", panel["title"]));
            }
        }
    }
    assert!(empty.is_empty(), "panels without data: {empty:#?}");
    drop((prometheus, stream));
    app.stop().await;
}
