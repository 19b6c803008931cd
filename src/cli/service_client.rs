//! A client of a running service, for the commands that talk to one.

use super::event_connection::EventConnection;
use super::open_error::StillOpenError;
use crate::domain::{Failure, NotificationId, Status, Timestamp};
use crate::settings::environment;
use anyhow::Context;
use reqwest::{RequestBuilder, Response, Url, multipart};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, Instant};

/// A service and the key that it wants to see.
pub struct ServiceClient {
    http: reqwest::Client,
    url: String,
    notifications: String,
    recipients: String,
    key: Option<SecretString>,
}

/// The service said no: a problem document (RFC 9457), in one line.
#[derive(Debug, thiserror::Error)]
#[error("the service answered {status}{}: {detail}", code.as_ref().map(|code| format!(" {code}")).unwrap_or_default())]
pub struct ServiceRejection {
    status: u16,
    code: Option<String>,
    /// What is to blame.
    pub field: Option<String>,
    detail: String,
}

impl ServiceRejection {
    /// Whether it may be taken later as it is.
    pub fn is_temporary(&self) -> bool {
        self.status >= 500
    }

    /// Whether it is one too many for now.
    pub fn is_one_too_many(&self) -> bool {
        self.status == 429
    }
}

/// The service did not answer.
#[derive(Debug, thiserror::Error)]
#[error("no answer from the service")]
pub struct UnreachableError(#[source] reqwest::Error);

/// What the service answers to a notification that it took.
#[derive(Debug, Deserialize)]
pub struct AcceptedResponse {
    pub id: NotificationId,
}

/// Where a notification stands.
#[derive(Debug, Deserialize)]
pub struct NotificationState {
    pub status: Status,
    pub created_at: Timestamp,
    #[serde(default)]
    pub send_at: Option<Timestamp>,
    #[serde(default)]
    pub attempts: Vec<AttemptSummary>,
    #[serde(default)]
    pub message_id: Option<i64>,
    #[serde(default)]
    pub failure: Option<Failure>,
}

/// One attempt, as far as it is shown here.
#[derive(Debug, Deserialize)]
pub struct AttemptSummary {
    pub at: Timestamp,
    pub duration_ms: u64,
    pub uploaded: bool,
    pub outcome: String,
    #[serde(default)]
    pub reason: Option<String>,
}

impl NotificationState {
    /// The attempt that succeeded.
    pub fn success(&self) -> Option<&AttemptSummary> {
        self.attempts.iter().find(|attempt| attempt.outcome == "sent")
    }

    /// Why it was not sent, in one line; while it waits, what the last attempt met with.
    pub fn reason(&self) -> String {
        let status = self.status.as_str();
        if let Some(failure) = &self.failure {
            return format!("{status}: {} ({})", failure.description, failure.class.as_str());
        }
        let last = self.attempts.last().filter(|_| matches!(self.status, Status::Held | Status::Retrying));
        match last {
            Some(last) => {
                let words = last.reason.as_deref().map(|words| format!(", {words}")).unwrap_or_default();
                format!("{status} after {} attempt(s): {}{words}", self.attempts.len(), last.outcome)
            }
            None => status.to_owned(),
        }
    }
}

/// How long the service may take to say whether it is ready: it asks its parts for two seconds.
const READINESS_TIMEOUT: Duration = Duration::from_secs(5);

/// What `/readyz` says.
#[derive(Debug, Deserialize, Serialize)]
pub struct ServiceReadiness {
    pub status: String,
    #[serde(default)]
    pub away: Vec<String>,
}

/// A notification to be posted.
pub struct NotificationForm {
    /// The request's fields.
    pub fields: Map<String, Value>,
    /// A file and its field, which make it `multipart/form-data`; without it, the fields go as JSON and hold the image.
    pub file: Option<(String, multipart::Part)>,
}

impl ServiceClient {
    /// A client of the service at an address such as `http://127.0.0.1:8080`.
    pub fn new(url: &str, key: Option<SecretString>) -> anyhow::Result<Self> {
        const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
        const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);
        let parsed = Url::parse(url).ok().filter(|url| ["http", "https"].contains(&url.scheme()));
        let parsed = parsed.context("the address of the service begins with http:// or https://")?;
        let mut builder = reqwest::Client::builder().connect_timeout(CONNECT_TIMEOUT).timeout(ANSWER_TIMEOUT);
        // A proxy that the environment names cannot reach this machine's own addresses.
        if is_loopback(&parsed) {
            builder = builder.no_proxy();
        }
        let url = url.trim_end_matches('/');
        let (notifications, recipients) = (format!("{url}/v1/notifications"), format!("{url}/v1/recipients"));
        Ok(Self { http: builder.build()?, url: url.to_owned(), notifications, recipients, key })
    }

    /// Posts a notification.
    pub async fn post<T: DeserializeOwned>(
        &self,
        form: NotificationForm,
        idempotency_key: Option<&str>,
    ) -> anyhow::Result<T> {
        let mut request = self.http.post(&self.notifications);
        if let Some(key) = idempotency_key {
            request = request.header("Idempotency-Key", key);
        }
        let request = match form.file {
            None => request.json(&form.fields),
            Some((field, part)) => {
                let mut multipart = multipart::Form::new();
                for (name, value) in form.fields {
                    let values = if let Value::Array(values) = value { values } else { vec![value] };
                    for value in values {
                        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                        multipart = multipart.text(name.clone(), text);
                    }
                }
                request.multipart(multipart.part(field, part))
            }
        };
        self.send(request).await
    }

    /// Asks whether it would accept a notification.
    pub async fn readiness(&self) -> anyhow::Result<ServiceReadiness> {
        let answer = self.http.get(format!("{}/readyz", self.url)).timeout(READINESS_TIMEOUT).send().await;
        let answer = answer.map_err(reqwest::Error::without_url).context("no answer from the service")?;
        answer.json().await.map_err(reqwest::Error::without_url).context("the service's answer is strange")
    }

    /// Asks for something by its path.
    pub async fn get<T: DeserializeOwned>(&self, path: &str, query: &[(&str, String)]) -> anyhow::Result<T> {
        let url = Url::parse_with_params(&format!("{}{path}", self.url), query)?;
        self.send(self.http.get(url)).await
    }

    /// Listens how notifications end, behind the event of an id, if one is given.
    pub async fn events(&self, query: &[(&str, String)], last_id: &str) -> anyhow::Result<EventConnection> {
        /// Longer than anybody listens.
        const TIMEOUT: Duration = Duration::from_secs(10 * 365 * 86_400);
        let mut request =
            self.http.get(Url::parse_with_params(&format!("{}/v1/events", self.url), query)?).timeout(TIMEOUT);
        if !last_id.is_empty() {
            request = request.header("Last-Event-ID", last_id);
        }
        Ok(EventConnection::new(self.answer(request).await?, last_id))
    }

    /// Posts a JSON object to a path.
    pub async fn post_json<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &Map<String, Value>,
        idempotency_key: Option<&str>,
    ) -> anyhow::Result<T> {
        let mut request = self.http.post(format!("{}{path}", self.url)).json(body);
        if let Some(key) = idempotency_key {
            request = request.header("Idempotency-Key", key);
        }
        self.send(request).await
    }

    /// Takes something away by its path.
    pub async fn delete<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        self.send(self.http.delete(format!("{}{path}", self.url))).await
    }

    /// Writes entries into the recipient book, all or none.
    pub async fn register(&self, entries: &[Value]) -> anyhow::Result<()> {
        self.send::<Value>(self.http.put(&self.recipients).json(entries)).await.map(drop)
    }

    /// Asks where a notification stands.
    pub async fn state(&self, id: NotificationId) -> anyhow::Result<NotificationState> {
        self.send(self.http.get(format!("{}/{id}", self.notifications))).await
    }

    /// Asks until nothing more will happen to it.
    pub async fn wait_for_final_state(
        &self,
        id: NotificationId,
        timeout: Duration,
    ) -> anyhow::Result<NotificationState> {
        const MIN_POLL_INTERVAL: Duration = Duration::from_millis(20);
        const MAX_POLL_INTERVAL: Duration = Duration::from_secs(1);
        let deadline = Instant::now() + timeout;
        let (mut pause, mut told) = (MIN_POLL_INTERVAL, String::new());
        loop {
            let state = self.state(id).await?;
            if state.status.is_final() {
                return Ok(state);
            }
            if Instant::now() >= deadline {
                let (reason, seconds) = (state.reason(), timeout.as_secs());
                return Err(StillOpenError(format!("notification {id} is still {reason} after {seconds} s")).into());
            }
            let reason = state.reason();
            if matches!(state.status, Status::Held | Status::Retrying) && reason != told {
                eprintln!("{reason}");
                told = reason;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 5 / 4).min(MAX_POLL_INTERVAL);
        }
    }

    async fn send<T: DeserializeOwned>(&self, request: RequestBuilder) -> anyhow::Result<T> {
        let answer = self.answer(request).await?;
        answer.json().await.map_err(reqwest::Error::without_url).context("the service's answer is strange")
    }

    async fn answer(&self, mut request: RequestBuilder) -> anyhow::Result<Response> {
        if let Some(key) = &self.key {
            request = request.bearer_auth(key.expose_secret());
        }
        let answer = request.send().await.map_err(|error| UnreachableError(error.without_url()))?;
        if answer.status().is_success() { Ok(answer) } else { Err(rejection_in(answer).await.into()) }
    }
}

async fn rejection_in(answer: Response) -> ServiceRejection {
    let status = answer.status().as_u16();
    let problem: Value = answer.json().await.unwrap_or_default();
    let text = |name: &str| problem[name].as_str().map(str::to_owned);
    let detail = text("detail").or_else(|| text("title")).unwrap_or_else(|| "no explanation".to_owned());
    ServiceRejection { status, code: text("code"), field: text("field"), detail }
}

/// A file as a part of a form, streamed as it is sent.
pub async fn file_part(path: &Path) -> anyhow::Result<multipart::Part> {
    multipart::Part::file(path).await.with_context(|| format!("read {}", path.display()))
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The API key in an environment variable, the first if it holds several.
pub fn api_key(variable: &str) -> Option<SecretString> {
    let keys = environment().remove(variable)?;
    keys.split(',').map(str::trim).find(|key| !key.is_empty()).map(SecretString::from)
}
