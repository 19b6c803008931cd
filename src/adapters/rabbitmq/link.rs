//! A connection that is kept up: one supervisor builds it, watches it, and builds it again from the same code.

use super::session::{Session, explain};
use super::topology::Topology;
use crate::ports::QueueError;
use lapin::uri::AMQPUri;
use secrecy::{ExposeSecret, SecretString};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

/// The heartbeat in seconds, unless the address names one: the broker replaces an owner that is frozen or cut off after
/// two to three times this, so within 12 s, and not before the owner has noticed itself. Less than 5 gives false alarms
/// (RabbitMQ heartbeat guide) on connections that are idle; ours carry a sign of life every second.
const HEARTBEAT: u16 = 4;
/// How long an attempt to connect may take. Doubled up to the limit while attempts time out: what an abandoned attempt
/// leaves behind lives until the broker answers it.
const PATIENCE: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(60));
/// A connection that lived this long was good: the next back-off starts anew.
const GOOD: Duration = Duration::from_secs(5);

/// A broker that may be tried.
pub(super) struct Host {
    uri: AMQPUri,
    /// Host and port, without user and password.
    label: String,
}

impl Host {
    /// Reads an address; says nothing about one that is wrong, since it may hold a password.
    pub(super) fn parse(url: &SecretString) -> Option<Self> {
        let mut uri: AMQPUri = url.expose_secret().parse().ok()?;
        uri.query.heartbeat.get_or_insert(HEARTBEAT);
        if uri.vhost.is_empty() {
            // `amqp://host/` names the virtual host "", which nobody has; "/" is meant.
            uri.vhost = "/".to_owned();
        }
        let label = format!("{}:{}", uri.authority.host, uri.authority.port);
        Some(Self { uri, label })
    }
}

#[derive(Clone)]
enum State {
    Down(Arc<str>),
    Up(Arc<Session>),
}

/// The way to the session of the moment.
pub(super) struct Link {
    state: watch::Receiver<State>,
}

impl Link {
    /// A link, and the supervisor that must run for it to come up.
    pub(super) fn new(
        name: &'static str,
        hosts: Arc<[Host]>,
        topology: Arc<Topology>,
        stop: CancellationToken,
    ) -> (Self, impl Future<Output = ()> + Send) {
        let (sender, state) = watch::channel(State::Down("not connected yet".into()));
        let supervisor = Supervisor { name, hosts, topology, state: sender, stop };
        (Self { state }, supervisor.run())
    }

    /// The session, if there is one now.
    pub(super) fn session(&self) -> Result<Arc<Session>, QueueError> {
        match &*self.state.borrow() {
            State::Up(session) => Ok(session.clone()),
            State::Down(reason) => Err(QueueError::Unavailable(format!("RabbitMQ: {reason}"))),
        }
    }

    /// The session, as soon as there is one; `None` once the queue is shut down.
    pub(super) async fn up(&self) -> Option<Arc<Session>> {
        let mut state = self.state.clone();
        let up = state.wait_for(|state| matches!(state, State::Up(_))).await.ok()?;
        match &*up {
            State::Up(session) => Some(session.clone()),
            State::Down(_) => None,
        }
    }
}

struct Supervisor {
    name: &'static str,
    hosts: Arc<[Host]>,
    topology: Arc<Topology>,
    state: watch::Sender<State>,
    stop: CancellationToken,
}

impl Supervisor {
    async fn run(self) {
        let stop = self.stop.clone();
        stop.run_until_cancelled(self.keep_up()).await;
        let last = self.state.send_replace(State::Down("shut down".into()));
        if let State::Up(session) = last {
            session.close().await;
        }
    }

    async fn keep_up(&self) {
        let Some(mut turn) = (!self.hosts.is_empty()).then(|| fastrand::usize(..self.hosts.len())) else {
            self.state.send_replace(State::Down("no usable broker address is configured".into()));
            return std::future::pending().await;
        };
        let mut backoff = Backoff::default();
        let mut patience = PATIENCE.0;
        let mut said = String::new();
        loop {
            let host = &self.hosts[turn % self.hosts.len()];
            let reason = match timeout(patience, Session::open(self.name, &host.uri, self.topology.clone())).await {
                Ok(Ok(session)) => {
                    info!(connection = self.name, broker = host.label, "connected to RabbitMQ");
                    let (since, session) = (Instant::now(), Arc::new(session));
                    self.state.send_replace(State::Up(session.clone()));
                    let reason = session.lost().await;
                    self.state.send_replace(State::Down(reason.as_str().into()));
                    session.end();
                    warn!(connection = self.name, broker = host.label, reason, "lost the connection to RabbitMQ");
                    if since.elapsed() > GOOD {
                        backoff = Backoff::default();
                    }
                    patience = PATIENCE.0;
                    said.clear();
                    reason
                }
                Ok(Err(error)) => {
                    patience = PATIENCE.0;
                    explain(&error)
                }
                Err(_) => {
                    patience = (patience * 2).min(PATIENCE.1);
                    "the broker does not answer".to_owned()
                }
            };
            self.state.send_replace(State::Down(reason.as_str().into()));
            if reason == said {
                debug!(connection = self.name, broker = host.label, reason, "still no connection to RabbitMQ");
            } else {
                warn!(connection = self.name, broker = host.label, reason, "no connection to RabbitMQ");
                said = reason;
            }
            backoff.pause().await;
            turn += 1;
        }
    }
}

/// Pauses that double from 0.1 s to 1 s, each shortened at random by up to a half: after an outage all clients come
/// back at once.
pub(super) struct Backoff(Duration);

impl Backoff {
    const FIRST: Duration = Duration::from_millis(100);
    const LAST: Duration = Duration::from_secs(1);

    /// Waits for the pause that is next.
    pub(super) async fn pause(&mut self) {
        let pause = self.0.mul_f64(0.5 + fastrand::f64() / 2.0);
        self.0 = (self.0 * 2).min(Self::LAST);
        tokio::time::sleep(pause).await;
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self(Self::FIRST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_short_heartbeat_unless_it_names_one() {
        let heartbeat = |url: &str| Host::parse(&url.to_owned().into()).unwrap().uri.query.heartbeat;
        assert_eq!(heartbeat("amqp://u:p@h/%2f"), Some(HEARTBEAT));
        assert_eq!(heartbeat("amqp://u:p@h/%2f?heartbeat=9"), Some(9));
    }

    #[test]
    fn a_label_names_the_broker_and_nothing_secret() {
        let host = Host::parse(&"amqp://user:password@broker:5673/".to_owned().into()).unwrap();
        assert_eq!((host.label.as_str(), host.uri.vhost.as_str()), ("broker:5673", "/"));
        assert!(Host::parse(&"http://x".to_owned().into()).is_none());
    }
}
