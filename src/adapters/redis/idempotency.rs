//! Idempotency keys: which request reserved one, and whether it was accepted.

use super::ledger::{ABANDONED_AFTER, RedisLedger, millis};
use super::scripts;
use crate::domain::{Notification, NotificationId, Sha256, Status, Timestamp};
use crate::ports::{Accepted, Idempotency, LedgerError};
use deadpool_redis::redis;

/// What a key says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reservation {
    /// Ours to publish under this id: the first with this key, or the successor of one that came to nothing.
    Ours(Accepted),
    /// Reserved by another process, which is about to publish.
    Busy,
    /// Accepted before.
    Done(Accepted),
    /// Used with another request.
    OtherRequest,
}

/// The response that is stored with a key.
fn stored_response(id: &str, accepted_at: &str, status: &str, replayed: bool) -> Result<Accepted, LedgerError> {
    let read = || {
        let id = id.parse::<NotificationId>().ok()?;
        let accepted_at = accepted_at.parse().ok().map(Timestamp::from_unix_millis)?;
        Some(Accepted { id, status: status.parse().ok()?, accepted_at, replayed })
    };
    read().ok_or_else(|| LedgerError::Unavailable("a key is not readable".to_owned()))
}

impl RedisLedger {
    /// Reserves a key for a notification, or says who did.
    pub(super) async fn reserve_key(
        &self,
        key: &Idempotency,
        notification: &Notification,
    ) -> Result<Reservation, LedgerError> {
        let mut call = scripts::RESERVE.key(self.idempotency_key(&key.key));
        call.arg(&key.fingerprint).arg(notification.id.to_string());
        call.arg(notification.accepted_at.unix_millis()).arg(Status::accepted(notification).as_str());
        call.arg(millis(Idempotency::RETENTION)).arg(millis(ABANDONED_AFTER));
        let (state, id, accepted_at, status) =
            self.connections.script::<(String, String, String, String)>(&call).await?;
        match state.as_str() {
            "other" => return Ok(Reservation::OtherRequest),
            "busy" => return Ok(Reservation::Busy),
            _ => {}
        }
        let replayed = state == "done";
        let response = stored_response(&id, &accepted_at, &status, replayed)?;
        Ok(if replayed { Reservation::Done(response) } else { Reservation::Ours(response) })
    }

    /// What a key says without reserving it; nothing if it is new, or reserved by a request that is not accepted yet.
    pub(super) async fn recall_key(&self, key: &Idempotency) -> Result<Option<Reservation>, LedgerError> {
        let mut command = redis::cmd("HMGET");
        command.arg(self.idempotency_key(&key.key)).arg(&["fingerprint", "id", "accepted_at", "status", "done"]);
        let fields: Vec<Option<String>> = self.connections.command(&command).await?;
        let [Some(fingerprint), Some(id), Some(accepted_at), Some(status), done] = fields.as_slice() else {
            return Ok(None);
        };
        if *fingerprint != key.fingerprint {
            return Ok(Some(Reservation::OtherRequest));
        }
        match done {
            Some(_) => Ok(Some(Reservation::Done(stored_response(id, accepted_at, status, true)?))),
            None => Ok(None),
        }
    }

    /// Marks the request of a key as accepted.
    pub(super) async fn mark_key_accepted(&self, key: &str) -> Result<(), LedgerError> {
        self.mark_key(key, "done", "1").await
    }

    /// Lets the next request with the key take over at once, under the same id.
    pub(super) async fn release_key(&self, key: &str) -> Result<(), LedgerError> {
        self.mark_key(key, "reserved_at", "0").await
    }

    async fn mark_key(&self, key: &str, field: &str, value: &str) -> Result<(), LedgerError> {
        let mut call = scripts::MARK.key(self.idempotency_key(key));
        self.connections.script::<u64>(call.arg(field).arg(value)).await.map(drop)
    }

    /// Hashed: callers choose their keys, so they may be long, and may hold what is not ours to show.
    fn idempotency_key(&self, key: &str) -> String {
        self.key("k", Sha256::of(key.as_bytes()))
    }
}
