//! What is measured: a program that takes notifications over HTTP and sends them to a Bot API, on data of its own.

use super::process::{Process, Server};
use crate::app::removal;
use crate::settings::{ConfigError, DistributedSettings, EngineSettings, Flags, load};
use anyhow::Context;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use tempfile::TempDir;

/// The token of the bot that sends.
pub const TOKEN: &str = "123456:ABC-DEF1234ghIkl-zyx57W2v1u123ew11";

/// What the folders of data are called, and the namespaces on brokers.
const PREFIX: &str = "pixcourier-bench-";

/// A program that can be measured.
pub trait Subject {
    /// As the table names it.
    fn name(&self) -> &'static str;

    /// Starts what must run beside it on the data of a folder.
    ///
    /// # Errors
    /// It cannot be started.
    fn start_beside(&self, _folder: &Path) -> anyhow::Result<Option<Process>> {
        Ok(None)
    }

    /// What starts it on the data of a folder, with this Bot API. Unless it `sends`, it takes in and hardly sends anything. Its
    /// first line ends with `http://` and where it listens.
    fn command(&self, folder: &Path, bot_api: &str, sends: bool) -> Command;
}

/// Data of a subject.
pub struct Data {
    _beside: Option<Process>,
    folder: PathBuf,
}

impl Data {
    /// Fresh ones, in a folder below this one. They stay there when this is dropped: ext4 looks at every inode that was freed within
    /// the last minutes and passes it over (`recently_deleted` in fs/ext4/ialloc.c), so files that are deleted slow down whatever
    /// makes files next.
    ///
    /// # Errors
    /// The folder cannot be made, or what must run beside the subject does not start.
    pub fn fresh(subject: &dyn Subject, below: &Path) -> anyhow::Result<Self> {
        let folder = temporary_folder(below)?.keep();
        Ok(Self { _beside: subject.start_beside(&folder)?, folder })
    }

    /// Starts the subject on them.
    ///
    /// # Errors
    /// It does not start.
    pub async fn start(&self, subject: &dyn Subject, bot_api: &str, sends: bool) -> anyhow::Result<Server> {
        let folder = &self.folder;
        Server::start(subject.command(folder, bot_api, sends), &folder.join("log")).await
    }
}

/// A folder that is deleted when it is dropped, below this one: the system's own for what is temporary is often in memory, where
/// nobody waits for a disk.
pub fn temporary_folder(below: &Path) -> anyhow::Result<TempDir> {
    let made = tempfile::Builder::new().prefix(PREFIX).tempdir_in(below);
    made.with_context(|| format!("make a folder in {}", below.display()))
}

/// This program.
pub struct Pixcourier {
    program: PathBuf,
    /// `amqp_url` and `redis_url` as `serve` reads them, if it shall run on these.
    brokers: BTreeMap<String, String>,
    /// Where on them it was.
    used: Mutex<Vec<DistributedSettings>>,
}

impl Pixcourier {
    /// A build of the program, on the engine that the variables in this environment choose.
    ///
    /// # Errors
    /// The variables are wrong.
    pub fn new(program: PathBuf, environment: &BTreeMap<String, String>) -> Result<Self, Vec<ConfigError>> {
        let is_broker = |name: &str| ["PIXCOURIER_AMQP_URL", "PIXCOURIER_REDIS_URL"].contains(&name);
        let brokers = environment.iter().filter(|(name, value)| is_broker(name) && !value.is_empty());
        let brokers = brokers.map(|(name, value)| (name.clone(), value.clone())).collect();
        let subject = Self { program, brokers, used: Mutex::default() };
        subject.parts_in(Path::new("/data"))?;
        Ok(subject)
    }

    /// The brokers that it runs on, with the namespace that the folder has there; nothing on the embedded engine.
    ///
    /// # Errors
    /// The variables are wrong.
    pub fn parts_in(&self, folder: &Path) -> Result<Option<DistributedSettings>, Vec<ConfigError>> {
        let settings = load(None, &self.environment(folder, "http://127.0.0.1:1", true), &Flags::default())?;
        match settings.engine {
            EngineSettings::Embedded => Ok(None),
            EngineSettings::Distributed(parts) => Ok(Some(*parts)),
        }
    }

    /// Removes from the brokers what it has left there.
    ///
    /// # Errors
    /// One of them does not answer.
    pub async fn remove_traces(&self) -> anyhow::Result<()> {
        let used = std::mem::take(&mut *self.used.lock().unwrap_or_else(PoisonError::into_inner));
        for parts in used {
            removal::remove(&parts).await.with_context(|| format!("remove the namespace {}", parts.namespace))?;
        }
        Ok(())
    }

    fn environment(&self, folder: &Path, bot_api: &str, sends: bool) -> BTreeMap<String, String> {
        let mut variables = self.brokers.clone();
        let mut set = |key: &str, value: String| _ = variables.insert(format!("PIXCOURIER_{key}"), value);
        set("LISTEN", "127.0.0.1:0".to_owned());
        set("DATA_DIR", folder.join("data").display().to_string());
        set("BOT_TOKEN", TOKEN.to_owned());
        set("BOT_API_URL", bot_api.to_owned());
        for limit in ["CHAT_RATE", "GROUP_RATE_PER_MINUTE", "CALLER_SPOOL_MB", "CALLER_KEPT_MB"] {
            set(limit, "0".to_owned());
        }
        set("BOT_RATE", if sends { "0" } else { "0.1" }.to_owned());
        if !self.brokers.is_empty() {
            let name = folder.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
            set("NAMESPACE", name.replace('.', ""));
            set("BLOB_URL", format!("file://{}", folder.join("blobs").display()));
        }
        variables
    }
}

impl Subject for Pixcourier {
    fn name(&self) -> &'static str {
        if self.brokers.is_empty() { "embedded" } else { "RabbitMQ + Redis" }
    }

    fn start_beside(&self, folder: &Path) -> anyhow::Result<Option<Process>> {
        let parts = self.parts_in(folder).ok().flatten();
        self.used.lock().unwrap_or_else(PoisonError::into_inner).extend(parts);
        Ok(None)
    }

    fn command(&self, folder: &Path, bot_api: &str, sends: bool) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("serve").env_clear().envs(self.environment(folder, bot_api, sends));
        command
    }
}
