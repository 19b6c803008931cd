//! Receivers are told how notifications end: signed, in order, again when they fail, and never at a private address unless
//! that is allowed.

use crate::bot_api::clients::python;
use crate::support::named_client::client;
use crate::support::receiver::{Receiver, Reply, Told};
use crate::support::test_app::{NO_LIMITS, On, TestApp, lenient};
use pixcourier::app::Role;
use pixcourier::domain::Timestamp;
use pixcourier::settings::{CallbackSecret, CallbackSettings, Client, Scope, Settings};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::Write;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NEW_SECRET: &str = "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0e";
/// A user of the sandbox who has blocked the bot.
const BLOCKER: i64 = 9_000_000_403;

on_both_engines!(On:
    every_end_is_told_and_what_fails_is_tried_again_in_order,
    what_is_private_is_not_called_and_no_redirect_is_followed,
    a_receiver_that_hangs_holds_up_no_other,
    what_was_given_up_is_listed_and_replayed_by_its_client,
    secrets_are_replaced_while_it_runs,
);

fn secret(text: &str) -> CallbackSecret {
    CallbackSecret::parse(text).unwrap()
}

fn to_this_machine(settings: &mut Settings) {
    settings.callbacks = CallbackSettings { secrets: vec![secret(SECRET)], allow_private: true };
}

async fn app(on: On, tune: impl FnOnce(&mut Settings)) -> TestApp {
    TestApp::tuned(on, Role::All, NO_LIMITS, lenient(), tune).await
}

async fn post(app: &TestApp, receiver: &str, with: Value) -> String {
    let mut body = json!({"chat_id": 7, "text": "x", "callback_url": receiver});
    body.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
    app.accept(body).await
}

async fn until_told(app: &TestApp, receiver: &Receiver, times: usize) -> Vec<Told> {
    app.until_some("the receiver to be told", async || Some(receiver.told()).filter(|told| told.len() >= times)).await
}

async fn callbacks_total(app: &TestApp, result: &str) -> f64 {
    let page = app.get("/metrics").await.text().await.unwrap();
    let start = format!("pixcourier_callbacks_total{{result=\"{result}\"}} ");
    page.lines().find_map(|line| line.strip_prefix(&start)?.parse().ok()).expect("it is there from the start")
}

async fn until_none_is_left(app: &TestApp) {
    app.until("all callbacks to be delivered", async || app.json("/v1/callbacks").await["callbacks"] == json!([]))
        .await;
}

async fn every_end_is_told_and_what_fails_is_tried_again_in_order(on: On) {
    let app = app(on, to_this_machine).await;
    // Each fails once.
    let receiver = Receiver::start(|_, before| Reply::Status(if before == 0 { 500 } else { 200 }));
    let url = receiver.url();
    let soon = Timestamp::now().plus(Duration::from_secs(2));
    let twice = post(&app, &url, json!({"chat_id": 9, "tags": ["b"], "send_at": soon})).await;
    let cancelled = app.client.delete(format!("{}/v1/notifications/{twice}", app.api)).send().await.unwrap();
    assert_eq!(cancelled.status(), 200);
    let sent = post(&app, &url, json!({"tags": ["a"]})).await;
    let failed = post(&app, &url, json!({"chat_id": BLOCKER})).await;
    let untold = app.accept(json!({"chat_id": 8, "text": "nobody is told"})).await;
    let retried = app.client.post(format!("{}/v1/notifications/{twice}/retry", app.api)).send().await.unwrap();
    assert_eq!(retried.status(), 202);
    let records = [app.sent(&sent).await, app.settled(&failed).await, app.sent(&twice).await];
    app.sent(&untold).await;
    let told = until_told(&app, &receiver, 8).await;
    until_none_is_left(&app).await;

    let of = |id: &str| told.iter().filter(|told| told.notification() == id).collect::<Vec<_>>();
    for (id, record, status) in [(&sent, &records[0], "sent"), (&failed, &records[1], "failed")] {
        let [first, second] = of(id)[..] else { panic!("two tries for {id}: {told:#?}") };
        assert_eq!((first.id(), &first.body), (second.id(), &second.body), "the second try is the same");
        assert!(first.headers["webhook-signature"].starts_with("v1,"), "{first:?}");
        assert_eq!(first.path, "/hook?key=hunter2");
        let body = first.json();
        assert_eq!(body["type"], format!("notification.{status}"));
        assert_eq!(body["timestamp"], record["updated_at"]);
        for name in body["data"].as_object().unwrap().keys() {
            assert_eq!(body["data"][name], record[name], "{name}, as GET shows it");
        }
    }
    assert_eq!(of(&failed)[0].json()["data"]["failure"]["error_code"], 403);
    let order: Vec<Value> = of(&twice).iter().map(|told| told.json()["type"].clone()).collect();
    let (cancelled, sent) = ("notification.cancelled", "notification.sent");
    assert_eq!(order, [cancelled, cancelled, sent, sent], "the second event waits until the first is taken");
    let ids: BTreeSet<&str> = told.iter().map(Told::id).collect();
    assert_eq!((told.len(), ids.len()), (8, 4));
    assert!(!ids.iter().any(|id| id.contains('.') || id.contains(&untold)), "{ids:?}");
    assert_eq!((callbacks_total(&app, "delivered").await, callbacks_total(&app, "retried").await), (4.0, 4.0));
    app.stop().await;
}

