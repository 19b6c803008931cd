//! `pixcourier show`.

use super::text::line;
use crate::cli::open_error::{NotSentError, StillOpenError};
use crate::cli::runtime::block_on;
use crate::cli::service_args::ServiceArgs;
use crate::cli::service_client::NotificationState;
use crate::cli::terminal::print_line;
use crate::domain::{NotificationId, Status};
use serde_json::Value;
use std::process::ExitCode;

#[derive(clap::Args)]
pub struct ShowArgs {
    /// The notification's id.
    id: NotificationId,
    /// As the API has it.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    service: ServiceArgs,
}

/// The exit code says whether it was sent.
pub fn run(arguments: ShowArgs) -> anyhow::Result<ExitCode> {
    let client = arguments.service.client()?;
    block_on(async move {
        let id = arguments.id;
        let notification: Value = client.get(&format!("/v1/notifications/{id}"), &[]).await?;
        let state: NotificationState = serde_json::from_value(notification.clone())?;
        if arguments.json {
            print_line(&notification);
        } else {
            print_line(line(&notification));
            for attempt in notification["attempts"].as_array().into_iter().flatten() {
                let (at, outcome) = (attempt["at"].as_str(), attempt["outcome"].as_str());
                let (at, outcome) = (at.unwrap_or_default(), outcome.unwrap_or_default());
                let reason = attempt["reason"].as_str().map(|reason| format!(": {}", reason.escape_debug()));
                print_line(format_args!("  {at}  {outcome}{}", reason.unwrap_or_default()));
            }
        }
        match state.status {
            Status::Sent => Ok(ExitCode::SUCCESS),
            status if status.is_final() => Err(NotSentError(state.reason()).into()),
            status => Err(StillOpenError(format!("notification {id} is {}", status.as_str())).into()),
        }
    })
}
