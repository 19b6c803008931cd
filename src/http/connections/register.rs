//! All connections of callers. When there are as many as there may be, those that have been idle for longest are closed to
//! make room. A quarter of them is kept for addresses that have few, so that others are served whatever one or some do.

use super::connection::Connection;
use crate::intake::caller::network;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How long the head of a request may take. actix bounds that of the first request on a connection by less.
const HEAD_TIME: Duration = Duration::from_secs(20);
/// How long a connection may be without a byte and without a request. actix closes most of them before.
const IDLE_TIME: Duration = Duration::from_secs(90);
/// How long a caller may take nothing of a response.
const BLOCKED_TIME: Duration = Duration::from_secs(30);
/// How often that is looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// How many are closed at once when there is no room: one in so many, so that not each newcomer looks through all.
const CLOSED_AT_ONCE: usize = 32;

/// An address that has less than one in so many of all connections has few.
const FEW: usize = 32;

/// See the module.
pub struct Connections {
    limit: usize,
    open: Mutex<Open>,
}

/// A connection that is counted until this is dropped.
pub struct Admission {
    pub(super) connection: Arc<Connection>,
    register: Arc<Connections>,
    number: u64,
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.register.open().remove(self.number);
    }
}

#[derive(Default)]
struct Open {
    next: u64,
    by_number: HashMap<u64, Arc<Connection>>,
    /// How many each address has.
    of: HashMap<IpAddr, usize>,
}

impl Connections {
    /// So many at the most.
    pub fn new(limit: usize) -> Self {
        Self { limit, open: Mutex::default() }
    }

    /// Takes in a connection from an address. Idle ones make room for it. `None` if there is no room, or the address has too
    /// many.
    pub fn admit(self: &Arc<Self>, address: Option<IpAddr>) -> Option<Admission> {
        let (connection, number) = self.enter(address.map(network))?;
        Some(Admission { connection, register: self.clone(), number })
    }

