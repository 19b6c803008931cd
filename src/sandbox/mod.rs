//! (stub)

use std::net::{SocketAddr, TcpListener};

/// (stub)
#[derive(Clone, Debug)]
pub struct Options {
    /// (stub)
    pub limits: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { limits: true }
    }
}

/// (stub)
pub struct Sandbox(TcpListener);

impl Sandbox {
    /// (stub)
    pub fn start(listener: TcpListener, _options: Options) -> std::io::Result<Self> {
        Ok(Self(listener))
    }

    /// (stub)
    pub fn addr(&self) -> SocketAddr {
        self.0.local_addr().expect("bound")
    }

    /// (stub)
    pub async fn stop(self) {}
}
