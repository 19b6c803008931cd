//! The counter: what comes in is checked, its image stored under its digest, and handed to the engine.
//!
//! A face (the native HTTP API in [`http`], others later) reads a request into [`Fields`] and perhaps an [`Upload`],
//! makes a [`Draft`] of them, and calls [`Intake::accept`]. Nothing outside [`http`] knows HTTP.
//!
//! Order of effects: the image is durable before the notification that names it; a crash in between leaves an image
//! without a notification, which is swept after its retention, never the reverse.

mod base64;
mod draft;
mod fields;
pub mod http;
mod image;
mod json_stream;
mod photo;
pub mod recipient;
mod refusal;
mod spool;

pub use draft::Draft;
pub use fields::{Fields, Members};
pub use json_stream::Splitter;
pub use photo::Photo;
pub use refusal::{Code, Refusal};
pub use spool::{Spool, Upload, Writer};

use crate::domain::{
    BotName, Call, ImageFormat, Media, MediaKind, MediaSource, Notification, NotificationId, Record, Sha256,
};
use crate::ports::{Accepted, Acceptor, Blobs, Idempotency, Submission};
use crate::settings::Settings;
use crate::telemetry::Metrics;
use futures_util::StreamExt;
use serde_json::Value;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// How many images are handed to the blob store at a time; the others wait on disk, not in memory.
const PUTS: usize = 4;

/// The counter's clerk.
pub struct Intake {
    spool: Spool,
    blobs: Arc<dyn Blobs>,
    acceptor: Arc<dyn Acceptor>,
    metrics: Arc<Metrics>,
    settings: Arc<Settings>,
    puts: Semaphore,
}

/// What the caller is told about an accepted notification.
#[derive(Debug)]
pub struct Receipt {
    /// What the engine answered.
    pub accepted: Accepted,
    /// The bot.
    pub bot: BotName,
    /// Digest and size of the image, if its bytes are with us; of a repetition only if they came along or are still held.
    pub image: Option<(Sha256, u64)>,
}

impl Intake {
    /// A clerk over the engine's parts.
    pub fn new(
        spool: Spool,
        blobs: Arc<dyn Blobs>,
        acceptor: Arc<dyn Acceptor>,
        metrics: Arc<Metrics>,
        settings: Arc<Settings>,
    ) -> Self {
        Self { spool, blobs, acceptor, metrics, settings, puts: Semaphore::new(PUTS) }
    }

    /// Where uploads are written to while they arrive.
    pub fn spool(&self) -> &Spool {
        &self.spool
    }

    /// Whether a bot of this name is configured.
    pub fn has_bot(&self, name: &BotName) -> bool {
        self.settings.bots.contains_key(name)
    }

    /// Stores the image, then the notification. `key` is the caller's idempotency key, unique over all callers.
    /// When this returns, the notification is on stable storage, or it is refused.
    pub async fn accept(&self, draft: Draft, key: Option<String>) -> Result<Receipt, Refusal> {
        let idempotency = key.map(|key| Idempotency { key, fingerprint: fingerprint(&draft.canonical()) });
        if let Err(refusal) = draft.check_expiry() {
            return self.recall(draft, idempotency, refusal).await;
        }
        let (source, format) = match self.store(&draft.photo).await {
            Err(refusal) if refusal.code == Code::UnknownImage => {
                return self.recall(draft, idempotency, refusal).await;
            }
            stored => stored?,
        };
        let image = match &source {
            MediaSource::Blob { sha256, size } => Some((*sha256, *size)),
            _ => None,
        };
        let notification = Notification {
            v: Notification::VERSION,
            id: NotificationId::new(),
            accepted_at: draft.received_at,
            send_at: draft.due(),
            expires_at: draft.expiry(),
            bot: draft.bot,
            chat_id: draft.chat_id,
            lane: draft.lane,
            delivery: draft.delivery,
            call: Call {
                method: "sendPhoto".to_owned(),
                params: draft.params,
                media: vec![Media {
                    field: MediaKind::Photo.as_str().to_owned(),
                    kind: MediaKind::Photo,
                    source,
                    filename: format.filename().to_owned(),
                }],
            },
            tags: draft.tags,
            attempts: 0,
        };
        check_readable(&notification)?;
        let submission = Submission { notification, idempotency };
        let accepted = self.acceptor.accept(&submission).await?;
        let Notification { bot, lane, .. } = submission.notification;
        if !accepted.replayed {
            self.metrics.accepted.with_label_values(&[bot.as_str(), lane.as_str()]).inc();
        }
        Ok(Receipt { accepted, bot, image })
    }

