//! A server process that can be stopped, killed, frozen and started again on the same port and data.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longer than any start or stop takes on a busy machine.
const START_TIMEOUT: Duration = Duration::from_secs(90);

pub struct Server {
    pub name: &'static str,
    pub port: u16,
    /// What a client says first, and the first byte of the answer of a server that is ready.
    pub hello: (&'static [u8], u8),
    /// Where it may write its output.
    pub output: PathBuf,
    pub command: Box<dyn Fn() -> Command + Send + Sync>,
    pub child: Option<Child>,
}

impl Server {
    /// Starts it and waits until it answers. The error holds what it printed.
    pub async fn try_start(&mut self) -> Result<(), String> {
        assert!(self.child.is_none(), "{} runs already", self.name);
        let output = File::create(&self.output).expect("a file for its output");
        let mut command = (self.command)();
        command.stdin(Stdio::null()).stdout(output.try_clone().expect("a second handle")).stderr(output);
        let child = command.spawn().map_err(|e| format!("{} cannot be run: {e}; see tests/with-brokers", self.name))?;
        self.child = Some(child);
        let deadline = Instant::now() + START_TIMEOUT;
        while Instant::now() < deadline {
            if self.exited() {
                break;
            }
            let (port, hello) = (self.port, self.hello);
            if tokio::task::spawn_blocking(move || answers(port, hello)).await.unwrap_or(false) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.kill9();
        Err(format!("{} did not start:\n{}", self.name, std::fs::read_to_string(&self.output).unwrap_or_default()))
    }

    pub async fn start(&mut self) {
        self.try_start().await.unwrap_or_else(|e| panic!("{e}"));
    }

    /// As the power cord would.
    pub fn kill9(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("our own child");
            child.wait().expect("our own child");
        }
    }

    /// As the init system would, waiting for the end.
    pub async fn stop(&mut self) {
        self.signal("TERM");
        let deadline = Instant::now() + START_TIMEOUT;
        while !self.exited() {
            assert!(Instant::now() < deadline, "{} does not stop", self.name);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.child = None;
    }

    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        let pid = self.child.as_ref().expect("it runs").id().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status().expect("kill runs");
        assert!(sent.success(), "kill -s {name} {pid}");
    }

    fn exited(&mut self) -> bool {
        self.child.as_mut().is_none_or(|child| child.try_wait().expect("our own child").is_some())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill9();
    }
}

/// A free port below the range from which the system takes the ports of outgoing connections, so that none of those
/// sits on it when the server comes back, and no client that calls a server which is down is given that very port, and so
/// reaches itself.
pub fn free_port() -> u16 {
    loop {
        let port = fastrand::u16(10_000..30_000);
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

fn answers(port: u16, (hello, expected): (&[u8], u8)) -> bool {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let Ok(mut stream) = TcpStream::connect_timeout(&address, Duration::from_secs(1)) else { return false };
    let mut first = [0];
    stream.set_read_timeout(Some(Duration::from_secs(1))).expect("not zero");
    stream.write_all(hello).is_ok() && stream.read_exact(&mut first).is_ok() && first[0] == expected
}
