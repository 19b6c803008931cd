//! The socket of a connection, watched.

use super::connection::Connection;
use super::register::Admission;
use rustix::net::sockopt::set_socket_send_buffer_size;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// How many bytes of responses the kernel keeps for a caller that takes none; it may keep twice as many. On its own it would
/// grow to megabytes for each, and filling those of many takes the processor from others.
const SEND_BUFFER_BYTES: usize = 128 * 1024;

/// A socket whose connection is registered for as long as it is open. Closed by the register it reads as if the caller had
/// hung up.
pub struct WatchedStream {
    socket: TcpStream,
    admission: Admission,
}

impl WatchedStream {
    /// Watches a socket that was admitted.
    pub fn new(socket: TcpStream, admission: Admission) -> Self {
        if let Err(error) = set_socket_send_buffer_size(&socket, SEND_BUFFER_BYTES) {
            tracing::debug!(%error, "the send buffer of a connection cannot be bounded");
        }
        Self { socket, admission }
    }

    /// What the requests on it are to know.
    pub fn connection(&self) -> &Arc<Connection> {
        &self.admission.connection
    }
}

impl AsyncRead for WatchedStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.admission.connection.is_closed(cx) {
            return Poll::Ready(Ok(()));
        }
        if self.admission.connection.is_ahead() {
            return Poll::Pending;
        }
        if self.admission.connection.is_due_for_a_look() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.socket).poll_read(cx, buffer))?;
        let read = buffer.filled().len() - before;
        if read > 0 {
            self.admission.connection.read(read);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for WatchedStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let Poll::Ready(written) = Pin::new(&mut self.socket).poll_write(cx, bytes) else {
            // It would wait for the caller to the end of its days.
            if self.admission.connection.is_closed(cx) {
                return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
            }
            self.admission.connection.block();
            return Poll::Pending;
        };
        self.admission.connection.written();
        Poll::Ready(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
