//! What the configuration is written in, kept as it was read, so that a reload can tell what has changed.

use super::config_error::ConfigError;
use super::layers::Flags;
use super::load::load;
use super::model::Settings;
use super::secret_files;
use super::show::show;
use crate::domain::BotName;
use std::collections::{BTreeMap, BTreeSet};

/// A file, the environment and flags. Holds secrets, so it is never printed.
#[derive(Clone, Default)]
pub struct Sources {
    /// The text of the file, if there is one.
    pub file: Option<String>,
    /// The environment.
    pub env: BTreeMap<String, String>,
    /// The flags.
    pub flags: Flags,
}

impl Sources {
    /// The settings that they come to.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn load(&self) -> Result<Settings, Vec<ConfigError>> {
        load(self.file.as_deref(), &self.env, &self.flags)
    }

    /// The same as text, without secrets.
    ///
    /// # Errors
    /// As [`Sources::load`].
    pub fn show(&self) -> Result<String, Vec<ConfigError>> {
        show(self.file.as_deref(), &self.env, &self.flags)
    }

    /// The keys that other sources set differently and that take effect only at a start. Tokens of the bots that run, and
    /// whatever says who may call, are not among them.
    pub fn waiting_for_restart(&self, changed: &Self, running: &BTreeSet<BotName>) -> Vec<String> {
        let gather =
            |sources: &Self| secret_files::gather(sources.file.as_deref(), &sources.env, &sources.flags).values;
        let (old, new) = (gather(self), gather(changed));
        let written = |values: &BTreeMap<String, _>| values.keys().cloned().collect::<BTreeSet<String>>();
        let paths = &written(&old) | &written(&new);
        let differs = |path: &String| old.get(path).map(|raw| &raw.values) != new.get(path).map(|raw| &raw.values);
        paths.into_iter().filter(|path| differs(path) && !takes_effect_at_once(path, running)).collect()
    }
}

/// Whether a reload puts the value at a path into effect.
fn takes_effect_at_once(path: &str, running: &BTreeSet<BotName>) -> bool {
    let runs = |bot: &str| running.iter().any(|name| name.as_str() == bot);
    match path {
        "api_keys" | "callback_secret" => true,
        "bot_token" | "bot_client_tokens" => runs(BotName::default_bot().as_str()),
        path if path.starts_with("whatsmate_") || path.starts_with("clients.") => true,
        path => match path.split('.').collect::<Vec<_>>()[..] {
            ["bots", bot, "token" | "client_tokens"] => runs(bot),
            _ => false,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reload_names_what_waits_for_a_restart() {
        let with = |text: &str| Sources { file: Some(text.to_owned()), ..Sources::default() };
        let started = with(
            "bot_token = \"1:a\"\nwindow = 10\napi_keys = [\"a\"]\n[bots.one]\ntoken = \"2:a\"\nbot_rate = 3\n[clients.a]\nkey = \"a\"\n",
        );
        let changed = with(
            "bot_token = \"1:b\"\nwindow = 20\napi_keys = [\"b\"]\nlog = \"debug\"\n[bots.one]\ntoken = \"2:b\"\n\
             [bots.two]\ntoken = \"3:a\"\n[clients.b]\nkey_sha256 = \"b\"\ntokens.one = \"7:x\"\n",
        );
        let running: BTreeSet<BotName> = ["default", "one"].map(|name| name.parse().unwrap()).into();
        let waiting = started.waiting_for_restart(&changed, &running);
        assert_eq!(waiting, ["bots.one.bot_rate", "bots.two.token", "log", "window"]);
        assert!(started.waiting_for_restart(&started, &running).is_empty());
    }
}
