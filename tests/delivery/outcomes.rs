//! The way of a notification, on both engines: what arrives, what is retried, what ends how.

use crate::support::test_app::{TestApp, base64_png, png};
use pixcourier::domain::{Sha256, Timestamp};
use pixcourier::sandbox::MediaOrigin;
use serde_json::{Value, json};
use std::time::Duration;

on_both_engines!(
    an_image_arrives_however_it_was_handed_in,
    every_parameter_arrives,
    an_image_is_uploaded_once_and_then_sent_by_file_id,
    case_88_a_refused_file_id_is_uploaded_afresh_once,
    a_flood_wait_is_obeyed_also_when_it_hides_in_a_400,
    case_82_a_migrated_chat_is_followed,
    permanent_refusals_fail_with_telegrams_own_words,
    what_did_not_arrive_is_tried_again_and_nothing_is_sent_twice,
    a_lost_answer_is_sent_again_or_said_to_be_unknown,
    an_answer_that_takes_nine_seconds_is_waited_for,
    a_passing_refusal_that_does_not_pass_fails_after_the_allowed_attempts,
    a_refused_token_holds_the_bot_and_loses_nothing,
    an_outage_of_telegram_burns_nobodys_attempts,
    a_scheduled_one_waits_and_can_be_taken_back,
    an_expired_one_is_said_and_not_sent,
    a_failed_one_can_be_tried_again,
    the_same_key_is_delivered_once,
    listings_page_through_everything_once,
    metrics_tell_the_story,
    what_waits_survives_a_graceful_restart,
);

fn caption(record: &Value) -> &str {
    record["attempts"]
        .as_array()
        .and_then(|attempts| attempts.last())
        .map_or("", |last| last["outcome"].as_str().unwrap())
}

fn outcomes(record: &Value) -> Vec<&str> {
    record["attempts"].as_array().unwrap().iter().map(|attempt| attempt["outcome"].as_str().unwrap()).collect()
}

fn in_seconds(seconds: u64) -> String {
    Timestamp::now().plus(Duration::from_secs(seconds)).to_string()
}

async fn an_image_arrives_however_it_was_handed_in(app: &TestApp) {
    let image = png(1);
    let digest = Sha256::of(&image);
    let file = app.upload(image, json!({"chat_id": 1, "caption": "file"})).await;
    let record = app.sent(&file).await;
    let file_id = record["file_id"].as_str().unwrap().to_owned();
    assert_eq!(outcomes(&record), ["sent"]);

    let base64 = app.accept(json!({"chat_id": 2, "caption": "base64", "photo": base64_png(2)})).await;
    let url = app.accept(json!({"chat_id": 3, "caption": "url", "photo": "https://example.com/a.png"})).await;
    let by_id = app.accept(json!({"chat_id": 4, "caption": "file_id", "photo": file_id})).await;
    let by_digest =
        app.accept(json!({"chat_id": 5, "caption": "sha256", "photo": {"sha256": digest.to_string()}})).await;
    for id in [&base64, &url, &by_id, &by_digest] {
        assert!(app.sent(id).await["message_id"].is_i64());
    }
    let mut arrived: Vec<_> = app
        .messages()
        .into_iter()
        .map(|message| {
            let media = message.media.unwrap();
            (message.chat_id, message.caption.unwrap().to_string(), media.how, media.sha256)
        })
        .collect();
    arrived.sort_by_key(|(chat, ..)| *chat);
    assert_eq!(arrived[0], (1, "file".into(), MediaOrigin::Upload, digest));
    assert_eq!(arrived[1], (2, "base64".into(), MediaOrigin::Upload, Sha256::of(&png(2))));
    assert_eq!((arrived[2].0, arrived[2].2), (3, MediaOrigin::Url));
    assert_eq!(arrived[3], (4, "file_id".into(), MediaOrigin::FileId, digest));
    assert_eq!(arrived[4], (5, "sha256".into(), MediaOrigin::FileId, digest), "known by now");
}

