//! Tokens that stand for a bot: what they may call, and that they never learn the bot's own.

use crate::bot_api::proxying::{OURS, before, recorder};
use crate::bot_api::queued_calls::read;
use crate::support::named_client::client;
use crate::support::test_app::{NO_LIMITS, On, TOKEN, TestApp, lenient};
use pixcourier::app::Role;
use pixcourier::settings::{Client, Scope};
use serde_json::{Value, json};
use std::sync::Arc;

const OF_SENDER: &str = "78:sender-sender-sender-sender-sender";
const OF_READER: &str = "79:reader-reader-reader-reader-reader";
const OF_MANAGER: &str = "80:manager-manager-manager-manager-man";

fn holder(name: &str, token: &str, scopes: &[Scope]) -> Client {
    let tokens = [("default".parse().unwrap(), token.to_owned().into())].into();
    Client { tokens, scopes: scopes.iter().copied().collect(), ..client(name) }
}

async fn with_clients(clients: Vec<Client>) -> TestApp {
    TestApp::tuned(On::Embedded, Role::All, NO_LIMITS, lenient(), |settings| {
        settings.clients = clients.into_iter().map(Arc::new).collect();
        let bot = settings.bots.values().next().unwrap();
        let bot = pixcourier::settings::Bot::clone(bot)
            .with(|telegram| telegram.client_tokens = vec![OURS.to_owned().into()]);
        settings.bots.insert(bot.name.clone(), bot.into());
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stand_in_does_not_take_the_bot_away_from_others() {
    let app = with_clients(vec![
        holder("sender", OF_SENDER, &[Scope::Send]),
        holder("reader", OF_READER, &[Scope::Read]),
        holder("manager", OF_MANAGER, &[Scope::Manage]),
    ])
    .await;
    let status = async |token: &str, call: &str| {
        let (status, body) = read(app.get(&format!("/bot{token}/{call}")).await).await;
        if status == 403 {
            assert_eq!((&body["ok"], &body["error_code"]), (&json!(false), &json!(403)), "{body}");
            let words = body["description"].as_str().unwrap();
            assert!(words.starts_with("Forbidden: ") && words.contains("scope"), "{words}");
        }
        status
    };
    for (call, sender, reader, manager) in [
        ("sendMessage?chat_id=7&text=x", 200, 403, 403),
        ("?method=sendMessage&chat_id=7&text=x", 200, 403, 403),
        ("getMe", 403, 200, 403),
    ] {
        let found = (status(OF_SENDER, call).await, status(OF_READER, call).await, status(OF_MANAGER, call).await);
        assert_eq!(found, (sender, reader, manager), "{call}");
        assert_eq!((status(OURS, call).await, status(TOKEN, call).await), (200, 200), "{call}");
    }
    for method in ["logOut", "LOGOUT", "close", "setWebhook?url=", "SetWebHook?url=", "deleteWebhook"] {
        for token in [OURS, OF_SENDER, OF_READER] {
            assert_eq!(status(token, method).await, 403, "{token} {method}");
        }
        for token in [OF_MANAGER, TOKEN] {
            assert_ne!(status(token, method).await, 403, "{token} {method}");
        }
    }
    assert_eq!(status(OURS, "?method=logOut").await, 403);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_has_its_name_in_the_record_and_its_limits_at_this_face_too() {
    let app = with_clients(vec![
        Client { daily_quota: 1, ..holder("sender", OF_SENDER, &[Scope::Send]) },
        Client { rate: 0.001, ..holder("reader", OF_READER, &[Scope::Read]) },
    ])
    .await;
    let call = format!("/bot{OF_SENDER}/sendMessage?chat_id=7&text=x");
    assert_eq!(app.get(&call).await.status(), 200);
    let (status, body) = read(app.get(&call).await).await;
    assert_eq!(status, 429, "{body}");
    assert!((1..=86_400).contains(&body["parameters"]["retry_after"].as_u64().unwrap()), "{body}");
    let record = app.client.get(format!("{}/v1/notifications", app.api)).bearer_auth("the-key-of-reader");
    let page: Value = record.send().await.unwrap().json().await.unwrap();
    assert_eq!(page["notifications"], json!([]), "another client's");
    let answer = app.get(&format!("/bot{OF_READER}/getMe")).await;
    assert_eq!(answer.status(), 429, "one rate for all faces");
    assert!(answer.headers().contains_key("ratelimit") && answer.headers().contains_key("retry-after"));
    app.stop().await;
}

/// A local server names files by a path that holds the token, and a webhook's address often does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stand_in_never_sees_the_bots_own_token() {
    const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n\
        {\"ok\":true,\"result\":{\"file_path\":\"/var/lib/telegram-bot-api/123456:ABC-DEF1234ghIkl-zyx57W2v1u123ew11/photos/a.jpg\",\
        \"windows\":\"D:\\\\bots\\\\123456~ABC-DEF1234ghIkl-zyx57W2v1u123ew11\\\\a.jpg\",\
        \"url\":\"https://x.example/123456%3AABC-DEF1234ghIkl-zyx57W2v1u123ew11?t=123456%3aABC-DEF1234ghIkl-zyx57W2v1u123ew11\"}}";
    let (upstream, heard) = recorder(ANSWER).await;
    let app = before(&upstream).await;
    for method in ["getFile?file_id=x", "getWebhookInfo", "getUpdates", "answerInlineQuery?results=[]"] {
        let url = format!("{}/bot{OURS}/{method}", app.api);
        let answer = app.client.get(url).header("accept-encoding", "gzip").send().await.unwrap();
        let text = answer.text().await.unwrap();
        assert!(!text.contains("ABC-DEF1234"), "{method}: {text}");
        assert!(text.contains(&format!("telegram-bot-api/{OURS}/photos/a.jpg")), "{method}: {text}");
        assert!(text.contains(&OURS.replace(':', "~")) && text.contains(&OURS.replace(':', "%3A")), "{method}: {text}");
        assert!(serde_json::from_str::<Value>(&text).is_ok(), "{text}");
        let asked = heard.lock().unwrap().pop().unwrap().to_ascii_lowercase();
        assert!(!asked.contains("accept-encoding"), "{asked}");
    }
    let own = app.get(&format!("/bot{TOKEN}/getFile?file_id=x")).await.text().await.unwrap();
    assert_eq!(own, ANSWER.split("\r\n\r\n").nth(1).unwrap(), "its own comes untouched");
    // The path that it was given leads to the file.
    heard.lock().unwrap().clear();
    let path = format!("/file/bot{OURS}//var/lib/telegram-bot-api/{OURS}/photos/a.jpg");
    assert_eq!(app.get(&path).await.status(), 200);
    let asked = heard.lock().unwrap().pop().unwrap();
    let wanted = format!("/file/bot{TOKEN}//var/lib/telegram-bot-api/{}/photos/a.jpg ", TOKEN.replace(':', "%3A"));
    assert!(asked.contains(&wanted), "{asked}");
    app.stop().await;
}

/// What a server says when it fails may hold the address that it was asked for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_page_tells_a_stand_in_nothing_either() {
    const ANSWER: &str = "HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\nContent-Length: 65\r\nConnection: close\r\n\r\n\
        Cannot GET /bot123456:ABC-DEF1234ghIkl-zyx57W2v1u123ew11/getThing";
    assert_eq!(ANSWER.split("\r\n\r\n").nth(1).unwrap().len(), 65);
    let (upstream, _) = recorder(ANSWER).await;
    let app = before(&upstream).await;
    for path in [format!("/bot{OURS}/getThing"), format!("/file/bot{OURS}/x")] {
        let answer = app.get(&path).await;
        assert_eq!(answer.status(), 404);
        let text = answer.text().await.unwrap();
        assert!(!text.contains("ABC-DEF1234") && text.contains(OURS), "{text}");
    }
    app.stop().await;
}
