//! What an operator has paused waits, wherever it waits, and nothing else does.

use crate::support::named_client::client;
use crate::support::test_app::{NO_LIMITS, On, TOKEN, TestApp, base64_png, lenient, png};
use pixcourier::app::Role;
use pixcourier::domain::Timestamp;
use pixcourier::settings::{Client, RateLimits, Scope};
use reqwest::{Method, Response};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

on_both_engines!(
    a_paused_chat_waits_and_no_other_does,
    a_paused_bot_sends_nothing_whatever_it_is,
    who_waits_for_a_paused_bot_is_told_so,
    what_is_paused_stays_so_through_a_restart,
    what_is_asked_for_is_checked,
);

impl TestApp {
    async fn post_path(&self, path: &str, body: Value) -> Response {
        self.client.post(format!("{}{path}", self.api)).json(&body).send().await.unwrap()
    }

    /// Pauses or resumes, which must go well.
    async fn steer(&self, path: &str) -> Value {
        let response = self.client.post(format!("{}/v1/bots/default{path}", self.api)).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        response.json().await.unwrap()
    }

    /// Waits until the owner has nothing under way that began before a pause.
    async fn until_quiet(&self) {
        self.until("nothing under way", async || self.json("/v1/bots").await["bots"][0]["open"]["sending"] == json!(0))
            .await;
    }

    async fn count(&self, status: &str) -> u64 {
        self.json("/v1/notifications/summary").await["by_status"][status].as_u64().unwrap_or(0)
    }

    /// The texts that arrived, by chat.
    fn arrived(&self) -> BTreeMap<i64, Vec<String>> {
        let mut chats = BTreeMap::<_, Vec<_>>::new();
        for message in self.messages() {
            chats.entry(message.chat_id).or_default().push(message.caption.unwrap_or_default().into_string());
        }
        chats
    }
}

const CHATS: i64 = 10;
const EACH: u64 = 30;

fn texts() -> Vec<String> {
    (0..EACH).map(|number| format!("number {number}")).collect()
}

async fn a_paused_chat_waits_and_no_other_does(app: &TestApp) {
    let paused = app.steer("/chats/3/pause").await;
    assert_eq!((&paused["bot"], &paused["chat_id"]), (&json!("default"), &json!(3)), "{paused}");
    let mut ids = Vec::new();
    for text in texts() {
        for chat in 1..=CHATS {
            ids.push((chat, app.accept(json!({"chat_id": chat, "text": text})).await));
        }
    }
    app.until("the others", async || app.count("sent").await == EACH * 9).await;
    assert!(!app.arrived().contains_key(&3));
    let (_, waiting) = ids.iter().find(|(chat, _)| *chat == 3).unwrap();
    let record = app.record(waiting).await;
    assert_eq!((&record["status"], &record["paused"]), (&json!("queued"), &json!(true)), "{record:#}");
    let listed = app.json("/v1/notifications?chat_id=3&limit=1").await;
    assert_eq!(listed["notifications"][0]["paused"], json!(true));
    let deepest = app.json("/v1/bots/default/chats").await;
    let chats = deepest["chats"].as_array().unwrap();
    assert_eq!((chats.len(), &deepest["open"], &deepest["complete"]), (1, &json!(EACH), &json!(true)), "{deepest:#}");
    assert_eq!((&chats[0]["chat_id"], &chats[0]["open"]["total"]), (&json!(3), &json!(EACH)));
    // The moment in its id is that before the acceptance.
    let at = |time: &Value| Timestamp::parse(time.as_str().unwrap()).unwrap();
    assert!(at(&record["created_at"]).since(at(&chats[0]["oldest_at"])) < Duration::from_secs(5));
    assert_eq!(chats[0]["paused"]["since"], paused["paused"]["since"]);
    let bots = app.json("/v1/bots").await;
    assert_eq!((&bots["bots"][0]["paused"], &bots["bots"][0]["paused_chats"]), (&json!(null), &json!(1)), "{bots:#}");
    assert_eq!(bots["bots"][0]["owned_here"], json!(true));
    assert_eq!(app.steer("/chats/3/resume").await["paused"], json!(null));
    app.until("the rest", async || app.count("sent").await == EACH * 10).await;
    assert!(app.arrived().values().all(|chat| *chat == texts()), "in order, each once");
    assert_eq!(app.record(waiting).await["paused"], json!(false));
}

