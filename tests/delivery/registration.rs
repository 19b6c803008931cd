//! Registration played end to end: users do things in the sandbox, the bot hears of them, the book follows.

use crate::support::Redis;
use crate::support::test_app::{On, TOKEN, TestApp, base64_png};
use pixcourier::adapters::redis::RedisLedger;
use pixcourier::adapters::telegram::TelegramMessenger;
use pixcourier::app::Role;
use pixcourier::domain::{Address, BotName};
use pixcourier::ports::Recipients;
use pixcourier::registration::{self, Registrar};
use pixcourier::sandbox::{FileKind, UserAction};
use pixcourier::settings::{Bot, RateLimits, Registration};
use pixcourier::telemetry::Metrics;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The bot's user id: the number in front of its token.
const BOT: u64 = 123_456;
/// Who creates the groups, and what the number is.
const ADA: i64 = 7;
const ADAS: &str = "491701234567";
const SECRET: &str = "a-secret-for-the-webhook";

on_both_engines!(On:
    who_shares_their_contact_is_reached_by_number,
    a_notification_names_its_recipient_by_number,
    another_users_contact_is_refused,
    a_block_is_noticed_and_so_is_its_end,
    a_new_number_takes_the_place_of_the_old_one,
    a_group_waits_for_its_creator_and_then_goes_by_their_number,
    a_group_moves_changes_its_title_and_is_left,
    two_groups_of_one_name_are_not_mixed_up,
    a_name_whose_group_is_gone_is_free_again,
    a_webhook_brings_the_same,
    what_was_read_before_a_restart_is_not_done_twice,
);

async fn polling(on: On) -> TestApp {
    TestApp::registering(on, |_| Registration::Polling).await
}

fn happens(app: &TestApp, incoming: UserAction) {
    app.sandbox.incoming(BOT, incoming).unwrap();
}

fn says(app: &TestApp, user_id: i64, text: &str) {
    happens(app, UserAction::Text { user_id, text: text.to_owned(), chat_id: None });
}

fn shares(app: &TestApp, user_id: i64, phone_number: &str) {
    let phone_number = phone_number.to_owned();
    happens(app, UserAction::Contact { user_id, phone_number, contact_user_id: None, forwarded: false });
}

fn adds(app: &TestApp, chat_id: i64, title: &str) {
    let title = title.to_owned();
    happens(app, UserAction::Added { chat_id, title, by: 8, creator: Some(ADA), administrator: false });
}

fn group_message(app: &TestApp, chat_id: i64, content: Value) {
    let mut message = json!({"message_id": 1, "date": 1, "chat": {"id": chat_id, "type": "group", "title": "t"}});
    message.as_object_mut().unwrap().extend(content.as_object().unwrap().clone());
    happens(app, UserAction::Update { update: json!({"message": message}).as_object().unwrap().clone() });
}

/// What the book has for a query.
async fn book(app: &TestApp, query: &[(&str, &str)]) -> Vec<Value> {
    let found = app.client.get(app.url("/v1/recipients", query)).send().await.unwrap();
    assert_eq!(found.status(), 200);
    found.json::<Value>().await.unwrap()["recipients"].as_array().unwrap().clone()
}

/// Waits until a number leads to a chat, in a state.
async fn leads(app: &TestApp, number: &str, chat: i64, state: &str) {
    app.until(&format!("{number} is {state} at {chat}"), async || {
        let found = book(app, &[("number", number)]).await;
        found.first().is_some_and(|entry| entry["chat_id"] == chat && entry["state"] == state)
    })
    .await;
}

/// Waits until a group leads to a chat.
async fn group_leads(app: &TestApp, name: &str, chat: i64) {
    app.until(&format!("{name} leads to {chat}"), async || {
        let found = book(app, &[("group_name", name), ("group_admin", ADAS)]).await;
        found.first().is_some_and(|entry| entry["chat_id"] == chat)
    })
    .await;
}

/// The texts that a chat has got.
fn texts(app: &TestApp, chat: i64) -> Vec<String> {
    let messages = app.messages().into_iter().filter(|message| message.chat_id == chat);
    messages.map(|message| message.caption.unwrap_or_default().into()).collect()
}

