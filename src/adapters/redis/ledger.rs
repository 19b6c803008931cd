//! The ledger: a hash per record, changed by scripts only.

use super::begin_tokens::BeginTokens;
use super::grouped_calls::{Arguments, GroupedCalls};
use super::record_fields::{RecordFields, optional_argument, read_record, to_json};
use super::scripts;
use super::settled::RecentlySettled;
use super::shared_connections::{SharedConnections, ping};
use crate::domain::{
    Attempt, AttemptOutcome, BotName, Filter, Notification, NotificationId, Record, RecordUpdate, Status, Timestamp,
};
use crate::ports::{
    Begin, BeginConditions, Cancelled, ChatWindow, DeepestChats, FileIds, FileKey, Ledger, LedgerError, ListQuery,
    OpenByLane, RecordPage,
};
use async_trait::async_trait;
use deadpool_redis::redis::{self, Script, ScriptInvocation};
use secrecy::SecretString;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Records deleted by one script call: Redis does nothing else meanwhile.
const BATCH_SIZE: usize = 100;

/// After how long a reservation or reopening that has come to nothing may be taken over: longer than a publish takes.
pub(super) const ABANDONED_AFTER: Duration = Duration::from_secs(5);

/// How long a file_id is kept after its last use. Telegram's do not expire; the index must not grow for ever.
pub(super) const FILE_ID_TTL: Duration = Duration::from_secs(180 * 24 * 3600);

/// For how long it is kept what a group got without the ledger: a minute, over which Telegram counts, and a little more.
const GROUP_SPAN: Duration = Duration::from_secs(61);

/// In place of a lane: one that waits for another has none yet. Its record is written anew when it gets one, since only then is it
/// known what it replies to.
const WAITING: &str = " ";

/// [`Ledger`] and [`MediaIndex`](crate::ports::MediaIndex) on Redis. Fails within two seconds while Redis is away; see
/// [`WriteBehindLedger`](super::WriteBehindLedger) for going on regardless.
pub struct RedisLedger {
    pub(super) connections: Arc<SharedConnections>,
    creates: Arc<GroupedCalls>,
    begins: Arc<GroupedCalls>,
    settles: Arc<GroupedCalls>,
    namespace: String,
    tokens: BeginTokens,
    settled: RecentlySettled,
}

impl RedisLedger {
    /// A ledger at the URL (`redis://`), all its keys behind `namespace`. Connects when first used.
    pub fn new(url: &SecretString, namespace: &str) -> Result<Self, LedgerError> {
        Self::new_trusting(url, None, namespace)
    }

    /// The same at a server (`rediss://`) whose certificate is from an authority of `ca` (PEM): with it only those are trusted.
    pub fn new_trusting(url: &SecretString, ca: Option<&str>, namespace: &str) -> Result<Self, LedgerError> {
        let connections = Arc::new(SharedConnections::new(url, ca)?);
        let [creates, begins, settles] = [&scripts::CREATE, &scripts::BEGIN, &scripts::SETTLE]
            .map(|script| GroupedCalls::new(connections.clone(), script, namespace));
        let (namespace, tokens, settled) = (namespace.to_owned(), BeginTokens::new(), RecentlySettled::new());
        Ok(Self { connections, creates, begins, settles, namespace, tokens, settled })
    }

    pub(super) fn file_id_key(&self, key: &FileKey) -> String {
        self.key("f", key)
    }

    /// Creates the record of a notification that has just been accepted, unless its courier was faster, and pins its blobs.
    pub(super) async fn create(&self, notification: &Notification) -> Result<bool, LedgerError> {
        let mut call = self.notification_arguments(notification);
        call.arg(Status::accepted(notification).as_str()).arg(notification.accepted_at.unix_millis());
        add_digests(&mut call, notification);
        self.creates.call(call).await
    }

    /// Marks an attempt as begun that left while Redis was away: nothing can forbid it any more.
    pub(super) async fn mark_begun(&self, notification: &Notification, at: Timestamp) -> Result<(), LedgerError> {
        self.begin_call(notification, at, None, None, &[]).await.map(drop)
    }

