//! The pictures and other files: kept on disk, named by file_ids, checked when they come and sent out when asked for.

mod by_url;
mod content_type;
mod download;
mod file_id;
mod media_check;
mod media_files;
mod media_store;
mod signature;

pub use by_url::media_by_url;
pub use content_type::{content_type, extension};
pub use download::send_content;
pub use file_id::{FileIdError, FileIdWriter, SandboxFileId, unique_file_id};
pub use media_check::{check_file, check_thumbnail};
pub use media_files::{CheckedMedia, MediaFiles};
pub use media_store::{MediaStore, ReceivedFile};
