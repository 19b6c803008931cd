//! A connection that is kept up: a supervisor connects, watches the session, and reconnects with exponential backoff.

use super::address::BrokerAddress;
use super::amqp::{RECONNECT_BACKOFF, error_text};
use super::session::Session;
use super::topology::{NodeLabel, Topology};
use crate::ports::QueueError;
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

/// Limit for an attempt to connect, doubled up to the maximum while attempts time out: what an abandoned attempt leaves
/// behind lives until the broker answers it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const MAX_CONNECT_TIMEOUT: Duration = Duration::from_secs(60);
/// After a connection that lived longer than this, the backoff starts anew.
const STABLE_AFTER: Duration = Duration::from_secs(5);

#[derive(Clone)]
enum ConnectionState {
    Down(Arc<str>),
    Up(Arc<Session>),
}

/// Gives the session there is at the moment.
pub(super) struct BrokerConnection {
    state: watch::Receiver<ConnectionState>,
}

impl BrokerConnection {
    /// A connection, and the supervisor that must run for it to come up.
    pub(super) fn new(
        name: &'static str,
        addresses: Arc<[BrokerAddress]>,
        topology: Arc<Topology>,
        stop: CancellationToken,
        beside: Option<Arc<NodesInUse>>,
    ) -> (Self, impl Future<Output = ()> + Send) {
        let (sender, state) = watch::channel(ConnectionState::Down("not connected yet".into()));
        let supervisor = ConnectionSupervisor { name, addresses, topology, state: sender, stop, beside };
        (Self { state }, supervisor.run())
    }

    /// The session, if there is one now.
    pub(super) fn session(&self) -> Result<Arc<Session>, QueueError> {
        match &*self.state.borrow() {
            ConnectionState::Up(session) => Ok(session.clone()),
            ConnectionState::Down(reason) => Err(QueueError::Unavailable(format!("RabbitMQ: {reason}"))),
        }
    }

    /// Waits for a session; `None` once the queue is shut down.
    pub(super) async fn wait_for_session(&self) -> Option<Arc<Session>> {
        let mut state = self.state.clone();
        let up = state.wait_for(|state| matches!(state, ConnectionState::Up(_))).await.ok()?;
        match &*up {
            ConnectionState::Up(session) => Some(session.clone()),
            ConnectionState::Down(_) => None,
        }
    }
}

struct ConnectionSupervisor {
    name: &'static str,
    addresses: Arc<[BrokerAddress]>,
    topology: Arc<Topology>,
    state: watch::Sender<ConnectionState>,
    stop: CancellationToken,
    /// Connections that shall be on nodes apart.
    beside: Option<Arc<NodesInUse>>,
}

/// On which of the addresses connections are that shall be apart, by the name of the connection.
#[derive(Default)]
pub(super) struct NodesInUse(Mutex<HashMap<&'static str, usize>>);

impl NodesInUse {
    /// Chooses an address for a connection: any but its last and the others', as far as there are more.
    fn choose(&self, name: &'static str, last: Option<usize>, addresses: usize) -> usize {
        let mut in_use = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        in_use.remove(name);
        let mut turn = next_turn(last, addresses);
        for _ in 0..addresses {
            if in_use.values().all(|other| *other != turn) && (addresses < 3 || Some(turn) != last) {
                break;
            }
            turn = (turn + 1) % addresses;
        }
        in_use.insert(name, turn);
        turn
    }
}

impl ConnectionSupervisor {
    async fn run(self) {
        let stop = self.stop.clone();
        stop.run_until_cancelled(self.keep_connected()).await;
        let last = self.state.send_replace(ConnectionState::Down("shut down".into()));
        if let ConnectionState::Up(session) = last {
            session.close().await;
        }
    }

    /// Tries the addresses at random, for ever.
    async fn keep_connected(&self) {
        if self.addresses.is_empty() {
            self.set_down("no usable broker address is configured");
            return std::future::pending().await;
        }
        let mut last = None;
        let mut backoff = RECONNECT_BACKOFF.start();
        let mut connect_timeout = CONNECT_TIMEOUT;
        let mut last_reason = String::new();
        loop {
            let turn = match &self.beside {
                Some(beside) => beside.choose(self.name, last, self.addresses.len()),
                None => next_turn(last, self.addresses.len()),
            };
            let (address, mut step) = (&self.addresses[turn], "");
            let connect = Session::connect(self.name, address, self.topology.clone(), &mut step);
            let reason = match timeout(connect_timeout, connect).await {
                Ok(Ok(session)) => {
                    let since = Instant::now();
                    let reason = self.serve(session, address).await;
                    if since.elapsed() > STABLE_AFTER {
                        backoff = RECONNECT_BACKOFF.start();
                    }
                    connect_timeout = CONNECT_TIMEOUT;
                    last_reason.clear();
                    reason
                }
                Ok(Err(error)) => {
                    connect_timeout = CONNECT_TIMEOUT;
                    format!("{} ({step})", error_text(&error))
                }
                Err(_) => {
                    connect_timeout = (connect_timeout * 2).min(MAX_CONNECT_TIMEOUT);
                    format!("the broker does not answer ({step})")
                }
            };
            self.set_down(&reason);
            if reason == last_reason {
                info!(connection = self.name, broker = address.label(), reason, "still no connection to RabbitMQ");
            } else {
                warn!(connection = self.name, broker = address.label(), reason, "no connection to RabbitMQ");
                last_reason = reason;
            }
            backoff.wait().await;
            last = Some(turn);
        }
    }

    /// Hands out a session until it is lost; returns why it was.
    async fn serve(&self, session: Session, address: &BrokerAddress) -> String {
        info!(connection = self.name, broker = address.label(), "connected to RabbitMQ");
        let session = Arc::new(session);
        self.state.send_replace(ConnectionState::Up(session.clone()));
        let prepare_detour = async {
            if self.beside.is_some() && self.addresses.len() > 1 {
                let prepared = session.prepare_detour(NodeLabel::of(address.label())).await;
                prepared.unwrap_or_else(|error| debug!(reason = error_text(&error), "no detour could be declared"));
            }
            std::future::pending::<Infallible>().await
        };
        let reason = tokio::select! {
            reason = session.wait_until_lost() => reason,
            never = prepare_detour => match never {},
        };
        self.set_down(&reason);
        session.end();
        warn!(connection = self.name, broker = address.label(), reason, "lost the connection to RabbitMQ");
        reason
    }

    fn set_down(&self, reason: &str) {
        self.state.send_replace(ConnectionState::Down(reason.into()));
    }
}

/// Which of so many addresses to try next: any but the last, if there is another. At random, or all processes would end up
/// on one node after a second loss.
fn next_turn(last: Option<usize>, addresses: usize) -> usize {
    match last {
        Some(last) if addresses > 1 => (last + 1 + fastrand::usize(..addresses - 1)) % addresses,
        _ => fastrand::usize(..addresses),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_node_is_any_but_the_one_just_lost() {
        let seen: std::collections::BTreeSet<_> = (0..200).map(|_| next_turn(Some(1), 4)).collect();
        assert!(seen.into_iter().eq([0, 2, 3]));
        assert_eq!((next_turn(Some(0), 1), next_turn(None, 1)), (0, 0));
    }

    #[test]
    fn connections_that_shall_be_apart_are_on_different_nodes() {
        let nodes = NodesInUse::default();
        for _ in 0..50 {
            let first = nodes.choose("first", None, 3);
            let second = nodes.choose("second", None, 3);
            let third = 3 - first - second;
            assert_eq!((first != second, nodes.choose("first", Some(first), 3)), (true, third));
        }
    }
}
