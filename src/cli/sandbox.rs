//! `pixcourier sandbox`.

use super::runtime::block_on;
use crate::sandbox::{self, SandboxLimits, SandboxOptions};
use crate::settings::LogFormat;
use crate::telemetry::logs;
use anyhow::Context;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

#[derive(clap::Args)]
pub struct SandboxArgs {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8081")]
    listen: SocketAddr,
    /// Let any rate pass, instead of answering 429 where Telegram would.
    #[arg(long)]
    no_limits: bool,
    /// Count as strictly as Telegram's words can be read: 30 messages of a bot in any one second, and 3 at once to a private
    /// chat.
    #[arg(long, conflicts_with = "no_limits")]
    strict_limits: bool,
    /// Refuse calls while too many are under way, as the Bot API server does.
    #[arg(long)]
    in_flight_limits: bool,
    /// Play a local Bot API server: take file:// URIs, give paths on the disk, and let files have 2000 MB.
    #[arg(long)]
    local: bool,
    /// How many milliseconds every call takes at least.
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 0)]
    latency: u64,
    /// Where to keep the pictures; without it, in a temporary folder that goes with the sandbox.
    #[arg(long, value_name = "FOLDER")]
    store: Option<PathBuf>,
    /// Where the randomness of faults starts, so that a run can be repeated.
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

pub fn run(arguments: SandboxArgs) -> anyhow::Result<ExitCode> {
    logs::start("info", LogFormat::Text);
    let mut options = SandboxOptions {
        in_flight_limits: arguments.in_flight_limits,
        local: arguments.local,
        latency: Duration::from_millis(arguments.latency),
        store_dir: arguments.store,
        seed: arguments.seed,
        ..SandboxOptions::default()
    };
    if arguments.strict_limits {
        options.limits = Some(SandboxLimits::strict());
    }
    if arguments.no_limits {
        options.limits = None;
        options.pace_uploads = false;
    }
    block_on(async {
        let address = arguments.listen;
        sandbox::run(address, options).await.with_context(|| format!("run the sandbox on {address}"))?;
        Ok(ExitCode::SUCCESS)
    })
}
