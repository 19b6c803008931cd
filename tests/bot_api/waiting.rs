//! A caller of the Bot API face waits, but not for ever, and whatever it is told is true.

use crate::bot_api::queued_calls::read;
use crate::support::test_app::{NO_LIMITS, On, TOKEN, TestApp, lenient};
use crate::support::wait::WAIT_TIMEOUT;
use futures_util::future::join_all;
use pixcourier::app::Role;
use pixcourier::sandbox::SandboxOptions;
use pixcourier::settings::{RateLimits, Registration};
use reqwest::Method;
use serde_json::json;
use std::time::{Duration, Instant};

async fn impatient(on: On, limits: RateLimits, patience: u64) -> TestApp {
    TestApp::tuned(on, Role::All, limits, lenient(), |settings| {
        settings.bot_api_patience = Duration::from_secs(patience);
    })
    .await
}

async fn who_must_wait_too_long_is_told_when_to_come_back_and_nothing_is_sent_or_lost(on: On) {
    // Turns come five seconds apart, so that none comes when the patience of four ends.
    let limits = RateLimits { chat_rate: 0.2, ..NO_LIMITS };
    let app = impatient(on, limits, 4).await;
    let send = async |number: u32| {
        let params = json!({"chat_id": 7, "text": format!("number {number}")});
        let began = Instant::now();
        let response = app.bot(Method::POST, "sendMessage").json(&params).send().await.unwrap();
        let header = response.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
        let (status, body) = read(response).await;
        if status == 200 {
            return None;
        }
        assert_eq!(status, 429, "{body}");
        assert!(began.elapsed() < Duration::from_secs(3), "told at once, not after {:?}", began.elapsed());
        let wait = body["parameters"]["retry_after"].as_u64().unwrap();
        assert_eq!(body["description"], format!("Too Many Requests: retry after {wait}"));
        assert_eq!(header, Some(wait.to_string()));
        Some(wait)
    };
    let waits: Vec<u64> = join_all((0..10).map(&send)).await.into_iter().flatten().collect();
    let sent = 10 - waits.len();
    // One at the least: a bot that has just been taken over has no burst.
    assert!((1..=6).contains(&sent), "{sent} at once, others told {waits:?}");
    assert_eq!(app.messages().len(), sent);
    assert!(waits.iter().all(|wait| (2..=60).contains(wait)), "{waits:?}");
    let mut turns = waits.clone();
    turns.sort_unstable();
    assert!(
        turns.is_sorted_by(|a, b| b - a >= 4),
        "each has a turn of its own, five seconds after the one before: {turns:?}"
    );
    // None has expired, which would alert somebody.
    let refused = async || app.metric("notifications_ended_total", ",status=\"refused\"").await == waits.len() as f64;
    app.until("counted as refused", refused).await;
    // Whoever waits as long as told is served.
    tokio::time::sleep(Duration::from_secs(turns[0])).await;
    assert_eq!(send(99).await, None);
    assert_eq!(app.messages().len(), sent + 1);
    app.stop().await;
}

async fn a_repetition_of_what_could_not_be_sent_in_time_is_sent_and_of_what_is_under_way_waits_with_it(on: On) {
    let limits = RateLimits { chat_rate: 0.2, ..NO_LIMITS };
    let app = impatient(on, limits, 4).await;
    let send = async |text: &str| {
        let request = app.bot(Method::POST, "sendMessage").header("Idempotency-Key", text.to_owned());
        let response = request.json(&json!({"chat_id": 7, "text": text})).send().await.unwrap();
        let replayed = response.headers().contains_key("idempotent-replayed");
        let (status, body) = read(response).await;
        (status, body["parameters"]["retry_after"].as_u64(), replayed)
    };
    assert_eq!(send("first").await, (200, None, false));
    let (status, wait, _) = send("second").await;
    assert_eq!(status, 429);
    tokio::time::sleep(Duration::from_secs(wait.unwrap())).await;
    assert_eq!(join_all([send("second"), send("second")]).await, [(200, None, true), (200, None, true)]);
    assert_eq!(app.messages().len(), 2);
    app.stop().await;
}

async fn a_queue_that_is_too_long_takes_no_more(on: On) {
    let limits = RateLimits { bot_rate: 2.0, ..NO_LIMITS };
    let app = impatient(on, limits, 2).await;
    for number in 0..30 {
        app.accept(json!({"chat_id": number + 1, "photo": crate::support::test_app::base64_png(number)})).await;
    }
    app.until("a long queue", async || app.metric("queue_depth", ",lane=\"normal\"").await >= 15.0).await;
    let params = json!({"chat_id": 77, "text": "x"});
    let accepted = app.metric("accepted_total", ",lane=\"normal\"").await;
    let (status, body) = read(app.bot(Method::POST, "sendMessage").json(&params).send().await.unwrap()).await;
    assert_eq!(status, 429);
    let wait = body["parameters"]["retry_after"].as_u64().unwrap();
    assert!((5..=16).contains(&wait), "{wait}");
    assert_eq!(app.metric("accepted_total", ",lane=\"normal\"").await, accepted, "not even taken");
    app.leave_unfinished();
    app.stop().await;
}

async fn a_caller_that_hangs_up_does_not_cancel_the_delivery(on: On) {
    let options = SandboxOptions { latency: Duration::from_secs(1), ..lenient() };
    let app = TestApp::with(on, NO_LIMITS, options).await;
    let request = app.bot(Method::POST, "sendMessage").json(&json!({"chat_id": 7, "text": "x"}));
    let hung_up = request.timeout(Duration::from_millis(300)).send().await;
    assert!(hung_up.unwrap_err().is_timeout());
    assert_eq!(app.messages().len(), 0);
    app.until("sent all the same", async || app.messages().len() == 1).await;
    app.stop().await;
}