/// New uploads, albums, texts in parts, edits, what is due in between; what expires ends, and what is cancelled too.
async fn a_paused_bot_sends_nothing_whatever_it_is(app: &TestApp) {
    let sent = app.accept(json!({"chat_id": 1, "text": "before"})).await;
    let sent = app.sent(&sent).await;
    app.steer("/pause").await;
    app.until_quiet().await;
    let long: String = (0..1_000).map(|n| format!("word{n} ")).collect();
    let soon = |seconds| {
        let then = time::OffsetDateTime::now_utc() + Duration::from_secs(seconds);
        then.format(&time::format_description::well_known::Rfc3339).unwrap()
    };
    let mut ids = vec![app.upload(png(1), json!({"chat_id": 2, "caption": "upload"})).await];
    let album = json!([{"type": "photo", "media": base64_png(2)}, {"type": "photo", "media": base64_png(3)}]);
    for body in [
        json!({"chat_id": 3, "album": album}),
        json!({"chat_id": 4, "text": long, "long_caption": "split"}),
        json!({"chat_id": 5, "text": "due meanwhile", "send_at": soon(1)}),
        json!({"chat_id": 6, "text": "urgent", "priority": "urgent", "delivery": "at_most_once"}),
    ] {
        ids.push(app.accept(body).await);
    }
    let edit = format!("/v1/notifications/{}/edit", sent["id"].as_str().unwrap());
    let edit: Value = app.post_path(&edit, json!({"text": "after"})).await.json().await.unwrap();
    ids.push(edit["id"].as_str().unwrap().to_owned());
    let expiring = app.accept(json!({"chat_id": 7, "text": "too late", "expires_at": soon(2)})).await;
    let cancelled = app.accept(json!({"chat_id": 8, "text": "taken back"})).await;
    let answer = app.client.delete(format!("{}/v1/notifications/{cancelled}", app.api)).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let expired = app.settled(&expiring).await;
    assert_eq!((&expired["status"], expired["attempts"].as_array().unwrap().len()), (&json!("expired"), 0));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(app.messages().len(), 1, "nothing was sent");
    app.steer("/resume").await;
    for id in &ids {
        let record = app.sent(id).await;
        assert_eq!(record["attempts"].as_array().unwrap().len(), 1, "a pause is no attempt: {record:#}");
    }
    app.until("the parts", async || app.arrived()[&4].len() == 2).await;
    assert!(!app.arrived().contains_key(&7) && !app.arrived().contains_key(&8));
}

/// As when its turn is too far away. What is no notification goes on.
async fn who_waits_for_a_paused_bot_is_told_so(app: &TestApp) {
    app.steer("/pause").await;
    let call = async |method: &str, params: Value| {
        let began = Instant::now();
        let url = format!("{}/bot{TOKEN}/{method}", app.api);
        let response = app.client.post(url).json(&params).send().await.unwrap();
        let (status, body): (_, Value) = (response.status().as_u16(), response.json().await.unwrap());
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
        (status, body)
    };
    assert_eq!(call("getMe", json!({})).await.0, 200);
    let (status, refused) = call("sendMessage", json!({"chat_id": 1, "text": "x"})).await;
    assert_eq!((status, &refused["error_code"]), (429, &json!(429)), "{refused}");
    assert!((30..=60).contains(&refused["parameters"]["retry_after"].as_u64().unwrap()), "{refused}");
    let response = app.post(json!({"chat_id": 2, "text": "y", "wait": 1})).await;
    assert_eq!(response.status(), 202, "it is taken, and waits");
    let accepted: Value = response.json().await.unwrap();
    app.steer("/resume").await;
    app.sent(accepted["id"].as_str().unwrap()).await;
    assert_eq!(call("sendMessage", json!({"chat_id": 1, "text": "x"})).await.0, 200);
    assert_eq!(app.messages().len(), 2);
}

