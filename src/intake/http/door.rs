//! The door of a house that is closing: whoever comes while the last requests are finished is told to come again.
//!
//! actix forgets what it has accepted and not begun with when it stops, and the system what nobody has accepted when the
//! port is closed; both would look to a caller like a request cut off in the middle. So this takes the port over first,
//! and closes it in a moment in which nobody waits.

use super::problem;
use crate::intake::{Code, Rejection};
use futures_util::FutureExt;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// How long one caller is listened to. A connection closed with unread bytes loses the answer.
const LINGER: Duration = Duration::from_secs(2);
/// How long the last callers are listened to once the port is closed.
const LAST: Duration = Duration::from_millis(500);
/// Callers listened to at once; more wait in the system.
const CROWD: usize = 256;

/// Stands at the port of a server.
pub struct Door {
    listener: TcpListener,
}

impl Door {
    /// At the port of this listener. Must be called within a Tokio runtime.
    pub fn at(listener: &std::net::TcpListener) -> io::Result<Self> {
        let listener = listener.try_clone()?;
        listener.set_nonblocking(true)?;
        Ok(Self { listener: TcpListener::from_std(listener)? })
    }

    /// Turns everybody away until told that all others are gone; then closes the port. Until then the server must no
    /// longer accept anybody.
    pub async fn turn_away(self, gone: CancellationToken) {
        let mut crowd = JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept(), if crowd.len() < CROWD => match accepted {
                    Ok((caller, _)) => drop(crowd.spawn(timeout(LINGER, turn_away(caller)))),
                    // Out of descriptors, say; callers wait in the system meanwhile.
                    Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
                },
                Some(_) = crowd.join_next() => {}
                () = gone.cancelled() => break,
            }
        }
        while let Some(Ok((caller, _))) = self.listener.accept().now_or_never() {
            crowd.spawn(timeout(LINGER, turn_away(caller)));
        }
        drop(self.listener);
        let _ = timeout(LAST, async { while crowd.join_next().await.is_some() {} }).await;
    }
}

/// Answers as soon as something was asked, and reads on until the caller has seen that.
async fn turn_away(mut caller: TcpStream) -> io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    if caller.read(&mut buffer).await? == 0 {
        return Ok(());
    }
    caller.write_all(&answer()).await?;
    caller.shutdown().await?;
    while caller.read(&mut buffer).await? > 0 {}
    Ok(())
}

fn answer() -> Vec<u8> {
    let code = Code::Unavailable;
    let body = problem::document(&Rejection::new(code, "The service is stopping. Nothing was done; try again."));
    let (seconds, length) = (code.retry_after().unwrap_or(1), body.len());
    let head = format!(
        "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: {seconds}\r\n\
         Content-Type: application/problem+json\r\nContent-Length: {length}\r\n\r\n"
    );
    [head.into_bytes(), body].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn everybody_who_comes_is_answered_until_the_port_is_closed() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        // In the system's queue before anybody stands at the door.
        let mut early = TcpStream::connect(address).await.unwrap();
        let gone = CancellationToken::new();
        let door = tokio::spawn(Door::at(&listener).unwrap().turn_away(gone.clone()));
        drop(listener);
        let mut late = TcpStream::connect(address).await.unwrap();
        for caller in [&mut early, &mut late] {
            caller.write_all(b"POST / HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n").await.unwrap();
            caller.write_all(&vec![7; 100_000]).await.unwrap();
            let mut answer = vec![0; 12];
            caller.read_exact(&mut answer).await.unwrap();
            assert_eq!(answer, b"HTTP/1.1 503");
        }
        gone.cancel();
        door.await.unwrap();
        let refused = TcpStream::connect(address).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    }
}
