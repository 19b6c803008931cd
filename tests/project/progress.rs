//! The bar of what is done to many: on a terminal (one that `script` makes), and only there.

use crate::support::program::Program;
use pixcourier::sandbox::{Sandbox, SandboxOptions};
use serde_json::{Value, json};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use time::format_description::well_known::Rfc3339;

const KEY: &str = "a-key-of-this-test";
const SCHEDULED: usize = 300;

/// Posts notifications that are due in an hour.
async fn schedule(service: &Program) {
    let due = (time::OffsetDateTime::now_utc() + time::Duration::HOUR).format(&Rfc3339).unwrap();
    let items: Vec<Value> = (1..=SCHEDULED).map(|chat| json!({"chat_id": chat, "text": "x", "send_at": due})).collect();
    let post = reqwest::Client::new().post(format!("{}/v1/notifications/batch", service.url)).bearer_auth(KEY);
    assert_eq!(post.json(&items).send().await.unwrap().status(), 200);
}

/// Runs the program with its standard error on a terminal of 100 columns and its standard output in a file: what is in that file,
/// and what the terminal was sent.
fn on_a_terminal(service: &Program, arguments: &str, out: &Path) -> (String, String) {
    let program = env!("CARGO_BIN_EXE_pixcourier");
    let run = format!("stty cols 100 && {program} {arguments} --url {} >{}", service.url, out.display());
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--command", &run, "/dev/null"]).stdin(Stdio::null());
    let ended = script.env("PIXCOURIER_API_KEYS", KEY).env("TERM", "xterm").output().expect("script is of util-linux");
    let terminal = String::from_utf8_lossy(&ended.stdout).into_owned();
    assert_eq!(ended.status.code(), Some(0), "{terminal}");
    (std::fs::read_to_string(out).unwrap(), terminal)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_done_to_many_shows_a_bar_on_a_terminal_and_only_there() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start(TcpListener::bind("127.0.0.1:0").unwrap(), SandboxOptions::default()).unwrap();
    let mut service = Program::serve(&sandbox.url(), &[("PIXCOURIER_API_KEYS", KEY)], Stdio::null());
    let out = folder.path().join("out");

    schedule(&service).await;
    let (told, terminal) = on_a_terminal(&service, "cancel --status scheduled", &out);
    assert_eq!(told, "cancel: 300 found, 300 done, 0 skipped (0 sent again by themselves), 0 failed\n");
    for part in ["cancel [", " 0 of 300, 0/s  ", " 300 of 300, ", "[==============================]", " left"] {
        assert!(terminal.contains(part), "{part:?} is not in {terminal:?}");
    }
    assert!(terminal.ends_with("\x1b[2K"), "the bar goes away: {terminal:?}");

    schedule(&service).await;
    let (told, terminal) = on_a_terminal(&service, "cancel --status scheduled --json", &out);
    let told: Value = serde_json::from_str(&told).expect("nothing but JSON");
    assert_eq!((&told["done"], terminal.contains("of 300")), (&json!(SCHEDULED), true), "{terminal:?}");

    let (told, terminal) = on_a_terminal(&service, "drain", &out);
    assert_eq!(told, "drained; owns 0 bots\n", "{terminal:?}");

    // Without a terminal there is the line at the end alone.
    schedule(&service).await;
    let mut command = Program::command(&["cancel", "--status", "scheduled", "--url", &service.url]);
    let ended = command.env("PIXCOURIER_API_KEYS", KEY).output().unwrap();
    let told = (String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    let line = "cancel: 300 found, 300 done, 0 skipped (0 sent again by themselves), 0 failed\n";
    assert_eq!((&*told.0, &*told.1), (line, ""));
    assert_eq!(service.stop(), Some(0));
}
