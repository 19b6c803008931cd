//! `pixcourier restore`.

use super::config_args::ConfigArgs;
use super::terminal::print_line;
use crate::app;
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(clap::Args)]
pub struct RestoreArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// A file that `pixcourier backup` has written; it stays as it is.
    file: PathBuf,
    /// As one JSON object: file, and where the former database is kept.
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: RestoreArgs) -> anyhow::Result<ExitCode> {
    let moved = app::backup::restore(&arguments.config.load()?, &arguments.file)?;
    if arguments.json {
        print_line(json!({"file": arguments.file, "former": moved}));
        return Ok(ExitCode::SUCCESS);
    }
    print_line(format_args!("{} is restored", arguments.file.display()));
    if let Some(moved) = moved {
        print_line(format_args!("the former database is kept as {}", moved.display()));
    }
    Ok(ExitCode::SUCCESS)
}
