//! The program as a process: its output kept among the artifacts, ended with its owner.

use crate::{artifacts, wait};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// How long a process may take to stop once the signal is sent.
const FREEZE_TIMEOUT: Duration = Duration::from_secs(10);

/// The program to be tested: this build, unless `PIXCOURIER_TEST_PROGRAM` names another one.
fn program() -> OsString {
    std::env::var_os("PIXCOURIER_TEST_PROGRAM").unwrap_or_else(|| env!("CARGO_BIN_EXE_pixcourier").into())
}

/// Whether it is another build, which is measured and not judged.
pub fn is_another_build() -> bool {
    std::env::var_os("PIXCOURIER_TEST_PROGRAM").is_some()
}

/// A running `pixcourier`.
pub struct Process {
    child: Child,
    /// Where its standard output goes, and its log.
    pub output: PathBuf,
    pub log: PathBuf,
}

impl Process {
    /// Starts it with these arguments and no environment but this one, and with so many descriptors.
    pub fn spawn(
        name: &str,
        arguments: &[&str],
        environment: &BTreeMap<String, String>,
        descriptors: Option<u32>,
    ) -> Self {
        let (output, log) = (artifacts::fresh(&format!("{name}-output")), artifacts::fresh(&format!("{name}-log")));
        let mut command = match descriptors {
            Some(limit) => {
                let mut shell = Command::new("sh");
                shell.args(["-c", &format!("ulimit -n {limit}; exec \"$@\""), "sh"]).arg(program());
                shell
            }
            None => Command::new(program()),
        };
        let child = command
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            // A library that panics or aborts should say where.
            .env("RUST_BACKTRACE", "1")
            .envs(environment)
            .stdin(Stdio::null())
            .stdout(artifacts::append(&output))
            .stderr(artifacts::append(&log))
            .spawn()
            .unwrap();
        Self { child, output, log }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// As the power cord would.
    pub fn kill9(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// As the init system would; does not wait.
    pub fn terminate(&self) {
        self.signal("TERM");
    }

    /// Stops it in the middle of whatever it does; its connections stay open. It does nothing more when this returns: on a
    /// busy machine its threads go on for tens of milliseconds after the signal was sent.
    pub async fn freeze(&self) {
        self.signal("STOP");
        wait::until_true("the stop of every thread", FREEZE_TIMEOUT, async || self.is_stopped()).await;
    }

    /// Whether every thread is stopped: the state that follows the name in `/proc/<pid>/task/<tid>/stat` is `T`.
    fn is_stopped(&self) -> bool {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.id())).unwrap();
        threads.into_iter().all(|thread| {
            // A thread that has just ended has no state; it is asked again.
            let stat = thread.and_then(|thread| std::fs::read_to_string(thread.path().join("stat")));
            stat.is_ok_and(|stat| stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T')))
        })
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let id = self.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }

    /// Whether it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits for its end.
    pub async fn end(mut self, timeout: Duration) -> ExitStatus {
        wait::until("the end of the process", timeout, async || self.ended()).await
    }

    /// What it printed last, for a failure.
    pub fn last_words(&self) -> String {
        format!("{}\n{}", artifacts::tail(&self.output), artifacts::tail(&self.log))
    }

    /// A figure in kB from its `/proc/<pid>/status`, such as `VmHWM`.
    pub fn memory(&self, name: &str) -> u64 {
        let page = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap_or_default();
        let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