    /// Calls the script. `passed`: one that has ended, and when it was accepted.
    async fn begin_call(
        &self,
        notification: &Notification,
        at: Timestamp,
        conditions: Option<&BeginConditions>,
        passed: Option<(NotificationId, Timestamp)>,
        wanted: &[FileKey],
    ) -> Result<(Begin, FileIds), LedgerError> {
        let token = self.tokens.token(notification.id);
        let mut call = self.notification_arguments(notification);
        call.arg(at.unix_millis()).arg(&token).arg(to_json(&Attempt::interrupted(at))).arg(Record::ATTEMPTS_KEPT);
        let unasked = group_cost(notification).map(|cost| ChatWindow { limit: u32::MAX, span: GROUP_SPAN, cost });
        let window = conditions.map_or(unasked, |conditions| conditions.chat_window);
        let argument = |value: fn(&ChatWindow) -> u64| optional_argument(window.as_ref(), |it| value(it).to_string());
        call.arg(u8::from(conditions.is_some())).arg(argument(|window| window.limit.into()));
        call.arg(argument(|window| millis(window.span))).arg(argument(|window| window.cost.into()));
        call.arg(u8::from(conditions.is_some_and(|conditions| conditions.in_order)));
        call.arg(optional_argument(passed.as_ref(), |(id, at)| format!("{id}:{}", at.unix_millis())));
        call.arg(conditions.map_or(0, |conditions| millis(conditions.then_pause)));
        call.arg(conditions.map_or(0, |conditions| millis(conditions.headroom)));
        call.arg(FILE_ID_TTL.as_secs());
        for key in wanted {
            call.arg(self.file_id_key(key));
        }
        match self.begins.call::<BeginAnswer>(call).await {
            Ok((verdict, by, interrupted, interrupted_attempts, file_ids)) => {
                self.tokens.mark_answered(notification.id);
                if verdict == "go" {
                    self.tokens.mark_under_way(notification.id, token);
                    let found = wanted.iter().zip(file_ids).filter_map(|(key, file_id)| Some((*key, file_id?)));
                    return Ok((Begin::Proceed { interrupted, interrupted_attempts }, found.collect()));
                }
                let begin = refusal(&verdict, &by).map(|begin| (begin, FileIds::new()));
                begin.ok_or_else(|| LedgerError::Unavailable("a record is not readable".to_owned()))
            }
            Err(error) => {
                self.tokens.mark_unanswered(notification.id, token);
                Err(error)
            }
        }
    }

    /// Whether Redis takes changes: a `PING` is also answered by a replica, or by one whose memory is full.
    pub(super) async fn probe(&self) -> Result<(), LedgerError> {
        let mut set = redis::cmd("SET");
        self.connections.command::<()>(set.arg(format!("{}:probe", self.namespace)).arg(1).arg("EX").arg(60)).await
    }

    /// For an attempt that begins now and whose mark is written later: what was marked earlier is not its.
    pub(super) fn forget_begin(&self, id: NotificationId) {
        self.tokens.forget_under_way(id);
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
    pub(super) fn record_call<'a>(&self, script: &'a Script, id: NotificationId) -> ScriptInvocation<'a> {
        let mut call = script.arg(&self.namespace);
        call.arg(id.to_string());
        call
    }

    /// What a script with a notification is told of it, after the namespace.
    pub(super) fn notification_arguments(&self, notification: &Notification) -> Arguments {
        let mut call = Arguments::of(notification.id);
        call.arg(notification.bot.as_str()).arg(notification.accepted_at.unix_millis());
        call.arg(notification.expires_at.unix_millis()).arg(to_json(notification));
        // A retry stands at the end of its lane, whatever its id: nobody can wait for it.
        let is_in_order = notification.keeps_order() && notification.first_accepted_at.is_none();
        let lane = match (&notification.follows, is_in_order) {
            (Some(_), _) => WAITING,
            (None, true) => notification.lane.as_str(),
            (None, false) => "",
        };
        call.arg(notification.chat_id.to_string()).arg(lane);
        call
    }
}

/// Adds the digests of the blobs that it needs.
pub(super) fn add_digests(call: &mut Arguments, notification: &Notification) {
    for sha256 in notification.call.blobs() {
        call.arg(sha256.to_string());
    }
}

/// How many messages one makes that count in the window of a group.
fn group_cost(notification: &Notification) -> Option<u32> {
    notification.chat_id.is_group().then(|| notification.call.cost())
}

pub(super) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// What to do and by what; whether the attempt before was interrupted, how many were, and the file_ids.
type BeginAnswer = (String, String, bool, u32, Vec<Option<String>>);

/// Why one may not begin.
fn refusal(verdict: &str, by: &str) -> Option<Begin> {
    Some(match verdict {
        "skip" => Begin::Skip(by.parse().ok()?),
        "too_soon" => Begin::TooSoon(Timestamp::from_unix_millis(by.parse().ok()?)),
        "behind" => Begin::Behind(by.parse().ok()?),
        "migrated" => Begin::Migrated(by.parse().ok()?),
        "paused" => Begin::Paused,
        _ => return None,
    })
}

#[async_trait]
impl Ledger for RedisLedger {
    async fn begin_with(
        &self,
        notification: &Notification,
        at: Timestamp,
        conditions: &BeginConditions,
        wanted: &[FileKey],
    ) -> Result<(Begin, FileIds), LedgerError> {
        let mut passed = None;
        loop {
            let begun = self.begin_call(notification, at, Some(conditions), passed, wanted).await?;
            let Begin::Behind(id) = begun.0 else { return Ok(begun) };
            // What this process has settled is not waited for, whatever a failover of Redis has lost.
            let settled = self.settled.accepted_at(id).filter(|_| passed.is_none_or(|(last, _)| last != id));
            let Some(accepted_at) = settled else { return Ok(begun) };
            passed = Some((id, accepted_at));
        }
    }