async fn what_is_private_is_not_called_and_no_redirect_is_followed(on: On) {
    let trap = Receiver::willing();
    // Names that lead here, which cannot be known before they are looked up.
    let app_of_others = app(on, |settings| settings.callbacks.secrets = vec![secret(SECRET)]).await;
    for name in ["localhost", "LOCALHOST", "LocalHost"] {
        let id = post(&app_of_others, &trap.url_by(name), json!({})).await;
        app_of_others.sent(&id).await;
    }
    let failing = app_of_others.until_some("three to fail", async || {
        let page = app_of_others.json("/v1/callbacks?state=failing").await;
        page["callbacks"].as_array().filter(|listed| listed.len() == 3).cloned()
    });
    for callback in failing.await {
        let error = callback["error"].as_str().unwrap();
        assert!(error.contains("private address"), "{callback:#}");
        assert!(!callback.to_string().contains("hunter2"), "{callback:#}");
        assert_eq!(callback["tries"], 1);
    }
    assert!(callbacks_total(&app_of_others, "refused_address").await >= 3.0);
    app_of_others.stop().await;

    let app = app(on, to_this_machine).await;
    let location = format!("Location: {}", trap.url());
    let redirecting = Receiver::start(move |_, _| Reply::Header(307, location.clone()));
    let id = post(&app, &redirecting.url(), json!({})).await;
    app.sent(&id).await;
    let callback = app.until_some("it to fail", async || {
        app.json("/v1/callbacks?state=failing").await["callbacks"].as_array().and_then(|all| all.first().cloned())
    });
    assert_eq!(callback.await["error"], "answered 307: redirects are not followed");
    assert_eq!((trap.connections(), trap.told().len()), (0, 0), "nothing came where nothing may come");
    app.stop().await;
}

async fn a_receiver_that_hangs_holds_up_no_other(on: On) {
    let app = app(on, to_this_machine).await;
    let (hanging, willing) = (Receiver::start(|_, _| Reply::Hang), Receiver::willing());
    for chat in 0..60 {
        post(&app, &hanging.url(), json!({"chat_id": 100 + chat})).await;
    }
    let ids: Vec<String> = {
        let mut ids = Vec::new();
        for chat in 0..20 {
            ids.push(post(&app, &willing.url(), json!({"chat_id": 200 + chat})).await);
        }
        ids
    };
    for id in &ids {
        app.sent(id).await;
    }
    let told = until_told(&app, &willing, 20).await;
    let all: BTreeSet<String> = told.iter().map(Told::notification).collect();
    assert_eq!(all, ids.into_iter().collect());
    assert!(hanging.told().len() <= 8, "it has no more of the places than a host may have: {}", hanging.told().len());
    app.stop().await;
}

