//! Schemathesis against the program: thousands of requests that it makes of the served OpenAPI document, with its examples
//! and links and an API key. No 5xx, no response that the document does not tell of, nothing accepted that the schemas do
//! not allow.

use crate::bot_api::clients::{clients, installed, run_command};
use crate::support::program::Program;
use crate::support::settings::TOKEN;
use pixcourier::sandbox::{Sandbox, SandboxOptions};
use reqwest::Client;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

const KEY: &str = "the-key-of-the-tester";
/// Cases of each operation that are made up, beside those of the examples, of the limits and of the links.
const MADE_UP: &str = "10";
/// Notifications that are accepted, of some 4,800 requests, most of which are wrong on purpose: those of the examples and
/// links among them.
const MIN_ACCEPTED: u64 = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_made_of_the_document_gets_documented_answers() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let options = SandboxOptions { limits: None, ..SandboxOptions::default() };
    let sandbox = Sandbox::start(TcpListener::bind("127.0.0.1:0").unwrap(), options).unwrap();
    // A stream of events would not end: whoever asks well for one is told that there is none.
    let environment =
        [("PIXCOURIER_BOT_TOKEN", TOKEN), ("PIXCOURIER_API_KEYS", KEY), ("PIXCOURIER_EVENT_STREAMS", "0")];
    let service = Program::serve(&sandbox.url(), &environment, Stdio::null());
    let mut command = Command::new(Path::new(&installed("PYTHON")).with_file_name("schemathesis"));
    command.args(["--config-file", &format!("{}/python/schemathesis.toml", clients())]);
    command.args(["run", &format!("{}/openapi.json", service.url), "-H", &format!("Authorization: Bearer {KEY}")]);
    command.args(["--phases", "examples,coverage,fuzzing,stateful", "--max-examples", MADE_UP]);
    command.args(["--seed", "1", "--no-color", "--continue-on-failure"]);
    let folder = tempfile::tempdir().unwrap();
    command.current_dir(folder.path());
    let said = run_command(command).await;
    println!("{said}");
    let metrics = Client::new().get(format!("{}/metrics", service.url)).send().await.unwrap().text().await.unwrap();
    let accepted = metrics.lines().filter(|line| line.starts_with("pixcourier_notifications_accepted_total"));
    let accepted: f64 = accepted.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum();
    assert!(accepted as u64 >= MIN_ACCEPTED, "{accepted} were accepted");
}
