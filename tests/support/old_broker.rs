//! A RabbitMQ that says it is older than it is: a forwarder in front of a real one, which changes the version in the first frame that
//! the server sends (`Connection.Start`), and lets all else through.

use std::net::{Ipv4Addr, SocketAddr};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

/// Ends with its owner.
pub struct OldBroker {
    port: u16,
    _accepting: AbortOnDropHandle<()>,
}

impl OldBroker {
    /// In front of a server on this machine.
    pub async fn before(server_port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(forward(client, server_port));
            }
        });
        Self { port, _accepting: AbortOnDropHandle::new(accepting) }
    }

    /// The same URL, by way of this.
    pub fn url(&self, server_url: &str, server_port: u16) -> String {
        server_url.replace(&format!(":{server_port}"), &format!(":{}", self.port))
    }
}

async fn forward(mut client: TcpStream, server_port: u16) -> std::io::Result<()> {
    let mut server = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, server_port))).await?;
    let mut header = [0; 8];
    client.read_exact(&mut header).await?;
    server.write_all(&header).await?;
    // Type, channel and size; the frame; its end mark.
    let mut start = vec![0; 7];
    server.read_exact(&mut start).await?;
    let size = u32::from_be_bytes(start[3..7].try_into().expect("four bytes")) as usize;
    start.resize(7 + size + 1, 0);
    server.read_exact(&mut start[7..]).await?;
    make_older(&mut start);
    client.write_all(&start).await?;
    tokio::io::copy_bidirectional(&mut client, &mut server).await.map(drop)
}

/// Makes the version 3.9.0, of the same length: `3.10.8` becomes `3.9.00`.
fn make_older(start: &mut [u8]) {
    let key = b"\x07versionS";
    let place =
        start.windows(key.len()).position(|bytes| bytes == key).expect("the server tells its version") + key.len();
    let (length, rest) = start[place..].split_at_mut(4);
    let length = u32::from_be_bytes(length.try_into().expect("four bytes")) as usize;
    let older = format!("3.9.{:0>1$}", 0, length - "3.9.".len());
    rest[..length].copy_from_slice(older.as_bytes());
}
