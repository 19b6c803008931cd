//! A service that goes on when the process that owns the bot ends: on the embedded engine because it starts again, on the
//! distributed one because a second process stands by.

use super::WAIT_TIMEOUT;
use crate::load::Client;
use crate::service::{Engine, Service};
use crate::wait;
use std::time::Duration;

const STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// How the process ends that owns the bot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// As by the power cord.
    Killed,
    /// In order, by SIGTERM.
    Stopped,
}

/// The processes of one service.
pub struct Installation {
    processes: Vec<Service>,
    owner: usize,
}

impl Installation {
    /// Starts the processes, set up by `configure`; returns when one owns the bot.
    pub async fn start(test: &str, engine: Engine, bot_api: &str, configure: impl FnOnce(&mut Service)) -> Self {
        let mut first = Service::new(test, engine, bot_api);
        configure(&mut first);
        first.start().await;
        wait::until_true("an owner", WAIT_TIMEOUT, async || first.owns().await).await;
        let mut processes = vec![first];
        if let Engine::DistributedSettings { .. } = processes[0].engine {
            let mut second = processes[0].peer(&format!("{test}-stand-by"));
            second.start().await;
            processes.push(second);
        }
        Self { processes, owner: 0 }
    }

    /// Changes how the processes are set up, all but the owner at once, and the owner from its next start on.
    pub async fn change(&mut self, configure: impl Fn(&mut Service)) {
        for (number, process) in self.processes.iter_mut().enumerate() {
            configure(process);
            if number != self.owner {
                process.process().terminate();
                process.end(STOP_TIMEOUT).await;
                process.start().await;
            }
        }
    }

    /// The process that owns the bot.
    pub fn owner(&self) -> &Service {
        &self.processes[self.owner]
    }

    pub fn client(&self) -> Client {
        self.owner().client()
    }

    /// Ends the owner, and returns when the bot has one again and all processes run.
    pub async fn end_owner(&mut self, end: End) {
        let ended = &mut self.processes[self.owner];
        match end {
            End::Killed => ended.kill9(),
            End::Stopped => {
                ended.process().terminate();
                assert_eq!(ended.end(STOP_TIMEOUT).await.code(), Some(0));
            }
        }
        let last = self.owner;
        self.owner = (last + 1) % self.processes.len();
        if self.owner == last {
            self.processes[last].start().await;
        }
        let owner = self.owner();
        wait::until_true("the next owner", WAIT_TIMEOUT, async || owner.owns().await).await;
        if self.owner != last {
            self.processes[last].start().await;
        }
    }
}
