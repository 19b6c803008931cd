//! Idempotency keys, and records that are taken in again.

use super::record::{Fields, read};
use super::{RedisLedger, scripts};
use crate::domain::{Notification, NotificationId, Record, Sha256, Status, Timestamp};
use crate::ports::{Accepted, Idempotency, LedgerError};
use deadpool_redis::redis;
use std::time::Duration;

/// After how long a reservation or reopening that has come to nothing may be taken over: longer than a publish takes.
const ABANDONED_AFTER: Duration = Duration::from_secs(5);

/// What a key says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reservation {
    /// Ours to publish under this id: the first with this key, or the successor of one who came to nothing.
    Ours(Accepted),
    /// Another process is at it.
    Busy,
    /// Accepted before.
    Done(Accepted),
    /// Used with another request.
    Other,
}

/// What came of reopening a record.
pub(super) enum Reopened {
    /// It is open; what it was before.
    Done(Box<Reopening>),
    /// Its status forbids it.
    Refused(Status),
    /// There is no such record.
    NotFound,
}

/// An open reopening: the record as it was, and the moment that names this reopening.
pub(super) struct Reopening {
    pub(super) before: Record,
    fields: Fields,
    at: Timestamp,
}

/// The answer that is written down with a key.
fn earlier(id: &str, accepted_at: &str, status: &str, replayed: bool) -> Result<Accepted, LedgerError> {
    let read = || {
        let id = id.parse::<NotificationId>().ok()?;
        let accepted_at = accepted_at.parse().ok().map(Timestamp::from_unix_millis)?;
        Some(Accepted { id, status: status.parse().ok()?, accepted_at, replayed })
    };
    read().ok_or_else(|| LedgerError::Unavailable("a key is not readable".to_owned()))
}

impl RedisLedger {
    /// Reserves a key for a notification, or says who did.
    pub(super) async fn reserve(
        &self,
        key: &Idempotency,
        notification: &Notification,
    ) -> Result<Reservation, LedgerError> {
        let mut call = scripts::RESERVE.key(self.idempotency_key(&key.key));
        call.arg(&key.fingerprint).arg(notification.id.to_string());
        call.arg(notification.accepted_at.unix_millis()).arg(Status::accepted(notification).as_str());
        call.arg(millis(Idempotency::KEPT)).arg(millis(ABANDONED_AFTER));
        let (state, id, accepted_at, status) = self.link.script::<(String, String, String, String)>(&call).await?;
        match state.as_str() {
            "other" => return Ok(Reservation::Other),
            "busy" => return Ok(Reservation::Busy),
            _ => {}
        }
        let replayed = state == "done";
        let earlier = earlier(&id, &accepted_at, &status, replayed)?;
        Ok(if replayed { Reservation::Done(earlier) } else { Reservation::Ours(earlier) })
    }

    /// What a key says without reserving it; nothing if it is new, or reserved by a request that is not accepted yet.
    pub(super) async fn recall(&self, key: &Idempotency) -> Result<Option<Reservation>, LedgerError> {
        let mut command = redis::cmd("HMGET");
        command.arg(self.idempotency_key(&key.key)).arg(&["fingerprint", "id", "accepted_at", "status", "done"]);
        let fields: Vec<Option<String>> = self.link.command(&command).await?;
        let [Some(fingerprint), Some(id), Some(accepted_at), Some(status), done] = fields.as_slice() else {
            return Ok(None);
        };
        if *fingerprint != key.fingerprint {
            return Ok(Some(Reservation::Other));
        }
        match done {
            Some(_) => Ok(Some(Reservation::Done(earlier(id, accepted_at, status, true)?))),
            None => Ok(None),
        }
    }

    /// Marks the request of a key as accepted.
    pub(super) async fn finish(&self, key: &str) -> Result<(), LedgerError> {
        self.mark(key, "done", "1").await
    }

    /// Lets the next request with the key take over at once, under the same id.
    pub(super) async fn release(&self, key: &str) -> Result<(), LedgerError> {
        self.mark(key, "reserved_at", "0").await
    }

    async fn mark(&self, key: &str, field: &str, value: &str) -> Result<(), LedgerError> {
        let mut call = scripts::MARK.key(self.idempotency_key(key));
        self.link.script::<u64>(call.arg(field).arg(value)).await.map(drop)
    }

    /// Hashed: callers choose their keys, so they may be long, and may hold what is not ours to show.
    fn idempotency_key(&self, key: &str) -> String {
        self.key("k", Sha256::of(key.as_bytes()))
    }

    /// Makes a final record a fresh one that keeps its attempts.
    pub(super) async fn reopen(&self, notification: &Notification) -> Result<Reopened, LedgerError> {
        let at = Timestamp::now();
        let mut call = self.on(&scripts::REOPEN, notification);
        call.arg(Status::accepted(notification).as_str()).arg(at.unix_millis()).arg(millis(ABANDONED_AFTER));
        let (instead, fields) = self.link.script::<(String, Fields)>(&call).await?;
        if let Ok(status) = instead.parse() {
            return Ok(Reopened::Refused(status));
        }
        Ok(match read(&fields)? {
            Some(before) => Reopened::Done(Box::new(Reopening { before, fields, at })),
            None => Reopened::NotFound,
        })
    }

    /// It is published: what happens from now on is its courier's.
    pub(super) async fn reopened(&self, id: NotificationId) -> Result<(), LedgerError> {
        self.link.command::<u64>(redis::cmd("HDEL").arg(self.key("n", id)).arg("reopening")).await.map(drop)
    }

    /// It could not be published: puts the record back, unless a courier has begun with it after all.
    pub(super) async fn restore(&self, reopening: &Reopening) -> Result<(), LedgerError> {
        let mut call = self.about(&scripts::RESTORE, reopening.before.notification.id);
        call.arg(reopening.at.unix_millis());
        for (field, value) in &reopening.fields {
            call.arg(field).arg(value);
        }
        self.link.script::<u64>(&call).await.map(drop)
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
