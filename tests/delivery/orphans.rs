//! What was scheduled for a bot that is removed, and comes back.

use crate::support::amqp_url;
use crate::support::test_app::{On, TestApp};
use lapin::options::QueueDeleteOptions;
use lapin::{Connection, ConnectionProperties};
use pixcourier::app::orphans;
use pixcourier::domain::BotName;
use pixcourier::settings::{EngineSettings, Settings};
use serde_json::json;
use std::time::Duration;

/// Deletes queues, on a runtime of its own, whose tasks end with it.
fn delete(queues: [String; 4]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let connection = Connection::connect(&amqp_url(), ConnectionProperties::default()).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        for name in queues {
            channel.queue_delete(name.as_str().into(), QueueDeleteOptions::default()).await.unwrap();
        }
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orphans_are_found_and_sent_once_their_bot_is_back() {
    let mut app = TestApp::with_two_bots(On::Distributed).await;
    let whole = app.settings.clone();
    let EngineSettings::Distributed(parts) = &whole.engine else { unreachable!("it is distributed") };
    let due = time::OffsetDateTime::now_utc() + Duration::from_secs(15);
    let due = due.format(&time::format_description::well_known::Rfc3339).unwrap();
    let mut ids = Vec::new();
    for chat in 1..=3 {
        ids.push(app.accept(json!({"chat_id": chat, "text": "x", "bot": "other", "send_at": due})).await);
    }
    let other: BotName = "other".parse().unwrap();
    app.settings.bots.remove(&other);
    app.restart().await;
    let queues = ["returned", "urgent", "normal", "bulk"].map(|place| format!("{}.other.{place}", parts.namespace));
    tokio::task::spawn_blocking(|| delete(queues)).await.unwrap();
    let orphans = async || {
        let page = app.get("/metrics").await.text().await.unwrap();
        page.lines().any(|line| line == "pixcourier_orphans 3")
    };
    app.until("the orphans", orphans).await;
    let inspect = async |settings: &Settings, replay| {
        let mut all = Vec::new();
        let found = |notification: Option<pixcourier::domain::Notification>, put_back| {
            all.push((notification.expect("it can be read").id.to_string(), put_back));
        };
        orphans::inspect(settings, replay, found).await.unwrap();
        all.sort_unstable();
        all
    };
    let mut expected = ids.clone();
    expected.sort_unstable();
    let with = |put_back: bool| expected.iter().map(|id| (id.clone(), put_back)).collect::<Vec<_>>();
    assert_eq!(inspect(&whole, false).await, with(false), "looking changes nothing");
    assert_eq!(app.record(&ids[0]).await["status"], "scheduled");
    app.settings = whole.clone();
    app.restart().await;
    // Once its queues are declared again.
    app.until("them to be put back", async || inspect(&whole, true).await == with(true)).await;
    for id in &ids {
        app.sent(id).await;
    }
    assert_eq!(app.messages().len(), 3, "each once");
    app.stop().await;
}
