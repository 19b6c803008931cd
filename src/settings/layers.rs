//! The layers laid over each other, still as text: defaults < file < environment < flags. Names are checked here,
//! values are not.

use super::config_error::ConfigError;
use super::keys::{
    KEYS, PREFIX, SettingKey, TABLE_GROUPS, TABLE_LISTS, TableGroup, is_secret_file, is_secret_file_of_table,
};
use crate::domain::BotName;
use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

/// The default settings as a commented file.
pub const DEFAULTS: &str = include_str!("defaults.toml");

/// What the command line says beside the file.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--listen`.
    pub listen: Option<String>,
}

/// A value as somebody wrote it.
#[derive(Clone, Debug)]
pub struct RawValue {
    /// One text, or several for a list.
    pub values: Vec<String>,
    /// Who wrote it.
    pub source: SettingSource,
}

/// Who wrote a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SettingSource {
    Default,
    File,
    Environment,
    Flag,
}

/// All values by their path: `listen`, `bots.alerts.token`.
#[derive(Debug, Default)]
pub struct Layers {
    pub values: BTreeMap<String, RawValue>,
    /// By group of tables (`bots`, `clients`, ...), who has a table of its own; all are named like bots.
    pub tables: BTreeMap<&'static str, BTreeSet<BotName>>,
    pub errors: Vec<ConfigError>,
    /// The paths whose values name files that hold secrets.
    pub secret_files: Vec<String>,
    /// Whether the file is not TOML, so that nothing can be said about what it leaves out.
    pub unreadable: bool,
}

impl Layers {
    /// Lays everything that was said over the defaults.
    pub fn gather(file: Option<&str>, env: &BTreeMap<String, String>, flags: &Flags) -> Self {
        let mut layers = Self::default();
        layers.file(DEFAULTS, SettingSource::Default);
        if let Some(text) = file {
            layers.file(text, SettingSource::File);
        }
        layers.environment(env);
        if let Some(listen) = &flags.listen {
            layers.set("listen", vec![listen.clone()], SettingSource::Flag);
        }
        layers
    }

    /// Who has a table of its own in a group of tables.
    pub fn names(&self, group: &str) -> BTreeSet<BotName> {
        self.tables.get(group).cloned().unwrap_or_default()
    }

    /// The name under which whoever wrote a value knows it.
    pub fn place(&self, path: &str) -> String {
        match self.values.get(path).map(|raw| raw.source) {
            Some(SettingSource::Environment) => format!("{PREFIX}{}", path.to_uppercase()),
            Some(SettingSource::Flag) => format!("--{path}"),
            _ => path.to_owned(),
        }
    }

    pub(super) fn set(&mut self, path: impl Into<String>, values: Vec<String>, source: SettingSource) {
        self.values.insert(path.into(), RawValue { values, source });
    }

    fn file(&mut self, text: &str, source: SettingSource) {
        let table = match toml::Table::from_str(text) {
            Ok(table) => table,
            Err(error) => {
                self.unreadable = true;
                return self.errors.push(syntax(text, &error));
            }
        };
        for (name, value) in table {
            match (SettingKey::named(&name), value) {
                (Some(key), value) => self.value(name, key.list, &value, source),
                (None, value) if is_secret_file(&name) => self.secret_file(name, &value, source),
                (None, value) => match TABLE_GROUPS.iter().find(|group| group.name == name) {
                    Some(group) => self.tables(group, value, source),
                    None => {
                        let names = KEYS.iter().map(|key| key.name).chain(TABLE_GROUPS.iter().map(|group| group.name));
                        self.errors.push(ConfigError::unknown(name, "key", names));
                    }
                },
            }
        }
    }

