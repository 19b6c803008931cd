//! Notifications, the calls that they make, their records, and who they go to: types that cannot hold a bad value. No I/O,
//! no async.

mod call;
mod callback;
mod callback_url;
mod client_name;
mod event_id;
mod excerpt;
mod file_content;
pub mod file_path;
mod filter;
mod ids;
mod image;
mod listed;
pub mod markup;
mod notification;
mod operation;
mod pause;
mod public_address;
pub mod raw_json;
mod recipient;
mod record;
mod time;
pub mod whatsmate;

pub use call::{Call, Media, MediaKind, MediaSource};
pub use callback::{CallbackEvent, CallbackId, CallbackState};
pub use callback_url::{CallbackUrl, InvalidCallbackUrl};
pub use client_name::ClientName;
pub use event_id::EventId;
pub use file_content::FileContent;
pub use filter::{Filter, Viewer};
pub use ids::{BotName, ChatId, InvalidIdError, NotificationId, Sha256};
pub use image::ImageFormat;
pub use listed::{ListedNotification, ListedRecord, ListedResult};
pub use notification::{Deferral, DeliveryGuarantee, FollowUp, Lane, Notification};
pub use operation::{Operation, OperationId, OperationKind, Progress};
pub use pause::{BotPauses, Pause, PauseList, PauseTarget};
pub use public_address::is_public;
pub use recipient::{Address, GroupName, PendingGroup, PhoneNumber, Recipient, RecipientSource, RecipientState};
pub use record::{Attempt, AttemptOutcome, Failure, FailureClass, Record, RecordUpdate, Status};
pub use time::Timestamp;
