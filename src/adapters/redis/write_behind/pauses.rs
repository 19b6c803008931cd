//! The port for what operators have paused.

use super::ledger::WriteBehindLedger;
use crate::domain::{Pause, PauseList, PauseTarget};
use crate::ports::{LedgerError, Paused, Pauses};
use async_trait::async_trait;
use std::sync::Arc;
use tokio::sync::watch;

#[async_trait]
impl Pauses for WriteBehindLedger {
    async fn pause(&self, target: &PauseTarget, pause: &Pause) -> Result<Paused, LedgerError> {
        let paused = self.ask(self.redis().pause(target, pause)).await?;
        self.pauses.look();
        Ok(paused)
    }

    async fn resume(&self, target: &PauseTarget) -> Result<Option<Pause>, LedgerError> {
        let resumed = self.ask(self.redis().resume(target)).await?;
        self.pauses.look();
        Ok(resumed)
    }

    async fn list(&self) -> Result<PauseList, LedgerError> {
        self.ask(self.redis().pauses()).await
    }

    fn known(&self) -> watch::Receiver<Arc<PauseList>> {
        self.pauses.watch()
    }
}
