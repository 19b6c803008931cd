//! A notification as a request: its parameters, and its images by file_id or by bytes.

use crate::delivery::context::CourierContext;
use crate::delivery::timeouts::upload_timeout;
use crate::domain::{ChatId, Media, MediaSource, Notification, Sha256};
use crate::ports::{ANSWER_TIMEOUT, FileIds, FileKey, MessengerRequest, OutgoingFile};
use serde_json::json;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// How a request carries its images.
#[derive(Debug, Default)]
pub(super) struct RequestImages {
    /// The file_ids of ours that stand for images whose bytes we hold.
    pub remembered: FileIds,
    /// The images that are uploaded and will have a file_id, each with the number of its message in the answer.
    pub uploaded: Vec<(FileKey, usize)>,
    /// Those of them whose file_id is not that of their bytes alone, under the key of their bytes: for who asks for any
    /// file_id of these.
    pub uploaded_by_bytes: Vec<(FileKey, usize)>,
    /// How many files are uploaded.
    pub files: u64,
    /// Their bytes together, if any are uploaded.
    pub bytes: Option<u64>,
}

/// Why there is no request.
pub(super) enum PrepareError {
    /// An image is no longer in the blob store.
    ImageGone,
    /// The blob store cannot be read now.
    StoreUnavailable(String),
}

/// Makes the request; `known` are the file_ids that there are for its images.
pub(super) async fn prepare(
    context: &CourierContext,
    notification: &Notification,
    known: FileIds,
) -> Result<(MessengerRequest, RequestImages), PrepareError> {
    let call = &notification.call;
    let mut request = MessengerRequest {
        bot: notification.bot.clone(),
        method: call.method.clone(),
        params: call.params.clone(),
        files: Vec::new(),
        timeout: ANSWER_TIMEOUT,
    };
    let chat_id = match &notification.chat_id {
        ChatId::Id(id) => json!(id),
        ChatId::Username(name) => json!(name),
    };
    request.params.insert("chat_id".to_owned(), chat_id);
    let images = RequestImages { remembered: known, ..RequestImages::default() };
    let mut preparation = Preparation { context, notification, request, images, parts: HashMap::new() };
    for media in &call.media {
        match &media.source {
            MediaSource::FileId(id) => media.place(&mut preparation.request.params, id),
            MediaSource::Url(url) => {
                preparation.allow_for_upload(0);
                media.place(&mut preparation.request.params, url);
            }
            MediaSource::Blob { sha256, size } => preparation.add_blob(media, sha256, *size).await?,
        }
    }
    if let Some(bytes) = preparation.images.bytes {
        preparation.allow_for_upload(bytes);
    }
    Ok((preparation.request, preparation.images))
}

/// A request in the making.
struct Preparation<'a> {
    context: &'a CourierContext,
    notification: &'a Notification,
    request: MessengerRequest,
    images: RequestImages,
    /// By which part of the request an image is uploaded.
    parts: HashMap<FileKey, String>,
}

impl Preparation<'_> {
    fn allow_for_upload(&mut self, bytes: u64) {
        self.request.timeout = self.request.timeout.max(upload_timeout(bytes));
    }

    /// Refers to an image by its file_id, or uploads it.
    async fn add_blob(&mut self, media: &Media, sha256: &Sha256, size: u64) -> Result<(), PrepareError> {
        let content = self.notification.call.identity(media, sha256);
        if let Some(telegram) = self.context.bot.telegram().filter(|_| media.kind.is_reusable()) {
            let key = FileKey { bot_id: telegram.id, kind: media.kind, sha256: content };
            if let Some(file_id) = self.images.remembered.get(&key) {
                media.place(&mut self.request.params, file_id);
                return Ok(());
            }
            match self.parts.entry(key) {
                // The same picture twice in one album is uploaded once.
                Entry::Occupied(part) => {
                    media.place(&mut self.request.params, part.get());
                    return Ok(());
                }
                Entry::Vacant(part) => part.insert(media.reference()),
            };
            let message = self.notification.call.message_of(media);
            self.images.uploaded.push((key, message));
            if content != *sha256 {
                self.images.uploaded_by_bytes.push((FileKey { sha256: *sha256, ..key }, message));
            }
        }
        let file = open_file(self.context, media, sha256).await?;
        self.request.files.push(file);
        self.images.files += 1;
        self.images.bytes = Some(self.images.bytes.unwrap_or(0) + size);
        Ok(())
    }
}

async fn open_file(context: &CourierContext, media: &Media, sha256: &Sha256) -> Result<OutgoingFile, PrepareError> {
    match context.ports.blobs.open(sha256).await {
        Ok(Some((size, content))) => {
            Ok(OutgoingFile { field: media.field.clone(), filename: media.filename.clone(), size, content })
        }
        Ok(None) => Err(PrepareError::ImageGone),
        Err(error) => Err(PrepareError::StoreUnavailable(error.to_string())),
    }
}
