//! The event stream through the real server, on both engines.

use crate::support::event_reader::{EventReader, Told};
use crate::support::named_client::client;
use crate::support::test_app::{NO_LIMITS, On, TestApp, lenient};
use pixcourier::app::Role;
use pixcourier::domain::Timestamp;
use pixcourier::settings::{Client, Scope, Settings};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// A user of the sandbox who has blocked the bot.
const BLOCKER: i64 = 9_000_000_403;
/// How long it is watched that nothing is told: longer than the feed takes.
const QUIET_PERIOD: Duration = Duration::from_millis(800);

on_both_engines!(On:
    every_end_is_told_with_the_body_of_a_callback,
    whoever_comes_again_goes_on_where_it_stopped_at_any_process,
    a_client_is_told_of_its_own_and_filters_narrow_it,
    what_is_not_kept_is_said_to_be_missing,
    streams_are_bounded_and_end_with_the_process,
    who_reads_slowly_holds_nobody_up_and_misses_none,
);

async fn app(on: On, tune: impl FnOnce(&mut Settings)) -> TestApp {
    TestApp::tuned(on, Role::All, NO_LIMITS, lenient(), tune).await
}

fn at(app: &TestApp, query: &str) -> RequestBuilder {
    app.client.get(format!("{}/v1/events{query}", app.api))
}

fn kinds(told: &[Told]) -> Vec<&str> {
    told.iter().map(|told| told.kind.as_str()).collect()
}

async fn every_end_is_told_with_the_body_of_a_callback(on: On) {
    let app = app(on, |_| {}).await;
    app.sent(&app.accept(json!({"chat_id": 7, "text": "before anybody listened"})).await).await;
    let mut stream = EventReader::open(at(&app, ""), "").await;
    let sent = app.accept(json!({"chat_id": 7, "text": "x", "tags": ["é\u{2028}\n", "b"]})).await;
    let failed = app.accept(json!({"chat_id": BLOCKER, "text": "x"})).await;
    let record = app.sent(&sent).await;
    let failure = app.settled(&failed).await;
    let mut told = stream.take(2).await;
    told.sort_by_key(|told| told.kind.clone());
    assert_eq!(kinds(&told), ["notification.failed", "notification.sent"]);
    for (told, record) in told.iter().zip([&failure, &record]) {
        assert_eq!((&told.data["type"], &told.data["timestamp"]), (&json!(told.kind), &record["updated_at"]));
        let data = told.data["data"].as_object().unwrap();
        assert!(data.len() >= 10);
        for (name, value) in data {
            assert_eq!(*value, record[name], "{name}, as GET shows it");
        }
    }
    let soon = Timestamp::now().plus(Duration::from_secs(60));
    let cancelled = app.accept(json!({"chat_id": 9, "text": "x", "send_at": soon})).await;
    assert_eq!(
        app.client.delete(format!("{}/v1/notifications/{cancelled}", app.api)).send().await.unwrap().status(),
        200
    );
    let told = stream.take(1).await;
    assert_eq!((kinds(&told), told[0].notification()), (vec!["notification.cancelled"], cancelled));
    assert!(stream.is_silent_for(QUIET_PERIOD).await);
    drop(stream);
    app.stop().await;
}

async fn whoever_comes_again_goes_on_where_it_stopped_at_any_process(on: On) {
    let mut app = app(on, |_| {}).await;
    let stream = EventReader::open(at(&app, ""), "").await;
    let last = stream.last_id.clone();
    drop(stream);
    let mut expected = Vec::new();
    for chat in 0..130 {
        expected.push(app.accept(json!({"chat_id": chat + 1, "text": "x"})).await);
    }
    for id in &expected {
        app.sent(id).await;
    }
    let mut stream = EventReader::open(at(&app, ""), &last).await;
    let mut told = stream.take(60).await;
    let last = stream.last_id.clone();
    drop(stream);
    app.restart().await;
    let mut stream = EventReader::open(at(&app, ""), &last).await;
    told.extend(stream.take(70).await);
    let next = app.accept(json!({"chat_id": 7, "text": "x"})).await;
    told.extend(stream.take(1).await);
    expected.push(next);
    assert!(stream.is_silent_for(QUIET_PERIOD).await, "each is told once");
    let mut found: Vec<String> = told.iter().map(Told::notification).collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    if let On::Distributed = on {
        // The other process has sent none of them.
        let peer = app.peer(Role::Api).await;
        let of_peer = app.client.get(format!("{}/v1/events", peer.url));
        let mut stream = EventReader::open(of_peer, &told[100].id).await;
        let again: Vec<String> = stream.take(30).await.iter().map(|told| told.id.clone()).collect();
        assert_eq!(again, told[101..].iter().map(|told| told.id.clone()).collect::<Vec<_>>());
        let id = app.accept(json!({"chat_id": 8, "text": "x"})).await;
        assert_eq!(stream.take(1).await[0].notification(), id);
        drop(stream);
        peer.stop().await;
    }
    drop(stream);
    app.stop().await;
}

