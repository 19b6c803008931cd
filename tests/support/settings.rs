//! Settings of a service under test, written once: every harness changes what it needs.

use pixcourier::domain::BotName;
use pixcourier::settings::{Bot, CallbackSettings, EngineSettings, LogFormat, RateLimits, Settings};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The token of the default bot.
pub const TOKEN: &str = "123456:ABC-DEF1234ghIkl-zyx57W2v1u123ew11";
/// A service without limits.
pub const NO_LIMITS: RateLimits = RateLimits { bot_rate: 0.0, chat_rate: 0.0, chat_burst: 3, group_rate_per_minute: 0 };

/// The embedded engine in this folder, and no bot yet.
pub fn settings(data_dir: PathBuf) -> Settings {
    Settings {
        listen: "127.0.0.1:0".parse().unwrap(),
        data_dir,
        engine: EngineSettings::Embedded,
        bots: [].into(),
        api_keys: Vec::new(),
        clients: Vec::new(),
        whatsmate_clients: Vec::new(),
        callbacks: CallbackSettings::default(),
        body_limit: 20 << 20,
        caller_spool: 0,
        caller_kept: 0,
        bot_api_patience: Duration::from_secs(50),
        event_streams: 10,
        window: 1000,
        max_attempts: 4,
        grace_period: Duration::from_secs(10),
        record_retention: Duration::from_secs(86_400 * 30),
        blob_retention: Duration::from_secs(86_400 * 7),
        log: "info".to_owned(),
        log_format: LogFormat::Text,
    }
}

/// Adds a bot, or puts it in the place of another one.
pub fn add_bot(settings: &mut Settings, name: &str, token: &str, bot_api: &str, limits: RateLimits) {
    let name: BotName = name.parse().unwrap();
    let bot = Bot::new(name.clone(), token.to_owned().into(), bot_api.to_owned(), limits).unwrap();
    settings.bots.insert(name, Arc::new(bot));
}
