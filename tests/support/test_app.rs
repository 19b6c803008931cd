//! A whole service with a sandbox behind it, on either engine, in the test's own process, over real sockets.

use crate::support::{self, images};
use pixcourier::app::{App, Role};
use pixcourier::domain::BotName;
use pixcourier::sandbox::{Bots, Fault, Filter, Message, Options, Rule, Sandbox};
use pixcourier::settings::{
    BlobLocation, Bot, Distributed, Engine, Limits, LogFormat, Registration, Settings, WhatsMateClient,
};
use reqwest::multipart::{Form, Part};
use reqwest::{Client, Response};
use serde_json::{Value, json};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The token of the bot in every world.
pub const TOKEN: &str = "123456:ABC-DEF1234ghIkl-zyx57W2v1u123ew11";
/// The token of another bot, which only some worlds have.
pub const OTHER_TOKEN: &str = "654321:ABC-DEF1234ghIkl-zyx57W2v1u123ew22";
/// How long something that must happen may take.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Which engine a world runs on.
#[derive(Clone, Copy, Debug)]
pub enum On {
    /// SQLite.
    Embedded,
    /// RabbitMQ, Redis and a folder.
    Distributed,
}

/// Runs the named tests, `async fn(World)`, on both engines.
#[macro_export]
macro_rules! on_both_engines {
    ($($name:ident),* $(,)?) => {
        mod embedded {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name($crate::support::test_app::World::start($crate::support::test_app::On::Embedded).await).await; })*
        }
        mod distributed {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name($crate::support::test_app::World::start($crate::support::test_app::On::Distributed).await).await; })*
        }
    };
}

/// See the module.
pub struct World {
    pub sandbox: Sandbox,
    pub client: Client,
    pub api: String,
    pub settings: Settings,
    stop: CancellationToken,
    serving: JoinHandle<anyhow::Result<()>>,
    _folder: TempDir,
}

impl World {
    /// No limits at either side.
    pub async fn start(on: On) -> Self {
        Self::with(on, NO_LIMITS, lenient()).await
    }

    /// No limits, and a second bot, called `other`.
    pub async fn with_two_bots(on: On) -> Self {
        Self::of_two_bots(on, NO_LIMITS, lenient()).await
    }

    /// The same with limits.
    pub async fn of_two_bots(on: On, limits: Limits, options: Options) -> Self {
        Self::tuned(on, Role::All, limits, options, |settings| {
            let name: BotName = "other".parse().unwrap();
            let url = settings.bots[&BotName::default_bot()].telegram().unwrap().api_url.clone();
            let bot = Bot::new(name.clone(), OTHER_TOKEN.to_owned().into(), url, limits).unwrap();
            settings.bots.insert(name, Arc::new(bot));
        })
        .await
    }

    /// Chosen limits at both sides.
    pub async fn with(on: On, limits: Limits, options: Options) -> Self {
        Self::tuned(on, Role::All, limits, options, |_| {}).await
    }

    /// No limits, and people register in a way that may depend on the service's address.
    pub async fn registering(on: On, registration: impl FnOnce(&str) -> Registration) -> Self {
        Self::tuned(on, Role::All, NO_LIMITS, lenient(), |settings| {
            let registration = registration(&format!("http://{}", settings.listen));
            for bot in settings.bots.values_mut() {
                *bot = Arc::new(Bot::clone(bot).with(|telegram| telegram.registration = registration.clone()));
            }
        })
        .await
    }

