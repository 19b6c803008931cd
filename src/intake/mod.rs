//! The counter: what comes in is checked, its image stored under its digest, and handed to the engine.
//!
//! A face reads a request and makes an [`Order`] of it: the native HTTP API in [`http`] by way of [`Fields`] and a
//! [`Draft`]. All faces then call [`Intake::accept`], or [`Intake::deliver`] if their caller waits for the end.
//!
//! Order of effects: the image is durable before the notification that names it; a crash in between leaves an image
//! without a notification, which is swept after its retention, never the reverse.

mod album;
mod base64;
mod bot_api;
mod change;
mod content;
mod draft;
mod envelope;
mod fields;
mod files;
mod fit;
pub mod http;
mod image;
mod json_stream;
mod keyboard;
mod medium;
mod names;
mod order;
mod parameters;
pub mod recipient;
mod rejection;
mod source;
mod split;
mod spool;
mod waiting;
mod whatsmate;

pub use draft::Draft;
pub use fields::{Fields, Members};
pub use files::Files;
pub use json_stream::{Event, Splitter};
pub use order::{InputFile, Order, Piece};
pub use rejection::{Code, Rejection};
pub use spool::{FILE_LIMIT, PHOTO_LIMIT, Spool, Upload, Writer};

use crate::domain::{
    BotName, Call, FollowUp, ImageFormat, Media, MediaKind, MediaSource, Notification, NotificationId, Record, Sha256,
};
use crate::ports::{Accepted, Acceptor, Blobs, Idempotency, Ledger, Outcome, OutcomeNotifier, Submission};
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
    parts: Parts,
    metrics: Arc<Metrics>,
    settings: Arc<Settings>,
    puts: Semaphore,
}

/// What the clerk works on.
#[derive(Clone)]
pub struct Parts {
    /// Where bytes go.
    pub blobs: Arc<dyn Blobs>,
    /// Where notifications go.
    pub acceptor: Arc<dyn Acceptor>,
    /// Who tells how they ended.
    pub outcome_notifier: Arc<dyn OutcomeNotifier>,
    /// Who knows how they ended.
    pub ledger: Arc<dyn Ledger>,
}

/// What the caller is told about an accepted notification.
#[derive(Debug)]
pub struct Receipt {
    /// What the engine answered.
    pub accepted: Accepted,
    /// The bot.
    pub bot: BotName,
    /// Its files, as far as their bytes are with us; of a repetition only if they came along or are still held.
    pub files: Vec<Kept>,
    /// What follows it, in order.
    pub then: Vec<NotificationId>,
}

/// A file that we hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// What it is sent as.
    pub kind: MediaKind,
    /// The digest of its bytes.
    pub sha256: Sha256,
    /// Their number.
    pub size: u64,
}

impl Kept {
    /// A medium, if its bytes are with us.
    pub fn of(media: &Media) -> Option<Self> {
        match media.source {
            MediaSource::Blob { sha256, size } => Some(Self { kind: media.kind, sha256, size }),
            _ => None,
        }
    }
}

impl Intake {
    /// A clerk over the engine's parts.
    pub fn new(spool: Spool, parts: Parts, metrics: Arc<Metrics>, settings: Arc<Settings>) -> Self {
        Self { spool, parts, metrics, settings, puts: Semaphore::new(PUTS) }
    }

    /// Where uploads are written to while they arrive.
    pub fn spool(&self) -> &Spool {
        &self.spool
    }

    /// Whether a bot of this name is configured.
    pub fn has_bot(&self, name: &BotName) -> bool {
        self.settings.bots.contains_key(name)
    }

    /// Stores the files, then the notification. When this returns, it is on stable storage, or it is refused.
    pub async fn accept(&self, order: Order, idempotency: Option<Idempotency>) -> Result<Receipt, Rejection> {
        self.take(NotificationId::new(), order, idempotency, None).await
    }

    /// Accepts, and waits for the end. The order's `expires_at` is the caller's patience: what cannot be sent by then
    /// ends as expired, as soon as that is known. `None` as outcome: nobody can say yet. Dropping the future does not
    /// cancel the delivery.
    pub async fn deliver(&self, order: Order) -> Result<(NotificationId, Option<Outcome>), Rejection> {
        let id = NotificationId::new();
        let deadline = order.expires_at;
        let listening = self.parts.outcome_notifier.listen(id);
        let receipt = self.take(id, order, None, Some(listening.address.clone())).await?;
        let bytes = receipt.files.iter().map(|file| file.size).sum();
        let outcome = waiting::outcome(&*self.parts.ledger, id, listening, deadline, bytes).await;
        Ok((id, outcome))
    }

