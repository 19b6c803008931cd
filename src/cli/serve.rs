//! `pixcourier serve`.

use super::config::Configuration;
use super::say::say;
use super::{Misconfigured, block_on, stop};
use crate::app::{App, Role};
use crate::settings::{BlobLocation, Engine, Problem, Settings};
use crate::telemetry::logs;
use anyhow::Context;
use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;

#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    configuration: Configuration,
    /// What this process does; `api` and `worker` need the distributed engine.
    #[arg(long, value_enum, default_value_t = Part::All)]
    role: Part,
}

/// The roles, as the command line calls them.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Both.
    All,
    /// Takes notifications.
    Api,
    /// Delivers them.
    Worker,
}

impl From<Part> for Role {
    fn from(part: Part) -> Self {
        match part {
            Part::All => Role::All,
            Part::Api => Role::Api,
            Part::Worker => Role::Worker,
        }
    }
}

pub fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let settings = arguments.configuration.load()?;
    if arguments.role != Part::All && matches!(settings.engine, Engine::Embedded) {
        let message = "the embedded engine is one process: set amqp_url, redis_url and blob_url, or leave --role out";
        return Err(Misconfigured(vec![Problem::new("--role", message)]).into());
    }
    logs::start(&settings.log, settings.log_format);
    block_on(async {
        let stop = stop::on_signal()?;
        let listener = TcpListener::bind(settings.listen).with_context(|| format!("listen on {}", settings.listen))?;
        announce(&settings, listener.local_addr()?);
        App::build(settings, arguments.role.into(), listener).await?.run(stop.cancelled_owned()).await?;
        Ok(ExitCode::SUCCESS)
    })
}

fn announce(settings: &Settings, address: SocketAddr) {
    let bots: Vec<&str> = settings.bots.keys().map(|name| name.as_str()).collect();
    say(format_args!("pixcourier {} listens on http://{address}", env!("CARGO_PKG_VERSION")));
    say(format_args!("engine: {}", engine(settings)));
    say(format_args!("bots: {}", bots.join(", ")));
    if settings.api_keys.is_empty() {
        say("no API keys: every program on this machine may send, no other machine can (PIXCOURIER_API_KEYS)");
    }
}

fn engine(settings: &Settings) -> String {
    match &settings.engine {
        Engine::Embedded => format!("embedded, data in {}", settings.data_dir.display()),
        Engine::Distributed(parts) => {
            let blobs = match &parts.blobs {
                BlobLocation::Folder(folder) => format!("images in {}", folder.display()),
                BlobLocation::S3(s3) => format!("images in bucket {}", s3.bucket),
            };
            let brokers = parts.amqp_urls.len();
            format!("distributed (RabbitMQ at {brokers} address(es), Redis, {blobs}), namespace {}", parts.namespace)
        }
    }
}
