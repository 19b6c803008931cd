//! A whole service with a sandbox behind it, on either engine, in the test's own process, over real sockets.

use super::running_app::{RunningApp, TaskWatch, assert_all_final};
pub use super::settings::add_bot;
use super::settings::settings;
pub use super::settings::{NO_LIMITS, TOKEN};
use super::wait::{self, WAIT_TIMEOUT};
use super::{amqp_url, images, redis_url};
use pixcourier::app::Role;
use pixcourier::domain::BotName;
use pixcourier::ports::Ledger;
use pixcourier::sandbox::{
    FaultRule, InjectedFault, MessageFilter, Sandbox, SandboxBots, SandboxMessage, SandboxOptions,
};
use pixcourier::settings::{
    BlobLocation, Bot, ConfigError, DistributedSettings, EngineSettings, RateLimits, Registration, Settings,
    WhatsMateClient,
};
use reqwest::multipart::{Form, Part};
use reqwest::{Client, Response};
use serde_json::{Value, json};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tempfile::TempDir;

/// The token of another bot, which only some services have.
pub const OTHER_TOKEN: &str = "654321:ABC-DEF1234ghIkl-zyx57W2v1u123ew22";

/// Which engine a service runs on.
#[derive(Clone, Copy, Debug)]
pub enum On {
    /// SQLite.
    Embedded,
    /// RabbitMQ, Redis and a folder.
    Distributed,
}

/// Runs the named tests on both engines: `async fn(&TestApp)` or `async fn(&mut TestApp)`, each with a service of its own
/// that is stopped at the end; after `On:` an `async fn(On)`, which starts and stops what it needs.
#[macro_export]
macro_rules! on_both_engines {
    (On: $($name:ident),* $(,)?) => {
        mod embedded {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name($crate::support::test_app::On::Embedded).await; })*
        }
        mod distributed {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name($crate::support::test_app::On::Distributed).await; })*
        }
    };
    ($($name:ident),* $(,)?) => {
        mod embedded {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let mut app = $crate::support::test_app::TestApp::start($crate::support::test_app::On::Embedded).await;
                super::$name(&mut app).await;
                app.stop().await;
            })*
        }
        mod distributed {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let mut app = $crate::support::test_app::TestApp::start($crate::support::test_app::On::Distributed).await;
                super::$name(&mut app).await;
                app.stop().await;
            })*
        }
    };
}

/// See the module. Every test must call [`TestApp::stop`].
pub struct TestApp {
    pub sandbox: Sandbox,
    pub client: Client,
    pub api: String,
    pub settings: Settings,
    /// There but for the moment between a stop and the next start.
    running: Option<RunningApp>,
    leaves_unfinished: AtomicBool,
    tasks: TaskWatch,
    _folder: TempDir,
}

impl TestApp {
    /// No limits at either side.
    pub async fn start(on: On) -> Self {
        Self::with(on, NO_LIMITS, lenient()).await
    }

    /// No limits, and a second bot, called `other`.
    pub async fn with_two_bots(on: On) -> Self {
        Self::of_two_bots(on, NO_LIMITS, lenient()).await
    }

    /// The same with limits.
    pub async fn of_two_bots(on: On, limits: RateLimits, options: SandboxOptions) -> Self {
        Self::tuned(on, Role::All, limits, options, |settings| {
            let url = settings.bots[&BotName::default_bot()].telegram().unwrap().api_url.clone();
            add_bot(settings, "other", OTHER_TOKEN, &url, limits);
        })
        .await
    }

    /// Chosen limits at both sides.
    pub async fn with(on: On, limits: RateLimits, options: SandboxOptions) -> Self {
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
    pub async fn tuned(
        on: On,
        role: Role,
        limits: RateLimits,
        options: SandboxOptions,
        tune: impl FnOnce(&mut Settings),
    ) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let tasks = TaskWatch::begin();
        let folder = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::start(TcpListener::bind("127.0.0.1:0").unwrap(), options).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut settings = settings(folder.path().join("data"));
        settings.listen = listener.local_addr().unwrap();
        if let On::Distributed = on {
            settings.engine = EngineSettings::Distributed(Box::new(DistributedSettings {
                amqp_urls: vec![amqp_url().into()],
                redis_url: redis_url().into(),
                blobs: BlobLocation::Folder(folder.path().join("blobs")),
                ca: None,
                namespace: format!("t{}", uuid::Uuid::now_v7().simple()),
            }));
        }
        add_bot(&mut settings, BotName::default_bot().as_str(), TOKEN, &sandbox.url(), limits);
        settings.whatsmate_clients = vec![WhatsMateClient {
            id: whatsmate_client().0.into(),
            secret: whatsmate_client().1.into(),
            instances: [(1, BotName::default_bot())].into(),
        }];
        tune(&mut settings);
        let running = RunningApp::start_on(listener, &settings, role).await;
        let (client, api, running) = (Client::new(), running.url.clone(), Some(running));
        let leaves_unfinished = AtomicBool::new(false);
        let app = Self { sandbox, client, api, settings, running, leaves_unfinished, tasks, _folder: folder };
        app.until_ready().await;
        app
    }

