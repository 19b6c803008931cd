//! From what somebody wrote to [`Settings`], or to everything that is wrong with it.

mod bots;
mod callbacks;
mod clients;
mod engine;
mod whatsmate;

use super::config_error::ConfigError;
use super::layers::Flags;
use super::model::{LogFormat, Settings};
use super::secret_files;
use super::value_reader::ValueReader;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;
use tracing_subscriber::filter::Targets;

/// The settings that a file, the environment and flags come to, over the defaults.
///
/// # Errors
/// Everything that is wrong, in the order of the names.
pub fn load(file: Option<&str>, env: &BTreeMap<String, String>, flags: &Flags) -> Result<Settings, Vec<ConfigError>> {
    let layers = secret_files::gather(file, env, flags);
    if layers.unreadable {
        return Err(layers.errors);
    }
    let mut reader = ValueReader { layers };
    let settings = settings(&mut reader);
    let mut errors = reader.layers.errors;
    errors.sort();
    if errors.is_empty() { Ok(settings) } else { Err(errors) }
}

/// The environment of this process: the one place that reads it.
pub fn environment() -> BTreeMap<String, String> {
    let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
    std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect()
}

fn settings(reader: &mut ValueReader) -> Settings {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    const MIB: u64 = 1 << 20;
    let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let listen = reader.parsed("listen", "an IP address and a port such as 127.0.0.1:8080", loopback);
    let bots = bots::bots(reader);
    let api_keys = clients::api_keys(reader);
    let callbacks = callbacks::callbacks(reader);
    let clients = clients::clients(reader, &bots, &api_keys, &callbacks);
    if !has_keys(reader) && !listen.ip().is_loopback() {
        let message = format!(
            "{listen} can be reached from other machines: set PIXCOURIER_API_KEYS (16 or more characters each), or listen on a loopback address such as 127.0.0.1:8080"
        );
        reader.add_error("listen", message);
    }
    Settings {
        listen,
        data_dir: data_dir(reader),
        engine: engine::engine(reader),
        whatsmate_clients: whatsmate::clients(reader, &bots),
        bots,
        api_keys,
        clients,
        callbacks,
        body_limit: reader.number("body_limit_mb", 1..=4096, 1u64) * MIB,
        caller_spool: reader.number("caller_spool_mb", 0..=1u64 << 30, 0) * MIB,
        caller_kept: reader.number("caller_kept_mb", 0..=1u64 << 30, 0) * MIB,
        bot_api_patience: Duration::from_secs(reader.number("bot_api_patience_seconds", 1..=3600, 1)),
        event_streams: reader.number("event_streams", 0..=100_000, 0),
        window: reader.number("window", 1..=20_000, 1),
        max_attempts: reader.number("max_attempts", 1..=1000, 1),
        grace_period: Duration::from_secs(reader.number("grace_period_seconds", 0..=3600, 0)),
        record_retention: DAY * reader.number("record_retention_days", 1..=3650, 1),
        blob_retention: DAY * reader.number("blob_retention_days", 1..=3650, 1),
        log: log(reader),
        log_format: log_format(reader),
    }
}

fn data_dir(reader: &mut ValueReader) -> PathBuf {
    let folder = PathBuf::from(reader.text("data_dir").unwrap_or_default());
    if folder.as_os_str().is_empty() {
        reader.add_error("data_dir", "expected a folder");
    }
    folder
}

/// Without keys everybody who can connect may send, so then only this machine may.
fn has_keys(reader: &ValueReader) -> bool {
    !reader.list("api_keys").is_empty() || !reader.layers.names("clients").is_empty()
}

fn log(reader: &mut ValueReader) -> String {
    let filter = reader.text("log").unwrap_or_default().to_owned();
    if filter.parse::<Targets>().is_err() {
        let expected = "expected a level, or levels by module as in info,pixcourier::delivery=debug";
        reader.add_error("log", format!("{expected}, found {filter:?}"));
    }
    filter
}

fn log_format(reader: &mut ValueReader) -> LogFormat {
    match reader.text("log_format") {
        Some("text") => LogFormat::Text,
        Some("json") => LogFormat::Json,
        other => {
            let message = format!("expected text or json, found {:?}", other.unwrap_or_default());
            reader.add_error("log_format", message);
            LogFormat::Text
        }
    }
}
