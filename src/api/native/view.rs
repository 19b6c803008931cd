//! Responses: a notification as its caller sees it.

use super::request::oversize::Oversize;
use crate::domain::{
    Attempt, AttemptOutcome, ChatId, DeliveryGuarantee, Failure, FailureClass, Lane, Media, MediaKind, MediaSource,
    PauseList, Record, Status, Timestamp,
};
use crate::intake::summary::Summary;
use crate::intake::{Acceptance, StoredFile};
use crate::ports::RecordPage;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// The answer to an accepted request.
#[derive(Serialize, ToSchema)]
pub struct AcceptedNotification {
    /// The notification's id.
    #[schema(format = Uuid)]
    id: String,
    /// `queued`, or `scheduled` if `send_at` lies ahead; of a repetition, its present status.
    status: Status,
    /// The bot that sends it.
    #[schema(example = "default")]
    bot: String,
    /// When it was accepted.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// The image, if its bytes are with us; its digest can be sent in place of the bytes next time.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    photo: Option<StoredImage>,
    /// All files whose bytes are with us, in order; each digest can be sent in place of the bytes next time.
    files: Vec<StoredFileView>,
    /// What `oversize` has done with the image: `document` or `shrink`; `null` if nothing had to be done.
    oversize: Option<&'static str>,
    /// The ids of the replies that follow, by `long_caption: split`, in order. Each waits, `queued`, until the one before it is
    /// sent, and can be cancelled, with what follows it.
    #[schema(value_type = Vec<String>)]
    then: Vec<String>,
}

/// An image that we hold.
#[derive(Serialize, ToSchema)]
pub struct StoredImage {
    /// The SHA-256 of its bytes in hexadecimal.
    sha256: String,
    /// Their number.
    size: u64,
}

/// A file that we hold.
#[derive(Serialize, ToSchema)]
#[schema(as = StoredFile)]
pub struct StoredFileView {
    /// What it is sent as: `photo`, `document`, ...; `other` for what goes with another file, such as a thumbnail.
    kind: &'static str,
    /// The SHA-256 of its bytes in hexadecimal.
    sha256: String,
    /// Their number.
    size: u64,
}

impl AcceptedNotification {
    /// From what the engine answered, and what was done with an image that is no photo.
    pub fn new(acceptance: Acceptance, oversize: Option<Oversize>) -> Self {
        let photo = acceptance.files.iter().find(|file| file.kind == MediaKind::Photo);
        Self {
            id: acceptance.accepted.id.to_string(),
            status: acceptance.accepted.status,
            bot: acceptance.bot.into(),
            created_at: acceptance.accepted.accepted_at,
            photo: photo.map(|file| StoredImage { sha256: file.sha256.into(), size: file.size }),
            files: acceptance.files.iter().map(StoredFileView::from).collect(),
            oversize: oversize.map(Oversize::as_str),
            then: acceptance.then.iter().map(ToString::to_string).collect(),
        }
    }
}

impl From<&StoredFile> for StoredFileView {
    fn from(file: &StoredFile) -> Self {
        Self { kind: file.kind.as_str(), sha256: file.sha256.into(), size: file.size }
    }
}

