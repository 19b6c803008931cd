//! A notification as a request: its parameters, and its image by file_id or by bytes.

use super::Desk;
use crate::delivery::retry;
use crate::domain::{ChatId, Media, MediaSource, Notification, Sha256};
use crate::ports::{FileKey, OutgoingFile, Request};
use serde_json::json;

/// How a request carries its image.
#[derive(Debug, Default)]
pub(super) struct Used {
    /// The key of the image, if we hold its bytes.
    pub key: Option<FileKey>,
    /// The file_id of ours that stands for it.
    pub remembered: Option<String>,
    /// The bytes that travel.
    pub upload: Option<u64>,
}

pub(super) enum Unprepared {
    Gone,
    Away(String),
}

/// Makes the request; `known` is a file_id that the courier has for the image.
pub(super) async fn prepare(
    desk: &Desk,
    notification: &Notification,
    known: Option<String>,
) -> Result<(Request, Used), Unprepared> {
    let call = &notification.call;
    let mut request = Request {
        bot: notification.bot.clone(),
        method: call.method.clone(),
        params: call.params.clone(),
        files: Vec::new(),
        timeout: retry::ANSWER_TIMEOUT,
    };
    let chat_id = match &notification.chat_id {
        ChatId::Id(id) => json!(id),
        ChatId::Username(name) => json!(name),
    };
    request.params.insert("chat_id".to_owned(), chat_id);
    let mut used = Used::default();
    for media in &call.media {
        match &media.source {
            MediaSource::FileId(id) => drop(request.params.insert(media.field.clone(), json!(id))),
            MediaSource::Url(url) => {
                request.timeout = request.timeout.max(retry::upload_timeout(0));
                request.params.insert(media.field.clone(), json!(url));
            }
            MediaSource::Blob { sha256, size } => {
                let key = FileKey { bot_id: desk.bot.id, kind: media.kind, sha256: *sha256 };
                used.key = Some(key);
                let found = match &known {
                    Some(known) => Some(known.clone()),
                    // Without the index an upload is merely repeated.
                    None => desk.media.file_id(&key).await.unwrap_or_default(),
                };
                if let Some(file_id) = found {
                    request.params.insert(media.field.clone(), json!(file_id));
                    used.remembered = Some(file_id);
                    continue;
                }
                request.files.push(file(desk, media, sha256).await?);
                request.timeout = request.timeout.max(retry::upload_timeout(*size));
                used.upload = Some(*size);
            }
        }
    }
    Ok((request, used))
}

async fn file(desk: &Desk, media: &Media, sha256: &Sha256) -> Result<OutgoingFile, Unprepared> {
    match desk.blobs.open(sha256).await {
        Ok(Some((size, content))) => {
            Ok(OutgoingFile { field: media.field.clone(), filename: media.filename.clone(), size, content })
        }
        Ok(None) => Err(Unprepared::Gone),
        Err(error) => Err(Unprepared::Away(error.to_string())),
    }
}
