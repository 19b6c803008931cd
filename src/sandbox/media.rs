//! What a media argument means, and whether Telegram would take it.

use super::arguments::Arguments;
use super::desk::Desk;
use super::error::ApiError;
use super::file_id::{FileId, Unusable};
use super::form::percent_decoded;
use super::message::{How, Kind, Media, Thumbnail};
use super::sniff::{self, Look};
use super::store::Upload;
use super::{State, by_url};
use crate::domain::ImageFormat;
use crate::imaging::{self, ImageRejection};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The largest photo, in bytes (Bot API).
const MAX_PHOTO: u64 = 10_485_760;
/// The largest thumbnail, in bytes (TDLib).
const MAX_THUMBNAIL: u64 = 204_799;
/// The longest side of a thumbnail, in pixels (Bot API).
const THUMBNAIL_SIDE: u16 = 320;
/// The longest that a file may say it plays, in seconds (Bot API server).
const MAX_DURATION: i64 = 86_400;
/// The longest side that a file may say it has, in pixels (Bot API server).
const MAX_SIDE: i64 = 10_000;
/// What the names of photos must end with (TDLib).
const EXTENSIONS: [&str; 6] = ["jpg", "jpeg", "gif", "png", "tif", "bmp"];

/// Where media come from.
pub(super) enum Source {
    File(Arc<Upload>),
    Url(String),
    FileId(String),
    /// A file on this machine's disk, for a sandbox that plays a local server.
    Path(PathBuf),
}

/// Media that would be taken, and the files that came with them.
pub(super) struct Checked {
    pub media: Media,
    pub uploads: Vec<Arc<Upload>>,
}

impl Checked {
    /// Media that are there already.
    pub fn known(media: Media) -> Self {
        Self { media, uploads: Vec::new() }
    }
}

/// What a sender says about a file that it uploads.
#[derive(Default)]
pub(super) struct Particulars {
    sides: (u16, u16),
    duration: Option<u32>,
    title: Option<Box<str>>,
    performer: Option<Box<str>>,
    thumbnail: Option<Source>,
}

impl Particulars {
    /// Reads the parameters that go with a kind; of a thumbnail only an upload counts, all else is ignored. A file part of a
    /// parameter's name is to be given as `attach://`.
    pub fn read(kind: Kind, get: &dyn Fn(&str) -> Option<String>, arguments: &Arguments, state: &State) -> Self {
        let number = |name, most| get(name).map(|text| text.trim().parse::<i64>().unwrap_or(0).clamp(0, most));
        let side = |name| number(name, MAX_SIDE).unwrap_or(0) as u16;
        let text = |name| get(name).filter(|text| !text.is_empty()).map(Into::into);
        let sides = match kind {
            Kind::Video | Kind::Animation => (side("width"), side("height")),
            Kind::VideoNote => (side("length"), side("length")),
            _ => (0, 0),
        };
        let thumbnail = |name| Source::of_text(&get(name)?, arguments, state);
        let thumbnail = kind.takes_thumbnail().then(|| thumbnail("thumbnail").or_else(|| thumbnail("thumb"))).flatten();
        Self {
            sides,
            duration: number("duration", MAX_DURATION).filter(|_| kind.plays()).map(|seconds| seconds as u32),
            title: text("title").filter(|_| kind == Kind::Audio),
            performer: text("performer").filter(|_| kind == Kind::Audio),
            thumbnail: thumbnail.filter(|source| matches!(source, Source::File(_) | Source::Path(_))),
        }
    }
}

impl Source {
    /// What a text means: `attach://` names a file part, what has a dot is a URL, all else is a file_id.
    pub fn of_text(text: &str, arguments: &Arguments, state: &State) -> Option<Self> {
        match text.strip_prefix("attach://") {
            Some(part) => arguments.file(part).map(Self::File),
            None if state.options.local && text.starts_with("file:/") => {
                let path = percent_decoded(text.trim_start_matches("file:").as_bytes(), false);
                let path = String::from_utf8_lossy(&path).into_owned();
                Some(Self::Path(PathBuf::from(path.replacen("//", "", usize::from(path.starts_with("///"))))))
            }
            None if text.contains('.') => Some(Self::Url(text.to_owned())),
            None => Some(Self::FileId(text.to_owned())),
        }
    }

