//! How updates come: by long polling, or by a webhook that is set here and served by the HTTP server (`/webhook/NAME`).

use super::registrar::{Registrar, RegistrationError};
use crate::backoff::BackoffPolicy;
use crate::settings::Registration;
use secrecy::ExposeSecret;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// How often an update is tried while Telegram refuses or does not answer. Then it is passed over: one that can never be dealt with
/// must not hold back all others.
const MAX_UPDATE_ATTEMPTS: u32 = 8;
/// Between two tries after an error. The least pause is what Telegram holds a repeated poll for (Bot API server).
const RETRY_BACKOFF: BackoffPolicy = BackoffPolicy::new(Duration::from_secs(1), Duration::from_secs(60))
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
            () = registrar.read_updates() => {}
        }
    }
}

impl Registrar {
    /// Never ends. It may be stopped at any point: updates that are not confirmed come again.
    async fn read_updates(&self) {
        self.retry_until_done("introduce itself", || self.introduce()).await;
        match self.bot.registration() {
            Registration::Off => std::future::pending().await,
            Registration::Polling => {
                self.retry_until_done("remove the webhook", || self.remove_webhook()).await;
                self.poll().await;
            }
            Registration::Webhook { url, secret } => {
                self.retry_until_done("set the webhook", || self.set_webhook(url, secret.expose_secret())).await;
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
                        self.handle_until_done(&update).await;
                        offset = update["update_id"].as_i64().map(|id| id + 1).or(offset);
                    }
                }
                Err(error) => {
                    faults += 1;
                    self.log_and_wait("read the bot's updates", &error, faults).await;
                }
            }
        }
    }

    /// Tries until it is done; gives up only on what Telegram will not do.
    async fn handle_until_done(&self, update: &Value) {
        let mut faults = 0;
        while let Err(error) = self.handle(update).await {
            faults += 1;
            if matches!(error, RegistrationError::Telegram(_)) && faults >= MAX_UPDATE_ATTEMPTS {
                tracing::error!(bot = %self.bot.name, %error, "an update is passed over");
                return;
            }
            self.log_and_wait("deal with an update", &error, faults).await;
        }
    }

    async fn retry_until_done<F: Future<Output = Result<(), RegistrationError>>>(
        &self,
        what: &str,
        attempt: impl Fn() -> F,
    ) {
        let mut faults = 0;
        while let Err(error) = attempt().await {
            faults += 1;
            self.log_and_wait(what, &error, faults).await;
        }
    }

    /// Logs an error and waits: exponential backoff with jitter.
    async fn log_and_wait(&self, what: &str, error: &RegistrationError, faults: u32) {
        tracing::warn!(bot = %self.bot.name, %error, faults, "registration cannot {what} yet");
        sleep(RETRY_BACKOFF.pause(faults, fastrand::f64())).await;
    }
}
