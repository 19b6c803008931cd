//! The list of cancels, which every process follows: what has been cancelled must not be sent while Redis cannot be asked.

use super::ledger::RedisLedger;
use crate::domain::{NotificationId, Timestamp};
use crate::ports::LedgerError;
use deadpool_redis::redis;
use std::time::Duration;

/// Cancels read by one command.
const PAGE_SIZE: usize = 1_000;

/// How long a cancel stays in the list: a copy of what is cancelled comes out of the queue at its `send_at`, which lies up to
/// 30 days ahead, and is dropped then.
const CANCELS_KEPT: Duration = Duration::from_secs(32 * 24 * 3600);

/// A cancelled notification, and when it was accepted: a retry is accepted later.
pub(super) type Cancel = (NotificationId, Timestamp);

impl RedisLedger {
    /// What was cancelled since a moment of Redis's clock, in milliseconds, and the moment of the last of them.
    pub(super) async fn cancels_since(&self, since: i64) -> Result<(Vec<Cancel>, i64), LedgerError> {
        let (mut cancels, mut last) = (Vec::new(), since);
        loop {
            let mut command = redis::cmd("ZRANGEBYSCORE");
            command.arg(self.cancels()).arg(since).arg("+inf").arg("WITHSCORES").arg("LIMIT");
            command.arg(cancels.len()).arg(PAGE_SIZE);
            let page: Vec<(String, f64)> = self.connections.command(&command).await?;
            let is_last = page.len() < PAGE_SIZE;
            for (member, at) in page {
                // Milliseconds until the year 9999 are below 2^53: exact.
                last = last.max(at as i64);
                let Some(cancel) = parse(&member) else { continue };
                cancels.push(cancel);
            }
            if is_last {
                return Ok((cancels, last));
            }
        }
    }

    /// Forgets cancels that nobody needs to know any more.
    pub(super) async fn forget_old_cancels(&self) -> Result<(), LedgerError> {
        let before = Timestamp::now().minus(CANCELS_KEPT);
        let mut command = redis::cmd("ZREMRANGEBYSCORE");
        command.arg(self.cancels()).arg("-inf").arg(format!("({}", before.unix_millis()));
        self.connections.command::<u64>(&command).await.map(drop)
    }

    fn cancels(&self) -> String {
        format!("{}:cancels", self.namespace())
    }
}

fn parse(member: &str) -> Option<Cancel> {
    let (id, accepted_at) = member.split_once(' ')?;
    Some((id.parse().ok()?, Timestamp::from_unix_millis(accepted_at.parse().ok()?)))
}
