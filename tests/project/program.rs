//! The program as a user runs it: the demo, and a picture sent from the command line.

use crate::project::manual::root;
use crate::support::program::Program;
use crate::support::settings::TOKEN;
use pixcourier::domain::Timestamp;
use pixcourier::sandbox::{MessageFilter, Sandbox, SandboxOptions};
use serde_json::json;
use std::net::TcpListener;
use std::process::{Output, Stdio};
use std::time::Duration;

const KEY: &str = "a-key-of-this-test";

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

fn send(service: &str, key: &str, arguments: &[&str]) -> Output {
    let picture = root().join("src/cli/demo/assets/coffee.jpg");
    let mut command = Program::command(&["send", "--url", service, "--wait", "--patience", "20"]);
    command.arg(picture).args(arguments).env("PIXCOURIER_API_KEYS", key).output().expect("the program runs")
}

/// Runs a subcommand that asks the service: its exit code, and what it prints and complains about.
fn run(service: &str, arguments: &[&str]) -> (i32, String, String) {
    let mut command = Program::command(&arguments[..1]);
    command.args(["--url", service]).args(&arguments[1..]).env("PIXCOURIER_API_KEYS", KEY);
    let output = command.output().expect("the program runs");
    let (out, error) = (text(&output.stdout).to_owned(), text(&output.stderr).to_owned());
    (output.status.code().expect("it ends by itself"), out, error)
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

#[test]
fn every_subcommand_has_a_manual_page_and_shells_complete_it() {
    let run = |arguments: &[&str]| {
        let output = Program::command(arguments).output().expect("the program runs");
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output.stderr));
        text(&output.stdout).to_owned()
    };
    let help = run(&["--help"]);
    let listed = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let commands: Vec<&str> = listed.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next()).collect();
    let commands: Vec<&str> = commands.into_iter().filter(|name| !name.is_empty() && *name != "help").collect();
    assert!(commands.len() >= 18 && commands.contains(&"events"), "{commands:?}");

    let folder = tempfile::tempdir().unwrap();
    run(&["man", "--dir", folder.path().to_str().unwrap()]);
    let pages = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(pages, commands.len() + 1);
    assert!(run(&["man"]).contains(".TH pixcourier 1"));
    for command in &commands {
        let page = std::fs::read_to_string(folder.path().join(format!("pixcourier-{command}.1"))).unwrap();
        assert!(page.contains(".SH SYNOPSIS") && page.contains(".SH OPTIONS"), "{command}: {page}");
    }

    for shell in ["bash", "zsh", "fish"] {
        let script = run(&["completions", shell]);
        let missing: Vec<_> = commands.iter().filter(|command| !script.contains(**command)).collect();
        assert!(script.lines().count() > 100 && missing.is_empty(), "{shell}: {missing:?}");
        if shell == "bash" {
            let path = folder.path().join("pixcourier.bash");
            std::fs::write(&path, script).unwrap();
            let judged = std::process::Command::new("bash").arg("-n").arg(path).output().expect("bash runs");
            assert!(judged.status.success(), "{}", text(&judged.stderr));
        }
    }
}

