//! What can be configured, typed and checked. [`environment`] is the only place that reads the environment.

mod bot;
mod engine;
mod keys;
mod layers;
mod load;
mod problem;
mod reader;
mod show;
mod whatsmate;

pub use bot::{Bot, Gateway, Limits, Registration, Telegram, token_id};
pub use keys::{BOT_KEYS, KEYS, Key, PREFIX, Secret};
pub use layers::{DEFAULTS, Flags};
pub use load::{environment, load};
pub use problem::Problem;
pub use show::show;
pub use whatsmate::{WhatsMate, WhatsMateClient};

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
    pub engine: Engine,
    /// The bots by name, at least one.
    pub bots: BTreeMap<BotName, Arc<Bot>>,
    /// The keys that callers of the native API show; with none, `listen` must be a loopback address.
    pub api_keys: Vec<SecretString>,
    /// Who may call the WhatsMate face.
    pub whatsmate_clients: Vec<WhatsMateClient>,
    /// The largest request body in bytes.
    pub body_limit: u64,
    /// How long the Bot API face keeps a caller waiting for Telegram's answer.
    pub bot_api_patience: Duration,
    /// How many notifications a courier holds unacked per lane.
    pub window: u16,
    /// How many attempts that got an answer, or may have, before a passing fault becomes a failure.
    pub max_attempts: u32,
    /// How long the stop may take: requests in flight finish, the rest is released.
    pub grace_period: Duration,
    /// How long a finished notification can be asked about.
    pub record_retention: Duration,
    /// How long an image is kept after its last use.
    pub blob_retention: Duration,
    /// The log filter, `info` or in the syntax of `tracing_subscriber::EnvFilter`.
    pub log: String,
    /// How log lines look.
    pub log_format: LogFormat,
}

/// The engine and what it needs.
#[derive(Clone, Debug)]
pub enum Engine {
    /// One process, one SQLite file in `data_dir`.
    Embedded,
    /// RabbitMQ, Redis and an object store.
    Distributed(Distributed),
}

/// What the distributed engine needs.
#[derive(Clone, Debug)]
pub struct Distributed {
    /// Broker addresses (`amqp://` or `amqps://`), tried in rotation.
    pub amqp_urls: Vec<SecretString>,
    /// The ledger (`redis://` or `rediss://`).
    pub redis_url: SecretString,
    /// Where image bytes live.
    pub blobs: BlobLocation,
    /// Put in front of every queue, exchange and key, so that installations can share servers.
    pub namespace: String,
}

/// Where the distributed engine keeps image bytes.
#[derive(Clone, Debug)]
pub enum BlobLocation {
    /// A folder that all processes share (`file:///…`).
    Folder(PathBuf),
    /// A bucket of S3 or of something that speaks its protocol (`s3://bucket/prefix`).
    S3(S3),
}

/// A bucket and how to reach it.
#[derive(Clone, Debug)]
pub struct S3 {
    /// The bucket.
    pub bucket: String,
    /// Put in front of every object's name, without slashes at its ends.
    pub prefix: String,
    /// The server, for other than Amazon's own; `http://` is allowed.
    pub endpoint: Option<String>,
    /// The region.
    pub region: String,
    /// The access key's id.
    pub access_key_id: Option<SecretString>,
    /// The access key's secret.
    pub secret_access_key: Option<SecretString>,
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