async fn a_client_is_told_of_its_own_and_filters_narrow_it(on: On) {
    let app = app(on, |settings| {
        let boss = Client { scopes: [Scope::Manage].into(), ..client("boss") };
        let mute = Client { scopes: [Scope::Send].into(), ..client("mute") };
        settings.clients = vec![Arc::new(client("shop")), Arc::new(client("web")), Arc::new(boss), Arc::new(mute)];
    })
    .await;
    let key = |name: &str| format!("the-key-of-{name}");
    let listen = async |name: &str, query: &str| EventReader::open(at(&app, query).bearer_auth(key(name)), "").await;
    let [mut shop, mut web, mut boss] = [listen("shop", "").await, listen("web", "").await, listen("boss", "").await];
    let mut tagged = listen("boss", "?tag=b&bot=default").await;
    let mut failed = listen("boss", "?status=failed,unknown&client=web").await;
    let post = async |name: &str, body: Value| {
        let request = app.client.request(Method::POST, format!("{}/v1/notifications?wait=30", app.api));
        let answer = request.bearer_auth(key(name)).json(&body).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.json::<Value>().await.unwrap()["id"].as_str().unwrap().to_owned()
    };
    let first = post("shop", json!({"chat_id": 5, "text": "x", "tags": ["a", "b"]})).await;
    let second = post("web", json!({"chat_id": 5, "text": "x", "tags": ["a"]})).await;
    let third = post("web", json!({"chat_id": BLOCKER, "text": "x"})).await;
    let ids = |told: Vec<Told>| told.iter().map(Told::notification).collect::<Vec<_>>();
    assert_eq!(ids(shop.take(1).await), std::slice::from_ref(&first));
    assert_eq!(ids(web.take(2).await), [second.clone(), third.clone()]);
    assert_eq!(ids(boss.take(3).await), [first.clone(), second, third.clone()]);
    assert_eq!(ids(tagged.take(1).await), [first]);
    assert_eq!(ids(failed.take(1).await), [third]);
    assert!(shop.is_silent_for(QUIET_PERIOD).await);
    assert_eq!(at(&app, "").bearer_auth(key("mute")).send().await.unwrap().status(), 403);
    assert_eq!(at(&app, "").send().await.unwrap().status(), 401);

    // A key that is taken away: whoever listens by it comes again, and is refused.
    let mut settings = app.settings.clone();
    settings.clients.retain(|client| client.name.as_str() != "shop");
    app.reload(&settings).unwrap();
    post("web", json!({"chat_id": 5, "text": "x"})).await;
    let ended = tokio::time::timeout(Duration::from_secs(20), shop.next()).await.expect("it ends");
    assert!(ended.is_none(), "{ended:?}");
    assert_eq!(at(&app, "").bearer_auth(key("shop")).send().await.unwrap().status(), 401);
    drop((web, boss, tagged, failed));
    app.stop().await;
}

async fn what_is_not_kept_is_said_to_be_missing(on: On) {
    let app = app(on, |_| {}).await;
    for bad in ["x", "7", "1-2-3", "-1-0", "007-0", "999999999999999-0"] {
        let response = at(&app, "").header("Last-Event-ID", bad).send().await.unwrap();
        assert_eq!(response.status(), 400, "{bad}");
        let problem: Value = response.json().await.unwrap();
        assert_eq!((&problem["code"], &problem["field"]), (&json!("invalid_field"), &json!("Last-Event-ID")));
    }
    for (bad, field) in [("?status=queued", "status"), ("?limit=3", "limit"), ("?tag=", "tag"), ("?bot=A", "bot")] {
        let response = at(&app, bad).send().await.unwrap();
        assert_eq!(response.status(), 400, "{bad}");
        assert_eq!(response.json::<Value>().await.unwrap()["field"], field);
    }
    let head = app.client.head(format!("{}/v1/events", app.api)).send().await.unwrap();
    assert_eq!((head.status().as_u16(), &head.headers()["content-type"] == "text/event-stream"), (200, true));
    for missed in ["1-0", "253402300799999-0"] {
        let mut stream = EventReader::open(at(&app, ""), missed).await;
        let gap = &stream.take(1).await[0];
        assert_eq!((gap.kind.as_str(), &gap.data["type"]), ("events.gap", &json!("events.gap")));
        assert_eq!(gap.data["data"]["last_event_id"], missed);
        let id = app.accept(json!({"chat_id": 5, "text": "x"})).await;
        let told = stream.take(1).await;
        assert_eq!((told[0].kind.as_str(), told[0].notification()), ("notification.sent", id));
        drop(stream);
        let mut again = EventReader::open(at(&app, ""), &gap.id).await;
        assert_eq!(again.take(1).await[0].id, told[0].id, "it is told of the gap once");
    }
    app.stop().await;
}

