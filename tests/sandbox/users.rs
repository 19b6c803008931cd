//! What users do, and how bots hear of it.

use super::hook::Hook;
use super::{ANNE, BERT, TestSandbox, answer, description, free};
use crate::support::wait::{WAIT_TIMEOUT, until_true};
use pixcourier::sandbox::{UserAction, UserActionResult};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const BOT: u64 = 1001;
const GROUP: i64 = -77;

fn text(user_id: i64, text: &str) -> UserAction {
    UserAction::Text { user_id, text: text.into(), chat_id: None }
}

impl TestSandbox {
    fn does(&self, incoming: UserAction) -> UserActionResult {
        self.sandbox.incoming(BOT, incoming).unwrap()
    }

    async fn updates(&self, arguments: Value) -> Vec<Value> {
        let (status, body) = self.call(ANNE, "getUpdates", arguments).await;
        assert_eq!(status, 200, "{body}");
        body["result"].as_array().unwrap().clone()
    }

    /// Waits until the bot has asked for updates so often.
    async fn until_polled(&self, times: u64) {
        let polled = async || self.sandbox.stats().requests.get("getUpdates").is_some_and(|polls| *polls >= times);
        until_true("polls", WAIT_TIMEOUT, polled).await;
    }

    async fn says_to(&self, chat: i64) -> (u16, String) {
        let (status, body) = self.call(ANNE, "sendMessage", json!({"chat_id": chat, "text": "x"})).await;
        (status.as_u16(), body["description"].as_str().unwrap_or("").to_owned())
    }
}

#[tokio::test]
async fn a_user_starts_the_bot_and_shares_a_contact() {
    let api = free();
    api.does(text(7, "/start from-a-link"));
    api.does(UserAction::Contact {
        user_id: 7,
        phone_number: "+4366012".into(),
        contact_user_id: None,
        forwarded: false,
    });
    api.does(UserAction::Contact { user_id: 7, phone_number: "99".into(), contact_user_id: Some(8), forwarded: true });
    let updates = api.updates(json!({})).await;
    let start = &updates[0]["message"];
    assert_eq!(
        (&start["text"], &start["from"]["id"], &start["chat"]["type"]),
        (&json!("/start from-a-link"), &json!(7), &json!("private"))
    );
    assert_eq!(start["entities"], json!([{"type": "bot_command", "offset": 0, "length": 6}]));
    let own = &updates[1]["message"];
    assert_eq!((&own["contact"]["phone_number"], &own["contact"]["user_id"]), (&json!("+4366012"), &own["from"]["id"]));
    assert!(own["forward_origin"].is_null());
    let others = &updates[2]["message"];
    assert_eq!((&others["contact"]["user_id"], &others["forward_origin"]["sender_user"]["id"]), (&json!(8), &json!(8)));
    let reply = json!({"chat_id": 7, "text": "Hello", "reply_parameters": {"message_id": own["message_id"]}});
    let (_, replied) = api.call(ANNE, "sendMessage", reply).await;
    assert_eq!(replied["result"]["reply_to_message"]["contact"], own["contact"]);
    assert!(replied["result"]["message_id"].as_i64() > others["message_id"].as_i64());
    let on = |id: &Value| json!({"chat_id": 9, "from_chat_id": 7, "message_id": id});
    let (_, copied) = api.call(ANNE, "copyMessage", on(&start["message_id"])).await;
    assert_eq!(copied["ok"], true);
    let (_, forwarded) = api.call(ANNE, "forwardMessage", on(&own["message_id"])).await;
    let forwarded = &forwarded["result"];
    assert_eq!(
        (&forwarded["contact"], &forwarded["forward_origin"]["sender_user"]["id"]),
        (&own["contact"], &json!(7))
    );
    assert!(api.sandbox.incoming(BOT, text(-5, "x")).is_err());
}

#[tokio::test]
async fn whoever_blocks_the_bot_is_not_written_to_until_they_unblock_it() {
    let api = free();
    api.does(UserAction::Block { user_id: 7 });
    assert_eq!(api.says_to(7).await, (403, "Forbidden: bot was blocked by the user".into()));
    assert_eq!(api.call(BERT, "sendMessage", json!({"chat_id": 7, "text": "x"})).await.0, 200, "another bot may");
    api.does(UserAction::Unblock { user_id: 7 });
    assert_eq!(api.says_to(7).await.0, 200);
    let updates = api.updates(json!({})).await;
    let statuses: Vec<_> = updates
        .iter()
        .map(|update| &update["my_chat_member"])
        .map(|change| (&change["old_chat_member"]["status"], &change["new_chat_member"]["status"]))
        .collect();
    assert_eq!(statuses, [(&json!("member"), &json!("kicked")), (&json!("kicked"), &json!("member"))]);
}