async fn what_was_given_up_is_listed_and_replayed_by_its_client(on: On) {
    let receiver = Receiver::start(|_, before| Reply::Status(if before == 0 { 410 } else { 200 }));
    let url = receiver.url();
    let app = app(on, |settings| {
        to_this_machine(settings);
        let shop = Client { callback_secrets: vec![secret(NEW_SECRET)], ..client("shop") };
        let boss = Client { scopes: [Scope::Manage].into(), ..client("boss") };
        settings.clients = vec![Arc::new(shop), Arc::new(client("other")), Arc::new(boss)];
    })
    .await;
    let ask = async |key: &str, method: reqwest::Method, path: &str, body: Option<Value>| {
        let request = app.client.request(method, format!("{}{path}", app.api)).bearer_auth(format!("the-key-of-{key}"));
        let request = if let Some(body) = body { request.json(&body) } else { request };
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json::<Value>().await.unwrap())
    };
    let (get, post) = (reqwest::Method::GET, reqwest::Method::POST);
    for chat in [5, 6, 7] {
        let body = json!({"chat_id": chat, "text": "x", "callback_url": url});
        assert_eq!(ask("shop", post.clone(), "/v1/notifications", Some(body)).await.0, 202);
    }
    let given_up = "/v1/callbacks?state=given_up";
    let listed = app.until_some("three to be given up", async || {
        let (_, page) = ask("shop", get.clone(), given_up, None).await;
        page["callbacks"].as_array().filter(|listed| listed.len() == 3).cloned()
    });
    let listed = listed.await;
    let first = &listed[0];
    assert_eq!((&first["client"], &first["status"], &first["tries"]), (&json!("shop"), &json!("sent"), &json!(1)));
    assert_eq!((&first["error"], &first["next_try_at"]), (&json!("answered 410: it wants no more"), &Value::Null));
    assert_eq!(first["url"].as_str().unwrap(), url.replace("key=hunter2", "***"));
    let replay = format!("/v1/callbacks/{}/replay", first["id"].as_str().unwrap());
    assert_eq!(ask("other", get.clone(), given_up, None).await.1["callbacks"], json!([]), "they are not its own");
    let (status, problem) = ask("other", post.clone(), &replay, None).await;
    assert_eq!((status, &problem["code"]), (404, &json!("callback_not_found")));
    assert_eq!(ask("other", post.clone(), "/v1/callbacks/replay", None).await.1["replayed"], 0);
    let (_, page) = ask("boss", get.clone(), "/v1/callbacks?limit=2", None).await;
    assert_eq!(page["callbacks"].as_array().unwrap().len(), 2);
    let cursor = page["next_cursor"].as_str().unwrap();
    let (_, rest) = ask("boss", get.clone(), &format!("/v1/callbacks?limit=2&cursor={cursor}"), None).await;
    assert_eq!((rest["callbacks"].as_array().unwrap().len(), &rest["next_cursor"]), (1, &Value::Null));

    let (status, replayed) = ask("shop", post.clone(), &replay, None).await;
    assert_eq!((status, &replayed["state"], &replayed["id"]), (202, &json!("waiting"), &first["id"]));
    until_told(&app, &receiver, 4).await;
    let (status, all) = ask("shop", post.clone(), "/v1/callbacks/replay?limit=1000", None).await;
    assert_eq!((status, all), (202, json!({"replayed": 2, "next_cursor": null})));
    until_told(&app, &receiver, 6).await;
    app.until("none to be left", async || {
        ask("boss", get.clone(), "/v1/callbacks", None).await.1["callbacks"] == json!([])
    })
    .await;
    assert_eq!(ask("shop", post.clone(), &replay, None).await.0, 404, "it is delivered");
    for (bad, field) in [("?state=lost", "state"), ("?cursor=x", "cursor"), ("?status=sent", "status")] {
        let (status, problem) = ask("boss", get.clone(), &format!("/v1/callbacks{bad}"), None).await;
        assert_eq!((status, problem["field"].as_str()), (400, Some(field)), "{bad}");
    }
    app.stop().await;
}

async fn secrets_are_replaced_while_it_runs(on: On) {
    let app = app(on, to_this_machine).await;
    let receiver = Receiver::willing();
    app.sent(&post(&app, &receiver.url(), json!({})).await).await;
    let one = until_told(&app, &receiver, 1).await;
    assert_eq!(one[0].headers["webhook-signature"].split(' ').count(), 1);
    let mut settings = app.settings.clone();
    settings.callbacks.secrets.push(secret(NEW_SECRET));
    app.reload(&settings).unwrap();
    app.sent(&post(&app, &receiver.url(), json!({})).await).await;
    let two = until_told(&app, &receiver, 2).await;
    assert_eq!(two[1].headers["webhook-signature"].split(' ').count(), 2);
    app.stop().await;
}

/// The library that `tests/with-clients` installs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_public_library_verifies_the_signatures() {
    let app = app(On::Embedded, to_this_machine).await;
    let receiver = Receiver::willing();
    let began = Instant::now();
    for number in 0..20 {
        let with = json!({"chat_id": number + 1, "text": format!("é\u{2028}{number}"), "tags": ["ü\"\\🦀"]});
        post(&app, &receiver.url(), with).await;
    }
    let told = until_told(&app, &receiver, 20).await;
    assert!(began.elapsed() < Duration::from_secs(240), "the library takes no signature that is five minutes old");
    let mut verifier =
        python("standard_webhooks.py").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it runs");
    let mut input = verifier.stdin.take().unwrap();
    for told in &told {
        let line = json!({"secret": SECRET, "headers": told.headers, "body": told.body});
        writeln!(input, "{line}").unwrap();
    }
    drop(input);
    let output = verifier.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "ok 20");
    app.stop().await;
}
