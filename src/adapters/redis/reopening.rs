//! Records that are accepted again, when a finished notification is resubmitted.

use super::ledger::{ABANDONED_AFTER, RedisLedger, add_digests, millis};
use super::record_fields::{RecordFields, read_record};
use super::scripts;
use crate::domain::{Notification, NotificationId, Record, Status, Timestamp};
use crate::ports::LedgerError;
use deadpool_redis::redis;

/// Which records may be reopened.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reopens {
    /// Those that have ended and may be tried again, and those of [`Reopens::Abandoned`].
    Ended,
    /// Those whose reopening came to nothing.
    Abandoned,
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
    fields: RecordFields,
    at: Timestamp,
}

impl RedisLedger {
    /// Makes a final record a fresh one that keeps its attempts, and pins the blobs that it needs again.
    pub(super) async fn reopen(&self, notification: &Notification, which: Reopens) -> Result<Reopened, LedgerError> {
        let at = Timestamp::now();
        let mut call = self.notification_arguments(notification);
        call.arg(Status::accepted(notification).as_str()).arg(at.unix_millis()).arg(millis(ABANDONED_AFTER));
        call.arg(which == Reopens::Ended);
        add_digests(&mut call, notification);
        let mut script = scripts::REOPEN.arg(self.namespace());
        script.arg(call);
        let (instead, fields) = self.connections.script::<(String, RecordFields)>(&script).await?;
        if let Ok(status) = instead.parse() {
            return Ok(Reopened::Refused(status));
        }
        Ok(match read_record(notification.id, &fields)? {
            Some(before) => Reopened::Done(Box::new(Reopening { before, fields, at })),
            None => Reopened::NotFound,
        })
    }

    /// Removes the mark of a reopening, once the notification is published: from then on its courier changes the record.
    pub(super) async fn finish_reopening(&self, id: NotificationId) -> Result<(), LedgerError> {
        self.connections.command::<u64>(redis::cmd("HDEL").arg(self.key("n", id)).arg("reopening")).await.map(drop)
    }

    /// Puts the record back as it was, when the notification could not be published; unless a courier has begun with it
    /// after all: then this returns false.
    pub(super) async fn restore(&self, reopening: &Reopening) -> Result<bool, LedgerError> {
        let mut call = self.record_call(&scripts::RESTORE, reopening.before.notification.id);
        call.arg(reopening.at.unix_millis());
        for (field, value) in &reopening.fields {
            call.arg(field).arg(value);
        }
        self.connections.script(&call).await
    }
}
