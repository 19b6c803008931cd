//! What the sandbox tells about itself, and its page.

use super::{ANNE, BERT, free, picture};
use serde_json::{Value, json};

#[tokio::test]
async fn what_was_accepted_can_be_asked_for() {
    let api = free();
    for chat in [5, 6, 5] {
        api.send_photo(ANNE, chat, picture(chat as u8)).await;
    }
    api.call(BERT, "sendMessage", json!({"chat_id": 5, "text": "<script>"})).await;
    let all = api.control("/sandbox/messages").await["messages"].clone();
    assert_eq!(all.as_array().unwrap().len(), 4);
    assert_eq!(all[0]["media"]["how"], "upload");
    assert_eq!(all[0]["media"]["bytes"], 2000);
    assert!(all[0]["at_ms"].as_u64().unwrap() <= all[3]["at_ms"].as_u64().unwrap());
    let count = |messages: Value| messages["messages"].as_array().unwrap().len();
    assert_eq!(count(api.control("/sandbox/messages?chat_id=5").await), 3);
    assert_eq!(count(api.control("/sandbox/messages?chat_id=5&bot=1002").await), 1);
    assert_eq!(count(api.control("/sandbox/messages?after=3").await), 1);
    assert_eq!(api.control("/sandbox/messages?limit=2").await["messages"][0]["seq"], 3, "the newest");
    assert_eq!(api.control("/sandbox/messages?limit=2&after=0").await["messages"][0]["seq"], 1);
    let digest = all[0]["media"]["sha256"].as_str().unwrap();
    let url = format!("{}/sandbox/pictures/{digest}", api.sandbox.url());
    let answer = api.http.get(url).send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "image/png");
    assert_eq!(answer.bytes().await.unwrap(), picture(5));
    assert_eq!(api.control("/sandbox/stats").await["sends"], 4);
    let reset = api.http.post(format!("{}/sandbox/reset", api.sandbox.url())).send().await.unwrap();
    assert_eq!(reset.status(), 204);
    assert_eq!(count(api.control("/sandbox/messages").await), 0);
    assert_eq!(api.sandbox.stats(), Default::default());
    assert_eq!(count(api.control("/sandbox/messages").await), 0);
}

#[tokio::test]
async fn long_lists_come_whole_and_in_order() {
    let api = free();
    for text in 0..1100 {
        api.call(ANNE, "sendMessage", json!({"chat_id": 5, "text": text})).await;
    }
    let all = api.control("/sandbox/messages").await;
    let texts: Vec<_> = all["messages"].as_array().unwrap().iter().map(|m| m["caption"].as_str().unwrap()).collect();
    assert_eq!(texts, (0..1100).map(|n| n.to_string()).collect::<Vec<_>>());
    assert_eq!(api.control("/sandbox/messages?limit=0").await, json!({"messages": []}));
}

#[tokio::test]
async fn the_page_brings_all_it_needs_and_hears_of_messages_as_they_arrive() {
    let api = free();
    let page = api.http.get(api.sandbox.url()).send().await.unwrap();
    let policy = page.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"));
    let html = String::from_utf8(page.bytes().await.unwrap().to_vec()).unwrap();
    assert!(!html.contains("://"), "nothing comes from elsewhere");
    for asset in ["/sandbox/page.css", "/sandbox/page.js", "/sandbox/icon.svg"] {
        assert!(html.contains(asset));
        let answer = api.http.get(format!("{}{asset}", api.sandbox.url())).send().await.unwrap();
        assert_eq!(answer.status(), 200);
    }
    let mut events = api.http.get(format!("{}/sandbox/events", api.sandbox.url())).send().await.unwrap();
    assert_eq!(events.headers()["content-type"], "text/event-stream");
    let mut heard = String::from_utf8(events.chunk().await.unwrap().unwrap().to_vec()).unwrap();
    api.call(ANNE, "sendMessage", json!({"chat_id": 5, "text": "as it arrives"})).await;
    while !heard.contains("as it arrives") {
        heard += std::str::from_utf8(&events.chunk().await.unwrap().unwrap()).unwrap();
    }
    assert!(heard.contains("event: message\ndata: {\"seq\":1,"));
}
