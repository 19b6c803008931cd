//! Why a request is rejected: one table of codes, and one shape that each face puts into its own dialect.

use crate::ports::{AcceptError, BlobError, LedgerError};
use std::io;

/// A rejection: the code for programs, the field to blame if there is one, and a sentence that says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {detail}", code.as_str())]
pub struct Rejection {
    /// The kind of rejection, for programs.
    pub code: ProblemCode,
    /// The field, query parameter or header to blame.
    pub field: Option<String>,
    /// What is wrong and what to do about it; repeats no secret and no caption.
    pub detail: String,
    /// After how many seconds it makes sense to try again, where that does not follow from the code.
    pub after: Option<u64>,
}

impl Rejection {
    /// A rejection of the request as a whole.
    pub fn new(code: ProblemCode, detail: impl Into<String>) -> Self {
        Self { code, field: None, detail: detail.into(), after: None }
    }

    /// A rejection of one field.
    pub fn field(code: ProblemCode, field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { field: Some(field.into()), ..Self::new(code, detail) }
    }

    /// The same rejection, which passes in so many seconds.
    pub fn after(mut self, seconds: u64) -> Self {
        self.after = Some(seconds);
        self
    }

    /// After how many seconds it makes sense to try again.
    pub fn retry_after(&self) -> Option<u64> {
        self.after.or(self.code.retry_after().map(u64::from))
    }

    /// A field whose value is not what it has to be: `what` goes on after its name, as in `is a string`.
    pub fn invalid(name: &str, what: &str) -> Self {
        Self::field(ProblemCode::InvalidField, name, format!("{name} {what}."))
    }

    /// The rejection of a bot that is not configured.
    pub fn unknown_bot() -> Self {
        let detail = "No bot of this name is configured. Without bot, the one named default is meant.";
        Self::field(ProblemCode::UnknownBot, "bot", detail)
    }

    /// The rejection of an id that names no notification.
    pub fn no_such_notification() -> Self {
        let detail = "There is no notification with this id, or its record was swept.";
        Self::new(ProblemCode::NotificationNotFound, detail)
    }

    /// The same rejection, which blames a field within another: `album[2].` is put before its name.
    pub fn within(mut self, place: &str) -> Self {
        self.field = self.field.map(|name| if name.starts_with(place) { name } else { format!("{place}{name}") });
        self
    }

    /// The same rejection, which blames another field, if it blames one.
    pub fn of(mut self, field: &str) -> Self {
        self.field = self.field.map(|_| field.to_owned());
        self
    }

    /// A part of the engine does not respond. The reason goes to the log only; the caller learns which part it is and what
    /// to do.
    pub fn unavailable(part: &str, reason: &dyn std::fmt::Display) -> Self {
        tracing::warn!(part, reason = %reason, "a needed part is away");
        Self::new(
            ProblemCode::Unavailable,
            format!("The {part} is not available, so nothing was done. Try again after the time given in Retry-After."),
        )
    }

    /// It may have taken effect: the part that knows has not answered. The reason goes to the log only.
    pub fn unconfirmed(reason: &dyn std::fmt::Display, detail: &str) -> Self {
        tracing::warn!(reason = %reason, "a needed part did not say whether it did it");
        Self::new(ProblemCode::Unconfirmed, detail)
    }

    /// The file of an upload cannot be written or read.
    pub fn of_spool(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::no_room(error),
            _ => Self::unavailable("spool", error),
        }
    }

    /// The disk or the queue is full. The reason goes to the log only.
    pub fn no_room(reason: &dyn std::fmt::Display) -> Self {
        tracing::warn!(reason = %reason, "no room for what a caller hands in");
        Self::new(
            ProblemCode::NoRoom,
            "There is no room for it: the disk or the queue is full. Nothing was accepted; try again later.",
        )
    }
}

