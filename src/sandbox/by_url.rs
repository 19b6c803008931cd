//! Media by URL. The sandbox does not fetch: it takes any file for there, save that it knows its own.

use super::State;
use super::error::ApiError;
use super::file_id::FileId;
use super::media::of_file_id;
use super::message::{How, Kind, Media};
use crate::domain::Sha256;

/// The largest photo and the largest other file that Telegram fetches, in bytes (Bot API).
const MAX_FETCHED: (u64, u64) = (5 << 20, 20 << 20);
/// What `sendDocument` takes by URL (Bot API).
const DOCUMENTS: [&str; 3] = ["pdf", "zip", "gif"];
/// Extensions of what no other kind can be.
const NEITHER_SOUND_NOR_FILM: [&str; 8] = ["html", "htm", "txt", "pdf", "zip", "jpg", "jpeg", "png"];

/// What a URL stands for.
pub(super) fn media(state: &State, url: &str, kind: Kind) -> Result<Media, ApiError> {
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
        return own_file(state, path, kind)
            .map(|media| Media { url: Some(url.into()), ..media })
            .ok_or_else(|| ApiError::core("WEBPAGE_CURL_FAILED", "failed to get HTTP URL content"));
    }
    let file = path.split(['?', '#']).next().unwrap_or("");
    let name = file.rsplit('/').next().unwrap_or("");
    let extension = name.rsplit_once('.').map_or(String::new(), |(_, extension)| extension.to_ascii_lowercase());
    let fits = match kind {
        Kind::Photo | Kind::Sticker | Kind::Thumbnail => true,
        Kind::Document => DOCUMENTS.contains(&extension.as_str()),
        // Video notes cannot be sent by URL at all (Bot API).
        Kind::VideoNote => false,
        Kind::Animation | Kind::Video | Kind::Audio | Kind::Voice => {
            !NEITHER_SOUND_NOR_FILM.contains(&extension.as_str())
        }
    };
    if !fits {
        return Err(ApiError::core("WEBPAGE_MEDIA_EMPTY", "wrong type of the web page content"));
    }
    let mut media = Media::new(kind, How::Url, Sha256::of(url.as_bytes()), 0);
    media.elsewhere = true;
    media.url = Some(url.into());
    if kind == Kind::Photo {
        (media.width, media.height) = (800, 600);
    } else if !name.is_empty() {
        media.file_name = Some(name.into());
    }
    Ok(media)
}

/// A file of the sandbox itself, by the address of a download (of any bot) that it gave out.
fn own_file(state: &State, path: &str, kind: Kind) -> Option<Media> {
    let file_name = path.strip_prefix("/file/bot")?.rsplit('/').next()?;
    let id = FileId::decode(file_name.split('.').next()?, &state.store.secret).ok()?;
    let most = if kind == Kind::Photo { MAX_FETCHED.0 } else { MAX_FETCHED.1 };
    (id.kind.passes_as(kind) && id.bytes <= most).then(|| of_file_id(&state.desk(), &id, How::Url))
}
