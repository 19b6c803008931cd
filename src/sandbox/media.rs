//! What a media argument means, and whether Telegram would take it.

use super::State;
use super::arguments::Arguments;
use super::error::ApiError;
use super::file_id::{FileId, Unusable};
use super::message::{How, Kind, Media};
use super::store::Upload;
use crate::domain::{ImageFormat, Sha256};
use crate::imaging::{self, Unfit};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The largest photo, in bytes (Bot API).
const MAX_PHOTO: u64 = 10_485_760;
/// The largest other file, in bytes (Bot API).
const MAX_FILE: u64 = 50 << 20;
/// What the names of photos must end with (TDLib).
const EXTENSIONS: [&str; 6] = ["jpg", "jpeg", "gif", "png", "tif", "bmp"];

/// Where media come from.
pub(super) enum Source {
    File(Arc<Upload>),
    Url(String),
    FileId(String),
}

/// Media that would be taken, and their bytes if they are in the request.
pub(super) struct Checked {
    pub media: Media,
    pub upload: Option<Arc<Upload>>,
}

impl Source {
    /// What a text means: `attach://` names a file part, what has a dot is a URL, all else is a file_id.
    pub fn of_text(text: &str, arguments: &Arguments) -> Option<Self> {
        match text.strip_prefix("attach://") {
            Some(part) => arguments.file(part).map(Self::File),
            None if text.contains('.') => Some(Self::Url(text.to_owned())),
            None => Some(Self::FileId(text.to_owned())),
        }
    }

    /// The media of an argument: its text, or else the file part of its name.
    pub fn of_argument(name: &str, arguments: &Arguments) -> Option<Self> {
        match arguments.text(name) {
            Some(text) => Self::of_text(text, arguments),
            None => arguments.file(name).map(Self::File),
        }
    }

    /// Checks the media as Telegram does.
    pub async fn check(self, state: &State, bot: u64, kind: Kind, detect: bool) -> Result<Checked, ApiError> {
        match self {
            Self::File(upload) => {
                let media = file(&upload, kind, detect).await?;
                Ok(Checked { media, upload: Some(upload) })
            }
            Self::Url(url) => Ok(Checked { media: by_url(state, &url, kind)?, upload: None }),
            Self::FileId(id) => {
                let id = known(state, bot, &id)?;
                if !id.kind.passes_as(kind) {
                    let (is, wanted) = (id.kind.name(), kind.name());
                    return Err(ApiError::bad(format!("can't use file of type {is} as {wanted}")));
                }
                Ok(Checked { media: of_file_id(&id, How::FileId), upload: None })
            }
        }
    }
}

/// Reads a file_id that the bot may use.
pub(super) fn known(state: &State, bot: u64, text: &str) -> Result<FileId, ApiError> {
    match FileId::decode(text, &state.store.secret) {
        Ok(id) if id.bot == bot && id.epoch == state.desk().epoch(bot) => Ok(id),
        Ok(_) | Err(Unusable::Unknown) => {
            Err(ApiError::core("MEDIA_EMPTY", "wrong file identifier/HTTP URL specified"))
        }
        Err(Unusable::Unreadable(why)) => Err(ApiError::bad(format!("wrong remote file identifier specified: {why}"))),
    }
}

fn of_file_id(id: &FileId, how: How) -> Media {
    Media {
        kind: id.kind,
        how,
        sha256: id.sha256,
        bytes: id.bytes,
        width: id.width,
        height: id.height,
        elsewhere: id.elsewhere,
        url: None,
        file_name: None,
    }
}