    /// The media of an argument: its text, or else the file part of its name.
    pub fn of_argument(name: &str, arguments: &Arguments, state: &State) -> Option<Self> {
        match arguments.text(name) {
            Some(text) => Self::of_text(text, arguments, state),
            None => arguments.file(name).map(Self::File),
        }
    }

    /// Checks the media as Telegram does. With `detect` a file may turn out to be of another kind than it was sent as.
    pub async fn check(
        self,
        state: &State,
        bot: u64,
        kind: Kind,
        detect: bool,
        said: Particulars,
    ) -> Result<Checked, ApiError> {
        let upload = match self {
            Self::File(upload) => upload,
            Self::Path(path) => from_disk(state, &path).await?,
            Self::Url(url) => {
                let mut media = by_url::media(state, &url, kind)?;
                (media.duration, media.title, media.performer) = (said.duration, said.title, said.performer);
                return Ok(Checked::known(media));
            }
            Self::FileId(id) => {
                let id = check_file_id(state, bot, &id, kind)?;
                return Ok(Checked::known(of_file_id(&state.desk(), &id, How::FileId)));
            }
        };
        let mut media = file(state, &upload, kind, detect).await?;
        if media.width == 0 && kind != Kind::Photo {
            (media.width, media.height) = said.sides;
        }
        (media.duration, media.title, media.performer) = (said.duration, said.title, said.performer);
        let mut uploads = vec![upload];
        if let Some(thumbnail) = said.thumbnail {
            let upload = match thumbnail {
                Self::Path(path) => from_disk(state, &path).await?,
                Self::File(upload) => upload,
                Self::Url(_) | Self::FileId(_) => return Ok(Checked { media, uploads }),
            };
            media.thumbnail = self::thumbnail(&upload).await?.map(Box::new);
            uploads.extend(media.thumbnail.is_some().then_some(upload));
        }
        Ok(Checked { media, uploads })
    }
}

/// Takes a file from the disk as if it had been uploaded.
async fn from_disk(state: &State, path: &Path) -> Result<Arc<Upload>, ApiError> {
    let missing = |_| ApiError::bad("wrong file identifier/HTTP URL specified");
    let (path, incoming) = (path.to_owned(), state.store.incoming());
    let copied = tokio::task::spawn_blocking(move || Upload::copied(&path, &incoming));
    copied.await.map_err(io::Error::other).and_then(|copied| copied).map(Arc::new).map_err(missing)
}

/// Reads a file_id that the bot may use for a kind.
pub(super) fn check_file_id(state: &State, bot: u64, text: &str, kind: Kind) -> Result<FileId, ApiError> {
    let id = known(state, bot, text)?;
    if !id.kind.passes_as(kind) {
        let (is, wanted) = (id.kind.name(), kind.name());
        return Err(ApiError::bad(format!("can't use file of type {is} as {wanted}")));
    }
    Ok(id)
}

fn known(state: &State, bot: u64, text: &str) -> Result<FileId, ApiError> {
    match FileId::decode(text, &state.store.secret) {
        Ok(id) if id.bot == bot && id.epoch == state.desk().epoch(bot) => Ok(id),
        Ok(_) | Err(Unusable::Unknown) => {
            Err(ApiError::core("MEDIA_EMPTY", "wrong file identifier/HTTP URL specified"))
        }
        Err(Unusable::Unreadable(why)) => Err(ApiError::bad(format!("wrong remote file identifier specified: {why}"))),
    }
}

