//! The HTTP API over the embedded engine in a folder of its own, with nobody delivering.

use super::answer::Answer;
use super::running_app::{RunningApp, TaskWatch};
use super::settings::{TOKEN, add_bot, settings};
use super::{images, wait};
use pixcourier::app::{Engine, Reloader, Role};
use pixcourier::settings::{RateLimits, Settings};
use reqwest::multipart::{Form, Part};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

/// See the module.
pub struct ApiApp {
    pub engine: Engine,
    pub url: String,
    pub body_limit: u64,
    pub settings: Settings,
    client: Client,
    running: RunningApp,
    folder: TempDir,
    tasks: TaskWatch,
}

impl ApiApp {
    pub async fn start() -> Self {
        Self::with_keys(&[]).await
    }

    pub async fn with_keys(keys: &[&str]) -> Self {
        Self::tuned(|settings| settings.api_keys = keys.iter().map(|key| (*key).to_owned().into()).collect()).await
    }

    /// One with other settings.
    pub async fn tuned(tune: impl FnOnce(&mut Settings)) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let tasks = TaskWatch::begin();
        let folder = tempfile::tempdir().unwrap();
        let mut settings = settings(folder.path().to_owned());
        for name in ["default", "alerts"] {
            add_bot(&mut settings, name, TOKEN, "http://127.0.0.1:9", RateLimits::default());
        }
        tune(&mut settings);
        let running = RunningApp::start(&settings, Role::Api).await;
        let (engine, url) = (running.engine.clone(), running.url.clone());
        let body_limit = settings.body_limit;
        let app = Self { engine, url, body_limit, settings, client: Client::new(), running, folder, tasks };
        let ready = async || app.get("/readyz").await.status == 200;
        wait::until_true("the service to be ready", wait::WAIT_TIMEOUT, ready).await;
        app
    }

    /// What puts changed settings into effect.
    pub fn reloader(&self) -> &Reloader {
        &self.running.reloader
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
                // The pace of the sender.
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

    /// Asks it to stop; it goes on for a moment.
    pub fn begin_stop(&self) {
        self.running.begin_stop();
    }

    /// Stops it gracefully. Panics if uploads are left in the spool, or tasks.
    pub async fn stop(self) {
        wait::until_true("an empty spool", wait::WAIT_TIMEOUT, async || self.spooled() == 0).await;
        let Self { client, engine, running, tasks, folder, .. } = self;
        drop((client, engine));
        running.stop().await;
        tasks.end().await;
        drop(folder);
    }
}

/// A PNG of so many bytes, the same for the same numbers.
pub fn png(width: u32, height: u32, size: usize) -> Vec<u8> {
    images::png(width, height, size, u64::from(width) << 32 | u64::from(height))
}

pub fn form(chat: &str, image: Vec<u8>) -> Form {
    Form::new().text("chat_id", chat.to_owned()).part("photo", Part::bytes(image).file_name("x"))
}