    async fn until_ready(&self) {
        self.until("ready", async || self.get("/readyz").await.status() == 200).await;
    }

    /// Says that some notifications will not be final when the test ends.
    pub fn leave_unfinished(&self) {
        self.leaves_unfinished.store(true, Ordering::Relaxed);
    }

    /// Stops everything, the service gracefully. Panics if a record is not final, or if tasks are left.
    pub async fn stop(self) {
        let Self { sandbox, client, running, leaves_unfinished, tasks, _folder, .. } = self;
        let running = running.expect("it runs");
        if !leaves_unfinished.into_inner() {
            assert_all_final(&*running.engine.ports.ledger).await;
        }
        drop(client);
        running.stop().await;
        sandbox.stop().await;
        tasks.end().await;
    }

    /// Stops the service gracefully and starts it again on the same data.
    pub async fn restart(&mut self) {
        self.running.take().expect("it runs").stop().await;
        self.switch_to(RunningApp::start(&self.settings, Role::All).await);
        self.until_ready().await;
    }

    /// Puts changed settings into effect while it runs.
    pub fn reload(&self, settings: &Settings) -> Result<(), Vec<ConfigError>> {
        self.running.as_ref().expect("it runs").reloader.apply(settings)
    }

    /// A second process on the same engine. Stop it, or hand it to [`TestApp::leave_to`].
    pub async fn peer(&self, role: Role) -> RunningApp {
        let settings = Settings { data_dir: self.settings.data_dir.join("second"), ..self.settings.clone() };
        RunningApp::start(&settings, role).await
    }

    /// Stops the first process gracefully and lets a second take its place.
    pub async fn leave_to(&mut self, peer: RunningApp) {
        self.running.take().expect("it runs").stop().await;
        self.switch_to(peer);
    }

    fn switch_to(&mut self, running: RunningApp) {
        self.api = running.url.clone();
        self.running = Some(running);
    }

    /// What it keeps of each notification, to look and write behind the API.
    pub fn ledger(&self) -> Arc<dyn Ledger> {
        self.running.as_ref().expect("it runs").engine.ports.ledger.clone()
    }

    /// The engine that it runs on.
    pub fn on(&self) -> On {
        match self.settings.engine {
            EngineSettings::Embedded => On::Embedded,
            EngineSettings::Distributed(_) => On::Distributed,
        }
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
        const FINAL: [&str; 6] = ["sent", "failed", "expired", "refused", "cancelled", "unknown"];
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
    pub fn messages(&self) -> Vec<SandboxMessage> {
        self.sandbox.messages(&MessageFilter { limit: Some(100_000), ..MessageFilter::default() })
    }

    /// Queues a fault for the next requests of sendPhoto.
    pub fn fault(&self, times: u64, fault: Value) {
        let fault: InjectedFault = serde_json::from_value(fault).unwrap();
        self.sandbox.add_fault(FaultRule::next("sendPhoto", fault).times(times)).unwrap();
    }

    /// The value of a metric for the default bot, 0 if it has none yet. `labels` are those after the bot's.
    pub async fn metric(&self, name: &str, labels: &str) -> f64 {
        let page = self.get("/metrics").await.text().await.unwrap();
        let start = format!("pixcourier_{name}{{bot=\"default\"{labels}}} ");
        page.lines().find_map(|line| line.strip_prefix(&start)?.parse().ok()).unwrap_or(0.0)
    }

    /// Polls until it holds.
    pub async fn until(&self, what: &str, holds: impl AsyncFn() -> bool) {
        wait::until_true(what, WAIT_TIMEOUT, holds).await;
    }

    /// Polls until there is something.
    pub async fn until_some<T>(&self, what: &str, find: impl AsyncFn() -> Option<T>) -> T {
        wait::until(what, WAIT_TIMEOUT, find).await
    }
}

/// A sandbox without limits that knows the two tokens.
pub fn lenient() -> SandboxOptions {
    let tokens = [TOKEN, OTHER_TOKEN].map(|token| token.to_owned().into());
    SandboxOptions {
        limits: None,
        pace_uploads: false,
        bots: SandboxBots::Only(tokens.into()),
        ..SandboxOptions::default()
    }
}

/// The id and the secret of the WhatsMate client that every service knows, whose instance 1 is the default bot.
pub fn whatsmate_client() -> (&'static str, &'static str) {
    ("client@example.org", "the-secret-of-the-client")
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
