//! The service as its operator has it: configured by its environment, started, killed, stopped, started again on the
//! same data and port.

use crate::load::Client;
use crate::process::Process;
use crate::support::{self, free_port};
use pixcourier::adapters::redis::RedisLedger;
use pixcourier::domain::{Filter, Status};
use pixcourier::ports::{Ledger, ListQuery};
use secrecy::SecretString;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// What must never be seen outside: these strings are searched for by [`crate::secrets`].
pub const TOKEN: &str = "424242:TOKEN-secret-3f9c1e77ab0d5e_x";
pub const API_KEY: &str = "KEY-secret-91c2e0d47b5a";
pub const AMQP_PASSWORD: &str = "AMQP-secret-5b1d9e33";
pub const REDIS_PASSWORD: &str = "REDIS-secret-77aa01fe";

/// How long a start may take on a busy machine.
const WAIT_TIMEOUT: Duration = Duration::from_secs(40);

/// Which engine a service runs on.
#[derive(Clone)]
pub enum Engine {
    Embedded,
    DistributedSettings { amqp: String, redis: String },
}

impl Engine {
    /// RabbitMQ and Redis that nobody breaks.
    pub fn shared() -> Self {
        Self::DistributedSettings { amqp: support::amqp_url(), redis: support::redis_url() }
    }

    pub fn name(&self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::DistributedSettings { .. } => "distributed",
        }
    }
}

/// One service and its data.
pub struct Service {
    name: String,
    port: u16,
    pub engine: Engine,
    pub namespace: String,
    environment: BTreeMap<String, String>,
    /// `all`, `api` or `worker`.
    pub role: &'static str,
    descriptors: Option<u32>,
    process: Option<Process>,
    config: Option<PathBuf>,
    folder: TempDir,
}

impl Service {
    /// A service that is not started yet, without limits of its own.
    pub fn new(test: &str, engine: Engine, bot_api: &str) -> Self {
        let folder = TempDir::with_prefix("pixcourier-faults-").unwrap();
        let name = format!("{test}-{}", engine.name());
        let namespace = format!("faults-{test}-{:08x}", fastrand::u32(..));
        let mut service = Self {
            name,
            port: free_port(),
            engine,
            namespace,
            environment: BTreeMap::new(),
            role: "all",
            descriptors: None,
            process: None,
            config: None,
            folder,
        };
        service.set("DATA_DIR", &service.folder.path().join("data").display().to_string());
        service.set("BOT_TOKEN", TOKEN);
        service.set("BOT_API_URL", bot_api);
        service.set("API_KEYS", API_KEY);
        for limit in ["BOT_RATE", "CHAT_RATE", "GROUP_RATE_PER_MINUTE"] {
            service.set(limit, "0");
        }
        if let Engine::DistributedSettings { amqp, redis } = service.engine.clone() {
            service.set("AMQP_URL", &amqp);
            service.set("REDIS_URL", &redis);
            service.set("BLOB_URL", &format!("file://{}", service.folder.path().join("blobs").display()));
            service.set("NAMESPACE", &service.namespace.clone());
        }
        service
    }

    /// Another process on the same brokers and images, under a name of its own.
    pub fn peer(&self, name: &str) -> Self {
        let mut peer = Self::new(name, self.engine.clone(), &self.environment["PIXCOURIER_BOT_API_URL"]);
        peer.namespace = self.namespace.clone();
        let shared = self.environment.iter().filter(|(name, _)| *name != "PIXCOURIER_DATA_DIR");
        peer.environment.extend(shared.map(|(name, value)| (name.clone(), value.clone())));
        peer
    }

    /// Sets `PIXCOURIER_<name>` for the next start.
    pub fn set(&mut self, name: &str, value: &str) {
        self.environment.insert(format!("PIXCOURIER_{name}"), value.to_owned());
    }

    /// Has no more descriptors than these from the next start on, as `ulimit -n` sets it.
    pub fn limit_descriptors(&mut self, limit: Option<u32>) {
        self.descriptors = limit;
    }

