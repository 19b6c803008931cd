//! The ledger: a hash per record, moved by scripts.

use super::link::{Link, ping};
use super::record::{Fields, json, read, text};
use super::scripts;
use crate::domain::{Attempt, Notification, NotificationId, Record, RecordUpdate, Status, Timestamp};
use crate::ports::{Begin, Cancelled, Ledger, LedgerError, ListQuery, RecordPage};
use async_trait::async_trait;
use deadpool_redis::redis::{self, Script, ScriptInvocation};
use secrecy::SecretString;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Records deleted by one script call, and records fetched by one pipeline: Redis does nothing else meanwhile.
const STEP: usize = 100;

/// Begins of unknown end, and marks, that are remembered; when more come, all are forgotten, which costs no more than a
/// false `interrupted`, or a mark that an older attempt takes away.
const TOKENS_KEPT: usize = 10_000;

/// [`Ledger`] and [`MediaIndex`](crate::ports::MediaIndex) on Redis. Fails within two seconds while Redis is away; see
/// [`BufferedLedger`](super::BufferedLedger) for going on regardless.
pub struct RedisLedger {
    pub(super) link: Link,
    namespace: String,
    /// Makes the tokens of begins unique among processes.
    instance: u64,
    begins: AtomicU64,
    /// Tokens of begins whose answer was lost. When such a begin took effect after all, the next one, with the same
    /// token, gets the answer that was lost, and counts no interruption of its own: nothing was sent in between.
    unsure: Mutex<Tokens>,
    /// Tokens of the attempts of this process that are under way.
    begun: Mutex<Tokens>,
}

type Tokens = HashMap<NotificationId, String>;

impl RedisLedger {
    /// A ledger at the URL (`redis://`), all its keys behind `namespace`. Connects when first used.
    pub fn new(url: &SecretString, namespace: &str) -> Result<Self, LedgerError> {
        Ok(Self {
            link: Link::new(url)?,
            namespace: namespace.to_owned(),
            instance: fastrand::u64(..),
            begins: AtomicU64::new(0),
            unsure: Mutex::default(),
            begun: Mutex::default(),
        })
    }

    /// Creates the record of a notification that has just been accepted, unless its courier was faster.
    pub(super) async fn create(&self, notification: &Notification) -> Result<bool, LedgerError> {
        let mut call = self.on(&scripts::CREATE, notification);
        call.arg(Status::accepted(notification).as_str()).arg(notification.accepted_at.unix_millis());
        self.link.script(&call).await
    }

    /// Whether Redis takes changes: a `PING` is also answered by a replica, or by one whose memory is full.
    pub(super) async fn probe(&self) -> Result<(), LedgerError> {
        let mut set = redis::cmd("SET");
        self.link.command::<()>(set.arg(format!("{}:probe", self.namespace)).arg(1).arg("EX").arg(60)).await
    }

    pub(super) fn key(&self, kind: &str, name: impl std::fmt::Display) -> String {
        format!("{}:{kind}:{name}", self.namespace)
    }

    pub(super) fn namespace(&self) -> &str {
        &self.namespace
    }

    pub(super) fn pins(&self) -> String {
        format!("{}:pins", self.namespace)
    }

    /// A call of a script about a record.
    pub(super) fn about<'a>(&self, script: &'a Script, id: NotificationId) -> ScriptInvocation<'a> {
        let mut call = script.arg(&self.namespace);
        call.arg(id.to_string());
        call
    }

    /// A call of a script with a notification.
    pub(super) fn on<'a>(&self, script: &'a Script, notification: &Notification) -> ScriptInvocation<'a> {
        let mut call = self.about(script, notification.id);
        call.arg(notification.bot.as_str()).arg(notification.accepted_at.unix_millis());
        call.arg(notification.expires_at.unix_millis()).arg(json(notification));
        call
    }

    fn token(&self, id: NotificationId) -> String {
        let fresh = || format!("{:x}-{}", self.instance, self.begins.fetch_add(1, Ordering::Relaxed));
        locked(&self.unsure).get(&id).cloned().unwrap_or_else(fresh)
    }

    /// An attempt begins whose mark is written later: what was marked earlier is not its.
    pub(super) fn unmark(&self, id: NotificationId) {
        locked(&self.begun).remove(&id);
    }

    /// The index that holds what the query asks for.
    fn index(&self, query: &ListQuery) -> String {
        match (&query.bot, query.status) {
            (None, None) => self.key("i", "all"),
            (Some(bot), None) => self.key("i:bot", bot),
            (None, Some(status)) => self.key("i:status", status.as_str()),
            (Some(bot), Some(status)) => self.key("i:bot", format_args!("{bot}:{}", status.as_str())),
        }
    }
}

fn locked(tokens: &Mutex<Tokens>) -> MutexGuard<'_, Tokens> {
    tokens.lock().unwrap_or_else(PoisonError::into_inner)
}

fn remember(tokens: &Mutex<Tokens>, id: NotificationId, token: String) {
    let mut tokens = locked(tokens);
    if tokens.len() >= TOKENS_KEPT {
        tokens.clear();
    }
    tokens.insert(id, token);
}

