//! Faults on demand.

use super::{ANNE, BERT, description, free};
use pixcourier::sandbox::{FaultMatch, FaultRule, InjectedFault};
use serde_json::json;
use std::time::{Duration, Instant};

#[tokio::test]
async fn faults_answer_instead_of_the_sandbox() {
    let api = free();
    let text = json!({"chat_id": -5, "text": "x"});
    let send = || api.call(ANNE, "sendMessage", text.clone());
    let matching = json!({"method": "sendMessage"});
    for (fault, code, says) in [
        (json!("blocked"), 403, "Forbidden: bot was blocked by the user"),
        (json!("unauthorized"), 401, "Unauthorized"),
        (
            json!({"status": {"code": 500, "description": "Internal Server Error: restart"}}),
            500,
            "Internal Server Error: restart",
        ),
        (json!({"flood": {"retry_after": 0, "as_400": true}}), 400, "Bad Request: too Many Requests: retry after 0"),
    ] {
        assert_eq!(api.queue(json!({"match": matching, "fault": fault})).await, 200);
        let (status, error) = send().await;
        assert_eq!((status.as_u16(), description(&error)), (code, says));
    }
    assert_eq!(send().await.0, 200, "each fired once");

    api.queue(json!({"fault": {"migrated": {"to": -1_001_000_000_005_i64}}})).await;
    for _ in 0..2 {
        let (status, migrated) = send().await;
        assert_eq!(status, 400);
        assert_eq!(migrated["parameters"]["migrate_to_chat_id"], -1_001_000_000_005_i64, "the old id stays refused");
    }
    let (status, _) = api.call(ANNE, "sendMessage", json!({"chat_id": -1_001_000_000_005_i64, "text": "x"})).await;
    assert_eq!(status, 200);

    api.queue(json!([{"match": {"chat_id": 6}, "fault": {"flood": {"retry_after": 1, "delay_ms": 300}}}])).await;
    let started = Instant::now();
    let flooded = || api.call(ANNE, "sendMessage", json!({"chat_id": 6, "text": "x"}));
    assert_eq!(flooded().await.1["parameters"]["retry_after"], 1);
    assert!(started.elapsed() >= Duration::from_millis(300));
    assert_eq!(flooded().await.0, 429, "the chat has to wait");
    assert_eq!(api.sandbox.stats().violations, 1);
    // As long as it was told, and a little.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(flooded().await.0, 200);

    let rule = FaultRule {
        matching: FaultMatch { times: 0, bot: Some(1002), ..FaultMatch::default() },
        fault: InjectedFault::NotJson,
    };
    api.sandbox.add_fault(rule).unwrap();
    let html = api.post(BERT, "getMe").send().await.unwrap();
    assert_eq!((html.status().as_u16(), html.headers()["content-type"].to_str().unwrap()), (502, "text/html"));
    assert_eq!(api.call(ANNE, "getMe", json!({})).await.0, 200);
    api.sandbox.clear_faults();
    assert_eq!(api.call(BERT, "getMe", json!({})).await.0, 200);
    assert_eq!(api.queue(json!({"fault": "no_such"})).await, 400);
    assert_eq!(api.queue(json!({"match": {"chat_id": 5}, "fault": "reset_before"})).await, 400);
}

#[tokio::test]
async fn faults_cut_connections_where_they_say() {
    let api = free();
    let request = format!(
        "POST /bot{ANNE}/sendMessage HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 26\r\n\r\n{}",
        r#"{"chat_id":5,"text":"abc"}"#
    );
    let rule = |fault| api.sandbox.add_fault(FaultRule::next("sendMessage", fault)).unwrap();
    let sent = || api.sandbox.stats().sends;

    rule(InjectedFault::LostAfter);
    assert_eq!(api.raw(&request), "", "not a byte of an answer");
    assert_eq!(sent(), 1, "but the message is there");

    rule(InjectedFault::ResetBefore);
    let head = request.split(r#"{"chat"#).next().unwrap();
    assert_eq!(api.raw(head), "", "nobody waits for the body");
    assert_eq!(sent(), 1);

    rule(InjectedFault::CutJson);
    let half = api.raw(&request);
    let (head, body) = half.split_once("\r\n\r\n").unwrap();
    let length: usize = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
    assert!(head.starts_with("HTTP/1.1 200 ") && body.starts_with("{\"ok\":true,"));
    assert_eq!(body.len(), length / 2);
    assert_eq!(sent(), 2);

    rule(InjectedFault::Empty413);
    let empty = api.raw(&request);
    assert!(empty.starts_with("HTTP/1.1 413 ") && empty.ends_with("\r\n\r\n"), "{empty}");
    assert_eq!(sent(), 2);

    rule(InjectedFault::Slow { ms: 400 });
    let started = Instant::now();
    assert_eq!(api.call(ANNE, "sendMessage", json!({"chat_id": 5, "text": "x"})).await.0, 200);
    assert!(started.elapsed() >= Duration::from_millis(400));
    assert_eq!((sent(), api.sandbox.stats().faults), (3, 5));
}
