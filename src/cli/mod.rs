//! The subcommands.

mod backup;
mod bench;
mod bots;
mod chats;
mod check_config;
mod config_args;
mod demo;
mod drain;
mod error;
mod event_connection;
mod events;
mod healthcheck;
mod import_recipients;
mod manual;
mod notifications;
mod open_error;
mod orphans;
mod progress;
mod reload;
mod restore;
mod runtime;
mod sandbox;
mod send;
mod serve;
mod service_args;
mod service_client;
mod signals;
mod terminal;

use crate::api::native::openapi::openapi_yaml;
use clap::{CommandFactory, Parser, Subcommand};
use std::process::ExitCode;
use terminal::print_line;

#[derive(Parser)]
#[command(name = "pixcourier", version, about, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the service.
    Serve(serve::ServeArgs),
    /// See it work: a service, a Bot API sandbox and a few pictures, with nothing to set up.
    Demo(demo::DemoArgs),
    /// Measure how fast it is on this machine, beside what the machine can do.
    ///
    /// Measures the embedded engine, or RabbitMQ and Redis if PIXCOURIER_AMQP_URL and PIXCOURIER_REDIS_URL are set, in a namespace
    /// of its own. Everything it starts and writes is gone when it ends. Run nothing else on the machine meanwhile.
    Bench(bench::BenchArgs),
    /// Run a Bot API to try things against, with a page that shows what was delivered.
    Sandbox(sandbox::SandboxArgs),
    /// Send an image, another file or a text through a running service.
    Send(send::SendArgs),
    /// List the chats that have written to a bot, with the numbers by which notifications name them.
    Chats(chats::ChatsArgs),
    /// List notifications of a running service, or count them.
    List(notifications::ListArgs),
    /// Show one. The exit code says whether it was sent: 0 if so, 1 if it ended unsent, 75 if it is under way.
    Show(notifications::ShowArgs),
    /// Take one back, or all that meet a filter.
    Cancel(notifications::ManyArgs),
    /// Try one again that ended unsent, or all that meet a filter.
    Retry(notifications::ManyArgs),
    /// Print how notifications of a running service end, while they do; comes again when the service breaks off.
    Events(events::EventsArgs),
    /// List the bots and what they have to send; of one, the chats that hold the most of it.
    Bots(bots::BotsArgs),
    /// Pause a bot, or a chat of it: nothing more is sent, in no process, until it is resumed.
    Pause(bots::PauseArgs),
    /// Let a bot or a chat go on.
    Resume(bots::ResumeArgs),
    /// Have one process give up its bots in order and take no others, or take them again.
    Drain(drain::DrainArgs),
    /// Write a file of phone numbers and chats into the recipient book of a running service.
    ImportRecipients(import_recipients::ImportRecipientsArgs),
    /// List notifications that RabbitMQ could bring nowhere, or put them back.
    Orphans(orphans::OrphansArgs),
    /// Copy the embedded engine's database to a file, also while the service runs.
    Backup(backup::BackupArgs),
    /// Put a backup in the place of the embedded engine's database, while the service is stopped.
    Restore(restore::RestoreArgs),
    /// Say whether a running service would accept a notification; the exit code is 0 if it would.
    Healthcheck(healthcheck::HealthcheckArgs),
    /// Print the OpenAPI description as YAML.
    Openapi,
    /// Print what a shell completes these commands by.
    Completions(manual::CompletionsArgs),
    /// Print the manual page, or write one for each subcommand.
    Man(manual::ManArgs),
    /// Check the configuration and show what it comes to, secrets masked.
    CheckConfig(check_config::CheckConfigArgs),
}

/// Parses the command line and runs what it says.
pub fn run() -> ExitCode {
    // Fails only if there is one already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let done = match Cli::parse().command {
        Command::Serve(arguments) => serve::run(arguments),
        Command::Demo(arguments) => demo::run(arguments),
        Command::Bench(arguments) => bench::run(arguments),
        Command::Sandbox(arguments) => sandbox::run(arguments),
        Command::Send(arguments) => send::run(arguments),
        Command::Chats(arguments) => chats::run(arguments),
        Command::List(arguments) => notifications::list(arguments),
        Command::Show(arguments) => notifications::show(arguments),
        Command::Bots(arguments) => bots::list(arguments),
        Command::Pause(arguments) => bots::pause(arguments),
        Command::Resume(arguments) => bots::resume(arguments),
        Command::Drain(arguments) => drain::run(arguments),
        Command::Cancel(arguments) => notifications::many(notifications::Work::Cancel, arguments),
        Command::Retry(arguments) => notifications::many(notifications::Work::Retry, arguments),
        Command::Events(arguments) => events::run(arguments),
        Command::ImportRecipients(arguments) => import_recipients::run(arguments),
        Command::Orphans(arguments) => orphans::run(arguments),
        Command::Backup(arguments) => backup::run(arguments),
        Command::Restore(arguments) => restore::run(arguments),
        Command::Healthcheck(arguments) => healthcheck::run(arguments),
        Command::Openapi => {
            print_line(openapi_yaml().trim_end());
            Ok(ExitCode::SUCCESS)
        }
        Command::Completions(arguments) => manual::completions(arguments, Cli::command()),
        Command::Man(arguments) => manual::man(arguments, Cli::command()),
        Command::CheckConfig(arguments) => check_config::run(arguments),
    };
    done.unwrap_or_else(error::report)
}