#[tokio::test]
async fn groups_have_titles_and_creators_and_can_be_left_and_migrate() {
    let api = free();
    let add = |administrator| UserAction::Added {
        chat_id: GROUP,
        title: "Choir".into(),
        by: 7,
        creator: Some(8),
        administrator,
    };
    api.does(add(false));
    api.does(add(true));
    let updates = api.updates(json!({})).await;
    assert_eq!(updates[0]["my_chat_member"]["chat"]["title"], "Choir");
    assert_eq!(updates[1]["message"]["new_chat_members"][0]["id"], BOT);
    assert_eq!(updates[2]["my_chat_member"]["new_chat_member"]["status"], "administrator");
    assert_eq!(updates.len(), 3, "who is in already is not announced again");
    let ask = |method, arguments| api.call(ANNE, method, arguments);
    let (_, chat) = ask("getChat", json!({"chat_id": GROUP})).await;
    assert_eq!(chat["result"]["title"], "Choir");
    let (_, admins) = ask("getChatAdministrators", json!({"chat_id": GROUP})).await;
    let admins: Vec<_> =
        admins["result"].as_array().unwrap().iter().map(|m| (&m["status"], &m["user"]["id"])).collect();
    assert_eq!(admins, [(&json!("creator"), &json!(8)), (&json!("administrator"), &json!(BOT))]);
    let (_, private) = ask("getChatAdministrators", json!({"chat_id": 7})).await;
    assert_eq!(description(&private), "Bad Request: there are no administrators in the private chat");
    for (user, status) in [(8, "creator"), (BOT, "administrator"), (9, "member")] {
        let (_, member) = ask("getChatMember", json!({"chat_id": GROUP, "user_id": user})).await;
        assert_eq!(member["result"]["status"], status);
    }

    let to = -1_000_000_000_077;
    api.does(UserAction::Migrated { chat_id: GROUP, to });
    let updates = api.updates(json!({"offset": 4})).await;
    assert_eq!(updates[0]["message"]["migrate_to_chat_id"], to);
    assert_eq!(
        (&updates[1]["message"]["migrate_from_chat_id"], &updates[1]["message"]["chat"]["title"]),
        (&json!(GROUP), &json!("Choir"))
    );
    let (_, migrated) = ask("sendMessage", json!({"chat_id": GROUP, "text": "x"})).await;
    assert_eq!(migrated["parameters"]["migrate_to_chat_id"], to);
    assert_eq!(api.says_to(to).await.0, 200);
    api.does(UserAction::Removed { chat_id: to, by: 7 });
    assert_eq!(api.says_to(to).await, (403, "Forbidden: bot was kicked from the supergroup chat".into()));
    ask("leaveChat", json!({"chat_id": -78})).await;
    assert_eq!(api.says_to(-78).await, (403, "Forbidden: bot is not a member of the group chat".into()));
    let found = |chat: i64| api.sandbox.incoming(BOT, UserAction::Migrated { chat_id: chat, to: chat });
    assert!(found(-5).is_err() && found(5).is_err());
}

