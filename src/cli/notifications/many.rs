//! `pixcourier cancel` and `pixcourier retry`: of one by its id, or of all that meet a filter.

use super::filter_args::FilterArgs;
use super::text::line;
use crate::cli::error::UsageError;
use crate::cli::open_error::{NotSentError, StillOpenError};
use crate::cli::progress::{Progress, is_watched};
use crate::cli::runtime::block_on;
use crate::cli::service_args::ServiceArgs;
use crate::cli::service_client::ServiceClient;
use crate::cli::terminal::print_line;
use crate::domain::NotificationId;
use serde_json::{Map, Value};
use std::process::ExitCode;
use std::time::Duration;

/// How often to ask how far it is.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

#[derive(clap::Args)]
pub struct ManyArgs {
    /// One notification, in place of a filter.
    id: Option<NotificationId>,
    #[command(flatten)]
    filter: FilterArgs,
    /// Only say how many there are, and show some.
    #[arg(long)]
    dry_run: bool,
    /// Of a retry: also what its sender has sent again since.
    #[arg(long)]
    also_resent: bool,
    /// Do not wait until all is done; the service goes on by itself.
    #[arg(long)]
    no_wait: bool,
    /// Begin this once, however often it is asked for under this key.
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// As the API has it.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    service: ServiceArgs,
}

/// What is to be done.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Take them back.
    Cancel,
    /// Try them again.
    Retry,
}

pub fn run(work: Work, arguments: ManyArgs) -> anyhow::Result<ExitCode> {
    let client = arguments.service.client()?;
    let mut body = arguments.filter.members();
    match arguments.id {
        Some(_) if !body.is_empty() || arguments.dry_run => {
            return Err(UsageError("give an id, or a filter with or without --dry-run, not both").into());
        }
        Some(id) => return block_on(one(work, id, arguments.json, client)),
        None if body.is_empty() => {
            return Err(UsageError("give an id, or at least one condition, such as --tag").into());
        }
        None => {}
    }
    if work == Work::Retry && arguments.also_resent {
        body.insert("skip_resent".to_owned(), false.into());
    }
    body.insert("dry_run".to_owned(), arguments.dry_run.into());
    block_on(async move {
        let path = if work == Work::Cancel { "/v1/notifications/cancel" } else { "/v1/notifications/retry" };
        let waits = !arguments.dry_run && !arguments.no_wait;
        let total = if waits && is_watched() { total(&client, path, &body).await? } else { None };
        let begun: Value = client.post_json(path, &body, arguments.idempotency_key.as_deref()).await?;
        if arguments.dry_run {
            print_dry_run(&begun, arguments.json);
            return Ok(ExitCode::SUCCESS);
        }
        if arguments.no_wait {
            print_line(if arguments.json { begun.to_string() } else { text(&begun, "id").to_owned() });
            return Err(StillOpenError(format!("operation {} is under way", text(&begun, "id"))).into());
        }
        let ended = follow(&client, begun, total).await?;
        print_line(if arguments.json { ended.to_string() } else { summary(&ended) });
        match ended["failed"].as_u64() {
            Some(0) => Ok(ExitCode::SUCCESS),
            _ => Err(NotSentError("it is not possible for some".to_owned()).into()),
        }
    })
}

async fn one(work: Work, id: NotificationId, json: bool, client: ServiceClient) -> anyhow::Result<ExitCode> {
    let notification: Value = match work {
        Work::Cancel => client.delete(&format!("/v1/notifications/{id}")).await?,
        Work::Retry => client.post_json(&format!("/v1/notifications/{id}/retry"), &Default::default(), None).await?,
    };
    print_line(if json { notification.to_string() } else { line(&notification) });
    Ok(ExitCode::SUCCESS)
}

/// How many there are to be done, ahead of the work: that finds them page by page, so it does not know itself how many are left.
/// `None` if there are more than a dry run finds in its time.
async fn total(client: &ServiceClient, path: &str, body: &Map<String, Value>) -> anyhow::Result<Option<u64>> {
    let mut body = body.clone();
    body.insert("dry_run".to_owned(), true.into());
    let found: Value = client.post_json(path, &body, None).await?;
    Ok(if is_complete(&found) { found["matched"].as_u64() } else { None })
}

/// Waits for the end, and shows on a terminal how far it is.
async fn follow(client: &ServiceClient, mut operation: Value, total: Option<u64>) -> anyhow::Result<Value> {
    let path = format!("/v1/operations/{}", text(&operation, "id"));
    let progress = Progress::begin(text(&operation, "kind"), total);
    while operation["finished_at"].is_null() {
        tokio::time::sleep(POLL_INTERVAL).await;
        operation = client.get(&path, &[]).await?;
        progress.show(["done", "skipped", "failed"].map(|part| number(&operation, part)).iter().sum());
    }
    Ok(operation)
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

fn number(value: &Value, name: &str) -> u64 {
    value[name].as_u64().unwrap_or(0)
}

/// Whether a dry run has found all.
fn is_complete(found: &Value) -> bool {
    found["complete"] == Value::Bool(true)
}

/// What came of an operation.
fn summary(operation: &Value) -> String {
    let number = |name| number(operation, name);
    let kind = text(operation, "kind");
    let (matched, done, skipped) = (number("matched"), number("done"), number("skipped"));
    let (resent, failed) = (number("resent"), number("failed"));
    format!(
        "{kind}: {matched} found, {done} done, {skipped} skipped ({resent} sent again by themselves), {failed} failed"
    )
}

fn print_dry_run(found: &Value, json: bool) {
    if json {
        return print_line(found);
    }
    let at_least = if is_complete(found) { "" } else { "at least " };
    let matched = number(found, "matched");
    print_line(format_args!("{at_least}{matched} found{}", if matched == 0 { "" } else { "; of these:" }));
    found["examples"].as_array().into_iter().flatten().for_each(|notification| print_line(line(notification)));
}
