//! What is looked at once after a start and told in the log, since it shows late otherwise: how Redis is set up, whether RabbitMQ is too
//! old, and whether Telegram takes the bots' tokens. None of it keeps the service from starting: it may be mended while it runs.

use super::engine::Engine;
use crate::domain::BotName;
use crate::ports::{Messenger, MessengerRequest};
use crate::settings::Settings;
use serde_json::Map;
use std::sync::Arc;
use std::time::Duration;

/// Between two tries, while Redis is away.
const RETRY_INTERVAL: Duration = Duration::from_secs(5);
/// How long Telegram may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Looks at all of it.
pub async fn run(engine: Engine, settings: Arc<Settings>, messenger: Arc<dyn Messenger>) {
    tokio::join!(look_at_redis(&engine), look_at_rabbitmq(&engine), look_at_tokens(&settings, &*messenger));
}

async fn look_at_rabbitmq(engine: &Engine) {
    engine.look_at_broker(|fault| tracing::error!(part = "queue", "RabbitMQ breaks the promise: {fault}")).await;
}

async fn look_at_redis(engine: &Engine) {
    loop {
        match engine.faults_of_set_up().await {
            Ok(faults) => {
                return faults
                    .iter()
                    .for_each(|fault| tracing::error!(part = "ledger", "Redis breaks the promise: {fault}"));
            }
            Err(_) => tokio::time::sleep(RETRY_INTERVAL).await,
        }
    }
}

/// One after the other, so that many bots make no burst.
async fn look_at_tokens(settings: &Settings, messenger: &dyn Messenger) {
    for bot in settings.bots.values().filter(|bot| bot.telegram().is_some()) {
        look_at_token(&bot.name, messenger).await;
    }
}

async fn look_at_token(bot: &BotName, messenger: &dyn Messenger) {
    let (method, params) = ("getMe".to_owned(), Map::new());
    let request = MessengerRequest { bot: bot.clone(), method, params, files: Vec::new(), timeout: ANSWER_TIMEOUT };
    match messenger.call(request).await {
        // 404 is what a token of no known form gets.
        Ok(answer) if matches!(answer.status, 401 | 404) => {
            tracing::error!(%bot, status = answer.status, "Telegram refuses the bot's token: what is posted for it will be held. Put in a valid one and send SIGHUP");
        }
        Ok(_) => {}
        Err(error) => tracing::warn!(%bot, %error, "Telegram does not answer: what is posted waits until it does"),
    }
}