async fn a_bot_that_telegram_refuses_is_told_so_in_telegrams_words(on: On) {
    let app = impatient(on, NO_LIMITS, 2).await;
    app.fault(100, json!("unauthorized"));
    let params = json!({"chat_id": 7, "photo": "https://example.com/a.png"});
    let (status, body) = read(app.bot(Method::POST, "sendPhoto").json(&params).send().await.unwrap()).await;
    assert_eq!((status, &body["description"]), (401, &json!("Unauthorized")), "{body}");
    app.sandbox.clear_faults();
    app.stop().await;
}

async fn what_may_have_been_sent_is_not_called_unsent(on: On) {
    let app = impatient(on, NO_LIMITS, 2).await;
    app.fault(100, json!("not_json"));
    let params = json!({"chat_id": 7, "photo": "https://example.com/a.png"});
    let (status, body) = read(app.bot(Method::POST, "sendPhoto").json(&params).send().await.unwrap()).await;
    assert_eq!(status, 500, "{body}");
    let words = body["description"].as_str().unwrap();
    let id = words.split_whitespace().find(|word| word.len() == 36).unwrap();
    assert_eq!(app.record(id).await["id"], id, "{words}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outcomes_find_their_way_back_to_another_process() {
    let app = TestApp::tuned(On::Distributed, Role::Api, NO_LIMITS, lenient(), |_| {}).await;
    let worker = app.peer(Role::Worker).await;
    let began = Instant::now();
    let sends = (1..=50).map(|chat| {
        let app = &app;
        async move { app.result("sendMessage", json!({"chat_id": chat, "text": format!("to {chat}")})).await }
    });
    let results = join_all(sends).await;
    for (chat, result) in (1..=50).zip(&results) {
        assert_eq!((&result["chat"]["id"], &result["text"]), (&json!(chat), &json!(format!("to {chat}"))));
    }
    assert_eq!(app.messages().len(), 50);
    assert!(began.elapsed() < WAIT_TIMEOUT);
    worker.stop().await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_of_ours_stand_for_the_bots_own() {
    const OURS: &str = "77:ours-ours-ours-ours-ours-ours-ours";
    let app = TestApp::tuned(On::Embedded, Role::All, NO_LIMITS, lenient(), |settings| {
        let bot = settings.bots.values().next().unwrap();
        let tokens = vec![OURS.to_owned().into()];
        let bot = pixcourier::settings::Bot::clone(bot).with(|telegram| telegram.client_tokens = tokens);
        settings.bots.insert(bot.name.clone(), bot.into());
    })
    .await;
    for token in [OURS, TOKEN, &OURS.replace(':', "%3A")] {
        let (status, me) = read(app.get(&format!("/bot{token}/getMe")).await).await;
        assert_eq!((status, &me["result"]["id"]), (200, &json!(123_456)));
        let sent = app.get(&format!("/bot{token}/sendMessage?chat_id=7&text=x")).await;
        assert_eq!(read(sent).await.1["result"]["from"]["id"], 123_456);
    }
    assert_eq!(read(app.get(&format!("/bot{OURS}x/getMe")).await).await.0, 401);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_still_waits_when_the_process_stops_is_told_so_in_time() {
    let options = SandboxOptions { latency: Duration::from_secs(30), ..lenient() };
    let app = TestApp::tuned(On::Embedded, Role::All, NO_LIMITS, options, |settings| {
        settings.grace_period = Duration::from_secs(5);
    })
    .await;
    let send = app.bot(Method::POST, "sendMessage").json(&json!({"chat_id": 7, "text": "x"}));
    let poll = app.bot(Method::GET, "getUpdates?timeout=50");
    let (send, poll) = (tokio::spawn(send.send()), tokio::spawn(poll.send()));
    let arrived = |method| app.sandbox.stats().requests.contains_key(method);
    app.until("both under way", async || arrived("sendMessage") && arrived("getUpdates")).await;
    app.leave_unfinished();
    let began = Instant::now();
    app.stop().await;
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    let (status, body) = read(send.await.unwrap().unwrap()).await;
    assert_eq!((status, &body["description"]), (500, &json!("Internal Server Error: restart")));
    assert_eq!(read(poll.await.unwrap().unwrap()).await.0, 502);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn updates_that_the_registration_reads_are_not_taken_from_it() {
    let app = TestApp::tuned(On::Embedded, Role::Api, NO_LIMITS, lenient(), |settings| {
        let bot = pixcourier::settings::Bot::clone(settings.bots.values().next().unwrap());
        let bot = bot.with(|telegram| telegram.registration = Registration::Polling);
        settings.bots.insert(bot.name.clone(), bot.into());
    })
    .await;
    for method in ["getUpdates", "SETWEBHOOK", "deleteWebhook"] {
        assert_eq!(read(app.get(&format!("/bot{TOKEN}/{method}")).await).await.0, 409);
    }
    assert_eq!(read(app.get(&format!("/bot{TOKEN}/getMe")).await).await.0, 200);
    app.stop().await;
}

on_both_engines!(On:
    who_must_wait_too_long_is_told_when_to_come_back_and_nothing_is_sent_or_lost,
    a_repetition_of_what_could_not_be_sent_in_time_is_sent_and_of_what_is_under_way_waits_with_it,
    a_queue_that_is_too_long_takes_no_more,
    a_caller_that_hangs_up_does_not_cancel_the_delivery,
    a_bot_that_telegram_refuses_is_told_so_in_telegrams_words,
    what_may_have_been_sent_is_not_called_unsent,
);