#[async_trait]
impl Ledger for RedisLedger {
    async fn begin(&self, notification: &Notification, at: Timestamp) -> Result<Begin, LedgerError> {
        let token = self.token(notification.id);
        let mut call = self.on(&scripts::BEGIN, notification);
        call.arg(at.unix_millis()).arg(&token).arg(json(&Attempt::interrupted(at))).arg(Record::ATTEMPTS_KEPT);
        match self.link.script::<(String, bool, u32)>(&call).await {
            Ok((stop, interrupted, interrupted_attempts)) => {
                locked(&self.unsure).remove(&notification.id);
                if let Ok(status) = stop.parse() {
                    return Ok(Begin::Skip(status));
                }
                remember(&self.begun, notification.id, token);
                Ok(Begin::Proceed { interrupted, interrupted_attempts })
            }
            Err(error) => {
                remember(&self.unsure, notification.id, token);
                Err(error)
            }
        }
    }

    async fn settle(&self, notification: &Notification, update: &RecordUpdate) -> Result<bool, LedgerError> {
        let mut call = self.on(&scripts::SETTLE, notification);
        call.arg(update.status.as_str()).arg(update.at.unix_millis());
        call.arg(text(update.attempt.as_ref(), json)).arg(Record::ATTEMPTS_KEPT);
        call.arg(text(update.message_id.as_ref(), i64::to_string)).arg(text(update.file_id.as_ref(), String::clone));
        call.arg(text(update.failure.as_ref(), json));
        call.arg(text(update.next_attempt_at.as_ref(), |at| at.unix_millis().to_string()));
        call.arg(text(update.result.as_ref(), json));
        let token = locked(&self.begun).get(&notification.id).cloned();
        call.arg(token.unwrap_or_default());
        let written = self.link.script(&call).await?;
        self.unmark(notification.id);
        Ok(written)
    }

    async fn cancel(&self, id: NotificationId, at: Timestamp) -> Result<Cancelled, LedgerError> {
        let mut call = self.about(&scripts::CANCEL, id);
        call.arg(at.unix_millis());
        let (instead, fields) = self.link.script::<(String, Fields)>(&call).await?;
        Ok(match instead.parse::<Status>() {
            Ok(status) => Cancelled::TooLate(status),
            Err(_) => read(&fields)?.map_or(Cancelled::NotFound, |record| Cancelled::Done(Box::new(record))),
        })
    }

    async fn get(&self, id: NotificationId) -> Result<Option<Record>, LedgerError> {
        read(&self.link.command::<Fields>(redis::cmd("HGETALL").arg(self.key("n", id))).await?)
    }

    /// The ids are taken from an index first and the records after it, so one that changes in between may be missing
    /// from this page, but never shows a status that was not asked for.
    async fn list(&self, query: &ListQuery) -> Result<RecordPage, LedgerError> {
        let highest = query.before.map_or("+".to_owned(), |id| format!("({id}"));
        let mut command = redis::cmd("ZREVRANGEBYLEX");
        command.arg(self.index(query)).arg(highest).arg("-").arg("LIMIT").arg(0).arg(query.limit.saturating_add(1));
        let mut ids = self.link.command::<Vec<String>>(&command).await?;
        let more = ids.len() > query.limit;
        ids.truncate(query.limit);

        let mut records = Vec::with_capacity(ids.len());
        for step in ids.chunks(STEP) {
            let mut pipeline = redis::Pipeline::with_capacity(step.len());
            for id in step {
                pipeline.cmd("HGETALL").arg(self.key("n", id));
            }
            for fields in self.link.pipeline::<Vec<Fields>>(&pipeline).await? {
                // One that is not readable (written by a newer version) must not hide the others.
                let record = read(&fields).inspect_err(|error| tracing::warn!(%error, "left out of a listing"));
                let fits = |record: &Record| query.status.is_none_or(|status| status == record.status);
                records.extend(record.ok().flatten().filter(fits));
            }
        }
        let next = if more { ids.last().and_then(|id| id.parse().ok()) } else { None };
        Ok(RecordPage { records, next })
    }

    /// Also forgets pins that ended before then. Keys expire by themselves.
    async fn sweep(&self, finished_before: Timestamp) -> Result<u64, LedgerError> {
        let before = finished_before.unix_millis();
        let mut swept = 0;
        loop {
            let mut call = scripts::SWEEP.arg(&self.namespace);
            call.arg(before).arg(STEP);
            let step = self.link.script::<u64>(&call).await?;
            swept += step;
            if step < STEP as u64 {
                break;
            }
        }
        let mut pins = redis::cmd("ZREMRANGEBYSCORE");
        self.link.command::<u64>(pins.arg(self.pins()).arg("-inf").arg(format!("({before}"))).await?;
        Ok(swept)
    }

    async fn ready(&self) -> Result<(), LedgerError> {
        self.link.command::<String>(&ping()).await.map(drop)
    }
}
