//! The log as an operator reads it, of the program itself.

use crate::support::program::Program;
use crate::support::settings::TOKEN;
use crate::support::wait;
use pixcourier::sandbox::{FaultRule, InjectedFault, Sandbox, SandboxOptions};
use reqwest::Client;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{ChildStderr, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const WAIT: Duration = Duration::from_secs(30);

/// All lines so far, each read as JSON.
#[derive(Clone)]
struct Lines(Arc<Mutex<Vec<Value>>>);

impl Lines {
    fn of(log: ChildStderr) -> Self {
        let lines = Self(Arc::default());
        let kept = lines.0.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(log).lines().map_while(Result::ok) {
                let line = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
                kept.lock().unwrap().push(line);
            }
        });
        lines
    }

    async fn with(&self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        wait::until(what, WAIT, async || self.0.lock().unwrap().iter().find(|line| is_it(line)).cloned()).await
    }
}

#[tokio::test]
async fn each_line_is_one_flat_object_with_the_same_names() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let sandbox = Sandbox::start(TcpListener::bind("127.0.0.1:0").unwrap(), SandboxOptions::default()).unwrap();
    let environment = [("PIXCOURIER_LOG_FORMAT", "json"), ("PIXCOURIER_LOG", "debug")];
    let mut service = Program::serve(&sandbox.url(), &environment, Stdio::piped());
    let lines = Lines::of(service.log());
    let (client, url) = (Client::new(), format!("{}/v1/notifications", service.url));
    let post = |body: Value| client.post(&url).header("X-Request-Id", "r-1").json(&body).send();

    let accepted: Value =
        post(json!({"chat_id": 987_654_321, "text": "a private word"})).await.unwrap().json().await.unwrap();
    let id = accepted["id"].as_str().unwrap();
    let sent = lines.with("sent", |line| line["message"] == "sent").await;
    assert_eq!((&sent["notification"], &sent["bot"], &sent["level"]), (&id.into(), &"default".into(), &"INFO".into()));
    let answered = lines.with("the request", |line| line["status"] == 202).await;
    assert_eq!((&answered["notification"], &answered["request_id"]), (&id.into(), &"r-1".into()));

    post(json!({"chat_id": 0, "text": "a private word"})).await.unwrap();
    let refused = lines.with("the refusal", |line| line["status"] == 400).await;
    assert_eq!((&refused["code"], &refused["field"]), (&"invalid_chat_id".into(), &"chat_id".into()));
    assert_eq!(refused["level"], "INFO");
    client.get(format!("{url}/{id}")).send().await.unwrap();
    let looked = lines.with("a look", |line| line["method"] == "GET" && line["status"] == 200).await;
    assert_eq!(looked["level"], "DEBUG");

    for line in lines.0.lock().unwrap().iter() {
        assert!(line.as_object().unwrap().values().all(|value| !value.is_object()), "{line}");
        let text = line.to_string();
        let quiet = line["level"] != "DEBUG";
        assert!(!quiet || !text.contains("987654321") && !text.contains("a private word"), "{line}");
    }
}

#[tokio::test]
async fn a_refused_token_and_a_telegram_that_goes_away_are_told() {
    let sandbox = Sandbox::start(TcpListener::bind("127.0.0.1:0").unwrap(), SandboxOptions::default()).unwrap();
    let unauthorized: InjectedFault = serde_json::from_value(json!("unauthorized")).unwrap();
    sandbox.add_fault(FaultRule::next("getMe", unauthorized)).unwrap();
    let mut refused = Program::serve(&sandbox.url(), &[("PIXCOURIER_LOG_FORMAT", "json")], Stdio::piped());
    let told = Lines::of(refused.log()).with("the refused token", |line| line["level"] == "ERROR").await;
    assert_eq!((&told["bot"], &told["status"]), (&"default".into(), &401.into()), "{told}");
    assert!(!told.to_string().contains(TOKEN));

    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut alone = Program::serve("http://127.0.0.1:9", &[("PIXCOURIER_LOG_FORMAT", "json")], Stdio::piped());
    let lines = Lines::of(alone.log());
    lines.with("the first look", |line| line["level"] == "WARN" && line["bot"] == "default").await;
    for chat in 1..=6 {
        let body = json!({"chat_id": chat, "text": "x"});
        Client::new().post(format!("{}/v1/notifications", alone.url)).json(&body).send().await.unwrap();
    }
    let away = |line: &Value| {
        line["message"].as_str().is_some_and(|message| message.starts_with("Telegram does not answer: one probe"))
    };
    assert_eq!(lines.with("Telegram gone away", away).await["level"], "WARN");
}
