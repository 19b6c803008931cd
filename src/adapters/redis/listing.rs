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

/// It also does once so many records were looked at: most may have another status.
const MAX_LOOKED_AT: usize = 2_000;

/// Ids taken from all indexes at a time, if there are many indexes.
const MAX_IDS_AT_ONCE: usize = 20_000;

impl RedisLedger {
    /// The ids are taken from the indexes first and the records after it, so one that changes in between may be missing
    /// from this page, but never shows a status that was not asked for.
    pub(super) async fn page(&self, query: &ListQuery) -> Result<RecordPage, LedgerError> {
        let indexes = self.indexes(query).await?;
        let (mut records, mut before, mut bytes, mut looked_at) = (Vec::new(), query.before, 0, 0);
        loop {
            let (ids, more) = self.newest(&indexes, before, query.limit.saturating_add(1)).await?;
            for batch in ids.chunks(LISTED_AT_ONCE) {
                if records.len() >= query.limit {
                    return Ok(up_to(query.limit, records, true));
                }
                if bytes > MAX_PAGE_BYTES || looked_at >= MAX_LOOKED_AT {
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
                (before, looked_at) = (batch.last().copied(), looked_at + batch.len());
            }
            if !more {
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

    /// The indexes that together hold what the query asks for, and more if it asks for what was sent: small records are in that
    /// of their bot alone.
    async fn indexes(&self, query: &ListQuery) -> Result<Vec<String>, LedgerError> {
        let status = query.status.filter(|status| *status != Status::Sent);
        Ok(match (&query.bot, status) {
            (Some(bot), None) => vec![self.key("i:bot", bot)],
            (None, Some(status)) => vec![self.key("i:status", status.as_str())],
            (Some(bot), Some(status)) => vec![self.key("i:bot", format_args!("{bot}:{}", status.as_str()))],
            (None, None) => {
                let mut members = redis::cmd("SMEMBERS");
                members.arg(format!("{}:bots", self.namespace()));
                let bots: Vec<String> = self.connections.command(&members).await?;
                let of_bots = bots.iter().map(|bot| self.key("i:bot", bot));
                std::iter::once(self.key("i", "all")).chain(of_bots).collect()
            }
        })
    }

    /// The newest ids of the indexes below another, and whether there are more. So many as are wanted, if that are not too
    /// many.
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
