//! `pixcourier list`.

use super::filter_args::FilterArgs;
use super::text::line;
use crate::cli::runtime::block_on;
use crate::cli::service_args::ServiceArgs;
use crate::cli::terminal::print_line;
use serde_json::Value;
use std::process::ExitCode;

#[derive(clap::Args)]
pub struct ListArgs {
    #[command(flatten)]
    filter: FilterArgs,
    /// At most so many, newest first.
    #[arg(long, default_value_t = 50)]
    limit: usize,
    /// Only count them, by status and by class of failure.
    #[arg(long)]
    count: bool,
    /// As the API has it, one JSON object a line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    service: ServiceArgs,
}

pub fn run(arguments: ListArgs) -> anyhow::Result<ExitCode> {
    let client = arguments.service.client()?;
    block_on(async move {
        let filter = arguments.filter.pairs();
        if arguments.count {
            let counts: Value = client.get("/v1/notifications/summary", &filter).await?;
            print_counts(&counts, arguments.json);
            return Ok(ExitCode::SUCCESS);
        }
        let (mut left, mut cursor) = (arguments.limit, None);
        while left > 0 {
            let mut query = filter.clone();
            query.push(("limit", left.min(1_000).to_string()));
            query.extend(cursor.take().map(|cursor| ("cursor", cursor)));
            let page: Value = client.get("/v1/notifications", &query).await?;
            for notification in page["notifications"].as_array().into_iter().flatten().take(left) {
                left -= 1;
                print_line(if arguments.json { notification.to_string() } else { line(notification) });
            }
            cursor = page["next_cursor"].as_str().map(str::to_owned);
            if cursor.is_none() {
                break;
            }
        }
        Ok(ExitCode::SUCCESS)
    })
}

fn print_counts(counts: &Value, json: bool) {
    if json {
        return print_line(counts);
    }
    for (name, title) in [("by_status", ""), ("by_class", "failure: ")] {
        for (name, count) in counts[name].as_object().into_iter().flatten() {
            print_line(format_args!("{count:>9}  {title}{name}"));
        }
    }
    let at_least = if counts["complete"] == Value::Bool(true) { "" } else { " at least" };
    print_line(format_args!("{:>9}  in all{at_least}", counts["total"].as_u64().unwrap_or(0)));
}
