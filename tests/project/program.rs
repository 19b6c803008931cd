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
    assert!(!out.contains("http://"), "addresses that nobody answers any more: {out}");
}

#[test]
fn a_picture_is_sent_from_the_command_line_and_the_exit_code_tells_its_fate() {
    let sandbox = Sandbox::start(TcpListener::bind("127.0.0.1:0").unwrap(), SandboxOptions::default()).unwrap();
    let mut service = Program::serve(&sandbox.url(), &[("PIXCOURIER_API_KEYS", KEY)], Stdio::null());

    let sent = send(&service.url, KEY, &["--to", "-100123", "--caption", "-5 degrees"]);
    assert_eq!(sent.status.code(), Some(0), "{}", text(&sent.stderr));
    assert!(text(&sent.stdout).contains("sent as message 1 after 1 attempt(s), uploaded"), "{}", text(&sent.stdout));
    assert_eq!(sandbox.messages(&MessageFilter::default()).len(), 1);

    for (key, to, complaint, code) in [
        (KEY, "0", "400 invalid_chat_id", 65),
        (KEY, "9000000403", "failed: Forbidden: bot was blocked by the user (recipient)", 1),
        ("not-a-key-of-this-test", "5", "401 unauthorized", 65),
    ] {
        let output = send(&service.url, key, &["--to", to]);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{to}: {error}");
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

#[test]
fn notifications_are_found_taken_back_and_tried_again_from_the_command_line() {
    let sandbox = Sandbox::start(TcpListener::bind("127.0.0.1:0").unwrap(), SandboxOptions::default()).unwrap();
    let mut service = Program::serve(&sandbox.url(), &[("PIXCOURIER_API_KEYS", KEY)], Stdio::null());
    let url = service.url.clone();
    let run = |arguments: &[&str]| {
        let mut command = Program::command(&arguments[..1]);
        command.args(["--url", &url]).args(&arguments[1..]).env("PIXCOURIER_API_KEYS", KEY);
        let output = command.output().expect("the program runs");
        let (out, error) = (text(&output.stdout).to_owned(), text(&output.stderr).to_owned());
        (output.status.code().expect("it ends by itself"), out, error)
    };
    let picture = root().join("src/cli/demo/assets/coffee.jpg");
    let picture = picture.to_str().unwrap();
    let sent = run(&["send", picture, "--to", "-100123", "--caption", "a cup", "--wait"]);
    assert_eq!(sent.0, 0, "{sent:?}");
    let sent = sent.1.lines().next().unwrap();
    assert_eq!(send(&service.url, KEY, &["--to", "9000000403"]).status.code(), Some(1));
    let later = run(&["send", picture, "--to", "-100123", "--send-at", "2099-01-01T00:00:00Z"]);
    assert_eq!(later.0, 65, "{later:?}: no more than 30 days ahead");
    let soon = (time::OffsetDateTime::now_utc() + time::Duration::HOUR).replace_nanosecond(0).unwrap();
    let soon = soon.format(&time::format_description::well_known::Rfc3339).unwrap();
    let later = run(&["send", picture, "--to", "-100123", "--send-at", &soon]);
    let later = later.1.trim();

    let listed = run(&["list", "--status", "sent,scheduled", "--to", "-100123"]);
    let ids: Vec<&str> = listed.1.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(ids, [later, sent], "{listed:?}");
    assert!(listed.1.contains("sendPhoto  a cup"), "{listed:?}");
    let counted = run(&["list", "--count", "--json"]);
    assert!(counted.1.contains(r#""by_status":{"scheduled":1,"sent":1,"failed":1}"#), "{counted:?}");
    let (shown, failed) = (run(&["show", sent]), run(&["list", "--status", "failed", "--json"]));
    assert_eq!((shown.0, run(&["show", later]).0), (0, 75), "{shown:?}");
    let failed: serde_json::Value = serde_json::from_str(&failed.1).unwrap();
    assert_eq!(run(&["show", failed["id"].as_str().unwrap()]).0, 1);
    assert_eq!(run(&["show", "01890a5d-ac96-774b-bcce-b302099a8057"]).0, 65);

    let dry = run(&["cancel", "--status", "scheduled", "--dry-run"]);
    assert!(dry.0 == 0 && dry.1.starts_with("1 found") && dry.1.contains(later), "{dry:?}");
    let cancelled = run(&["cancel", "--status", "scheduled"]);
    assert_eq!((cancelled.0, cancelled.1.starts_with("cancel: 1 found, 1 done")), (0, true), "{cancelled:?}");
    assert_eq!((run(&["cancel", later]).0, run(&["cancel", sent]).0), (0, 65));
    let retried = run(&["retry", "--class", "recipient", "--json"]);
    let retried: serde_json::Value = serde_json::from_str(&retried.1).unwrap();
    assert_eq!((&retried["matched"], &retried["done"]), (&serde_json::json!(1), &serde_json::json!(1)));
    assert_eq!((run(&["cancel"]).0, run(&["cancel", later, "--tag", "x"]).0), (64, 64));
    assert_eq!(service.stop(), Some(0));
    assert_eq!(run(&["list"]).0, 69, "nobody answers");
}
