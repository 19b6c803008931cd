//! Every key there is, once: names are checked against this table, and a test compares the README with it.

/// A key of the configuration file. The same name in upper case behind [`PREFIX`] is its environment variable.
#[derive(Debug)]
pub struct SettingKey {
    /// The name in the file.
    pub name: &'static str,
    /// What holds when nobody says otherwise, as text; empty for "not set".
    pub default: &'static str,
    /// What it means, in one line.
    pub meaning: &'static str,
    /// How much of its value is masked when it is shown.
    pub masking: Masking,
    /// Whether it takes several values: an array in the file, separated by commas elsewhere.
    pub list: bool,
}

/// How much of a value is masked when it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Masking {
    /// Nothing.
    None,
    /// User, password and query of a URL.
    UrlCredentials,
    /// All of it.
    Whole,
}

/// What the environment variables begin with.
pub const PREFIX: &str = "PIXCOURIER_";

const fn key(name: &'static str, default: &'static str, meaning: &'static str) -> SettingKey {
    SettingKey { name, default, meaning, masking: Masking::None, list: false }
}

const fn url(name: &'static str, default: &'static str, meaning: &'static str) -> SettingKey {
    SettingKey { name, default, meaning, masking: Masking::UrlCredentials, list: false }
}

const fn secret(name: &'static str, meaning: &'static str) -> SettingKey {
    SettingKey { name, default: "", meaning, masking: Masking::Whole, list: false }
}

/// The keys at the top of the file, in the order of the default file.
pub static KEYS: &[SettingKey] = &[
    key("listen", "127.0.0.1:8080", "Address and port of the HTTP API; port 0 takes a free one"),
    SettingKey {
        list: true,
        ..secret(
            "api_keys",
            "Keys for callers (16+ characters, several allowed); without any, `listen` must be loopback",
        )
    },
    key("data_dir", "pixcourier-data", "Folder of the embedded engine's database and of uploads on their way"),
    secret("bot_token", "Token of the bot named `default`, as BotFather gives it"),
    url("bot_api_url", "https://api.telegram.org", "Bot API server; may hold `{token}` and `{method}`"),
    SettingKey {
        list: true,
        ..secret(
            "bot_client_tokens",
            "Tokens of yours (`<digits>:<24+ characters>`) that stand for the bot `default` at the Bot API face",
        )
    },
    key(
        "bot_api_local",
        "false",
        "Whether that server is a local one on a shared disk: `file://`, files up to 2000 MB",
    ),
    key(
        "bot_api_patience_seconds",
        "50",
        "How long the Bot API face keeps a caller waiting for its message to be sent",
    ),
    key("bot_rate", "30", "Messages per second of one bot over all chats; 0 for no limit"),
    key("chat_rate", "1", "Messages per second to one chat; 0 for no limit"),
    key("chat_burst", "3", "Messages at once to one private chat, after as many seconds of silence"),
    key("group_rate_per_minute", "20", "Messages per minute to one group or channel; 0 for no limit"),
    key("registration", "off", "How people register their numbers with a bot: `off`, `polling` or `webhook`"),
    secret("registration_secret", "What Telegram shows when it calls the webhook: 16 to 256 of `A-Za-z0-9_-`"),
    url("public_url", "", "Where Telegram reaches this service for webhooks, `https://` on port 443, 80, 88 or 8443"),
    key(
        "whatsmate_client_id",
        "",
        "Who calls the WhatsMate face, as `X-WM-CLIENT-ID` says; more in `[whatsmate_clients.NAME]`",
    ),
    secret("whatsmate_client_secret", "What that client shows as `X-WM-CLIENT-SECRET`, 12+ characters"),
    key("whatsmate_instance", "1", "The instance number by which that client means the bot `default`"),
    SettingKey {
        list: true,
        ..url(
            "amqp_url",
            "",
            "RabbitMQ, `amqp://` or `amqps://` (several nodes allowed); selects the distributed engine",
        )
    },
    url("redis_url", "", "Redis of the distributed engine, `redis://` or `rediss://`"),
    url(
        "blob_url",
        "",
        "Images of the distributed engine: `file:///folder` shared by all processes, or `s3://bucket/prefix`",
    ),
    url("s3_endpoint", "", "S3-compatible server, for other than Amazon's own"),
    key("s3_region", "us-east-1", "Region of the bucket"),
    secret("s3_access_key_id", "Access key of the bucket"),
    secret("s3_secret_access_key", "Secret of that access key"),
    key("ca_file", "", "Certificates (PEM) of authorities to trust for `amqps://`, `rediss://` and `s3_endpoint`"),
    key(
        "namespace",
        "pixcourier",
        "Put in front of every queue, exchange and key, so that installations can share servers",
    ),
    SettingKey {
        list: true,
        ..secret(
            "callback_secret",
            "What callbacks are signed with, `whsec_` and 24 to 64 bytes in base64 (several allowed while one is replaced)",
        )
    },
    key("callback_allow_private", "false", "Whether callbacks may go to private addresses, such as `127.0.0.1`"),
    key("body_limit_mb", "72", "Largest request body in MiB; a 50 MB file takes 67 as base64"),
    key("caller_spool_mb", "4096", "How many MiB one caller may upload at a time; 0 for no limit"),
    key(
        "caller_kept_mb",
        "102400",
        "How many MiB one caller may bring in to be kept within `blob_retention_days`; 0 for no limit",
    ),
    key(
        "event_streams",
        "200",
        "Event streams that a process has open at a time, half of them of one caller; 0 for none",
    ),
    key("window", "4000", "Notifications that a courier holds at a time, per lane"),
    key("max_attempts", "10", "Attempts that may have reached Telegram before a passing fault becomes a failure"),
    key("grace_period_seconds", "25", "How long a stop waits for requests in flight"),
    key("record_retention_days", "7", "How long a finished notification can be asked about"),
    key("blob_retention_days", "7", "How long an image is kept after its last use"),
    key("log", "info", "Log filter: a level, or levels by module as in `info,pixcourier::delivery=debug`"),
    key("log_format", "text", "How log lines look: `text` or `json`"),
];

