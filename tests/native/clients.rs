//! Named clients: what their scopes open, what they see of each other, how much they may post, and what a reload changes.

use crate::support::answer::Answer;
use crate::support::api_app::ApiApp;
use crate::support::named_client::client;
use pixcourier::domain::BotName;
use pixcourier::settings::{Client, Scope, Settings};
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Arc;

const UNNAMED: &str = "the-key-without-a-name";

fn tuned(name: &str, tune: impl FnOnce(&mut Client)) -> Arc<Client> {
    let mut client = client(name);
    tune(&mut client);
    Arc::new(client)
}

/// The key of a client, as the harness makes them.
fn key(name: &str) -> String {
    format!("the-key-of-{name}")
}

async fn app(clients: Vec<Arc<Client>>) -> ApiApp {
    ApiApp::tuned(|settings| with(settings, clients)).await
}

fn with(settings: &mut Settings, clients: Vec<Arc<Client>>) {
    settings.api_keys = vec![UNNAMED.to_owned().into()];
    settings.clients = clients;
}

/// A request of a client, or with the key that has no name.
async fn ask(app: &ApiApp, client: &str, method: Method, path: &str, body: Option<Value>) -> Answer {
    let key = if client.is_empty() { UNNAMED.to_owned() } else { key(client) };
    let request = app.request(method, path).bearer_auth(key);
    Answer::of(match body {
        Some(body) => request.json(&body),
        None => request,
    })
    .await
}

fn text() -> Option<Value> {
    Some(json!({"chat_id": 42, "text": "x"}))
}

