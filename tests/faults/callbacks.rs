//! Callbacks when things break: `kill -9` between an outcome and its callback, and many receivers of the worst kinds. Short in
//! `make test`; `make callbacks` has 10,000 of them.

use crate::sandbox;
use crate::service::{API_KEY, Engine, Service};
use crate::support::receiver::{Receiver, Reply};
use crate::support::wait;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const WAIT_TIMEOUT: Duration = Duration::from_secs(900);
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// Posts at the same time.
const CALLERS: usize = 16;
/// How many there are in the short form, and how many in the long one.
const FEW: usize = 500;
const MANY: usize = 10_000;
/// For so long the receiver that hangs does so.
const HANGS_FOR: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn kills_between_outcome_and_callback_lose_none_on_the_embedded_engine() {
    kills(Engine::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_between_outcome_and_callback_lose_none_on_the_distributed_engine() {
    kills(Engine::shared()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn receivers_of_all_kinds_lose_none_and_slow_nothing_on_the_embedded_engine() {
    all_kinds(Engine::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn receivers_of_all_kinds_lose_none_and_slow_nothing_on_the_distributed_engine() {
    all_kinds(Engine::shared()).await;
}

/// A caller of the service.
#[derive(Clone)]
struct Caller {
    http: reqwest::Client,
    base: String,
}

impl Caller {
    fn of(service: &Service) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self {
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            base: format!("http://127.0.0.1:{}", service.port()),
        }
    }

    async fn ask(&self, method: reqwest::Method, path: &str, body: Option<Value>) -> Option<Value> {
        let request = self.http.request(method, format!("{}{path}", self.base)).bearer_auth(API_KEY);
        let request = if let Some(body) = body { request.json(&body) } else { request };
        let response = request.send().await.ok()?.error_for_status().ok()?;
        response.json().await.ok()
    }

    /// Posts texts, one for each receiver, some at the same time; their ids by receiver, as far as they were accepted.
    async fn post(&self, receivers: Vec<Option<String>>) -> Vec<(String, Option<String>)> {
        let receivers = Arc::new(receivers);
        let mut callers = JoinSet::new();
        for caller in 0..CALLERS {
            let (this, receivers) = (self.clone(), receivers.clone());
            callers.spawn(async move {
                let mut accepted = Vec::new();
                for (number, receiver) in receivers.iter().enumerate().skip(caller).step_by(CALLERS) {
                    let body = json!({"chat_id": number % 500 + 1, "text": "x", "callback_url": receiver});
                    let answer = this.ask(reqwest::Method::POST, "/v1/notifications", Some(body)).await;
                    let id = answer.and_then(|answer| Some(answer["id"].as_str()?.to_owned()));
                    accepted.extend(id.map(|id| (id, receiver.clone())));
                }
                accepted
            });
        }
        callers.join_all().await.concat()
    }

    /// How many callbacks are not delivered, at most a page of them.
    async fn undelivered(&self, state: &str) -> Option<usize> {
        let page = self.ask(reqwest::Method::GET, &format!("/v1/callbacks?limit=1000{state}"), None).await?;
        Some(page["callbacks"].as_array()?.len())
    }

    /// Has all that failed tried again now.
    async fn replay_all(&self) {
        let mut cursor = String::new();
        loop {
            let path = format!("/v1/callbacks/replay?limit=1000{cursor}");
            let Some(answer) = self.ask(reqwest::Method::POST, &path, None).await else { return };
            let Some(next) = answer["next_cursor"].as_str() else { return };
            cursor = format!("&cursor={next}");
        }
    }

    async fn metric(&self, line: &str) -> f64 {
        let request = self.http.get(format!("{}/metrics", self.base)).bearer_auth(API_KEY);
        let page = request.send().await.unwrap().text().await.unwrap();
        page.lines().find_map(|found| found.strip_prefix(line)?.trim().parse().ok()).unwrap_or(0.0)
    }
}

fn service(test: &str, engine: &Engine, bot_api: &str, allow_private: bool) -> Service {
    let mut service = Service::new(test, engine.clone(), bot_api);
    service.set("CALLBACK_SECRET", SECRET);
    service.set("CALLBACK_ALLOW_PRIVATE", &allow_private.to_string());
    service
}

/// No callback gets through before the last kill, so each kill comes between outcomes and their callbacks.
async fn kills(engine: Engine) {
    const KILLS: usize = 3;
    let sandbox = sandbox::start();
    let mut service = service("callback-kills", &engine, &sandbox.url(), true);
    let is_open = Arc::new(AtomicBool::new(false));
    let open = is_open.clone();
    let receiver = Receiver::start(move |_, _| Reply::Status(if open.load(Ordering::SeqCst) { 200 } else { 503 }));
    let (mut accepted, mut ended_at_kills) = (Vec::new(), Vec::new());
    for kill in 0..KILLS {
        service.start().await;
        let caller = Caller::of(&service);
        let posting = tokio::spawn({
            let (caller, url) = (caller.clone(), receiver.url());
            async move { caller.post(vec![Some(url); 200]).await }
        });
        let goal = sandbox.stats().sends + 100;
        wait::until_true("deliveries", WAIT_TIMEOUT, async || sandbox.stats().sends >= goal).await;
        ended_at_kills.push(caller.undelivered("").await.unwrap_or(0));
        service.kill9();
        accepted.extend(posting.await.unwrap());
        println!("kill {}: {} accepted so far", kill + 1, accepted.len());
    }
    assert!(ended_at_kills.iter().all(|waiting| *waiting > 0), "nothing waited at a kill: {ended_at_kills:?}");
    service.start().await;
    let caller = Caller::of(&service);
    let all_sent = async || {
        let page = caller.ask(reqwest::Method::GET, "/v1/notifications?limit=1000", None).await;
        page.is_some_and(|page| page["notifications"].as_array().unwrap().iter().all(|it| it["status"] == "sent"))
    };
    wait::until_true("all to be sent", WAIT_TIMEOUT, all_sent).await;
    is_open.store(true, Ordering::SeqCst);
    let began = Instant::now();
    wait::until_true("all callbacks to be delivered", WAIT_TIMEOUT, async || {
        caller.replay_all().await;
        caller.undelivered("").await == Some(0)
    })
    .await;
    let told: BTreeSet<String> = receiver.told().iter().map(|told| told.notification()).collect();
    let lost = accepted.iter().filter(|(id, _)| !told.contains(id)).count();
    println!(
        "callbacks and {KILLS} kills -9, {}: {} accepted, {ended_at_kills:?} callbacks waited at the kills, {} notifications told, \
         {lost} lost, all delivered {:.1} s after the receiver was there",
        engine.name(),
        accepted.len(),
        told.len(),
        began.elapsed().as_secs_f64()
    );
    assert_eq!(lost, 0);
}

/// Seconds until all are posted and sent.
async fn seconds_to_send(
    caller: &Caller,
    sandbox: &sandbox::Sandbox,
    receivers: Vec<Option<String>>,
) -> (f64, Vec<(String, Option<String>)>) {
    let (began, goal) = (Instant::now(), sandbox.stats().sends + receivers.len() as u64);
    let accepted = caller.post(receivers).await;
    wait::until_true("all to be sent", WAIT_TIMEOUT, async || sandbox.stats().sends >= goal).await;
    (began.elapsed().as_secs_f64(), accepted)
}

/// A tenth has receivers whose name leads to this machine, which may not be called; then they may, and of the others three tenths
/// fail at first, a tenth hangs for a while, and a tenth is redirected to where nobody may be led.
async fn all_kinds(engine: Engine) {
    let count = if std::env::var_os("PIXCOURIER_CALLBACKS").is_some() { MANY } else { FEW };
    let sandbox = sandbox::start();
    let mut service = service("callback-kinds", &engine, &sandbox.url(), false);
    service.start().await;
    let caller = Caller::of(&service);

    let lying = Receiver::willing();
    let by_name = vec![Some(lying.url_by("localhost")); count / 10];
    let (_, mut accepted) = seconds_to_send(&caller, &sandbox, by_name).await;
    let refused = "pixcourier_callbacks_total{result=\"refused_address\"}";
    let tenth = (count / 10) as f64;
    wait::until_true("refusals", WAIT_TIMEOUT, async || caller.metric(refused).await >= tenth).await;
    assert_eq!(lying.connections(), 0, "nobody called a private address");
    let kept = caller.undelivered("").await.unwrap();
    assert_eq!(kept, (count / 10).min(1_000), "all of them are kept");
    service.process().terminate();
    service.end(Duration::from_secs(40)).await;
    service.set("CALLBACK_ALLOW_PRIVATE", "true");
    service.start().await;

    let others = count - count / 10;
    let (before, _) = seconds_to_send(&caller, &sandbox, vec![None; others]).await;
    let trap = Receiver::willing();
    let location = format!("Location: {}", trap.url());
    let until = Instant::now() + HANGS_FOR;
    let receivers = [
        Receiver::willing(),
        Receiver::start(|_, before| Reply::Status(if before == 0 { 500 } else { 200 })),
        Receiver::start(move |_, _| if Instant::now() < until { Reply::Hang } else { Reply::Status(200) }),
        Receiver::start(move |_, before| match before {
            0 => Reply::Header(302, location.clone()),
            _ => Reply::Status(200),
        }),
    ];
    let of_number = |number: usize| &receivers[[0, 1, 2, 3, 0, 1, 0, 1, 0][number % 9]];
    let urls = (0..others).map(|number| Some(of_number(number).url())).collect();
    let began = Instant::now();
    let (with_callbacks, told) = seconds_to_send(&caller, &sandbox, urls).await;
    accepted.extend(told);
    caller.replay_all().await;
    wait::until_true("all callbacks to be delivered", WAIT_TIMEOUT, async || caller.undelivered("").await == Some(0))
        .await;
    let took = began.elapsed().as_secs_f64();
    let (after, _) = seconds_to_send(&caller, &sandbox, vec![None; others]).await;

    let mut told: BTreeMap<String, usize> = BTreeMap::new();
    for receiver in receivers.iter().chain([&lying]) {
        for notification in receiver.told().iter().map(|told| told.notification()) {
            *told.entry(notification).or_default() += 1;
        }
    }
    let lost = accepted.iter().filter(|(id, _)| !told.contains_key(id)).count();
    let results = ["delivered", "retried", "given_up", "refused_address"].map(|result| {
        let caller = &caller;
        async move { (result, caller.metric(&format!("pixcourier_callbacks_total{{result=\"{result}\"}}")).await) }
    });
    let results = futures_util::future::join_all(results).await;
    println!(
        "callbacks, {}: {} of {count} accepted, {lost} lost, {} connections to private addresses and by redirects; {others} sent in \
         {before:.1} s without callbacks, in {with_callbacks:.1} s with them, and in {after:.1} s without again; all delivered after {took:.1} s; since the restart \
         {results:?}",
        engine.name(),
        accepted.len(),
        trap.connections(),
    );
    assert_eq!((accepted.len(), lost, trap.connections()), (count, 0, 0));
}