#[test]
fn what_comes_from_standard_input_and_a_text_alone_are_sent() {
    let sandbox = Sandbox::start(TcpListener::bind("127.0.0.1:0").unwrap(), SandboxOptions::default()).unwrap();
    let mut service = Program::serve(&sandbox.url(), &[("PIXCOURIER_API_KEYS", KEY)], Stdio::null());
    let picture = root().join("src/cli/demo/assets/coffee.jpg");
    let run = |arguments: &[&str], input: Stdio| {
        let mut command = Program::command(&["send", "--url", &service.url, "--json"]);
        command.args(arguments).env("PIXCOURIER_API_KEYS", KEY).stdin(input);
        let output = command.output().expect("the program runs");
        let (out, error) = (text(&output.stdout).to_owned(), text(&output.stderr).to_owned());
        (output.status.code().expect("it ends by itself"), out, error)
    };
    let json =
        |out: &str| serde_json::from_str::<serde_json::Value>(out).unwrap_or_else(|error| panic!("{error}: {out}"));

    let file = || Stdio::from(std::fs::File::open(&picture).unwrap());
    let (code, out, error) =
        run(&["-", "--to", "5", "--wait", "--caption", "from a pipe", "--tag", "a", "--tag", "b"], file());
    assert_eq!(code, 0, "{error}");
    let sent = json(&out);
    assert_eq!(
        (&sent["status"], &sent["tags"], &sent["method"]),
        (&json!("sent"), &json!(["a", "b"]), &json!("sendPhoto"))
    );
    let (code, out, error) = run(&["-", "--as", "document", "--filename", "cup.jpg", "--to", "6", "--wait"], file());
    assert_eq!((code, &json(&out)["method"]), (0, &json!("sendDocument")), "{error}");
    let (code, out, error) = run(&["--text", "-5 degrees", "--to", "-100123", "--tag", "a"], Stdio::null());
    assert_eq!((code, &json(&out)["status"]), (0, &json!("queued")), "{error}");
    let (code, out, error) = run(&["--text", "hello", "--to", "8", "--wait"], Stdio::null());
    assert_eq!((code, &json(&out)["text"]), (0, &json!("hello")), "{error}");

    let (code, _, error) = run(&["-", "--to", "5"], Stdio::null());
    assert!(code == 64 && error.contains("nothing on standard input"), "{error}");
    let large = tempfile::NamedTempFile::new().unwrap();
    large.as_file().set_len(50_000_001).unwrap();
    let (code, _, error) = run(&["-", "--to", "5"], Stdio::from(large.reopen().unwrap()));
    assert!(code == 64 && error.contains("more than 50 MB"), "{error}");
    for wrong in
        [&["--to", "5"][..], &["--text", "x", "--caption", "y", "--to", "5"], &["a.png", "--text", "x", "--to", "5"]]
    {
        assert_eq!(run(wrong, Stdio::null()).0, 2, "{wrong:?}");
    }
    assert_eq!(service.stop(), Some(0));
}

