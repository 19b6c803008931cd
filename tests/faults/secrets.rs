//! No secret is seen outside: provokes every error that is known to hold one, and searches everything that this run
//! has left behind.

use crate::images::Picture;
use crate::load::Letter;
use crate::process::Process;
use crate::sandbox::{self, FaultRule, InjectedFault};
use crate::service::{AMQP_PASSWORD, API_KEY, Engine, REDIS_PASSWORD, Service, TOKEN};
use crate::support::answer::Answer;
use crate::support::receiver::{Receiver, Reply};
use crate::support::{self, Redis, port_of};
use crate::{artifacts, wait};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;

const WAIT_TIMEOUT: Duration = Duration::from_secs(30);
/// Written on purpose, to see that the search finds something.
const PLANTED: &str = "PLANTED-secret-00c0ffee";
/// What callbacks are signed with.
const CALLBACK_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// In the query of a receiver's URL.
const RECEIVER_KEY: &str = "RECEIVER-secret-b60d7f19e2";
/// What a caller believes to be a key.
const WRONG_KEY: &str = "WRONG-secret-4d81b2aa90";

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_any_log_error_metric_or_output() {
    telegram_is_away().await;
    telegram_refuses_the_token().await;
    rabbitmq_refuses_the_password().await;
    redis_is_away().await;
    receivers_fail().await;
    wrong_configurations_are_explained().await;

    artifacts::note("planted", &format!("a line with {PLANTED} in it"));
    let token_secret = TOKEN.split_once(':').unwrap().1;
    let of_callbacks = [CALLBACK_SECRET.trim_start_matches("whsec_"), RECEIVER_KEY];
    let searched = [token_secret, API_KEY, AMQP_PASSWORD, REDIS_PASSWORD, WRONG_KEY, "guest:guest", PLANTED];
    let searched = [&searched[..], &of_callbacks].concat();
    let left: Vec<_> =
        std::fs::read_dir(artifacts::folder()).unwrap().map(|artifact| artifact.unwrap().path()).collect();
    let (mut found, mut lines) = (Vec::new(), 0);
    for artifact in &left {
        let text = String::from_utf8_lossy(&std::fs::read(artifact).unwrap()).into_owned();
        for line in text.lines() {
            lines += 1;
            let seen = searched.iter().filter(|secret| line.contains(**secret));
            found.extend(seen.map(|secret| (artifact.file_name().unwrap().to_owned(), *secret, line.to_owned())));
        }
    }
    println!(
        "secrets: {} searched for in {lines} lines of {} logs, outputs, error bodies and metrics pages; {} found besides the planted one",
        searched.len(),
        left.len(),
        found.len() - 1,
    );
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0].1, PLANTED, "the search finds what is there");
    assert!(lines > 100, "there was little to search");
}

#[test]
fn nothing_panicked_anywhere() {
    for artifact in std::fs::read_dir(artifacts::folder()).unwrap() {
        let path = artifact.unwrap().path();
        let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
        let panicked = text.lines().find(|line| line.contains("panicked at"));
        assert_eq!(panicked, None, "{}", path.display());
    }
}

/// One is not there, one answers with an error, and one has no address.
async fn receivers_fail() {
    let sandbox = sandbox::start();
    let mut service = talkative("callbacks", Engine::Embedded, &sandbox.url());
    service.set("CALLBACK_SECRET", CALLBACK_SECRET);
    service.set("CALLBACK_ALLOW_PRIVATE", "true");
    service.start().await;
    let receiver = Receiver::start(|_, _| Reply::Status(500));
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let base = format!("http://127.0.0.1:{}/v1", service.port());
    for url in [receiver.url(), "http://127.0.0.1:9/".to_owned(), "http://nobody.invalid/".to_owned()] {
        let url = format!("{}?key={RECEIVER_KEY}", url.split('?').next().unwrap());
        let body = json!({"chat_id": 1, "text": "letter", "callback_url": url});
        let posted = http.post(format!("{base}/notifications")).bearer_auth(API_KEY).json(&body).send().await.unwrap();
        assert_eq!(posted.status(), 202);
    }
    wait::until_true("three to fail", WAIT_TIMEOUT, async || {
        let request = http.get(format!("{base}/callbacks?state=failing")).bearer_auth(API_KEY);
        let page = request.send().await.unwrap().text().await.unwrap();
        artifacts::note("callbacks", &page);
        page.matches("\"error\"").count() == 3
    })
    .await;
    service.client().metrics().await;
}

/// A service that logs everything.
fn talkative(name: &str, engine: Engine, bot_api: &str) -> Service {
    let mut service = Service::new(&format!("secrets-{name}"), engine, bot_api);
    service.set("LOG", "trace,lapin=debug,hyper_util=debug,reqwest=trace,actix_http=debug");
    service
}

/// Posts one, with a key of the API that is good and one that is not.
async fn post(service: &Service) -> Answer {
    let letter = Letter::new("letter".to_owned(), 1, Picture::small(1));
    let refused = service.client().with_key(WRONG_KEY).post(&letter).await.unwrap();
    assert_eq!(refused.status, 401, "{}", refused.text);
    service.client().post(&letter).await.unwrap()
}