    /// Its port on the loopback address.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Has these bots, and none under the name `default`.
    pub fn set_bots(&mut self, bots: impl Iterator<Item = (String, String)>) {
        self.environment.remove("PIXCOURIER_BOT_TOKEN");
        let tables: String = bots.map(|(name, token)| format!("[bots.{name}]\ntoken = \"{token}\"\n")).collect();
        let path = self.folder.path().join("bots.toml");
        std::fs::write(&path, tables).unwrap();
        self.config = Some(path);
    }

    pub fn environment(&self) -> &BTreeMap<String, String> {
        &self.environment
    }

    /// Where the embedded engine keeps its data.
    pub fn data_dir(&self) -> &Path {
        Path::new(&self.environment["PIXCOURIER_DATA_DIR"])
    }

    pub fn client(&self) -> Client {
        Client::new(self.port, API_KEY)
    }

    /// The running process.
    pub fn process(&self) -> &Process {
        self.process.as_ref().expect("it runs")
    }

    /// Starts it and waits until it is ready.
    pub async fn start(&mut self) {
        self.start_until("/readyz").await;
    }

    /// Starts it and waits until it answers, ready or not.
    pub async fn start_unready(&mut self) {
        self.start_until("/healthz").await;
    }

    async fn start_until(&mut self, path: &str) {
        self.spawn();
        let client = self.client();
        let process = self.process.as_mut().expect("just spawned");
        let deadline = Instant::now() + WAIT_TIMEOUT;
        while !client.get(path).await.is_ok_and(|answer| answer.status == 200) {
            let waits = process.ended().is_none() && Instant::now() < deadline;
            assert!(waits, "{} does not come up:\n{}", self.name, process.last_words());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Starts it and does not wait.
    pub fn spawn(&mut self) {
        assert!(self.process.is_none(), "{} runs already", self.name);
        let listen = format!("127.0.0.1:{}", self.port);
        let mut arguments = vec!["serve", "--listen", &listen, "--role", self.role];
        if let Some(config) = &self.config {
            arguments.extend(["--config", config.to_str().unwrap()]);
        }
        self.process = Some(Process::spawn(&self.name, &arguments, &self.environment, self.descriptors));
    }

    /// Whether it owns the bot.
    pub async fn owns(&self) -> bool {
        let page = self.client().metrics().await.unwrap_or_default();
        page.lines().any(|line| line.starts_with("pixcourier_owned{") && line.ends_with(" 1"))
    }

    /// Kills it at once.
    pub fn kill9(&mut self) {
        self.process.take().expect("it runs").kill9();
    }

    /// While it is dead or frozen: the captions of what it was sending, read from its data through its own adapters. The
    /// mark is durable before the request leaves, so whatever was in flight is among them.
    pub async fn in_flight(&self) -> BTreeSet<String> {
        match &self.engine {
            Engine::Embedded => {
                let embedded = pixcourier::app::open_embedded(self.data_dir(), Duration::from_secs(86_400))
                    .expect("the database opens clean");
                let sending = sending(&*embedded.ports.ledger).await;
                embedded.close().await;
                sending
            }
            Engine::DistributedSettings { redis, .. } => {
                let url = SecretString::from(redis.as_str());
                sending(&RedisLedger::new(&url, &self.namespace).unwrap()).await
            }
        }
    }

    /// Waits for the end that it was asked for.
    pub async fn end(&mut self, timeout: Duration) -> ExitStatus {
        self.process.take().expect("it runs").end(timeout).await
    }
}

async fn sending(ledger: &dyn Ledger) -> BTreeSet<String> {
    let query = ListQuery { filter: Filter::of_status(Status::Sending), limit: 1000, ..ListQuery::default() };
    let page = ledger.list(&query).await.unwrap();
    assert!(page.next.is_none(), "a thousand in flight are more than these tests send");
    let mut captions = BTreeSet::new();
    for listed in page.records {
        // A listing has no parameters.
        let record = ledger.get(listed.notification.id).await.unwrap().expect("it is listed");
        let params = &record.notification.call.params;
        captions
            .insert(params.get("caption").or(params.get("text")).and_then(|text| text.as_str()).unwrap().to_owned());
    }
    captions
}
