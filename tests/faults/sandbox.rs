//! The Bot API on the other side: the third ledger. In this process, so that it outlives every fault.

pub use pixcourier::sandbox::{FaultRule, InjectedFault, Sandbox};
use pixcourier::sandbox::{MessageFilter, SandboxLimits, SandboxOptions};
use std::collections::BTreeMap;
use std::net::TcpListener;
use std::time::Duration;

/// A sandbox without Telegram's limits: here it is not throughput that is asked about.
pub fn start() -> Sandbox {
    with_limits(None)
}

/// One that counts as strictly as Telegram's words can be read, where requests arrive, with so many to a group in a minute.
pub fn strict(group_per_minute: usize) -> Sandbox {
    with_limits(Some(SandboxLimits { group_per_minute, ..SandboxLimits::strict() }))
}

fn with_limits(limits: Option<SandboxLimits>) -> Sandbox {
    let options = SandboxOptions { limits, pace_uploads: false, store_bytes: 64 << 20, ..SandboxOptions::default() };
    Sandbox::start(TcpListener::bind("127.0.0.1:0").unwrap(), options).unwrap()
}

/// One that takes every message at once and holds its answer back, so that a kill finds many in flight, all accepted:
/// each of them becomes a duplicate.
pub fn slow(answer_after: Duration) -> Sandbox {
    let sandbox = start();
    let fault = InjectedFault::Slow { ms: answer_after.as_millis() as u64 };
    sandbox.add_fault(FaultRule::next("sendPhoto", fault).times(0)).unwrap();
    sandbox
}

/// The chat and the caption of every message, as they arrived.
pub fn in_order(sandbox: &Sandbox) -> impl Iterator<Item = (i64, String)> {
    let messages = sandbox.messages(&MessageFilter::default()).into_iter();
    messages.map(|message| (message.chat_id, message.caption.map(String::from).unwrap_or_default()))
}

/// How many messages arrived with each caption.
pub fn arrivals(sandbox: &Sandbox) -> BTreeMap<String, usize> {
    let mut arrivals = BTreeMap::new();
    for (_, caption) in in_order(sandbox) {
        *arrivals.entry(caption).or_default() += 1;
    }
    arrivals
}
