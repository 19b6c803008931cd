//! Accepts a request: stores its files, then the notification, whose id the caller gets.

use super::account::check_account;
use super::image_check;
use super::json_limits::check_readable;
use super::rejection::{ProblemCode, Rejection};
use super::send_request::{Attachment, InputFile, SendRequest};
use super::spool::{self, Spool, Upload};
use crate::domain::{
    BotName, Call, FollowUp, ImageFormat, Lane, Media, MediaKind, MediaSource, Notification, NotificationId, Sha256,
};
use crate::ports::{Accepted, Idempotency, Ports, Spooled, Submission};
use crate::settings::{CallbackSecrets, Live, Settings};
use crate::telemetry::Metrics;
use futures_util::StreamExt;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// How many files are handed to the blob store at a time. What waits takes no memory but what there is for uploads: larger
/// files wait on the disk. How much of those is read at a time is for the store to bound.
const MAX_BLOB_PUTS: usize = 32;

/// Accepts notifications for the configured bots.
pub struct Intake {
    pub(super) spool: Spool,
    pub(super) ports: Ports,
    pub(super) metrics: Arc<Metrics>,
    pub(super) settings: Arc<Settings>,
    pub(super) callback_secrets: Live<CallbackSecrets>,
    blob_puts: Semaphore,
}

/// What the caller is told about an accepted notification.
#[derive(Debug)]
pub struct Acceptance {
    /// What the engine answered.
    pub accepted: Accepted,
    /// The bot.
    pub bot: BotName,
    /// Its files, as far as their bytes are with us; of a repetition only if they came along or are still held.
    pub files: Vec<StoredFile>,
    /// The ids of the replies that follow it, in order.
    pub then: Vec<NotificationId>,
    /// How many its client has posted today, if it has a daily quota.
    pub posted_today: Option<u64>,
}

/// A file that we hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFile {
    /// What it is sent as.
    pub kind: MediaKind,
    /// The digest of its bytes.
    pub sha256: Sha256,
    /// Their number.
    pub size: u64,
}

impl StoredFile {
    /// A file of a notification, if its bytes are with us.
    pub fn of(media: &Media) -> Option<Self> {
        match media.source {
            MediaSource::Blob { sha256, size } => Some(Self { kind: media.kind, sha256, size }),
            _ => None,
        }
    }
}

impl Intake {
    /// Accepts into the engine behind the ports.
    pub fn new(
        spool: Spool,
        ports: Ports,
        metrics: Arc<Metrics>,
        settings: Arc<Settings>,
        callback_secrets: Live<CallbackSecrets>,
    ) -> Self {
        Self { spool, ports, metrics, settings, callback_secrets, blob_puts: Semaphore::new(MAX_BLOB_PUTS) }
    }

    /// Where uploads are until they are stored.
    pub fn spool(&self) -> &Spool {
        &self.spool
    }

    /// Whether a bot of this name is configured.
    pub fn has_bot(&self, name: &BotName) -> bool {
        self.settings.bots.contains_key(name)
    }

    /// Stores the files, then the notification. When this returns `Ok`, it is on stable storage. With the idempotency key
    /// of an earlier request it is not stored again, and gets the response of that (deduplication).
    pub async fn accept(
        &self,
        request: SendRequest,
        idempotency: Option<Idempotency>,
    ) -> Result<Acceptance, Rejection> {
        self.submit(NotificationId::new(), request, idempotency, None).await
    }

    /// Counts an accepted notification in the metrics.
    pub(super) fn count_accepted(&self, bot: &BotName, lane: Lane) {
        self.metrics.accepted.with_label_values(&[bot.as_str(), lane.as_str()]).inc();
    }

    pub(super) async fn submit(
        &self,
        id: NotificationId,
        request: SendRequest,
        idempotency: Option<Idempotency>,
        reply_to: Option<String>,
    ) -> Result<Acceptance, Rejection> {
        let client = request.client.clone();
        match self.charge(&request).await {
            Ok(charge) => {
                let accepted = self.submit_counted(id, request, idempotency, reply_to).await;
                self.conclude_charge(client, charge, accepted).await
            }
            // The repetition of what was counted gets the first response all the same.
            Err(rejection) => Box::pin(self.recall(request, idempotency, rejection)).await,
        }
    }

