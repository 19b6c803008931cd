//! A Prometheus of our own, that scrapes one process every second.

use super::{free_port, wait};
use reqwest::{Client, Url};
use serde_json::Value;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

const WAIT: Duration = Duration::from_secs(60);

/// The program that a variable of `tests/with-prometheus` names; says that something is left out if there is none.
pub fn program(variable: &str) -> Option<PathBuf> {
    let program = std::env::var_os(variable).filter(|program| !program.is_empty()).map(PathBuf::from);
    if program.is_none() {
        println!("left out: {variable} is not set; run this under tests/with-prometheus");
    }
    program
}

/// Ended with its owner.
pub struct Prometheus {
    child: Child,
    url: String,
    client: Client,
    _folder: TempDir,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Prometheus {
    /// One with the alert rules of deploy/ that scrapes this page as the job `pixcourier`.
    pub fn scraping(page: &Url) -> Option<Self> {
        Self::with_rules(page, "", &Self::rules())
    }

    /// The alert rules of deploy/.
    pub fn rules() -> String {
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/alerts.yaml")).unwrap()
    }

    /// One with other rules, that shows an API key.
    pub fn with_rules(page: &Url, key: &str, rules: &str) -> Option<Self> {
        let program = program("PIXCOURIER_TEST_PROMETHEUS")?;
        let folder = tempfile::tempdir().unwrap();
        let rules_file = folder.path().join("rules.yaml");
        std::fs::write(&rules_file, rules).unwrap();
        let rules = rules_file.display();
        let key = if key.is_empty() { String::new() } else { format!(", authorization: {{credentials: '{key}'}}") };
        let target = format!("{}:{}", page.host_str().expect("a host"), page.port().expect("a port"));
        let settings = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: ['{rules}']\n\
             scrape_configs: [{{job_name: pixcourier, static_configs: [{{targets: ['{target}']}}]{key}}}]\n"
        );
        let file = folder.path().join("prometheus.yml");
        std::fs::write(&file, settings).unwrap();
        let port = free_port();
        let mut command = Command::new(program);
        command.arg(format!("--config.file={}", file.display()));
        command.arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()));
        command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("prometheus runs");
        Some(Self { child, url: format!("http://127.0.0.1:{port}/api/v1"), client: Client::new(), _folder: folder })
    }

    /// Waits until it has scraped.
    pub async fn until_scraped(&self) {
        wait::until_true("a first scrape", WAIT, async || {
            let Ok(answer) = self.client.get(format!("{}/query?query=up", self.url)).send().await else { return false };
            let answer: Value = answer.json().await.unwrap_or_default();
            answer["data"]["result"][0]["value"][1] == "1"
        })
        .await;
    }

    /// Waits until an expression has an answer.
    pub async fn until(&self, what: &str, expression: &str) {
        wait::until_true(what, WAIT, async || !self.query(expression).await.is_empty()).await;
    }

    /// The answer to an expression.
    pub async fn query(&self, expression: &str) -> Vec<Value> {
        let answer = self.ask("query", &[("query", expression)]).await;
        answer["result"].as_array().unwrap_or_else(|| panic!("{expression}: {answer}")).clone()
    }

    /// What a path of its API answers.
    pub async fn ask(&self, path: &str, query: &[(&str, &str)]) -> Value {
        let url = Url::parse_with_params(&format!("{}/{path}", self.url), query).unwrap();
        let mut answer: Value = self.client.get(url).send().await.unwrap().json().await.unwrap();
        assert_eq!(answer["status"], "success", "{query:?}: {answer}");
        answer["data"].take()
    }
}
