//! The spool: uploads on their way to the blob store. They are written to a temporary file while they arrive (streaming),
//! hashed on the way, and rejected as soon as they are too large or no image.
//!
//! Pieces are hashed and written where they arrive, on the thread that answers requests, and not on a thread for
//! blocking work: the write only fills the page cache, and a connection whose bytes are taken at once needs half the
//! memory of one that has to wait (measured with 200 uploads of 10 MB: 94 MB against 148 MB for the whole process).
//!
//! Every process spools into a folder of its own and holds a file lock in it, which the system releases when the process
//! ends, however it ends. A folder whose lock is free is therefore left over.

use super::caller::Caller;
use super::caller_quota::{CallerQuotas, SpoolShare};
use super::image_check::{self, ImageInspector};
use super::rejection::{ProblemCode, Rejection};
use super::room::Room;
use crate::domain::{FileContent, ImageFormat, Sha256};
use crate::imaging::ImageInfo;
use crate::ports::Spooled;
use sha2::Digest;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::{NamedTempFile, TempPath};
use tokio::task::spawn_blocking;

/// The largest photo in bytes (Bot API server).
pub const PHOTO_LIMIT_BYTES: u64 = 10_485_760;
/// The largest file other than a photo, in bytes (Bot API: 50 MB).
pub const FILE_LIMIT_BYTES: u64 = 50 << 20;
/// What the names of temporary files begin with.
const UPLOAD_PREFIX: &str = "upload-";
/// What the names of the folders begin with.
const FOLDER_PREFIX: &str = "process-";
/// The file in each folder that its process holds locked.
const LOCK_FILE: &str = "lock";
/// How often making a folder is tried: another process may take it for left over before it is locked.
const MAX_FOLDER_ATTEMPTS: usize = 10;

/// The folder that uploads are spooled in; removed with its last clone.
#[derive(Clone, Debug)]
pub struct Spool {
    root: PathBuf,
    folder: Arc<ProcessFolder>,
    inspector: ImageInspector,
    room: Arc<Room>,
    /// On whose behalf images are checked, and who is counted for what is uploaded.
    caller: Caller,
    quotas: Arc<CallerQuotas>,
}

/// The folder of this process; removed when dropped.
#[derive(Debug)]
struct ProcessFolder {
    path: PathBuf,
    _lock: File,
}

impl Drop for ProcessFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

impl Spool {
    /// Makes the folder if it is missing, and removes what killed processes left behind. Blocks.
    pub fn open(root: PathBuf) -> io::Result<Self> {
        std::fs::create_dir_all(&root)?;
        let folder = Arc::new(ProcessFolder::make(&root)?);
        let room = Arc::new(Room::of(vec![root.clone()]));
        let (inspector, caller, quotas) = (ImageInspector::new(), Caller::default(), CallerQuotas::unlimited());
        let spool = Self { root, folder, inspector, room, caller, quotas };
        spool.sweep()?;
        Ok(spool)
    }

    /// The same, where what is taken in goes on into a folder that may be on another disk.
    pub fn with_images_in(self, folder: PathBuf) -> Self {
        Self { room: Arc::new(Room::of(vec![self.root.clone(), folder])), ..self }
    }

    /// The same, with quotas for each caller.
    pub fn with_quotas(self, quotas: Arc<CallerQuotas>) -> Self {
        Self { quotas, ..self }
    }

    /// The same, on behalf of a caller: those who wait for images to be checked share the processor evenly, and each has its
    /// quotas.
    pub fn for_caller(&self, caller: Caller) -> Self {
        Self { caller, ..self.clone() }
    }

    /// The room on its disk, which is that of the data folder, and on that of the images if they have a folder.
    pub fn room(&self) -> &Arc<Room> {
        &self.room
    }

    /// Makes a file; notices if there is no room for it.
    fn temporary_file(&self) -> Result<NamedTempFile, Rejection> {
        self.folder.temporary_file().inspect_err(|rejection| self.room.notice(rejection))
    }

    /// Removes what killed processes left behind; returns how many folders. Blocks.
    pub fn sweep(&self) -> io::Result<usize> {
        let others = std::fs::read_dir(&self.root)?.flatten().map(|entry| entry.path()).filter(|folder| {
            let name = folder.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with(FOLDER_PREFIX) && *folder != self.folder.path
        });
        Ok(others.filter(|folder| remove_leftover(folder).unwrap_or(false)).count())
    }

    /// Begins the upload of a photo: rejected unless Telegram would take it as one.
    pub fn begin(&self) -> UploadWriter {
        self.writer(ExpectedContent::Photo, PHOTO_LIMIT_BYTES, "photo")
    }

