//! Pages of records, and counts of them.

use super::columns::{from_json, id_bytes};
use super::limits::{MAX_PAGE_BYTES, MAX_PAGE_RECORDS, MAX_RECORDS_LOOKED_AT};
use super::record_rows::text;
use super::record_state::{self, RecordState};
use super::store_error::StoreError;
use crate::domain::{Filter, ListedNotification, ListedResult, NotificationId, Record, Status};
use crate::ports::{ListQuery, RecordPage};
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
use std::collections::BTreeMap;

/// The records that a listing asks for, newest id first.
pub fn page(conn: &Connection, query: &ListQuery) -> Result<RecordPage, StoreError> {
    let limit = query.limit.clamp(1, MAX_PAGE_RECORDS);
    let most = if query.filter.is_indexed() { limit } else { MAX_RECORDS_LOOKED_AT };
    let (sql, values) = page_query(query, most + 1);
    let mut select = conn.prepare(&sql)?;
    let mut rows = select.query(params_from_iter(values))?;
    let mut page = RecordPage { records: Vec::new(), next: None };
    let (mut looked_at, mut bytes, mut last) = (0, 0, None);
    while let Some(row) = rows.next()? {
        if page.records.len() == limit || looked_at == most || bytes > MAX_PAGE_BYTES {
            page.next = last;
            break;
        }
        let (state, body) = (text(row, 1)?, text(row, 2)?);
        bytes += state.len() + body.len();
        looked_at += 1;
        let state: RecordState<ListedResult> = record_state::read(state)?;
        let notification = from_json::<ListedNotification>("record", body)?.into();
        let record: Record = state.into_record(notification, ListedResult::into_value);
        last = Some(record.notification.id);
        if query.filter.matches(&record) {
            page.records.push(record);
        }
    }
    Ok(page)
}

/// One part for each status, which SQLite merges, since each comes from the index in the order of the ids.
fn page_query(query: &ListQuery, limit: usize) -> (String, Vec<Value>) {
    let (mut parts, mut values) = (Vec::new(), Vec::new());
    let statuses = query.filter.candidates().map_or(vec![None], |some| some.into_iter().map(Some).collect());
    for status in statuses {
        let (conditions, bound) = conditions(&query.filter, status, query.before);
        let from = "SELECT id, records.body, bodies.body FROM records LEFT JOIN bodies USING (number)";
        parts.push(format!("{from} WHERE {conditions}"));
        values.extend(bound);
    }
    if parts.is_empty() {
        parts.push("SELECT id, body, body FROM records WHERE false".to_owned());
    }
    values.push(Value::Integer(i64::try_from(limit).unwrap_or(i64::MAX)));
    (format!("{} ORDER BY id DESC LIMIT ?", parts.join(" UNION ALL ")), values)
}

/// What the columns of a record can say of a filter.
fn conditions(filter: &Filter, status: Option<Status>, before: Option<NotificationId>) -> (String, Vec<Value>) {
    let (mut sql, mut values) = ("true".to_owned(), Vec::new());
    if let Some(status) = status {
        sql += " AND status = ?";
        values.push(Value::Text(status.as_str().to_owned()));
    }
    if let Some(bot) = &filter.bot {
        // Beside a status the index of the statuses serves, which holds the bot as well.
        sql += if status.is_some() { " AND +bot = ?" } else { " AND bot = ?" };
        values.push(Value::Text(bot.as_str().to_owned()));
    }
    if let Some(first) = filter.first() {
        sql += " AND id >= ?";
        values.push(Value::Blob(id_bytes(first).to_vec()));
    }
    if let Some(below) = [filter.below(), before].into_iter().flatten().min() {
        sql += " AND id < ?";
        values.push(Value::Blob(id_bytes(below).to_vec()));
    }
    (sql, values)
}

/// How many records there are of each status, from the index; see [`crate::ports::Ledger::count`].
pub fn count(conn: &Connection, filter: &Filter) -> Result<BTreeMap<Status, u64>, StoreError> {
    let mut counts = BTreeMap::new();
    for status in filter.candidates().unwrap_or(Status::ALL.to_vec()) {
        let (conditions, values) = conditions(filter, Some(status), None);
        let mut select = conn.prepare(&format!("SELECT count(*) FROM records WHERE {conditions}"))?;
        let count: i64 = select.query_row(params_from_iter(values), |row| row.get(0))?;
        if count > 0 {
            counts.insert(status, count.unsigned_abs());
        }
    }
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{FailureClass, Timestamp};

    #[test]
    fn no_page_sorts_records_or_reads_a_table_from_its_beginning() {
        let folder = tempfile::tempdir().unwrap();
        let mut conn = super::super::schema::open_writer(&folder.path().join("queue.db")).unwrap();
        super::super::schema::prepare_writer(&mut conn).unwrap();
        let some = Filter { statuses: [Status::Failed, Status::Sent, Status::Unknown].into(), ..Filter::default() };
        let bot = Some("default".parse().unwrap());
        let filters = [
            Filter::default(),
            Filter { bot: bot.clone(), ..Filter::default() },
            some.clone(),
            Filter { bot, since: Some(Timestamp::now()), until: Some(Timestamp::now()), ..some },
            Filter { class: Some(FailureClass::Recipient), ..Filter::default() },
        ];
        for filter in filters {
            let query = ListQuery { filter, limit: 5, before: Some(NotificationId::new()) };
            let (sql, values) = page_query(&query, 6);
            let mut explain = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let plan = explain.query_map(params_from_iter(values), |row| row.get::<_, String>(3)).unwrap();
            let plan: Vec<String> = plan.collect::<Result<_, _>>().unwrap();
            let is_slow = |step: &String| step.starts_with("SCAN") || step.contains("TEMP B-TREE");
            assert!(!plan.iter().any(is_slow), "{sql}: {plan:?}");
        }
    }
}
