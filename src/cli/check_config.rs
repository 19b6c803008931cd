//! `pixcourier check-config`.

use super::config::Configuration;
use super::say::say;
use crate::settings::DEFAULTS;
use std::process::ExitCode;

#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    configuration: Configuration,
    /// Print the default configuration file with its comments, and check nothing.
    #[arg(long)]
    print_defaults: bool,
}

pub fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let page = if arguments.print_defaults { DEFAULTS.to_owned() } else { arguments.configuration.show()? };
    say(page.trim_end());
    Ok(ExitCode::SUCCESS)
}
