//! What is measured.

use crate::load::{self, Caller, Post};
use crate::stub::Stub;
use crate::subject::Subject;
use std::time::{Duration, Instant};
use tokio::time::sleep;

const SMALL: usize = 10_000;
const PHOTOS: usize = 1_500;
const SINGLES: usize = 200;

/// One row of the table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Measure {
    IntakeSmall,
    IntakePhotos,
    DrainSmall,
    DrainPhotos,
    LatencySmall,
    LatencyPhotos,
    Idle,
}

impl Measure {
    pub const ALL: [Self; 7] = [
        Self::IntakeSmall,
        Self::IntakePhotos,
        Self::DrainSmall,
        Self::DrainPhotos,
        Self::LatencySmall,
        Self::LatencyPhotos,
        Self::Idle,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::IntakeSmall => "intake of texts",
            Self::IntakePhotos => "intake of PNGs of 100 kB",
            Self::DrainSmall => "drain of a backlog of texts",
            Self::DrainPhotos => "drain of a backlog of different PNGs of 100 kB",
            Self::LatencySmall => "from the POST of a text to its receipt, idle",
            Self::LatencyPhotos => "from the POST of a PNG of 100 kB to its receipt, idle",
            Self::Idle => "memory, idle",
        }
    }

    /// What the numbers of [`Measure::of`] are. Of a rate more is better, of the others less.
    pub fn units(self) -> &'static [&'static str] {
        match self {
            Self::IntakeSmall | Self::IntakePhotos => &["/s", "ms of processor each"],
            Self::DrainSmall | Self::DrainPhotos => &["/s", "ms of processor each"],
            Self::LatencySmall | Self::LatencyPhotos => &["ms (median)", "ms (99 %)"],
            Self::Idle => &["MB"],
        }
    }

    /// Measures a subject on fresh data.
    pub async fn of(self, subject: &Subject) -> Vec<f64> {
        match self {
            Self::IntakeSmall => intake(subject, Post::Small, SMALL).await,
            Self::IntakePhotos => intake(subject, Post::Photo, PHOTOS).await,
            Self::DrainSmall => drain(subject, Post::Small, SMALL).await,
            Self::DrainPhotos => drain(subject, Post::Photo, PHOTOS).await,
            Self::LatencySmall => latency(subject, Post::Small).await,
            Self::LatencyPhotos => latency(subject, Post::Photo).await,
            Self::Idle => idle(subject).await,
        }
    }
}

fn requests(post: Post, from: usize, count: usize) -> Vec<Vec<u8>> {
    (from..from + count).map(|number| post.request(number)).collect()
}

async fn intake(subject: &Subject, post: Post, count: usize) -> Vec<f64> {
    let (stub, data) = (Stub::start().await, subject.data().await);
    let running = subject.start(&data, &stub.url(), false).await;
    load::post_all(running.address(), requests(post, 0, count / 10)).await;
    let (requests, before) = (requests(post, count, count), running.cpu_time());
    let took = load::post_all(running.address(), requests).await;
    let cpu = running.cpu_time() - before;
    vec![count as f64 / took.as_secs_f64(), cpu.as_secs_f64() * 1e3 / count as f64]
}

async fn drain(subject: &Subject, post: Post, count: usize) -> Vec<f64> {
    let (stub, data) = (Stub::start().await, subject.data().await);
    let taking = subject.start(&data, &stub.url(), false).await;
    load::post_all(taking.address(), requests(post, 0, count)).await;
    drop(taking);
    let sent = stub.receipts().count;
    let stub = Stub::start().await;
    let running = subject.start(&data, &stub.url(), true).await;
    let expected = count - sent;
    let receipts = stub.received(expected).await;
    let took = receipts.last.unwrap() - receipts.first.unwrap();
    vec![expected as f64 / took.as_secs_f64(), running.cpu_time().as_secs_f64() * 1e3 / expected as f64]
}

async fn latency(subject: &Subject, post: Post) -> Vec<f64> {
    let (stub, data) = (Stub::start().await, subject.data().await);
    let running = subject.start(&data, &stub.url(), true).await;
    let mut caller = Caller::connect(running.address()).await;
    let mut times = Vec::new();
    for (number, request) in requests(post, 0, SINGLES + SINGLES / 10).into_iter().enumerate() {
        let began = Instant::now();
        caller.post(&request).await;
        let received = stub.received(number + 1).await.last.unwrap();
        if number >= SINGLES / 10 {
            times.push((received - began).as_secs_f64() * 1e3);
        }
        // Idle in between.
        sleep(Duration::from_millis(10)).await;
    }
    times.sort_by(f64::total_cmp);
    vec![times[times.len() / 2], times[times.len() * 99 / 100]]
}

async fn idle(subject: &Subject) -> Vec<f64> {
    let (stub, data) = (Stub::start().await, subject.data().await);
    let running = subject.start(&data, &stub.url(), true).await;
    load::post_all(running.address(), requests(Post::Small, 0, 10)).await;
    stub.received(10).await;
    sleep(Duration::from_secs(1)).await;
    vec![running.resident() as f64 / 1e6]
}
