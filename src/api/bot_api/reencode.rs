//! Calls that were read before it was clear that they are passed through: written anew, as JSON, or as multipart if they
//! have files.

use super::arguments::{CallArguments, FilePart};
use super::error::BotApiError;
use super::proxying;
use crate::domain::{BotName, FileContent};
use crate::http::state::AppState;
use crate::intake::spool::Upload;
use crate::multipart::{EncodedForm, FormBody};
use crate::ports::{ByteStream, ProxyRequest, ProxyTarget};
use actix_web::HttpResponse;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use std::io::{self, Cursor};
use tokio::fs::File;
use tokio::io::{AsyncRead, AsyncReadExt};

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
    let mut form = FormBody::new();
    for (name, value) in &arguments.texts {
        form.add_text(name, value.as_str().unwrap_or_default());
    }
    for FilePart { name, filename, upload } in arguments.files {
        form.add_file(&name, &filename, upload.spooled().size, content(upload));
    }
    let EncodedForm { content_type, length, body } = form.finish();
    (content_type, length, body)
}

/// The bytes of a file, which is removed once they have been read.
fn content(upload: Upload) -> ByteStream {
    let pieces = stream::try_unfold((upload, None), |(upload, open)| async move {
        let mut file: Box<dyn AsyncRead + Send + Unpin> = match (open, upload.spooled().content) {
            (Some(file), _) => file,
            (None, FileContent::Memory(bytes)) => Box::new(Cursor::new(bytes)),
            (None, FileContent::File(path)) => Box::new(File::open(path).await?),
        };
        let mut piece = vec![0; READ_BUFFER_BYTES];
        let read = file.read(&mut piece).await?;
        piece.truncate(read);
        Ok::<_, io::Error>((read > 0).then(|| (Bytes::from(piece), (upload, Some(file)))))
    });
    pieces.boxed()
}
