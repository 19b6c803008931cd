//! What the design buys, as ratios, so that they mean the same on every machine: `cargo bench`.
//!
//! Each part does the same work twice, once the plain way and once ours, in one process, and prints both times and their
//! ratio. Embedded engine and sandbox; nothing else needed.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a benchmark that cannot run should say so loudly")]

#[path = "../tests/support/images.rs"]
mod images;
#[path = "../tests/support/settings.rs"]
mod settings;

use futures_util::{StreamExt, stream};
use pixcourier::app::{App, Role};
use pixcourier::domain::{
    BotName, Call, ChatId, DeliveryGuarantee, Lane, Media, MediaKind, MediaSource, Notification, NotificationId,
    Timestamp,
};
use pixcourier::ports::Submission;
use pixcourier::sandbox::{Sandbox, SandboxOptions};
use reqwest::multipart::{Form, Part};
use serde_json::{Map, Value, json};
use settings::{NO_LIMITS, TOKEN};
use std::net::TcpListener;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

const ACCEPTS: usize = 5_000;
const SENDS: usize = 5_000;
const AT_ONCE: usize = 64;

#[tokio::main]
async fn main() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    group_commit().await;
    through_us().await;
}

/// Accepting one by one pays for a write to the disk each; accepting many at once shares it.
async fn group_commit() {
    let folder = tempfile::tempdir().unwrap();
    let engine = pixcourier::app::open_embedded(folder.path(), Duration::from_secs(86_400)).unwrap();
    let accept = |n: usize| {
        let engine = engine.clone();
        async move {
            let submission = Submission { notification: notification(n), idempotency: None };
            engine.ports.acceptor.accept(&submission).await.unwrap();
        }
    };
    let began = Instant::now();
    for n in 0..ACCEPTS / 5 {
        accept(n).await;
    }
    let alone = began.elapsed() * 5;
    let began = Instant::now();
    stream::iter(0..ACCEPTS).map(accept).buffer_unordered(AT_ONCE).collect::<Vec<_>>().await;
    report(&format!("{ACCEPTS} durable accepts, {AT_ONCE} at once instead of one by one"), alone, began.elapsed());
    engine.close().await;
}

/// The same image to many chats: uploading it each time, straight to the Bot API, and through the service, which keeps
/// it durably, orders it, writes its outcome down, and uploads it once.
async fn through_us() {
    let lenient = SandboxOptions { limits: None, pace_uploads: false, ..SandboxOptions::default() };
    let sandbox = Sandbox::start(TcpListener::bind("127.0.0.1:0").unwrap(), lenient).unwrap();
    let image = images::png(64, 64, 300_000, 1);
    let client = reqwest::Client::new();

    let direct = |n: usize| {
        let form = Form::new().text("chat_id", (n + 1).to_string());
        let form = form.part("photo", Part::bytes(image.clone()).file_name("photo.png"));
        let call = client.post(format!("{}/bot{TOKEN}/sendPhoto", sandbox.url())).multipart(form);
        async move { assert_eq!(call.send().await.unwrap().status(), 200) }
    };
    let began = Instant::now();
    stream::iter(0..SENDS).map(direct).buffer_unordered(AT_ONCE).collect::<Vec<_>>().await;
    let plain = began.elapsed();
    let plain_bytes = sandbox.stats().received_bytes;
    sandbox.reset();

    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let api = format!("http://{}/v1/notifications", listener.local_addr().unwrap());
    let stop = CancellationToken::new();
    let mut settings = settings::settings(folder.path().to_owned());
    settings::add_bot(&mut settings, "default", TOKEN, &sandbox.url(), NO_LIMITS);
    let stopped = stop.clone().cancelled_owned();
    let serving = tokio::spawn(async move { App::build(settings, Role::All, listener).await?.run(stopped).await });
    let form = Form::new().text("chat_id", "1").part("photo", Part::bytes(image.clone()).file_name("photo.png"));
    let digest = pixcourier::domain::Sha256::of(&image).to_string();
    let began = Instant::now();
    assert_eq!(client.post(&api).multipart(form).send().await.unwrap().status(), 202);
    let post = |n: usize| {
        let body: Value = json!({"chat_id": n + 1, "photo": {"sha256": digest}});
        let call = client.post(&api).json(&body);
        async move { assert_eq!(call.send().await.unwrap().status(), 202) }
    };
    stream::iter(1..SENDS).map(post).buffer_unordered(AT_ONCE).collect::<Vec<_>>().await;
    while sandbox.stats().sends < SENDS as u64 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let ours = began.elapsed();
    let our_bytes = sandbox.stats().received_bytes;
    report(&format!("{SENDS} sends of one 300 kB image, posted once and named by digest"), plain, ours);
    println!("  bytes uploaded: {plain_bytes} and {our_bytes}, {:.0} to 1", plain_bytes as f64 / our_bytes as f64);
    stop.cancel();
    serving.await.unwrap().unwrap();
    sandbox.stop().await;
}

fn report(what: &str, plain: Duration, ours: Duration) {
    println!("{what}\n  {plain:.2?} and {ours:.2?}: {:.1} times as fast", plain.as_secs_f64() / ours.as_secs_f64());
}

fn notification(n: usize) -> Notification {
    let accepted_at = Timestamp::now();
    let media = Media {
        field: "photo".to_owned(),
        kind: MediaKind::Photo,
        source: MediaSource::Url("https://example.com/a.png".to_owned()),
        filename: "photo.jpg".to_owned(),
    };
    Notification {
        v: Notification::VERSION,
        id: NotificationId::new(),
        bot: BotName::default_bot(),
        chat_id: ChatId::Id(n as i64 + 1),
        lane: Lane::Normal,
        delivery: DeliveryGuarantee::AtLeastOnce,
        call: Call { method: "sendPhoto".to_owned(), params: Map::new(), media: vec![media] },
        accepted_at,
        send_at: None,
        expires_at: accepted_at.plus(Duration::from_secs(3600)),
        tags: Vec::new(),
        attempts: 0,
        deferral: None,
        first_accepted_at: None,
        reply_to: None,
        follows: None,
        then: Vec::new(),
        client: None,
    }
}
