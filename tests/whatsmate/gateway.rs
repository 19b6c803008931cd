//! Bots that deliver through WhatsMate's gateway, for which a second service stands in: its WhatsMate face is the
//! gateway, its sandbox the recipient.

use crate::support::test_app::{NO_LIMITS, TestApp, base64_png, lenient, png, whatsmate_client};
use crate::whatsmate::requests::register;
use pixcourier::app::Role;
use pixcourier::domain::{Address, BotName, ChatId, Sha256};
use pixcourier::sandbox::{FileKind, MediaOrigin};
use pixcourier::settings::{Bot, Gateway, WhatsMateAccount};
use reqwest::Client;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

on_both_engines!(
    a_picture_goes_from_one_service_through_the_other_to_telegram,
    all_kinds_go_through_both_faces_and_both_adapters,
    nothing_is_remembered_as_sent_since_there_are_no_file_ids,
    recipients_are_named_without_a_book,
    refusals_of_the_gateway_fall_in_our_classes,
    what_whatsmate_does_not_take_is_refused_at_the_door,
    a_quota_that_is_used_up_is_waited_for,
    a_gateway_that_is_away_loses_nothing,
);

const NUMBER: i64 = 491_701_234_567;

fn account(url: String, secret: &str) -> WhatsMateAccount {
    let group = Address::Group { name: "Night shift".parse().unwrap(), admin: NUMBER.to_string().parse().unwrap() };
    WhatsMateAccount {
        url,
        client_id: whatsmate_client().0.into(),
        client_secret: secret.into(),
        instance: 1,
        groups: [(ChatId::Username("@nights".to_owned()), group)].into(),
    }
}

/// A service on the same engine whose only bot delivers through a gateway.
async fn through(app: &TestApp, url: String, secret: &str) -> TestApp {
    let gateway = Gateway::WhatsMate(account(url, secret));
    TestApp::tuned(app.on(), Role::All, NO_LIMITS, lenient(), |settings| {
        let name = BotName::default_bot();
        let bot = Bot { name: name.clone(), gateway, limits: NO_LIMITS };
        settings.bots = [(name, Arc::new(bot))].into();
    })
    .await
}

async fn through_the_other(app: &TestApp) -> TestApp {
    register(app).await;
    through(app, app.api.clone(), whatsmate_client().1).await
}

async fn a_picture_goes_from_one_service_through_the_other_to_telegram(app: &TestApp) {
    let outer = through_the_other(app).await;
    let person = outer.accept(json!({"chat_id": NUMBER, "photo": base64_png(1), "caption": "to a person"})).await;
    let group = outer.upload(png(2), json!({"chat_id": "@nights", "caption": "to a group"})).await;
    for id in [&person, &group] {
        let record = outer.sent(id).await;
        assert_eq!((&record["message_id"], &record["file_id"]), (&Value::Null, &Value::Null), "{record:#}");
    }
    app.until("both there", async || app.messages().len() == 2).await;
    let mut arrived: Vec<_> = app.messages();
    arrived.sort_by_key(|message| -message.chat_id);
    let seen = arrived.into_iter().map(|message| (message.chat_id, message.caption, message.media.unwrap().sha256));
    let expected = [(77, "to a person", png(1)), (-500, "to a group", png(2))];
    assert!(seen.eq(expected.map(|(chat, caption, image)| (chat, Some(caption.into()), Sha256::of(&image)))));
    assert!(outer.messages().is_empty(), "its own sandbox stays out of it");
    outer.stop().await;
}