async fn wait_for(service: &Service, id: &str, what: &str) {
    let client = service.client();
    let told = async || {
        let fate = client.get(&format!("/v1/notifications/{id}")).await.ok()?;
        // What callers are told of an attempt is searched too.
        artifacts::note("fates", &fate.text);
        fate.text.contains(what).then_some(())
    };
    wait::until(what, WAIT_TIMEOUT, told).await;
    client.metrics().await.unwrap();
}

async fn telegram_is_away() {
    // The port of a server that is gone.
    let gone = sandbox::start().url();
    for (name, address) in [("refused", gone.as_str()), ("unknown-host", "http://no-such-host.invalid")] {
        let mut service = talkative(name, Engine::Embedded, address);
        service.start().await;
        let answer = post(&service).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        wait_for(&service, answer.json()["id"].as_str().unwrap(), "\"transient\"").await;
    }
}

async fn telegram_refuses_the_token() {
    let sandbox = sandbox::start();
    for fault in [InjectedFault::LostAfter, InjectedFault::CutJson, InjectedFault::NotJson] {
        sandbox.add_fault(FaultRule::next("sendPhoto", fault)).unwrap();
    }
    sandbox.add_fault(FaultRule::next("sendPhoto", InjectedFault::Unauthorized).times(0)).unwrap();
    let mut service = talkative("unauthorized", Engine::Embedded, &sandbox.url());
    service.start().await;
    let answer = post(&service).await;
    wait_for(&service, answer.json()["id"].as_str().unwrap(), "\"held\"").await;
}

async fn rabbitmq_refuses_the_password() {
    let amqp = format!("amqp://courier:{AMQP_PASSWORD}@127.0.0.1:{}/%2f", port_of(&support::amqp_url()));
    let engine = Engine::DistributedSettings { amqp, redis: support::redis_url() };
    let mut service = talkative("amqp", engine, "http://127.0.0.1:9");
    service.start_unready().await;
    let answer = post(&service).await;
    assert_eq!(answer.status, 503, "{}", answer.text);
    let readiness = service.client().get("/readyz").await.unwrap();
    assert_eq!(readiness.status, 503, "{}", readiness.text);
    service.client().metrics().await.unwrap();
}

async fn redis_is_away() {
    let redis = Redis::launch().await;
    // It has no password, so it refuses this one; then it is gone.
    let url = format!("redis://courier:{REDIS_PASSWORD}@127.0.0.1:{}/", port_of(&redis.url()));
    let engine = Engine::DistributedSettings { amqp: support::amqp_url(), redis: url };
    let mut service = talkative("redis", engine, "http://127.0.0.1:9");
    service.start_unready().await;
    assert_eq!(post(&service).await.status, 503);
    drop(redis);
    assert_eq!(post(&service).await.status, 503);
    service.client().metrics().await.unwrap();
    service.kill9();
}

async fn wrong_configurations_are_explained() {
    const MISCONFIGURED: i32 = 64;
    let redis = format!("redis://courier:{REDIS_PASSWORD}@127.0.0.1:1/");
    let engine = Engine::DistributedSettings { amqp: format!("amqp://courier:{AMQP_PASSWORD}@127.0.0.1:1/"), redis };
    let good = Service::new("secrets-check", engine, "http://127.0.0.1:9").environment().clone();
    assert_eq!(check(&good).await, 0);
    let broken = [
        ("BOT_TOKEN", format!("0{TOKEN} ")),
        ("BOT_TOKEN", TOKEN.replace(':', ";")),
        ("BOT_API_URL", format!("http://user:{AMQP_PASSWORD}@[broken/{TOKEN}")),
        ("API_KEYS", format!("{API_KEY},short")),
        ("API_KEYS", format!("{API_KEY} with a space")),
        ("AMQP_URL", format!("http://courier:{AMQP_PASSWORD}@127.0.0.1:1/")),
        ("AMQP_URL", format!("amqp://courier:{AMQP_PASSWORD}@127.0.0.1:port/")),
        ("REDIS_URL", format!("redis//courier:{REDIS_PASSWORD}@127.0.0.1:1/")),
        ("REDIS_URL", format!("redis://courier:{REDIS_PASSWORD}@127.0.0.1:99999/")),
        ("LISTEN", format!("127.0.0.1:{API_KEY}").replace(API_KEY, "port")),
    ];
    for (name, value) in broken {
        let mut environment = good.clone();
        environment.insert(format!("PIXCOURIER_{name}"), value);
        assert_eq!(check(&environment).await, MISCONFIGURED, "a wrong {name} is refused");
    }
}

async fn check(environment: &BTreeMap<String, String>) -> i32 {
    let checked = Process::spawn("check-config", &["check-config"], environment, None).end(WAIT_TIMEOUT).await;
    checked.code().unwrap()
}
