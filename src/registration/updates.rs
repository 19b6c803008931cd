//! How updates come: by long polling, or by a webhook that is set here and served by the counter.

use super::{Registrar, Trouble};
use crate::backoff::BackoffPolicy;
use crate::settings::Registration;
use secrecy::ExposeSecret;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// After how many faults of Telegram's in a row an update is passed over: one that can never be dealt with must not
/// hold back all others.
const ATTEMPTS: u32 = 8;
/// Between two tries after a fault. The least pause is what Telegram holds a repeated poll for (Bot API server).
const BACKOFF: BackoffPolicy = BackoffPolicy::new(Duration::from_secs(1), Duration::from_secs(60))
    .with_jitter(1.0)
    .with_min(Duration::from_secs(3));

/// Reads a bot's updates whenever this process owns the bot, until told to stop or until the courier ends.
pub async fn run(registrar: Arc<Registrar>, mut owned: watch::Receiver<bool>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            now = owned.wait_for(|owned| *owned) => if now.is_err() { return },
        }
        tokio::select! {
            () = stop.cancelled() => return,
            gone = owned.wait_for(|owned| !owned) => if gone.is_err() { return },
            () = registrar.read() => {}
        }
    }
}

impl Registrar {
    /// Never ends; what is cut off comes again.
    async fn read(&self) {
        self.insist("introduce itself", || self.introduce()).await;
        match self.bot.registration() {
            Registration::Off => std::future::pending().await,
            Registration::Polling => {
                self.insist("remove the webhook", || self.remove_webhook()).await;
                self.poll().await;
            }
            Registration::Webhook { url, secret } => {
                self.insist("set the webhook", || self.set_webhook(url, secret.expose_secret())).await;
                std::future::pending().await
            }
        }
    }

    async fn poll(&self) {
        let (mut offset, mut faults) = (None, 0);
        loop {
            match self.updates(offset).await {
                Ok(updates) => {
                    faults = 0;
                    for update in updates {
                        self.deal_with(&update).await;
                        offset = update["update_id"].as_i64().map(|id| id + 1).or(offset);
                    }
                }
                Err(trouble) => {
                    faults += 1;
                    self.complain("read the bot's updates", &trouble, faults).await;
                }
            }
        }
    }

    /// Tries until it is done; gives up only on what Telegram will not do.
    async fn deal_with(&self, update: &Value) {
        let mut faults = 0;
        while let Err(trouble) = self.handle(update).await {
            faults += 1;
            if matches!(trouble, Trouble::Telegram(_)) && faults >= ATTEMPTS {
                tracing::error!(bot = %self.bot.name, %trouble, "an update is passed over");
                return;
            }
            self.complain("deal with an update", &trouble, faults).await;
        }
    }

    async fn insist<F: Future<Output = Result<(), Trouble>>>(&self, what: &str, attempt: impl Fn() -> F) {
        let mut faults = 0;
        while let Err(trouble) = attempt().await {
            faults += 1;
            self.complain(what, &trouble, faults).await;
        }
    }

    /// Says it and waits a while.
    async fn complain(&self, what: &str, trouble: &Trouble, faults: u32) {
        tracing::warn!(bot = %self.bot.name, %trouble, faults, "registration cannot {what} yet");
        sleep(BACKOFF.pause(faults, fastrand::f64())).await;
    }
}
