//! A RabbitMQ node of one's own. It has its own port mapper (epmd) too, so nodes never meet.

use super::server::{Server, free_port};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

pub struct Rabbit {
    server: Server,
    mapper: Mapper,
    home: TempDir,
}

impl Rabbit {
    /// A fresh, empty node.
    pub async fn launch() -> Self {
        let mut last = String::new();
        for _ in 0..3 {
            let mut rabbit = Self::prepare();
            match rabbit.server.try_start().await {
                Ok(()) => return rabbit,
                // Somebody else may have taken the port meanwhile.
                Err(e) => last = e,
            }
        }
        panic!("{last}");
    }

    fn prepare() -> Self {
        let home = TempDir::with_prefix("pixcourier-rabbit-").expect("a temporary folder");
        let mapper = Mapper::start();
        let (port, distribution) = (free_port(), free_port());
        let configuration = format!(
            "listeners.tcp.1 = 127.0.0.1:{port}\ndisk_free_limit.absolute = 50MB\nvm_memory_high_watermark.relative = 0.8\n"
        );
        std::fs::write(home.path().join("rabbitmq.conf"), configuration).expect("room in it");
        std::fs::write(home.path().join("plugins"), "[].").expect("room in it");
        let (dir, mapper_port) = (home.path().to_owned(), mapper.port);
        let server = Server {
            name: "rabbitmq-server",
            port,
            hello: (b"AMQP\0\0\x09\x01", 1),
            output: home.path().join("output"),
            command: Box::new(move || {
                let mut command = tool("rabbitmq-server", &dir, mapper_port);
                command
                    // The script then becomes the node instead of waiting for it, so that our signals reach it.
                    .env("RUNNING_UNDER_SYSTEMD", "true")
                    .env("RABBITMQ_DIST_PORT", distribution.to_string())
                    .env("RABBITMQ_CONFIG_FILE", dir.join("rabbitmq.conf"))
                    .env("RABBITMQ_ENABLED_PLUGINS_FILE", dir.join("plugins"))
                    .env("RABBITMQ_MNESIA_BASE", dir.join("data"))
                    .env("RABBITMQ_LOG_BASE", dir.join("log"))
                    .env("RABBITMQ_PID_FILE", dir.join("pid"));
                command
            }),
            child: None,
        };
        Self { server, mapper, home }
    }

    /// Its address, user and password included.
    pub fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/%2f", self.server.port)
    }

    /// Kills it at once.
    pub fn kill9(&mut self) {
        self.server.kill9();
    }

    /// Stops it in order.
    pub async fn stop(&mut self) {
        self.server.stop().await;
    }

    /// Starts it again, on the same port and data; returns when it answers.
    pub async fn start(&mut self) {
        self.server.start().await;
    }

    /// Freezes it: connections stay open and nobody answers.
    pub fn pause(&self) {
        self.server.signal("STOP");
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.server.signal("CONT");
    }

    /// Runs `rabbitmqctl` on it and returns what it prints. Takes seconds.
    pub fn ctl(&self, arguments: &[&str]) -> String {
        let mut command = tool("rabbitmqctl", self.home.path(), self.mapper.port);
        let output = command.arg("--quiet").args(arguments).stdin(Stdio::null()).output().expect("rabbitmqctl runs");
        assert!(output.status.success(), "rabbitmqctl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

/// The node's port mapper. The node would start one as a daemon that outlives it.
struct Mapper {
    port: u16,
    child: Child,
}

impl Mapper {
    fn start() -> Self {
        let port = free_port();
        let child = Command::new("epmd")
            .args(["-address", "127.0.0.1", "-port", &port.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("epmd comes with rabbitmq-server; see tests/with-brokers");
        Self { port, child }
    }
}

impl Drop for Mapper {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One of RabbitMQ's own scripts; those on the PATH insist on the user `rabbitmq`.
fn tool(name: &str, home: &Path, mapper_port: u16) -> Command {
    let mut command = Command::new(scripts().join(name));
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("LANG", "C.UTF-8")
        .env("HOME", home)
        .env("ERL_EPMD_PORT", mapper_port.to_string())
        .env("RABBITMQ_CONF_ENV_FILE", home.join("none"))
        .env("RABBITMQ_NODENAME", "pixcourier@localhost")
        .current_dir(home);
    command
}

fn scripts() -> PathBuf {
    let installed = std::fs::read_dir("/usr/lib/rabbitmq/lib").into_iter().flatten().flatten();
    let mut found = installed.map(|entry| entry.path().join("sbin")).filter(|path| path.is_dir());
    found.next().expect("rabbitmq-server is not installed; see tests/with-brokers")
}
