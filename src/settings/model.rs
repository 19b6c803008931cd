//! All settings, typed.

use super::bot::Bot;
use super::callback::CallbackSettings;
use super::client::Client;
use super::engine::EngineSettings;
use super::whatsmate::WhatsMateClient;
use crate::domain::BotName;
use secrecy::SecretString;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Everything that `serve` needs, complete and checked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the HTTP faces listen. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where the embedded engine keeps its file and uploads are spooled.
    pub data_dir: PathBuf,
    /// Which engine.
    pub engine: EngineSettings,
    /// The bots by name, at least one.
    pub bots: BTreeMap<BotName, Arc<Bot>>,
    /// The keys that callers of the native API show; with none and no clients, `listen` must be a loopback address.
    pub api_keys: Vec<SecretString>,
    /// Those who have a key of their own, and what it opens.
    pub clients: Vec<Arc<Client>>,
    /// Who may call the WhatsMate face.
    pub whatsmate_clients: Vec<WhatsMateClient>,
    /// What holds for callbacks.
    pub callbacks: CallbackSettings,
    /// The largest request body in bytes.
    pub body_limit: u64,
    /// How many bytes one caller may have in the spool at a time; 0 is no limit.
    pub caller_spool: u64,
    /// How many bytes one caller may bring in to be kept within [`Settings::blob_retention`]; 0 is no limit.
    pub caller_kept: u64,
    /// How long the Bot API face keeps a caller waiting for Telegram's answer.
    pub bot_api_patience: Duration,
    /// How many event streams this process has open at a time; one caller may have half of them.
    pub event_streams: usize,
    /// How many notifications a courier holds unacked per lane (prefetch).
    pub window: u16,
    /// How many attempts that got an answer, or may have, before an error that passes becomes a failure.
    pub max_attempts: u32,
    /// How long a graceful shutdown may take: requests in flight finish, the rest goes back to the queue.
    pub grace_period: Duration,
    /// How long a finished notification can be asked about.
    pub record_retention: Duration,
    /// How long an image is kept after its last use.
    pub blob_retention: Duration,
    /// The log filter: `info`, or levels by target as `tracing_subscriber::filter::Targets` reads them.
    pub log: String,
    /// How log lines look.
    pub log_format: LogFormat,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For collectors, one JSON object a line.
    Json,
}
