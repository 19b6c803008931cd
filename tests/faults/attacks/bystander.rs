//! Another caller, at another address, who posts a small photo now and then, each over a connection of its own.

use crate::images::Picture;
use crate::load::{Client, Letter};
use crate::service::Service;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Where it calls from.
const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// How long it rests between two.
const REST: Duration = Duration::from_millis(50);
/// After this it gives up on one.
const PATIENCE: Duration = Duration::from_secs(30);

/// It at work.
pub struct Bystander {
    enough: watch::Sender<bool>,
    posted: watch::Receiver<usize>,
    posting: JoinHandle<Sightings>,
}

/// What it has seen.
#[derive(Default)]
pub struct Sightings {
    /// How long each photo took to be answered.
    pub times: Vec<Duration>,
    /// The captions of those that were accepted.
    pub accepted: Vec<String>,
    /// What became of the others.
    pub refused: Vec<String>,
    /// The most descriptors that the process had open when it looked.
    pub descriptors: usize,
}

impl Sightings {
    /// Half of its photos were answered within this.
    pub fn median(&self) -> Duration {
        let mut times = self.times.clone();
        times.sort_unstable();
        times.get(times.len() / 2).copied().unwrap_or(PATIENCE)
    }

    /// All of its photos were answered within this.
    pub fn worst(&self) -> Duration {
        self.times.iter().max().copied().unwrap_or(PATIENCE)
    }
}

impl Bystander {
    /// It begins to post.
    pub fn begin(service: &Service) -> Self {
        let (enough, is_enough) = watch::channel(false);
        let (count, posted) = watch::channel(0);
        let client = service.client().calling_from(ADDRESS);
        let descriptors = PathBuf::from(format!("/proc/{}/fd", service.process().id()));
        Self { enough, posted, posting: tokio::spawn(post(client, descriptors, is_enough, count)) }
    }

    /// Waits until it has posted so many.
    pub async fn posted(&self, count: usize) {
        self.posted.clone().wait_for(|posted| *posted >= count).await.unwrap();
    }

    /// Lets it end what it began.
    pub async fn end(self) -> Sightings {
        self.enough.send_replace(true);
        self.posting.await.unwrap()
    }
}

async fn post(
    client: Client,
    descriptors: PathBuf,
    enough: watch::Receiver<bool>,
    count: watch::Sender<usize>,
) -> Sightings {
    let mut seen = Sightings::default();
    while !*enough.borrow() {
        let number = seen.times.len();
        let mut letter =
            Letter::new(format!("bystander {number}"), 77_000 + number as i64, Picture::small(number as u64));
        letter.key = None;
        let began = Instant::now();
        let answer = timeout(PATIENCE, client.post(&letter)).await;
        seen.times.push(began.elapsed());
        match answer {
            Ok(Ok(answer)) if answer.status == 202 => seen.accepted.push(letter.caption),
            Ok(Ok(answer)) => seen.refused.push(format!("{} {}", answer.status, answer.text)),
            Ok(Err(error)) => seen.refused.push(format!("{error:?}")),
            Err(_) => seen.refused.push(format!("no answer in {} s", PATIENCE.as_secs())),
        }
        let open = std::fs::read_dir(&descriptors).map_or(0, Iterator::count);
        seen.descriptors = seen.descriptors.max(open);
        count.send_replace(number + 1);
        // The pace of a caller.
        tokio::time::sleep(REST).await;
    }
    seen
}
