//! Calls with large parameters cost about their bytes, and those whose callers have left cost little.

use crate::support::program::Program;
use crate::support::test_app::TOKEN;
use futures_util::future::join_all;
use reqwest::Client;
use std::process::Stdio;
use std::time::Duration;

const LIMIT_MIB: u64 = 150;
/// How long callers wait before they leave.
const PATIENCE: Duration = Duration::from_secs(10);

/// Makes the calls at once, to a service whose Bot API is away, and says how much memory that took.
async fn memory_of(what: &str, calls: u32, method: &str, body: impl Fn(u32) -> String) -> u64 {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let service = Program::serve("http://127.0.0.1:9", &[("PIXCOURIER_BOT_TOKEN", TOKEN)], Stdio::null());
    let client = Client::builder().timeout(PATIENCE).build().unwrap();
    let before = service.peak_mib();
    let url = format!("{}/bot{TOKEN}/{method}", service.url);
    let send = |number| client.post(&url).header("content-type", "application/json").body(body(number)).send();
    let answers = join_all((0..calls).map(send)).await;
    let left = answers.iter().filter(|answer| answer.is_err()).count();
    let peak = service.peak_mib();
    println!("{calls} calls with {what}, {left} of whose callers left: {before} MiB before, {peak} MiB at the peak");
    peak
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_long_lists_of_messages_stay_under_150_mib() {
    let ids = "1,".repeat(129_999) + "1";
    let body = |number| format!(r#"{{"chat_id":{},"from_chat_id":7,"message_ids":[{ids}]}}"#, number + 1);
    assert!(memory_of("260 kB of message_ids", 60, "copyMessages", body).await < LIMIT_MIB);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn albums_of_nothing_but_nesting_stay_under_150_mib() {
    let album = format!("[{}[]]", "[],".repeat(299_999));
    let body = |number| format!(r#"{{"chat_id":{},"media":{album}}}"#, number + 1);
    assert!(memory_of("900 kB of media", 60, "sendMediaGroup", body).await < LIMIT_MIB);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parameters_that_nobody_knows_stay_under_150_mib() {
    let unknown = "x".repeat(1_000_000);
    let body = |number| format!(r#"{{"chat_id":{},"text":"x","invented":"{unknown}"}}"#, number + 1);
    assert!(memory_of("1 MB of an unknown parameter", 200, "sendMessage", body).await < LIMIT_MIB);
}