async fn streams_are_bounded_and_end_with_the_process(on: On) {
    let app = app(on, |settings| settings.event_streams = 5).await;
    let mut streams = Vec::new();
    for _ in 0..3 {
        streams.push(EventReader::open(at(&app, ""), "").await);
    }
    let refused = at(&app, "").send().await.unwrap();
    assert_eq!((refused.status().as_u16(), &refused.headers()["retry-after"] == "5"), (429, true));
    assert_eq!(refused.json::<Value>().await.unwrap()["code"], "too_many_streams");
    let open = async |count: &str| {
        let page = app.get("/metrics").await.text().await.unwrap();
        page.lines().any(|line| line == format!("pixcourier_event_streams {count}"))
    };
    assert!(open("3").await);
    streams.pop();
    app.until("its place to be free", async || open("2").await).await;
    streams.push(EventReader::open(at(&app, ""), "").await);
    let id = app.accept(json!({"chat_id": 5, "text": "x"})).await;
    for stream in &mut streams {
        assert_eq!(stream.take(1).await[0].notification(), id);
    }
    let began = Instant::now();
    let ends = tokio::spawn(async move {
        for mut stream in streams {
            assert!(stream.next().await.is_none(), "it ends and tells nothing else");
        }
        began.elapsed()
    });
    app.stop().await;
    let (ended, stopped) = (ends.await.unwrap(), began.elapsed());
    assert!(ended < Duration::from_secs(1), "streams end at once: {ended:?}");
    assert!(stopped < Duration::from_secs(8), "they hold nothing up: {stopped:?}");
}

/// A connection that takes little at a time, with what has come over it.
struct SlowReader {
    socket: TcpStream,
    come: Vec<u8>,
}

impl SlowReader {
    async fn open(app: &TestApp) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4_096).unwrap();
        let address = app.api.trim_start_matches("http://");
        let mut socket = socket.connect(address.parse().unwrap()).await.unwrap();
        let head = format!("GET /v1/events HTTP/1.1\r\nHost: {address}\r\n\r\n");
        socket.write_all(head.as_bytes()).await.unwrap();
        let mut reader = Self { socket, come: Vec::new() };
        while reader.ids().is_empty() {
            assert!(reader.read().await, "it is open");
        }
        reader
    }

    /// Whether more has come.
    async fn read(&mut self) -> bool {
        self.socket.read_buf(&mut self.come).await.is_ok_and(|read| read > 0)
    }

    /// The ids so far, without the frames of the chunks.
    fn ids(&self) -> Vec<String> {
        let Some(head) = self.come.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { return Vec::new() };
        let (mut rest, mut body) = (&self.come[head + 4..], Vec::new());
        while let Some(line) = rest.windows(2).position(|bytes| bytes == b"\r\n") {
            let size = usize::from_str_radix(std::str::from_utf8(&rest[..line]).unwrap(), 16).unwrap();
            if size == 0 || rest.len() < line + 4 + size {
                break;
            }
            body.extend_from_slice(&rest[line + 2..line + 2 + size]);
            rest = &rest[line + 4 + size..];
        }
        let body = String::from_utf8(body).unwrap();
        body.split("\n\n")
            .filter_map(|block| block.lines().find_map(|line| line.strip_prefix("id: ")))
            .map(str::to_owned)
            .collect()
    }
}

async fn who_reads_slowly_holds_nobody_up_and_misses_none(on: On) {
    const MANY: usize = 1_000;
    let app = app(on, |_| {}).await;
    let mut slow = SlowReader::open(&app).await;
    let mut quick = EventReader::open(at(&app, ""), "").await;
    // Some megabytes of events, which no buffer on the way holds.
    let tags = vec!["🦀".repeat(64); 10];
    let items: Vec<Value> = (0..MANY).map(|chat| json!({"chat_id": chat + 1, "text": "x", "tags": tags})).collect();
    let posted = app.client.post(format!("{}/v1/notifications/batch", app.api)).json(&items).send().await.unwrap();
    assert_eq!(posted.json::<Value>().await.unwrap()["accepted"], MANY);
    let told: Vec<String> = quick.take(MANY).await.into_iter().map(|told| told.id).collect();
    let read_in_time = slow.ids().len();
    assert!(read_in_time < MANY / 2, "it has read nothing meanwhile");
    while slow.ids().last() != told.last() && slow.read().await {}
    let mut seen = slow.ids();
    let begin = seen.remove(0);
    if seen.last() != told.last() {
        // It was cut off, having taken nothing for too long: then it comes again.
        let last = seen.last().cloned().unwrap_or(begin);
        let mut again = EventReader::open(at(&app, ""), &last).await;
        seen.extend(again.take(MANY - seen.len()).await.into_iter().map(|told| told.id));
    }
    assert_eq!(seen, told);
    // What is not read to its end keeps the connection of a client alive.
    drop((slow, quick));
    app.stop().await;
}
