//! What a media argument means, and whether Telegram would take it.

use super::call::SandboxCall;
use crate::sandbox::arguments::{leading_integer, percent_decoded};
use crate::sandbox::files::{CheckedMedia, ReceivedFile, check_file, check_thumbnail, media_by_url};
use crate::sandbox::log::{FileKind, MediaOrigin, SandboxMedia};
use crate::sandbox::sandbox_error::{ApiResult, SandboxError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The longest that a file may say it plays (Bot API server).
const MAX_DURATION_SECONDS: i64 = 86_400;
/// The longest side that a file may say it has, in pixels (Bot API server).
const MAX_SIDE_PIXELS: i64 = 10_000;

/// Where media come from.
pub enum MediaArgument {
    File(Arc<ReceivedFile>),
    Url(String),
    FileId(String),
    /// A file on this machine's disk, for a sandbox that plays a local server.
    Path(PathBuf),
}

/// What a sender says about a file that it uploads.
#[derive(Default)]
pub struct MediaDetails {
    sides: (u16, u16),
    duration: Option<u32>,
    title: Option<Box<str>>,
    performer: Option<Box<str>>,
    thumbnail: Option<MediaArgument>,
}

impl MediaDetails {
    /// Reads the parameters that go with a kind; of a thumbnail only an upload counts, all else is ignored. A file part of a
    /// parameter's name is to be given as `attach://`.
    pub fn read(kind: FileKind, get: &dyn Fn(&str) -> Option<String>, call: &SandboxCall) -> Self {
        let number = |name, most| get(name).map(|text| i64::from(leading_integer(&text) as i32).clamp(0, most));
        let side = |name| number(name, MAX_SIDE_PIXELS).unwrap_or(0) as u16;
        let text = |name| get(name).filter(|text| !text.is_empty()).map(Into::into);
        let sides = match kind {
            FileKind::Video | FileKind::Animation => (side("width"), side("height")),
            FileKind::VideoNote => (side("length"), side("length")),
            _ => (0, 0),
        };
        let thumbnail = |name| MediaArgument::of_text(&get(name)?, call);
        let thumbnail = kind.takes_thumbnail().then(|| thumbnail("thumbnail").or_else(|| thumbnail("thumb"))).flatten();
        Self {
            sides,
            duration: number("duration", MAX_DURATION_SECONDS).filter(|_| kind.plays()).map(|seconds| seconds as u32),
            title: text("title").filter(|_| kind == FileKind::Audio),
            performer: text("performer").filter(|_| kind == FileKind::Audio),
            thumbnail,
        }
    }

    /// Adds what was said to the media; not the sides, since a file may tell them itself.
    fn apply(self, media: SandboxMedia) -> SandboxMedia {
        SandboxMedia { duration: self.duration, title: self.title, performer: self.performer, ..media }
    }
}

impl MediaArgument {
    /// What a text means: `attach://` names a file part, what has a dot is a URL, all else is a file_id.
    pub fn of_text(text: &str, call: &SandboxCall) -> Option<Self> {
        match text.strip_prefix("attach://") {
            Some(part) => call.arguments.file(part).map(Self::File),
            None if call.state.options.local && text.starts_with("file:/") => {
                let path = percent_decoded(text.trim_start_matches("file:").as_bytes());
                let path = String::from_utf8_lossy(&path).into_owned();
                Some(Self::Path(PathBuf::from(path.replacen("//", "", usize::from(path.starts_with("///"))))))
            }
            None if text.contains('.') => Some(Self::Url(text.to_owned())),
            None => Some(Self::FileId(text.to_owned())),
        }
    }

    /// The media of an argument: its text, or else the file part of its name.
    pub fn of_argument(name: &str, call: &SandboxCall) -> Option<Self> {
        match call.arguments.text(name) {
            Some(text) => Self::of_text(text, call),
            None => call.arguments.file(name).map(Self::File),
        }
    }

    /// Checks the media as Telegram does. With `detect` a file may turn out to be of another kind than it was sent as.
    pub async fn check(
        self,
        call: &SandboxCall,
        kind: FileKind,
        detect: bool,
        details: MediaDetails,
    ) -> ApiResult<CheckedMedia> {
        let state = &call.state;
        let upload = match self {
            Self::File(upload) => upload,
            Self::Path(path) => from_disk(call, &path).await?,
            Self::Url(url) => {
                let media = media_by_url(&state.files, state.addr, &url, kind)?;
                return Ok(CheckedMedia::known(details.apply(media)));
            }
            Self::FileId(id) => {
                let id = state.files.check_file_id(call.bot, &id, kind)?;
                return Ok(CheckedMedia::known(state.files.media(&id, MediaOrigin::FileId)));
            }
        };
        let mut media = check_file(&upload, kind, detect, state.options.max_file_bytes()).await?;
        if media.width == 0 && kind != FileKind::Photo {
            (media.width, media.height) = details.sides;
        }
        let mut uploads = vec![upload];
        let thumbnail = match &details.thumbnail {
            Some(Self::Path(path)) => Some(from_disk(call, path).await?),
            Some(Self::File(upload)) => Some(upload.clone()),
            _ => None,
        };
        if let Some(upload) = thumbnail {
            media.thumbnail = check_thumbnail(&upload).await?.map(Box::new);
            uploads.extend(media.thumbnail.is_some().then_some(upload));
        }
        Ok(CheckedMedia { media: details.apply(media), uploads })
    }
}

/// Takes a file from the disk as if it had been uploaded.
async fn from_disk(call: &SandboxCall, path: &Path) -> ApiResult<Arc<ReceivedFile>> {
    let missing = |_| SandboxError::bad("wrong file identifier/HTTP URL specified");
    let (path, incoming) = (path.to_owned(), call.state.files.store.incoming());
    let copied = tokio::task::spawn_blocking(move || ReceivedFile::copied(&path, &incoming));
    copied.await.map_err(io::Error::other).and_then(|copied| copied).map(Arc::new).map_err(missing)
}