/// Waits until a chat has got a text with these words in it.
async fn hears(app: &TestApp, chat: i64, words: &str) {
    app.until(&format!("{words:?} said to {chat}"), async || texts(app, chat).iter().any(|text| text.contains(words)))
        .await;
}

async fn who_shares_their_contact_is_reached_by_number(on: On) {
    let app = polling(on).await;
    says(&app, ADA, "/start");
    hears(&app, ADA, "share your phone number").await;
    assert!(book(&app, &[("number", ADAS)]).await.is_empty(), "not registered yet");
    shares(&app, ADA, "+49 170 1234567");
    hears(&app, ADA, "What is sent to +491701234567 arrives").await;
    let found = book(&app, &[("number", ADAS)]).await;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["source"], "bot");
    assert_eq!(found[0]["name"], format!("User {ADA}"));
    let id = app.accept(json!({"chat_id": found[0]["chat_id"], "photo": base64_png(1)})).await;
    app.sent(&id).await;
    let photo = app.messages().into_iter().find(|message| message.media.is_some()).unwrap();
    assert_eq!((photo.chat_id, photo.media.unwrap().kind), (ADA, FileKind::Photo));
    assert_eq!(app.metric("registrations_total", ",outcome=\"registered\"").await, 1.0);
    app.stop().await;
}

async fn a_notification_names_its_recipient_by_number(on: On) {
    let app = polling(on).await;
    says(&app, ADA, "/start");
    hears(&app, ADA, "share your phone number").await;
    let to_ada = |recipient: Value| json!({"recipient": recipient, "photo": base64_png(1)});
    let refused = async |recipient: Value| {
        let answer = app.post(to_ada(recipient)).await;
        assert_eq!(answer.status(), 400);
        answer.json::<Value>().await.unwrap()
    };
    let problem = refused(json!({"number": ADAS})).await;
    assert_eq!((&problem["code"], &problem["field"]), (&json!("unregistered_recipient"), &json!("recipient")));
    assert!(problem["detail"].as_str().unwrap().contains("https://t.me/sandbox_123456_bot"), "{problem:#}");
    shares(&app, ADA, ADAS);
    leads(&app, ADAS, ADA, "active").await;
    for recipient in [json!(ADAS), json!({"number": "+49 170 1234567"})] {
        app.sent(&app.accept(to_ada(recipient)).await).await;
    }
    adds(&app, -5, "Night shift");
    group_leads(&app, "Night shift", -5).await;
    app.sent(&app.accept(to_ada(json!({"group_name": "Night shift", "group_admin": ADAS}))).await).await;
    let photos = app.messages().into_iter().filter(|message| message.media.is_some());
    assert_eq!(photos.map(|message| message.chat_id).collect::<Vec<_>>(), [ADA, ADA, -5]);
    happens(&app, UserAction::Block { user_id: ADA });
    leads(&app, ADAS, ADA, "blocked").await;
    assert_eq!(refused(json!({"number": ADAS})).await["code"], "recipient_blocked");
    app.stop().await;
}

async fn another_users_contact_is_refused(on: On) {
    let app = polling(on).await;
    for (whose, forwarded) in [(Some(8), false), (Some(0), false), (None, true)] {
        let phone_number = ADAS.to_owned();
        happens(&app, UserAction::Contact { user_id: ADA, phone_number, contact_user_id: whose, forwarded });
    }
    app.until("three rejections", async || texts(&app, ADA).len() == 3).await;
    assert!(texts(&app, ADA).iter().all(|text| text.contains("only your own number")), "{:?}", texts(&app, ADA));
    assert!(book(&app, &[]).await.is_empty());
    assert_eq!(app.metric("registrations_total", ",outcome=\"refused\"").await, 3.0);
    app.stop().await;
}

async fn a_block_is_noticed_and_so_is_its_end(on: On) {
    let app = polling(on).await;
    shares(&app, ADA, ADAS);
    leads(&app, ADAS, ADA, "active").await;
    happens(&app, UserAction::Block { user_id: ADA });
    leads(&app, ADAS, ADA, "blocked").await;
    happens(&app, UserAction::Unblock { user_id: ADA });
    leads(&app, ADAS, ADA, "active").await;
    app.stop().await;
}

