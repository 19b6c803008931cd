//! Pages of records.

use super::ledger::RedisLedger;
use super::record_fields::{RecordFields, read_listed_record};
use crate::domain::{Filter, NotificationId, Record, Status};
use crate::ports::{LedgerError, ListQuery, RecordPage};
use deadpool_redis::redis;
use std::collections::BTreeMap;

/// Records fetched by one pipeline. They come whole, and are larger than what is kept of them.
const LISTED_AT_ONCE: usize = 20;

/// A page ends early once its records have more bytes than this, so that it takes no long time.
const MAX_PAGE_BYTES: usize = 8 * 1024 * 1024;

/// Ids taken from all indexes at a time, if there are many indexes.
const MAX_IDS_AT_ONCE: usize = 20_000;

/// Records that a page looks at, at the most, where its filter has no index.
const MAX_LOOKED_AT: usize = 5_000;

/// Ids that are taken at a time to look at their records.
const LOOKED_AT_ONCE: usize = 500;

impl RedisLedger {
    /// The ids are taken from the indexes first and the records after it, so one that changes in between may be missing
    /// from this page, but never shows a status that was not asked for.
    pub(super) async fn page(&self, query: &ListQuery) -> Result<RecordPage, LedgerError> {
        let (filter, limit) = (&query.filter, query.limit.max(1));
        let indexes: Vec<_> = self.indexes(filter).await?.into_iter().map(|(index, _)| index).collect();
        let (mut records, mut before, mut bytes, mut looked_at) = (Vec::new(), query.before, 0, 0);
        before = [before, filter.below()].into_iter().flatten().min();
        let wanted = if filter.is_indexed() { limit.saturating_add(1) } else { LOOKED_AT_ONCE };
        loop {
            let (ids, more) = self.newest(&indexes, filter.first(), before, wanted).await?;
            for batch in ids.chunks(LISTED_AT_ONCE) {
                if records.len() >= limit {
                    return Ok(up_to(limit, records, true));
                }
                if bytes > MAX_PAGE_BYTES || looked_at >= MAX_LOOKED_AT && !filter.is_indexed() {
                    return Ok(RecordPage { records, next: before });
                }
                for (id, fields) in batch.iter().zip(self.fields(batch).await?) {
                    bytes += fields.values().map(Vec::len).sum::<usize>();
                    // One that is not readable (written by a newer version) must not hide the others.
                    let record = read_listed_record(*id, &fields)
                        .inspect_err(|error| tracing::warn!(%error, "left out of a listing"));
                    records.extend(record.ok().flatten().filter(|record| filter.matches(record)));
                }
                looked_at += batch.len();
                before = batch.last().copied();
            }
            if !more || ids.is_empty() {
                return Ok(up_to(limit, records, false));
            }
        }
    }

    /// How many ids there are in the indexes; what an index holds between two ids Redis counts without going through it.
    pub(super) async fn counts(&self, filter: &Filter) -> Result<BTreeMap<Status, u64>, LedgerError> {
        let (mut indexes, mut pipeline) = (Vec::new(), redis::Pipeline::new());
        let highest = filter.below().map_or("+".to_owned(), |id| format!("({id}"));
        for (index, status) in self.indexes(filter).await? {
            pipeline.cmd("ZLEXCOUNT").arg(index).arg(lowest(filter.first())).arg(&highest);
            indexes.push(status);
        }
        let mut counts = BTreeMap::new();
        if indexes.is_empty() {
            return Ok(counts);
        }
        let found: Vec<u64> = self.connections.pipeline(&pipeline).await?;
        for (status, count) in indexes.into_iter().zip(found).filter(|(_, count)| *count > 0) {
            *counts.entry(status).or_default() += count;
        }
        Ok(counts)
    }

    /// The fields of some records.
    pub(super) async fn fields(&self, ids: &[NotificationId]) -> Result<Vec<RecordFields>, LedgerError> {
        let mut pipeline = redis::Pipeline::with_capacity(ids.len());
        for id in ids {
            pipeline.cmd("HGETALL").arg(self.key("n", id));
        }
        self.connections.pipeline(&pipeline).await
    }

    /// The index of what has a status, of one bot; but of what is small.
    pub(super) fn index_of(&self, bot: &str, status: Status) -> String {
        self.key("i:bot", format_args!("{bot}:{}", status.as_str()))
    }

    /// The indexes that together hold what a filter asks for, of each bot and status one, and of small records one more.
    async fn indexes(&self, filter: &Filter) -> Result<Vec<(String, Status)>, LedgerError> {
        let bots = match &filter.bot {
            Some(bot) => vec![bot.to_string()],
            None => self.bots().await?,
        };
        let statuses = filter.candidates().unwrap_or(Status::ALL.to_vec());
        let mut indexes = Vec::with_capacity(bots.len() * (statuses.len() + 1));
        for bot in &bots {
            indexes.extend(statuses.iter().map(|status| (self.index_of(bot, *status), *status)));
            if statuses.contains(&Status::Sent) {
                indexes.push((self.key("i:sent", bot), Status::Sent));
            }
        }
        Ok(indexes)
    }

    /// The newest ids of the indexes from one up to below another, and whether there are more: as many as are wanted, or fewer if there are many
    /// indexes. One that is made small in between is found in the later of two.
    async fn newest(
        &self,
        indexes: &[String],
        first: Option<NotificationId>,
        before: Option<NotificationId>,
        wanted: usize,
    ) -> Result<(Vec<NotificationId>, bool), LedgerError> {
        if indexes.is_empty() {
            return Ok((Vec::new(), false));
        }
        let of_each = wanted.min(MAX_IDS_AT_ONCE / indexes.len()).max(LISTED_AT_ONCE);
        let highest = before.map_or("+".to_owned(), |id| format!("({id}"));
        let mut pipeline = redis::Pipeline::with_capacity(indexes.len());
        for index in indexes {
            pipeline.cmd("ZREVRANGEBYLEX").arg(index).arg(&highest).arg(lowest(first)).arg("LIMIT").arg(0).arg(of_each);
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

/// The lower end of what is taken from an index.
fn lowest(first: Option<NotificationId>) -> String {
    first.map_or("-".to_owned(), |id| format!("[{id}"))
}

/// A page of the first records. `more`: there are others behind all of these.
fn up_to(limit: usize, mut records: Vec<Record>, more: bool) -> RecordPage {
    let more = more || records.len() > limit;
    records.truncate(limit);
    let next = records.last().map(|record| record.notification.id).filter(|_| more);
    RecordPage { records, next }
}