    /// Closes those whose head takes too long, those whose caller takes no response, and those that have been forgotten, until
    /// told to stop.
    pub async fn watch(self: Arc<Self>, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(LOOK_INTERVAL)).await.is_some() {
            for connection in self.open().by_number.values() {
                let is_slow = connection.head_pending().is_some_and(|time| time > HEAD_TIME);
                let is_blocked = connection.blocked().is_some_and(|time| time > BLOCKED_TIME);
                if is_slow || is_blocked || connection.idle().is_some_and(|time| time > IDLE_TIME) {
                    connection.close();
                }
            }
        }
    }

    fn enter(&self, peer: Option<IpAddr>) -> Option<(Arc<Connection>, u64)> {
        let mut open = self.open();
        let has = peer.map_or(0, |peer| open.of.get(&peer).copied().unwrap_or(0));
        let kept = if has < self.few() { 0 } else { self.limit / 4 };
        if has >= self.limit - kept {
            open.close_idlest(self.at_once(), peer)?;
        } else if open.by_number.len() >= self.limit - kept {
            open.close_idlest(self.at_once(), None)?;
        }
        let number = open.next;
        open.next += 1;
        let connection = Arc::new(Connection::new(peer));
        open.by_number.insert(number, connection.clone());
        if let Some(peer) = peer {
            *open.of.entry(peer).or_default() += 1;
        }
        Some((connection, number))
    }

    /// An address that has fewer than these may have one more of those that are kept.
    fn few(&self) -> usize {
        (self.limit / FEW).max(1)
    }

    fn at_once(&self) -> usize {
        (self.limit / CLOSED_AT_ONCE).max(1)
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// Closes up to `count` of those that have been idle for longest, of this address if one is given. They are counted no more,
    /// though their descriptors are only free in a moment. `None` if there are none.
    fn close_idlest(&mut self, count: usize, peer: Option<IpAddr>) -> Option<()> {
        let of_peer = |connection: &Connection| peer.is_none() || connection.peer == peer;
        let idle = self.by_number.iter().filter(|(_, connection)| of_peer(connection));
        let mut idle: Vec<_> = idle.filter_map(|(number, it)| Some((it.idle()?, *number))).collect();
        idle.sort_unstable_by_key(|(time, _)| Reverse(*time));
        idle.truncate(count);
        for (_, number) in &idle {
            if let Some(connection) = self.remove(*number) {
                connection.close();
            }
        }
        (!idle.is_empty()).then_some(())
    }

    fn remove(&mut self, number: u64) -> Option<Arc<Connection>> {
        let connection = self.by_number.remove(&number)?;
        if let Some(peer) = connection.peer
            && let Some(count) = self.of.get_mut(&peer)
        {
            *count -= 1;
            if *count == 0 {
                self.of.remove(&peer);
            }
        }
        Some(connection)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 1)));
    const OTHER: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 2)));

    fn is_open(connections: &Connections, number: u64) -> bool {
        connections.open().by_number.contains_key(&number)
    }

    #[test]
    fn the_idlest_makes_room_and_one_in_use_never_does() {
        let connections = Connections::new(4);
        let [first, second, third] = [(); 3].map(|()| connections.enter(ONE).unwrap());
        let in_use = first.0.begin_request();
        second.0.moved();
        while second.0.idle() < Some(Duration::from_millis(3)) {
            std::hint::spin_loop();
        }
        third.0.moved();
        let (_, fourth) = connections.enter(ONE).unwrap();
        assert_eq!(
            [first.1, second.1, third.1, fourth].map(|number| is_open(&connections, number)),
            [true, false, true, true]
        );
        drop(in_use);
        assert!(first.0.idle().is_some());
    }

    #[test]
    fn one_address_cannot_have_all_even_if_all_of_its_own_are_in_use() {
        let connections = Connections::new(4);
        let of_one: Vec<_> = (0..3).map(|_| connections.enter(ONE).unwrap()).collect();
        let in_use: Vec<_> = of_one.iter().map(|(connection, _)| connection.begin_request()).collect();
        assert!(connections.enter(ONE).is_none());
        let (other, _) = connections.enter(OTHER).unwrap();
        let other_in_use = other.begin_request();
        assert!(connections.enter(OTHER).is_none(), "all are in use");
        drop(other_in_use);
        assert!(connections.enter(OTHER).is_some(), "its idle one makes room");
        drop(in_use);
        assert!(connections.enter(ONE).is_some());
        assert_eq!(connections.open().by_number.len(), 4);
    }

    #[test]
    fn some_addresses_together_cannot_have_all() {
        let connections = Connections::new(64);
        let addresses = [1, 2, 3].map(|number| Some(IpAddr::from([10, 0, 0, number])));
        let mut in_use = Vec::new();
        for address in addresses.iter().cycle().take(200) {
            in_use.extend(connections.enter(*address).map(|(connection, _)| connection.begin_request()));
        }
        assert_eq!(in_use.len(), 48, "a quarter is kept");
        let newcomer = connections.enter(ONE).unwrap();
        assert!(newcomer.0.idle().is_none(), "it has had no time to ask for anything");
    }

    #[test]
    fn who_takes_no_response_makes_room_like_an_idle_one() {
        let connection = Arc::new(Connection::new(ONE));
        let _in_use = connection.begin_request();
        connection.block();
        assert!(connection.blocked().is_some() && connection.idle().is_none(), "a moment is nothing");
        while connection.idle().is_none() {
            std::hint::spin_loop();
        }
        assert!(connection.blocked() >= Some(Duration::from_secs(1)));
        connection.written();
        assert!(connection.blocked().is_none() && connection.idle().is_none());
    }

    #[test]
    fn the_time_of_a_head_counts_from_its_first_byte_to_the_request() {
        let connection = Arc::new(Connection::new(ONE));
        assert!(connection.head_pending().is_none());
        connection.read(1);
        assert!(connection.head_pending().is_some());
        let in_use = connection.begin_request();
        assert!(connection.head_pending().is_none());
        connection.read(1);
        drop(in_use);
        assert!(connection.head_pending().is_none(), "what came within a request is its body");
        connection.read(1);
        assert!(connection.head_pending().is_some());
    }

    #[test]
    fn the_server_looks_for_a_request_before_it_has_read_its_body() {
        let connection = Arc::new(Connection::new(ONE));
        connection.read(16_383);
        assert!(!connection.is_due_for_a_look());
        connection.read(1);
        assert!(connection.is_due_for_a_look());
        assert!(!connection.is_due_for_a_look(), "a longer head is read on");
        connection.read(16_384);
        let _in_use = connection.begin_request();
        connection.read(16_384);
        assert!(!connection.is_due_for_a_look(), "what comes within a request is its body");
    }

    #[test]
    fn no_more_of_a_body_is_read_ahead_than_its_request_has_taken() {
        let connection = Arc::new(Connection::new(ONE));
        connection.read(1 << 20);
        assert!(!connection.is_ahead(), "a head is bounded elsewhere");
        let in_use = connection.begin_request();
        connection.read(30_000);
        assert!(!connection.is_ahead());
        connection.read(30_000);
        assert!(connection.is_ahead());
        connection.take(30_000);
        assert!(!connection.is_ahead());
        connection.read(30_000);
        assert!(connection.is_ahead());
        connection.take_all();
        assert!(!connection.is_ahead(), "the framing of chunks is never taken");
        connection.read(120_000);
        drop(in_use);
        assert!(!connection.is_ahead(), "what is left is thrown away");
    }
}
