//! What a subcommand may end with, and how it is told. The exit codes are those of `sysexits.h`.

use super::open_error::StillOpenError;
use super::service_client::{ServiceRejection, UnreachableError};
use crate::settings::ConfigError;
use std::process::ExitCode;

/// The command line or the configuration is wrong (`EX_USAGE`).
const USAGE: u8 = 64;
/// The service has refused the request (`EX_DATAERR`).
const REFUSED: u8 = 65;
/// The service does not answer, or a part of it is away (`EX_UNAVAILABLE`).
const UNAVAILABLE: u8 = 69;
/// It has been accepted and is under way (`EX_TEMPFAIL`).
const UNDER_WAY: u8 = 75;

/// The configuration is wrong: each error is printed, and the exit code is 64 (`EX_USAGE`).
#[derive(Debug, thiserror::Error)]
#[error("the configuration is wrong")]
pub struct InvalidConfigError(pub Vec<ConfigError>);

/// The arguments do not go together: the exit code is 64.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub &'static str);

/// Prints an error and returns its exit code.
pub fn report(error: anyhow::Error) -> ExitCode {
    if let Some(InvalidConfigError(errors)) = error.downcast_ref::<InvalidConfigError>() {
        eprintln!("pixcourier: {error}:");
        for error in errors {
            eprintln!("  {error}");
        }
        return ExitCode::from(USAGE);
    }
    eprintln!("pixcourier: {error:#}");
    code(&error).map_or(ExitCode::FAILURE, ExitCode::from)
}

fn code(error: &anyhow::Error) -> Option<u8> {
    if error.is::<UsageError>() {
        return Some(USAGE);
    }
    if error.is::<UnreachableError>() {
        return Some(UNAVAILABLE);
    }
    if error.is::<StillOpenError>() {
        return Some(UNDER_WAY);
    }
    let rejection = error.downcast_ref::<ServiceRejection>()?;
    Some(if rejection.is_temporary() { UNAVAILABLE } else { REFUSED })
}
