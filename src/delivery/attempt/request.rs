//! A notification as a request: its parameters, and its images by file_id or by bytes.

use super::Desk;
use crate::delivery::retry;
use crate::domain::{ChatId, Media, MediaSource, Notification, Sha256};
use crate::ports::{FileIds, FileKey, MessengerRequest, OutgoingFile};
use serde_json::json;
use std::collections::HashMap;

/// How a request carries its images.
#[derive(Debug, Default)]
pub(super) struct Used {
    /// The file_ids of ours that stand for images whose bytes we hold.
    pub remembered: FileIds,
    /// The images whose bytes travel and will have a file_id, each with the number of its message in the answer.
    pub uploaded: Vec<(FileKey, usize)>,
    /// Those of them whose file_id is not that of their bytes alone, by their bytes: for who asks for any file_id of these.
    pub by_content: Vec<(FileKey, usize)>,
    /// How many files travel.
    pub files: u64,
    /// Their bytes together, if any travel.
    pub bytes: Option<u64>,
}

pub(super) enum Unprepared {
    Gone,
    Away(String),
}

/// Makes the request; `known` are the file_ids that the courier has for its images.
pub(super) async fn prepare(
    desk: &Desk,
    notification: &Notification,
    known: FileIds,
) -> Result<(MessengerRequest, Used), Unprepared> {
    let call = &notification.call;
    let mut request = MessengerRequest {
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
    let mut used = Used { remembered: known, ..Used::default() };
    let mut travelling = HashMap::new();
    for media in &call.media {
        match &media.source {
            MediaSource::FileId(id) => media.place(&mut request.params, id),
            MediaSource::Url(url) => {
                request.timeout = request.timeout.max(retry::upload_timeout(0));
                media.place(&mut request.params, url);
            }
            MediaSource::Blob { sha256, size } => {
                let content = call.identity(media, sha256);
                if let Some(telegram) = desk.bot.telegram().filter(|_| media.kind.is_reusable()) {
                    let key = FileKey { bot_id: telegram.id, kind: media.kind, sha256: content };
                    if !used.remembered.contains_key(&key) {
                        // Without the index an upload is merely repeated.
                        let found = desk.media.file_id(&key).await.unwrap_or_default();
                        used.remembered.extend(found.map(|id| (key, id)));
                    }
                    if let Some(file_id) = used.remembered.get(&key) {
                        media.place(&mut request.params, file_id);
                        continue;
                    }
                    // The same picture twice in one album travels once.
                    if let Some(part) = travelling.insert(key, media.reference()) {
                        media.place(&mut request.params, &part);
                        travelling.insert(key, part);
                        continue;
                    }
                    used.uploaded.push((key, call.message_of(media)));
                    if content != *sha256 {
                        used.by_content.push((FileKey { sha256: *sha256, ..key }, call.message_of(media)));
                    }
                }
                request.files.push(file(desk, media, sha256).await?);
                used.files += 1;
                used.bytes = Some(used.bytes.unwrap_or(0) + size);
            }
        }
    }
    if let Some(bytes) = used.bytes {
        request.timeout = request.timeout.max(retry::upload_timeout(bytes));
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