async fn posted(app: &ApiApp, client: &str) -> String {
    ask(app, client, Method::POST, "/v1/notifications", text()).await.id()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_scope_opens_what_the_table_says_and_nothing_else() {
    let only = |name: &str, scope: Scope| tuned(name, |client| client.scopes = [scope].into());
    let app = app(vec![only("s", Scope::Send), only("r", Scope::Read), only("m", Scope::Manage)]).await;
    let digest = format!("/v1/images/{}", "0".repeat(64));
    let recipient = || Some(json!({"number": "491701234567", "chat_id": 1}));
    let content = format!("{digest}/content?notification=0");
    let dry = || Some(json!({"tag": "x", "dry_run": true}));
    let table: [(Method, &str, Option<Value>, &str); 26] = [
        (Method::POST, "/v1/notifications", text(), "s"),
        (Method::GET, "/v1/notifications", None, "rm"),
        (Method::GET, "/v1/notifications/0", None, "rm"),
        (Method::DELETE, "/v1/notifications/0", None, "sm"),
        (Method::POST, "/v1/notifications/0/retry", None, "sm"),
        (Method::POST, "/v1/notifications/0/edit", text(), "sm"),
        (Method::POST, "/v1/notifications/0/delete", None, "sm"),
        (Method::PUT, "/v1/images", Some(json!({})), "s"),
        (Method::GET, &digest, None, "sr"),
        (Method::GET, "/v1/notifications/summary", None, "rm"),
        (Method::GET, &content, None, "rm"),
        (Method::POST, "/v1/notifications/cancel", dry(), "sm"),
        (Method::POST, "/v1/notifications/retry", dry(), "sm"),
        (Method::GET, "/v1/operations", None, "srm"),
        (Method::GET, "/v1/operations/0", None, "srm"),
        (Method::GET, "/v1/bots", None, "rm"),
        (Method::GET, "/v1/bots/default/chats", None, "m"),
        (Method::GET, "/v1/bots/default/pauses", None, "m"),
        (Method::POST, "/v1/bots/default/chats/7/pause", None, "m"),
        (Method::POST, "/v1/bots/default/resume", None, "m"),
        (Method::GET, "/v1/process", None, "m"),
        (Method::POST, "/v1/process/resume", None, "m"),
        (Method::GET, "/v1/files/x", None, "r"),
        (Method::PUT, "/v1/recipients", recipient(), "m"),
        (Method::GET, "/v1/recipients", None, "rm"),
        (Method::DELETE, "/v1/recipients?number=491701234567", None, "m"),
    ];
    for (method, path, body, opened_by) in table {
        for client in ["s", "r", "m"] {
            let answer = ask(&app, client, method.clone(), path, body.clone()).await;
            let case = format!("{method} {path} by {client}");
            if opened_by.contains(client) {
                assert!(answer.status != 403 && answer.status != 401, "{case}: {}", answer.text);
            } else {
                answer.assert_problem(&case, 403, "scope_missing", Some("Authorization"));
            }
        }
        let answer = ask(&app, "", method.clone(), path, body.clone()).await;
        assert!(answer.status != 403, "{method} {path} with a key that has no name: {}", answer.text);
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_client_posts_another_does_not_see_unless_it_may_manage() {
    let manage = |client: &mut Client| client.scopes = [Scope::Send, Scope::Read, Scope::Manage].into();
    let of_alerts = |client: &mut Client| {
        manage(client);
        client.bots = Some(["alerts".parse::<BotName>().unwrap()].into());
    };
    let app =
        app(vec![tuned("a", |_| {}), tuned("b", |_| {}), tuned("boss", manage), tuned("warden", of_alerts)]).await;
    let (of_a, of_b, unnamed) = (posted(&app, "a").await, posted(&app, "b").await, posted(&app, "").await);
    let one = |id: &str| format!("/v1/notifications/{id}");
    assert_eq!(ask(&app, "a", Method::GET, &one(&of_a), None).await.json()["client"], "a");
    assert_eq!(ask(&app, "", Method::GET, &one(&unnamed), None).await.json()["client"], Value::Null);
    for (client, id) in [("b", &of_a), ("a", &of_b), ("a", &unnamed), ("warden", &of_a)] {
        for (method, path) in [
            (Method::GET, ""),
            (Method::DELETE, ""),
            (Method::POST, "/retry"),
            (Method::POST, "/edit"),
            (Method::POST, "/delete"),
        ] {
            let body = (path == "/edit").then(|| json!({"text": "y"}));
            let answer = ask(&app, client, method, &format!("{}{path}", one(id)), body).await;
            answer.assert_problem(&format!("{client}: {path}"), 404, "notification_not_found", None);
        }
    }
    let listed = async |client: &str| {
        let page = ask(&app, client, Method::GET, "/v1/notifications", None).await.json();
        assert_eq!(page["next_cursor"], Value::Null, "{page}");
        let ids = page["notifications"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap().to_owned());
        ids.collect::<Vec<_>>()
    };
    assert_eq!(listed("a").await, std::slice::from_ref(&of_a));
    assert_eq!(listed("b").await, std::slice::from_ref(&of_b));
    assert_eq!(listed("warden").await, [] as [String; 0]);
    for client in ["boss", ""] {
        assert_eq!(listed(client).await, [unnamed.clone(), of_b.clone(), of_a.clone()], "{client:?}");
    }
    assert_eq!(ask(&app, "boss", Method::DELETE, &one(&of_a), None).await.status, 200);
    assert_eq!(ask(&app, "a", Method::POST, &format!("{}/retry", one(&of_a)), None).await.status, 202);
    assert_eq!(ask(&app, "a", Method::DELETE, &one(&of_a), None).await.status, 200);
    assert_eq!(ask(&app, "", Method::DELETE, &one(&of_b), None).await.status, 200);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_hold_what_the_client_sees_and_lead_on() {
    let app = app(vec![tuned("a", |_| {}), tuned("b", |_| {})]).await;
    let mut of_a = Vec::new();
    for _ in 0..5 {
        of_a.insert(0, posted(&app, "a").await);
        posted(&app, "b").await;
    }
    let (mut found, mut cursor) = (Vec::new(), String::new());
    for _ in 0..4 {
        let path = format!("/v1/notifications?limit=2{cursor}");
        let page = ask(&app, "a", Method::GET, &path, None).await.json();
        let ids = page["notifications"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap().to_owned());
        found.extend(ids);
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(found, of_a);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_uses_its_bots_alone() {
    let only = |client: &mut Client| {
        client.bots = Some(["alerts".parse::<BotName>().unwrap()].into());
        client.scopes = Scope::ALL.into();
    };
    let app = app(vec![tuned("a", only)]).await;
    for (method, path, body) in [
        (Method::POST, "/v1/notifications", text()),
        (Method::PUT, "/v1/recipients", Some(json!({"number": "491701234567", "chat_id": 1}))),
        (Method::GET, "/v1/recipients", None),
        (Method::DELETE, "/v1/recipients?number=491701234567", None),
        (Method::GET, "/v1/files/x", None),
        (Method::PUT, "/v1/images?chat_id=1", Some(json!({}))),
    ] {
        ask(&app, "a", method, path, body).await.assert_problem(path, 403, "bot_not_allowed", Some("bot"));
    }
    let body = json!({"chat_id": 42, "text": "x", "bot": "alerts"});
    assert_eq!(ask(&app, "a", Method::POST, "/v1/notifications", Some(body)).await.status, 202);
    assert_eq!(ask(&app, "a", Method::GET, "/v1/recipients?bot=alerts", None).await.status, 200);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rate_is_kept_and_told() {
    let app = app(vec![tuned("a", |client| client.rate = 0.001), tuned("b", |_| {})]).await;
    let page = app.get("/metrics").await.text;
    for status in ["200", "202", "429", "503"] {
        assert!(
            page.contains(&format!("pixcourier_client_requests_total{{client=\"a\",status=\"{status}\"}} 0")),
            "{page}"
        );
    }
    let first = ask(&app, "a", Method::GET, "/v1/notifications", None).await;
    assert_eq!(first.status, 200);
    assert_eq!(first.header("ratelimit-policy"), "\"second\";q=1;w=1000");
    assert_eq!(first.header("ratelimit"), "\"second\";r=0;t=1000");
    let refused = ask(&app, "a", Method::GET, "/v1/notifications", None).await;
    assert_eq!((refused.status.as_u16(), refused.json()["code"].as_str()), (429, Some("rate_limited")));
    assert!((999..=1000).contains(&refused.retry_after().unwrap()), "{refused:?}");
    assert!(refused.header("ratelimit").starts_with("\"second\";r=0;t="));
    app.reloader().apply(&app.settings).unwrap();
    let refused = ask(&app, "a", Method::GET, "/v1/notifications", None).await;
    assert_eq!(refused.status, 429, "a reload gives nothing anew");
    for client in ["b", ""] {
        let other = ask(&app, client, Method::GET, "/v1/notifications", None).await;
        assert!(other.status == 200 && !other.headers.contains_key("ratelimit"), "{client:?}: {other:?}");
    }
    let page = app.get("/metrics").await.text;
    assert!(page.contains("pixcourier_client_requests_total{client=\"a\",status=\"429\"} 2"), "{page}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daily_quota_counts_what_is_accepted_once() {
    let app = app(vec![tuned("a", |client| client.daily_quota = 2)]).await;
    let post = async |key: &str, body: Option<Value>| {
        let request = app.post().bearer_auth(self::key("a")).header("Idempotency-Key", key);
        Answer::of(request.json(&body.unwrap())).await
    };
    let first = post("one", text()).await;
    assert_eq!((first.status.as_u16(), first.header("ratelimit-policy")), (202, "\"day\";q=2;w=86400"));
    assert!(first.header("ratelimit").starts_with("\"day\";r=1;t="), "{first:?}");
    assert_eq!(post("one", text()).await.id(), first.id(), "a repetition counts once");
    assert_eq!(post("x", Some(json!({"chat_id": 42, "photo": {"sha256": "0".repeat(64)}}))).await.status, 400);
    let second = post("two", text()).await;
    assert!(second.header("ratelimit").starts_with("\"day\";r=0;t="), "{second:?}");
    let third = post("three", text()).await;
    assert_eq!((third.status.as_u16(), third.json()["code"].as_str()), (429, Some("quota_exceeded")));
    assert!((1..=86_400).contains(&third.retry_after().unwrap()));
    assert_eq!(post("one", text()).await.id(), first.id(), "a repetition is answered all the same");
    assert_eq!(ask(&app, "a", Method::GET, "/v1/notifications", None).await.status, 200, "reading is free");
    assert_eq!(ask(&app, "", Method::POST, "/v1/notifications", text()).await.status, 202);
    let page = app.get("/metrics").await.text;
    assert!(page.contains("pixcourier_client_notifications_accepted_total{client=\"a\"} 2"), "{page}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_changes_who_may_call_and_one_that_is_wrong_changes_nothing() {
    let app = app(vec![tuned("a", |_| {}), tuned("b", |_| {})]).await;
    let status = async |client: &str| ask(&app, client, Method::GET, "/v1/notifications", None).await.status.as_u16();
    let of_a = posted(&app, "a").await;
    let mut settings = app.settings.clone();
    settings.clients = vec![
        tuned("a", |client| client.key = pixcourier::settings::KeyDigest::of(&key("new").into())),
        tuned("c", |client| client.scopes = [Scope::Send].into()),
    ];
    app.reloader().apply(&settings).unwrap();
    assert_eq!((status("a").await, status("b").await, status("c").await, status("").await), (401, 401, 403, 200));
    let path = format!("/v1/notifications/{of_a}");
    assert_eq!(ask(&app, "new", Method::GET, &path, None).await.json()["client"], "a", "a client keeps what it posted");
    // The bot's id is another now.
    let mut wrong = app.settings.clone();
    crate::support::settings::add_bot(
        &mut wrong,
        "default",
        "7:ABC-DEF1234ghIkl-zyx57W2v1u123ew11",
        "http://x",
        Default::default(),
    );
    let errors = app.reloader().apply(&wrong).unwrap_err();
    assert!(errors[0].to_string().contains("another bot (7 in place of 123456)"), "{errors:?}");
    assert!(!format!("{errors:?}").contains("ABC-DEF"));
    assert_eq!((status("a").await, status("c").await), (401, 403), "nothing was changed");
    app.stop().await;
}