async fn recipients_are_named_without_a_book(app: &TestApp) {
    let outer = through_the_other(app).await;
    let (person, group) = (NUMBER.to_string(), json!({"group_name": "Night shift", "group_admin": NUMBER.to_string()}));
    for recipient in [json!({"number": person}), group] {
        let id = outer.accept(json!({"recipient": recipient, "photo": base64_png(1)})).await;
        outer.sent(&id).await;
    }
    app.until("both there", async || app.messages().len() == 2).await;
    let mut chats: Vec<_> = app.messages().iter().map(|message| message.chat_id).collect();
    chats.sort_unstable();
    assert_eq!(chats, [-500, 77]);
    let stranger = json!({"group_name": "Day shift", "group_admin": NUMBER.to_string()});
    let refused: Value = outer.post(json!({"recipient": stranger, "photo": base64_png(1)})).await.json().await.unwrap();
    assert_eq!((&refused["code"], &refused["field"]), (&json!("unregistered_recipient"), &json!("recipient")));
    outer.stop().await;
}

async fn all_kinds_go_through_both_faces_and_both_adapters(app: &TestApp) {
    let outer = through_the_other(app).await;
    let (id, secret) = whatsmate_client();
    for to in
        [json!({"number": NUMBER.to_string()}), json!({"group_name": "Night shift", "group_admin": NUMBER.to_string()})]
    {
        for (kind, content) in [
            ("text", json!({"message": "a \"text\""})),
            ("image", json!({"image": base64_png(1)["base64"], "caption": "c"})),
            ("document", json!({"document": "JVBERi0xLjcgeA==", "filename": "a b.pdf"})),
            ("audio", json!({"audio": "SUQzBG11c2lj", "filename": "a.mp3"})),
            ("voice_note", json!({"voice_note": "T2dnUwACc3BlZWNo", "filename": "a.ogg"})),
        ] {
            let word = if to.get("number").is_some() { "single" } else { "group" };
            let mut body = content;
            body.as_object_mut().unwrap().extend(to.as_object().unwrap().clone());
            let post = Client::new().post(format!("{}/v3/telegram/{word}/{kind}/message/1", outer.api));
            let post = post.header("X-WM-CLIENT-ID", id).header("X-WM-CLIENT-SECRET", secret).json(&body);
            let answer: Value = post.send().await.unwrap().json().await.unwrap();
            outer.sent(answer["id"].as_str().unwrap_or_else(|| panic!("{kind}: {answer}"))).await;
        }
    }
    app.until("all there", async || app.messages().len() == 10).await;
    for chat in [77, -500] {
        let of_chat = app.messages().into_iter().filter(|message| message.chat_id == chat);
        let mut kinds: Vec<_> = of_chat.map(|message| message.media.map(|media| media.kind)).collect();
        kinds.sort_by_key(|kind| format!("{kind:?}"));
        let all = [None, Some(FileKind::Audio), Some(FileKind::Document), Some(FileKind::Photo), Some(FileKind::Voice)];
        assert_eq!(kinds, all);
    }
    outer.stop().await;
}

async fn nothing_is_remembered_as_sent_since_there_are_no_file_ids(app: &TestApp) {
    let outer = through_the_other(app).await;
    for _ in 0..3 {
        let id = outer.accept(json!({"chat_id": NUMBER, "photo": base64_png(1)})).await;
        let record = outer.sent(&id).await;
        assert_eq!(record["attempts"][0]["uploaded"], true, "{record:#}");
    }
    app.until("all there", async || app.messages().len() == 3).await;
    let uploads =
        app.messages().iter().filter(|m| m.media.as_ref().is_some_and(|m| m.how == MediaOrigin::Upload)).count();
    assert_eq!(uploads, 1, "the other service has file_ids");
    outer.stop().await;
}

async fn refusals_of_the_gateway_fall_in_our_classes(app: &TestApp) {
    let outer = through_the_other(app).await;
    let stranger = outer.accept(json!({"chat_id": 15_551_234_567_i64, "photo": base64_png(1)})).await;
    let record = outer.settled(&stranger).await;
    assert_eq!((&record["status"], &record["failure"]["class"]), (&json!("failed"), &json!("recipient")), "{record:#}");
    let words = record["failure"]["description"].as_str().unwrap();
    assert!(words.starts_with("WhatsMate: ") && words.contains("has not registered"), "{words}");

    let locked_out = through(app, app.api.clone(), "not-the-secret-of-it").await;
    let id = locked_out.accept(json!({"chat_id": NUMBER, "photo": base64_png(1)})).await;
    locked_out.until("held", async || locked_out.record(&id).await["status"] == "held").await;
    locked_out.leave_unfinished();
    locked_out.stop().await;
    outer.stop().await;
}

