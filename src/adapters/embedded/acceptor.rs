//! Acceptance in one transaction: key, record, pins and queue row are there together or not at all.

use super::clerk::Offices;
use super::fault::Fault;
use super::queue::Row;
use super::store::Store;
use super::writer::Durability;
use super::{blobs, ledger, media_index};
use crate::domain::{MediaSource, Notification, Record, Status, Timestamp};
use crate::ports::{AcceptError, Accepted, Acceptor, Idempotency, Resubmitted, Submission};
use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};
use std::sync::Arc;
use std::time::Duration;

/// The counter's last step.
pub struct EmbeddedAcceptor {
    store: Arc<Store>,
    offices: Arc<Offices>,
}

impl EmbeddedAcceptor {
    /// Over the open file.
    pub fn new(store: Arc<Store>, offices: Arc<Offices>) -> Self {
        Self { store, offices }
    }
}

#[async_trait]
impl Acceptor for EmbeddedAcceptor {
    async fn accept(&self, submission: &Submission) -> Result<Accepted, AcceptError> {
        let Submission { notification, idempotency } = submission.clone();
        let (row, record) = (Row::of(&notification), Record::accepted(notification));
        let offices = self.offices.clone();
        let accept = move |conn: &Connection| {
            if let Some(key) = &idempotency
                && let Some(earlier) = look_up(conn, key)?
            {
                return Ok(earlier);
            }
            let accepted = Accepted {
                id: record.notification.id,
                status: record.status,
                accepted_at: record.notification.accepted_at,
                replayed: false,
            };
            if let Some(key) = &idempotency {
                remember(conn, key, &accepted)?;
            }
            ledger::save(conn, &record)?;
            hold_media(conn, &record.notification)?;
            row.insert(conn)?;
            offices.wake(&row.bot);
            Ok(Some(accepted))
        };
        self.store.write(Durability::Disk, accept).await?.ok_or(AcceptError::KeyReused)
    }

    async fn resubmit(&self, notification: &Notification) -> Result<Resubmitted, AcceptError> {
        let mut notification = notification.clone();
        let offices = self.offices.clone();
        let resubmit = move |conn: &Connection| {
            let Some(former) = ledger::load(conn, notification.id)? else { return Ok(Resubmitted::NotFound) };
            if !former.status.is_retryable() {
                return Ok(Resubmitted::Refused(former.status));
            }
            // Couriers tell the copies apart by it, also when the clock was set back in between.
            let next = former.notification.accepted_at.plus(Duration::from_millis(1));
            notification.accepted_at = notification.accepted_at.max(next);
            let row = Row::of(&notification);
            let record = Record { attempts: former.attempts, ..Record::accepted(notification) };
            ledger::save(conn, &record)?;
            ledger::forget_cut_offs(conn, record.notification.id)?;
            hold_media(conn, &record.notification)?;
            row.insert_instead(conn)?;
            offices.wake(&row.bot);
            Ok(Resubmitted::Done(Box::new(record)))
        };
        Ok(self.store.write(Durability::Disk, resubmit).await?)
    }

    async fn ready(&self) -> Result<(), AcceptError> {
        Ok(self.store.ready().await?)
    }
}

/// What the key got first: `Some(None)` if it was used with another request, `None` if it is new or forgotten.
fn look_up(conn: &Connection, key: &Idempotency) -> Result<Option<Option<Accepted>>, Fault> {
    let sql = "SELECT fingerprint, id, status, accepted_at FROM keys WHERE key = ?1 AND until > ?2";
    let mut select = conn.prepare_cached(sql)?;
    let found = select.query_row(params![key.key, Timestamp::now().unix_millis()], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?, row.get::<_, i64>(3)?))
    });
    let Some((fingerprint, id, status, accepted_at)) = found.optional()? else { return Ok(None) };
    if fingerprint != key.fingerprint {
        return Ok(Some(None));
    }
    Ok(Some(Some(Accepted {
        id: id.parse().map_err(|error| Fault::unreadable("key", error))?,
        status: status.parse::<Status>().map_err(|error| Fault::unreadable("key", error))?,
        accepted_at: Timestamp::from_unix_millis(accepted_at),
        replayed: true,
    })))
}

fn remember(conn: &Connection, key: &Idempotency, accepted: &Accepted) -> Result<(), Fault> {
    let sql = "INSERT OR REPLACE INTO keys (key, fingerprint, id, status, accepted_at, until)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let until = Timestamp::now().plus(Idempotency::KEPT);
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

/// Pins the blobs that the notification names until it expires, and marks them as used.
fn hold_media(conn: &Connection, notification: &Notification) -> Result<(), Fault> {
    for media in &notification.call.media {
        if let MediaSource::Blob { sha256, .. } = &media.source {
            media_index::pin(conn, sha256, notification.expires_at)?;
            blobs::touch(conn, sha256)?;
        }
    }
    Ok(())
}
