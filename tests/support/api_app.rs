//! A counter to knock at: the HTTP API over the embedded engine in a folder of its own, with nobody delivering.

use crate::support::images;
use actix_web::dev::ServerHandle;
use actix_web::web::Data;
use pixcourier::adapters::embedded::Embedded;
use pixcourier::adapters::telegram::TelegramProxy;
use pixcourier::app::{Role, routes};
use pixcourier::http::server;
use pixcourier::http::state::AppState;
use pixcourier::intake::Intake;
use pixcourier::intake::spool::Spool;
use pixcourier::ports::Ports;
use pixcourier::settings::{Bot, Engine, Limits, LogFormat, Settings};
use pixcourier::telemetry::Metrics;
use reqwest::multipart::{Form, Part};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::runtime::Handle;
use tokio::sync::watch;

pub const BODY_LIMIT: u64 = 20 << 20;
pub const TOKEN: &str = "123456:ABC-DEF1234ghIkl-zyx57W2v1u123ew11";

pub struct Counter {
    pub engine: Embedded,
    pub url: String,
    pub ready: watch::Sender<bool>,
    client: Client,
    server: ServerHandle,
    folder: TempDir,
}

impl Counter {
    pub async fn open() -> Self {
        Self::open_with_keys(&[]).await
    }

    pub async fn open_with_keys(keys: &[&str]) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let engine = Embedded::open(folder.path()).unwrap();
        let settings = Arc::new(settings(folder.path().to_owned(), keys));
        let metrics = Arc::new(Metrics::new());
        let spool = Spool::open(folder.path().join("spool")).unwrap();
        let ports = Ports {
            acceptor: engine.acceptor.clone(),
            queue: engine.queue.clone(),
            ledger: engine.ledger.clone(),
            media: engine.media.clone(),
            blobs: engine.blobs.clone(),
            outcome_notifier: engine.outcome_notifier.clone(),
            recipients: engine.recipients.clone(),
        };
        let intake = Arc::new(Intake::new(spool, ports.clone(), metrics.clone(), settings.clone()));
        let (ready, is_ready) = watch::channel(true);
        let routes = routes::of(Role::Api, &settings);
        let state = AppState {
            intake,
            ports,
            proxy: Arc::new(TelegramProxy::new(settings.bots.clone()).unwrap()),
            registrars: Arc::default(),
            metrics,
            settings,
            ready: is_ready,
            runtime: Handle::current(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = server::start(listener, Data::new(state), routes).unwrap();
        let handle = server.handle();
        tokio::spawn(server);
        Self { engine, url, ready, client: Client::new(), server: handle, folder }
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    pub fn post(&self) -> RequestBuilder {
        self.request(Method::POST, "/v1/notifications")
    }

    pub async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path)).await
    }

    pub async fn post_json(&self, body: &Value) -> Answer {
        Answer::of(self.post().json(body)).await
    }

    pub async fn post_form(&self, form: Form) -> Answer {
        Answer::of(self.post().multipart(form)).await
    }

    /// Sends bytes as they are and gives what comes back until the other side closes or falls silent.
    pub async fn raw(&self, bytes: &[u8]) -> String {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut socket = tokio::net::TcpStream::connect(self.url.trim_start_matches("http://")).await.unwrap();
        let _ = socket.write_all(bytes).await;
        let mut answer = Vec::new();
        let mut piece = [0; 4096];
        while let Ok(Ok(read @ 1..)) = tokio::time::timeout(Duration::from_millis(300), socket.read(&mut piece)).await {
            answer.extend_from_slice(&piece[..read]);
        }
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Sends a head and then chunks for ever, one every 10 ms; wants this status, and an end within 15 s.
    pub async fn endless(&self, head: String, status: &str) {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let socket = tokio::net::TcpStream::connect(self.url.trim_start_matches("http://")).await.unwrap();
        let (mut reading, mut writing) = socket.into_split();
        writing
            .write_all(format!("{head}Host: localhost\r\nTransfer-Encoding: chunked\r\n\r\n").as_bytes())
            .await
            .unwrap();
        let chunk = [b"1000\r\n".as_slice(), &[b'x'; 4096], b"\r\n"].concat();
        let send = async {
            while writing.write_all(&chunk).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let mut answer = Vec::new();
        let receive = async {
            let mut piece = [0; 4096];
            while let Ok(read @ 1..) = reading.read(&mut piece).await {
                answer.extend_from_slice(&piece[..read]);
            }
        };
        let both = async { tokio::join!(send, receive) };
        let ended = tokio::time::timeout(Duration::from_secs(15), both).await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{head}{answer}");
        assert!(ended.is_ok(), "still read after 15 s: {head}");
    }

    /// Files in the spool; an upload that is over leaves none.
    pub fn spooled(&self) -> usize {
        let inside = |folder: &Path| std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let files = inside(&self.folder.path().join("spool")).flat_map(|process| inside(&process).collect::<Vec<_>>());
        files.filter(|file| !file.ends_with("lock")).count()
    }

    pub async fn close(self) {
        self.server.stop(true).await;
        assert_eq!(self.spooled(), 0, "uploads left in the spool");
        self.engine.close().await;
    }
}

fn settings(data_dir: PathBuf, keys: &[&str]) -> Settings {
    let bots = ["default", "alerts"].map(|name| {
        let name: pixcourier::domain::BotName = name.parse().unwrap();
        let url = "http://127.0.0.1:9".to_owned();
        (name.clone(), Arc::new(Bot::new(name, TOKEN.to_owned().into(), url, Limits::default()).unwrap()))
    });
    Settings {
        listen: "127.0.0.1:0".parse().unwrap(),
        data_dir,
        engine: Engine::Embedded,
        bots: bots.into(),
        api_keys: keys.iter().map(|key| (*key).to_owned().into()).collect(),
        whatsmate_clients: Vec::new(),
        body_limit: BODY_LIMIT,
        bot_api_patience: Duration::from_secs(50),
        window: 100,
        max_attempts: 10,
        grace_period: Duration::from_secs(5),
        record_retention: Duration::from_secs(86_400),
        blob_retention: Duration::from_secs(86_400),
        log: "info".to_owned(),
        log_format: LogFormat::Text,
    }
}

/// An answer with everything that tests ask about.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
}

