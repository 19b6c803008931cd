//! What is measured: a program that takes notifications over HTTP, on data of its own.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

const TOKEN: &str = "123456:ABC-DEF1234ghIkl-zyx57W2v1u123ew11";

#[derive(Clone)]
pub enum Subject {
    Embedded,
    Distributed {
        amqp: String,
        redis: String,
    },
    /// The folder with its modules.
    Peer(PathBuf),
}

/// Its data, and what holds them.
pub struct Data {
    folder: TempDir,
    redis: Option<(Running, u16)>,
}

/// A process that is killed when dropped.
pub struct Running(Child, pub Option<SocketAddr>);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    /// How much of the processor it has used.
    pub fn cpu_time(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.0.id())).unwrap();
        let after_name = stat.rsplit(')').next().unwrap();
        let ticks =
            after_name.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum::<u64>();
        Duration::from_millis(ticks * 10)
    }

    /// How much memory it has, in bytes.
    pub fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
    }

    pub fn address(&self) -> SocketAddr {
        self.1.unwrap()
    }
}

impl Subject {
    /// Those that can be measured here; the peer last.
    pub fn all() -> Vec<Self> {
        let mut all = vec![Self::Embedded];
        if let (Ok(amqp), Ok(redis)) =
            (std::env::var("PIXCOURIER_TEST_AMQP_URL"), std::env::var("PIXCOURIER_TEST_REDIS_URL"))
        {
            all.push(Self::Distributed { amqp, redis });
        }
        all.extend(std::env::var_os("PIXCOURIER_BENCH_PEER").map(|folder| Self::Peer(folder.into())));
        all
    }

    pub fn name(&self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Distributed { .. } => "RabbitMQ + Redis",
            Self::Peer(_) => "peer",
        }
    }

    /// Fresh data.
    pub async fn data(&self) -> Data {
        let folder = TempDir::with_prefix("pixcourier-bench-").unwrap();
        let redis = matches!(self, Self::Peer(_)).then(|| redis(folder.path()));
        Data { folder, redis }
    }

    /// Starts it; whether it sends, or takes in alone.
    pub async fn start(&self, data: &Data, bot_api: &str, sends: bool) -> Running {
        let mut command = match self {
            Self::Peer(folder) => {
                let mut command = Command::new("node");
                let redis = data.redis.as_ref().unwrap().1;
                command.arg("server.mjs").current_dir(folder);
                command.env("REDIS_URL", format!("redis://127.0.0.1:{redis}")).env("BOT_API_URL", bot_api);
                command.env("BOT_TOKEN", TOKEN).env("DATA_DIR", data.folder.path().join("data"));
                command.env("SEND", if sends { "1" } else { "0" });
                command
            }
            Self::Embedded | Self::Distributed { .. } => self.ours(data, bot_api, sends),
        };
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().rsplit("http://").next().unwrap().parse().unwrap_or_else(|_| panic!("{line}"));
        let running = Running(child, Some(address));
        wait_until_ready(address).await;
        running
    }

    fn ours(&self, data: &Data, bot_api: &str, sends: bool) -> Command {
        let program = std::env::var("PIXCOURIER_TEST_PROGRAM").unwrap_or(env!("CARGO_BIN_EXE_pixcourier").to_owned());
        let mut command = Command::new(program);
        command.args(["serve", "--listen", "127.0.0.1:0"]).env_clear();
        command.env("PIXCOURIER_BOT_TOKEN", TOKEN).env("PIXCOURIER_BOT_API_URL", bot_api);
        command.env("PIXCOURIER_DATA_DIR", data.folder.path().join("data"));
        for limit in ["CHAT_RATE", "GROUP_RATE_PER_MINUTE", "CALLER_SPOOL_MB", "CALLER_KEPT_MB"] {
            command.env(format!("PIXCOURIER_{limit}"), "0");
        }
        command.env("PIXCOURIER_BOT_RATE", if sends { "0" } else { "0.1" });
        if let Self::Distributed { amqp, redis } = self {
            let namespace = data.folder.path().file_name().unwrap().to_string_lossy().to_lowercase();
            command.env("PIXCOURIER_NAMESPACE", namespace.replace('.', ""));
            command.env("PIXCOURIER_AMQP_URL", amqp).env("PIXCOURIER_REDIS_URL", redis);
            command.env("PIXCOURIER_BLOB_URL", format!("file://{}", data.folder.path().join("blobs").display()));
        }
        command
    }
}

/// One that waits for the disk with each write, as ours do.
fn redis(folder: &Path) -> (Running, u16) {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command = Command::new("redis-server");
    command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes"]);
    command.args(["--appendfsync", "always", "--dir"]).arg(folder).stdout(Stdio::null()).stdin(Stdio::null());
    let running = Running(command.spawn().unwrap(), None);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        std::thread::sleep(Duration::from_millis(10));
    }
    (running, port)
}

async fn wait_until_ready(address: SocketAddr) {
    while crate::load::status_of(address, "/readyz").await == 503 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
