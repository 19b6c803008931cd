//! What the OpenAPI document shows beside the schemas: requests that can be sent as they are, and which request comes after
//! which (links).

use serde_json::{Value, json};
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::link::Link;
use utoipa::openapi::path::Operation;
use utoipa::openapi::{OpenApi, RefOr};

/// A green square, as PNG in base64.
const PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAABAAAAAQCAIAAACQkWg2AAAAFklEQVR42mPQWO5KEmIY1TCqYfhqAACeyhQQNtFlVAAAAABJRU5ErkJggg==";
const JSON: &str = "application/json";
const FORM: &str = "multipart/form-data";

/// Adds the examples, the links and the server to a document.
pub(super) fn add_to(api: &mut OpenApi) {
    api.servers = Some(vec![utoipa::openapi::ServerBuilder::new().url("/").description(Some("This service")).build()]);
    for path in api.paths.paths.values_mut() {
        for operation in [&mut path.get, &mut path.put, &mut path.post, &mut path.delete].into_iter().flatten() {
            add_examples(operation);
            add_links(operation);
        }
    }
}

/// The examples of an operation's request, by the type of its body.
fn examples(operation_id: &str) -> Vec<(&'static str, &'static str, Value)> {
    let photo = || json!({"base64": PNG});
    match operation_id {
        "create_notification" => vec![
            (JSON, "A photo", json!({"chat_id": 42, "photo": photo(), "caption": "Build 512 is green"})),
            (JSON, "A text", json!({"chat_id": 42, "text": "Build 512 is <b>green</b>", "parse_mode": "HTML"})),
            (
                JSON,
                "An album",
                json!({"chat_id": 42, "album": [
                    {"type": "photo", "media": photo(), "caption": "Before and after"},
                    {"type": "photo", "media": photo()},
                ]}),
            ),
            (
                FORM,
                "A text; choose a file as photo in its place",
                json!({"chat_id": "42", "text": "Build 512 is green"}),
            ),
        ],
        "edit_message" => vec![
            (JSON, "Another caption", json!({"caption": "Build 512 was green"})),
            (FORM, "Another caption", json!({"caption": "Build 512 was green"})),
        ],
        "cancel_notifications" => vec![(JSON, "By tag", json!({"tag": "newsletter-48", "dry_run": true}))],
        "retry_notifications" => {
            vec![(JSON, "What failed last night", json!({"status": ["failed"], "since": "2026-11-29T22:00:00Z"}))]
        }
        "pause_bot" | "pause_chat" => {
            vec![(JSON, "With a reason", json!({"reason": "the channel is being cleaned up"}))]
        }
        "delete_message" => vec![(JSON, "All of it", json!({}))],
        "put_image" => vec![(JSON, "In base64", json!({"photo": photo()}))],
        "put_recipients" => vec![(JSON, "Somebody", json!({"number": "491701234567", "chat_id": 42, "name": "Ada"}))],
        _ => Vec::new(),
    }
}

fn add_examples(operation: &mut Operation) {
    let examples = examples(operation.operation_id.as_deref().unwrap_or_default());
    let Some(RefOr::T(body)) = &mut operation.request_body else { return };
    for (media_type, summary, value) in examples {
        let Some(RefOr::T(content)) = body.content.get_mut(media_type) else { continue };
        let name = summary.split([';', ',']).next().unwrap_or(summary).to_lowercase().replace(' ', "_");
        let example = ExampleBuilder::new().summary(summary).value(Some(value)).build();
        content.examples.insert(name, RefOr::T(example));
    }
    // Bytes as they are have no schema in OpenAPI 3.1.
    for media_type in ["application/octet-stream", "image/*"] {
        if let Some(RefOr::T(content)) = body.content.get_mut(media_type) {
            content.schema = None;
        }
    }
}

/// Whoever gets an id may ask for it, cancel it, try it again, and change or delete what was sent.
fn add_links(operation: &mut Operation) {
    let Some(RefOr::T(accepted)) = operation.responses.responses.get_mut("202") else { return };
    if matches!(operation.operation_id.as_deref(), Some("cancel_notifications" | "retry_notifications")) {
        let link = Link::builder().operation_id("get_operation").parameter("id", "$response.body#/id").build();
        accepted.links.insert("get_operation".to_owned(), RefOr::T(link));
        return;
    }
    for id in ["get_notification", "cancel_notification", "retry_notification", "edit_message", "delete_message"] {
        let link = Link::builder().operation_id(id).parameter("id", "$response.body#/id").build();
        accepted.links.insert(id.to_owned(), RefOr::T(link));
    }
}
