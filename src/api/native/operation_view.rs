//! What is asked to be done to many, and how far it is.

use super::view::NotificationView;
use crate::domain::{ChatId, FailureClass, Filter, Operation, OperationKind, Status, Timestamp};
use crate::intake::operations::DryRun;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use utoipa::ToSchema;

/// Which notifications are meant: those that meet all conditions. One condition at least is given.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "it is only described")]
pub struct OperationRequest {
    /// One of these statuses: an array, or a string with commas.
    status: Option<Vec<Status>>,
    /// This bot.
    #[schema(pattern = "^[a-z0-9_-]{1,64}$")]
    bot: Option<String>,
    /// Posted by the client of this name.
    #[schema(pattern = "^[a-z0-9_-]{1,64}$")]
    client: Option<String>,
    /// This chat: a number or an @username.
    chat_id: Option<ChatId>,
    /// With this tag.
    #[schema(min_length = 1)]
    tag: Option<String>,
    /// With a failure of this class.
    class: Option<FailureClass>,
    /// Taken in then or later.
    #[schema(format = DateTime)]
    since: Option<String>,
    /// Taken in before.
    #[schema(format = DateTime)]
    until: Option<String>,
    /// With this text in their reason, in capitals or not.
    #[schema(min_length = 1)]
    reason: Option<String>,
    /// Only say what it would be done to.
    #[schema(default = false)]
    dry_run: Option<bool>,
    /// Of a retry: leave out what its sender has sent again since.
    #[schema(default = true)]
    skip_resent: Option<bool>,
}

/// What it would be done to.
#[derive(Serialize, ToSchema)]
#[schema(as = DryRun)]
pub struct DryRunView {
    /// How many notifications.
    matched: u64,
    /// `false` if not all were found in time: then there are at least so many.
    complete: bool,
    /// The newest of them, ten at most.
    examples: Vec<NotificationView>,
}

impl From<DryRun> for DryRunView {
    fn from(dry_run: DryRun) -> Self {
        let examples = dry_run.examples.into_iter().map(NotificationView::from).collect();
        Self { matched: dry_run.matched, complete: dry_run.complete, examples }
    }
}

/// Something that is done to many notifications, and how far it is.
#[derive(Serialize, ToSchema)]
#[schema(as = Operation)]
pub struct OperationView {
    /// Its id.
    #[schema(format = Uuid)]
    id: String,
    /// What is done: `cancel` or `retry`.
    #[schema(value_type = String)]
    kind: OperationKind,
    /// Who asked for it: the name of the client, if its API key has one.
    client: Option<String>,
    /// To which.
    filter: FilterView,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// How many were found so far.
    matched: u64,
    /// To how many of them it was done.
    done: u64,
    /// For how many it was too late, or not needed any more.
    skipped: u64,
    /// How many of those because their sender has sent them again.
    resent: u64,
    /// For how many it is not possible: the bot or an image is gone, or what they follow was not sent.
    failed: u64,
    /// When it was finished; `null` while it goes on.
    #[schema(value_type = Option<String>, format = DateTime)]
    finished_at: Option<Timestamp>,
}

/// Conditions; those that are not there are `null`.
#[derive(Serialize, ToSchema)]
#[schema(as = Filter)]
pub struct FilterView {
    /// One of these statuses.
    #[schema(value_type = Vec<Status>)]
    status: BTreeSet<Status>,
    /// This bot.
    bot: Option<String>,
    /// Posted by the client of this name.
    client: Option<String>,
    /// This chat.
    chat_id: Option<ChatId>,
    /// With this tag.
    tag: Option<String>,
    /// With a failure of this class.
    class: Option<FailureClass>,
    /// Taken in then or later.
    #[schema(value_type = Option<String>, format = DateTime)]
    since: Option<Timestamp>,
    /// Taken in before.
    #[schema(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
    /// With this text in their reason.
    reason: Option<String>,
}

/// Operations, newest first.
#[derive(Serialize, ToSchema)]
#[schema(as = Operations)]
pub struct OperationViews {
    /// The operations.
    pub operations: Vec<OperationView>,
}

impl From<Operation> for OperationView {
    fn from(operation: Operation) -> Self {
        let progress = operation.progress;
        Self {
            id: operation.id.to_string(),
            kind: operation.kind,
            client: operation.client.map(|client| client.to_string()),
            filter: operation.filter.into(),
            created_at: operation.created_at,
            matched: progress.matched,
            done: progress.done,
            skipped: progress.skipped,
            resent: progress.resent,
            failed: progress.failed,
            finished_at: progress.finished_at,
        }
    }
}

impl From<Filter> for FilterView {
    fn from(filter: Filter) -> Self {
        Self {
            status: filter.statuses,
            bot: filter.bot.map(String::from),
            client: filter.client.map(|client| client.to_string()),
            chat_id: filter.chat_id,
            tag: filter.tag,
            class: filter.class,
            since: filter.since,
            until: filter.until,
            reason: filter.reason,
        }
    }
}
