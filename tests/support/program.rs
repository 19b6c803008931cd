//! The program as a process of its own, as a user runs it; killed with its owner.

use super::settings::TOKEN;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStderr, Command, Stdio};
use tempfile::TempDir;

/// What of the file of an optimized program is in memory (`benches/scale bots`).
const RELEASE_FILE_MIB: u64 = 21;

/// A running `pixcourier serve` on the embedded engine, with data in a folder of its own.
pub struct Program {
    child: Child,
    /// Its address.
    pub url: String,
    _folder: TempDir,
}

impl Program {
    /// The program with these arguments and an empty environment.
    pub fn command(arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pixcourier"));
        command.args(arguments).env_clear().stdin(Stdio::null());
        command
    }

    /// Starts the service; returns when it has printed its address.
    pub fn serve(bot_api: &str, environment: &[(&str, &str)], log: Stdio) -> Self {
        Self::serve_with(&[], bot_api, environment, log)
    }

    /// The same with further arguments.
    pub fn serve_with(arguments: &[&str], bot_api: &str, environment: &[(&str, &str)], log: Stdio) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut child = Self::command(&["serve", "--listen", "127.0.0.1:0"])
            .args(arguments)
            .env("PIXCOURIER_BOT_TOKEN", TOKEN)
            .env("PIXCOURIER_BOT_API_URL", bot_api)
            .env("PIXCOURIER_DATA_DIR", folder.path())
            .envs(environment.iter().copied())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("the program runs");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
        let url = line.trim().rsplit(' ').next().expect("an address").to_owned();
        assert!(url.starts_with("http://127.0.0.1:"), "{line}");
        Self { child, url, _folder: folder }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The most memory that it ever had resident, in MiB. Of the program's own file no more counts than there is of an optimized
    /// one: of an unoptimized one twice as much is in memory, and more with all code that is added.
    pub fn peak_mib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).expect("it runs");
        let mib = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("the kernel tells");
            line.split_whitespace().next().expect("a number").parse::<u64>().expect("a number") / 1024
        };
        let file = mib("RssFile:");
        mib("VmHWM:") - file + file.min(RELEASE_FILE_MIB)
    }

    /// Its log, if that is piped.
    pub fn log(&mut self) -> ChildStderr {
        self.child.stderr.take().expect("piped")
    }

    /// Sends it a signal.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.id().to_string()]).status().expect("kill");
        assert!(sent.success());
    }

    /// Asks it to stop, and waits; its exit code.
    pub fn stop(&mut self) -> Option<i32> {
        self.signal("TERM");
        self.child.wait().expect("it ends").code()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