async fn a_new_number_takes_the_place_of_the_old_one(on: On) {
    let app = polling(on).await;
    shares(&app, ADA, ADAS);
    leads(&app, ADAS, ADA, "active").await;
    shares(&app, ADA, "491709999999");
    leads(&app, "491709999999", ADA, "active").await;
    app.until("the old number is gone", async || book(&app, &[("number", ADAS)]).await.is_empty()).await;
    // A number with a new owner leads to them.
    shares(&app, 9, "491709999999");
    leads(&app, "491709999999", 9, "active").await;
    app.stop().await;
}

async fn a_group_waits_for_its_creator_and_then_goes_by_their_number(on: On) {
    let app = polling(on).await;
    adds(&app, -5, "Night shift");
    hears(&app, -5, "open https://t.me/sandbox_123456_bot").await;
    assert!(book(&app, &[]).await.is_empty());
    shares(&app, 8, "15551234567");
    leads(&app, "15551234567", 8, "active").await;
    assert!(book(&app, &[("group_name", "Night shift")]).await.is_empty(), "who added the bot is not who counts");
    shares(&app, ADA, ADAS);
    group_leads(&app, "Night shift", -5).await;
    hears(&app, -5, "is registered as \"Night shift\"").await;
    adds(&app, -6, "Day shift");
    group_leads(&app, "Day shift", -6).await;
    app.stop().await;
}

async fn a_group_moves_changes_its_title_and_is_left(on: On) {
    let app = polling(on).await;
    shares(&app, ADA, ADAS);
    adds(&app, -5, "Night shift");
    group_leads(&app, "Night shift", -5).await;
    let to = -1_000_000_000_005;
    happens(&app, UserAction::Migrated { chat_id: -5, to });
    group_leads(&app, "Night shift", to).await;
    group_message(&app, to, json!({"new_chat_title": "Late shift"}));
    group_leads(&app, "Late shift", to).await;
    app.until("one name", async || book(&app, &[("group_name", "Night shift")]).await.is_empty()).await;
    happens(&app, UserAction::Removed { chat_id: to, by: ADA });
    app.until("left", async || book(&app, &[("group_name", "Late shift")]).await.is_empty()).await;
    assert_eq!(book(&app, &[]).await.len(), 1, "the creator stays");
    app.stop().await;
}

async fn two_groups_of_one_name_are_not_mixed_up(on: On) {
    let app = polling(on).await;
    shares(&app, ADA, ADAS);
    adds(&app, -5, "Night shift");
    group_leads(&app, "Night shift", -5).await;
    adds(&app, -6, "Night shift");
    hears(&app, -6, "Another group of the same creator").await;
    group_leads(&app, "Night shift", -5).await;
    group_message(&app, -6, json!({"new_chat_title": "Night shift 2"}));
    group_leads(&app, "Night shift 2", -6).await;
    app.stop().await;
}

/// The bot was out of these before it could hear of it: removed, and moved to a supergroup.
async fn a_name_whose_group_is_gone_is_free_again(on: On) {
    let app = polling(on).await;
    shares(&app, ADA, ADAS);
    leads(&app, ADAS, ADA, "active").await;
    for (name, gone, new) in [("Night shift", -9_000_000_403_i64, -5), ("Day shift", -9_000_000_301, -6)] {
        let entry = json!({"group_name": name, "group_admin": ADAS, "chat_id": gone});
        let put = app.client.put(format!("{}/v1/recipients", app.api)).json(&entry).send().await.unwrap();
        assert_eq!(put.status(), 200);
        adds(&app, new, name);
        group_leads(&app, name, new).await;
        hears(&app, new, "is registered as").await;
    }
    app.stop().await;
}

async fn a_webhook_brings_the_same(on: On) {
    let webhook = |url: &str| Registration::Webhook { url: format!("{url}/webhook/default"), secret: SECRET.into() };
    let app = TestApp::registering(on, webhook).await;
    says(&app, ADA, "Hi");
    hears(&app, ADA, "share your phone number").await;
    shares(&app, ADA, ADAS);
    leads(&app, ADAS, ADA, "active").await;
    adds(&app, -5, "Night shift");
    group_leads(&app, "Night shift", -5).await;

    let forged = json!({"update_id": 99, "my_chat_member": {"chat": {"id": ADA, "type": "private"},
        "from": {"id": ADA}, "new_chat_member": {"status": "kicked"}}});
    let posts = async |path: &str, secret: Option<&str>| {
        let mut post = app.client.post(format!("{}{path}", app.api)).json(&forged);
        if let Some(secret) = secret {
            post = post.header("X-Telegram-Bot-Api-Secret-Token", secret);
        }
        post.send().await.unwrap().status().as_u16()
    };
    for secret in [None, Some(""), Some("a-secret-for-the-webhool"), Some("a-secret-for-the-webhook2")] {
        assert_eq!(posts("/webhook/default", secret).await, 401, "{secret:?}");
    }
    assert_eq!(posts("/webhook/other", Some(SECRET)).await, 404);
    leads(&app, ADAS, ADA, "active").await;
    assert_eq!(posts("/webhook/default", Some(SECRET)).await, 200);
    leads(&app, ADAS, ADA, "blocked").await;
    app.stop().await;
}

