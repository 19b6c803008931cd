//! Media by URL. The sandbox does not fetch: it believes that any file is there, and looks up only its own.

use super::media_files::MediaFiles;
use crate::domain::Sha256;
use crate::sandbox::log::{FileKind, MediaOrigin, SandboxMedia};
use crate::sandbox::sandbox_error::{ApiResult, SandboxError};
use std::net::SocketAddr;

/// The largest photo that Telegram fetches (Bot API).
const MAX_FETCHED_PHOTO_BYTES: u64 = 5 << 20;
/// The largest other file that Telegram fetches (Bot API).
const MAX_FETCHED_FILE_BYTES: u64 = 20 << 20;
/// The extensions that `sendDocument` takes by URL (Bot API).
const DOCUMENT_EXTENSIONS: [&str; 3] = ["pdf", "zip", "gif"];
/// The extensions of files that are neither sound nor film.
const STILL_EXTENSIONS: [&str; 8] = ["html", "htm", "txt", "pdf", "zip", "jpg", "jpeg", "png"];

/// The media that a URL stands for; `addr` is where the sandbox itself listens.
pub fn media_by_url(files: &MediaFiles, addr: SocketAddr, url: &str, kind: FileKind) -> ApiResult<SandboxMedia> {
    let Some((scheme, rest)) = url.split_once("://") else {
        return Err(SandboxError::core("EXTERNAL_URL_INVALID", "wrong HTTP URL specified"));
    };
    if !["http", "https"].contains(&scheme.to_ascii_lowercase().as_str()) {
        return Err(SandboxError::bad("invalid file HTTP URL specified: Unsupported URL protocol"));
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, path) = rest.split_at(end);
    if host.rsplit('@').next().unwrap_or("").split(':').next().unwrap_or("").is_empty() {
        return Err(SandboxError::bad("invalid file HTTP URL specified: URL host is empty"));
    }
    let port = addr.port();
    let here = [addr.to_string(), format!("localhost:{port}"), format!("127.0.0.1:{port}")];
    if here.iter().any(|own| own == host) {
        return own_file(files, path, kind)
            .map(|media| SandboxMedia { url: Some(url.into()), ..media })
            .ok_or_else(|| SandboxError::core("WEBPAGE_CURL_FAILED", "failed to get HTTP URL content"));
    }
    let file = path.split(['?', '#']).next().unwrap_or("");
    let name = file.rsplit('/').next().unwrap_or("");
    let extension = name.rsplit_once('.').map_or(String::new(), |(_, extension)| extension.to_ascii_lowercase());
    let fits = match kind {
        FileKind::Photo | FileKind::Sticker | FileKind::Thumbnail => true,
        FileKind::Document => DOCUMENT_EXTENSIONS.contains(&extension.as_str()),
        // Video notes cannot be sent by URL at all (Bot API).
        FileKind::VideoNote => false,
        FileKind::Animation | FileKind::Video | FileKind::Audio | FileKind::Voice => {
            !STILL_EXTENSIONS.contains(&extension.as_str())
        }
    };
    if !fits {
        return Err(SandboxError::core("WEBPAGE_MEDIA_EMPTY", "wrong type of the web page content"));
    }
    let mut media = SandboxMedia::new(kind, MediaOrigin::Url, Sha256::of(url.as_bytes()), 0);
    media.elsewhere = true;
    media.url = Some(url.into());
    if kind == FileKind::Photo {
        (media.width, media.height) = (800, 600);
    } else if !name.is_empty() {
        media.file_name = Some(name.into());
    }
    Ok(media)
}

/// A file of the sandbox itself, by the address of a download (of any bot) that it gave out.
fn own_file(files: &MediaFiles, path: &str, kind: FileKind) -> Option<SandboxMedia> {
    let file_name = path.strip_prefix("/file/bot")?.rsplit('/').next()?;
    let id = files.decode(file_name.split('.').next()?).ok()?;
    let max_bytes = if kind == FileKind::Photo { MAX_FETCHED_PHOTO_BYTES } else { MAX_FETCHED_FILE_BYTES };
    (id.kind.passes_as(kind) && id.bytes <= max_bytes).then(|| files.media(&id, MediaOrigin::Url))
}
