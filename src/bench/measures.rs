//! What is measured of a program.

use super::effort::Effort;
use super::load::{self, Caller, Post};
use super::stub::Stub;
use super::subject::{Data, Subject};
use anyhow::{Context, ensure};
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::time::{sleep, timeout};

/// Pauses between singles, so that each finds the program idle.
pub const IDLE_PAUSE: Duration = Duration::from_millis(10);
/// How long a program may settle before its memory is looked at.
const SETTLE_TIME: Duration = Duration::from_secs(1);
/// How long one measure may take: what does not come at all must not be waited for without end.
pub const MEASURE_TIMEOUT: Duration = Duration::from_secs(300);

/// What can be measured of a program.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Measure {
    /// How many texts are taken in a second.
    IntakeTexts,
    /// The same of pictures.
    IntakePhotos,
    /// How many texts of a backlog are sent in a second.
    DrainTexts,
    /// The same of pictures, no two the same.
    DrainPhotos,
    /// How long from the POST of a text until the Bot API has it.
    LatencyTexts,
    /// The same of a picture.
    LatencyPhotos,
    /// How much memory it has after a few texts.
    Idle,
}

impl Measure {
    /// All, in the order in which they are taken.
    pub const ALL: [Self; 7] = [
        Self::IntakeTexts,
        Self::IntakePhotos,
        Self::DrainTexts,
        Self::DrainPhotos,
        Self::LatencyTexts,
        Self::LatencyPhotos,
        Self::Idle,
    ];

    /// As the table names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::IntakeTexts => "intake of texts",
            Self::IntakePhotos => "intake of PNGs of 100 kB",
            Self::DrainTexts => "drain of a backlog of texts",
            Self::DrainPhotos => "drain of a backlog of different PNGs of 100 kB",
            Self::LatencyTexts => "from the POST of a text to its receipt, idle",
            Self::LatencyPhotos => "from the POST of a PNG of 100 kB to its receipt, idle",
            Self::Idle => "memory, idle",
        }
    }

    /// What the numbers of [`Measure::take`] are. Of a rate more is better, of the others less.
    pub fn units(self) -> &'static [&'static str] {
        match self {
            Self::IntakeTexts | Self::IntakePhotos | Self::DrainTexts | Self::DrainPhotos => RATE_UNITS,
            Self::LatencyTexts | Self::LatencyPhotos => LATENCY_UNITS,
            Self::Idle => MEMORY_UNITS,
        }
    }

    /// Measures a subject on fresh data in a folder below this one.
    ///
    /// # Errors
    /// The subject does not do what it should, or takes longer than [`MEASURE_TIMEOUT`].
    pub async fn take(self, subject: &dyn Subject, below: &Path, effort: Effort) -> anyhow::Result<Vec<f64>> {
        let taking = async {
            let data = Data::fresh(subject, below)?;
            let bench = Bench { subject, data: &data };
            match self {
                Self::IntakeTexts => bench.intake(Post::Text, effort.texts).await,
                Self::IntakePhotos => bench.intake(Post::Photo, effort.photos).await,
                Self::DrainTexts => bench.drain(Post::Text, effort.texts).await,
                Self::DrainPhotos => bench.drain(Post::Photo, effort.photos).await,
                Self::LatencyTexts => bench.latency(Post::Text, effort.singles).await,
                Self::LatencyPhotos => bench.latency(Post::Photo, effort.singles).await,
                Self::Idle => bench.idle().await,
            }
        };
        let taken = timeout(MEASURE_TIMEOUT, taking).await.unwrap_or_else(|_| Err(anyhow::anyhow!("it does not end")));
        taken.with_context(|| format!("{}, {}", self.name(), subject.name()))
    }
}

/// Of how many a second, and of what each costs.
pub const RATE_UNITS: &[&str] = &["/s", "ms of processor each"];
/// Of how long one takes.
pub const LATENCY_UNITS: &[&str] = &["ms (median)", "ms (99 %)"];
/// Of memory.
pub const MEMORY_UNITS: &[&str] = &["MB"];

/// The rate of so many in a time, and what each cost of the processor's.
pub fn rate(count: usize, took: Duration, cpu: Duration) -> Vec<f64> {
    vec![count as f64 / took.as_secs_f64(), cpu.as_secs_f64() * 1e3 / count as f64]
}

/// The median of times in milliseconds, and what 99 of 100 keep within.
pub fn latency(mut times: Vec<f64>) -> Vec<f64> {
    times.sort_by(f64::total_cmp);
    vec![times[times.len() / 2], times[times.len() * 99 / 100]]
}

struct Bench<'a> {
    subject: &'a dyn Subject,
    data: &'a Data,
}

impl Bench<'_> {
    async fn intake(&self, post: Post, count: usize) -> anyhow::Result<Vec<f64>> {
        let stub = Stub::start().await?;
        let running = self.data.start(self.subject, &stub.url(), false).await?;
        load::post_all(running.address, post.requests(0, count / 10)).await?;
        let (requests, before) = (post.requests(count, count), running.cpu_time()?);
        let took = load::post_all(running.address, requests).await?;
        Ok(rate(count, took, running.cpu_time()? - before))
    }

    async fn drain(&self, post: Post, count: usize) -> anyhow::Result<Vec<f64>> {
        let stub = Stub::start().await?;
        let taking = self.data.start(self.subject, &stub.url(), false).await?;
        load::post_all(taking.address, post.requests(0, count)).await?;
        drop(taking);
        let expected = count.saturating_sub(stub.receipts().count);
        let stub = Stub::start().await?;
        let running = self.data.start(self.subject, &stub.url(), true).await?;
        let receipts = stub.received(expected).await?;
        let (Some(first), Some(last)) = (receipts.first, receipts.last) else {
            anyhow::bail!("nothing was left to send")
        };
        Ok(rate(expected, last - first, running.cpu_time()?))
    }

    async fn latency(&self, post: Post, count: usize) -> anyhow::Result<Vec<f64>> {
        let stub = Stub::start().await?;
        let running = self.data.start(self.subject, &stub.url(), true).await?;
        let mut caller = Caller::connect(running.address).await?;
        let (warm_up, mut times) = (count / 10, Vec::new());
        for (number, request) in post.requests(0, warm_up + count).into_iter().enumerate() {
            let began = Instant::now();
            caller.post(&request).await?;
            let received = stub.received(number + 1).await?.last.context("nothing was received")?;
            if number >= warm_up {
                times.push((received - began).as_secs_f64() * 1e3);
            }
            sleep(IDLE_PAUSE).await;
        }
        ensure!(!times.is_empty(), "nothing was timed");
        Ok(latency(times))
    }

    async fn idle(&self) -> anyhow::Result<Vec<f64>> {
        let stub = Stub::start().await?;
        let running = self.data.start(self.subject, &stub.url(), true).await?;
        load::post_all(running.address, Post::Text.requests(0, 10)).await?;
        stub.received(10).await?;
        sleep(SETTLE_TIME).await;
        Ok(vec![running.resident()? as f64 / 1e6])
    }
}
