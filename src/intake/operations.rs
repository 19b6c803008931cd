//! Does to many what can be done to one: finds them by a filter, page by page, and cancels them or tries them again, in the
//! background. Whoever goes on after a crash does nothing twice: what was found is written down before anything is done, and what
//! was done since then is told by its record.

use super::accept::Intake;
use super::rejection::{ProblemCode, Rejection};
use super::resent::Resent;
use super::send_request::DEFAULT_LIFETIME;
use crate::domain::{
    Filter, Notification, NotificationId, Operation, OperationId, OperationKind, Progress, Record, Status, Timestamp,
};
use crate::ports::{AcceptError, Cancelled, Created, Idempotency, LedgerError, ListQuery};
use futures_util::{StreamExt, stream};
use std::collections::HashSet;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How many are found at a time, and done before that is written down.
const BATCH_SIZE: usize = 100;
/// How many of a batch are done at the same time. The writer of the embedded engine takes them together; what others write goes
/// with them, and waits no longer than for these.
const CONCURRENCY: usize = 32;
/// How often a process asks whether there is something to do.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// For how long one is held without a sign of life. Longer than a reopened record counts as under way, so that whoever goes on can
/// tell.
pub const LEASE: Duration = Duration::from_secs(15);
/// For how long a dry run looks.
const DRY_RUN_TIME: Duration = Duration::from_secs(5);
/// How many a dry run shows.
const EXAMPLES: usize = 10;

/// What an operation would be done to.
#[derive(Debug, Default)]
pub struct DryRun {
    /// How many.
    pub matched: u64,
    /// The newest of them.
    pub examples: Vec<Record>,
    /// Whether all were found in time; if not, there are at least so many.
    pub complete: bool,
}

/// What came of one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Done {
    Yes,
    TooLate,
    Resent,
    Impossible,
}

/// A new operation. Statuses that cannot be meant are taken out of its filter; it is an error if none is left.
pub fn operation(kind: OperationKind, mut filter: Filter, skip_resent: bool) -> Result<Operation, Rejection> {
    let given = !filter.statuses.is_empty();
    let meant = |status: &Status| match given {
        true => filter.statuses.contains(status) && kind.is_possible(*status),
        false => kind.is_meant(*status),
    };
    let statuses = Status::ALL.into_iter().filter(meant).collect();
    filter.statuses = statuses;
    if filter.statuses.is_empty() {
        let possible = Status::ALL.into_iter().filter(|status| kind.is_possible(*status)).map(Status::as_str);
        let detail = format!("What can be done is done to these: {}.", possible.collect::<Vec<_>>().join(", "));
        return Err(Rejection::field(ProblemCode::InvalidField, "status", detail));
    }
    let (created_at, progress, client) = (Timestamp::now(), Progress::default(), None);
    Ok(Operation { id: OperationId::new(), kind, client, filter, skip_resent, created_at, progress })
}

/// Whether an operation is done to a record that meets its filter: to what was there, and had ended, when it was made.
fn is_meant(operation: &Operation, record: &Record) -> bool {
    let accepted_at = record.notification.accepted_at;
    match operation.kind {
        OperationKind::Cancel => accepted_at <= operation.created_at,
        OperationKind::Retry => accepted_at < operation.created_at && record.updated_at <= operation.created_at,
    }
}

impl Intake {
    /// Keeps an operation, to be done by any process.
    ///
    /// # Errors
    /// [`ProblemCode::IdempotencyKeyReused`], or the ledger is away.
    pub async fn begin_operation(
        &self,
        operation: Operation,
        key: Option<Idempotency>,
    ) -> Result<(Operation, bool), Rejection> {
        match self.ports.operations.create(&operation, key.as_ref()).await? {
            Created::New => {
                let client = operation.client.as_ref().map_or("", |client| client.as_str());
                let (id, kind) = (operation.id, operation.kind.as_str());
                tracing::info!(operation = %id, kind, client, "operation on many notifications begun");
                Ok((operation, false))
            }
            Created::Earlier(earlier) => Ok((*earlier, true)),
            Created::KeyReused => Err(AcceptError::KeyReused.into()),
        }
    }