    /// Answers a repetition as the first time, though the request itself would be refused by now.
    async fn recall(&self, draft: Draft, key: Option<Idempotency>, refusal: Refusal) -> Result<Receipt, Refusal> {
        let Some(key) = key else { return Err(refusal) };
        let accepted = self.acceptor.recall(&key).await?.ok_or(refusal)?;
        let image = match &draft.photo {
            Photo::Upload(upload) => Some((upload.sha256(), upload.spooled().size)),
            _ => None,
        };
        Ok(Receipt { accepted, bot: draft.bot, image })
    }

    /// Makes sure that the image is where the notification will say it is.
    async fn store(&self, photo: &Photo) -> Result<(MediaSource, ImageFormat), Refusal> {
        match photo {
            Photo::Upload(upload) => {
                let spooled = upload.spooled();
                let _permit = self.puts.acquire().await;
                self.blobs.put(&spooled).await?;
                Ok((MediaSource::Blob { sha256: spooled.sha256, size: spooled.size }, upload.format()))
            }
            Photo::Held(sha256) => self.held(sha256).await,
            Photo::Url(url) => Ok((MediaSource::Url(url.clone()), ImageFormat::Jpeg)),
            Photo::FileId(file_id) => Ok((MediaSource::FileId(file_id.clone()), ImageFormat::Jpeg)),
        }
    }

    async fn held(&self, sha256: &Sha256) -> Result<(MediaSource, ImageFormat), Refusal> {
        let unknown = || {
            let detail =
                "No image with this digest is held (any more). Send its bytes once; the answer names its digest.";
            Refusal::field(Code::UnknownImage, "photo.sha256", detail)
        };
        let size = self.blobs.stat(sha256).await?.ok_or_else(unknown)?;
        let (_, mut bytes) = self.blobs.open(sha256).await?.ok_or_else(unknown)?;
        let head = bytes.next().await.ok_or_else(unknown)??;
        Ok((MediaSource::Blob { sha256: *sha256, size }, image::format(&head)?))
    }
}

/// Refuses what could be written down but not read again: it would block its lane and every listing that it is on.
fn check_readable(notification: &Notification) -> Result<(), Refusal> {
    let record = Record::accepted(notification.clone());
    let written = serde_json::to_vec(&record);
    let read: Option<Record> = written.ok().and_then(|text| serde_json::from_slice(&text).ok());
    read.map(|_| ()).ok_or_else(|| {
        let detail = "Something in the request could not be read again once it is written down; is it nested too deep?";
        Refusal::new(Code::InvalidField, detail)
    })
}

/// The SHA-256 of a value with the members of every object in order, in lower-case hexadecimal.
fn fingerprint(value: &Value) -> String {
    fn sorted(value: &Value) -> Value {
        match value {
            Value::Object(members) => {
                let mut members: Vec<_> = members.iter().collect();
                members.sort_by_key(|(name, _)| *name);
                members.into_iter().map(|(name, value)| (name.clone(), sorted(value))).collect()
            }
            Value::Array(items) => items.iter().map(sorted).collect(),
            other => other.clone(),
        }
    }
    Sha256::of(sorted(value).to_string().as_bytes()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ChatId, Delivery, Lane, Timestamp};

    #[test]
    fn what_could_not_be_read_again_is_refused_before_it_is_written() {
        let with = |levels: usize| {
            let value = (0..levels).fold(Value::Null, |inner, _| Value::Array(vec![inner]));
            let call = Call {
                method: "sendPhoto".to_owned(),
                params: [("x".to_owned(), value)].into_iter().collect(),
                media: Vec::new(),
            };
            let now = Timestamp::now();
            Notification {
                v: Notification::VERSION,
                id: NotificationId::new(),
                accepted_at: now,
                send_at: None,
                expires_at: now,
                bot: BotName::default_bot(),
                chat_id: ChatId::Id(1),
                lane: Lane::Normal,
                delivery: Delivery::AtLeastOnce,
                call,
                tags: Vec::new(),
                attempts: 0,
            }
        };
        assert_eq!(check_readable(&with(fields::NESTING_LIMIT)), Ok(()));
        assert_eq!(check_readable(&with(126)).unwrap_err().code, Code::InvalidField);
    }
}
