//! `pixcourier check-config`.

use super::config_args::ConfigArgs;
use super::terminal::print_line;
use crate::settings::DEFAULTS;
use std::process::ExitCode;

#[derive(clap::Args)]
pub struct CheckConfigArgs {
    #[command(flatten)]
    configuration: ConfigArgs,
    /// Print the default configuration file with its comments, and check nothing.
    #[arg(long)]
    print_defaults: bool,
}

pub fn run(arguments: CheckConfigArgs) -> anyhow::Result<ExitCode> {
    let page = if arguments.print_defaults { DEFAULTS.to_owned() } else { arguments.configuration.show()? };
    print_line(page.trim_end());
    Ok(ExitCode::SUCCESS)
}
