//! A page of a listing for a client that does not see everything.

use crate::http::auth::ApiClient;
use crate::ports::{Ledger, LedgerError, ListQuery, RecordPage};

/// How many pages of the ledger are looked through for one page of a client.
const MAX_LEDGER_PAGES: usize = 20;
/// How many records are asked of the ledger at a time.
const LEDGER_PAGE: usize = 200;

/// The records that the client sees, newest first. After [`MAX_LEDGER_PAGES`] of them the page may be short, or empty; its
/// `next` then leads on.
pub async fn page(ledger: &dyn Ledger, mut query: ListQuery, caller: &ApiClient) -> Result<RecordPage, LedgerError> {
    if caller.sees_all() {
        return ledger.list(&query).await;
    }
    let limit = query.limit;
    query.limit = LEDGER_PAGE;
    let mut page = RecordPage { records: Vec::new(), next: None };
    for _ in 0..MAX_LEDGER_PAGES {
        let found = ledger.list(&query).await?;
        for record in found.records.into_iter().filter(|record| caller.sees(&record.notification)) {
            if page.records.len() == limit {
                page.next = page.records.last().map(|record| record.notification.id);
                return Ok(page);
            }
            page.records.push(record);
        }
        page.next = found.next;
        if page.next.is_none() {
            return Ok(page);
        }
        query.before = found.next;
    }
    Ok(page)
}