    async fn settle_with(
        &self,
        notification: &Notification,
        update: &RecordUpdate,
        learnt: &FileIds,
    ) -> Result<bool, LedgerError> {
        let mut call = self.notification_arguments(notification);
        call.arg(update.status.as_str()).arg(update.at.unix_millis());
        call.arg(optional_argument(update.attempt.as_ref(), to_json)).arg(Record::ATTEMPTS_KEPT);
        call.arg(optional_argument(update.message_id.as_ref(), i64::to_string))
            .arg(optional_argument(update.file_id.as_ref(), String::clone));
        call.arg(optional_argument(update.failure.as_ref(), to_json));
        call.arg(optional_argument(update.next_attempt_at.as_ref(), |at| at.unix_millis().to_string()));
        call.arg(optional_argument(update.result.as_ref(), to_json));
        call.arg(self.tokens.under_way(notification.id).unwrap_or_default());
        let flood_wait = update.attempt.as_ref().filter(|attempt| attempt.outcome == AttemptOutcome::FloodWait);
        let wait = flood_wait.and_then(|attempt| attempt.retry_after).map(Duration::from_secs);
        call.arg(optional_argument(wait.as_ref(), |wait| update.at.plus(*wait).unix_millis().to_string()));
        call.arg(optional_argument(update.attempt.as_ref(), |attempt| attempt.outcome.as_str().to_owned()));
        call.arg(millis(GROUP_SPAN)).arg(optional_argument(group_cost(notification).as_ref(), u32::to_string));
        call.arg(FILE_ID_TTL.as_secs());
        for (key, file_id) in learnt {
            call.arg(self.file_id_key(key)).arg(file_id);
        }
        let written = self.settles.call(call).await?;
        self.tokens.forget_under_way(notification.id);
        if update.status.is_final() {
            self.settled.put(notification);
        }
        Ok(written)
    }

    async fn cancel(&self, id: NotificationId, at: Timestamp) -> Result<Cancelled, LedgerError> {
        let mut call = self.record_call(&scripts::CANCEL, id);
        call.arg(at.unix_millis());
        let (instead, fields) = self.connections.script::<(String, RecordFields)>(&call).await?;
        Ok(match instead.parse::<Status>() {
            Ok(status) => Cancelled::TooLate(status),
            Err(_) => read_record(id, &fields)?.map_or(Cancelled::NotFound, |record| Cancelled::Done(Box::new(record))),
        })
    }

    async fn get(&self, id: NotificationId) -> Result<Option<Record>, LedgerError> {
        let fields = self.connections.command(redis::cmd("HGETALL").arg(self.key("n", id))).await?;
        read_record(id, &fields)
    }

    async fn list(&self, query: &ListQuery) -> Result<RecordPage, LedgerError> {
        self.page(query).await
    }

    async fn count(&self, filter: &Filter) -> Result<BTreeMap<Status, u64>, LedgerError> {
        self.counts(filter).await
    }

    /// Also forgets pins that ended before then, and makes records small. Keys expire by themselves.
    async fn sweep(&self, finished_before: Timestamp) -> Result<u64, LedgerError> {
        let before = finished_before.unix_millis();
        let mut swept = 0;
        loop {
            let mut call = scripts::SWEEP.arg(&self.namespace);
            call.arg(before).arg(BATCH_SIZE);
            let deleted = self.connections.script::<u64>(&call).await?;
            swept += deleted;
            if deleted < BATCH_SIZE as u64 {
                break;
            }
        }
        swept += self.sweep_compacted(finished_before).await?;
        let mut pins = redis::cmd("ZREMRANGEBYSCORE");
        self.connections.command::<u64>(pins.arg(self.pins()).arg("-inf").arg(format!("({before}"))).await?;
        self.forget_old_cancels().await?;
        self.compact().await?;
        self.delete_former_indexes().await?;
        Ok(swept)
    }

    async fn end_lost(&self, expired_before: Timestamp, at: Timestamp) -> Result<Vec<(BotName, Status)>, LedgerError> {
        let mut call = scripts::END_LOST.arg(&self.namespace);
        call.arg("").arg(expired_before.unix_millis()).arg(at.unix_millis());
        call.arg(optional_argument(RecordUpdate::lost(at).failure.as_ref(), to_json)).arg(BATCH_SIZE);
        let bots: Vec<String> = self.connections.script(&call).await?;
        Ok(bots.iter().filter_map(|bot| Some((bot.parse().ok()?, Status::Unknown))).collect())
    }

    async fn count_open(&self, bots: &[BotName]) -> Result<Vec<OpenByLane>, LedgerError> {
        self.open_by_lane(bots).await
    }

    async fn deepest_chats(&self, bot: &BotName, limit: usize) -> Result<DeepestChats, LedgerError> {
        self.deepest(bot, limit).await
    }

    async fn ready(&self) -> Result<(), LedgerError> {
        self.connections.command::<String>(&ping()).await.map(drop)
    }
}