async fn what_is_paused_stays_so_through_a_restart(app: &mut TestApp) {
    app.steer("/pause").await;
    app.steer("/chats/-5/pause").await;
    let (one, other) =
        (app.accept(json!({"chat_id": 1, "text": "x"})).await, app.accept(json!({"chat_id": -5, "text": "y"})).await);
    app.restart().await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(app.messages().len(), 0);
    let metric = async |name: &str| app.metric(name, "").await;
    app.until("the metrics", async || (metric("bots_paused").await, metric("chats_paused").await) == (1.0, 1.0)).await;
    app.steer("/resume").await;
    app.sent(&one).await;
    assert_eq!(app.record(&other).await["paused"], json!(true));
    app.steer("/chats/-5/resume").await;
    app.sent(&other).await;
    app.until("the metrics", async || (metric("bots_paused").await, metric("chats_paused").await) == (0.0, 0.0)).await;
}

async fn what_is_asked_for_is_checked(app: &TestApp) {
    for (method, path, body, status, code) in [
        (Method::POST, "/v1/bots/nobody/pause", None, 404, "bot_not_found"),
        (Method::POST, "/v1/bots/No%20Body/resume", None, 404, "bot_not_found"),
        (Method::GET, "/v1/bots/nobody/chats", None, 404, "bot_not_found"),
        (Method::POST, "/v1/bots/default/chats/me/pause", None, 400, "invalid_chat_id"),
        (Method::POST, "/v1/bots/default/chats/0/resume", None, 400, "invalid_chat_id"),
        (Method::POST, "/v1/bots/default/pause?force=1", None, 400, "invalid_query"),
        (Method::POST, "/v1/bots/default/pause", Some(json!({"reason": ""})), 400, "invalid_field"),
        (Method::POST, "/v1/bots/default/pause", Some(json!({"reason": "x".repeat(501)})), 400, "invalid_field"),
        (Method::POST, "/v1/bots/default/pause", Some(json!({"until": "noon"})), 400, "unknown_field"),
        (Method::POST, "/v1/bots/default/pause", Some(json!([])), 400, "malformed_json"),
        (Method::GET, "/v1/bots/default/pause", None, 405, "method_not_allowed"),
        (Method::GET, "/v1/bots/default/chats?limit=201", None, 400, "invalid_query"),
        (Method::GET, "/v1/bots?limit=1", None, 400, "invalid_query"),
        (Method::POST, "/v1/bots", None, 405, "method_not_allowed"),
    ] {
        let mut request = app.client.request(method.clone(), format!("{}{path}", app.api));
        if let Some(body) = &body {
            request = request.json(body);
        }
        let response = request.send().await.unwrap();
        let (got, problem): (_, Value) = (response.status().as_u16(), response.json().await.unwrap());
        assert_eq!((got, &problem["code"]), (status, &json!(code)), "{method} {path}: {problem}");
    }
    let as_text = app.client.post(format!("{}/v1/bots/default/pause", app.api)).body("{}").send().await.unwrap();
    assert_eq!(as_text.status(), 415);
    assert_eq!(app.json("/v1/bots/default/pauses").await, json!({"paused": null, "chats": []}), "nothing was done");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_hold_when_a_bot_goes_on_and_who_paused_it_is_told_embedded() {
    limits_hold_when_a_bot_goes_on(On::Embedded).await;
    who_paused_it_is_told(On::Embedded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_hold_when_a_bot_goes_on_and_who_paused_it_is_told_distributed() {
    limits_hold_when_a_bot_goes_on(On::Distributed).await;
    who_paused_it_is_told(On::Distributed).await;
}

/// What has gathered meanwhile comes at the rate of the bot.
async fn limits_hold_when_a_bot_goes_on(on: On) {
    let limits = RateLimits { bot_rate: 20.0, ..NO_LIMITS };
    let app = TestApp::with(on, limits, lenient()).await;
    app.steer("/pause").await;
    for chat in 1..=60 {
        app.accept(json!({"chat_id": chat, "text": "x"})).await;
    }
    app.steer("/resume").await;
    app.until("all", async || app.messages().len() == 60).await;
    let at: Vec<_> = app.messages().iter().map(|message| message.at_ms).collect();
    let most = (0..at.len()).map(|from| at[from..].iter().take_while(|ms| **ms < at[from] + 1_000).count()).max();
    assert!(most.unwrap() <= 20, "{most:?} in a second");
    app.until("their ends", async || app.count("sent").await == 60).await;
    app.stop().await;
}

/// And only who may manage the bot may pause it.
async fn who_paused_it_is_told(on: On) {
    let app = TestApp::tuned(on, Role::All, NO_LIMITS, lenient(), |settings| {
        let boss = Client { scopes: [Scope::Manage].into(), ..client("boss") };
        settings.clients = vec![boss.into(), client("shop").into()];
    })
    .await;
    let ask = async |client: &str, method: Method, path: &str, body: Value| {
        let request = app.client.request(method, format!("{}{path}", app.api));
        let response = request.bearer_auth(format!("the-key-of-{client}")).json(&body).send().await.unwrap();
        (response.status().as_u16(), response.json::<Value>().await.unwrap())
    };
    let path = "/v1/bots/default/pause";
    assert_eq!(ask("shop", Method::POST, path, json!({})).await.0, 403);
    let (status, first) = ask("boss", Method::POST, path, json!({"reason": "the channel is cleaned up"})).await;
    assert_eq!((status, &first["paused"]["client"]), (200, &json!("boss")), "{first}");
    let (status, second) = ask("boss", Method::POST, path, json!({"reason": "another"})).await;
    assert_eq!((status, &second["paused"]), (200, &first["paused"]), "the first stays");
    let (_, bots) = ask("shop", Method::GET, "/v1/bots", Value::Null).await;
    assert_eq!(bots["bots"][0]["paused"], first["paused"]);
    assert_eq!(ask("shop", Method::GET, "/v1/bots/default/chats", Value::Null).await.0, 403, "they are others' chats");
    let (_, pauses) = ask("boss", Method::GET, "/v1/bots/default/pauses", Value::Null).await;
    assert_eq!(pauses["paused"]["reason"], "the channel is cleaned up");
    assert_eq!(ask("boss", Method::POST, "/v1/bots/default/resume", Value::Null).await.0, 200);
    app.stop().await;
}

/// The process that is asked is another than the one that sends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whichever_process_is_asked_the_owner_obeys() {
    let app = TestApp::start(On::Distributed).await;
    let peer = app.peer(Role::Api).await;
    let steer = async |path: &str| {
        let response = app.client.post(format!("{}/v1/bots/default{path}", peer.url)).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
    };
    for (pause, resume) in [("/pause", "/resume"), ("/chats/1/pause", "/chats/1/resume")] {
        let before = app.messages().len();
        steer(pause).await;
        let ids = [
            app.accept(json!({"chat_id": 1, "text": "x"})).await,
            app.accept(json!({"chat_id": 1, "text": "y"})).await,
        ];
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(app.messages().len(), before, "nothing begins from the answer on");
        let resumed = Instant::now();
        steer(resume).await;
        for id in &ids {
            app.sent(id).await;
        }
        assert!(resumed.elapsed() < Duration::from_secs(6), "{:?}", resumed.elapsed());
    }
    peer.stop().await;
    app.stop().await;
}
