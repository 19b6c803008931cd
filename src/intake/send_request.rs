//! What every face makes of a request: a checked call with its files.

use super::spool::Upload;
use crate::domain::{
    BotName, CallbackUrl, ChatId, DeliveryGuarantee, FollowUp, ImageFormat, Lane, MediaKind, Sha256, Timestamp,
};
use crate::settings::Client;
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;

/// How long a notification lives from its `send_at`, or from its acceptance, if nothing else is said.
pub const DEFAULT_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// A checked request, whatever face it came through.
#[derive(Debug)]
pub struct SendRequest {
    /// The bot that sends it; configured.
    pub bot: BotName,
    /// Where it goes.
    pub chat_id: ChatId,
    /// The Bot API method, as Telegram writes it.
    pub method: String,
    /// Its parameters but for `chat_id`, as the Bot API wants them. Files are named `attach://<field>`, or not at all.
    pub params: Map<String, Value>,
    /// Its files.
    pub media: Vec<Attachment>,
    /// Its lane.
    pub lane: Lane,
    /// Whether to send again when it is not known whether it was sent.
    pub delivery: DeliveryGuarantee,
    /// The caller's labels.
    pub tags: Vec<String>,
    /// When the request was read.
    pub received_at: Timestamp,
    /// The moment before which it is not sent, if that is still ahead.
    pub send_at: Option<Timestamp>,
    /// The moment after which it is not sent.
    pub expires_at: Timestamp,
    /// The calls that are sent after it, in reply to it.
    pub then: Vec<FollowUp>,
    /// Who posts it, if that is a client with a name: it stands in the record, and its quota counts.
    pub client: Option<Arc<Client>>,
    /// Who is told how it ends; without it, the receiver of the client.
    pub callback_url: Option<CallbackUrl>,
    /// What a large request holds until it is accepted, so that few of them are in memory at a time.
    pub hold: Option<OwnedSemaphorePermit>,
}

impl SendRequest {
    /// A request received now, to be sent at once in the normal lane and at least once, within `life`.
    pub fn now(
        bot: BotName,
        chat_id: ChatId,
        method: &str,
        params: Map<String, Value>,
        media: Vec<Attachment>,
        life: Duration,
    ) -> Self {
        let now = Timestamp::now();
        Self {
            bot,
            chat_id,
            method: method.to_owned(),
            params,
            media,
            lane: Lane::Normal,
            delivery: DeliveryGuarantee::AtLeastOnce,
            tags: Vec::new(),
            received_at: now,
            send_at: None,
            expires_at: now.plus(life),
            then: Vec::new(),
            client: None,
            callback_url: None,
            hold: None,
        }
    }
}

/// One file of a request.
#[derive(Debug)]
pub struct Attachment {
    /// The parameter that carries it, or the name behind an `attach://` in the parameters.
    pub field: String,
    /// What it is sent as.
    pub kind: MediaKind,
    /// Where it comes from.
    pub input: InputFile,
    /// The name to upload it under; a photo gets one that fits its bytes.
    pub filename: Option<String>,
}

impl Attachment {
    /// The name to upload it under. Telegram takes a photo's type from its extension, so a photo gets one that fits its
    /// format, whatever its sender calls it.
    pub fn filename_for(&self, format: Option<ImageFormat>) -> String {
        let given = self.filename.clone();
        match (self.kind, format) {
            (MediaKind::Photo, Some(format)) => format.filename().to_owned(),
            (kind, _) => given.unwrap_or_else(|| default_filename(kind).to_owned()),
        }
    }
}

fn default_filename(kind: MediaKind) -> &'static str {
    match kind {
        MediaKind::Photo => ImageFormat::Jpeg.filename(),
        MediaKind::Document => "document",
        MediaKind::Animation => "animation.mp4",
        MediaKind::Video => "video.mp4",
        MediaKind::Audio => "audio.mp3",
        MediaKind::Voice => "voice.ogg",
        MediaKind::VideoNote => "video_note.mp4",
        MediaKind::Sticker => "sticker.webp",
        MediaKind::Other => "file.jpg",
    }
}

/// Where a file comes from: by URL or file_id as the Bot API has it, uploaded, or stored before.
#[derive(Debug)]
pub enum InputFile {
    /// It was uploaded with the request.
    Upload(Upload),
    /// Its bytes should be in the blob store; the request names their digest.
    Stored(Sha256),
    /// Telegram fetches it.
    Url(String),
    /// Telegram has it.
    FileId(String),
}