async fn every_parameter_arrives(app: &TestApp) {
    let keyboard = json!({"inline_keyboard": [[{"text": "Acknowledge", "url": "https://example.com/"}]]});
    let first = app.accept(json!({"chat_id": -7, "photo": base64_png(1)})).await;
    let first = app.sent(&first).await["message_id"].as_i64().unwrap();
    let id = app
        .accept(json!({
            "chat_id": "-7", "photo": base64_png(1), "caption": "<b>Disk</b> full", "parse_mode": "HTML", "reply_markup": keyboard,
            "reply_parameters": {"message_id": first}, "disable_notification": true, "protect_content": true,
            "has_spoiler": true, "show_caption_above_media": true, "priority": "urgent", "tags": ["disk", "db-3"],
        }))
        .await;
    let record = app.sent(&id).await;
    assert_eq!(record["tags"], json!(["disk", "db-3"]));
    assert_eq!(record["priority"], "urgent");
    let message = app.messages().pop().unwrap();
    assert_eq!(message.caption.as_deref(), Some("Disk full"));
    assert_eq!(message.reply_to_message_id, Some(first));
    assert_eq!(message.reply_markup.as_deref(), Some(&keyboard));
    assert_eq!(message.options.len(), 4, "{:?}", message.options);
}

async fn an_image_is_uploaded_once_and_then_sent_by_file_id(app: &TestApp) {
    let mut ids = Vec::new();
    for chat in 1..=20 {
        ids.push(app.accept(json!({"chat_id": chat, "photo": base64_png(1)})).await);
    }
    for id in &ids {
        app.sent(id).await;
    }
    let stats = app.sandbox.stats();
    assert_eq!((stats.sends, stats.uploads, stats.by_file_id), (20, 1, 19));
}

async fn case_88_a_refused_file_id_is_uploaded_afresh_once(app: &TestApp) {
    let first = app.accept(json!({"chat_id": 1, "photo": base64_png(1)})).await;
    app.sent(&first).await;
    app.fault(1, json!("file_ids_forgotten"));
    let second = app.accept(json!({"chat_id": 2, "photo": base64_png(1)})).await;
    let record = app.sent(&second).await;
    assert_eq!(outcomes(&record), ["file_id_refused", "sent"]);
    assert_eq!(record["attempts"][1]["uploaded"], true);
    let third = app.accept(json!({"chat_id": 3, "photo": base64_png(1)})).await;
    app.sent(&third).await;
    assert_eq!(app.sandbox.stats().uploads, 2);
    assert_eq!(app.metric("file_id_evictions_total", "").await, 1.0);
}

async fn a_flood_wait_is_obeyed_also_when_it_hides_in_a_400(app: &TestApp) {
    for as_400 in [false, true] {
        app.fault(1, json!({"flood": {"retry_after": 2, "as_400": as_400}}));
        let began = std::time::Instant::now();
        let id = app.accept(json!({"chat_id": 1, "photo": base64_png(1)})).await;
        let record = app.sent(&id).await;
        assert_eq!(outcomes(&record), ["flood_wait", "sent"]);
        assert_eq!(record["attempts"][0]["retry_after"], 2);
        assert!(began.elapsed() >= Duration::from_secs(2));
    }
    assert_eq!(app.sandbox.stats().violations, 0);
}

async fn case_82_a_migrated_chat_is_followed(app: &TestApp) {
    app.fault(1, json!({"migrated": {"to": -1_001_234_567_890_i64}}));
    let ids = [
        app.accept(json!({"chat_id": -5, "photo": base64_png(1)})).await,
        app.accept(json!({"chat_id": -5, "photo": base64_png(2)})).await,
    ];
    for id in &ids {
        app.sent(id).await;
    }
    assert!(app.messages().iter().all(|message| message.chat_id == -1_001_234_567_890));
    assert_eq!(app.messages().len(), 2);
}