    /// What an operation would be done to, as far as that is found in five seconds. Whether a sender has sent something again is not
    /// looked at.
    ///
    /// # Errors
    /// The ledger is away.
    pub async fn dry_run(&self, mut operation: Operation) -> Result<DryRun, LedgerError> {
        let (deadline, mut dry_run) = (Instant::now() + DRY_RUN_TIME, DryRun::default());
        while !operation.progress.is_searched && Instant::now() < deadline {
            let found = self.search(&mut operation, 1_000).await?;
            dry_run.matched += found.len() as u64;
            let room = EXAMPLES - dry_run.examples.len();
            dry_run.examples.extend(found.into_iter().take(room));
        }
        dry_run.complete = operation.progress.is_searched;
        Ok(dry_run)
    }

    /// Works on what there is to do until told to stop.
    pub async fn work_on_operations(&self, halt: CancellationToken) {
        let holder = OperationId::new().to_string();
        loop {
            match self.ports.operations.take(&holder, LEASE).await {
                Ok(Some(operation)) => match self.work_on(operation, &holder, &halt).await {
                    Ok(()) => {}
                    Err(error) => {
                        tracing::warn!(%error, "an operation on many notifications waits");
                        tokio::time::sleep(POLL_INTERVAL).await;
                    }
                },
                Ok(None) => _ = halt.run_until_cancelled(tokio::time::sleep(POLL_INTERVAL)).await,
                Err(error) => {
                    tracing::debug!(%error, "cannot ask for operations now");
                    _ = halt.run_until_cancelled(tokio::time::sleep(POLL_INTERVAL)).await;
                }
            }
            if halt.is_cancelled() {
                return;
            }
        }
    }

    /// Works on one until it is finished, held by somebody else, or the process is to stop.
    async fn work_on(&self, mut operation: Operation, holder: &str, halt: &CancellationToken) -> Result<(), Rejection> {
        let mut resent = Resent::default();
        // What a process before this one has found it may have done.
        let mut is_fresh = operation.progress.pending.is_empty();
        loop {
            if operation.progress.pending.is_empty() && !operation.progress.is_searched {
                let found = self.search(&mut operation, BATCH_SIZE).await?;
                operation.progress.matched += found.len() as u64;
                operation.progress.pending = found.iter().map(|record| record.notification.id).collect();
            }
            if operation.progress.pending.is_empty() && operation.progress.is_searched {
                operation.progress.finished_at = Some(Timestamp::now());
            }
            let mut held_until = Instant::now() + LEASE;
            if !self.ports.operations.save(&operation, holder, LEASE).await? {
                return Ok(());
            }
            if operation.progress.finished_at.is_some() {
                note_end(&operation);
                return Ok(());
            }
            if halt.is_cancelled() {
                // Whoever comes next need not wait for the end of the lease.
                self.ports.operations.save(&operation, holder, Duration::ZERO).await?;
                return Ok(());
            }
            if !self.look_for_resent(&operation, &mut resent, holder, &mut held_until).await? {
                return Ok(());
            }
            self.do_batch(&mut operation, &resent, is_fresh, held_until).await?;
            is_fresh = true;
        }
    }

    /// The next that an operation is done to. What waits for one of them to be sent ends with it, and comes along when that is tried
    /// again.
    async fn search(&self, operation: &mut Operation, limit: usize) -> Result<Vec<Record>, LedgerError> {
        // What is taken in later is not meant.
        let end = NotificationId::first_of(operation.created_at.plus(Duration::from_millis(1)));
        let before = Some(operation.progress.before.unwrap_or(end));
        let page = self.ports.ledger.list(&ListQuery { filter: operation.filter.clone(), limit, before }).await?;
        operation.progress.before = page.next.or(before);
        operation.progress.is_searched = page.next.is_none();
        let mut found: Vec<Record> = page.records.into_iter().filter(|record| is_meant(operation, record)).collect();
        let ids: HashSet<NotificationId> = found.iter().map(|record| record.notification.id).collect();
        found.retain(|record| {
            let goes_with_it = match operation.kind {
                OperationKind::Cancel => record.is_waiting(),
                OperationKind::Retry => record.ended_unfollowed(),
            };
            !(goes_with_it && record.notification.follows.is_some_and(|before| ids.contains(&before)))
        });
        Ok(found)
    }

