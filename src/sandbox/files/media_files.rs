//! All files of the sandbox: the store on disk, and what was said about the files when they were uploaded.

use super::file_id::{FileIdError, FileIdWriter, SandboxFileId};
use super::media_store::{MediaStore, ReceivedFile};
use crate::domain::Sha256;
use crate::sandbox::bounded_map::BoundedMap;
use crate::sandbox::locked::Locked;
use crate::sandbox::log::{FileKind, MediaOrigin, SandboxMedia};
use crate::sandbox::sandbox_error::{ApiResult, SandboxError};
use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// All files; each part has its lock inside.
pub struct MediaFiles {
    pub store: MediaStore,
    known: Locked<KnownFiles>,
}

#[derive(Default)]
struct KnownFiles {
    /// What was said about files that are not photos when they were uploaded, which goes with them when they are sent
    /// again; of what was forgotten a file_id still says the kind, the size and the content.
    details: BoundedMap<(u64, FileKind, Sha256, u32), SandboxMedia, 20_000>,
    /// How often a bot's file_ids were forgotten.
    epochs: HashMap<u64, u32>,
}

/// Media that would be taken, and the files that came with them.
pub struct CheckedMedia {
    pub media: SandboxMedia,
    pub uploads: Vec<Arc<ReceivedFile>>,
}

impl CheckedMedia {
    /// Media that are there already.
    pub fn known(media: SandboxMedia) -> Self {
        Self { media, uploads: Vec::new() }
    }
}

impl MediaFiles {
    /// Opens a folder, see [`MediaStore::open`].
    pub fn open(dir: PathBuf, max_files: usize, max_bytes: u64) -> io::Result<Self> {
        Ok(Self { store: MediaStore::open(dir, max_files, max_bytes)?, known: Locked::default() })
    }

    /// Keeps the files that came with media.
    pub fn keep(&self, checked: &CheckedMedia) -> ApiResult<()> {
        checked.uploads.iter().try_for_each(|upload| self.store.keep(upload)).map_err(|e| {
            tracing::error!(error = %e, "the sandbox cannot keep a picture");
            SandboxError::new(500, "Internal Server Error: the sandbox cannot write to its folder")
        })
    }

    /// Takes note of what was said about a file that is new.
    pub fn remember(&self, bot: u64, media: &SandboxMedia) {
        if media.how != MediaOrigin::FileId && media.kind != FileKind::Photo {
            let key = (bot, media.kind, media.sha256, media.details_hash());
            self.known.lock().details.put(key, media.clone());
        }
    }

    /// From now on no file_id of the bot is good.
    pub fn forget_file_ids(&self, bot: u64) {
        *self.known.lock().epochs.entry(bot).or_default() += 1;
    }

    fn epoch(&self, bot: u64) -> u32 {
        self.known.lock().epochs.get(&bot).copied().unwrap_or(0)
    }

    /// Writes a bot's file_ids.
    pub fn file_ids(&self, bot: u64) -> FileIdWriter<'_> {
        FileIdWriter { secret: &self.store.secret, bot, epoch: self.epoch(bot) }
    }

    /// Reads a file_id of any bot.
    pub fn decode(&self, text: &str) -> Result<SandboxFileId, FileIdError> {
        SandboxFileId::decode(text, &self.store.secret)
    }

    /// Reads a file_id that the bot got and that was not forgotten.
    pub fn decode_for(&self, bot: u64, text: &str) -> Result<SandboxFileId, FileIdError> {
        let id = self.decode(text)?;
        if id.bot == bot && id.epoch == self.epoch(bot) { Ok(id) } else { Err(FileIdError::Unknown) }
    }

    /// Reads a file_id that the bot may send as a kind.
    pub fn check_file_id(&self, bot: u64, text: &str, kind: FileKind) -> ApiResult<SandboxFileId> {
        let id = self.decode_for(bot, text).map_err(|e| match e {
            FileIdError::Unknown => SandboxError::core("MEDIA_EMPTY", "wrong file identifier/HTTP URL specified"),
            FileIdError::Unreadable(why) => SandboxError::bad(format!("wrong remote file identifier specified: {why}")),
        })?;
        if !id.kind.passes_as(kind) {
            let (is, wanted) = (id.kind.name(), kind.name());
            return Err(SandboxError::bad(format!("can't use file of type {is} as {wanted}")));
        }
        Ok(id)
    }

    /// The file of a file_id, with what is still known about it.
    pub fn media(&self, id: &SandboxFileId, how: MediaOrigin) -> SandboxMedia {
        let known = self.known.lock().details.get(&(id.bot, id.kind, id.sha256, id.details_hash)).cloned();
        let media = known.unwrap_or_else(|| SandboxMedia::new(id.kind, how, id.sha256, id.bytes));
        SandboxMedia { how, width: id.width, height: id.height, elsewhere: id.elsewhere, url: None, ..media }
    }
}
