//! The checker: what clients were told, what the service says, what arrived.

use crate::load::{Book, Client};
use crate::sandbox::{self, Sandbox};
use crate::wait;
use futures_util::stream::{self, StreamExt};
use pixcourier::domain::Status;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;
use std::time::{Duration, Instant};

/// The three ledgers, compared.
#[derive(Debug)]
pub struct Figures {
    pub attempted: usize,
    pub confirmed: usize,
    /// Posted, and never answered: may have arrived or not.
    pub unknown: usize,
    /// How many different notifications arrived.
    pub delivered: usize,
    /// Confirmed, never arrived, and not said to be unknown.
    pub lost: Vec<String>,
    /// Arrived more than once: how often too many, by caption.
    pub extra: BTreeMap<String, usize>,
    /// Arrived first after one that was handed in later for the same chat.
    pub out_of_order: Vec<String>,
    /// Arrived, and never posted.
    pub foreign: Vec<String>,
    /// How many notifications the service knows: more than attempted means that a key was accepted twice.
    pub records: usize,
    /// What it says of those that were confirmed, by caption.
    pub fates: BTreeMap<String, String>,
    /// How long it took until everything was final.
    pub took: Duration,
}

impl Figures {
    /// How many messages arrived that should not have.
    pub fn duplicates(&self) -> usize {
        self.extra.values().sum()
    }

    /// The captions of those of which the service says this.
    pub fn with_status(&self, status: &str) -> BTreeSet<&String> {
        self.fates.iter().filter(|(_, fate)| *fate == status).map(|(caption, _)| caption).collect()
    }

    /// Panics unless every notification that was answered 202 arrived and is said to be sent, or is said to be unknown;
    /// unless every chat got its own in order; and unless every key was accepted once.
    pub fn assert_kept(&self) {
        assert!(self.confirmed > 0, "nothing was confirmed, so nothing was tested");
        assert!(self.lost.is_empty(), "{self}; lost: {:?}", &self.lost[..self.lost.len().min(20)]);
        assert_eq!(self.with_status("sent").len() + self.with_status("unknown").len(), self.confirmed, "{self}");
        assert!(self.out_of_order.is_empty(), "{self}; out of order: {:?}", self.out_of_order);
        assert!(self.foreign.is_empty(), "{self}; foreign: {:?}", self.foreign);
        assert_eq!(self.records, self.attempted, "every key is accepted once: {self}");
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "attempted {}, confirmed {}, unknown {}, ", self.attempted, self.confirmed, self.unknown)?;
        write!(f, "delivered {}, lost {}, duplicated {}, ", self.delivered, self.lost.len(), self.duplicates())?;
        write!(f, "out of order {}, ", self.out_of_order.len())?;
        let mut statuses: BTreeMap<&str, usize> = BTreeMap::new();
        self.fates.values().for_each(|fate| *statuses.entry(fate).or_default() += 1);
        write!(f, "records {} {statuses:?}, final after {:.1} s", self.records, self.took.as_secs_f64())
    }
}

/// Waits until the service says of every confirmed notification that it is final and its queue is empty, then compares.
pub async fn compare(client: &Client, sandbox: &Sandbox, book: &Book, timeout: Duration) -> Figures {
    let began = Instant::now();
    let mut fates = BTreeMap::new();
    let mut open: Vec<(&String, &String)> = book.confirmed.iter().collect();
    while !open.is_empty() {
        let asked = stream::iter(open)
            .map(|letter| async move { (letter, status(client, letter.1).await) })
            .buffer_unordered(16);
        open = Vec::new();
        for ((caption, id), status) in asked.collect::<Vec<_>>().await {
            match status {
                Some(status) if status.parse::<Status>().unwrap().is_final() => {
                    _ = fates.insert(caption.clone(), status)
                }
                _ => open.push((caption, id)),
            }
        }
        let (left, arrived) = (open.len(), sandbox::arrivals(sandbox).len());
        assert!(
            began.elapsed() < timeout,
            "{left} of {} are not final after {} s ({arrived} arrived), the first is {:?}",
            book.confirmed.len(),
            timeout.as_secs(),
            open.first(),
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let took = began.elapsed();
    // What still waits now would be sent again.
    wait::until("an empty queue", timeout, async || (client.waiting().await? == 0).then_some(())).await;
    let arrived = sandbox::arrivals(sandbox);
    Figures {
        attempted: book.attempted.len(),
        confirmed: book.confirmed.len(),
        unknown: book.attempted.len() - book.confirmed.len(),
        delivered: arrived.len(),
        lost: fates
            .iter()
            .filter(|(caption, fate)| !arrived.contains_key(*caption) && *fate != "unknown")
            .map(|(caption, _)| caption.clone())
            .collect(),
        out_of_order: out_of_order(sandbox, book),
        foreign: arrived.keys().filter(|caption| !book.attempted.contains(caption)).cloned().collect(),
        extra: arrived.into_iter().filter(|(_, times)| *times > 1).map(|(c, times)| (c, times - 1)).collect(),
        records: records(client).await,
        fates,
        took,
    }
}

fn out_of_order(sandbox: &Sandbox, book: &Book) -> Vec<String> {
    let places: HashMap<&str, usize> = book.attempted.iter().enumerate().map(|(i, caption)| (&**caption, i)).collect();
    let (mut seen, mut newest, mut late) = (HashSet::new(), HashMap::new(), Vec::new());
    for (chat, caption) in sandbox::in_order(sandbox) {
        let Some(place) = places.get(&*caption) else { continue };
        let newest: &mut usize = newest.entry(chat).or_default();
        if seen.insert(*place) && *place < *newest {
            late.push(caption);
        }
        *newest = (*newest).max(*place);
    }
    late
}

async fn status(client: &Client, id: &str) -> Option<String> {
    let answer = client.get(&format!("/v1/notifications/{id}")).await.ok()?;
    assert_ne!(answer.status, 404, "{id} was answered 202 and is not known any more");
    Some(answer.json()["status"].as_str()?.to_owned())
}

/// How many notifications the service lists.
async fn records(client: &Client) -> usize {
    let (mut records, mut cursor) = (0, String::new());
    loop {
        let answer = client.get(&format!("/v1/notifications?limit=500{cursor}")).await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text);
        let page = answer.json();
        records += page["notifications"].as_array().expect("a page lists notifications").len();
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return records,
        }
    }
}
