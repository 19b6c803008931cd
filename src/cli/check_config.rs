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
    /// As one JSON object, with what is set alone.
    #[arg(long, conflicts_with = "print_defaults")]
    json: bool,
}

pub fn run(arguments: CheckConfigArgs) -> anyhow::Result<ExitCode> {
    let page = if arguments.print_defaults { DEFAULTS.to_owned() } else { arguments.configuration.show()? };
    if arguments.json {
        print_line(serde_json::to_string(&page.parse::<toml::Table>()?)?);
    } else {
        print_line(page.trim_end());
    }
    Ok(ExitCode::SUCCESS)
}
