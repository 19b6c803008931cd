//! SIGHUP as an operator sends it: to the program, under load.

use crate::support::program::Program;
use crate::support::settings::TOKEN;
use crate::support::wait::{WAIT_TIMEOUT, until_true};
use pixcourier::sandbox::{MessageFilter, Sandbox, SandboxOptions};
use reqwest::Client;
use serde_json::{Value, json};
use std::io::Read;
use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

const KEY: &str = "the-key-of-the-callers";
const ROUNDS: usize = 10;
const CALLERS: usize = 4;

fn client_key(round: usize) -> String {
    format!("the-secret-key-of-round-{round}")
}

fn write(config: &Path, round: usize, more: &str) {
    let file = format!("api_keys = [\"{KEY}\"]\n{more}\n[clients.shop]\nkey = \"{}\"\n", client_key(round));
    std::fs::write(config, file).unwrap();
}

/// Posts until it is enough; every post must be accepted. Returns the ids.
async fn post(url: String, enough: Arc<AtomicBool>, accepted: Arc<AtomicUsize>) -> Vec<String> {
    let (client, mut ids) = (Client::new(), Vec::new());
    while !enough.load(Ordering::Relaxed) {
        let post = client.post(format!("{url}/v1/notifications")).bearer_auth(KEY);
        let answer = post.json(&json!({"chat_id": 7, "text": "x"})).send().await.expect("an answer to every request");
        assert_eq!(answer.status(), 202);
        accepted.fetch_add(1, Ordering::Relaxed);
        ids.push(answer.json::<Value>().await.unwrap()["id"].as_str().unwrap().to_owned());
    }
    ids
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reloads_under_load_lose_no_request_and_a_wrong_file_changes_nothing() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let options = SandboxOptions { limits: None, ..SandboxOptions::default() };
    let sandbox = Sandbox::start(TcpListener::bind("127.0.0.1:0").unwrap(), options).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("pixcourier.toml");
    write(&config, 0, "");
    let no_limits = ["BOT_RATE", "CHAT_RATE", "GROUP_RATE_PER_MINUTE"].map(|name| format!("PIXCOURIER_{name}"));
    let environment: Vec<(&str, &str)> = no_limits.iter().map(|name| (name.as_str(), "0")).collect();
    let arguments = ["--config", config.to_str().unwrap()];
    let mut service = Program::serve_with(&arguments, &sandbox.url(), &environment, Stdio::piped());
    let (log, mut lines) = (Arc::new(Mutex::new(String::new())), service.log());
    let kept = log.clone();
    std::thread::spawn(move || {
        let mut piece = [0; 4096];
        while let Ok(read @ 1..) = lines.read(&mut piece) {
            kept.lock().unwrap().push_str(&String::from_utf8_lossy(&piece[..read]));
        }
    });
    let logged = |words: &str| log.lock().unwrap().contains(words);
    let client = Client::new();
    let status = async |key: &str| {
        let listing = client.get(format!("{}/v1/notifications?limit=1", service.url)).bearer_auth(key);
        listing.send().await.expect("an answer").status().as_u16()
    };
    until_true("the service", WAIT_TIMEOUT, async || {
        client.get(format!("{}/readyz", service.url)).send().await.is_ok_and(|answer| answer.status() == 200)
    })
    .await;

    let (enough, accepted) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let call = |_| tokio::spawn(post(service.url.clone(), enough.clone(), accepted.clone()));
    let callers: Vec<_> = (0..CALLERS).map(call).collect();
    for round in 1..=ROUNDS {
        let before = accepted.load(Ordering::Relaxed);
        until_true("posts", WAIT_TIMEOUT, async || accepted.load(Ordering::Relaxed) > before).await;
        write(&config, round, "");
        service.signal("HUP");
        until_true("the new key", WAIT_TIMEOUT, async || status(&client_key(round)).await == 200).await;
        assert_eq!(status(&client_key(round - 1)).await, 401, "the old key");
    }
    std::fs::write(&config, format!("api_keys = [\"another-key-altogether\"]\nwindow = 0\nbot_token = {TOKEN}"))
        .unwrap();
    service.signal("HUP");
    until_true("the problems", WAIT_TIMEOUT, async || logged("nothing was reloaded")).await;
    assert_eq!((status(&client_key(ROUNDS)).await, status("another-key-altogether").await), (200, 401));
    write(&config, ROUNDS + 1, "window = 77");
    service.signal("HUP");
    until_true("what waits for a restart", WAIT_TIMEOUT, async || logged("only after a restart")).await;
    assert_eq!(status(&client_key(ROUNDS + 1)).await, 200);
    enough.store(true, Ordering::Relaxed);

    let mut posted = 0;
    for caller in callers {
        posted += caller.await.expect("every request was accepted").len();
    }
    let all = MessageFilter { limit: Some(1_000_000), ..MessageFilter::default() };
    until_true("all to be sent", WAIT_TIMEOUT, async || sandbox.messages(&all).len() >= posted).await;
    assert_eq!(sandbox.messages(&all).len(), posted, "each once");
    assert_eq!(service.stop(), Some(0));
    for secret in ["ABC-DEF", "the-secret-key", "another-key", KEY] {
        assert!(!logged(secret), "{}", log.lock().unwrap());
    }
    assert!(logged("configuration file, line 3") && logged("window"), "{}", log.lock().unwrap());
    println!("SIGHUP: {} reloads among {posted} posts, all accepted and sent", ROUNDS + 2);
}
