//! What the descriptions of Telegram's errors say: substrings of them in lower case (from the Bot API server, TDLib and
//! the MTProto error list).

/// An edit found the message as it should be.
pub const NOT_MODIFIED: &[&str] = &["message is not modified"];

/// The bot is refused, not the request.
pub const CONFIGURATION: &[&str] = &["logged out", "frozen_method_invalid"];

/// A fault that passes.
pub const TRANSIENT: &[&str] = &[
    "photo_save_file_invalid",
    "file_parts_invalid",
    "file_part_",
    "md5_checksum_invalid",
    "group send failed",
    "failed to get http url content",
    "webpage_curl_failed",
    "temporarily unavailable",
];

/// The file_id is of no use.
pub const FILE_ID: &[&str] = &[
    "wrong file identifier/http url specified",
    // The same, unmapped, of an item of an album.
    "media_empty",
    "wrong remote file identifier specified",
    "invalid remote file identifier",
    "remote file identifier must be non-empty",
    "can't use file of type",
    "file_reference_",
    "invalid file_id",
];

/// The chat cannot be written to. Every 403 means that too, whatever its words ("bot was blocked by the user"): see
/// [`classify`](super::classify()).
pub const RECIPIENT: &[&str] = &[
    "chat not found",
    "chat_id is empty",
    "user not found",
    "peer_id_invalid",
    "no write access",
    "need administrator rights",
    "not enough rights",
    "chat_write_forbidden",
    "chat_restricted",
    "chat_admin_required",
    "_forbidden",
    "user_banned_in_channel",
    "channel_private",
    "privacy_premium_required",
    "topic_closed",
    "topic_deleted",
    "user_is_blocked",
    "input_user_deactivated",
];

/// The file is not taken.
pub const CONTENT: &[&str] = &[
    "photo_invalid_dimensions",
    "image_process_failed",
    "unsupported extension",
    "is too big for a",
    "file must be non-empty",
    "wrong type of the web page content",
    "webpage_",
    "media_invalid",
    "media_empty",
    "document_invalid",
    "input_file_invalid",
    "wrong http url specified",
    "invalid file http url specified",
];