    async fn take(
        &self,
        id: NotificationId,
        order: Order,
        idempotency: Option<Idempotency>,
        reply_to: Option<String>,
    ) -> Result<Receipt, Rejection> {
        // The repetition of a request that was accepted in time gets its answer all the same.
        if order.expires_at <= order.received_at {
            return self.recall(order, idempotency, fields::invalid("expires_at", "has passed already")).await;
        }
        let mut media = Vec::with_capacity(order.media.len());
        for piece in &order.media {
            match self.store(piece).await {
                Err(rejection) if rejection.code == Code::UnknownImage => {
                    return self.recall(order, idempotency, rejection).await;
                }
                stored => media.push(stored?),
            }
        }
        let files = media.iter().filter_map(Kept::of).collect();
        let call = Call { method: order.method, params: order.params, media };
        if let Some(account) = self.settings.bots.get(&order.bot).and_then(|bot| bot.whatsmate()) {
            whatsmate::check(account, &order.chat_id, &call)?;
        }
        let notification = Notification {
            v: Notification::VERSION,
            id,
            accepted_at: order.received_at,
            send_at: order.send_at,
            expires_at: order.expires_at,
            bot: order.bot,
            chat_id: order.chat_id,
            lane: order.lane,
            delivery: order.delivery,
            call,
            tags: order.tags,
            attempts: 0,
            reply_to,
            then: FollowUp::numbered(id, order.then),
        };
        check_readable(&notification)?;
        let submission = Submission { notification, idempotency };
        let accepted = self.parts.acceptor.accept(&submission).await?;
        let Notification { bot, lane, then, .. } = submission.notification;
        if !accepted.replayed {
            self.metrics.accepted.with_label_values(&[bot.as_str(), lane.as_str()]).inc();
        }
        // Of a repetition they are the same, behind the id of the first time.
        let then = FollowUp::numbered(accepted.id, then).into_iter().map(|next| next.id).collect();
        Ok(Receipt { accepted, bot, files, then })
    }

    /// Answers a repetition as the first time, though the request itself would be refused by now.
    async fn recall(&self, order: Order, key: Option<Idempotency>, rejection: Rejection) -> Result<Receipt, Rejection> {
        let Some(key) = key else { return Err(rejection) };
        let accepted = self.parts.acceptor.recall(&key).await?.ok_or(rejection)?;
        let files = order.media.iter().filter_map(|piece| match &piece.input {
            InputFile::Upload(upload) => {
                Some(Kept { kind: piece.kind, sha256: upload.sha256(), size: upload.spooled().size })
            }
            _ => None,
        });
        let then = FollowUp::numbered(accepted.id, order.then).into_iter().map(|next| next.id).collect();
        Ok(Receipt { accepted, files: files.collect(), bot: order.bot, then })
    }

    /// Makes sure that a file is where the notification will say it is.
    async fn store(&self, piece: &Piece) -> Result<Media, Rejection> {
        let (source, format) = match &piece.input {
            InputFile::Upload(upload) => {
                let spooled = upload.spooled();
                let _permit = self.puts.acquire().await;
                self.parts.blobs.put(&spooled).await?;
                (MediaSource::Blob { sha256: spooled.sha256, size: spooled.size }, upload.format())
            }
            InputFile::Held(sha256) => self.held(sha256, piece).await?,
            InputFile::Url(url) => (MediaSource::Url(url.clone()), None),
            InputFile::FileId(file_id) => (MediaSource::FileId(file_id.clone()), None),
        };
        let filename = piece.filename_for(format);
        Ok(Media { field: piece.field.clone(), kind: piece.kind, source, filename })
    }

    async fn held(&self, sha256: &Sha256, piece: &Piece) -> Result<(MediaSource, Option<ImageFormat>), Rejection> {
        let unknown = || {
            let detail =
                "No image with this digest is held (any more). Send its bytes once; the answer names its digest.";
            Rejection::field(Code::UnknownImage, format!("{}.sha256", piece.field), detail)
        };
        let size = self.parts.blobs.stat(sha256).await?.ok_or_else(unknown)?;
        let source = MediaSource::Blob { sha256: *sha256, size };
        if piece.kind != MediaKind::Photo {
            return Ok((source, None));
        }
        if size > spool::PHOTO_LIMIT {
            return Err(spool::photo_too_large().of(&piece.field));
        }
        let (_, mut bytes) = self.parts.blobs.open(sha256).await?.ok_or_else(unknown)?;
        let head = bytes.next().await.ok_or_else(unknown)??;
        Ok((source, Some(image::format(&head)?)))
    }
}

/// Refuses what could be written down but not read again: it would block its lane and every listing that it is on.
fn check_readable(notification: &Notification) -> Result<(), Rejection> {
    let record = Record::accepted(notification.clone());
    let written = serde_json::to_vec(&record);
    let read: Option<Record> = written.ok().and_then(|text| serde_json::from_slice(&text).ok());
    read.map(|_| ()).ok_or_else(|| {
        let detail = "Something in the request could not be read again once it is written down; is it nested too deep?";
        Rejection::new(Code::InvalidField, detail)
    })
}

/// What a repetition of a request is recognised by: the SHA-256 of a value with the members of every object in order, in lower-case hexadecimal.
pub fn fingerprint(value: &Value) -> String {
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
    use crate::domain::{ChatId, DeliveryGuarantee, Lane, Timestamp};

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
                delivery: DeliveryGuarantee::AtLeastOnce,
                call,
                tags: Vec::new(),
                attempts: 0,
                reply_to: None,
                then: Vec::new(),
            }
        };
        assert_eq!(check_readable(&with(fields::NESTING_LIMIT)), Ok(()));
        assert_eq!(check_readable(&with(126)).unwrap_err().code, Code::InvalidField);
    }
}