impl From<AcceptError> for Rejection {
    fn from(error: AcceptError) -> Self {
        match error {
            AcceptError::KeyReused => Self::field(
                ProblemCode::IdempotencyKeyReused,
                "Idempotency-Key",
                "This key was used with another request. Use a fresh key for every new notification.",
            ),
            AcceptError::Unconfirmed(reason) => {
                let detail = "The queue did not confirm in time, so the notification may have been taken. Repeat the \
                              request with the same Idempotency-Key: it is then delivered once. Without a key a \
                              repetition may be delivered twice.";
                Self::unconfirmed(&reason, detail)
            }
            AcceptError::Unavailable { part, reason } => Self::unavailable(part, &reason),
            AcceptError::Full(reason) => Self::no_room(&reason),
        }
    }
}

impl From<BlobError> for Rejection {
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::Unavailable(reason) => Self::unavailable("image store", &reason),
            BlobError::Full(reason) => Self::no_room(&reason),
        }
    }
}

impl From<LedgerError> for Rejection {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Unavailable(reason) => Self::unavailable("ledger", &reason),
        }
    }
}

macro_rules! codes {
    ($($variant:ident = $name:literal, $status:literal, $title:literal;)*) => {
        /// The kinds of rejections. Their names are part of the API and never change.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ProblemCode {
            $(#[doc = $title] $variant,)*
        }

        impl ProblemCode {
            /// All codes.
            pub const ALL: &'static [ProblemCode] = &[$(Self::$variant,)*];

            /// The stable name.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The HTTP status.
            pub fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)* }
            }

            /// A few words that are the same for every rejection of the kind.
            pub fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }
        }
    };
}

codes! {
    MalformedJson = "malformed_json", 400, "The body is not valid JSON";
    MalformedMultipart = "malformed_multipart", 400, "The body is not valid multipart/form-data";
    InvalidBase64 = "invalid_base64", 400, "The image is not valid base64";
    IncompleteBody = "incomplete_body", 400, "The body ended early";
    MissingField = "missing_field", 400, "A required field is missing";
    UnknownField = "unknown_field", 400, "There is no such field";
    DuplicateField = "duplicate_field", 400, "A field is given twice";
    MisplacedField = "misplaced_field", 400, "The field does not belong to what is sent";
    InvalidField = "invalid_field", 400, "A field has a value that it cannot have";
    InvalidChatId = "invalid_chat_id", 400, "chat_id is not a chat id";
    InvalidPhoto = "invalid_photo", 400, "photo names no image";
    InvalidFile = "invalid_file", 400, "The field names no file";
    InvalidAlbum = "invalid_album", 400, "The items do not make an album";
    InvalidMarkup = "invalid_markup", 400, "The markup cannot be read";
    InvalidRecipient = "invalid_recipient", 400, "The recipient is not named as one";
    UnregisteredRecipient = "unregistered_recipient", 400, "The recipient has not registered with the bot";
    RecipientBlocked = "recipient_blocked", 400, "The recipient has blocked the bot";
    UnknownBot = "unknown_bot", 400, "There is no such bot";
    UnknownImage = "unknown_image", 400, "No image with this digest is held";
    CaptionTooLong = "caption_too_long", 400, "The caption is too long";
    TextTooLong = "text_too_long", 400, "The text is too long";
    InvalidThumbnail = "invalid_thumbnail", 400, "Telegram does not take this thumbnail";
    NotAnImage = "not_an_image", 400, "The bytes are not an image that Telegram takes as a photo";
    ImageDamaged = "image_damaged", 400, "The image does not decode to its end";
    ImageDimensions = "image_dimensions", 400, "The image is too large in pixels";
    ImageRatio = "image_ratio", 400, "The image is too long and narrow";
    ImageTooLarge = "image_too_large", 400, "The image has too many pixels to be scaled down";
    InvalidIdempotencyKey = "invalid_idempotency_key", 400, "The idempotency key is malformed";
    InvalidQuery = "invalid_query", 400, "A query parameter has a value that it cannot have";
    Unauthorized = "unauthorized", 401, "An API key is needed";
    CrossSite = "cross_site", 403, "Web pages of other sites may not call";
    Forwarded = "forwarded", 403, "Without API keys nothing is served through a proxy";
    ScopeMissing = "scope_missing", 403, "The client has not got the scope for this";
    BotNotAllowed = "bot_not_allowed", 403, "The client may not use this bot";
    BotNotFound = "bot_not_found", 404, "There is no such bot here";
    ImageNotFound = "image_not_found", 404, "There is no such image";
    NotFound = "not_found", 404, "There is nothing here";
    CallbackNotFound = "callback_not_found", 404, "There is no such callback";
    NotificationNotFound = "notification_not_found", 404, "There is no such notification";
    OperationNotFound = "operation_not_found", 404, "There is no such operation";
    RecipientNotFound = "recipient_not_found", 404, "There is no such recipient in the book";
    MethodNotAllowed = "method_not_allowed", 405, "The method does not fit this address";
    RequestTimeout = "request_timeout", 408, "The body came too slowly";
    TooLate = "too_late", 409, "It is too late to cancel";
    NotRetryable = "not_retryable", 409, "The notification cannot be tried again";
    NotSent = "not_sent", 409, "The notification has not been sent";
    NoMessage = "no_message", 409, "The notification has no message to change";
    TooManyPaused = "too_many_paused", 409, "As many chats are paused as may be";
    ImageGone = "image_gone", 410, "The image is no longer held";
    PhotoTooLarge = "photo_too_large", 413, "The image is over 10 MiB";
    FileTooLarge = "file_too_large", 413, "The file is over Telegram's limit";
    BodyTooLarge = "body_too_large", 413, "The body is too large";
    UnsupportedMediaType = "unsupported_media_type", 415, "The body's type is not supported";
    IdempotencyKeyReused = "idempotency_key_reused", 422, "The idempotency key was used with another request";
    RateLimited = "rate_limited", 429, "The client calls faster than its rate";
    TooManyStreams = "too_many_streams", 429, "There are too many event streams";
    TooMuchInFlight = "too_much_in_flight", 429, "The caller uploads too much at a time";
    TooMuchKept = "too_much_kept", 429, "The caller has brought in too much to be kept";
    QuotaExceeded = "quota_exceeded", 429, "The client has posted its notifications of today";
    Internal = "internal", 500, "Something went wrong on our side";
    StagingFailed = "staging_failed", 502, "The staging chat has not got the image";
    FileUnavailable = "file_unavailable", 502, "Telegram does not give the file out";
    Unavailable = "unavailable", 503, "A needed part is away";
    Unconfirmed = "unconfirmed", 503, "It may have taken effect";
    NoRoom = "no_room", 507, "There is no room";
}