async fn permanent_refusals_fail_with_telegrams_own_words(app: &TestApp) {
    let table = [
        (9_000_000_400_i64, "recipient", 400, "Bad Request: chat not found"),
        (9_000_000_403, "recipient", 403, "Forbidden: bot was blocked by the user"),
        (-9_000_000_405, "recipient", 400, "Bad Request: not enough rights to send photos to the chat"),
    ];
    for (chat, class, code, words) in table {
        let id = app.accept(json!({"chat_id": chat, "photo": base64_png(1)})).await;
        let record = app.settled(&id).await;
        let failure = json!({"class": class, "error_code": code, "description": words});
        assert_eq!((&record["status"], &record["failure"]), (&json!("failed"), &failure));
        assert_eq!(outcomes(&record), ["permanent"]);
    }
    let bad_markup =
        app.accept(json!({"chat_id": 1, "photo": base64_png(1), "caption": "<b>x", "parse_mode": "HTML"})).await;
    let record = app.settled(&bad_markup).await;
    assert_eq!(record["failure"]["class"], "request");
    assert!(record["failure"]["description"].as_str().unwrap().contains("can't parse entities"), "{record:#}");
}

async fn what_did_not_arrive_is_tried_again_and_nothing_is_sent_twice(app: &TestApp) {
    app.fault(1, json!("reset_before"));
    let image = [png(1), vec![7; 6 << 20]].concat();
    let id = app.upload(image, json!({"chat_id": 1})).await;
    let record = app.sent(&id).await;
    assert_eq!(outcomes(&record), ["transient", "sent"], "an upload that was not handed over whole did not arrive");
    app.fault(1, json!({"status": {"code": 400, "description": "Bad Request: PHOTO_SAVE_FILE_INVALID"}}));
    let id = app.accept(json!({"chat_id": 1, "photo": base64_png(2)})).await;
    assert_eq!(outcomes(&app.sent(&id).await), ["transient", "sent"]);
    assert_eq!(app.messages().len(), 2);
}

async fn a_lost_answer_is_sent_again_or_said_to_be_unknown(app: &TestApp) {
    for fault in [json!("lost_after"), json!("cut_json")] {
        let before = app.messages().len();
        app.fault(1, fault.clone());
        let id = app.accept(json!({"chat_id": 1, "photo": base64_png(1)})).await;
        assert_eq!(outcomes(&app.sent(&id).await), ["ambiguous", "sent"], "{fault}");
        assert_eq!(app.messages().len(), before + 2, "{fault}: it had arrived");

        app.fault(1, fault.clone());
        let once = json!({"chat_id": 2, "photo": base64_png(1), "delivery": "at_most_once"});
        let record = app.settled(&app.accept(once).await).await;
        assert_eq!(record["status"], "unknown");
        assert_eq!(record["failure"]["class"], "ambiguous");
        assert_eq!(app.messages().len(), before + 3, "{fault}: never twice");
    }
    app.fault(1, json!("not_json"));
    let id = app.accept(json!({"chat_id": 3, "photo": base64_png(1)})).await;
    assert_eq!(outcomes(&app.sent(&id).await), ["ambiguous", "sent"]);
}

async fn an_answer_that_takes_nine_seconds_is_waited_for(app: &TestApp) {
    app.fault(1, json!({"slow": {"ms": 9000}}));
    let id = app.accept(json!({"chat_id": 1, "photo": base64_png(1)})).await;
    let record = app.sent(&id).await;
    assert_eq!(outcomes(&record), ["sent"]);
    assert_eq!(app.messages().len(), 1);
}

async fn a_passing_refusal_that_does_not_pass_fails_after_the_allowed_attempts(app: &TestApp) {
    app.fault(0, json!({"status": {"code": 400, "description": "Bad Request: failed to get HTTP URL content"}}));
    let id = app.accept(json!({"chat_id": 1, "photo": "https://example.com/gone.png"})).await;
    let record = app.settled(&id).await;
    assert_eq!((&record["status"], &record["failure"]["class"]), (&json!("failed"), &json!("exhausted")));
    assert_eq!(outcomes(&record), ["transient"; 4]);
    assert_eq!(record["failure"]["description"], "Bad Request: failed to get HTTP URL content");
}

