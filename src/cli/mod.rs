//! The subcommands.

mod check_config;
mod client;
mod config;
mod demo;
mod import_recipients;
mod sandbox;
mod say;
mod send;
mod serve;
mod stop;

use crate::api::native::openapi::openapi_yaml;
use crate::settings::Problem;
use clap::{Parser, Subcommand};
use say::say;
use std::process::ExitCode;
use std::time::Duration;

#[derive(Parser)]
#[command(name = "pixcourier", version, about, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the service.
    Serve(serve::Arguments),
    /// See it work: a service, a Bot API sandbox and a few pictures, with nothing to set up.
    Demo(demo::Arguments),
    /// Run a Bot API to try things against, with a page that shows what was delivered.
    Sandbox(sandbox::Arguments),
    /// Send an image through a running service.
    Send(send::Arguments),
    /// Write a file of phone numbers and chats into the recipient book of a running service.
    ImportRecipients(import_recipients::Arguments),
    /// Print the OpenAPI description as YAML.
    Openapi,
    /// Check the configuration and show what it comes to, secrets masked.
    CheckConfig(check_config::Arguments),
}

/// The configuration is wrong: told problem by problem, exit code 64 (`EX_USAGE`).
#[derive(Debug, thiserror::Error)]
#[error("the configuration is wrong")]
struct Misconfigured(Vec<Problem>);

/// Parses the command line and runs what it says.
pub fn run() -> ExitCode {
    // Fails only if there is one already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let done = match Cli::parse().command {
        Command::Serve(arguments) => serve::run(arguments),
        Command::Demo(arguments) => demo::run(arguments),
        Command::Sandbox(arguments) => sandbox::run(arguments),
        Command::Send(arguments) => send::run(arguments),
        Command::ImportRecipients(arguments) => import_recipients::run(arguments),
        Command::Openapi => {
            say(openapi_yaml().trim_end());
            Ok(ExitCode::SUCCESS)
        }
        Command::CheckConfig(arguments) => check_config::run(arguments),
    };
    done.unwrap_or_else(complain)
}

fn complain(error: anyhow::Error) -> ExitCode {
    const USAGE: u8 = 64;
    match error.downcast_ref::<Misconfigured>() {
        Some(Misconfigured(problems)) => {
            eprintln!("pixcourier: {error}:");
            for problem in problems {
                eprintln!("  {problem}");
            }
            ExitCode::from(USAGE)
        }
        None => {
            eprintln!("pixcourier: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a subcommand on a runtime of its own, and leaves what it may have left behind a moment to end.
fn block_on(task: impl Future<Output = anyhow::Result<ExitCode>>) -> anyhow::Result<ExitCode> {
    const LEFTOVERS: Duration = Duration::from_secs(1);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let done = runtime.block_on(task);
    runtime.shutdown_timeout(LEFTOVERS);
    done
}
