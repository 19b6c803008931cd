//! The peer, and its Redis.

use pixcourier::bench::process::Process;
use pixcourier::bench::subject::{Subject, TOKEN};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// See `benches/peer`.
pub struct Peer {
    /// The folder with its program and modules.
    modules: PathBuf,
    /// The port of its Redis: one at a time, each with data of its own.
    redis_port: u16,
}

impl Peer {
    pub const NAME: &str = "peer";

    pub fn new(modules: PathBuf) -> Self {
        let redis_port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self { modules, redis_port }
    }
}

impl Subject for Peer {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    /// A Redis that waits for the disk with each write, as ours do.
    fn start_beside(&self, folder: &Path) -> anyhow::Result<Option<Process>> {
        let mut command = Command::new("redis-server");
        command.args(["--port", &self.redis_port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly"]);
        command.args(["yes", "--appendfsync", "always", "--dir"]).arg(folder);
        let redis = Process::spawn(command)?;
        while TcpStream::connect(("127.0.0.1", self.redis_port)).is_err() {
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(Some(redis))
    }

    fn command(&self, folder: &Path, bot_api: &str, sends: bool) -> Command {
        let mut command = Command::new("node");
        command.arg("server.mjs").current_dir(&self.modules);
        command.env("REDIS_URL", format!("redis://127.0.0.1:{}", self.redis_port)).env("BOT_API_URL", bot_api);
        command.env("BOT_TOKEN", TOKEN).env("DATA_DIR", folder.join("data"));
        command.env("SEND", if sends { "1" } else { "0" });
        command
    }
}
