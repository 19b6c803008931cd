//! A TCP proxy in front of a server, to play a network that fails.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Network {
    Up,
    /// Connections stay open and carry nothing.
    Frozen,
    /// Connections are closed, and new ones at once.
    Cut,
}

/// Forwards to one server while the network is up. Ends with its owner.
pub struct Proxy {
    port: u16,
    server_port: Arc<AtomicU16>,
    network: watch::Sender<Network>,
    _accepting: AbortOnDropHandle<()>,
}

impl Proxy {
    /// A proxy in front of a server on this machine.
    pub async fn to(server_port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let (network, state) = watch::channel(Network::Up);
        let server_port = Arc::new(AtomicU16::new(server_port));
        let leads_to = server_port.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(forward(client, leads_to.load(Ordering::Relaxed), state.clone()));
            }
        });
        Self { port, server_port, network, _accepting: AbortOnDropHandle::new(accepting) }
    }

    /// The same URL, through the proxy.
    pub fn url(&self, server_url: &str, server_port: u16) -> String {
        server_url.replace(&format!(":{server_port}"), &format!(":{}", self.port))
    }

    /// New connections lead to another server from now on; those that there are stay where they are.
    pub fn lead_to(&self, server_port: u16) {
        self.server_port.store(server_port, Ordering::Relaxed);
    }

    /// Nothing comes through any more, and nobody is told.
    pub fn freeze(&self) {
        self.network.send_replace(Network::Frozen);
    }

    /// All connections end at once; new ones too.
    pub fn cut(&self) {
        self.network.send_replace(Network::Cut);
    }

    /// Everything works again; what was held back comes through.
    pub fn restore(&self) {
        self.network.send_replace(Network::Up);
    }
}

async fn forward(client: TcpStream, server_port: u16, mut network: watch::Receiver<Network>) {
    let Ok(server) = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, server_port))).await else { return };
    let (client, server) = (client.into_split(), server.into_split());
    tokio::select! {
        () = copy(client.0, server.1, network.clone()) => {}
        () = copy(server.0, client.1, network.clone()) => {}
        _ = network.wait_for(|network| *network == Network::Cut) => {}
    }
}

async fn copy(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    mut network: watch::Receiver<Network>,
) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let Ok(length @ 1..) = from.read(&mut buffer).await else { return };
        if network.wait_for(|network| *network != Network::Frozen).await.is_err() {
            return;
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}
