//! The backlog in the metrics, where it is wherever it waits.

use crate::support::settings::TOKEN;
use crate::support::test_app::TestApp;
use pixcourier::domain::Timestamp;
use serde_json::json;
use std::time::Duration;

on_both_engines!(a_jam_is_seen_whole_and_so_is_what_is_scheduled, every_series_is_there_from_the_start);

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
