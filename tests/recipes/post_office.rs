//! The program as a service, a sandbox behind it, and a folder in which a recipe is run.

use crate::bot_api::clients::run_command;
use crate::support::program::Program;
use crate::support::wait::{WAIT_TIMEOUT, until_ok};
use pixcourier::sandbox::{MessageFilter, Sandbox, SandboxMessage, SandboxOptions};
use reqwest::Client;
use serde_json::Value;
use std::ffi::OsStr;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// As the document names the service.
const ADDRESS: &str = "127.0.0.1:8080";

/// See the module.
pub struct PostOffice {
    sandbox: Sandbox,
    service: Program,
    key: String,
    folder: TempDir,
}

impl PostOffice {
    /// Starts them with further settings of the service.
    pub fn open(settings: &[(&str, &str)]) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let sandbox = Sandbox::start(TcpListener::bind("127.0.0.1:0").unwrap(), SandboxOptions::default()).unwrap();
        let service = Program::serve(&sandbox.url(), settings, Stdio::null());
        let key = settings.iter().find(|(name, _)| *name == "PIXCOURIER_API_KEYS").map_or("", |(_, key)| key);
        Self { sandbox, service, key: key.to_owned(), folder: tempfile::tempdir().unwrap() }
    }

    /// The text of a recipe with the address of this service.
    pub fn here(&self, recipe: &str) -> String {
        assert!(recipe.contains(ADDRESS), "it names no service:\n{recipe}");
        recipe.replace(ADDRESS, self.service.url.trim_start_matches("http://"))
    }

    /// Where recipes run, and their home.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A program in the folder, with an empty environment but for what is needed to run and the address of the service.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", self.folder());
        command.env("PIXCOURIER_URL", &self.service.url).current_dir(self.folder()).stdin(Stdio::null());
        command
    }

    /// A PATH on which a program of this text is found first.
    pub fn install(&self, name: &str, text: &str) -> String {
        let programs = self.folder().join("programs");
        std::fs::create_dir(&programs).unwrap();
        std::fs::write(programs.join(name), text).unwrap();
        std::fs::set_permissions(programs.join(name), std::fs::Permissions::from_mode(0o755)).unwrap();
        self.path_with(&programs)
    }

    /// The PATH with this folder in front.
    pub fn path_with(&self, programs: &Path) -> String {
        format!("{}:{}", programs.display(), std::env::var("PATH").unwrap())
    }

    /// Runs a command that must succeed; what it prints.
    pub async fn run(&self, command: Command) -> String {
        run_command(command).await
    }

    /// Waits until all that was accepted is sent, which must be one; as the sandbox has it.
    pub async fn only_message(&self) -> SandboxMessage {
        until_ok("one notification that is sent", WAIT_TIMEOUT, async || {
            let listed = Client::new().get(format!("{}/v1/notifications", self.service.url)).bearer_auth(&self.key);
            let listed: Value = listed.send().await.unwrap().json().await.unwrap();
            match listed["notifications"].as_array().map(Vec::as_slice) {
                Some([one]) if one["status"] == "sent" => Ok(()),
                _ => Err(format!("{listed:#}")),
            }
        })
        .await;
        let mut messages = self.sandbox.messages(&MessageFilter::default());
        assert_eq!(messages.len(), 1, "{messages:#?}");
        messages.remove(0)
    }
}