async fn file(upload: &Upload, kind: Kind, detect: bool) -> Result<Media, ApiError> {
    if upload.bytes == 0 {
        return Err(ApiError::bad("file must be non-empty"));
    }
    let mut media = Media {
        kind,
        how: How::Upload,
        sha256: upload.sha256,
        bytes: upload.bytes,
        width: 0,
        height: 0,
        elsewhere: false,
        url: None,
        file_name: Some(upload.file_name.chars().take(255).collect::<String>().into()),
    };
    if kind != Kind::Photo {
        if upload.bytes > MAX_FILE {
            return Err(ApiError::new(413, "Request Entity Too Large"));
        }
        if detect && let Some((ImageFormat::Gif, Some(size))) = inspect(&upload.path).await {
            media.kind = Kind::Animation;
            (media.width, media.height) = size;
        }
        return Ok(media);
    }
    if upload.bytes > MAX_PHOTO {
        let n = upload.bytes;
        let text = format!("file of size {n} bytes is too big for a photo; the maximum size is {MAX_PHOTO} bytes");
        return Err(ApiError::bad(text));
    }
    let extension = Path::new(&upload.file_name).extension().and_then(|extension| extension.to_str()).unwrap_or("");
    if !EXTENSIONS.contains(&extension.to_ascii_lowercase().as_str()) {
        let text = "photo has unsupported extension. Use one of .jpg, .jpeg, .gif, .png, .tif or .bmp";
        return Err(ApiError::bad(text));
    }
    let Some((_, size)) = inspect(&upload.path).await else {
        return Err(ApiError::core("IMAGE_PROCESS_FAILED", "IMAGE_PROCESS_FAILED"));
    };
    (media.width, media.height) =
        size.ok_or_else(|| ApiError::core("PHOTO_INVALID_DIMENSIONS", "PHOTO_INVALID_DIMENSIONS"))?;
    Ok(media)
}

/// The format of a file that decodes to its end, and its size in pixels if it is one that Telegram takes.
async fn inspect(path: &Path) -> Option<(ImageFormat, Option<(u16, u16)>)> {
    let path: PathBuf = path.to_owned();
    let looked = tokio::task::spawn_blocking(move || match imaging::verify(&path) {
        Ok(image) => Some((image.format, Some((image.width as u16, image.height as u16)))),
        Err(Unfit::Dimensions { .. } | Unfit::Ratio { .. } | Unfit::NoPixels) => {
            let mut head = Vec::new();
            File::open(&path).ok()?.take(ImageFormat::SNIFF_BYTES as u64).read_to_end(&mut head).ok()?;
            Some((ImageFormat::sniff(&head)?, None))
        }
        Err(_) => None,
    });
    looked.await.ok()?
}

/// What a URL stands for. The sandbox does not fetch: it takes any picture for there, save that it knows its own.
fn by_url(state: &State, url: &str, kind: Kind) -> Result<Media, ApiError> {
    let Some((scheme, rest)) = url.split_once("://") else {
        return Err(ApiError::core("EXTERNAL_URL_INVALID", "wrong HTTP URL specified"));
    };
    if !["http", "https"].contains(&scheme.to_ascii_lowercase().as_str()) {
        return Err(ApiError::bad("invalid file HTTP URL specified: Unsupported URL protocol"));
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, path) = rest.split_at(end);
    if host.rsplit('@').next().unwrap_or("").split(':').next().unwrap_or("").is_empty() {
        return Err(ApiError::bad("invalid file HTTP URL specified: URL host is empty"));
    }
    let port = state.addr.port();
    let here = [state.addr.to_string(), format!("localhost:{port}"), format!("127.0.0.1:{port}")];
    if here.iter().any(|own| own == host) {
        return own_picture(state, path, kind)
            .map(|media| Media { url: Some(url.into()), ..media })
            .ok_or_else(|| ApiError::core("WEBPAGE_CURL_FAILED", "failed to get HTTP URL content"));
    }
    let file = path.split(['?', '#']).next().unwrap_or("").to_ascii_lowercase();
    if kind != Kind::Photo && ![".pdf", ".zip", ".gif"].iter().any(|extension| file.ends_with(extension)) {
        return Err(ApiError::core("WEBPAGE_MEDIA_EMPTY", "wrong type of the web page content"));
    }
    let (width, height) = if kind == Kind::Photo { (800, 600) } else { (0, 0) };
    let sha256 = Sha256::of(url.as_bytes());
    let (bytes, url) = (0, Some(url.into()));
    Ok(Media { kind, how: How::Url, sha256, bytes, width, height, elsewhere: true, url, file_name: None })
}

/// A picture of the sandbox itself, by the address of a download (of any bot) that it gave out.
fn own_picture(state: &State, path: &str, kind: Kind) -> Option<Media> {
    let file_name = path.strip_prefix("/file/bot")?.rsplit('/').next()?;
    let id = FileId::decode(file_name.split('.').next()?, &state.store.secret).ok()?;
    id.kind.passes_as(kind).then(|| of_file_id(&id, How::Url))
}
