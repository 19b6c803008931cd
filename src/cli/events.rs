//! `pixcourier events`.

use super::notifications::line;
use super::runtime::block_on;
use super::service_args::ServiceArgs;
use super::service_client::ServiceRejection;
use super::terminal::print_line;
use serde_json::Value;
use std::process::ExitCode;
use std::time::Duration;

/// After so long a service that has broken off is asked again.
const COME_AGAIN: Duration = Duration::from_secs(2);

#[derive(clap::Args)]
pub struct EventsArgs {
    /// Only these ends, with commas or given several times: sent, failed, expired, cancelled, unknown.
    #[arg(long, value_delimiter = ',')]
    status: Vec<String>,
    /// Only of this bot.
    #[arg(long)]
    bot: Option<String>,
    /// Only of what the client of this name has posted.
    #[arg(long)]
    client: Option<String>,
    /// Only of those with this tag.
    #[arg(long)]
    tag: Option<String>,
    /// Go on behind this event, by the `event_id` that --json shows.
    #[arg(long, value_name = "EVENT_ID")]
    after: Option<String>,
    /// End after so many events.
    #[arg(long, value_name = "EVENTS")]
    count: Option<u64>,
    /// As the API has it, one JSON object a line, with the event's id as `event_id`.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    service: ServiceArgs,
}

/// Prints until it has printed as many as wanted. A service that was there once is waited for.
pub fn run(arguments: EventsArgs) -> anyhow::Result<ExitCode> {
    let client = arguments.service.client()?;
    let status = (!arguments.status.is_empty()).then(|| arguments.status.join(","));
    let given = [("status", &status), ("bot", &arguments.bot), ("client", &arguments.client), ("tag", &arguments.tag)];
    let query: Vec<_> = given.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))).collect();
    block_on(async move {
        let (mut last_id, mut left) = (arguments.after.unwrap_or_default(), arguments.count);
        let mut connection = Some(client.events(&query, &last_id).await?);
        while left != Some(0) {
            let Some(open) = &mut connection else {
                tokio::time::sleep(COME_AGAIN).await;
                connection = match client.events(&query, &last_id).await {
                    Ok(connection) => Some(connection),
                    Err(error) if is_final(&error) => return Err(error),
                    Err(error) => {
                        eprintln!("pixcourier: {error:#}; it is tried again");
                        None
                    }
                };
                continue;
            };
            let event = open.next().await;
            last_id.clone_from(&open.last_id);
            match event {
                Some(event) => {
                    print(event, &last_id, arguments.json);
                    left = left.map(|left| left - 1);
                }
                None => connection = None,
            }
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// Whether asking again leads nowhere.
fn is_final(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<ServiceRejection>()
        .is_some_and(|rejection| !rejection.is_temporary() && !rejection.is_one_too_many())
}

fn print(mut event: Value, id: &str, json: bool) {
    if json {
        event["event_id"] = id.into();
        return print_line(event);
    }
    match event["type"].as_str() {
        Some("events.gap") => print_line(event["data"]["detail"].as_str().unwrap_or("events are missing")),
        _ => print_line(line(&event["data"])),
    }
}
