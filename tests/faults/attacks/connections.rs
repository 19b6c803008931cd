//! Connections that are held and hardly used.

use super::{Siege, Target};
use crate::service::Engine;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// As many descriptors as most systems let a service have.
const USUAL_DESCRIPTORS: u32 = 1024;
/// How long the connections are held.
const HOLD: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_idle_connections() {
    Siege::of("1,000 idle connections, 1,024 descriptors")
        .descriptors(USUAL_DESCRIPTORS)
        .by(async |target| hold_idle(target, 1_000).await)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn five_thousand_idle_connections() {
    Siege::of("5,000 idle connections, 1,024 descriptors")
        .descriptors(USUAL_DESCRIPTORS)
        .by(async |target| hold_idle(target, 5_000).await)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn five_thousand_idle_connections_distributed() {
    Siege::of("5,000 idle connections, 1,024 descriptors")
        .on(Engine::shared())
        .descriptors(USUAL_DESCRIPTORS)
        .by(async |target| hold_idle(target, 5_000).await)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn five_thousand_idle_connections_with_plenty_of_descriptors() {
    Siege::of("5,000 idle connections").by(async |target| hold_idle(target, 5_000).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_heads_that_never_end() {
    Siege::of("2,000 heads at 1 byte/s, 1,024 descriptors")
        .descriptors(USUAL_DESCRIPTORS)
        .by(async |target| trickle_heads(target, 2_000).await)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_bodies_that_never_end() {
    Siege::of("2,000 bodies at 1 byte/s, 1,024 descriptors")
        .descriptors(USUAL_DESCRIPTORS)
        .by(async |target| trickle_bodies(target, 2_000).await)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_responses_that_nobody_reads() {
    Siege::of("responses that two addresses do not read, 1,024 descriptors")
        .descriptors(USUAL_DESCRIPTORS)
        .by(async |target| read_nothing(target, 500).await)
        .await;
}

/// From two addresses, each of which may have most of the connections.
async fn read_nothing(target: &Target, count: usize) {
    let request = format!("{}\r\n", target.head("GET /openapi.json")).repeat(20);
    let mut held = Vec::new();
    for number in 0..2 * count {
        let address = Ipv4Addr::new(127, 0, 0, 3 + (number / count) as u8);
        if let Ok(Ok(mut stream)) = timeout(Duration::from_millis(200), target.connect_from(address)).await {
            let _ = timeout(Duration::from_millis(200), stream.write_all(request.as_bytes())).await;
            held.push(stream);
        }
    }
    tokio::time::sleep(2 * HOLD).await;
}

/// Each is used once, and held.
async fn hold_idle(target: &Target, count: usize) {
    let request = format!("{}\r\n", target.head("GET /healthz"));
    let mut held = Vec::new();
    for _ in 0..count {
        if let Ok(mut stream) = target.connect_and_send(request.as_bytes()).await {
            // One that gets no answer has done its harm as well.
            let _ = tokio::time::timeout(Duration::from_millis(200), stream.read(&mut [0; 1024])).await;
            held.push(stream);
        }
    }
    tokio::time::sleep(HOLD).await;
}

async fn trickle_heads(target: &Target, count: usize) {
    let begin = target.head("POST /v1/notifications");
    trickle(target, &format!("{begin}X-Slow: "), count).await;
}

async fn trickle_bodies(target: &Target, count: usize) {
    let head = target.head("POST /v1/notifications");
    let head = format!("{head}Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 1000000\r\n\r\n");
    let part = "--x\r\nContent-Disposition: form-data; name=\"photo\"; filename=\"a.jpg\"\r\n\r\n\u{1}";
    trickle(target, &format!("{head}{part}"), count).await;
}

/// Sends a beginning on each connection, and then one byte a second.
async fn trickle(target: &Target, beginning: &str, count: usize) {
    let mut held: Vec<TcpStream> = Vec::new();
    for _ in 0..count {
        if let Ok(Ok(stream)) =
            tokio::time::timeout(Duration::from_millis(200), target.connect_and_send(beginning.as_bytes())).await
        {
            held.push(stream);
        }
    }
    let end = Instant::now() + 3 * HOLD;
    while Instant::now() < end {
        for stream in &mut held {
            let _ = stream.try_write(b"x");
        }
        // The pace of the attacker.
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    for stream in &mut held {
        let _ = stream.shutdown().await;
    }
}
