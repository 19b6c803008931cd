//! Acceptance in one transaction: idempotency key, record, pins and queue row are there together or not at all.

use super::columns::to_json;
use super::handing_over::{self, DirectDelivery};
use super::ownership_table::OwnershipTable;
use super::queue_rows::QueueRow;
use super::sqlite_store::SqliteStore;
use super::store_error::StoreError;
use super::writer::Durability;
use super::{media_index, queue_rows, record_rows};
use crate::domain::{MediaSource, Notification, Record, Status, Timestamp};
use crate::ports::{AcceptError, Accepted, Acceptor, Idempotency, Resubmitted, Submission};
use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};
use std::sync::Arc;
use std::time::Duration;

/// [`Acceptor`] in the file.
pub struct EmbeddedAcceptor {
    store: Arc<SqliteStore>,
    owners: Arc<OwnershipTable>,
}

impl EmbeddedAcceptor {
    /// Over the open file. `owners` is the table that the queue is owned by.
    pub fn new(store: Arc<SqliteStore>, owners: Arc<OwnershipTable>) -> Self {
        Self { store, owners }
    }
}

#[async_trait]
impl Acceptor for EmbeddedAcceptor {
    async fn accept(&self, submission: &Submission) -> Result<Accepted, AcceptError> {
        let Submission { notification, idempotency } = submission.clone();
        let body = to_json(&notification);
        let (row, record) = (QueueRow::beside_record(&notification, &body), Record::accepted(notification));
        let owners = self.owners.clone();
        let accept = move |conn: &Connection| {
            if let Some(key) = &idempotency {
                match find_key(conn, key)? {
                    KeyLookup::Unknown => {}
                    KeyLookup::SameRequest(earlier) => return Ok((Some(earlier), None)),
                    KeyLookup::OtherRequest => return Ok((None, None)),
                }
            }
            let accepted = Accepted {
                id: record.notification.id,
                status: record.status,
                accepted_at: record.notification.accepted_at,
                replayed: false,
            };
            if let Some(key) = &idempotency {
                save_key(conn, key, &accepted)?;
            }
            record_rows::save(conn, &record, &body)?;
            for waiting in record.notification.waiting() {
                save_waiting(conn, waiting)?;
            }
            pin_blobs(conn, &record.notification)?;
            let direct = handing_over::enqueue(conn, &owners, &row, record.notification)?;
            Ok((Some(accepted), direct))
        };
        let hand_over = |(accepted, direct): (Option<Accepted>, Option<DirectDelivery>)| {
            if let Some(direct) = direct {
                direct.hand_over();
            }
            accepted
        };
        self.store.write_then(Durability::Disk, accept, hand_over).await?.ok_or(AcceptError::KeyReused)
    }

    async fn recall(&self, key: &Idempotency) -> Result<Option<Accepted>, AcceptError> {
        let key = key.clone();
        match self.store.read(move |conn| find_key(conn, &key)).await? {
            KeyLookup::Unknown => Ok(None),
            KeyLookup::SameRequest(earlier) => Ok(Some(earlier)),
            KeyLookup::OtherRequest => Err(AcceptError::KeyReused),
        }
    }

    async fn resubmit(&self, notification: &Notification) -> Result<Resubmitted, AcceptError> {
        let mut notification = notification.clone();
        let owners = self.owners.clone();
        let resubmit = move |conn: &Connection| {
            let Some(former) = record_rows::load(conn, notification.id)? else { return Ok(Resubmitted::NotFound) };
            if !former.status.is_retryable() {
                return Ok(Resubmitted::Refused(former.status));
            }
            // Couriers tell the copies apart by it, also when the clock was set back in between.
            let next = former.notification.accepted_at.plus(Duration::from_millis(1));
            notification.accepted_at = notification.accepted_at.max(next);
            // What is still under way of the former acceptance stays that.
            queue_rows::part_from_record(conn, &former.notification)?;
            let body = to_json(&notification);
            let row = QueueRow::beside_record(&notification, &body);
            let record = Record { attempts: former.attempts, ..Record::accepted(notification) };
            record_rows::save(conn, &record, &body)?;
            record_rows::reset_interrupted_attempts(conn, record.notification.id)?;
            for waiting in record.notification.waiting() {
                if record_rows::load(conn, waiting.id)?.is_none_or(|former| former.ended_unfollowed()) {
                    save_waiting(conn, waiting)?;
                }
            }
            pin_blobs(conn, &record.notification)?;
            row.insert_instead(conn)?;
            owners.wake_dispatcher(&row.bot);
            Ok(Resubmitted::Done(Box::new(record)))
        };
        Ok(self.store.write(Durability::Disk, resubmit).await?)
    }

    /// A resubmission is there as a whole or not at all.
    async fn resume(&self, notification: &Notification) -> Result<Resubmitted, AcceptError> {
        let id = notification.id;
        let record = self.store.read(move |conn| record_rows::load(conn, id)).await?;
        Ok(record.map_or(Resubmitted::NotFound, |record| Resubmitted::Refused(record.status)))
    }

    async fn ready(&self) -> Result<(), AcceptError> {
        Ok(self.store.ready().await?)
    }
}

/// Writes the record of one that waits for another.
fn save_waiting(conn: &Connection, waiting: Notification) -> Result<(), StoreError> {
    let body = to_json(&waiting);
    record_rows::save(conn, &Record::accepted(waiting), &body)
}

/// What an idempotency key stands for.
enum KeyLookup {
    /// Nothing: it is new or expired.
    Unknown,
    /// The same request, which got this answer.
    SameRequest(Accepted),
    /// Another request.
    OtherRequest,
}

fn find_key(conn: &Connection, key: &Idempotency) -> Result<KeyLookup, StoreError> {
    let sql = "SELECT fingerprint, id, status, accepted_at FROM keys WHERE key = ?1 AND until > ?2";
    let mut select = conn.prepare_cached(sql)?;
    let found = select.query_row(params![key.key, Timestamp::now().unix_millis()], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?, row.get::<_, i64>(3)?))
    });
    let Some((fingerprint, id, status, accepted_at)) = found.optional()? else { return Ok(KeyLookup::Unknown) };
    if fingerprint != key.fingerprint {
        return Ok(KeyLookup::OtherRequest);
    }
    Ok(KeyLookup::SameRequest(Accepted {
        id: id.parse().map_err(|error| StoreError::unreadable("key", error))?,
        status: status.parse::<Status>().map_err(|error| StoreError::unreadable("key", error))?,
        accepted_at: Timestamp::from_unix_millis(accepted_at),
        replayed: true,
    }))
}

fn save_key(conn: &Connection, key: &Idempotency, accepted: &Accepted) -> Result<(), StoreError> {
    let sql = "INSERT OR REPLACE INTO keys (key, fingerprint, id, status, accepted_at, until)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let until = Timestamp::now().plus(Idempotency::RETENTION);
    let values = params![
        key.key,
        key.fingerprint,
        accepted.id.to_string(),
        accepted.status.as_str(),
        accepted.accepted_at.unix_millis(),
        until.unix_millis(),
    ];
    conn.prepare_cached(sql)?.execute(values)?;
    Ok(())
}

/// Pins the blobs that the notification names until it expires.
fn pin_blobs(conn: &Connection, notification: &Notification) -> Result<(), StoreError> {
    for media in &notification.call.media {
        if let MediaSource::Blob { sha256, .. } = &media.source {
            media_index::pin(conn, sha256, notification.expires_at)?;
        }
    }
    Ok(())
}
