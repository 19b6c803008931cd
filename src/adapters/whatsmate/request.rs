//! A request to the gateway: its URL and credentials, its JSON fields, and the file as base64 in a streaming upload.
//! The only place where the account's credentials leave their `SecretString`.

use super::base64_stream::base64_stream;
use crate::adapters::upload_tracker::UploadTracker;
use crate::domain::Address;
use crate::domain::whatsmate::{self, FILENAME_LIMIT, WhatsMateKind};
use crate::ports::OutgoingFile;
use crate::settings::WhatsMateAccount;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE};
use reqwest::{Body, Client, RequestBuilder};
use secrecy::ExposeSecret;
use serde_json::{Map, Value};
use std::io;

/// The longest ending of a filename, dot included, that counts as its extension and is kept when the name is cut.
const MAX_EXTENSION_CHARS: usize = 16;
/// What follows the file in the JSON body.
const AFTER_FILE: &[u8] = b"\"}";

/// Begins a request to the account's instance, with its credentials in the headers.
pub fn begin(client: &Client, account: &WhatsMateAccount, address: &Address, kind: WhatsMateKind) -> RequestBuilder {
    let recipient = match address {
        Address::Number(_) => "single",
        Address::Group { .. } => "group",
    };
    let (base, instance) = (&account.url, account.instance);
    client
        .post(format!("{base}/v3/telegram/{recipient}/{}/message/{instance}", kind.as_str()))
        .header("X-WM-CLIENT-ID", account.client_id.expose_secret())
        .header("X-WM-CLIENT-SECRET", account.client_secret.expose_secret())
        .header(CONTENT_TYPE, "application/json")
}

/// The fields of the body, the file aside: who it is for, and the text or caption, which is taken out of `params`.
pub fn fields(address: Address, kind: WhatsMateKind, params: &mut Map<String, Value>) -> Map<String, Value> {
    let recipient = match address {
        Address::Number(number) => vec![("number", String::from(number))],
        Address::Group { name, admin } => {
            vec![("group_name", name.as_str().to_owned()), ("group_admin", String::from(admin))]
        }
    };
    let mut fields: Map<_, _> = recipient.into_iter().map(|(name, text)| (name.to_owned(), text.into())).collect();
    let (theirs, ours) = if kind == WhatsMateKind::Text { ("message", "text") } else { ("caption", "caption") };
    if let Some(text) = params.remove(ours) {
        fields.insert(theirs.to_owned(), text);
    }
    fields
}

/// The request with the fields and a file. The file comes last, so that what stands around it is known, and with it the
/// length of the whole.
pub fn with_file(
    call: RequestBuilder,
    mut fields: Map<String, Value>,
    kind: WhatsMateKind,
    file: OutgoingFile,
    uploads: &UploadTracker,
) -> RequestBuilder {
    if kind.has_filename() {
        fields.insert("filename".to_owned(), filename(&file.filename).into());
    }
    let mut head = Value::Object(fields).to_string();
    head.pop();
    head.push_str(&format!(",\"{}\":\"", kind.as_str()));
    let length = head.len() as u64 + whatsmate::encoded_size(file.size) + AFTER_FILE.len() as u64;
    let body = stream::iter([Ok::<_, io::Error>(Bytes::from(head))])
        .chain(base64_stream(uploads.track(file)))
        .chain(stream::iter([Ok(Bytes::from_static(AFTER_FILE))]));
    call.header(CONTENT_LENGTH, length).body(Body::wrap_stream(body))
}

/// A filename that it takes: without special characters, and cut so that the extension stays.
fn filename(given: &str) -> String {
    let name = whatsmate::filename(given).unwrap_or_else(|| "file".to_owned());
    let surplus = name.chars().count().saturating_sub(FILENAME_LIMIT);
    let (stem, extension) = match name.rfind('.') {
        Some(dot) if name[dot..].chars().count() <= MAX_EXTENSION_CHARS => name.split_at(dot),
        _ => (name.as_str(), ""),
    };
    let kept = stem.chars().count().saturating_sub(surplus);
    stem.chars().take(kept).chain(extension.chars()).collect()
}
