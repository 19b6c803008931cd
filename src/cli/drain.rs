//! `pixcourier drain`.

use super::open_error::StillOpenError;
use super::progress::Progress;
use super::runtime::block_on;
use super::service_args::ServiceArgs;
use super::terminal::print_line;
use serde_json::{Map, Value};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// How often to ask whether all bots are given up.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

#[derive(clap::Args)]
pub struct DrainArgs {
    /// Let the process take bots again.
    #[arg(long)]
    undo: bool,
    /// For so many seconds wait until the process owns no bot any more; 0 for not at all.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    patience: u64,
    /// As the API has it.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    service: ServiceArgs,
}

/// The exit code is 75 if it still owns bots.
pub fn run(arguments: DrainArgs) -> anyhow::Result<ExitCode> {
    let client = arguments.service.client()?;
    block_on(async move {
        let deadline = Instant::now() + Duration::from_secs(arguments.patience);
        let path = if arguments.undo { "/v1/process/resume" } else { "/v1/process/drain" };
        let mut process: Value = client.post_json(path, &Map::new(), None).await?;
        let owned = |process: &Value| process["owned"].as_array().map_or(0, Vec::len);
        let total = owned(&process);
        // Counts the bots that are given up.
        let progress = (!arguments.undo && total > 0).then(|| Progress::begin("drain", Some(total as u64)));
        while !arguments.undo && owned(&process) > 0 && Instant::now() < deadline {
            tokio::time::sleep(POLL_INTERVAL).await;
            process = client.get("/v1/process", &[]).await?;
            if let Some(progress) = &progress {
                progress.show(total.saturating_sub(owned(&process)) as u64);
            }
        }
        drop(progress);
        let count = owned(&process);
        let said = if arguments.undo { "takes bots".to_owned() } else { format!("drained; owns {count} bots") };
        print_line(if arguments.json { process.to_string() } else { said });
        if !arguments.undo && arguments.patience > 0 && count > 0 {
            return Err(StillOpenError(format!("{count} bots are not given up yet")).into());
        }
        Ok(ExitCode::SUCCESS)
    })
}