async fn what_whatsmate_does_not_take_is_refused_at_the_door(app: &TestApp) {
    let outer = through(app, "http://127.0.0.1:1".to_owned(), "whatever-it-may-be").await;
    let long = "\u{fc}".repeat(251);
    let mut large = png(1);
    large.resize(4_500_001, 0);
    for (body, field, word) in [
        (json!({"chat_id": NUMBER, "photo": base64_png(1), "caption": long}), "caption", "250 characters"),
        (
            json!({"chat_id": NUMBER, "photo": base64_png(1), "caption": "x", "parse_mode": "HTML"}),
            "parse_mode",
            "parse_mode",
        ),
        (json!({"chat_id": NUMBER, "photo": "https://example.com/a.png"}), "photo", "bytes"),
        (json!({"chat_id": NUMBER, "photo": "AgACAgIAAxk"}), "photo", "bytes"),
        (json!({"chat_id": -5, "photo": base64_png(1)}), "chat_id", "phone number"),
        (json!({"chat_id": "@strangers", "photo": base64_png(1)}), "chat_id", "phone number"),
    ] {
        let answer = outer.post(body).await;
        let (status, problem): (_, Value) = (answer.status(), answer.json().await.unwrap());
        assert_eq!((status.as_u16(), &problem["field"]), (400, &json!(field)), "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains(word), "{problem}");
    }
    outer.stop().await;
}

/// A gateway that says the answers one after another, then the last again and again; it ends with its handle.
async fn scripted(answers: &'static [&'static str]) -> (String, AbortOnDropHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let answering = tokio::spawn(async move {
        for number in 0.. {
            let Ok((mut socket, _)) = listener.accept().await else { return };
            let (mut read, mut piece) = (Vec::new(), vec![0; 65_536]);
            while !read.ends_with(b"\"}") {
                match socket.read(&mut piece).await {
                    Ok(n) if n > 0 => read.extend_from_slice(&piece[..n]),
                    _ => return,
                }
            }
            let (status, body) = answers[number.min(answers.len() - 1)].split_once('|').unwrap();
            let head = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
            let _ = socket.write_all(format!("{head}{body}").as_bytes()).await;
        }
    });
    (address, AbortOnDropHandle::new(answering))
}

fn outcomes(record: &Value) -> Vec<&str> {
    record["attempts"].as_array().unwrap().iter().map(|attempt| attempt["outcome"].as_str().unwrap()).collect()
}

async fn a_quota_that_is_used_up_is_waited_for(app: &TestApp) {
    let (url, _gateway) = scripted(&[
        "400 Bad Request\r\nretry-after: 1|{\"error_message\":\"Quota exceeded\"}",
        "200 OK|{\"status\":\"queued\",\"id\":\"0-1\"}",
    ])
    .await;
    let outer = through(app, url, "whatever-it-may-be").await;
    let id = outer.accept(json!({"chat_id": NUMBER, "photo": base64_png(1)})).await;
    assert_eq!(outcomes(&outer.sent(&id).await), ["flood_wait", "sent"]);
    outer.stop().await;
}

async fn a_gateway_that_is_away_loses_nothing(app: &TestApp) {
    let (url, _gateway) = scripted(&[
        "502 Bad Gateway|<html>",
        "503 Service Unavailable|{\"error_message\":\"The gateway is offline\"}",
        "200 OK|{\"status\":\"queued\",\"id\":\"0-1\"}",
    ])
    .await;
    let outer = through(app, url, "whatever-it-may-be").await;
    let id = outer.accept(json!({"chat_id": NUMBER, "photo": base64_png(1)})).await;
    assert_eq!(outcomes(&outer.sent(&id).await), ["ambiguous", "ambiguous", "sent"]);
    outer.stop().await;
}
