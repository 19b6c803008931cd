//! What callbacks need: the secrets that they are signed with, and which receivers may be called.

use super::callback_secret::CallbackSecret;
use super::client::Client;
use crate::domain::ClientName;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What holds for the callbacks of all callers.
#[derive(Clone, Debug, Default)]
pub struct CallbackSettings {
    /// What the callbacks of everybody are signed with who has no secret of his own; without any, nobody without may have callbacks.
    pub secrets: Vec<CallbackSecret>,
    /// Whether receivers may have private addresses, of this machine and its networks.
    pub allow_private: bool,
}

/// The secrets of all who may have callbacks.
#[derive(Debug)]
pub struct CallbackSecrets {
    common: Vec<CallbackSecret>,
    of_clients: BTreeMap<ClientName, Vec<CallbackSecret>>,
}

impl CallbackSecrets {
    /// Those of the settings.
    pub fn new(settings: &CallbackSettings, clients: &[Arc<Client>]) -> Self {
        let own = clients.iter().filter(|client| !client.callback_secrets.is_empty());
        let of_clients = own.map(|client| (client.name.clone(), client.callback_secrets.clone())).collect();
        Self { common: settings.secrets.clone(), of_clients }
    }

    /// Those that the callbacks of a client are signed with, or of one without a name: its own, else those of all.
    pub fn of(&self, client: Option<&ClientName>) -> &[CallbackSecret] {
        client.and_then(|name| self.of_clients.get(name)).unwrap_or(&self.common)
    }
}