#[tokio::test]
async fn a_long_poll_hears_at_once_and_an_older_one_is_ended() {
    let api = free();
    let poll = |offset: i64, timeout: u64| api.call(ANNE, "getUpdates", json!({"offset": offset, "timeout": timeout}));
    let started = Instant::now();
    let says = async {
        api.until_polled(1).await;
        api.does(text(7, "hello"));
    };
    let ((_, heard), ()) = tokio::join!(poll(0, 20), says);
    assert_eq!(heard["result"][0]["message"]["text"], "hello");
    assert!(started.elapsed() < Duration::from_secs(5));

    let second = async {
        api.until_polled(2).await;
        let second = poll(3, 20);
        let says = async {
            api.until_polled(3).await;
            api.does(text(7, "two"));
            api.does(text(7, "three"));
        };
        tokio::join!(second, says).0
    };
    let ((status, ended), (_, heard)) = tokio::join!(poll(2, 20), second);
    assert_eq!(status, 409);
    assert_eq!(
        description(&ended),
        "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
    );
    assert_eq!(heard["result"][0]["message"]["text"], "three", "the offset confirmed the one before");
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn a_webhook_gets_each_update_until_it_says_yes_and_ends_polling() {
    let api = free();
    let hook = Hook::start();
    api.does(text(7, "before"));
    let polling = api.call(ANNE, "getUpdates", json!({"offset": 2, "timeout": 20}));
    let set = async {
        api.until_polled(1).await;
        let arguments = json!({"url": hook.url(), "secret_token": "shibboleth", "allowed_updates": ["message"]});
        api.call(ANNE, "setWebhook", arguments).await
    };
    let ((status, ended), (_, set)) = tokio::join!(polling, set);
    assert_eq!((status.as_u16(), description(&ended)), (409, "Conflict: terminated by setWebhook request"));
    assert_eq!(set["description"], "Webhook was set");
    hook.answers(&[500, 200, 200]);
    api.does(text(7, "first"));
    api.does(UserAction::Block { user_id: 9 });
    api.does(text(7, "second"));
    let got: Vec<_> = (0..3).map(|_| hook.next()).collect();
    let texts: Vec<_> = got.iter().map(|(_, update)| update["message"]["text"].as_str().unwrap()).collect();
    assert_eq!(texts, ["first", "first", "second"], "the first was refused once");
    assert!(got.iter().all(|(head, _)| head.contains("x-telegram-bot-api-secret-token: shibboleth\r\n")));
    let (status, error) = api.call(ANNE, "getUpdates", json!({})).await;
    assert_eq!(status, 409);
    assert!(description(&error).starts_with("Conflict: can't use getUpdates method while webhook is active; "));
    let (_, info) = api.call(ANNE, "getWebhookInfo", json!({})).await;
    let info = &info["result"];
    assert_eq!((&info["max_connections"], &info["allowed_updates"]), (&json!(40), &json!(["message"])));
    assert!(info["last_error_message"].as_str().unwrap().contains("500"));
    let (_, again) = api.call(ANNE, "setWebhook", json!({"url": hook.url(), "secret_token": "a b"})).await;
    assert!(
        ["Bad Request: secret token contains unallowed characters", "Too Many Requests: retry after 1"]
            .contains(&description(&again))
    );
    let (_, deleted) = api.call(ANNE, "deleteWebhook", json!({})).await;
    assert_eq!(deleted["description"], "Webhook was deleted");
    api.does(text(7, "after"));
    assert_eq!(api.updates(json!({"timeout": 5})).await[0]["message"]["text"], "after");
}

#[tokio::test]
async fn a_webhook_may_answer_with_a_method() {
    let api = free();
    let hook = Hook::start();
    api.call(ANNE, "setWebhook", json!({"url": hook.url()})).await;
    hook.answers_with(r#"{"method":"sendMessage","chat_id":7,"text":"straight back"}"#);
    api.does(text(7, "hello"));
    hook.next();
    until_true("the message", WAIT_TIMEOUT, async || api.sandbox.stats().sends > 0).await;
    assert_eq!(api.sandbox.messages(&Default::default())[0].caption.as_deref(), Some("straight back"));
}

#[tokio::test]
async fn users_can_be_played_over_http_too() {
    let api = free();
    let url = format!("{}/sandbox/incoming", api.sandbox.url());
    let post = async |body: Value| api.http.post(&url).json(&body).send().await.unwrap();
    let done = post(json!({"bot": BOT, "text": {"user_id": 7, "text": "/start"}})).await;
    assert_eq!(done.status(), 200);
    let received: UserActionResult = serde_json::from_slice(&done.bytes().await.unwrap()).unwrap();
    assert_eq!((received.update_id, received.message_id), (1, Some(1)));
    let any = json!({"bot": BOT, "update": {"update": {"edited_message": {"text": "x"}}}});
    assert_eq!(post(any).await.status(), 200);
    let updates = api.updates(json!({})).await;
    assert_eq!(updates[1], json!({"update_id": 2, "edited_message": {"text": "x"}}));
    for bad in [
        json!({"bot": BOT}),
        json!({"bot": BOT, "dance": {}}),
        json!({"bot": BOT, "block": {"user_id": -1}}),
        json!({"bot": BOT, "block": {"user_id": 1, "twice": true}}),
    ] {
        assert_eq!(post(bad).await.status(), 400);
    }
    let pressed = api.says_to(7).await;
    assert_eq!(pressed.0, 200);
    api.does(UserAction::Press { user_id: 7, chat_id: 7, message_id: 2, data: "yes".into() });
    let press = &api.updates(json!({"offset": 3})).await[0]["callback_query"];
    assert_eq!((&press["data"], &press["message"]["message_id"]), (&json!("yes"), &json!(2)));
    let (_, granted) = api.call(ANNE, "answerCallbackQuery", json!({"callback_query_id": press["id"]})).await;
    assert_eq!(granted["result"], true);
    let (_, _) =
        answer(api.post(ANNE, "setMyCommands").json(&json!({"commands": [{"command": "a", "description": "b"}]})))
            .await;
    let (_, commands) = api.call(ANNE, "getMyCommands", json!({})).await;
    assert_eq!(commands["result"][0]["command"], "a");
}
