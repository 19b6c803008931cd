//! Pages of records.

use super::ledger::RedisLedger;
use super::record_fields::{RecordFields, read_listed_record};
use crate::domain::{NotificationId, Record, Status};
use crate::ports::{LedgerError, ListQuery, RecordPage};
use deadpool_redis::redis;

/// Records fetched by one pipeline. They come whole, and are larger than what is kept of them.
const LISTED_AT_ONCE: usize = 20;

/// A page ends early once its records have more bytes than this, so that it takes no long time.
const MAX_PAGE_BYTES: usize = 8 * 1024 * 1024;

/// Ids taken from all indexes at a time, if there are many indexes.
const MAX_IDS_AT_ONCE: usize = 20_000;

impl RedisLedger {
    /// The ids are taken from the indexes first and the records after it, so one that changes in between may be missing
    /// from this page, but never shows a status that was not asked for.
    pub(super) async fn page(&self, query: &ListQuery) -> Result<RecordPage, LedgerError> {
        let indexes = self.indexes(query).await?;
        let (mut records, mut before, mut bytes) = (Vec::new(), query.before, 0);
        loop {
            let (ids, more) = self.newest(&indexes, before, query.limit.saturating_add(1)).await?;
            for batch in ids.chunks(LISTED_AT_ONCE) {
                if records.len() >= query.limit {
                    return Ok(up_to(query.limit, records, true));
                }
                if bytes > MAX_PAGE_BYTES {
                    return Ok(RecordPage { records, next: before });
                }
                for (id, fields) in batch.iter().zip(self.fields(batch).await?) {
                    bytes += fields.values().map(Vec::len).sum::<usize>();
                    // One that is not readable (written by a newer version) must not hide the others.
                    let record = read_listed_record(*id, &fields)
                        .inspect_err(|error| tracing::warn!(%error, "left out of a listing"));
                    let fits = |record: &Record| query.status.is_none_or(|status| status == record.status);
                    records.extend(record.ok().flatten().filter(fits));
                }
                before = batch.last().copied();
            }
            if !more || ids.is_empty() {
                return Ok(up_to(query.limit, records, false));
            }
        }
    }

    /// The fields of some records.
    pub(super) async fn fields(&self, ids: &[NotificationId]) -> Result<Vec<RecordFields>, LedgerError> {
        let mut pipeline = redis::Pipeline::with_capacity(ids.len());
        for id in ids {
            pipeline.cmd("HGETALL").arg(self.key("n", id));
        }
        self.connections.pipeline(&pipeline).await
    }

    /// The indexes that together hold what the query asks for: small records have their own, one for each bot.
    async fn indexes(&self, query: &ListQuery) -> Result<Vec<String>, LedgerError> {
        let mut indexes = vec![match (&query.bot, query.status) {
            (None, None) => self.key("i", "all"),
            (Some(bot), None) => self.key("i:bot", bot),
            (None, Some(status)) => self.key("i:status", status.as_str()),
            (Some(bot), Some(status)) => self.key("i:bot", format_args!("{bot}:{}", status.as_str())),
        }];
        if query.status.is_none_or(|status| status == Status::Sent) {
            let bots = match &query.bot {
                Some(bot) => vec![bot.to_string()],
                None => self.connections.command(redis::cmd("SMEMBERS").arg(self.key("i", "bots"))).await?,
            };
            indexes.extend(bots.iter().map(|bot| self.key("i:sent", bot)));
        }
        Ok(indexes)
    }

    /// The newest ids of the indexes below another, and whether there are more: as many as are wanted, or fewer if there are many
    /// indexes. One that is made small in between is found in the later of two.
    async fn newest(
        &self,
        indexes: &[String],
        before: Option<NotificationId>,
        wanted: usize,
    ) -> Result<(Vec<NotificationId>, bool), LedgerError> {
        let of_each = wanted.min(MAX_IDS_AT_ONCE / indexes.len()).max(LISTED_AT_ONCE);
        let highest = before.map_or("+".to_owned(), |id| format!("({id}"));
        let mut pipeline = redis::Pipeline::with_capacity(indexes.len());
        for index in indexes {
            pipeline.cmd("ZREVRANGEBYLEX").arg(index).arg(&highest).arg("-").arg("LIMIT").arg(0).arg(of_each);
        }
        let found: Vec<Vec<String>> = self.connections.pipeline(&pipeline).await?;
        // What an index has left is below its last one here; what comes before that is known whole.
        let whole_from = found.iter().filter(|ids| ids.len() == of_each).filter_map(|ids| ids.last()).max();
        let mut ids: Vec<_> = found.iter().flatten().filter(|id| whole_from.is_none_or(|first| *id >= first)).collect();
        ids.sort_unstable_by(|a, b| b.cmp(a));
        ids.dedup();
        Ok((ids.into_iter().filter_map(|id| id.parse().ok()).collect(), whole_from.is_some()))
    }
}

/// A page of the first records. `more`: there are others behind all of these.
fn up_to(limit: usize, mut records: Vec<Record>, more: bool) -> RecordPage {
    let more = more || records.len() > limit;
    records.truncate(limit);
    let next = records.last().map(|record| record.notification.id).filter(|_| more);
    RecordPage { records, next }
}
