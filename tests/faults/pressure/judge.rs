//! What the Bot API saw, judged: when messages arrived, and in which order.

use super::posting;
use crate::sandbox::Sandbox;
use crate::wait;
use pixcourier::sandbox::MessageFilter;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A message that arrived, by what its text says; the id of its chat may have changed on the way.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// Unix time in milliseconds.
    pub at_ms: u64,
    pub chat: i64,
    pub number: u64,
}

/// The arrivals in their order. Of an album, the first item.
pub fn arrivals(sandbox: &Sandbox) -> Vec<Arrival> {
    arrivals_after(sandbox, 0)
}

/// Those after a number in the sandbox's log.
pub fn arrivals_after(sandbox: &Sandbox, seq: u64) -> Vec<Arrival> {
    let messages = sandbox.messages(&MessageFilter { after: Some(seq), ..MessageFilter::default() }).into_iter();
    let arrivals = messages.filter_map(|message| {
        let (chat, number) = posting::parse(message.caption.as_deref()?)?;
        Some(Arrival { at_ms: message.at_ms, chat, number })
    });
    arrivals.collect()
}

/// The number of the newest message in the sandbox's log.
pub fn last_seq(sandbox: &Sandbox) -> u64 {
    let newest = sandbox.messages(&MessageFilter { limit: Some(1), ..MessageFilter::default() });
    newest.last().map_or(0, |message| message.seq)
}

/// When every message arrived, the items of albums singly; Unix time in milliseconds.
pub fn moments(sandbox: &Sandbox) -> Vec<u64> {
    sandbox.messages(&MessageFilter::default()).into_iter().map(|message| message.at_ms).collect()
}

/// Unix time in milliseconds, on the clock of the arrivals.
pub fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64
}

/// Those that arrived for the first time after a later one of the same chat.
pub fn order_breaks(arrivals: &[Arrival]) -> Vec<Arrival> {
    let (mut seen, mut newest, mut late) = (HashSet::new(), HashMap::new(), Vec::new());
    for arrival in arrivals {
        let newest: &mut u64 = newest.entry(arrival.chat).or_default();
        if seen.insert((arrival.chat, arrival.number)) && arrival.number < *newest {
            late.push(arrival.clone());
        }
        *newest = arrival.number.max(*newest);
    }
    late
}

/// How many arrived more than once.
pub fn duplicates(arrivals: &[Arrival]) -> usize {
    let different: HashSet<_> = arrivals.iter().map(|arrival| (arrival.chat, arrival.number)).collect();
    arrivals.len() - different.len()
}

/// Waits until all of these texts have arrived, and returns all arrivals.
pub async fn all_arrived(sandbox: &Sandbox, ids: &BTreeMap<String, String>, timeout: Duration) -> Vec<Arrival> {
    let missing = || {
        let arrived = arrivals(sandbox);
        let texts: HashSet<_> = arrived.iter().map(|arrival| posting::text(arrival.chat, arrival.number)).collect();
        let missing = ids.keys().filter(|text| !texts.contains(*text)).count();
        if missing == 0 { Ok(arrived) } else { Err(format!("{missing} of {} have not arrived", ids.len())) }
    };
    // Looking at all of them is dear, so it is begun when there may be enough.
    let enough = || sandbox.stats().sends >= ids.len() as u64;
    let all = async || if enough() { missing() } else { Err(format!("{} of {}", sandbox.stats().sends, ids.len())) };
    wait::until_ok("the messages", timeout, all).await
}

/// The rate from one moment to another, as a share of what is allowed.
pub fn share_of_rate(moments: &[u64], from_ms: u64, to_ms: u64, allowed_per_second: u64) -> f64 {
    let sent = moments.iter().filter(|at| (from_ms..to_ms).contains(*at)).count() as f64;
    sent * 1000.0 / (to_ms - from_ms) as f64 / allowed_per_second as f64
}
