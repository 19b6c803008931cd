//! What a courier works with.

use crate::ports::{Messenger, Ports};
use crate::settings::Bot;
use crate::telemetry::Metrics;
use std::sync::Arc;
use tokio::sync::watch;

/// What a courier and its attempts work with. Cheap to clone.
#[derive(Clone)]
pub struct CourierContext {
    /// The courier's bot.
    pub bot: Arc<Bot>,
    /// The ports of the engine: queue, ledger, blobs and so on.
    pub ports: Ports,
    /// The way out: the Bot API, or WhatsMate's gateway.
    pub messenger: Arc<dyn Messenger>,
    /// The metrics of this process.
    pub metrics: Arc<Metrics>,
    /// Whether the process is drained: then its couriers give up their bots in order, and take none.
    pub draining: watch::Receiver<bool>,
    /// How many attempts that got an answer, or may have, before a passing fault becomes a failure (`exhausted`).
    pub max_attempts: u32,
}

impl CourierContext {
    /// The bot's name, as a label of metrics and logs.
    pub(super) fn bot_label(&self) -> &str {
        self.bot.name.as_str()
    }
}