    /// Begins the upload of an image that may be sent as a photo, or else as a document. Whether Telegram takes it as a photo is
    /// for [`Spool::verify_photo`] to say.
    pub fn begin_image(&self, field: &str) -> UploadWriter {
        self.writer(ExpectedContent::Anything, FILE_LIMIT_BYTES, field)
    }

    /// Begins the upload of any file of at most `limit` bytes; rejections blame `field`.
    pub fn begin_file(&self, field: &str, limit: u64) -> UploadWriter {
        self.writer(ExpectedContent::Anything, limit, field)
    }

    /// Reads an upload to its end, and rejects what Telegram would not take as a photo, whatever its size in bytes. What is
    /// rejected can be sent as a document, or be given to [`Spool::shrink`]. Uploads of [`Spool::begin`] are verified
    /// already.
    pub async fn verify(&self, upload: &Upload) -> Result<ImageInfo, Rejection> {
        self.inspector.verify(upload.path.to_path_buf(), upload.sha256, &self.caller).await
    }

    /// The same; also rejects a photo of too many bytes.
    pub async fn verify_photo(&self, upload: &Upload) -> Result<ImageInfo, Rejection> {
        if upload.size > PHOTO_LIMIT_BYTES {
            return Err(photo_too_large());
        }
        self.verify(upload).await
    }

    /// What [`Spool::verify`] has found lately of the bytes of this digest.
    pub fn known_verdict(&self, sha256: &Sha256) -> Option<Result<ImageInfo, Rejection>> {
        self.inspector.verdict(sha256)
    }

    /// Rejects an image that is damaged, whatever its size; what is no image passes.
    pub async fn verify_whole(&self, upload: &Upload) -> Result<(), Rejection> {
        match upload.format {
            Some(_) => self.inspector.verify_whole(upload.path.to_path_buf(), &self.caller).await,
            None => Ok(()),
        }
    }

    /// Scales an image that Telegram would not take as a photo down to one, as [`crate::imaging::fit`] does. `image` may be
    /// larger than a photo, or WebP; the file stays as it is.
    pub async fn shrink(&self, image: &Path) -> Result<Upload, Rejection> {
        let path = self.temporary_file()?.into_temp_path();
        let fitted = self.inspector.fit(image.to_owned(), path.to_path_buf(), &self.caller).await;
        let shrunk = fitted.inspect_err(|rejection| self.room.notice(rejection))?;
        let mut share = self.quotas.begin_upload(&self.caller);
        share.grow(shrunk.bytes)?;
        blocking(move || {
            let sha256 = Sha256::of(&std::fs::read(&path).map_err(|e| Rejection::of_spool(&e))?);
            Ok(Upload { path, sha256, size: shrunk.bytes, format: Some(shrunk.format), share })
        })
        .await
    }

    fn writer(&self, expected: ExpectedContent, limit: u64, field: &str) -> UploadWriter {
        let (spool, field) = (self.clone(), field.to_owned());
        UploadWriter { field, expected, limit, head: Vec::new(), file: None, size: 0, spool }
    }
}

impl ProcessFolder {
    fn make(root: &Path) -> io::Result<Self> {
        for _ in 0..MAX_FOLDER_ATTEMPTS {
            let path = root.join(format!("{FOLDER_PREFIX}{:016x}", fastrand::u64(..)));
            let lock_path = path.join(LOCK_FILE);
            std::fs::create_dir(&path)?;
            // Another process that finds the folder before it is locked may remove it; afterwards none does.
            let locked = File::create_new(&lock_path).and_then(|file| Ok(file.try_lock().map(|()| file)?));
            match locked {
                Ok(lock) if lock_path.exists() => return Ok(Self { path, _lock: lock }),
                Ok(_) => {}
                Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::WouldBlock) => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::other("the folder for uploads is removed again and again"))
    }

    fn temporary_file(&self) -> Result<NamedTempFile, Rejection> {
        let file = tempfile::Builder::new().prefix(UPLOAD_PREFIX).tempfile_in(&self.path);
        file.map_err(|e| Rejection::of_spool(&e))
    }
}

/// Removes the folder of a process that has ended; returns whether it has.
fn remove_leftover(folder: &Path) -> io::Result<bool> {
    let lock = match File::open(folder.join(LOCK_FILE)) {
        Ok(lock) => lock,
        // Its process has ended, or has not locked it yet: then the folder is no longer empty in a moment, and this fails.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return std::fs::remove_dir(folder).map(|()| true),
        Err(error) => return Err(error),
    };
    match lock.try_lock() {
        Ok(()) => std::fs::remove_dir_all(folder).map(|()| true),
        Err(_) => Ok(false),
    }
}

