//! The port of callbacks: hashes and sorted sets, changed by scripts only.

use super::callback_scripts as scripts;
use super::ledger::RedisLedger;
use super::record_fields::{RecordFields, read_listed_record};
use crate::domain::{CallbackEvent, CallbackId, CallbackState, Timestamp};
use crate::ports::{Callback, CallbackPage, CallbackQuery, CallbackRoom, Callbacks, LedgerError};
use async_trait::async_trait;
use deadpool_redis::redis;

/// Events that one script call of a sweep deletes.
const SWEPT_AT_ONCE: usize = 100;

/// Events fetched by one pipeline: they come whole, and are larger than what is kept of them.
const LISTED_AT_ONCE: usize = 20;

#[async_trait]
impl Callbacks for RedisLedger {
    async fn claim(&self, now: Timestamp, until: Timestamp, room: &CallbackRoom) -> Result<Vec<Callback>, LedgerError> {
        let mut call = scripts::CLAIM.arg(self.namespace());
        call.arg(now.unix_millis()).arg(until.unix_millis());
        call.arg(room.all).arg(room.per_host).arg(CallbackRoom::MAX_CLAIM_BYTES);
        for (host, places) in &room.of_hosts {
            call.arg(host).arg(places);
        }
        let claimed: Vec<(String, RecordFields)> = self.connections.script(&call).await?;
        // One that is not readable (written by a newer version) must not hold up the others.
        let read = |(id, fields): &(String, RecordFields)| {
            read(id, fields).inspect_err(|error| tracing::warn!(%error, "a callback is passed over")).ok()
        };
        Ok(claimed.iter().filter_map(read).collect())
    }

    async fn delivered(&self, id: &CallbackId, now: Timestamp) -> Result<(), LedgerError> {
        let mut call = scripts::DELIVERED.arg(self.namespace());
        self.connections.script(call.arg(id.to_string()).arg(now.unix_millis())).await
    }

    async fn failed(
        &self,
        id: &CallbackId,
        now: Timestamp,
        error: &str,
        next: Option<Timestamp>,
    ) -> Result<(), LedgerError> {
        let mut call = scripts::FAILED.arg(self.namespace());
        call.arg(id.to_string()).arg(now.unix_millis()).arg(error);
        call.arg(next.map(|next| next.unix_millis().to_string()).unwrap_or_default());
        self.connections.script(&call).await
    }

    async fn replay(&self, id: &CallbackId, now: Timestamp) -> Result<bool, LedgerError> {
        let mut call = scripts::REPLAY.arg(self.namespace());
        self.connections.script(call.arg(id.to_string()).arg(now.unix_millis())).await
    }

    async fn get(&self, id: &CallbackId) -> Result<Option<Callback>, LedgerError> {
        let fields: RecordFields = self.connections.command(redis::cmd("HGETALL").arg(self.key("cb:e", id))).await?;
        if fields.is_empty() { Ok(None) } else { read(&id.to_string(), &fields).map(Some) }
    }

    async fn list(&self, query: &CallbackQuery) -> Result<CallbackPage, LedgerError> {
        let highest = query.before.map_or("+".to_owned(), |id| format!("({id}"));
        let mut ids: Vec<String> = Vec::new();
        for state in &query.states {
            let mut command = redis::cmd("ZREVRANGEBYLEX");
            command.arg(self.key("cb:i", state.as_str())).arg(&highest).arg("-").arg("LIMIT").arg(0);
            let found: Vec<String> = self.connections.command(command.arg(query.limit + 1)).await?;
            ids.extend(found);
        }
        ids.sort_unstable_by(|one, other| other.cmp(one));
        ids.truncate(query.limit + 1);
        let mut found = Vec::with_capacity(ids.len());
        for batch in ids.chunks(LISTED_AT_ONCE) {
            let mut pipeline = redis::Pipeline::with_capacity(batch.len());
            for id in batch {
                pipeline.cmd("HGETALL").arg(self.key("cb:e", id));
            }
            let fields: Vec<RecordFields> = self.connections.pipeline(&pipeline).await?;
            // One that was delivered meanwhile has no fields.
            let there = batch.iter().zip(fields).filter(|(_, fields)| !fields.is_empty());
            let read = |(id, fields): (&String, RecordFields)| {
                read(id, &fields).inspect_err(|error| tracing::warn!(%error, "left out of a listing")).ok()
            };
            found.extend(there.filter_map(read).filter(|callback| query.states.contains(&callback.state)));
        }
        let mut page = CallbackPage::of(found, query.limit);
        if page.next.is_none() && ids.len() > query.limit {
            // What was delivered meanwhile is missing; the page leads on all the same.
            page.next = ids.get(query.limit - 1).and_then(|id| id.parse().ok());
        }
        Ok(page)
    }

    async fn waiting(&self) -> Result<u64, LedgerError> {
        let mut pipeline = redis::pipe();
        for state in [CallbackState::Waiting, CallbackState::Failing] {
            pipeline.cmd("ZCARD").arg(self.key("cb:i", state.as_str()));
        }
        let (waiting, failing): (u64, u64) = self.connections.pipeline(&pipeline).await?;
        Ok(waiting + failing)
    }

    async fn sweep(&self, given_up_before: Timestamp) -> Result<u64, LedgerError> {
        let mut swept = 0;
        loop {
            let mut call = scripts::SWEEP.arg(self.namespace());
            let deleted: u64 =
                self.connections.script(call.arg(given_up_before.unix_millis()).arg(SWEPT_AT_ONCE)).await?;
            swept += deleted;
            if deleted < SWEPT_AT_ONCE as u64 {
                return Ok(swept);
            }
        }
    }
}

fn read(id: &str, fields: &RecordFields) -> Result<Callback, LedgerError> {
    let unreadable = || LedgerError::Unavailable(format!("the callback {id} is not readable"));
    let id: CallbackId = id.parse().map_err(|_| unreadable())?;
    let text = |name: &str| std::str::from_utf8(fields.get(name)?).ok().filter(|text| !text.is_empty());
    let moment = |name: &str| Some(Timestamp::from_unix_millis(text(name)?.parse().ok()?));
    let record = read_listed_record(id.notification, fields)?.ok_or_else(unreadable)?;
    let read = || {
        let state = text("state")?.parse().ok()?;
        Some(Callback {
            // The notification may have come from a courier whose copy is older than the last acceptance.
            event: CallbackEvent { id, ..CallbackEvent::of(&record)? },
            state,
            tries: text("tries")?.parse().ok()?,
            since: moment("since")?,
            error: text("error").map(str::to_owned),
            next_try_at: moment("due").filter(|_| state == CallbackState::Failing),
        })
    };
    read().ok_or_else(unreadable)
}