impl ProblemCode {
    /// After how many seconds it makes sense to try again.
    pub fn retry_after(self) -> Option<u32> {
        match self {
            Self::Unavailable | Self::Unconfirmed => Some(2),
            Self::NoRoom => Some(30),
            Self::RateLimited => Some(1),
            Self::TooMuchInFlight | Self::TooManyStreams => Some(5),
            Self::TooMuchKept | Self::QuotaExceeded => Some(3_600),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_only_temporary_ones_have_a_retry_after() {
        let mut names: Vec<_> = ProblemCode::ALL.iter().map(|code| code.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ProblemCode::ALL.len());
        for code in ProblemCode::ALL {
            assert_eq!(code.retry_after().is_some(), [429, 503, 507].contains(&code.status()), "{code:?}");
        }
    }

    #[test]
    fn errors_of_the_engine_become_rejections_that_do_not_tell_the_reason() {
        let reason = || "connection to 10.0.0.7 refused".to_owned();
        for (rejection, code) in [
            (Rejection::from(AcceptError::KeyReused), ProblemCode::IdempotencyKeyReused),
            (AcceptError::Unavailable { part: "queue", reason: reason() }.into(), ProblemCode::Unavailable),
            (AcceptError::Unconfirmed(reason()).into(), ProblemCode::Unconfirmed),
            (AcceptError::Full(reason()).into(), ProblemCode::NoRoom),
            (BlobError::Unavailable(reason()).into(), ProblemCode::Unavailable),
            (BlobError::Full(reason()).into(), ProblemCode::NoRoom),
            (LedgerError::Unavailable(reason()).into(), ProblemCode::Unavailable),
        ] {
            assert_eq!(rejection.code, code);
            assert!(!rejection.to_string().contains("10.0.0.7"), "{rejection}");
        }
    }
}