impl Answer {
    pub async fn of(request: RequestBuilder) -> Self {
        Self::read(request.send().await.unwrap()).await
    }

    pub async fn read(response: Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        Self { status, headers, text: response.text().await.unwrap() }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name}: {self:?}")).to_str().unwrap()
    }

    pub fn id(&self) -> String {
        assert_eq!(self.status, 202, "{}", self.text);
        self.json()["id"].as_str().unwrap().to_owned()
    }

    /// Wants a complete problem document with this status, code and field.
    pub fn assert_problem(&self, case: &str, status: u16, code: &str, field: Option<&str>) {
        assert_eq!(self.status, status, "{case}: {}", self.text);
        assert_eq!(self.header("content-type"), "application/problem+json", "{case}");
        let problem = self.json();
        assert_eq!(problem["code"], code, "{case}: {}", self.text);
        assert_eq!(problem["type"], format!("urn:pixcourier:problem:{code}"), "{case}");
        assert_eq!(problem["status"], status, "{case}");
        assert_eq!(problem["field"].as_str(), field, "{case}: {}", self.text);
        for member in ["title", "detail"] {
            assert!(problem[member].as_str().is_some_and(|text| text.len() > 8), "{case}: {}", self.text);
        }
        assert_eq!(self.headers.contains_key("retry-after"), status == 503 || status == 507, "{case}");
    }
}

/// A PNG of so many bytes, the same for the same numbers.
pub fn png(width: u32, height: u32, size: usize) -> Vec<u8> {
    images::png(width, height, size, u64::from(width) << 32 | u64::from(height))
}

pub fn form(chat: &str, image: Vec<u8>) -> Form {
    Form::new().text("chat_id", chat.to_owned()).part("photo", Part::bytes(image).file_name("x"))
}