/// The file of a file_id, with what is still known about it.
pub(super) fn of_file_id(desk: &Desk, id: &FileId, how: How) -> Media {
    let media = match desk.recall(id) {
        Some(known) => known.clone(),
        None => Media::new(id.kind, how, id.sha256, id.bytes),
    };
    Media { how, width: id.width, height: id.height, elsewhere: id.elsewhere, url: None, ..media }
}

async fn file(state: &State, upload: &Upload, kind: Kind, detect: bool) -> Result<Media, ApiError> {
    if upload.bytes == 0 {
        return Err(ApiError::bad("file must be non-empty"));
    }
    let mut media = Media::new(kind, How::Upload, upload.sha256, upload.bytes);
    media.file_name = Some(upload.file_name.chars().take(255).collect::<String>().into());
    if kind != Kind::Photo {
        if upload.bytes > state.options.max_file() {
            return Err(ApiError::new(413, "Request Entity Too Large"));
        }
        let (look, size) = inspect(&upload.path).await;
        if detect {
            media.kind = look.sent_as(kind);
        }
        if matches!(media.kind, Kind::Animation | Kind::Sticker) {
            (media.width, media.height) = size.unwrap_or_default();
        }
        return Ok(media);
    }
    if upload.bytes > MAX_PHOTO {
        return Err(too_big(upload.bytes, "photo", MAX_PHOTO));
    }
    let extension = Path::new(&upload.file_name).extension().and_then(|extension| extension.to_str()).unwrap_or("");
    if !EXTENSIONS.contains(&extension.to_ascii_lowercase().as_str()) {
        let text = "photo has unsupported extension. Use one of .jpg, .jpeg, .gif, .png, .tif or .bmp";
        return Err(ApiError::bad(text));
    }
    (media.width, media.height) = match inspect(&upload.path).await.1 {
        Ok(size) => size,
        Err(ImageRejection::Dimensions { .. } | ImageRejection::Ratio { .. } | ImageRejection::NoPixels) => {
            return Err(ApiError::core("PHOTO_INVALID_DIMENSIONS", "PHOTO_INVALID_DIMENSIONS"));
        }
        Err(_) => return Err(ApiError::core("IMAGE_PROCESS_FAILED", "IMAGE_PROCESS_FAILED")),
    };
    Ok(media)
}

/// A thumbnail, unless it is one that Telegram passes over: not a JPEG, or too wide or high.
async fn thumbnail(upload: &Upload) -> Result<Option<Thumbnail>, ApiError> {
    if upload.bytes == 0 {
        return Err(ApiError::bad("file must be non-empty"));
    }
    if upload.bytes > MAX_THUMBNAIL {
        return Err(too_big(upload.bytes, "thumbnail", MAX_THUMBNAIL));
    }
    Ok(match inspect(&upload.path).await {
        (Look::Image(ImageFormat::Jpeg), Ok((width, height))) if width.max(height) <= THUMBNAIL_SIDE => {
            Some(Thumbnail { sha256: upload.sha256, bytes: upload.bytes, width, height })
        }
        _ => None,
    })
}

fn too_big(bytes: u64, what: &str, most: u64) -> ApiError {
    ApiError::bad(format!("file of size {bytes} bytes is too big for a {what}; the maximum size is {most} bytes"))
}

/// What a file looks like and, of an image that decodes to its end, its size in pixels.
async fn inspect(path: &Path) -> (Look, Result<(u16, u16), ImageRejection>) {
    let path: PathBuf = path.to_owned();
    let looked = tokio::task::spawn_blocking(move || {
        let mut head = Vec::new();
        let size = imaging::verify(&path).map(|image| (image.width as u16, image.height as u16));
        File::open(&path).ok()?.take(sniff::BYTES as u64).read_to_end(&mut head).ok()?;
        Some((Look::at(&head), size))
    });
    looked.await.ok().flatten().unwrap_or((Look::Unknown, Err(ImageRejection::NoPixels)))
}
