//! A token that Telegram refuses is replaced while the service runs.

use crate::support::test_app::{NO_LIMITS, On, TOKEN, TestApp, add_bot, lenient};
use pixcourier::app::Role;
use serde_json::json;
use std::time::{Duration, Instant};

on_both_engines!(On: a_revoked_token_is_replaced_without_a_restart);

async fn a_revoked_token_is_replaced_without_a_restart(on: On) {
    const REVOKED: &str = "123456:REVOKED-REVOKED-REVOKED-REVOKED-REV";
    let app = TestApp::tuned(on, Role::All, NO_LIMITS, lenient(), |settings| {
        let url = settings.bots.values().next().unwrap().telegram().unwrap().api_url.clone();
        add_bot(settings, "default", REVOKED, &url, NO_LIMITS);
    })
    .await;
    let mut ids = vec![app.accept(json!({"chat_id": 1, "text": "held"})).await];
    app.until("held", async || app.metric("held", "").await == 1.0).await;
    // Probed after 1, 2 and 4 s, so the next probe is 8 s away.
    app.until("probes", async || app.metric("attempts_total", ",outcome=\"configuration\"").await >= 4.0).await;
    for chat in 2..6 {
        ids.push(app.accept(json!({"chat_id": chat, "text": "behind it"})).await);
    }
    assert!(app.messages().is_empty());
    let mut settings = app.settings.clone();
    let url = app.sandbox.url();
    add_bot(&mut settings, "default", TOKEN, &url, NO_LIMITS);
    let began = Instant::now();
    app.reload(&settings).unwrap();
    for id in &ids {
        app.sent(id).await;
    }
    assert!(began.elapsed() < Duration::from_secs(4), "not at once: {:?}", began.elapsed());
    let answer = app.get(&format!("/bot{TOKEN}/getMe")).await;
    assert_eq!(answer.status(), 200, "what is passed through has the new token too");
    assert_eq!(app.get(&format!("/bot{REVOKED}/getMe")).await.status(), 401);
    settings.bots.clear();
    app.reload(&settings).unwrap();
    assert_eq!(app.get(&format!("/bot{TOKEN}/getMe")).await.status(), 401, "what is configured no more opens nothing");
    app.stop().await;
}
