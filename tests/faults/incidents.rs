//! What somebody on call sees of each incident: the metric, the line of the log, `/readyz`, the alert. Prints the table of
//! docs/operation.md. The alerts are those of deploy/alerts.yaml, with their times made short: what they wait for, and the spans that they
//! look over.

use crate::disk::disk_with_ballast;
use crate::sandbox::{self, FaultRule, InjectedFault, Sandbox};
use crate::service::{API_KEY, Engine, Service};
use crate::support::prometheus::Prometheus;
use crate::support::{self, Redis};
use crate::{images::Picture, load::Letter, wait};
use serde_json::{Value, json};
use std::io::{Seek, SeekFrom, Write};
use std::time::Duration;

const WAIT: Duration = Duration::from_secs(60);

/// What is looked for.
struct Expected {
    what: &'static str,
    metric: &'static str,
    /// What a line of the log begins with.
    log: Option<&'static str>,
    readyz: (u16, &'static str),
    alert: Option<&'static str>,
}

fn short_rules() -> String {
    let rules = Prometheus::rules();
    let lines = rules.lines().filter(|line| !line.trim_start().starts_with("for: ")).map(|line| {
        let line = ["[5m]", "[10m]", "[15m]"].iter().fold(line.to_owned(), |line, span| line.replace(span, "[10s]"));
        line.replace(" > 60", " > 3")
    });
    lines.collect::<Vec<_>>().join("\n")
}

async fn watched(service: &Service) -> Option<Prometheus> {
    let page = format!("http://127.0.0.1:{}/metrics", service.port()).parse().unwrap();
    let prometheus = Prometheus::with_rules(&page, API_KEY, &short_rules())?;
    prometheus.until_scraped().await;
    Some(prometheus)
}

async fn started(mut service: Service) -> (Service, Option<Prometheus>) {
    service.set("LOG_FORMAT", "json");
    service.start().await;
    let prometheus = watched(&service).await;
    (service, prometheus)
}

/// Waits until all is seen, and writes it down as a row of the table.
async fn seen(service: &Service, prometheus: &Prometheus, expected: Expected) -> String {
    let Expected { what, metric, log, readyz: (status, away), alert } = expected;
    prometheus.until(what, &format!("{metric} > 0")).await;
    let mut value = prometheus.query(metric).await[0]["value"][1].as_str().unwrap().to_owned();
    value.truncate(6);
    let line = match log {
        Some(begin) => {
            let line = wait::until(&format!("{what} in the log"), WAIT, async || line(service, begin)).await;
            let error = line["error"].as_str().map(|error| format!(": {error}")).unwrap_or_default();
            let message = line["message"].as_str().unwrap().replace('`', "");
            format!("{} `{message}{error}`", line["level"].as_str().unwrap())
        }
        None => "none".to_owned(),
    };
    let asked = format!("/readyz of {what}");
    let readyz = wait::until(&asked, WAIT, async || {
        let answer = service.client().get("/readyz").await.ok()?;
        (answer.status == status && answer.text.contains(away)).then_some(answer)
    });
    let readyz = readyz.await;
    let parts =
        readyz.json()["away"].as_array().map(|parts| Value::from(parts.clone()).to_string()).unwrap_or_default();
    let alert = match alert {
        Some(name) => {
            let firing = format!("ALERTS{{alertname=\"{name}\",alertstate=\"firing\"}}");
            prometheus.until(&format!("{name} of {what}"), &firing).await;
            format!("[{name}](#{})", name.to_lowercase())
        }
        None => "none: nothing else waits for it".to_owned(),
    };
    let metric = metric.replace("{bot=\"default\",", "{");
    format!("| {what} | `{metric}` {value} | {line} | {status} {parts} | {alert} |")
}

fn line(service: &Service, begin: &str) -> Option<Value> {
    let log = std::fs::read_to_string(&service.process().log).ok()?;
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.into_iter().find(|line| line["message"].as_str().is_some_and(|message| message.starts_with(begin)))
}

async fn post(service: &Service, count: i64, chat: impl Fn(i64) -> i64) {
    for number in 0..count {
        let answer = service.client().post_json(&json!({"chat_id": chat(number), "text": "x"})).await.unwrap();
        assert_eq!(answer.status, 202, "{}", answer.text);
    }
}

fn fault(sandbox: &Sandbox, method: &str, times: u64, fault: Value) {
    let fault: InjectedFault = serde_json::from_value(fault).unwrap();
    sandbox.add_fault(FaultRule::next(method, fault).times(times)).unwrap();
}

async fn a_jam() -> Option<String> {
    let sandbox = sandbox::start();
    let mut service = Service::new("jam", Engine::Embedded, &sandbox.url());
    service.set("BOT_RATE", "4");
    let (service, prometheus) = started(service).await;
    let prometheus = prometheus?;
    post(&service, 300, |number| number + 1).await;
    let metric = "pixcourier_notifications_open{bot=\"default\",lane=\"normal\",status=\"queued\"}";
    let expected = Expected {
        what: "A jam: more is posted than a bot may send",
        metric,
        log: None,
        readyz: (200, "ready"),
        alert: Some("PixcourierSlow"),
    };
    Some(seen(&service, &prometheus, expected).await)
}

async fn a_revoked_token() -> Option<String> {
    let sandbox = sandbox::start();
    let (service, prometheus) = started(Service::new("revoked", Engine::Embedded, &sandbox.url())).await;
    let prometheus = prometheus?;
    fault(&sandbox, "sendMessage", 0, json!("unauthorized"));
    post(&service, 3, |number| number + 1).await;
    let expected = Expected {
        what: "A revoked token",
        metric: "pixcourier_held{bot=\"default\"}",
        log: Some("Telegram refuses the bot"),
        readyz: (200, "ready"),
        alert: Some("PixcourierTokenRefused"),
    };
    Some(seen(&service, &prometheus, expected).await)
}

async fn telegram_down() -> Option<String> {
    let (service, prometheus) = started(Service::new("down", Engine::Embedded, "http://127.0.0.1:9")).await;
    let prometheus = prometheus?;
    post(&service, 10, |number| number + 1).await;
    let expected = Expected {
        what: "Telegram down",
        metric: "pixcourier_breaker_open{bot=\"default\"}",
        log: Some("Telegram does not answer: one probe"),
        readyz: (200, "ready"),
        alert: Some("PixcourierTelegramAway"),
    };
    Some(seen(&service, &prometheus, expected).await)
}

async fn redis_down() -> Option<String> {
    let sandbox = sandbox::start();
    let mut redis = Redis::launch().await;
    let engine = Engine::DistributedSettings { amqp: support::amqp_url(), redis: redis.url() };
    let (service, prometheus) = started(Service::new("no-redis", engine, &sandbox.url())).await;
    let prometheus = prometheus?;
    redis.kill9();
    let expected = Expected {
        what: "Redis down",
        metric: "1 - pixcourier_part_up{part=\"ledger\"}",
        log: Some("a part is away"),
        readyz: (200, "ledger"),
        alert: Some("PixcourierPartAway"),
    };
    Some(seen(&service, &prometheus, expected).await)
}

async fn a_full_disk() -> Option<String> {
    let (disk, _ballast) = disk_with_ballast("incident", 40, 20)?;
    let mut service = Service::new("full", Engine::Embedded, "http://127.0.0.1:9");
    service.set("DATA_DIR", &disk.path().join("data").display().to_string());
    let (service, prometheus) = started(service).await;
    let prometheus = prometheus?;
    for number in 0..200 {
        let letter = Letter::new(format!("full {number}"), 1_000 + number, Picture::medium(number as u64));
        let _ = service.client().post(&letter).await;
    }
    let expected = Expected {
        what: "The disk is full",
        metric: "1 - pixcourier_part_up{part=\"disk\"}",
        log: Some("a part is away"),
        readyz: (503, "disk"),
        alert: Some("PixcourierDiskFull"),
    };
    Some(seen(&service, &prometheus, expected).await)
}

async fn a_flooding_chat() -> Option<String> {
    let sandbox = sandbox::start();
    let mut service = Service::new("flooding", Engine::Embedded, &sandbox.url());
    service.set("CHAT_RATE", "1");
    // Half of it is what one chat may hold.
    service.set("WINDOW", "200");
    let (service, prometheus) = started(service).await;
    let prometheus = prometheus?;
    post(&service, 400, |_| 7).await;
    let expected = Expected {
        what: "A chat that is flooded",
        metric: "pixcourier_deferred_notifications{bot=\"default\",lane=\"normal\"}",
        log: None,
        readyz: (200, "ready"),
        alert: None,
    };
    Some(seen(&service, &prometheus, expected).await)
}

async fn a_corrupt_file() -> Option<String> {
    let mut service = Service::new("corrupt", Engine::Embedded, "http://127.0.0.1:9");
    service.set("LOG_FORMAT", "json");
    service.start().await;
    post(&service, 300, |number| number + 1).await;
    service.process().terminate();
    service.end(WAIT).await;
    let (service, prometheus) = started(service).await;
    let prometheus = prometheus?;
    let file = service.data_dir().join("pixcourier.db");
    let mut file = std::fs::OpenOptions::new().write(true).open(file).unwrap();
    let length = file.metadata().unwrap().len();
    file.seek(SeekFrom::Start(8_192)).unwrap();
    file.write_all(&vec![0xa5; usize::try_from(length - 8_192).unwrap()]).unwrap();
    wait::until_true("the damage to be met", WAIT, async || {
        let asked = service.client().get("/v1/notifications?limit=1000").await;
        asked.is_ok_and(|answer| answer.status == 503)
    })
    .await;
    let expected = Expected {
        what: "The embedded database is corrupt",
        metric: "pixcourier_damaged",
        log: Some("the database is damaged"),
        readyz: (503, "queue"),
        alert: Some("PixcourierDamaged"),
    };
    Some(seen(&service, &prometheus, expected).await)
}

fn print_and_compare(rows: Vec<Option<String>>) {
    let rows: Vec<String> = rows.into_iter().flatten().collect();
    println!("| Incident | Metric | Log | `/readyz` | Alert |\n|---|---|---|---|---|\n{}", rows.join("\n"));
    let manual = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/operation.md")).unwrap();
    for row in &rows {
        // The values are those of one run.
        let what = row.split('|').nth(1).unwrap();
        let alert = row.rsplit('|').nth(1).unwrap();
        let written = manual.lines().find(|line| line.starts_with(&format!("|{what}|")));
        assert!(written.is_some_and(|line| line.contains(alert)), "docs/operation.md has not: {row}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_incidents_are_seen_by_who_is_on_call() {
    print_and_compare(vec![a_revoked_token().await, a_corrupt_file().await]);
}

/// `make incidents`
#[tokio::test(flavor = "multi_thread")]
async fn every_incident_is_seen_by_who_is_on_call() {
    print_and_compare(vec![
        a_jam().await,
        a_revoked_token().await,
        telegram_down().await,
        redis_down().await,
        a_full_disk().await,
        a_flooding_chat().await,
        a_corrupt_file().await,
    ]);
}