    async fn submit_counted(
        &self,
        id: NotificationId,
        mut request: SendRequest,
        idempotency: Option<Idempotency>,
        reply_to: Option<String>,
    ) -> Result<Acceptance, Rejection> {
        let _hold = request.hold.take();
        // The repetition of a request that was accepted in time gets the first response all the same.
        if request.expires_at <= request.received_at {
            let rejection = Rejection::invalid("expires_at", "has passed already");
            return Box::pin(self.recall(request, idempotency, rejection)).await;
        }
        let mut media = Vec::with_capacity(request.media.len());
        for attachment in &request.media {
            match Box::pin(self.store(attachment)).await {
                // What was accepted in time may be repeated.
                Err(rejection) if [ProblemCode::UnknownImage, ProblemCode::TooMuchKept].contains(&rejection.code) => {
                    return Box::pin(self.recall(request, idempotency, rejection)).await;
                }
                stored => media.push(stored?),
            }
        }
        let files = media.iter().filter_map(StoredFile::of).collect();
        let call = Call { method: request.method, params: request.params, media };
        if let Some(bot) = self.settings.bots.get(&request.bot) {
            check_account(bot, &request.chat_id, &call)?;
        }
        let of_client = || request.client.as_ref()?.callback_url.clone();
        let callback_url = request.callback_url.or_else(of_client);
        let notification = Notification {
            v: Notification::VERSION,
            id,
            accepted_at: request.received_at,
            send_at: request.send_at,
            expires_at: request.expires_at,
            bot: request.bot,
            chat_id: request.chat_id,
            lane: request.lane,
            delivery: request.delivery,
            call,
            tags: request.tags,
            attempts: 0,
            deferral: None,
            first_accepted_at: None,
            reply_to,
            follows: None,
            then: FollowUp::numbered(id, request.then),
            client: request.client.map(|client| client.name.clone()),
            callback_url,
        };
        check_readable(&notification)?;
        let submission = Submission { notification, idempotency };
        let accepted = self.ports.acceptor.accept(&submission).await?;
        let Notification { bot, lane, then, .. } = submission.notification;
        if !accepted.replayed {
            self.count_accepted(&bot, lane);
        }
        // The ids of the replies follow from the notification's, so they are the same for a repetition.
        let then = FollowUp::numbered(accepted.id, then).into_iter().map(|next| next.id).collect();
        Ok(Acceptance { accepted, bot, files, then, posted_today: None })
    }

    /// Gives the repetition of an accepted request the first response, though the request would be rejected by now.
    async fn recall(
        &self,
        request: SendRequest,
        idempotency: Option<Idempotency>,
        rejection: Rejection,
    ) -> Result<Acceptance, Rejection> {
        let Some(idempotency) = idempotency else { return Err(rejection) };
        let accepted = self.ports.acceptor.recall(&idempotency).await?.ok_or(rejection)?;
        let files = request.media.iter().filter_map(|attachment| match &attachment.input {
            InputFile::Upload(upload) => {
                Some(StoredFile { kind: attachment.kind, sha256: upload.sha256(), size: upload.spooled().size })
            }
            _ => None,
        });
        let then = FollowUp::numbered(accepted.id, request.then).into_iter().map(|next| next.id).collect();
        Ok(Acceptance { accepted, files: files.collect(), bot: request.bot, then, posted_today: None })
    }

    /// Makes sure that a file is where the notification will say it is: an upload in the blob store, say.
    async fn store(&self, attachment: &Attachment) -> Result<Media, Rejection> {
        let (source, format) = match &attachment.input {
            InputFile::Upload(upload) => {
                let spooled = self.keep(upload).await?;
                (MediaSource::Blob { sha256: spooled.sha256, size: spooled.size }, upload.format())
            }
            InputFile::Stored(sha256) => self.stored(sha256, attachment).await?,
            InputFile::Url(url) => (MediaSource::Url(url.clone()), None),
            InputFile::FileId(file_id) => (MediaSource::FileId(file_id.clone()), None),
        };
        let filename = attachment.filename_for(format);
        Ok(Media { field: attachment.field.clone(), kind: attachment.kind, source, filename })
    }

    /// Puts an upload into the blob store. What is not held yet counts as brought in by its caller.
    ///
    /// # Errors
    /// [`ProblemCode::TooMuchKept`], or the store is away.
    pub async fn keep(&self, upload: &Upload) -> Result<Spooled, Rejection> {
        let spooled = upload.spooled();
        if let Err(rejection) = upload.check_may_be_kept()
            && self.ports.blobs.stat(&spooled.sha256).await?.is_none()
        {
            return Err(rejection);
        }
        let _permit = self.blob_puts.acquire().await;
        if self.ports.blobs.put(&spooled).await? {
            upload.count_as_kept();
        }
        Ok(spooled)
    }

    /// A file that the request names by digest: its bytes must be in the blob store.
    async fn stored(
        &self,
        sha256: &Sha256,
        attachment: &Attachment,
    ) -> Result<(MediaSource, Option<ImageFormat>), Rejection> {
        let unknown = || {
            let detail =
                "No image with this digest is held (any more). Send its bytes once; the answer names its digest.";
            Rejection::field(ProblemCode::UnknownImage, format!("{}.sha256", attachment.field), detail)
        };
        let size = self.ports.blobs.stat(sha256).await?.ok_or_else(unknown)?;
        let source = MediaSource::Blob { sha256: *sha256, size };
        if attachment.kind != MediaKind::Photo {
            return Ok((source, None));
        }
        if size > spool::PHOTO_LIMIT_BYTES {
            return Err(spool::photo_too_large().of(&attachment.field));
        }
        let (_, mut bytes) = self.ports.blobs.open(sha256).await?.ok_or_else(unknown)?;
        let head = bytes.next().await.ok_or_else(unknown)??;
        Ok((source, Some(image_check::format(&head)?)))
    }
}
