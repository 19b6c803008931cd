//! Counts what meets a filter.

use crate::domain::{FailureClass, Filter, Status};
use crate::ports::{Ledger, LedgerError, ListQuery};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// Records that are asked of the ledger at a time.
const PAGE_RECORDS: usize = 1_000;

/// How many notifications meet a filter.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// By status; what does not occur is not named.
    pub by_status: BTreeMap<Status, u64>,
    /// Those of them with a failure, by its class.
    pub by_class: BTreeMap<FailureClass, u64>,
    /// Whether all records were looked at; if not, there are at least so many.
    pub complete: bool,
}

/// Counts for so long at the most. Where the filter is indexed only classes need looking at records, of what was neither sent nor
/// waits for its first attempt.
pub async fn summary(ledger: &dyn Ledger, filter: &Filter, within: Duration) -> Result<Summary, LedgerError> {
    let deadline = Instant::now() + within;
    if !filter.is_indexed() {
        return look_through(ledger, filter.clone(), deadline).await;
    }
    let by_status = ledger.count(filter).await?;
    let without_failure = [Status::Queued, Status::Scheduled, Status::Sent];
    let statuses = by_status.keys().copied().filter(|status| !without_failure.contains(status)).collect();
    let with_failure = Filter { statuses, ..filter.clone() };
    if with_failure.statuses.is_empty() {
        return Ok(Summary { by_status, by_class: BTreeMap::new(), complete: true });
    }
    Ok(Summary { by_status, ..look_through(ledger, with_failure, deadline).await? })
}

async fn look_through(ledger: &dyn Ledger, filter: Filter, deadline: Instant) -> Result<Summary, LedgerError> {
    let mut summary = Summary::default();
    let mut query = ListQuery { filter, limit: PAGE_RECORDS, before: None };
    while Instant::now() < deadline {
        let page = ledger.list(&query).await?;
        for record in page.records {
            *summary.by_status.entry(record.status).or_default() += 1;
            if let Some(failure) = record.failure {
                *summary.by_class.entry(failure.class).or_default() += 1;
            }
        }
        if page.next.is_none() {
            summary.complete = true;
            break;
        }
        query.before = page.next;
    }
    Ok(summary)
}