async fn a_refused_token_holds_the_bot_and_loses_nothing(app: &TestApp) {
    app.fault(2, json!("unauthorized"));
    let mut ids = Vec::new();
    for chat in 1..=5 {
        ids.push(app.accept(json!({"chat_id": chat, "photo": base64_png(1)})).await);
    }
    for id in &ids {
        app.sent(id).await;
    }
    let stats = app.sandbox.stats();
    assert_eq!(stats.sends, 5);
    assert!(stats.requests["sendPhoto"] <= 9, "no hammering: {:?}", stats.requests);
}

async fn an_outage_of_telegram_burns_nobodys_attempts(app: &TestApp) {
    app.fault(0, json!({"status": {"code": 502, "description": "Bad Gateway"}}));
    let mut ids = Vec::new();
    for chat in 1..=30 {
        ids.push(app.accept(json!({"chat_id": chat, "photo": format!("https://example.com/{chat}.png")})).await);
    }
    app.until("the breaker to open", async || app.metric("breaker_open", "").await == 1.0).await;
    // How many requests leave meanwhile is what is tested.
    tokio::time::sleep(Duration::from_secs(4)).await;
    let during = app.sandbox.stats().requests["sendPhoto"];
    assert!(during <= 60, "{during} requests while Telegram was away");
    app.sandbox.clear_faults();
    for id in &ids {
        app.sent(id).await;
    }
    assert_eq!(app.sandbox.stats().sends, 30);
}

async fn a_scheduled_one_waits_and_can_be_taken_back(app: &TestApp) {
    let soon = app.accept(json!({"chat_id": 1, "photo": base64_png(1), "send_at": in_seconds(2)})).await;
    let later = app.accept(json!({"chat_id": 2, "photo": base64_png(1), "send_at": in_seconds(3600)})).await;
    assert_eq!(app.record(&soon).await["status"], "scheduled");
    assert!(app.messages().is_empty());
    let cancelled = app.client.delete(format!("{}/v1/notifications/{later}", app.api)).send().await.unwrap();
    assert_eq!(cancelled.status(), 200);
    assert_eq!(cancelled.json::<Value>().await.unwrap()["status"], "cancelled");
    let record = app.sent(&soon).await;
    let sent_at = Timestamp::parse(record["attempts"][0]["at"].as_str().unwrap()).unwrap();
    let send_at = Timestamp::parse(record["send_at"].as_str().unwrap()).unwrap();
    assert!(sent_at >= send_at, "{sent_at} is before {send_at}");
    assert!(sent_at.since(send_at) < Duration::from_secs(2), "{sent_at} is long after {send_at}");
    let too_late = app.client.delete(format!("{}/v1/notifications/{soon}", app.api)).send().await.unwrap();
    assert_eq!(too_late.status(), 409);
    assert_eq!(app.messages().len(), 1);
}

async fn an_expired_one_is_said_and_not_sent(app: &TestApp) {
    app.fault(1, json!({"flood": {"retry_after": 4}}));
    let id = app.accept(json!({"chat_id": 1, "photo": base64_png(1), "expires_at": in_seconds(2)})).await;
    let record = app.settled(&id).await;
    assert_eq!(record["status"], "expired");
    assert_eq!(caption(&record), "flood_wait");
    assert!(app.messages().is_empty());
}

async fn a_failed_one_can_be_tried_again(app: &TestApp) {
    app.fault(1, json!("blocked"));
    let id = app.accept(json!({"chat_id": 1, "photo": base64_png(1)})).await;
    assert_eq!(app.settled(&id).await["status"], "failed");
    let again = app.client.post(format!("{}/v1/notifications/{id}/retry", app.api)).send().await.unwrap();
    assert_eq!(again.status(), 202);
    let record = app.sent(&id).await;
    assert_eq!(outcomes(&record), ["permanent", "sent"]);
    assert_eq!(record["failure"], Value::Null);
    let twice = app.client.post(format!("{}/v1/notifications/{id}/retry", app.api)).send().await.unwrap();
    assert_eq!(twice.status(), 409);
}

