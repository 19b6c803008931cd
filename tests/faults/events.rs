//! The event stream when the service is killed: whoever comes again with the id of the last event that it has seen misses none.

use crate::sandbox;
use crate::service::{API_KEY, Engine, Service};
use crate::support::event_reader::EventReader;
use crate::support::wait;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const WAIT_TIMEOUT: Duration = Duration::from_secs(300);
/// How many are posted before each kill.
const POSTED: usize = 200;
const KILLS: usize = 3;

#[tokio::test(flavor = "multi_thread")]
async fn no_end_is_missed_across_kills_on_the_embedded_engine() {
    kills(Engine::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_end_is_missed_across_kills_on_the_distributed_engine() {
    kills(Engine::shared()).await;
}

/// What a listener has seen: how often it came, and by event id the notification.
#[derive(Default)]
struct Seen {
    connections: usize,
    gaps: usize,
    events: usize,
    notifications: BTreeMap<String, String>,
}

/// Listens for ever, each time behind the last event that it has seen.
async fn listen(http: reqwest::Client, base: String, seen: Arc<Mutex<Seen>>) {
    let mut last = String::new();
    loop {
        let request = http.get(format!("{base}/v1/events")).bearer_auth(API_KEY);
        if let Some(mut stream) = EventReader::try_open(request, &last).await {
            seen.lock().unwrap().connections += 1;
            while let Some(told) = stream.next().await {
                let mut seen = seen.lock().unwrap();
                last.clone_from(&told.id);
                if told.kind == "events.gap" {
                    seen.gaps += 1;
                    continue;
                }
                seen.events += 1;
                let earlier = seen.notifications.insert(told.id.clone(), told.notification());
                assert!(earlier.is_none_or(|earlier| earlier == told.notification()), "one id, one event");
            }
            if last.is_empty() {
                last = stream.last_id;
            }
        }
        // The pace of a client that comes again.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn kills(engine: Engine) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let sandbox = sandbox::start();
    let mut service = Service::new("event-kills", engine.clone(), &sandbox.url());
    service.start().await;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let base = format!("http://127.0.0.1:{}", service.port());
    let seen = Arc::new(Mutex::new(Seen::default()));
    let listening = tokio::spawn(listen(http.clone(), base.clone(), seen.clone()));
    let connected = |count: usize| {
        let seen = seen.clone();
        async move || seen.lock().unwrap().connections >= count
    };
    wait::until_true("the listener", WAIT_TIMEOUT, connected(1)).await;
    let mut accepted = BTreeSet::new();
    for kill in 0..=KILLS {
        let goal = sandbox.stats().sends + POSTED as u64 / 2;
        let posting = tokio::spawn({
            let (http, url) = (http.clone(), format!("{base}/v1/notifications"));
            async move {
                let mut ids = Vec::new();
                for number in 0..POSTED {
                    let body = json!({"chat_id": number % 50 + 1, "text": "x"});
                    let Ok(answer) = http.post(&url).bearer_auth(API_KEY).json(&body).send().await else { break };
                    let Ok(answer) = answer.json::<Value>().await else { break };
                    ids.extend(answer["id"].as_str().map(str::to_owned));
                }
                ids
            }
        });
        wait::until_true("deliveries", WAIT_TIMEOUT, async || sandbox.stats().sends >= goal).await;
        if kill < KILLS {
            service.kill9();
            accepted.extend(posting.await.unwrap());
            service.start().await;
            wait::until_true("the listener", WAIT_TIMEOUT, connected(kill + 2)).await;
        } else {
            accepted.extend(posting.await.unwrap());
        }
    }
    let told = |seen: &Seen| seen.notifications.values().cloned().collect::<BTreeSet<_>>();
    wait::until_true("all to be told", WAIT_TIMEOUT, async || accepted.is_subset(&told(&seen.lock().unwrap()))).await;
    listening.abort();
    let seen = seen.lock().unwrap();
    println!(
        "events and {KILLS} kills -9, {}: {} accepted, {} told over {} connections, {} of them again, {} gaps, none missed",
        engine.name(),
        accepted.len(),
        told(&seen).len(),
        seen.connections,
        seen.events - seen.notifications.len(),
        seen.gaps
    );
    assert_eq!(seen.gaps, 0);
    assert_eq!(told(&seen).len(), seen.notifications.len(), "each end is one event");
}
