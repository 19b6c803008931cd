//! Ceilings: the steps that no program could leave out which keeps what the service promises, each alone, on the same machine
//! in the same run. What is measured is told as a ratio to the lowest of those that bound it.

mod calls;
mod commits;
pub mod handler;
mod publishes;

use super::effort::Effort;
use super::load::{self, CALLERS, Caller, Post};
use super::measures::{IDLE_PAUSE, LATENCY_UNITS, MEASURE_TIMEOUT, MEMORY_UNITS, Measure, RATE_UNITS, latency, rate};
use super::process::Server;
use super::stub::Stub;
use super::subject::temporary_folder;
use anyhow::Context;
use calls::Calls;
use commits::Commits;
use publishes::Publishes;
use secrecy::SecretString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use tokio::time::{sleep, timeout};

/// A step that cannot be left out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ceiling {
    /// The HTTP server reads and hashes a text.
    HandlerTexts,
    /// The same of a picture.
    HandlerPhotos,
    /// SQLite commits one row and waits for the disk.
    CommitOne,
    /// The same of as many rows at once as there are callers.
    CommitGroup,
    /// RabbitMQ confirms that a message is on the disk, with as many under way as there are callers.
    Publish,
    /// The HTTP client hands a text to the Bot API.
    CallTexts,
    /// The same of a picture.
    CallPhotos,
    /// One text goes through all of these steps, one step after the other.
    WayTexts,
    /// The same of a picture.
    WayPhotos,
    /// The process of the HTTP server alone.
    Idle,
}

/// Where ceilings are measured.
pub struct Ceilings {
    /// This program.
    pub program: PathBuf,
    /// Below this folder.
    pub folder: PathBuf,
    /// On this RabbitMQ, in place of SQLite, and the name of a queue that nobody else uses.
    pub rabbitmq: Option<(SecretString, String)>,
    /// How much is done.
    pub effort: Effort,
}

impl Ceiling {
    /// All there are.
    pub const ALL: [Self; 10] = [
        Self::HandlerTexts,
        Self::HandlerPhotos,
        Self::CommitOne,
        Self::CommitGroup,
        Self::Publish,
        Self::CallTexts,
        Self::CallPhotos,
        Self::WayTexts,
        Self::WayPhotos,
        Self::Idle,
    ];

    /// As the table names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::HandlerTexts => "bare handler, texts",
            Self::HandlerPhotos => "bare handler, PNGs",
            Self::CommitOne => "bare commit of one row",
            Self::CommitGroup => "bare commits of 64 rows",
            Self::Publish => "bare confirmed publish",
            Self::CallTexts => "Bot API alone, texts",
            Self::CallPhotos => "Bot API alone, PNGs",
            Self::WayTexts => "bare steps, text",
            Self::WayPhotos => "bare steps, PNG",
            Self::Idle => "bare handler, idle",
        }
    }

    /// What the numbers of [`Ceilings::take`] are.
    pub fn units(self) -> &'static [&'static str] {
        match self {
            Self::HandlerTexts | Self::HandlerPhotos => RATE_UNITS,
            Self::CommitOne | Self::CommitGroup | Self::Publish | Self::CallTexts | Self::CallPhotos => &["/s"],
            Self::WayTexts | Self::WayPhotos => LATENCY_UNITS,
            Self::Idle => MEMORY_UNITS,
        }
    }

    /// Whether a measure cannot be better than this.
    pub fn bounds(self, measure: Measure) -> bool {
        match measure {
            Measure::IntakeTexts => matches!(self, Self::HandlerTexts | Self::CommitGroup | Self::Publish),
            Measure::IntakePhotos => matches!(self, Self::HandlerPhotos | Self::CommitGroup | Self::Publish),
            Measure::DrainTexts => self == Self::CallTexts,
            Measure::DrainPhotos => self == Self::CallPhotos,
            Measure::LatencyTexts => self == Self::WayTexts,
            Measure::LatencyPhotos => self == Self::WayPhotos,
            Measure::Idle => self == Self::Idle,
        }
    }
}

impl Ceilings {
    /// Those there are, in the order in which they are taken.
    pub fn all(&self) -> impl Iterator<Item = Ceiling> {
        let on_rabbitmq = self.rabbitmq.is_some();
        Ceiling::ALL.into_iter().filter(move |ceiling| match ceiling {
            Ceiling::CommitOne | Ceiling::CommitGroup => !on_rabbitmq,
            Ceiling::Publish => on_rabbitmq,
            _ => true,
        })
    }

    /// Removes from RabbitMQ what a measure has left there that did not come to its end.
    ///
    /// # Errors
    /// RabbitMQ does not answer.
    pub async fn remove_traces(&self) -> anyhow::Result<()> {
        match &self.rabbitmq {
            Some((url, queue)) => Publishes::open(url, queue).await?.close().await,
            None => Ok(()),
        }
    }

