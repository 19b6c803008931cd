//! Draining at a graceful shutdown: returns 503 to connections that arrive while the last requests are finished.
//!
//! When it stops, actix drops connections that it has accepted but not yet read from, and when the port is closed, the
//! kernel resets those that nobody has accepted; to a caller both look like a request cut off in the middle. So this
//! takes the port over first, and closes it at a moment when no connection waits.

use super::problem;
use crate::intake::rejection::ProblemCode;
use futures_util::FutureExt;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// How long one connection is read. A connection closed with unread bytes loses the response.
const LINGER_TIMEOUT: Duration = Duration::from_secs(2);
/// How long the last connections are read once the port is closed.
const LAST_LINGER_TIMEOUT: Duration = Duration::from_millis(500);
/// Connections read at a time; more wait in the kernel's backlog.
const MAX_CONNECTIONS: usize = 256;

/// What callers are told then.
const STOPPING: &str = "The service is stopping. Nothing was done; try again.";

/// A second listener on the server's port.
pub struct DrainListener {
    listener: TcpListener,
}

impl DrainListener {
    /// Listens on the port of this listener. Must be called within a Tokio runtime.
    pub fn new(listener: &std::net::TcpListener) -> io::Result<Self> {
        let listener = listener.try_clone()?;
        listener.set_nonblocking(true)?;
        Ok(Self { listener: TcpListener::from_std(listener)? })
    }

    /// Responds 503 to every connection until `drained` says that the requests in flight have ended, then closes the port.
    /// The server must have stopped accepting connections.
    pub async fn respond_until(self, drained: CancellationToken) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept(), if connections.len() < MAX_CONNECTIONS => match accepted {
                    Ok((connection, _)) => drop(connections.spawn(timeout(LINGER_TIMEOUT, respond_unavailable(connection)))),
                    // Out of file descriptors, say; callers wait in the kernel's backlog meanwhile.
                    Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
                },
                Some(_) = connections.join_next() => {}
                () = drained.cancelled() => break,
            }
        }
        while let Some(Ok((connection, _))) = self.listener.accept().now_or_never() {
            connections.spawn(timeout(LINGER_TIMEOUT, respond_unavailable(connection)));
        }
        drop(self.listener);
        let _ = timeout(LAST_LINGER_TIMEOUT, async { while connections.join_next().await.is_some() {} }).await;
    }
}

/// Responds as soon as a byte has come, and reads on until the caller closes: unread bytes would reset the connection.
async fn respond_unavailable(mut connection: TcpStream) -> io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    if connection.read(&mut buffer).await? == 0 {
        return Ok(());
    }
    connection.write_all(&problem::raw_response(ProblemCode::Unavailable, STOPPING)).await?;
    connection.shutdown().await?;
    while connection.read(&mut buffer).await? > 0 {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn connections_get_a_503_until_the_port_is_closed() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        // In the kernel's backlog before anybody accepts.
        let mut early = TcpStream::connect(address).await.unwrap();
        let drained = CancellationToken::new();
        let draining = tokio::spawn(DrainListener::new(&listener).unwrap().respond_until(drained.clone()));
        drop(listener);
        let mut late = TcpStream::connect(address).await.unwrap();
        for caller in [&mut early, &mut late] {
            caller.write_all(b"POST / HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n").await.unwrap();
            caller.write_all(&vec![7; 100_000]).await.unwrap();
            let mut response = vec![0; 12];
            caller.read_exact(&mut response).await.unwrap();
            assert_eq!(response, b"HTTP/1.1 503");
        }
        drained.cancel();
        draining.await.unwrap();
        let refused = TcpStream::connect(address).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    }
}
