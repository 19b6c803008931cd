//! The flags that say where the configuration comes from.

use super::error::InvalidConfigError;
use crate::settings::{ConfigError, Flags, Settings, Sources, environment};
use std::path::PathBuf;

#[derive(Clone, clap::Args)]
pub struct ConfigArgs {
    /// The configuration file (TOML); `check-config --print-defaults` prints one to start from.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where to listen, instead of what file and environment say.
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<String>,
}

impl ConfigArgs {
    /// The settings of this process.
    pub fn load(&self) -> anyhow::Result<Settings> {
        Ok(self.sources()?.load().map_err(InvalidConfigError)?)
    }

    /// The effective configuration as text.
    pub fn show(&self) -> anyhow::Result<String> {
        Ok(self.sources()?.show().map_err(InvalidConfigError)?)
    }

    /// What the configuration is written in, as it is now.
    pub fn sources(&self) -> Result<Sources, InvalidConfigError> {
        Ok(Sources { file: self.file()?, env: environment(), flags: self.flags() })
    }

    fn flags(&self) -> Flags {
        Flags { listen: self.listen.clone() }
    }

    fn file(&self) -> Result<Option<String>, InvalidConfigError> {
        let Some(path) = &self.config else { return Ok(None) };
        let unreadable =
            |error| InvalidConfigError(vec![ConfigError::new(format!("--config {}", path.display()), error)]);
        std::fs::read_to_string(path).map(Some).map_err(|error| unreadable(error.to_string()))
    }
}