#[test]
fn how_notifications_end_is_printed_while_they_do() {
    use std::io::{BufRead, BufReader};
    let sandbox = Sandbox::start(TcpListener::bind("127.0.0.1:0").unwrap(), SandboxOptions::default()).unwrap();
    let mut service = Program::serve(&sandbox.url(), &[("PIXCOURIER_API_KEYS", KEY)], Stdio::null());
    let url = service.url.clone();
    let post = |to: &str| {
        let mut command = Program::command(&["send", "--url", &url, "--text", "x", "--to", to, "--wait"]);
        command.env("PIXCOURIER_API_KEYS", KEY).output().expect("the program runs")
    };
    let listen = |arguments: &[&str]| {
        let mut command = Program::command(&["events", "--url", &url]);
        command.args(arguments).env("PIXCOURIER_API_KEYS", KEY).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("the program runs")
    };
    // Behind an id of long ago it is told at once that events are missing, and so it is there.
    let mut all = listen(&["--after", "1-0", "--json", "--count", "3"]);
    let mut lines = BufReader::new(all.stdout.take().unwrap()).lines();
    let mut next = || serde_json::from_str::<serde_json::Value>(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!(next()["type"], "events.gap");
    assert_eq!(post("5").status.code(), Some(0));
    assert_eq!(post("9000000403").status.code(), Some(1));
    let (sent, failed) = (next(), next());
    assert_eq!((&sent["type"], &failed["type"]), (&json!("notification.sent"), &json!("notification.failed")));
    assert_eq!(all.wait().unwrap().code(), Some(0));
    let again = listen(&["--after", sent["event_id"].as_str().unwrap(), "--count", "1"]).wait_with_output().unwrap();
    let line = text(&again.stdout);
    assert!(line.contains("  failed ") && line.contains("blocked by the user"), "{line}");
    let refused = listen(&["--status", "queued"]).wait_with_output().unwrap();
    assert_eq!(refused.status.code(), Some(65), "{}", text(&refused.stderr));
    assert_eq!(service.stop(), Some(0));
    assert_eq!(listen(&[]).wait_with_output().unwrap().status.code(), Some(69));
}

#[test]
fn whatever_is_printed_is_also_there_as_json() {
    let sandbox = Sandbox::start(TcpListener::bind("127.0.0.1:0").unwrap(), SandboxOptions::default()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data").display().to_string();
    let mut service = Program::serve(&sandbox.url(), &[("PIXCOURIER_DATA_DIR", data_dir.as_str())], Stdio::null());
    let url = service.url.clone();
    let said = json!({"text": {"user_id": 5, "text": "/start"}});
    sandbox.incoming(123_456, serde_json::from_value(said).unwrap()).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = Program::command(arguments);
        command.arg("--json").env("PIXCOURIER_URL", &url).env("PIXCOURIER_DATA_DIR", &data_dir);
        command.env("PIXCOURIER_BOT_TOKEN", TOKEN).env("PIXCOURIER_BOT_API_URL", sandbox.url());
        let output = command.output().expect("the program runs");
        let out = text(&output.stdout);
        serde_json::from_str::<serde_json::Value>(out)
            .unwrap_or_else(|error| panic!("{arguments:?}: {error}: {out}{}", text(&output.stderr)))
    };
    assert_eq!(run(&["healthcheck"]), json!({"status": "ready", "away": []}));
    let chat = run(&["chats"]);
    assert_eq!((&chat["id"], &chat["kind"]), (&json!(5), &json!("private")));
    let config = run(&["check-config"]);
    assert_eq!((&config["data_dir"], &config["window"]), (&json!(data_dir), &json!(4000)));
    assert!(!config.to_string().contains(TOKEN));
    let id = run(&["send", "--text", "x", "--to", "5", "--wait"])["id"].as_str().unwrap().to_owned();
    assert_eq!(run(&["show", &id])["status"], "sent");
    assert_eq!(run(&["list"])["id"], json!(id));
    assert_eq!(run(&["list", "--count"])["total"], 1);
    let in_an_hour = Timestamp::now().plus(Duration::from_secs(3_600)).to_string();
    let later = run(&["send", "--text", "x", "--to", "5", "--send-at", &in_an_hour]);
    assert_eq!(run(&["cancel", later["id"].as_str().unwrap()])["status"], "cancelled");
    let backup = folder.path().join("backup.db").display().to_string();
    assert_eq!(run(&["backup", &backup])["file"], json!(backup));
    let book = folder.path().join("book.csv");
    std::fs::write(&book, "number,chat_id\n491701234567,5\n").unwrap();
    let imported = run(&["import-recipients", book.to_str().unwrap()]);
    assert_eq!(imported, json!({"recipients": 1, "imported": true}));
    assert_eq!(service.stop(), Some(0));
    assert!(run(&["restore", &backup])["former"].as_str().is_some());
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
    let run = |arguments: &[&str]| run(&url, arguments);
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

#[test]
fn a_bot_and_a_chat_are_paused_and_resumed_from_the_command_line() {
    let sandbox = Sandbox::start(TcpListener::bind("127.0.0.1:0").unwrap(), SandboxOptions::default()).unwrap();
    let mut service = Program::serve(&sandbox.url(), &[("PIXCOURIER_API_KEYS", KEY)], Stdio::null());
    let url = service.url.clone();
    let run = |arguments: &[&str]| run(&url, arguments);
    let paused = run(&["pause", "default", "--chat", "-100123", "--reason", "wrong prices"]);
    assert!(paused.0 == 0 && paused.1.starts_with("default, chat -100123: paused since "), "{paused:?}");
    let picture = root().join("src/cli/demo/assets/coffee.jpg");
    let waiting = run(&["send", picture.to_str().unwrap(), "--to", "-100123"]);
    let waiting = waiting.1.trim();
    let shown = run(&["show", waiting]);
    assert!(shown.0 == 75 && shown.1.contains("  paused "), "{shown:?}");
    assert_eq!(send(&service.url, KEY, &["--to", "7"]).status.code(), Some(0), "another chat");
    let bots = run(&["bots"]);
    assert!(bots.0 == 0 && bots.1.contains("1 to be sent") && bots.1.contains("1 chats paused"), "{bots:?}");
    let deepest = run(&["bots", "default"]);
    assert!(deepest.1.contains("-100123") && deepest.1.contains(": wrong prices"), "{deepest:?}");
    let again: serde_json::Value = serde_json::from_str(&run(&["pause", "default", "--json"]).1).unwrap();
    assert_eq!((&again["chat_id"], &again["paused"]["reason"]), (&json!(null), &json!(null)));
    for arguments in [&["resume", "default"][..], &["resume", "default", "--chat", "-100123"]] {
        let resumed = run(arguments);
        assert!(resumed.0 == 0 && resumed.1.trim_end().ends_with(": goes on"), "{resumed:?}");
    }
    assert_eq!((run(&["pause", "nobody"]).0, run(&["pause", "default", "--reason", "a\nb"]).0), (65, 64));
    assert_eq!(service.stop(), Some(0));
    assert_eq!((run(&["bots"]).0, run(&["resume", "default"]).0), (69, 69), "nobody answers");
}
