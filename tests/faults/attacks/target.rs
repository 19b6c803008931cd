//! The service as its attacker sees it.

use crate::load::Client;
use crate::service::{API_KEY, Service, TOKEN};
use std::net::Ipv4Addr;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};

/// See the module.
pub struct Target {
    /// Its port on the loopback address.
    pub port: u16,
    /// A well-behaved way to call it.
    pub client: Client,
}

impl Target {
    pub fn new(service: &Service) -> Self {
        Self { port: service.port(), client: service.client() }
    }

    /// A connection on which nothing is sent yet.
    pub async fn connect(&self) -> std::io::Result<TcpStream> {
        TcpStream::connect(("127.0.0.1", self.port)).await
    }

    /// The same from another address of this machine.
    pub async fn connect_from(&self, address: Ipv4Addr) -> std::io::Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        // Little room, so that what is not read stays with the sender.
        socket.set_recv_buffer_size(4 * 1024)?;
        socket.bind((address, 0).into())?;
        socket.connect((Ipv4Addr::LOCALHOST, self.port).into()).await
    }

    /// A connection on which these bytes have been sent.
    pub async fn connect_and_send(&self, bytes: &[u8]) -> std::io::Result<TcpStream> {
        let mut stream = self.connect().await?;
        stream.write_all(bytes).await?;
        Ok(stream)
    }

    /// The head of a request with the API key, without the empty line that ends it.
    pub fn head(&self, request_line: &str) -> String {
        format!("{request_line} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {API_KEY}\r\n")
    }

    /// The path of a method at the Bot API face.
    pub fn bot_api(&self, method: &str) -> String {
        format!("/bot{TOKEN}/{method}")
    }
}
