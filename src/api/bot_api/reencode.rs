//! Calls that were read before it was clear that they are passed through: written anew, as JSON, or as multipart if they
//! have files.

use super::arguments::{CallArguments, FilePart};
use super::error::BotApiError;
use super::proxying;
use crate::domain::BotName;
use crate::http::state::AppState;
use crate::intake::spool::Upload;
use crate::ports::{ByteStream, ProxyRequest, ProxyTarget};
use actix_web::HttpResponse;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use std::io;
use tokio::fs::File;
use tokio::io::AsyncReadExt;

/// How many bytes of a file are read at a time.
const READ_BUFFER_BYTES: usize = 64 * 1024;

/// Passes a call on to the Bot API server.
pub async fn forward(
    state: &AppState,
    bot: BotName,
    method: String,
    arguments: CallArguments,
) -> Result<HttpResponse, BotApiError> {
    let (kind, length, body) = match arguments.files.is_empty() {
        true => json(arguments),
        false => multipart(arguments),
    };
    let headers = vec![("content-type", kind.into_bytes()), ("content-length", length.to_string().into_bytes())];
    let (target, query) = (ProxyTarget::Method(method), String::new());
    proxying::send(state, ProxyRequest { bot, target, method: "POST", query, headers, body: Some(body) }).await
}

fn json(arguments: CallArguments) -> (String, u64, ByteStream) {
    let body = serde_json::to_vec(&arguments.texts).unwrap_or_default();
    let length = body.len() as u64;
    ("application/json".to_owned(), length, stream::once(async move { Ok(body.into()) }).boxed())
}

fn multipart(arguments: CallArguments) -> (String, u64, ByteStream) {
    let boundary = uuid::Uuid::now_v7().simple().to_string();
    let mut length = 0;
    let mut body: Vec<ByteStream> = Vec::new();
    let mut text = |body: &mut Vec<ByteStream>, text: String| {
        length += text.len() as u64;
        body.push(stream::once(async move { Ok(text.into()) }).boxed());
    };
    let head = |name: &str| format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"", encoded(name));
    for (name, value) in &arguments.texts {
        text(&mut body, format!("{}\r\n\r\n{}\r\n", head(name), value.as_str().unwrap_or_default()));
    }
    let mut sizes = 0;
    for FilePart { name, filename, upload } in arguments.files {
        text(&mut body, format!("{}; filename=\"{}\"\r\n\r\n", head(&name), encoded(&filename)));
        sizes += upload.spooled().size;
        body.push(content(upload));
        text(&mut body, "\r\n".to_owned());
    }
    text(&mut body, format!("--{boundary}--\r\n"));
    (format!("multipart/form-data; boundary={boundary}"), length + sizes, stream::iter(body).flatten().boxed())
}

/// The bytes of a file, which is removed once they have been read.
fn content(upload: Upload) -> ByteStream {
    let pieces = stream::try_unfold((upload, None), |(upload, open)| async move {
        let mut file = match open {
            Some(file) => file,
            None => File::open(upload.spooled().path).await?,
        };
        let mut piece = vec![0; READ_BUFFER_BYTES];
        let read = file.read(&mut piece).await?;
        piece.truncate(read);
        Ok::<_, io::Error>((read > 0).then(|| (Bytes::from(piece), (upload, Some(file)))))
    });
    pieces.boxed()
}

/// A name for between quotation marks; the Bot API server decodes the percent-encoding.
fn encoded(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '"' | '%' | '\\' | '\0'..='\x1f' => text.push_str(&format!("%{:02X}", u32::from(c))),
            c => text.push(c),
        }
    }
    text
}
