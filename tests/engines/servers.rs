//! The launchers themselves: a test about a broken server is worth nothing if the server was not broken.

use crate::support::{Rabbit, Redis, port_of};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

#[tokio::test]
async fn servers_come_back_on_their_port_and_vanish_with_their_owner() {
    let (mut rabbit, mut redis) = tokio::join!(Rabbit::launch(), Redis::launch());
    let ports: Vec<_> = [rabbit.url(), redis.url()].iter().map(|url| port_of(url)).collect();
    assert!(ports.iter().all(|port| is_open(*port)));
    rabbit.kill9();
    redis.kill9();
    assert!(!ports.iter().any(|port| is_open(*port)));
    tokio::join!(rabbit.start(), redis.start());
    tokio::join!(rabbit.stop(), redis.stop());
    assert!(!ports.iter().any(|port| is_open(*port)));
    tokio::join!(rabbit.start(), redis.start());
    assert!(rabbit.ctl(&["list_queues"]).is_empty());
    drop((rabbit, redis));
    assert!(!ports.iter().any(|port| is_open(*port)));
}

fn is_open(port: u16) -> bool {
    TcpStream::connect_timeout(&SocketAddr::from(([127, 0, 0, 1], port)), Duration::from_secs(1)).is_ok()
}
