//! What the Bot API saw, judged: when messages arrived, and in which order.

use super::posting;
use crate::load::Client;
use crate::sandbox::Sandbox;
use crate::wait;
use pixcourier::domain::Timestamp;
use pixcourier::sandbox::MessageFilter;
use serde_json::Value;
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

/// The same by chat.
pub fn moments_by_chat(sandbox: &Sandbox) -> HashMap<i64, Vec<u64>> {
    let mut moments = HashMap::<_, Vec<u64>>::new();
    for message in sandbox.messages(&MessageFilter::default()) {
        moments.entry(message.chat_id).or_default().push(message.at_ms);
    }
    moments
}

/// One that was refused with 429.
pub struct Refused {
    /// When the request was begun, Unix time in milliseconds.
    pub at_ms: u64,
    pub chat: i64,
    pub method: String,
}

/// All that were refused, as their records say.
pub async fn refused(client: &Client) -> Vec<Refused> {
    let mut refused = Vec::new();
    let mut path = "/v1/notifications?limit=1000".to_owned();
    loop {
        let page: Value = serde_json::from_str(&client.get(&path).await.unwrap().text).unwrap();
        for notification in page["notifications"].as_array().unwrap() {
            for attempt in notification["attempts"].as_array().unwrap() {
                if attempt["error_code"] == 429 {
                    let at: Timestamp = serde_json::from_value(attempt["at"].clone()).unwrap();
                    let at_ms = at.unix_millis() as u64 + attempt["duration_ms"].as_u64().unwrap();
                    let (chat, method) =
                        (notification["chat_id"].as_i64().unwrap(), notification["method"].as_str().unwrap());
                    refused.push(Refused { at_ms, chat, method: method.to_owned() });
                }
            }
        }
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/v1/notifications?limit=1000&cursor={cursor}");
    }
    refused.sort_by_key(|refused| refused.at_ms);
    refused
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
