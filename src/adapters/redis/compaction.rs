//! Makes records small whose notifications were sent: nothing will happen to them any more but that they are read, and swept in
//! the end. Done now and then for many at once, so that no delivery waits for it; what an earlier version has written becomes
//! small in the same way.

use super::ledger::RedisLedger;
use super::packed::Packer;
use super::record_fields::read_record;
use super::scripts;
use crate::domain::{NotificationId, Status, Timestamp};
use crate::ports::LedgerError;
use deadpool_redis::redis;
use std::time::Duration;
use tokio::time::Instant;

/// Records made small at a time: they come whole, and Redis does nothing else during the script.
const BATCH_SIZE: usize = 20;

/// Ids that one script call of a sweep looks at.
const SWEPT_AT_ONCE: usize = 100;

/// After so long the rest is left for the next time.
const MAX_DURATION: Duration = Duration::from_secs(120);

impl RedisLedger {
    /// Makes the records of what was sent small, unless they are already.
    pub(super) async fn compact(&self) -> Result<(), LedgerError> {
        let (mut packer, deadline) = (Packer::new(), Instant::now() + MAX_DURATION);
        let mut bots = self.bots().await?;
        // None has to wait each time until another is done.
        fastrand::shuffle(&mut bots);
        for bot in bots {
            self.compact_of(&bot, &mut packer, deadline).await?;
        }
        Ok(())
    }

    async fn compact_of(&self, bot: &str, packer: &mut Packer, deadline: Instant) -> Result<(), LedgerError> {
        let mut from = "-".to_owned();
        while Instant::now() < deadline {
            let mut command = redis::cmd("ZRANGEBYLEX");
            command.arg(self.index_of(bot, Status::Sent)).arg(&from).arg("+");
            let found: Vec<String> = self.connections.command(command.arg("LIMIT").arg(0).arg(BATCH_SIZE)).await?;
            let Some(last) = found.last() else { break };
            from = format!("({last}");
            let ids: Vec<NotificationId> = found.iter().filter_map(|id| id.parse().ok()).collect();
            let mut call = scripts::COMPACT.arg(self.namespace());
            for (id, fields) in ids.iter().zip(self.fields(&ids).await?) {
                // One that is not readable (written by a newer version) stays as it is.
                let (Ok(Some(mut record)), Some(updated_at)) = (read_record(*id, &fields), fields.get("updated_at"))
                else {
                    continue;
                };
                // Nobody waits for its outcome any more.
                record.notification.reply_to = None;
                call.arg(id.to_string()).arg(updated_at).arg(packer.pack(&record));
            }
            self.connections.script::<()>(&call).await?;
        }
        Ok(())
    }

    /// Deletes small records of what was done before a moment. Returns how many.
    pub(super) async fn sweep_compacted(&self, before: Timestamp) -> Result<u64, LedgerError> {
        let (mut swept, mut left, mut more) = (0, 0, true);
        while more {
            let mut call = scripts::SWEEP_COMPACTED.arg(self.namespace());
            call.arg(before.unix_millis()).arg(SWEPT_AT_ONCE).arg(left);
            let deleted: u64;
            (deleted, left, more) = self.connections.script::<(u64, u64, bool)>(&call).await?;
            swept += deleted;
        }
        Ok(swept)
    }
}
