//! The program as a user runs it: the demo, and a picture sent from the command line.

use crate::project::manual::root;
use crate::support::program::Program;
use crate::support::settings::TOKEN;
use pixcourier::sandbox::{MessageFilter, Sandbox, SandboxOptions};
use serde_json::json;
use std::net::TcpListener;
use std::process::{Output, Stdio};

const KEY: &str = "a-key-of-this-test";

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

fn send(service: &str, key: &str, arguments: &[&str]) -> Output {
    let picture = root().join("src/cli/demo/assets/coffee.jpg");
    let mut command = Program::command(&["send", "--url", service, "--wait", "--patience", "20"]);
    command.arg(picture).args(arguments).env("PIXCOURIER_API_KEYS", key).output().expect("the program runs")
}

#[test]
fn the_demo_delivers_everything_and_uploads_the_twice_sent_picture_once() {
    let output = Program::command(&["demo", "--exit"]).output().unwrap();
    let (out, error) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{out}{error}");
    assert!(out.contains("\n6 sent in ") && out.contains(", 5 uploads (") && out.contains(", 1 upload(s) skipped"));
    assert!(!out.contains('\x1b'), "colours belong on a terminal");
}

#[test]
fn a_picture_is_sent_from_the_command_line_and_the_exit_code_tells_its_fate() {
    let sandbox = Sandbox::start(TcpListener::bind("127.0.0.1:0").unwrap(), SandboxOptions::default()).unwrap();
    let mut service = Program::serve(&sandbox.url(), &[("PIXCOURIER_API_KEYS", KEY)], Stdio::null());

    let sent = send(&service.url, KEY, &["--to", "-100123", "--caption", "-5 degrees"]);
    assert_eq!(sent.status.code(), Some(0), "{}", text(&sent.stderr));
    assert!(text(&sent.stdout).contains("sent as message 1 after 1 attempt(s), uploaded"), "{}", text(&sent.stdout));
    assert_eq!(sandbox.messages(&MessageFilter::default()).len(), 1);

    for (key, to, complaint) in [
        (KEY, "0", "400 invalid_chat_id"),
        (KEY, "9000000403", "failed: Forbidden: bot was blocked by the user (recipient)"),
        ("not-a-key-of-this-test", "5", "401 unauthorized"),
    ] {
        let output = send(&service.url, key, &["--to", to]);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{to}: {error}");
        assert!(error.contains(complaint), "{to}: {error}");
        assert!(!error.contains(key), "{error}");
    }
    assert_eq!(service.stop(), Some(0));
}

#[test]
fn whether_it_is_ready_is_told_by_the_exit_code_and_the_data_folder_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let sandbox = Sandbox::start(TcpListener::bind("127.0.0.1:0").unwrap(), SandboxOptions::default()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("new/data").display().to_string();
    let mut service = Program::serve(&sandbox.url(), &[("PIXCOURIER_DATA_DIR", data_dir.as_str())], Stdio::null());
    let ask =
        |url: &str| Program::command(&["healthcheck"]).env("PIXCOURIER_URL", url).output().expect("the program runs");
    let ready = ask(&service.url);
    assert_eq!((ready.status.code(), text(&ready.stdout)), (Some(0), "ready\n"), "{}", text(&ready.stderr));
    let mode = |path: &str| std::fs::metadata(folder.path().join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("new"), mode("new/data")), (0o700, 0o700));
    assert_eq!(service.stop(), Some(0));
    let gone = ask(&service.url);
    assert_eq!(gone.status.code(), Some(1));
    assert!(text(&gone.stderr).contains("no answer from the service"), "{}", text(&gone.stderr));
}

/// Where systemd is installed, it judges the unit itself.
#[test]
fn the_unit_is_well_protected() {
    let unit = root().join("deploy/pixcourier.service");
    let judged = std::process::Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--threshold=20"])
        .arg(unit)
        .output();
    match judged {
        Ok(judged) => assert!(judged.status.success(), "worse than 2.0: {}", text(&judged.stdout)),
        Err(error) => println!("left out: systemd-analyze does not run here ({error})"),
    }
}

#[test]
fn who_has_written_to_the_bot_is_told() {
    let sandbox = Sandbox::start(TcpListener::bind("127.0.0.1:0").unwrap(), SandboxOptions::default()).unwrap();
    let chats = || {
        let mut command = Program::command(&["chats"]);
        command.env("PIXCOURIER_BOT_TOKEN", TOKEN).env("PIXCOURIER_BOT_API_URL", sandbox.url()).output().unwrap()
    };
    let nobody = chats();
    assert_eq!(nobody.status.code(), Some(1));
    assert!(text(&nobody.stderr).contains("send it /start"), "{}", text(&nobody.stderr));
    let said = json!({"text": {"user_id": 987_654_321, "text": "/start"}});
    sandbox.incoming(123_456, serde_json::from_value(said).unwrap()).unwrap();
    // Asked again it tells the same: nothing is confirmed.
    for _ in 0..2 {
        let somebody = chats();
        assert_eq!(somebody.status.code(), Some(0), "{}", text(&somebody.stderr));
        assert!(text(&somebody.stdout).trim_start().starts_with("987654321  private"), "{}", text(&somebody.stdout));
    }
}
