//! `pixcourier backup`.

use super::config_args::ConfigArgs;
use super::terminal::print_line;
use crate::app;
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(clap::Args)]
pub struct BackupArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// The file to write; it must not exist.
    file: PathBuf,
    /// As one JSON object: file and bytes.
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: BackupArgs) -> anyhow::Result<ExitCode> {
    let bytes = app::backup::backup(&arguments.config.load()?, &arguments.file)?;
    if arguments.json {
        print_line(json!({"file": arguments.file, "bytes": bytes}));
    } else {
        print_line(format_args!("{}: {bytes} bytes, checked", arguments.file.display()));
    }
    Ok(ExitCode::SUCCESS)
}
