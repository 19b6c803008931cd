//! Starts the couriers of a process that delivers, and the tasks that go with them.

use super::{App, sweeper};
use crate::delivery::{Courier, CourierContext};
use crate::registration;
use tokio::task::JoinSet;

impl App {
    /// Starts a courier for every bot, which returns how many attempts its end interrupted; the registration of every bot
    /// that has one; the sweeper; what tells receivers; and what records dead letters.
    pub(super) fn start_delivery(&self) -> JoinSet<usize> {
        let mut couriers = JoinSet::new();
        for bot in self.settings.bots.values() {
            let context = CourierContext {
                bot: bot.clone(),
                ports: self.engine.ports.clone(),
                messenger: self.messenger.clone(),
                metrics: self.metrics.clone(),
                draining: self.draining.subscribe(),
                max_attempts: self.settings.max_attempts,
            };
            let courier = Courier::new(context, self.settings.window);
            if let Some(registrar) = self.registrars.get(&bot.name) {
                let reading = registration::run(registrar.clone(), courier.owned(), self.halt.clone());
                couriers.spawn(async {
                    reading.await;
                    0
                });
            }
            couriers.spawn(courier.run(self.halt.clone(), self.settings.grace_period));
        }
        self.background.spawn(sweeper::run(
            self.engine.clone(),
            self.settings.clone(),
            self.metrics.clone(),
            self.halt.clone(),
        ));
        self.background.spawn(self.callback_sender.clone().run(self.halt.clone()));
        if let Some(recording) = self.engine.record_dead_letters(self.metrics.clone(), self.halt.clone()) {
            self.background.spawn(recording);
        }
        couriers
    }
}
