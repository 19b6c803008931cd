//! The ledger: what became of each notification.

use super::{DeepestChats, FileIds, FileKey, OpenByLane, Receipt};
use crate::domain::{BotName, Filter, Notification, NotificationId, Record, RecordUpdate, Status, Timestamp};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::time::Duration;

/// Keeps a [`Record`] per notification. Final statuses never change, but for `Acceptor::resubmit` and [`Ledger::settle`] on what was
/// cancelled.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Marks the start of an attempt as `sending` before the request leaves: so that it survives the process, and of one that is
    /// delivered at most once a power cut; creates the record if it is
    /// missing (it may be, when the ledger was away at acceptance). This is the point after which a cancel is too late.
    /// If the record is `sending` already, an earlier attempt was interrupted: then this appends
    /// [`crate::domain::Attempt::interrupted`] to the record, counts it, and says so. A copy from before the record's last
    /// acceptance (its `accepted_at` is earlier, as after a cancel and a retry) is skipped.
    ///
    /// The ledger outlives every owner of a bot, so it keeps what a new one must not break: flood waits, the last minute's
    /// messages to a group, which groups have become supergroups, what is paused, and which notifications of a chat are still to be
    /// sent, under its present id or the former one. One that `conditions` do not let begin
    /// now leaves no mark.
    ///
    /// With one that begins come the file_ids of the files wanted, as far as there are any: they cost no way of their own.
    async fn begin_with(
        &self,
        notification: &Notification,
        at: Timestamp,
        conditions: &BeginConditions,
        wanted: &[FileKey],
    ) -> Result<(Begin, FileIds), LedgerError>;

    /// The same without files.
    async fn begin(
        &self,
        notification: &Notification,
        at: Timestamp,
        conditions: &BeginConditions,
    ) -> Result<Begin, LedgerError> {
        Ok(self.begin_with(notification, at, conditions, &[]).await?.0)
    }

    /// Writes what an attempt led to; creates the record if it is missing. Does nothing and returns `false` if the
    /// record is final already, or if the copy is from before the record's last acceptance. A flood wait in it is remembered
    /// for its chat; so is a migration, by which the notification has its new chat id already. Without an attempt in it nothing
    /// has left, so what `begin` counted for the chat is taken back. Where the ledger may have been away when it was sent, `sent` takes the place of `cancelled`: it is what happened.
    ///
    /// The file_ids that the attempt has taught are kept in any case, as by [`MediaIndex::keep`](super::MediaIndex::keep).
    async fn settle_with(
        &self,
        notification: &Notification,
        update: &RecordUpdate,
        learnt: &FileIds,
    ) -> Result<bool, LedgerError>;

    /// The same where no file_id was learnt.
    async fn settle(&self, notification: &Notification, update: &RecordUpdate) -> Result<bool, LedgerError> {
        self.settle_with(notification, update, &FileIds::new()).await
    }

    /// Settles a final status, and acks its delivery in the same step where ledger and queue are one store. Elsewhere the ack is
    /// left to the caller, who makes it afterwards: acked first, an outcome could be lost.
    async fn finish(
        &self,
        notification: &Notification,
        _receipt: &Receipt,
        update: &RecordUpdate,
        learnt: &FileIds,
    ) -> Result<Finished, LedgerError> {
        Ok(Finished { recorded: self.settle_with(notification, update, learnt).await?, acked: false })
    }

    /// Cancels one that has not begun ([`Status::is_cancellable`]).
    async fn cancel(&self, id: NotificationId, at: Timestamp) -> Result<Cancelled, LedgerError>;

    /// The record, if there is one.
    async fn get(&self, id: NotificationId) -> Result<Option<Record>, LedgerError>;

    /// Records, newest id first.
    async fn list(&self, query: &ListQuery) -> Result<RecordPage, LedgerError>;

    /// How many records there are of each status, for a filter that is indexed ([`Filter::is_indexed`]); none of a status that is
    /// not named.
    async fn count(&self, filter: &Filter) -> Result<BTreeMap<Status, u64>, LedgerError>;

    /// Deletes records that became final, and expired, before the given time: until its `expires_at` a copy of a cancelled
    /// one may still lie in the queue. Also deletes idempotency keys past their retention. Returns how many records.
    async fn sweep(&self, finished_before: Timestamp) -> Result<u64, LedgerError>;

    /// Ends as [`Status::Unknown`] (see [`RecordUpdate::lost`]) what is open although it expired before the given time: its end
    /// was lost, its message could not be read, or its bot is configured no more. Where the ledger knows that it still lies in
    /// the queue and was never tried, it is [`Status::Expired`], and taken out. A step ends so many at most that others get
    /// their turn. Returns their bots and how each ended; none when nothing is left.
    async fn end_lost(&self, expired_before: Timestamp, at: Timestamp) -> Result<Vec<(BotName, Status)>, LedgerError>;

    /// How many notifications of each of these bots are still to be sent, by lane and status, wherever they wait; in the order of the
    /// bots. Costs the same however many there are.
    async fn count_open(&self, bots: &[BotName]) -> Result<Vec<OpenByLane>, LedgerError>;

    /// The chats of a bot with the most that is still to be sent, the deepest first, at most so many, wherever it waits.
    async fn deepest_chats(&self, bot: &BotName, limit: usize) -> Result<DeepestChats, LedgerError>;

    /// Whether the ledger responds.
    async fn ready(&self) -> Result<(), LedgerError>;
}

