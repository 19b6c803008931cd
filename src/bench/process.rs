//! A process that is measured, as Linux tells of it; it is killed when it is dropped.

use super::load;
use anyhow::{Context, anyhow};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// The unit of processor times in `/proc` (`USER_HZ`, proc_pid_stat(5)): a hundredth of a second on every architecture.
const TICK: Duration = Duration::from_millis(10);
/// How often a program is asked whether it is ready.
const READY_POLL_INTERVAL: Duration = Duration::from_millis(20);
/// How much of what a program has said is repeated when it does not start, in lines.
const LAST_LINES: usize = 3;

/// See the module.
pub struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Process {
    /// Starts a program with nothing to read, that says nothing.
    pub fn spawn(mut command: Command) -> anyhow::Result<Self> {
        let name = command.get_program().to_owned();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        child.map(Self).with_context(|| format!("start {}", name.display()))
    }

    /// How much of the processor it has used.
    pub fn cpu_time(&self) -> anyhow::Result<Duration> {
        let stat = self.tell("stat")?;
        // The name may hold anything, and ends with the last bracket.
        let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        let ticks = fields.skip(11).take(2).map(str::parse::<u32>).sum::<Result<u32, _>>()?;
        Ok(TICK * ticks)
    }

    /// How much memory it has resident, in bytes.
    pub fn resident(&self) -> anyhow::Result<u64> {
        let status = self.tell("status")?;
        let kibibytes = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next());
        Ok(kibibytes.context("the kernel does not tell the memory")?.parse::<u64>()? * 1024)
    }

    fn tell(&self, what: &str) -> anyhow::Result<String> {
        let path = format!("/proc/{}/{what}", self.0.id());
        std::fs::read_to_string(&path).with_context(|| format!("read {path}"))
    }
}

/// A program that serves HTTP.
pub struct Server {
    process: Process,
    /// Where.
    pub address: SocketAddr,
}

impl std::ops::Deref for Server {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}

impl Server {
    /// Starts a program whose first line ends with its address, and waits until it is ready. What it says about itself goes to
    /// the log.
    ///
    /// # Errors
    /// It does not start; its last words are in the error.
    pub async fn start(mut command: Command, log: &Path) -> anyhow::Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let said = File::create(log).with_context(|| format!("write {}", log.display()))?;
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(said).spawn();
        let mut process = Process(child.with_context(|| format!("start {name}"))?);
        let stdout = process.0.stdout.take().context("its output is a pipe")?;
        // Ends with the process at the latest.
        let first_line = tokio::task::spawn_blocking(move || {
            let mut line = String::new();
            BufReader::new(stdout).read_line(&mut line).map(|_| line)
        });
        let line = first_line.await??;
        let address = line.trim().rsplit("http://").next().and_then(|address| address.parse().ok());
        let started = async {
            let address = address.context("it does not say where it listens")?;
            while load::status_of(address, "/readyz").await? == 503 {
                tokio::time::sleep(READY_POLL_INTERVAL).await;
            }
            anyhow::Ok(address)
        };
        match started.await {
            Ok(address) => Ok(Self { process, address }),
            Err(error) => Err(anyhow!("{name} does not start: {error:#}\n{}", last_lines(log))),
        }
    }
}

fn last_lines(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
}
