//! A caller of a running service, for `send` and `demo`.

use crate::domain::{Failure, NotificationId, Status, Timestamp};
use anyhow::{Context, bail};
use reqwest::{RequestBuilder, Response, Url, multipart};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, Instant};

/// A service and the key that it wants to see.
pub struct Client {
    http: reqwest::Client,
    notifications: String,
    recipients: String,
    key: Option<SecretString>,
}

/// The service said no: a problem document (RFC 9457), in one line.
#[derive(Debug, thiserror::Error)]
#[error("the service answered {status}{}: {detail}", code.as_ref().map(|code| format!(" {code}")).unwrap_or_default())]
pub struct Refused {
    status: u16,
    code: Option<String>,
    /// What is to blame.
    pub field: Option<String>,
    detail: String,
}

/// What the service answers to a notification that it took.
#[derive(Debug, Deserialize)]
pub struct Accepted {
    pub id: NotificationId,
}

/// How a notification stands.
#[derive(Debug, Deserialize)]
pub struct Fate {
    pub status: Status,
    pub created_at: Timestamp,
    #[serde(default)]
    pub send_at: Option<Timestamp>,
    #[serde(default)]
    pub attempts: Vec<Attempt>,
    #[serde(default)]
    pub message_id: Option<i64>,
    #[serde(default)]
    pub failure: Option<Failure>,
}

/// One attempt, as far as it is shown here.
#[derive(Debug, Deserialize)]
pub struct Attempt {
    pub at: Timestamp,
    pub duration_ms: u64,
    pub uploaded: bool,
    pub outcome: String,
}

impl Fate {
    /// The attempt that succeeded.
    pub fn success(&self) -> Option<&Attempt> {
        self.attempts.iter().find(|attempt| attempt.outcome == "sent")
    }

    /// Why it was not sent, in one line.
    pub fn reason(&self) -> String {
        match &self.failure {
            Some(failure) => format!("{}: {} ({})", self.status.as_str(), failure.description, failure.class.as_str()),
            None => self.status.as_str().to_owned(),
        }
    }
}

/// What to post.
pub struct Parcel {
    /// The request's fields.
    pub fields: Map<String, Value>,
    /// A file and its field, which make it `multipart/form-data`; without it, the fields go as JSON and hold the image.
    pub file: Option<(String, multipart::Part)>,
}

impl Client {
    /// A caller of the service at an address such as `http://127.0.0.1:8080`.
    pub fn new(url: &str, key: Option<SecretString>) -> anyhow::Result<Self> {
        const CONNECT: Duration = Duration::from_secs(5);
        const ANSWER: Duration = Duration::from_secs(120);
        let parsed = Url::parse(url).ok().filter(|url| ["http", "https"].contains(&url.scheme()));
        let parsed = parsed.context("the address of the service begins with http:// or https://")?;
        let mut builder = reqwest::Client::builder().connect_timeout(CONNECT).timeout(ANSWER);
        // A proxy that the environment names cannot reach this machine's own addresses.
        if is_loopback(&parsed) {
            builder = builder.no_proxy();
        }
        let url = url.trim_end_matches('/');
        let (notifications, recipients) = (format!("{url}/v1/notifications"), format!("{url}/v1/recipients"));
        Ok(Self { http: builder.build()?, notifications, recipients, key })
    }

    /// Posts a notification.
    pub async fn post(&self, parcel: Parcel, idempotency_key: Option<&str>) -> anyhow::Result<Accepted> {
        let mut request = self.http.post(&self.notifications);
        if let Some(key) = idempotency_key {
            request = request.header("Idempotency-Key", key);
        }
        let request = match parcel.file {
            None => request.json(&parcel.fields),
            Some((field, part)) => {
                let mut form = multipart::Form::new();
                for (name, value) in parcel.fields {
                    form = form.text(name, value.as_str().map_or_else(|| value.to_string(), str::to_owned));
                }
                request.multipart(form.part(field, part))
            }
        };
        self.answer(request).await
    }

    /// Writes entries into the recipient book, all or none.
    pub async fn register(&self, entries: &[Value]) -> anyhow::Result<()> {
        self.answer::<Value>(self.http.put(&self.recipients).json(entries)).await.map(drop)
    }

    /// Asks how a notification stands.
    pub async fn fate(&self, id: NotificationId) -> anyhow::Result<Fate> {
        self.answer(self.http.get(format!("{}/{id}", self.notifications))).await
    }

    /// Asks until nothing more will happen to it.
    pub async fn final_fate(&self, id: NotificationId, patience: Duration) -> anyhow::Result<Fate> {
        const QUICKEST: Duration = Duration::from_millis(20);
        const SLOWEST: Duration = Duration::from_secs(1);
        let deadline = Instant::now() + patience;
        let mut pause = QUICKEST;
        loop {
            let fate = self.fate(id).await?;
            if fate.status.is_final() {
                return Ok(fate);
            }
            if Instant::now() >= deadline {
                bail!("notification {id} is still {} after {} s", fate.status.as_str(), patience.as_secs());
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 5 / 4).min(SLOWEST);
        }
    }

    async fn answer<T: DeserializeOwned>(&self, mut request: RequestBuilder) -> anyhow::Result<T> {
        if let Some(key) = &self.key {
            request = request.bearer_auth(key.expose_secret());
        }
        let answer = request.send().await.map_err(reqwest::Error::without_url).context("no answer from the service")?;
        if answer.status().is_success() {
            return answer.json().await.map_err(reqwest::Error::without_url).context("the service's answer is strange");
        }
        Err(refused(answer).await.into())
    }
}

async fn refused(answer: Response) -> Refused {
    let status = answer.status().as_u16();
    let problem: Value = answer.json().await.unwrap_or_default();
    let text = |name: &str| problem[name].as_str().map(str::to_owned);
    let detail = text("detail").or_else(|| text("title")).unwrap_or_else(|| "no explanation".to_owned());
    Refused { status, code: text("code"), field: text("field"), detail }
}

/// A file as a part of a form, streamed as it is sent.
pub async fn file_part(path: &Path) -> anyhow::Result<multipart::Part> {
    multipart::Part::file(path).await.with_context(|| format!("read {}", path.display()))
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
