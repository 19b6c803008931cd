//! `pixcourier serve`.

use super::config_args::ConfigArgs;
use super::error::InvalidConfigError;
use super::runtime::block_on;
use super::terminal::print_line;
use super::{reload, signals};
use crate::app::{App, Role};
use crate::settings::{BlobLocation, ConfigError, EngineSettings, Settings};
use crate::telemetry::logs;
use anyhow::Context;
use clap::ValueEnum;
use clap::builder::PossibleValue;
use sd_notify::NotifyState;
use std::net::TcpListener;
use std::process::ExitCode;

#[derive(clap::Args)]
pub struct ServeArgs {
    #[command(flatten)]
    configuration: ConfigArgs,
    /// What this process does; `api` and `worker` need the distributed engine.
    #[arg(long, value_enum, default_value_t = Role::All)]
    role: Role,
}

impl ValueEnum for Role {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::All, Self::Api, Self::Worker]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self {
            Self::All => PossibleValue::new("all").help("Both"),
            Self::Api => PossibleValue::new("api").help("Takes notifications"),
            Self::Worker => PossibleValue::new("worker").help("Delivers them"),
        })
    }
}

pub fn run(arguments: ServeArgs) -> anyhow::Result<ExitCode> {
    let sources = arguments.configuration.sources()?;
    let settings = sources.load().map_err(InvalidConfigError)?;
    if arguments.role != Role::All && matches!(settings.engine, EngineSettings::Embedded) {
        let message = "the embedded engine is one process: set amqp_url, redis_url and blob_url, or leave --role out";
        return Err(InvalidConfigError(vec![ConfigError::new("--role", message)]).into());
    }
    logs::start(&settings.log, settings.log_format);
    block_on(async {
        let (stop, hangups) = (signals::stop_on_signal()?, signals::hangups()?);
        let listener = TcpListener::bind(settings.listen).with_context(|| format!("listen on {}", settings.listen))?;
        let (announcement, address) = (announcement(&settings), listener.local_addr()?);
        let app = App::build(settings, arguments.role, listener).await?;
        print_line(format_args!("pixcourier {} listens on http://{address}", env!("CARGO_PKG_VERSION")));
        announcement.iter().for_each(print_line);
        app.check_set_up();
        tell_service_manager(NotifyState::Ready);
        tokio::spawn(reload::on_each(hangups, arguments.configuration, sources, app.reloader()));
        let stopped = async move {
            stop.cancelled().await;
            tell_service_manager(NotifyState::Stopping);
        };
        app.run(stopped).await?;
        Ok(ExitCode::SUCCESS)
    })
}

/// systemd waits for this where the unit is of `Type=notify`; nobody else hears it.
fn tell_service_manager(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "the service manager cannot be told");
    }
}

/// What is told once it is built: errors come before it.
fn announcement(settings: &Settings) -> Vec<String> {
    let bots: Vec<&str> = settings.bots.keys().map(|name| name.as_str()).collect();
    let mut lines = vec![format!("engine: {}", engine(settings)), format!("bots: {}", bots.join(", "))];
    if settings.api_keys.is_empty() && settings.clients.is_empty() {
        let open = "no API keys: every program on this machine may send, no other machine can (PIXCOURIER_API_KEYS)";
        lines.push(open.to_owned());
    }
    lines
}

fn engine(settings: &Settings) -> String {
    match &settings.engine {
        EngineSettings::Embedded => format!("embedded, data in {}", settings.data_dir.display()),
        EngineSettings::Distributed(parts) => {
            let blobs = match &parts.blobs {
                BlobLocation::Folder(folder) => format!("images in {}", folder.display()),
                BlobLocation::S3(s3) => format!("images in bucket {}", s3.bucket),
            };
            let brokers = parts.amqp_urls.len();
            format!("distributed (RabbitMQ at {brokers} address(es), Redis, {blobs}), namespace {}", parts.namespace)
        }
    }
}
