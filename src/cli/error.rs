//! What a subcommand may end with, and how it is told.

use crate::settings::ConfigError;
use std::process::ExitCode;

/// The configuration is wrong: each error is printed, and the exit code is 64 (`EX_USAGE`).
#[derive(Debug, thiserror::Error)]
#[error("the configuration is wrong")]
pub struct InvalidConfigError(pub Vec<ConfigError>);

/// Prints an error and returns its exit code.
pub fn report(error: anyhow::Error) -> ExitCode {
    const USAGE: u8 = 64;
    match error.downcast_ref::<InvalidConfigError>() {
        Some(InvalidConfigError(errors)) => {
            eprintln!("pixcourier: {error}:");
            for error in errors {
                eprintln!("  {error}");
            }
            ExitCode::from(USAGE)
        }
        None => {
            eprintln!("pixcourier: {error:#}");
            ExitCode::FAILURE
        }
    }
}
