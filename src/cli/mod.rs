//! The subcommands.

use std::process::ExitCode;

/// Parses the command line and runs what it says.
pub fn run() -> ExitCode {
    ExitCode::SUCCESS
}