/// An upload that is arriving. Dropping it removes the file.
pub struct UploadWriter {
    field: String,
    expected: ExpectedContent,
    limit: u64,
    /// The first bytes, until there are enough of them to know the format.
    head: Vec<u8>,
    file: Option<UploadFile>,
    size: u64,
    spool: Spool,
}

/// What the bytes of an upload have to be.
#[derive(Clone, Copy, PartialEq)]
enum ExpectedContent {
    Photo,
    Anything,
}

/// The temporary file of an upload whose format is known.
struct UploadFile {
    file: NamedTempFile,
    hasher: sha2::Sha256,
    format: Option<ImageFormat>,
    room: Arc<Room>,
    share: SpoolShare,
}

impl UploadFile {
    fn open(spool: &Spool, head: &[u8], expected: ExpectedContent) -> Result<Self, Rejection> {
        let format = match expected {
            ExpectedContent::Photo => Some(image_check::format(head)?),
            ExpectedContent::Anything => ImageFormat::sniff(head),
        };
        let (file, room) = (spool.temporary_file()?, spool.room.clone());
        let share = spool.quotas.begin_upload(&spool.caller);
        let mut file = Self { file, hasher: sha2::Sha256::new(), format, room, share };
        file.write(head)?;
        Ok(file)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Rejection> {
        self.share.grow(bytes.len() as u64)?;
        self.hasher.update(bytes);
        let written = self.file.write_all(bytes).map_err(|e| Rejection::of_spool(&e));
        written.inspect_err(|rejection| self.room.notice(rejection))
    }
}

impl UploadWriter {
    /// Takes the next bytes; rejects the upload as soon as it is clear that it cannot be accepted.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Rejection> {
        self.size += bytes.len() as u64;
        if self.size > self.limit {
            return Err(self.too_large());
        }
        if let Some(file) = &mut self.file {
            return file.write(bytes);
        }
        self.head.extend_from_slice(bytes);
        if self.head.len() >= ImageFormat::SNIFF_BYTES {
            self.file = Some(UploadFile::open(&self.spool, &std::mem::take(&mut self.head), self.expected)?);
        }
        Ok(())
    }

    /// Ends the upload, and verifies a photo.
    pub async fn finish(self) -> Result<Upload, Rejection> {
        let file = match self.file {
            Some(file) => file,
            None => UploadFile::open(&self.spool, &self.head, self.expected)?,
        };
        let sha256 = Sha256::from_bytes(file.hasher.finalize().into());
        let path = file.file.into_temp_path();
        let upload = Upload { path, sha256, size: self.size, format: file.format, share: file.share };
        if self.expected == ExpectedContent::Photo {
            self.spool.verify(&upload).await?;
        }
        Ok(upload)
    }

    fn too_large(&self) -> Rejection {
        if self.expected == ExpectedContent::Photo {
            return photo_too_large();
        }
        let detail = format!("{} may have {} bytes. Telegram takes no larger file.", self.field, self.limit);
        Rejection::field(ProblemCode::FileTooLarge, self.field.clone(), detail)
    }
}

/// The rejection of an image of too many bytes.
pub fn photo_too_large() -> Rejection {
    let detail = format!("A photo may have {PHOTO_LIMIT_BYTES} bytes (10 MiB). Scale it down or compress it further.");
    Rejection::field(ProblemCode::PhotoTooLarge, "photo", detail)
}

/// Runs file work on a thread for blocking work.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Rejection> + Send + 'static,
) -> Result<T, Rejection> {
    match spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(Rejection::unavailable("spool", &error)),
    }
}

/// A complete file on local disk. Dropping it removes the file.
#[derive(Debug)]
pub struct Upload {
    path: TempPath,
    sha256: Sha256,
    size: u64,
    format: Option<ImageFormat>,
    share: SpoolShare,
}

impl Upload {
    /// Checks that its caller may bring it in to be kept.
    ///
    /// # Errors
    /// [`ProblemCode::TooMuchKept`].
    pub fn check_may_be_kept(&self) -> Result<(), Rejection> {
        self.share.check_keep()
    }

    /// Counts it as one that its caller has brought in.
    pub fn count_as_kept(&self) {
        self.share.keep();
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file as the blob store takes it.
    pub fn spooled(&self) -> Spooled {
        Spooled { content: FileContent::File(self.path.to_path_buf()), sha256: self.sha256, size: self.size }
    }

    /// The digest of its bytes.
    pub fn sha256(&self) -> Sha256 {
        self.sha256
    }

    /// The format of its bytes, if they begin like an image that Telegram takes as a photo.
    pub fn format(&self) -> Option<ImageFormat> {
        self.format
    }
}

#[cfg(test)]
#[path = "spool_tests.rs"]
mod tests;
