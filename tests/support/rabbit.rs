//! A RabbitMQ node of one's own, or a cluster of them. It has its own port mapper (epmd) too, so those of two tests never
//! meet.

use super::installed;
use super::server::{Server, free_port};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use tempfile::TempDir;

pub struct Rabbit {
    server: Server,
    mapper: Arc<Mapper>,
    name: String,
    home: TempDir,
}

impl Rabbit {
    /// A fresh, empty node.
    pub async fn launch() -> Self {
        Self::launch_named("pixcourier", &Arc::new(Mapper::start())).await
    }

    /// Fresh, empty nodes in one cluster.
    pub async fn launch_cluster(size: usize) -> Vec<Self> {
        let mapper = Arc::new(Mapper::start());
        let names: Vec<String> = (1..=size).map(|number| format!("pixcourier{number}")).collect();
        let launches = names.iter().map(|name| Self::launch_named(name, &mapper));
        let nodes = futures_util::future::join_all(launches).await;
        for node in &nodes[1..] {
            node.ctl(&["stop_app"]);
            node.ctl(&["join_cluster", &nodes[0].node_name()]);
            node.ctl(&["start_app"]);
        }
        nodes
    }

    async fn launch_named(name: &str, mapper: &Arc<Mapper>) -> Self {
        let mut last = String::new();
        for _ in 0..3 {
            let mut rabbit = Self::prepare(name, mapper.clone());
            match rabbit.server.try_start().await {
                Ok(()) => return rabbit,
                // Somebody else may have taken the port meanwhile.
                Err(e) => last = e,
            }
        }
        panic!("{last}");
    }

    fn prepare(name: &str, mapper: Arc<Mapper>) -> Self {
        let home = installed::folder("pixcourier-rabbit-");
        let (port, distribution) = (free_port(), free_port());
        let configuration = format!(
            "listeners.tcp.1 = 127.0.0.1:{port}\ndisk_free_limit.absolute = 50MB\nvm_memory_high_watermark.relative = 0.8\n"
        );
        std::fs::write(home.path().join("rabbitmq.conf"), configuration).expect("room in it");
        std::fs::write(home.path().join("plugins"), "[].").expect("room in it");
        mapper.write_cookie(home.path());
        let (dir, mapper_port, node_name) = (home.path().to_owned(), mapper.port, name.to_owned());
        let server = Server {
            name: "rabbitmq-server",
            port,
            hello: (b"AMQP\0\0\x09\x01", 1),
            output: home.path().join("output"),
            command: Box::new(move || {
                let mut command = tool("rabbitmq-server", &node_name, &dir, mapper_port);
                let dir = installed::inside(&dir);
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
        Self { server, mapper, name: name.to_owned(), home }
    }

    /// Its address, user and password included.
    pub fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/%2f", self.port())
    }

    pub fn port(&self) -> u16 {
        self.server.port
    }

    /// Its name in the cluster.
    pub fn node_name(&self) -> String {
        format!("{}@localhost", self.name)
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

    /// What it has logged.
    pub fn log(&self) -> String {
        let file = self.home.path().join("log").join(format!("{}.log", self.node_name()));
        std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    }

    /// Runs `rabbitmqctl` on it and returns what it prints. Takes seconds.
    pub fn ctl(&self, arguments: &[&str]) -> String {
        self.try_ctl(arguments).unwrap_or_else(|error| panic!("rabbitmqctl {arguments:?}: {error}"))
    }

    /// The same, for what may fail.
    pub fn try_ctl(&self, arguments: &[&str]) -> Result<String, String> {
        let mut command = tool("rabbitmqctl", &self.name, self.home.path(), self.mapper.port);
        let output = command.arg("--quiet").args(arguments).stdin(Stdio::null()).output().expect("rabbitmqctl runs");
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }
}

/// The port mapper of nodes that belong together, and the cookie by which they know each other. A node would start a mapper
/// as a daemon that outlives it.
struct Mapper {
    port: u16,
    cookie: String,
    child: Child,
}

impl Mapper {
    fn start() -> Self {
        let port = free_port();
        let child = installed::program("epmd", Path::new("/"))
            .args(["-address", "127.0.0.1", "-port", &port.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("epmd comes with rabbitmq-server; see tests/with-brokers");
        let cookie = std::iter::repeat_with(fastrand::alphanumeric).take(20).collect();
        Self { port, cookie, child }
    }

    /// Erlang wants it readable by its owner alone.
    fn write_cookie(&self, home: &Path) {
        use std::os::unix::fs::PermissionsExt;
        let path = home.join(".erlang.cookie");
        std::fs::write(&path, &self.cookie).expect("room in it");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o400)).expect("our own file");
    }
}

impl Drop for Mapper {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One of RabbitMQ's own scripts; those on the PATH insist on the user `rabbitmq`.
fn tool(script: &str, name: &str, home: &Path, mapper_port: u16) -> Command {
    let home = installed::inside(home);
    let mut command = installed::program(scripts().join(script), &home);
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("LANG", "C.UTF-8")
        .env("HOME", &home)
        .env("ERL_EPMD_PORT", mapper_port.to_string())
        .env("RABBITMQ_CONF_ENV_FILE", home.join("none"))
        .env("RABBITMQ_NODENAME", format!("{name}@localhost"));
    command
}

fn scripts() -> PathBuf {
    let installed = std::fs::read_dir(installed::root().join("usr/lib/rabbitmq/lib")).into_iter().flatten().flatten();
    let mut found = installed.map(|entry| entry.path().join("sbin")).filter(|path| path.is_dir());
    installed::inside(&found.next().expect("rabbitmq-server is not installed; see tests/with-brokers"))
}
