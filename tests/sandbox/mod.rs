//! The sandbox, as clients of a Bot API meet it.

mod control;
mod faults;
mod hook;
mod inline;
mod kinds;
mod limits;
mod manual;
mod media;
mod messages;
mod requests;
mod users;

use crate::support::images;
use pixcourier::sandbox::{Sandbox, SandboxOptions};
use reqwest::multipart::{Form, Part};
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Once;
use std::time::Duration;

const ANNE: &str = "1001:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const BERT: &str = "1002:BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB";

const FORM: &str = "application/x-www-form-urlencoded";

struct TestSandbox {
    sandbox: Sandbox,
    http: Client,
}

fn sandbox(options: SandboxOptions) -> TestSandbox {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
    let sandbox = Sandbox::start(TcpListener::bind("127.0.0.1:0").unwrap(), options).unwrap();
    let http = Client::builder().no_proxy().timeout(Duration::from_secs(20)).build().unwrap();
    TestSandbox { sandbox, http }
}

/// Without limits and pacing, for what has nothing to do with them.
fn free() -> TestSandbox {
    sandbox(SandboxOptions { limits: None, pace_uploads: false, ..SandboxOptions::default() })
}

impl TestSandbox {
    fn url(&self, token: &str, method: &str) -> String {
        format!("{}/bot{token}/{method}", self.sandbox.url())
    }

    fn post(&self, token: &str, method: &str) -> RequestBuilder {
        self.http.post(self.url(token, method))
    }

    async fn call(&self, token: &str, method: &str, arguments: Value) -> (StatusCode, Value) {
        answer(self.post(token, method).json(&arguments)).await
    }

    async fn upload(&self, token: &str, method: &str, form: Form) -> (StatusCode, Value) {
        answer(self.post(token, method).multipart(form)).await
    }

    async fn send_photo(&self, token: &str, chat: i64, bytes: Vec<u8>) -> Value {
        let (status, body) = self.upload(token, "sendPhoto", photo_form(chat, "photo.png", bytes)).await;
        assert_eq!(status, 200, "{body}");
        body["result"].clone()
    }

    async fn control(&self, path: &str) -> Value {
        let answer = self.http.get(format!("{}{path}", self.sandbox.url())).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
    }

    async fn queue(&self, rule: Value) -> StatusCode {
        self.http.post(format!("{}/sandbox/faults", self.sandbox.url())).json(&rule).send().await.unwrap().status()
    }

    /// Sends raw bytes and reads all that comes until the connection ends.
    fn raw(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.sandbox.addr()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        // A reset ends it as well.
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }
}

async fn answer(request: RequestBuilder) -> (StatusCode, Value) {
    let answer = request.send().await.unwrap();
    let status = answer.status();
    let body: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    assert_eq!(body["ok"], status == 200);
    if status != 200 {
        assert_eq!(body["error_code"], status.as_u16());
    }
    (status, body)
}

fn photo_form(chat: i64, name: &str, bytes: Vec<u8>) -> Form {
    Form::new().text("chat_id", chat.to_string()).part("photo", Part::bytes(bytes).file_name(name.to_owned()))
}

/// A PNG of the given size; `salt` makes its content its own.
fn png(width: u32, height: u32, salt: u8, length: usize) -> Vec<u8> {
    images::png(width, height, length, salt.into())
}

fn picture(salt: u8) -> Vec<u8> {
    png(640, 480, salt, 2000)
}

fn description(body: &Value) -> &str {
    body["description"].as_str().unwrap()
}

fn last_file_id(message: &Value) -> &str {
    message["photo"].as_array().unwrap().last().unwrap()["file_id"].as_str().unwrap()
}
