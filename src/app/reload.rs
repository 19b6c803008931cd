//! Reload: a changed configuration is put into effect while the process runs, as far as it says who may call and with which
//! tokens bots send. All of it or, when something is wrong, nothing.

use super::routes::FaceStates;
use crate::domain::BotName;
use crate::http::callers::Callers;
use crate::settings::{Bot, CallbackSecrets, ConfigError, Live, Settings, TelegramAccount};
use secrecy::{ExposeSecret, SecretString};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

/// Puts a changed configuration into effect. Cheap to clone.
#[derive(Clone)]
pub struct Reloader {
    running: Arc<Settings>,
    address: SocketAddr,
    callers: Live<Callers>,
    callback_secrets: Live<CallbackSecrets>,
    faces: FaceStates,
}

impl Reloader {
    /// For a process that runs with these settings and listens on this address.
    pub(super) fn new(
        running: Arc<Settings>,
        address: SocketAddr,
        callers: Live<Callers>,
        callback_secrets: Live<CallbackSecrets>,
        faces: FaceStates,
    ) -> Self {
        Self { running, address, callers, callback_secrets, faces }
    }

    /// The names of the bots that run and that these settings have too, whose tokens can be replaced.
    pub fn bots_kept(&self, settings: &Settings) -> BTreeSet<BotName> {
        self.running.bots.keys().filter(|name| settings.bots.contains_key(name)).cloned().collect()
    }

    /// Takes API keys, clients, tokens and the secrets of callbacks from these settings, at once and for all requests that begin from now on, calls to
    /// Telegram included. What else they change waits for a restart.
    ///
    /// # Errors
    /// What cannot be while the process runs; then nothing is changed.
    pub fn apply(&self, settings: &Settings) -> Result<(), Vec<ConfigError>> {
        let errors = self.errors(settings);
        if !errors.is_empty() {
            return Err(errors);
        }
        // One that is configured no more sends what was accepted for it until the restart, but no token opens it.
        let bots = self.running.bots.iter().filter_map(|(name, bot)| {
            let changed = settings.bots.get(name)?.telegram()?;
            Some((name.clone(), with_tokens(bot, changed)))
        });
        let bots: BTreeMap<BotName, Arc<Bot>> = bots.collect();
        let callers = self.callers.get().changed(settings);
        self.faces.bot_api.replace_tokens(&bots, callers.clients());
        self.faces.whatsmate.replace(&settings.whatsmate_clients);
        self.callback_secrets.replace(CallbackSecrets::new(&settings.callbacks, &settings.clients));
        self.callers.replace(callers);
        Ok(())
    }

    fn errors(&self, settings: &Settings) -> Vec<ConfigError> {
        let mut errors = Vec::new();
        let has_keys = !settings.api_keys.is_empty() || !settings.clients.is_empty();
        if !has_keys && !self.address.ip().is_loopback() {
            let message = format!("{} can be reached from other machines: keep a key", self.address);
            errors.push(ConfigError::new("api_keys", message));
        }
        for (name, bot) in &self.running.bots {
            let ids = (bot.telegram(), settings.bots.get(name).and_then(|bot| bot.telegram()));
            if let (Some(TelegramAccount { id, .. }), Some(TelegramAccount { id: other, .. })) = ids
                && id != other
            {
                let message = format!(
                    "its token is that of another bot ({other} in place of {id}), whose chats and limits are others: \
                     give that one a name of its own, or restart"
                );
                errors.push(ConfigError::new(format!("the bot {name}"), message));
            }
        }
        errors
    }
}

/// A bot that runs, with the tokens of its changed account. Whoever sends for it has the new token at once.
fn with_tokens(bot: &Arc<Bot>, changed: &TelegramAccount) -> Arc<Bot> {
    let client_tokens = changed.client_tokens.clone();
    if let Some(telegram) = bot.telegram() {
        let (old, new) = (telegram.token.get(), changed.token.get());
        if old.expose_secret() != new.expose_secret() {
            tracing::info!(bot = %bot.name, "its token is replaced");
            telegram.token.replace(SecretString::clone(&new));
        }
    }
    Arc::new(Bot::clone(bot).with(|telegram| telegram.client_tokens = client_tokens))
}
