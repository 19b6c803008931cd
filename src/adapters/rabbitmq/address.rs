//! The address of a broker, and how it is connected to.

use futures_util::{AsyncRead, AsyncWrite};
use lapin::tcp::{AMQPUriTcpExt, OwnedTLSConfig};
use lapin::uri::AMQPUri;
use lapin::{Connection, ConnectionProperties};
use secrecy::{ExposeSecret, SecretString};
use std::io;
use std::sync::Arc;

/// The heartbeat, unless the address names one: the broker replaces an owner that is frozen or cut off after two to
/// three times this, so within 12 s, and not before the owner has noticed itself. Less than 5 gives false alarms
/// (RabbitMQ heartbeat guide) on connections that are idle; ours carry a liveness check every second.
const HEARTBEAT_SECONDS: u16 = 4;
/// The largest frame in bytes, unless the address names one; larger messages take several. The client library holds 64 of them
/// for each connection, which are 8 MB at RabbitMQ's own 128 KiB.
const FRAME_MAX_BYTES: u32 = 32 * 1024;
/// The address of a broker that may be tried.
pub(super) struct BrokerAddress {
    uri: AMQPUri,
    /// Host and port, without user and password.
    label: String,
    /// Certificates of authorities to trust besides the system's, PEM.
    ca: Option<Arc<str>>,
}

impl BrokerAddress {
    /// Reads an address; `None`, without a reason, for one that is wrong, since it may hold a password.
    pub(super) fn parse(url: &SecretString, ca: Option<&Arc<str>>) -> Option<Self> {
        let mut uri: AMQPUri = url.expose_secret().parse().ok()?;
        uri.query.heartbeat.get_or_insert(HEARTBEAT_SECONDS);
        uri.query.frame_max.get_or_insert(FRAME_MAX_BYTES);
        if uri.vhost.is_empty() {
            // `amqp://host/` names the virtual host "", which nobody has; "/" is meant.
            uri.vhost = "/".to_owned();
        }
        let label = format!("{}:{}", uri.authority.host, uri.authority.port);
        Some(Self { uri, label, ca: ca.cloned() })
    }

    /// Connects.
    pub(super) async fn connect(&self, properties: ConnectionProperties) -> lapin::Result<Connection> {
        let runtime = lapin::runtime::default_runtime()?;
        Connection::connect_uri_with_config(self.uri.clone(), properties, self.tls(), runtime).await
    }

    /// Opens a stream to the broker and says nothing on it yet.
    pub(super) async fn open_stream(&self) -> io::Result<impl AsyncRead + AsyncWrite + Unpin + use<>> {
        let runtime = lapin::runtime::default_runtime().map_err(io::Error::other)?;
        self.uri.connect_with_config_async(self.tls().as_ref(), &runtime).await
    }

    fn tls(&self) -> OwnedTLSConfig {
        OwnedTLSConfig { identity: None, cert_chain: self.ca.as_deref().map(str::to_owned) }
    }

    pub(super) fn uri(&self) -> &AMQPUri {
        &self.uri
    }

    pub(super) fn label(&self) -> &str {
        &self.label
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_short_heartbeat_unless_it_names_one() {
        let heartbeat = |url: &str| BrokerAddress::parse(&url.to_owned().into(), None).unwrap().uri.query.heartbeat;
        assert_eq!(heartbeat("amqp://u:p@h/%2f"), Some(HEARTBEAT_SECONDS));
        assert_eq!(heartbeat("amqp://u:p@h/%2f?heartbeat=9"), Some(9));
    }

    #[test]
    fn a_label_names_the_broker_and_nothing_secret() {
        let address = BrokerAddress::parse(&"amqp://user:password@broker:5673/".to_owned().into(), None).unwrap();
        assert_eq!((address.label.as_str(), address.uri.vhost.as_str()), ("broker:5673", "/"));
        assert!(BrokerAddress::parse(&"http://x".to_owned().into(), None).is_none());
    }
}