/// The keys of a bot's own table `[bots.NAME]`; what is not its own alone it inherits from the top of the file. Beside
/// them there is the table `groups` of bots of kind `whatsmate`.
pub static BOT_KEYS: &[&str] = &[
    "kind",
    "token",
    "api_url",
    "client_tokens",
    "api_local",
    "bot_rate",
    "chat_rate",
    "chat_burst",
    "group_rate_per_minute",
    "registration",
    "registration_secret",
    "gateway_url",
    "client_id",
    "client_secret",
    "instance",
];

/// The keys of the table `[clients.NAME]` of a client with an API key of its own, beside the table `tokens`.
pub static CLIENT_KEYS: &[&str] =
    &["key", "key_sha256", "key_file", "bots", "scopes", "rate", "daily_quota", "callback_url", "callback_secret"];

/// The keys of these tables that take several values.
pub static TABLE_LISTS: &[&str] = &["client_tokens", "bots", "scopes", "callback_secret"];

/// The keys of these tables, and the tables in them, whose values are secrets.
pub static TABLE_SECRETS: &[&str] = &[
    "token",
    "client_tokens",
    "client_secret",
    "registration_secret",
    "key",
    "key_sha256",
    "callback_secret",
    "tokens",
];

/// What a key ends with that names the file of a secret, behind the name of the secret's own key.
pub const SECRET_FILE_SUFFIX: &str = "_file";

/// Whether a key at the top of the file names the file of a secret.
pub(super) fn is_secret_file(name: &str) -> bool {
    let secret = name.strip_suffix(SECRET_FILE_SUFFIX);
    KEYS.iter().any(|key| secret == Some(key.name) && key.masking != Masking::None)
}

/// The same of a table that has these keys. What has a key of that name itself reads it itself.
pub(super) fn is_secret_file_of_table(name: &str, keys: &[&str]) -> bool {
    let secret = name.strip_suffix(SECRET_FILE_SUFFIX);
    secret.is_some_and(|secret| keys.contains(&secret) && TABLE_SECRETS.contains(&secret)) && !keys.contains(&name)
}

/// Tables of one kind, each under a name: `[bots.NAME]`.
#[derive(Debug)]
pub struct TableGroup {
    /// What stands before the name.
    pub name: &'static str,
    /// What one of them describes.
    pub what: &'static str,
    /// Its keys.
    pub keys: &'static [&'static str],
    /// The one table that it may hold.
    pub inner: &'static str,
}

/// All groups of tables.
pub static TABLE_GROUPS: &[TableGroup] = &[
    TableGroup { name: "bots", what: "bot", keys: BOT_KEYS, inner: "groups" },
    TableGroup { name: "clients", what: "client", keys: CLIENT_KEYS, inner: "tokens" },
    TableGroup { name: "whatsmate_clients", what: "client", keys: &["client_id", "client_secret"], inner: "instances" },
];

impl SettingKey {
    /// The key of a name.
    pub fn named(name: &str) -> Option<&'static SettingKey> {
        KEYS.iter().find(|key| key.name == name)
    }

    /// The environment variable.
    pub fn variable(&self) -> String {
        format!("{PREFIX}{}", self.name.to_uppercase())
    }
}