/// What must hold before an attempt may begin, besides that its notification has not ended and that no flood wait of its
/// chat is under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BeginConditions {
    /// The limit of a group; `None` for a private chat, or where no limit is set.
    pub chat_window: Option<ChatWindow>,
    /// Nothing that was accepted before it for the same chat and lane, and not for a later time, may still be pending.
    pub in_order: bool,
    /// For so long nothing else may begin for the chat once this has: what an album takes of the chat's rate in advance.
    pub then_pause: Duration,
    /// How much longer than until the end of such a pause this one waits: then there is room for one message, and an album in a
    /// private chat needs more.
    pub headroom: Duration,
}

impl BeginConditions {
    /// No conditions.
    pub const NONE: Self =
        Self { chat_window: None, in_order: false, then_pause: Duration::ZERO, headroom: Duration::ZERO };
}

/// How many messages a chat may get within any span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChatWindow {
    /// So many.
    pub limit: u32,
    /// Within this span.
    pub span: Duration,
    /// How many this attempt makes.
    pub cost: u32,
}

/// Whether an attempt may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// Yes.
    Proceed {
        /// The attempt before this one began and nothing was ever written of its end (its courier crashed), so the
        /// message may have been sent already.
        interrupted: bool,
        /// How many attempts since the last acceptance were interrupted like that, this one included.
        interrupted_attempts: u32,
    },
    /// No: it is final already, or a later acceptance has taken its place. The status of its record.
    Skip(Status),
    /// Not before this moment: Telegram has asked its chat to wait, or the window of its chat is full.
    TooSoon(Timestamp),
    /// Not before this one of the same chat, which was accepted earlier and is still pending.
    Behind(NotificationId),
    /// Not under this chat id: the group is a supergroup now, and this is its id.
    Migrated(i64),
    /// Not before its bot or its chat goes on, which somebody has paused ([`Pauses`](super::Pauses)).
    Paused,
}

/// What [`Ledger::finish`] has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finished {
    /// What [`Ledger::settle_with`] returns.
    pub recorded: bool,
    /// Whether the delivery is acked. If not, that is left to [`Queue::ack`](super::Queue::ack), which also knows whether the receipt
    /// is stale.
    pub acked: bool,
}

/// The result of a cancellation.
#[derive(Clone, Debug, PartialEq)]
pub enum Cancelled {
    /// It will not be sent.
    Done(Box<Record>),
    /// It is too late; its status.
    TooLate(Status),
    /// There is no such notification.
    NotFound,
}

/// Which records to list.
#[derive(Clone, Debug, Default)]
pub struct ListQuery {
    /// Only those that meet it.
    pub filter: Filter,
    /// At most so many, 1 to 1000.
    pub limit: usize,
    /// Only ids below this one.
    pub before: Option<NotificationId>,
}

/// One page of a listing. It is made in a bounded time: where a filter has no index so many records are looked at, and then the
/// page is short, or empty, with a `next` that leads on.
#[derive(Clone, Debug)]
pub struct RecordPage {
    /// The records, newest id first; of their calls with little of the parameters ([`crate::domain::ListedNotification`]), and of Telegram's results only with the numbers of an
    /// album's messages, so that a page takes little memory.
    pub records: Vec<Record>,
    /// The `before` of the next page, `None` on the last.
    pub next: Option<NotificationId>,
}

/// Why the ledger did not do it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LedgerError {
    /// Away or faulty; try again later. Holds no secret.
    #[error("ledger: {0}")]
    Unavailable(String),
}