    /// Before the batch is tried again, gets to know what was sent since the oldest of it. `false` if somebody else holds the
    /// operation by now.
    async fn look_for_resent(
        &self,
        operation: &Operation,
        resent: &mut Resent,
        holder: &str,
        held_until: &mut Instant,
    ) -> Result<bool, LedgerError> {
        let Some(oldest) = operation.progress.pending.iter().min() else { return Ok(true) };
        if operation.kind == OperationKind::Cancel || !operation.skip_resent {
            return Ok(true);
        }
        while resent.look_further(&*self.ports.ledger, operation, *oldest).await? {
            *held_until = Instant::now() + LEASE;
            if !self.ports.operations.save(operation, holder, LEASE).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Does it to what was found, and counts.
    async fn do_batch(
        &self,
        operation: &mut Operation,
        resent: &Resent,
        is_fresh: bool,
        held_until: Instant,
    ) -> Result<(), Rejection> {
        let pending = operation.progress.pending.clone();
        let one = |id: NotificationId| self.do_one(operation, resent, id, is_fresh, held_until);
        let outcomes: Vec<Result<Done, Rejection>> =
            stream::iter(pending).map(one).buffered(CONCURRENCY).collect().await;
        let outcomes = outcomes.into_iter().collect::<Result<Vec<Done>, Rejection>>()?;
        let count = |wanted| outcomes.iter().filter(|outcome| **outcome == wanted).count() as u64;
        let progress = &mut operation.progress;
        progress.done += count(Done::Yes);
        progress.resent += count(Done::Resent);
        progress.skipped += count(Done::TooLate) + count(Done::Resent);
        progress.failed += count(Done::Impossible);
        progress.pending.clear();
        Ok(())
    }

    async fn do_one(
        &self,
        operation: &Operation,
        resent: &Resent,
        id: NotificationId,
        is_fresh: bool,
        held_until: Instant,
    ) -> Result<Done, Rejection> {
        if Instant::now() >= held_until {
            return Err(Rejection::unavailable("ledger", &"an operation was held up for too long"));
        }
        if operation.kind == OperationKind::Cancel && is_fresh {
            return self.cancel_one(id).await;
        }
        let Some(record) = self.ports.ledger.get(id).await? else { return Ok(Done::TooLate) };
        match operation.kind {
            OperationKind::Cancel if record.status == Status::Cancelled => {
                Ok(if record.updated_at >= operation.created_at { Done::Yes } else { Done::TooLate })
            }
            OperationKind::Cancel if !is_meant(operation, &record) => Ok(Done::TooLate),
            OperationKind::Cancel => self.cancel_one(id).await,
            OperationKind::Retry => self.retry_one(operation, resent, record).await,
        }
    }

    async fn cancel_one(&self, id: NotificationId) -> Result<Done, Rejection> {
        Ok(match self.cancel(id).await? {
            Cancelled::Done(_) | Cancelled::TooLate(Status::Cancelled) => Done::Yes,
            Cancelled::TooLate(_) | Cancelled::NotFound => Done::TooLate,
        })
    }

    async fn retry_one(&self, operation: &Operation, resent: &Resent, record: Record) -> Result<Done, Rejection> {
        // By this it is known to be done, also to whoever goes on after a crash and whatever becomes of it then.
        let accepted_at = Timestamp::now().max(operation.created_at);
        if record.notification.accepted_at >= operation.created_at {
            if [Status::Queued, Status::Scheduled].contains(&record.status) {
                // Its record was opened; whether it got into the queue the acceptor knows.
                let again = Notification { accepted_at, ..record.notification };
                self.ports.acceptor.resume(&again).await?;
            }
            return Ok(Done::Yes);
        }
        if !record.status.is_retryable() || !is_meant(operation, &record) {
            return Ok(Done::TooLate);
        }
        if operation.skip_resent && resent.is_resent(&*self.ports.ledger, &record).await? {
            return Ok(Done::Resent);
        }
        match self.resubmit(record.notification, DEFAULT_LIFETIME, None, accepted_at).await {
            Ok(_) => Ok(Done::Yes),
            Err(rejection) => match rejection.code {
                ProblemCode::NotificationNotFound => Ok(Done::TooLate),
                ProblemCode::NotRetryable | ProblemCode::ImageGone | ProblemCode::UnknownBot => Ok(Done::Impossible),
                _ => Err(rejection),
            },
        }
    }
}

/// Who did what to how many; neither chats nor texts.
fn note_end(operation: &Operation) {
    let client = operation.client.as_ref().map_or("", |client| client.as_str());
    let Progress { matched, done, skipped, resent, failed, .. } = operation.progress;
    let (id, kind) = (operation.id, operation.kind.as_str());
    tracing::info!(operation = %id, kind, client, matched, done, skipped, resent, failed, "operation on many notifications finished");
}
