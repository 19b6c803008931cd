//! The program as a user runs it: the demo, and a picture sent from the command line.

use crate::project::manual::root;
use pixcourier::sandbox::{Filter, Options, Sandbox};
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Output, Stdio};

const TOKEN: &str = "123456:ABC-DEF1234ghIkl-zyx57W2v1u123ew11";
const KEY: &str = "a-key-of-this-test";

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pixcourier"));
    command.args(arguments).env_clear().stdin(Stdio::null());
    command
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

/// A service of its own process; killed if a test fails before it has stopped it.
struct Service(Child);

impl Service {
    /// Starts it and returns its address, from the first line it prints.
    fn start(bot_api: &str, data_dir: &str) -> (Self, String) {
        let mut child = program(&["serve", "--listen", "127.0.0.1:0"])
            .env("PIXCOURIER_BOT_TOKEN", TOKEN)
            .env("PIXCOURIER_BOT_API_URL", bot_api)
            .env("PIXCOURIER_API_KEYS", KEY)
            .env("PIXCOURIER_DATA_DIR", data_dir)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program runs");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
        let address = line.trim().rsplit(' ').next().expect("an address").to_owned();
        assert!(address.starts_with("http://127.0.0.1:"), "{line}");
        (Self(child), address)
    }

    /// Asks it to stop; its exit code.
    fn stop(&mut self) -> Option<i32> {
        let asked = Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status().expect("kill");
        assert!(asked.success());
        self.0.wait().expect("it ends").code()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn send(service: &str, key: &str, arguments: &[&str]) -> Output {
    let picture = root().join("src/cli/demo/assets/coffee.jpg");
    let mut command = program(&["send", "--url", service, "--wait", "--patience", "20"]);
    command.arg(picture).args(arguments).env("PIXCOURIER_API_KEYS", key).output().expect("the program runs")
}

#[test]
fn the_demo_delivers_everything_and_uploads_the_twice_sent_picture_once() {
    let output = program(&["demo", "--exit"]).output().unwrap();
    let (out, error) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{out}{error}");
    assert!(out.contains("\n6 sent in ") && out.contains(", 5 uploads (") && out.contains(", 1 upload(s) skipped"));
    assert!(!out.contains('\x1b'), "colours belong on a terminal");
}

#[test]
fn a_picture_is_sent_from_the_command_line_and_the_exit_code_tells_its_fate() {
    let sandbox = Sandbox::start(TcpListener::bind("127.0.0.1:0").unwrap(), Options::default()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (mut service, address) = Service::start(&sandbox.url(), &folder.path().display().to_string());

    let sent = send(&address, KEY, &["--to", "-100123", "--caption", "-5 degrees"]);
    assert_eq!(sent.status.code(), Some(0), "{}", text(&sent.stderr));
    assert!(text(&sent.stdout).contains("sent as message 1 after 1 attempt(s), uploaded"), "{}", text(&sent.stdout));
    assert_eq!(sandbox.messages(&Filter::default()).len(), 1);

    for (key, to, complaint) in [
        (KEY, "0", "400 invalid_chat_id"),
        (KEY, "9000000403", "failed: Forbidden: bot was blocked by the user (recipient)"),
        ("not-a-key-of-this-test", "5", "401 unauthorized"),
    ] {
        let output = send(&address, key, &["--to", to]);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{to}: {error}");
        assert!(error.contains(complaint), "{to}: {error}");
        assert!(!error.contains(key), "{error}");
    }
    assert_eq!(service.stop(), Some(0));
}