/// A notification and what became of it. Members without a value are `null`.
#[derive(Serialize, ToSchema)]
#[schema(as = Notification)]
pub struct NotificationView {
    /// Its id.
    #[schema(format = Uuid)]
    id: String,
    /// Where it stands. The last six are final.
    status: Status,
    /// Whether it waits because its bot or its chat is paused.
    paused: bool,
    /// The bot that sends it.
    bot: String,
    /// Who posted it: the name of the client, if its API key has one.
    client: Option<String>,
    /// Where it goes: a number or an @username. Follows a chat that has moved.
    chat_id: ChatId,
    /// Its lane.
    priority: Lane,
    /// What happens in doubt.
    delivery: DeliveryGuarantee,
    /// The caller's labels.
    tags: Vec<String>,
    /// When it was accepted first; a retry does not change it.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// Not to be sent before this.
    #[schema(value_type = Option<String>, format = DateTime)]
    send_at: Option<Timestamp>,
    /// Not to be sent after this.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    /// The last 50 attempts, oldest first.
    attempts: Vec<AttemptView>,
    /// The Bot API method that it is sent by.
    #[schema(example = "sendPhoto")]
    method: String,
    /// The beginning of its caption or text, 200 characters at most.
    text: Option<String>,
    /// Of an edit or a deletion: the numbers of the messages that it changes.
    changes: Vec<i64>,
    /// Telegram's number of the message, once sent; of an album, that of the first.
    message_id: Option<i64>,
    /// The numbers of an album's messages, once sent.
    message_ids: Vec<i64>,
    /// The file_id under which this bot may send the same image again.
    file_id: Option<String>,
    /// The image.
    photo: Option<PhotoView>,
    /// All its files, in order.
    files: Vec<FileView>,
    /// The id of the one that it follows, if it waits for that to be sent.
    #[schema(format = Uuid)]
    follows: Option<String>,
    /// The ids of the replies that follow it, in order.
    then: Vec<String>,
    /// Why it failed, or is not known to have arrived.
    failure: Option<FailureView>,
    /// When the next attempt is due.
    #[schema(value_type = Option<String>, format = DateTime)]
    next_attempt_at: Option<Timestamp>,
    /// The last change.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

/// One attempt at delivery.
#[derive(Serialize, ToSchema)]
#[schema(as = Attempt)]
pub struct AttemptView {
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// How long until its answer, in milliseconds.
    duration_ms: u64,
    /// How it ended.
    outcome: AttemptOutcome,
    /// Whether the image's bytes travelled.
    uploaded: bool,
    /// Telegram's error code.
    error_code: Option<u16>,
    /// Telegram's own words, or what happened on the way to it.
    reason: Option<String>,
    /// The wait that Telegram asked for, in seconds.
    retry_after: Option<u64>,
}

/// The image: one of digest (with its size), address, file_id.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = Photo)]
pub enum PhotoView {
    /// We hold it.
    Stored(StoredImage),
    /// Telegram fetches it.
    Url {
        /// The address.
        url: String,
    },
    /// Telegram has it.
    FileId {
        /// The file_id.
        file_id: String,
    },
}

/// One of its files.
#[derive(Serialize, ToSchema)]
#[schema(as = File)]
pub struct FileView {
    /// What it is sent as: `photo`, `document`, ...; `other` for what goes with another file, such as a thumbnail.
    kind: &'static str,
    /// The name that it is uploaded under.
    filename: String,
    /// Where it comes from.
    #[schema(value_type = PhotoView)]
    source: PhotoView,
}

/// Why a notification did not arrive.
#[derive(Serialize, ToSchema)]
#[schema(as = Failure)]
pub struct FailureView {
    /// What kind of reason.
    class: FailureClass,
    /// Telegram's error code.
    error_code: Option<u16>,
    /// Telegram's own words where it spoke, ours where it did not.
    description: String,
}

/// A page of a listing, newest first. It may have fewer than were asked for, or none, and a cursor all the same.
#[derive(Serialize, ToSchema)]
pub struct NotificationPage {
    /// The notifications.
    notifications: Vec<NotificationView>,
    /// The `cursor` of the next page; `null` on the last.
    #[schema(format = Uuid)]
    next_cursor: Option<String>,
}

/// How many notifications meet a filter.
#[derive(Serialize, ToSchema)]
pub struct NotificationCounts {
    /// All of them.
    total: u64,
    /// By status; what does not occur is not named.
    #[schema(value_type = BTreeMap<String, u64>)]
    by_status: BTreeMap<Status, u64>,
    /// Those with a failure, by its class.
    #[schema(value_type = BTreeMap<String, u64>)]
    by_class: BTreeMap<FailureClass, u64>,
    /// `false` if not all could be counted in time: then there are at least so many.
    complete: bool,
}

impl From<Summary> for NotificationCounts {
    fn from(summary: Summary) -> Self {
        let Summary { by_status, by_class, complete } = summary;
        Self { total: by_status.values().sum(), by_status, by_class, complete }
    }
}

impl NotificationPage {
    /// With what is paused.
    pub fn new(page: RecordPage, pauses: &PauseList) -> Self {
        let view = |record| NotificationView::with_pauses(record, pauses);
        Self {
            notifications: page.records.into_iter().map(view).collect(),
            next_cursor: page.next.map(|id| id.to_string()),
        }
    }
}

impl NotificationView {
    /// With what is paused.
    pub fn with_pauses(record: Record, pauses: &PauseList) -> Self {
        let notification = &record.notification;
        let waits = Status::OPEN.contains(&record.status) && record.status != Status::Sending;
        let paused = waits && pauses.forbid(&notification.bot, &notification.chat_id);
        Self { paused, ..Self::from(record) }
    }
}

impl From<Record> for NotificationView {
    fn from(record: Record) -> Self {
        let notification = record.notification;
        let created_at = notification.created_at();
        let (text, changes) = (notification.call.excerpt(), notification.call.changes());
        let media = notification.call.media;
        let photo = media.iter().find(|media| media.kind == MediaKind::Photo);
        let photo = photo.map(|media| PhotoView::from(media.source.clone()));
        let messages = record.result.as_ref().and_then(Value::as_array);
        let message_ids = messages.into_iter().flatten().filter_map(|message| message.get("message_id")?.as_i64());
        Self {
            id: notification.id.to_string(),
            status: record.status,
            paused: false,
            bot: notification.bot.into(),
            client: notification.client.map(|client| client.to_string()),
            chat_id: notification.chat_id,
            priority: notification.lane,
            delivery: notification.delivery,
            tags: notification.tags,
            created_at,
            send_at: notification.send_at,
            expires_at: notification.expires_at,
            attempts: record.attempts.into_iter().map(AttemptView::from).collect(),
            method: notification.call.method,
            text,
            changes,
            message_id: record.message_id,
            message_ids: message_ids.collect(),
            file_id: record.file_id,
            photo,
            files: media.into_iter().map(FileView::from).collect(),
            follows: notification.follows.map(|before| before.to_string()),
            then: notification.then.iter().map(|next| next.id.to_string()).collect(),
            failure: record.failure.map(FailureView::from),
            next_attempt_at: record.next_attempt_at,
            updated_at: record.updated_at,
        }
    }
}

impl From<Attempt> for AttemptView {
    fn from(attempt: Attempt) -> Self {
        Self {
            at: attempt.at,
            duration_ms: attempt.duration_ms,
            outcome: attempt.outcome,
            uploaded: attempt.uploaded,
            error_code: attempt.error_code,
            reason: attempt.reason,
            retry_after: attempt.retry_after,
        }
    }
}

impl From<Media> for FileView {
    fn from(media: Media) -> Self {
        Self { kind: media.kind.as_str(), filename: media.filename, source: PhotoView::from(media.source) }
    }
}

impl From<MediaSource> for PhotoView {
    fn from(source: MediaSource) -> Self {
        match source {
            MediaSource::Blob { sha256, size } => Self::Stored(StoredImage { sha256: sha256.into(), size }),
            MediaSource::Url(url) => Self::Url { url },
            MediaSource::FileId(file_id) => Self::FileId { file_id },
        }
    }
}

impl From<Failure> for FailureView {
    fn from(failure: Failure) -> Self {
        Self { class: failure.class, error_code: failure.error_code, description: failure.description }
    }
}