    /// The tables of a group, each with its keys and one table of its own.
    fn tables(&mut self, group: &'static TableGroup, value: toml::Value, source: SettingSource) {
        let TableGroup { name: group, what, keys, inner } = *group;
        let toml::Value::Table(tables) = value else {
            return self.errors.push(ConfigError::new(group, format!("expected tables [{group}.NAME]")));
        };
        for (name, value) in tables {
            let path = format!("{group}.{name}");
            let toml::Value::Table(table) = value else {
                self.errors.push(ConfigError::new(&path, format!("expected a table [{path}]")));
                continue;
            };
            match BotName::try_from(name) {
                Ok(name) => _ = self.tables.entry(group).or_default().insert(name),
                Err(_) => {
                    let message = format!("a {what} name is 1 to 64 characters of a-z, 0-9, _ and -");
                    self.errors.push(ConfigError::new(&path, message));
                }
            }
            for (key, value) in table {
                let path = format!("{path}.{key}");
                match value {
                    toml::Value::Table(entries) if key == inner => {
                        for (name, value) in entries {
                            self.value(format!("{path}.{name}"), false, &value, source);
                        }
                    }
                    _ if key == inner => self.errors.push(ConfigError::new(path, "expected a table")),
                    value if keys.contains(&key.as_str()) => {
                        self.value(path, TABLE_LISTS.contains(&key.as_str()), &value, source);
                    }
                    value if is_secret_file_of_table(&key, keys) => self.secret_file(path, &value, source),
                    _ => {
                        let names = keys.iter().copied().chain([inner]);
                        self.errors.push(ConfigError::unknown(path, &format!("key of a {what}"), names));
                    }
                }
            }
        }
    }

    fn value(&mut self, path: String, list: bool, value: &toml::Value, source: SettingSource) {
        let texts = match value {
            toml::Value::Array(items) if list => items.iter().map(scalar).collect(),
            toml::Value::String(text) if list => Some(split(text)),
            value => scalar(value).map(|text| vec![text]),
        };
        match texts {
            Some(texts) => self.set(path, texts, source),
            None if list => self.errors.push(ConfigError::new(path, "expected a text or an array of texts")),
            None => self.errors.push(ConfigError::new(path, "expected a text or a number")),
        }
    }

    fn secret_file(&mut self, path: String, value: &toml::Value, source: SettingSource) {
        self.value(path.clone(), false, value, source);
        self.secret_files.push(path);
    }

    /// An empty variable counts as not set: compose files and unit files cannot leave one out.
    fn environment(&mut self, env: &BTreeMap<String, String>) {
        for (variable, text) in env {
            let Some(name) = variable.strip_prefix(PREFIX).filter(|name| !is_of_others(name)) else { continue };
            match KEYS.iter().find(|key| key.variable() == *variable) {
                Some(_) if text.is_empty() => {}
                None if is_secret_file(&name.to_lowercase()) => {
                    let path = name.to_lowercase();
                    if !text.is_empty() {
                        self.set(path.clone(), vec![text.clone()], SettingSource::Environment);
                        self.secret_files.push(path);
                    }
                }
                Some(key) if key.list => self.set(key.name, split(text), SettingSource::Environment),
                Some(key) => self.set(key.name, vec![text.clone()], SettingSource::Environment),
                None if name.starts_with("BOTS") => self.errors.push(ConfigError::new(
                    variable,
                    "unknown variable; further bots go into the file given by --config, as [bots.NAME]",
                )),
                None if name.starts_with("CLIENTS") => self.errors.push(ConfigError::new(
                    variable,
                    "unknown variable; clients go into the file given by --config, as [clients.NAME]",
                )),
                None => {
                    let variables: Vec<String> = KEYS.iter().map(SettingKey::variable).collect();
                    let names = variables.iter().map(String::as_str);
                    self.errors.push(ConfigError::unknown(variable.clone(), "variable", names));
                }
            }
        }
    }
}

/// Variables that begin like ours and are no settings: the address that subcommands ask, those of our tests, and those that Kubernetes and Docker set in every
/// container beside a service named `pixcourier`.
fn is_of_others(name: &str) -> bool {
    name == "URL"
        || name.starts_with("TEST_")
        || name.starts_with("SERVICE_")
        || name == "PORT"
        || name.starts_with("PORT_")
}

pub(super) fn split(text: &str) -> Vec<String> {
    text.split(',').map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect()
}

fn scalar(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Float(number) => Some(number.to_string()),
        toml::Value::Boolean(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// An error in the file's syntax, by its line alone: the parser would show the line, which may hold a token.
fn syntax(text: &str, error: &toml::de::Error) -> ConfigError {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    ConfigError::new(format!("configuration file, line {line}"), error.message().trim().replace('\n', ", "))
}