    /// A process of any role with other settings; `listen` is where it will.
    pub async fn tuned(on: On, role: Role, limits: Limits, options: Options, tune: impl FnOnce(&mut Settings)) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::start(TcpListener::bind("127.0.0.1:0").unwrap(), options).unwrap();
        let name = BotName::default_bot();
        let bot = Bot::new(name.clone(), TOKEN.to_owned().into(), sandbox.url(), limits).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let engine = match on {
            On::Embedded => Engine::Embedded,
            On::Distributed => Engine::Distributed(Distributed {
                amqp_urls: vec![support::amqp_url().into()],
                redis_url: support::redis_url().into(),
                blobs: BlobLocation::Folder(folder.path().join("blobs")),
                namespace: format!("t{}", uuid::Uuid::now_v7().simple()),
            }),
        };
        let mut settings = Settings {
            listen: listener.local_addr().unwrap(),
            data_dir: folder.path().join("data"),
            engine,
            bots: [(name, Arc::new(bot))].into(),
            api_keys: Vec::new(),
            whatsmate_clients: vec![WhatsMateClient {
                id: whatsmate_client().0.into(),
                secret: whatsmate_client().1.into(),
                instances: [(1, BotName::default_bot())].into(),
            }],
            body_limit: 20 << 20,
            bot_api_patience: Duration::from_secs(50),
            window: 1000,
            max_attempts: 4,
            grace_period: Duration::from_secs(10),
            record_retention: Duration::from_secs(86_400 * 30),
            blob_retention: Duration::from_secs(86_400 * 7),
            log: "info".to_owned(),
            log_format: LogFormat::Text,
        };
        tune(&mut settings);
        let (api, stop, serving) = launch_on(listener, &settings, role);
        let world = Self { sandbox, client: Client::new(), api, settings, stop, serving, _folder: folder };
        world.until("ready", async || world.get("/readyz").await.status() == 200).await;
        world
    }

    /// The engine that it runs on.
    pub fn on(&self) -> On {
        match self.settings.engine {
            Engine::Embedded => On::Embedded,
            Engine::Distributed(_) => On::Distributed,
        }
    }

    /// Stops the service gracefully and starts it again on the same data.
    pub async fn restart(&mut self) {
        self.stop.cancel();
        (&mut self.serving).await.unwrap().unwrap();
        (self.api, self.stop, self.serving) = launch(&self.settings, Role::All);
        self.until("ready", async || self.get("/readyz").await.status() == 200).await;
    }

    /// A second process beside the first.
    pub fn join(&self) -> Second {
        let settings = Settings { data_dir: self.settings.data_dir.join("second"), ..self.settings.clone() };
        let (api, stop, serving) = launch(&settings, Role::All);
        Second { api, stop, serving }
    }

    /// Stops the first process gracefully and lets a second take its place.
    pub async fn leave_to(&mut self, second: Second) {
        self.stop.cancel();
        (&mut self.serving).await.unwrap().unwrap();
        Second { api: self.api, stop: self.stop, serving: self.serving } = second;
    }

    /// Stops the service gracefully.
    pub async fn stop(mut self) {
        self.stop.cancel();
        (&mut self.serving).await.unwrap().unwrap();
    }

    /// An address of the service with a query.
    pub fn url(&self, path: &str, query: &[(&str, &str)]) -> reqwest::Url {
        reqwest::Url::parse_with_params(&format!("{}{path}", self.api), query).unwrap()
    }

    pub async fn get(&self, path: &str) -> Response {
        let sent = self.client.get(format!("{}{path}", self.api)).send().await;
        sent.unwrap_or_else(|error| panic!("GET {path}: {error}"))
    }

    pub async fn json(&self, path: &str) -> Value {
        self.get(path).await.json().await.unwrap()
    }

    /// Posts a JSON notification and returns the raw answer.
    pub async fn post(&self, body: Value) -> Response {
        self.client.post(format!("{}/v1/notifications", self.api)).json(&body).send().await.unwrap()
    }

    /// Posts a JSON notification that must be accepted; returns its id.
    pub async fn accept(&self, body: Value) -> String {
        accepted(self.post(body).await).await
    }

    /// Posts an image as a file with further fields; returns the id.
    pub async fn upload(&self, image: Vec<u8>, fields: Value) -> String {
        let mut form = Form::new().part("photo", Part::bytes(image).file_name("whatever"));
        for (name, value) in fields.as_object().unwrap() {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            form = form.text(name.clone(), text);
        }
        let sent = self.client.post(format!("{}/v1/notifications", self.api)).multipart(form).send().await;
        accepted(sent.unwrap()).await
    }

    /// The record of a notification.
    pub async fn record(&self, id: &str) -> Value {
        self.json(&format!("/v1/notifications/{id}")).await
    }

    /// Waits until a notification is final; returns its record.
    pub async fn settled(&self, id: &str) -> Value {
        const FINAL: [&str; 5] = ["sent", "failed", "expired", "cancelled", "unknown"];
        self.until_some("final", async || {
            let record = self.record(id).await;
            FINAL.contains(&record["status"].as_str().unwrap_or_default()).then_some(record)
        })
        .await
    }

    /// Waits until a notification is sent; returns its record.
    pub async fn sent(&self, id: &str) -> Value {
        let record = self.settled(id).await;
        assert_eq!(record["status"], "sent", "{record:#}");
        record
    }

    /// What the sandbox has accepted.
    pub fn messages(&self) -> Vec<Message> {
        self.sandbox.messages(&Filter { limit: Some(100_000), ..Filter::default() })
    }

    /// Queues a fault for the next requests of sendPhoto.
    pub fn fault(&self, times: u64, fault: Value) {
        let fault: Fault = serde_json::from_value(fault).unwrap();
        self.sandbox.add_fault(Rule::next("sendPhoto", fault).times(times)).unwrap();
    }

    /// The value of a metric for the default bot, 0 if it has none yet. `labels` are those after the bot's.
    pub async fn metric(&self, name: &str, labels: &str) -> f64 {
        let page = self.get("/metrics").await.text().await.unwrap();
        let start = format!("pixcourier_{name}{{bot=\"default\"{labels}}} ");
        page.lines().find_map(|line| line.strip_prefix(&start)?.parse().ok()).unwrap_or(0.0)
    }

    /// Polls until it holds.
    pub async fn until(&self, what: &str, holds: impl AsyncFn() -> bool) {
        self.until_some(what, async || holds().await.then_some(())).await;
    }

    /// Polls until there is something.
    pub async fn until_some<T>(&self, what: &str, find: impl AsyncFn() -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = find().await {
                return found;
            }
            assert!(Instant::now() < deadline, "not {what} in time");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// See [`World::join`].
pub struct Second {
    api: String,
    stop: CancellationToken,
    serving: JoinHandle<anyhow::Result<()>>,
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// A service without limits.
pub const NO_LIMITS: Limits = Limits { bot_rate: 0.0, chat_rate: 0.0, group_rate_per_minute: 0 };

/// A sandbox without limits that knows the two tokens.
pub fn lenient() -> Options {
    let tokens = [TOKEN, OTHER_TOKEN].map(|token| token.to_owned().into());
    Options { limits: None, pace_uploads: false, bots: Bots::Only(tokens.into()), ..Options::default() }
}

/// The id and the secret of the WhatsMate client that every world knows, whose instance 1 is the default bot.
pub fn whatsmate_client() -> (&'static str, &'static str) {
    ("client@example.org", "the-secret-of-the-client")
}

/// Runs a process; returns its address, what stops it, and its end.
pub fn launch(settings: &Settings, role: Role) -> Process {
    launch_on(TcpListener::bind("127.0.0.1:0").unwrap(), settings, role)
}

type Process = (String, CancellationToken, JoinHandle<anyhow::Result<()>>);

fn launch_on(listener: TcpListener, settings: &Settings, role: Role) -> Process {
    let api = format!("http://{}", listener.local_addr().unwrap());
    let stop = CancellationToken::new();
    let (settings, stopped) = (settings.clone(), stop.clone().cancelled_owned());
    let serving = tokio::spawn(async move { App::build(settings, role, listener).await?.run(stopped).await });
    (api, stop, serving)
}

async fn accepted(response: Response) -> String {
    let status = response.status();
    let location = response.headers().get("location").map(|value| value.to_str().unwrap().to_owned());
    let body: Value = response.json().await.unwrap();
    assert_eq!(status, 202, "{body:#}");
    let id = body["id"].as_str().unwrap().to_owned();
    assert_eq!(location, Some(format!("/v1/notifications/{id}")));
    id
}

/// A small PNG that no other number makes.
pub fn png(number: u32) -> Vec<u8> {
    images::png(64, 64, 0, number.into())
}

/// The same as the JSON form of `photo`.
pub fn base64_png(number: u32) -> Value {
    use base64::Engine as _;
    json!({"base64": base64::engine::general_purpose::STANDARD.encode(png(number))})
}
