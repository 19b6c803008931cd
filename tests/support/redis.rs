//! A Redis of one's own, which writes every change to disk before it answers. `PIXCOURIER_TEST_REDIS_SERVER` names another
//! program that speaks its protocol, `valkey-server` say.

use super::installed;
use super::server::{Server, free_port};
use tempfile::TempDir;

pub struct Redis {
    server: Server,
    _home: TempDir,
}

impl Redis {
    /// A fresh, empty server.
    pub async fn launch() -> Self {
        let mut last = String::new();
        for _ in 0..3 {
            let mut redis = Self::prepare();
            match redis.server.try_start().await {
                Ok(()) => return redis,
                // Somebody else may have taken the port meanwhile.
                Err(e) => last = e,
            }
        }
        panic!("{last}");
    }

    fn prepare() -> Self {
        let home = installed::folder("pixcourier-redis-");
        let port = free_port();
        let dir = home.path().to_owned();
        let server = Server {
            name: "redis-server",
            port,
            hello: (b"PING\r\n", b'+'),
            output: home.path().join("output"),
            command: Box::new(move || {
                let dir = installed::inside(&dir);
                let mut command = installed::program(program(), &dir);
                command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", ""]);
                command.args(["--appendonly", "yes", "--appendfsync", "always", "--dir"]).arg(&dir);
                command
            }),
            child: None,
        };
        Self { server, _home: home }
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.server.port)
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
}

fn program() -> String {
    std::env::var("PIXCOURIER_TEST_REDIS_SERVER").unwrap_or_else(|_| "redis-server".to_owned())
}