async fn what_was_read_before_a_restart_is_not_done_twice(on: On) {
    let mut app = polling(on).await;
    says(&app, ADA, "/start");
    shares(&app, ADA, ADAS);
    hears(&app, ADA, "Thank you").await;
    app.restart().await;
    shares(&app, 8, "15551234567");
    leads(&app, "15551234567", 8, "active").await;
    hears(&app, 8, "Thank you").await;
    assert_eq!(texts(&app, ADA).len(), 2, "{:?}", texts(&app, ADA));
    app.stop().await;
}

/// The second process stands by; when the first goes, it goes on where that was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_processes_only_the_owner_polls() {
    let mut app = polling(On::Distributed).await;
    shares(&app, ADA, ADAS);
    hears(&app, ADA, "Thank you").await;
    let peer = app.peer(Role::All).await;
    let polls = |app: &TestApp| app.sandbox.stats().requests.get("getUpdates").copied().unwrap_or_default();
    let before = polls(&app);
    // Two who poll end each other's polls with a 409, again and again: for a while, nothing of that must happen.
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(polls(&app) <= before + 1, "{} polls, {before} before", polls(&app));
    app.leave_to(peer).await;
    shares(&app, 8, "15551234567");
    leads(&app, "15551234567", 8, "active").await;
    assert_eq!(texts(&app, ADA).len(), 1, "{:?}", texts(&app, ADA));
    app.stop().await;
}

/// With a Redis of its own, killed between the news and the book.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_book_is_away_no_update_is_confirmed() {
    let mut redis = Redis::launch().await;
    let app = TestApp::start(On::Embedded).await;
    let book = Arc::new(RedisLedger::new(&redis.url().into(), "t").unwrap());
    let folder = tempfile::tempdir().unwrap();
    let engine = pixcourier::app::open_embedded(folder.path(), Duration::from_secs(86_400)).unwrap();
    let name = BotName::default_bot();
    let bot = Bot::new(name.clone(), TOKEN.to_owned().into(), app.sandbox.url(), RateLimits::default()).unwrap();
    let bot = Arc::new(bot.with(|telegram| telegram.registration = Registration::Polling));
    let messenger = Arc::new(TelegramMessenger::new([(name.clone(), bot.clone())].into()).unwrap());
    let acceptor = engine.ports.acceptor.clone();
    let registrar = Registrar::new(bot, book.clone(), acceptor, messenger, Arc::new(Metrics::new()));
    let (_owned, is_owned) = watch::channel(true);
    let stop = CancellationToken::new();
    let running = tokio::spawn(registration::run(Arc::new(registrar), is_owned, stop.clone()));
    let waiting = async || {
        let info = app.client.get(format!("{}/bot{TOKEN}/getWebhookInfo", app.sandbox.url())).send().await.unwrap();
        info.json::<Value>().await.unwrap()["result"]["pending_update_count"].as_u64().unwrap()
    };
    app.until("polling", async || app.sandbox.stats().requests.contains_key("getUpdates")).await;
    redis.kill9();
    shares(&app, ADA, ADAS);
    // For a while, nothing must be confirmed.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(waiting().await, 1, "Telegram still has it");
    redis.start().await;
    let ada = Address::Number(ADAS.parse().unwrap());
    app.until("registered", async || matches!(book.get(&name, &ada).await, Ok(Some(_)))).await;
    app.until("confirmed", async || waiting().await == 0).await;
    stop.cancel();
    running.await.unwrap();
    engine.close().await;
    drop((book, engine));
    app.stop().await;
}
