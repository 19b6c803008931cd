use super::*;
use crate::domain::Address;
use crate::ports::OutgoingFile;
use crate::settings::{self, Gateway, RateLimits};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::stream;
use serde_json::json;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

fn whatsmate(url: String) -> WhatsMateMessenger {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let group = Address::Group { name: "Night shift".parse().unwrap(), admin: "491701234567".parse().unwrap() };
    let account = settings::WhatsMateAccount {
        url,
        client_id: "a@example.org".into(),
        client_secret: "hunter2-hunter2".into(),
        instance: 17,
        groups: [(ChatId::Username("@nights".to_owned()), group)].into(),
    };
    let name = BotName::default_bot();
    let bot = Bot { name: name.clone(), gateway: Gateway::WhatsMate(account), limits: RateLimits::default() };
    WhatsMateMessenger::new([(name, Arc::new(bot))].into()).unwrap()
}

fn request(method: &str, params: Value, file: Option<(&str, usize)>) -> MessengerRequest {
    let content = |size| Box::pin(stream::iter([Ok(Bytes::from(vec![0; size - 1])), Ok(Bytes::from_static(b"x"))]));
    let file = file.map(|(name, size)| OutgoingFile {
        field: "file".into(),
        filename: name.into(),
        size: size as u64,
        content: content(size),
    });
    MessengerRequest {
        bot: BotName::default_bot(),
        method: method.into(),
        params: params.as_object().unwrap().clone(),
        files: file.into_iter().collect(),
        timeout: Duration::from_secs(5),
    }
}

/// Sends a request to a gateway that takes everything; the head and the body of what it got.
async fn sent(request: MessengerRequest) -> (String, Value) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let whatsmate = whatsmate(format!("http://{}", listener.local_addr().unwrap()));
    let gateway = async {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut read = Vec::new();
        let end = loop {
            let mut piece = vec![0; 65_536];
            let n = socket.read(&mut piece).await.unwrap();
            assert!(n > 0, "the client went early");
            read.extend_from_slice(&piece[..n]);
            let text = String::from_utf8_lossy(&read);
            let Some(end) = text.find("\r\n\r\n") else { continue };
            let length = text.split("content-length: ").nth(1).expect("a length").split("\r\n").next().unwrap();
            if read.len() == end + 4 + length.parse::<usize>().unwrap() {
                break end;
            }
        };
        let ok = "HTTP/1.1 200 OK\r\ncontent-length: 30\r\n\r\n{\"status\":\"queued\",\"id\":\"0-1\"}";
        socket.write_all(ok.as_bytes()).await.unwrap();
        (String::from_utf8(read[..end].to_vec()).unwrap(), serde_json::from_slice(&read[end + 4..]).unwrap())
    };
    let (answer, sent) = tokio::join!(whatsmate.call(request), gateway);
    assert!(answer.unwrap().reply.unwrap().ok);
    sent
}

#[tokio::test]
async fn a_photo_goes_to_the_image_path_as_base64_with_a_length() {
    let (head, body) = sent(request(
        "sendPhoto",
        json!({"chat_id": 15_551_234_567_i64, "caption": "a \"b\""}),
        Some(("p.png", 100_001)),
    ))
    .await;
    assert!(head.starts_with("POST /v3/telegram/single/image/message/17 HTTP/1.1\r\n"), "{head}");
    for header in
        ["x-wm-client-id: a@example.org", "x-wm-client-secret: hunter2-hunter2", "content-type: application/json"]
    {
        assert!(head.contains(header), "{head}");
    }
    let image = STANDARD.decode(body["image"].as_str().unwrap()).unwrap();
    assert_eq!((image.len(), image.last()), (100_001, Some(&b'x')));
    assert_eq!(
        (&body["number"], &body["caption"], body.get("filename")),
        (&json!("15551234567"), &json!("a \"b\""), None)
    );
}

#[tokio::test]
async fn every_kind_goes_to_its_path_and_groups_by_their_name_and_admin() {
    let (head, body) = sent(request("sendMessage", json!({"chat_id": "@nights", "text": "ü"}), None)).await;
    assert!(head.contains("/v3/telegram/group/text/message/17"), "{head}");
    assert_eq!(body, json!({"group_name": "Night shift", "group_admin": "491701234567", "message": "ü"}));
    for (method, path, field) in [
        ("sendDocument", "document", "document"),
        ("sendAudio", "audio", "audio"),
        ("sendVoice", "voice_note", "voice_note"),
    ] {
        let long = format!("{}/\"{}.pdf", "a".repeat(70), "b".repeat(70));
        let (head, body) = sent(request(method, json!({"chat_id": 15_551_234_567_i64}), Some((&long, 2)))).await;
        assert!(head.contains(&format!("/v3/telegram/single/{path}/message/17")), "{head}");
        let name = body["filename"].as_str().unwrap();
        assert!(name.len() == 80 && name.ends_with("bbb.pdf") && !name.contains(['/', '"']), "{name}");
        assert_eq!(body[field], "AHg=");
    }
}

#[tokio::test]
async fn what_it_would_not_take_is_refused_without_asking() {
    let whatsmate = whatsmate("http://127.0.0.1:1".to_owned());
    let chat = 15_551_234_567_i64;
    for (request, code, words) in [
        (request("sendPhoto", json!({"chat_id": chat, "photo": "https://x.y/z.png"}), None), 400, "by its bytes"),
        (request("sendPhoto", json!({"chat_id": chat}), Some(("p.png", 4_500_001))), 400, "6 MB"),
        (request("sendPhoto", json!({"chat_id": -7}), Some(("p.png", 5))), RECIPIENT_ERROR_CODE, "phone number"),
        (request("sendMessage", json!({"chat_id": "@days", "text": "x"}), None), RECIPIENT_ERROR_CODE, "group"),
        (request("sendMessage", json!({"chat_id": chat, "text": "x".repeat(901)}), None), 400, "900"),
        (request("sendMessage", json!({"chat_id": chat}), None), 400, "a text"),
        (request("deleteMessage", json!({"chat_id": chat, "message_id": 1}), None), 400, "deleteMessage"),
    ] {
        let reply = whatsmate.call(request).await.unwrap().reply.unwrap();
        assert_eq!(reply.error_code, Some(code), "{words}");
        assert!(reply.description.unwrap().contains(words), "{words}");
    }
}

#[tokio::test]
async fn a_gateway_that_is_not_there_was_not_reached_and_no_error_holds_the_secret() {
    let whatsmate = whatsmate("http://127.0.0.1:1".to_owned());
    let error = whatsmate.call(request("sendMessage", json!({"chat_id": 15_551_234_567_i64, "text": "x"}), None)).await;
    let Err(CallError::NotSent(words)) = error else { panic!("{error:?}") };
    assert!(!words.contains("hunter2"), "{words}");
}
