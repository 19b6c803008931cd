//! What can be configured, typed and checked. [`environment`] is the only place that reads the environment.
//!
//! Our own code, because the libraries for layered configuration (`config`, `figment`) stop at the first error and repeat
//! the value that they cannot read. Here every mistake is told in one go, under the name by which whoever made it knows the
//! key (a key of the file, a variable, a flag), and no secret is repeated.

mod bot;
mod callback;
mod callback_secret;
mod client;
mod config_error;
mod engine;
mod keys;
mod layers;
mod live;
mod load;
mod model;
mod secret_files;
mod show;
mod sources;
mod value_reader;
mod whatsmate;

pub use bot::{Bot, Gateway, RateLimits, Registration, TelegramAccount, token_id};
pub use callback::{CallbackSecrets, CallbackSettings};
pub use callback_secret::CallbackSecret;
pub use client::{Client, KeyDigest, Scope};
pub use config_error::ConfigError;
pub use engine::{BlobLocation, DistributedSettings, EngineSettings, S3Bucket};
pub use keys::{BOT_KEYS, CLIENT_KEYS, KEYS, Masking, PREFIX, SettingKey};
pub use layers::{DEFAULTS, Flags};
pub use live::Live;
pub use load::{environment, load};
pub use model::{LogFormat, Settings};
pub use show::show;
pub use sources::Sources;
pub use whatsmate::{WhatsMateAccount, WhatsMateClient};
