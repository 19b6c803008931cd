//! One attack from its beginning to its end, and its row of the table.

use super::bystander::{Bystander, Sightings};
use super::target::Target;
use super::{ANSWER_TIME, MEMORY_KB};
use crate::process;
use crate::sandbox::{self, Sandbox};
use crate::service::{Engine, Service};
use crate::wait;
use std::time::Duration;

/// How long the other caller goes on posting when the attacker is done: what it left behind may still be worked on.
const AFTERMATH: Duration = Duration::from_secs(2);
/// How long what the other caller has posted may take to arrive.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(60);

/// An attack that is about to begin.
pub struct Siege {
    name: &'static str,
    engine: Engine,
    descriptors: Option<u32>,
}

impl Siege {
    /// The name is that in the table.
    pub fn of(name: &'static str) -> Self {
        Self { name, engine: Engine::Embedded, descriptors: None }
    }

    /// On this engine instead of the embedded one.
    pub fn on(self, engine: Engine) -> Self {
        Self { engine, ..self }
    }

    /// With no more descriptors than these, as `ulimit -n` sets it.
    pub fn descriptors(self, limit: u32) -> Self {
        Self { descriptors: Some(limit), ..self }
    }

    /// Runs it, prints its row, and judges it.
    pub async fn by(self, attack: impl AsyncFnOnce(&Target)) {
        let sandbox = sandbox::start();
        let mut service = Service::new("attacks", self.engine.clone(), &sandbox.url());
        service.limit_descriptors(self.descriptors);
        service.start().await;
        let bystander = Bystander::begin(&service);
        bystander.posted(5).await;
        let target = Target::new(&service);
        attack(&target).await;
        tokio::time::sleep(AFTERMATH).await;
        let sightings = bystander.end().await;
        drop(target);
        self.judge(&service, &sandbox, &sightings).await;
    }

    async fn judge(&self, service: &Service, sandbox: &Sandbox, sightings: &Sightings) {
        let peak = service.process().memory("VmHWM");
        println!(
            "| {} | {} | {:.0} ms | {:.0} ms | {} of {} | {} MB | {} |",
            self.name,
            self.engine.name(),
            sightings.median().as_secs_f64() * 1e3,
            sightings.worst().as_secs_f64() * 1e3,
            sightings.accepted.len(),
            sightings.times.len(),
            peak / 1000,
            sightings.descriptors,
        );
        if process::is_another_build() {
            return;
        }
        assert!(sightings.refused.is_empty(), "another caller was refused: {:?}", sightings.refused);
        assert!(sightings.worst() < ANSWER_TIME, "another caller waited for {:?}", sightings.worst());
        assert!(peak > 0 && peak < MEMORY_KB, "{peak} kB of memory, {MEMORY_KB} at most");
        wait::until_ok("what another caller posted to arrive", DELIVERY_TIMEOUT, async || {
            let arrived = sandbox::arrivals(sandbox);
            let missing = sightings.accepted.iter().filter(|caption| !arrived.contains_key(*caption)).count();
            if missing == 0 { Ok(()) } else { Err(format!("{missing} are missing")) }
        })
        .await;
    }
}