    /// Measures one.
    ///
    /// # Errors
    /// A part of it fails, or it takes longer than [`MEASURE_TIMEOUT`].
    pub async fn take(&self, ceiling: Ceiling) -> anyhow::Result<Vec<f64>> {
        let Effort { texts, photos, singles } = self.effort;
        let taking = async {
            let folder = temporary_folder(&self.folder)?;
            match ceiling {
                Ceiling::HandlerTexts => self.handler(folder.path(), Post::Text, texts).await,
                Ceiling::HandlerPhotos => self.handler(folder.path(), Post::Photo, photos).await,
                Ceiling::CommitOne => Commits::open(folder.path())?.rate(1, singles).await,
                Ceiling::CommitGroup => Commits::open(folder.path())?.rate(CALLERS, texts.div_ceil(CALLERS)).await,
                Ceiling::Publish => self.publish(texts).await,
                Ceiling::CallTexts => call(Post::Text, texts).await,
                Ceiling::CallPhotos => call(Post::Photo, photos).await,
                Ceiling::WayTexts => self.way(folder.path(), Post::Text).await,
                Ceiling::WayPhotos => self.way(folder.path(), Post::Photo).await,
                Ceiling::Idle => self.idle(folder.path()).await,
            }
        };
        let taken = timeout(MEASURE_TIMEOUT, taking).await.unwrap_or_else(|_| Err(anyhow::anyhow!("it does not end")));
        taken.context(ceiling.name())
    }

    async fn start_handler(&self, folder: &Path) -> anyhow::Result<Server> {
        let mut command = Command::new(&self.program);
        command.args(["bench", "--bare-handler"]).env_clear();
        Server::start(command, &folder.join("log")).await
    }

    async fn handler(&self, folder: &Path, post: Post, count: usize) -> anyhow::Result<Vec<f64>> {
        let running = self.start_handler(folder).await?;
        load::post_all(running.address, post.requests(0, count / 10)).await?;
        let (requests, before) = (post.requests(count, count), running.cpu_time()?);
        let took = load::post_all(running.address, requests).await?;
        Ok(rate(count, took, running.cpu_time()? - before))
    }

    async fn publish(&self, count: usize) -> anyhow::Result<Vec<f64>> {
        let (url, queue) = self.rabbitmq.as_ref().context("no RabbitMQ was given")?;
        let publishes = Publishes::open(url, queue).await?;
        let rate = publishes.rate(CALLERS, count).await;
        publishes.close().await?;
        Ok(vec![rate?])
    }

    async fn idle(&self, folder: &Path) -> anyhow::Result<Vec<f64>> {
        let running = self.start_handler(folder).await?;
        load::post_all(running.address, Post::Text.requests(0, 10)).await?;
        sleep(Duration::from_secs(1)).await;
        Ok(vec![running.resident()? as f64 / 1e6])
    }

    /// From the POST to the Bot API's receipt, as if by hand: read and hashed, then on the disk, then sent.
    async fn way(&self, folder: &Path, post: Post) -> anyhow::Result<Vec<f64>> {
        let running = self.start_handler(folder).await?;
        let mut caller = Caller::connect(running.address).await?;
        let mut disk = match &self.rabbitmq {
            None => Disk::Commits(Commits::open(folder)?),
            Some((url, queue)) => Disk::Publishes(Box::new(Publishes::open(url, queue).await?)),
        };
        let stub = Stub::start().await?;
        let calls = Calls::new(&stub)?;
        let (warm_up, mut times) = (self.effort.singles / 10, Vec::new());
        for number in 0..warm_up + self.effort.singles {
            let (request, call) = (post.request(number), calls.prepare(post, number)?);
            let began = Instant::now();
            caller.post(&request).await?;
            match &mut disk {
                Disk::Commits(commits) => tokio::task::block_in_place(|| commits.commit(1))?,
                Disk::Publishes(publishes) => publishes.publish().await?,
            }
            calls.make(call).await?;
            let received = stub.received(number + 1).await?.last.context("nothing was received")?;
            if number >= warm_up {
                times.push((received - began).as_secs_f64() * 1e3);
            }
            sleep(IDLE_PAUSE).await;
        }
        if let Disk::Publishes(publishes) = disk {
            publishes.close().await?;
        }
        Ok(latency(times))
    }
}

/// What keeps a notification.
enum Disk {
    Commits(Commits),
    Publishes(Box<Publishes>),
}

async fn call(post: Post, count: usize) -> anyhow::Result<Vec<f64>> {
    let stub = Stub::start().await?;
    Ok(vec![Calls::new(&stub)?.rate(post, CALLERS, count).await?])
}
