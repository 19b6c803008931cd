//! Images ahead of use, and files downloaded, on both engines.

use crate::support::test_app::{TestApp, png};
use pixcourier::domain::Sha256;
use pixcourier::sandbox::MediaOrigin;
use reqwest::multipart::{Form, Part};
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};

on_both_engines!(
    an_image_is_kept_however_it_comes,
    an_image_is_staged_once_and_then_sent_by_file_id,
    a_file_is_downloaded_whole_or_in_part,
);

impl TestApp {
    fn put(&self, query: &str) -> RequestBuilder {
        self.client.put(format!("{}/v1/images{query}", self.api))
    }
}

async fn ok(request: RequestBuilder) -> Value {
    let response = request.send().await.unwrap();
    let status = response.status();
    let answer: Value = response.json().await.unwrap();
    assert_eq!(status, 200, "{answer:#}");
    answer
}

async fn code(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    let problem: Value = response.json().await.unwrap();
    (status, problem["code"].as_str().unwrap_or_default().to_owned())
}

async fn an_image_is_kept_however_it_comes(app: &TestApp) {
    use base64::Engine as _;
    let image = png(1);
    let digest = Sha256::of(&image).to_string();
    let base64 = base64::engine::general_purpose::STANDARD.encode(&image);
    let form = Form::new().part("photo", Part::bytes(image.clone()).file_name("a"));
    for request in [
        app.put("").header("content-type", "image/png").body(image.clone()),
        app.put("").json(&json!({"photo": {"base64": base64}})),
        app.put("").multipart(form),
    ] {
        let kept = ok(request).await;
        assert_eq!(
            (&kept["sha256"], &kept["size"], &kept["format"]),
            (&json!(digest), &json!(image.len()), &json!("png"))
        );
        assert!(kept["width"].as_u64() > Some(0) && kept["file_id"].is_null());
    }
    let known = app.json(&format!("/v1/images/{digest}")).await;
    assert_eq!(known, json!({"sha256": digest, "size": image.len(), "file_ids": []}));
    let id = app.accept(json!({"chat_id": 42, "photo": {"sha256": digest}})).await;
    let file_id = app.sent(&id).await["file_id"].clone();
    let known = app.json(&format!("/v1/images/{digest}")).await;
    assert_eq!(known["file_ids"], json!([{"bot": "default", "kind": "photo", "file_id": file_id}]));

    let bad = |request: RequestBuilder| async { code(request.send().await.unwrap()).await };
    let typed = |kind: &str, body: &'static [u8]| app.put("").header("content-type", kind).body(body);
    assert_eq!(bad(typed("image/png", b"no image at all")).await, (400, "not_an_image".into()));
    assert_eq!(bad(typed("text/plain", b"x")).await, (415, "unsupported_media_type".into()));
    assert_eq!(bad(app.put("").json(&json!({}))).await, (400, "missing_field".into()));
    assert_eq!(bad(app.put("?bot=nobody").json(&json!({}))).await, (400, "unknown_bot".into()));
    assert_eq!(bad(app.put("?chat_id=bob").json(&json!({}))).await, (400, "invalid_chat_id".into()));
    assert_eq!(bad(app.put("?chat=1").json(&json!({}))).await, (400, "invalid_query".into()));
    let unknown = app.get(&format!("/v1/images/{}", Sha256::of(b"never seen"))).await;
    assert_eq!(code(unknown).await, (404, "image_not_found".into()));
}

async fn an_image_is_staged_once_and_then_sent_by_file_id(app: &TestApp) {
    let put = |query| app.put(query).header("content-type", "image/png").body(png(1));
    let staged = ok(put("?chat_id=77")).await;
    assert!(staged["file_id"].is_string() && staged["notification"].is_string(), "{staged:#}");
    app.until("deleted", async || app.messages().iter().any(|m| m.chat_id == 77 && m.deleted)).await;
    let again = ok(put("?chat_id=77")).await;
    assert_eq!((&again["file_id"], &again["notification"]), (&staged["file_id"], &Value::Null));
    let id = app.accept(json!({"chat_id": 42, "photo": {"sha256": Sha256::of(&png(1))}})).await;
    app.sent(&id).await;
    let message = app.messages().into_iter().find(|m| m.chat_id == 42).unwrap();
    assert_eq!(message.media.unwrap().how, MediaOrigin::FileId);
    assert_eq!(app.sandbox.stats().uploads, 1);
    let kept = app.put("?chat_id=78&keep_message=true").header("content-type", "image/png").body(png(2));
    ok(kept).await;
    assert!(app.messages().iter().any(|m| m.chat_id == 78 && !m.deleted && !m.options.is_empty()), "without a sound");
}

async fn a_file_is_downloaded_whole_or_in_part(app: &TestApp) {
    let bytes: Vec<u8> = (0..300_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    use base64::Engine as _;
    let base64 = base64::engine::general_purpose::STANDARD.encode(&bytes);
    let id = app.accept(json!({"chat_id": 42, "document": {"base64": base64, "filename": "a.bin"}})).await;
    let record = app.sent(&id).await;
    let path = format!("/v1/files/{}", record["file_id"].as_str().unwrap());
    let whole = app.get(&path).await;
    assert_eq!((whole.status().as_u16(), whole.content_length()), (200, Some(300_000)));
    assert_eq!(whole.bytes().await.unwrap(), bytes);
    let part = app.client.get(format!("{}{path}?bot=default", app.api)).header("range", "bytes=10-19");
    let part = part.send().await.unwrap();
    assert_eq!(part.status(), 206);
    assert_eq!(part.headers()["content-range"], "bytes 10-19/300000");
    assert_eq!(part.bytes().await.unwrap(), &bytes[10..20]);
    assert_eq!(code(app.get("/v1/files/AgACunknown").await).await, (400, "invalid_file".into()));
    assert_eq!(code(app.get(&format!("{path}?bot=nobody")).await).await, (400, "unknown_bot".into()));
}