async fn the_same_key_is_delivered_once(app: &TestApp) {
    let post = |body: Value| {
        let request = app.client.post(format!("{}/v1/notifications", app.api));
        request.header("Idempotency-Key", "night-shift-1").json(&body).send()
    };
    let body = json!({"chat_id": 1, "photo": base64_png(1)});
    let answers = futures_util::future::join_all((0..10).map(|_| post(body.clone()))).await;
    let mut bodies = Vec::new();
    for answer in answers {
        let answer = answer.unwrap();
        assert_eq!(answer.status(), 202);
        let mut body = answer.json::<Value>().await.unwrap();
        // Of a repetition, how it stands by then.
        body["status"].take();
        bodies.push(body);
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "the same answer each time");
    let other = post(json!({"chat_id": 2, "photo": base64_png(1)})).await.unwrap();
    assert_eq!(other.status(), 422);
    let id = bodies[0]["id"].as_str().unwrap().to_owned();
    app.sent(&id).await;
    let marker = app.accept(json!({"chat_id": 1, "photo": base64_png(2)})).await;
    app.sent(&marker).await;
    assert_eq!(app.messages().len(), 2, "one for the key, one for the marker behind it");
}

async fn listings_page_through_everything_once(app: &TestApp) {
    let mut ids = Vec::new();
    for chat in 1..=25 {
        ids.push(app.accept(json!({"chat_id": chat, "photo": base64_png(1)})).await);
    }
    for id in &ids {
        app.sent(id).await;
    }
    let (mut listed, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = app.json(&format!("/v1/notifications?status=sent&bot=default&limit=10{cursor}")).await;
        let records = page["notifications"].as_array().unwrap();
        listed.extend(records.iter().map(|record| record["id"].as_str().unwrap().to_owned()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    ids.reverse();
    assert_eq!(listed, ids, "newest first, each once");
    let none = app.json("/v1/notifications?status=failed").await;
    assert_eq!(none["notifications"], json!([]));
}

async fn metrics_tell_the_story(app: &TestApp) {
    for chat in [1, 2, 9_000_000_403_i64] {
        let id = app.accept(json!({"chat_id": chat, "photo": base64_png(1)})).await;
        app.settled(&id).await;
    }
    let table = [
        ("notifications_accepted_total", ",lane=\"normal\"", 3.0),
        ("notifications_sent_total", ",lane=\"normal\"", 2.0),
        ("notifications_failed_total", ",class=\"recipient\"", 1.0),
        ("uploads_total", "", 1.0),
        ("upload_bytes_total", "", png(1).len() as f64),
        ("file_id_misses_total", "", 1.0),
        ("file_id_hits_total", "", 2.0),
        ("accept_to_sent_seconds_count", "", 2.0),
        ("queue_depth", ",lane=\"normal\"", 0.0),
        ("owned", "", 1.0),
    ];
    for (name, labels, value) in table {
        app.until(name, async || app.metric(name, labels).await == value).await;
    }
    let page = app.get("/metrics").await.text().await.unwrap();
    assert!(!page.contains("9000000403"), "no chat ids");
}

async fn what_waits_survives_a_graceful_restart(app: &mut TestApp) {
    app.fault(2, json!({"flood": {"retry_after": 3}}));
    let mut ids = Vec::new();
    for chat in 1..=10 {
        ids.push(app.accept(json!({"chat_id": chat % 3 + 1, "photo": base64_png(1)})).await);
    }
    app.restart().await;
    for id in &ids {
        app.sent(id).await;
    }
    assert_eq!(app.messages().len(), 10, "none lost, none twice");
}
