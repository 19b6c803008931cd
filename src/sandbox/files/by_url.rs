//! Media by URL. The sandbox does not fetch: it believes that any file is there, and looks up only its own.

use super::media_files::MediaFiles;
use crate::domain::Sha256;
use crate::sandbox::log::{FileKind, MediaOrigin, SandboxMedia};
use crate::sandbox::sandbox_error::{ApiResult, SandboxError};
use std::net::{Ipv6Addr, SocketAddr};

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
    let (host, path) =
        split_url(url).map_err(|why| SandboxError::bad(format!("invalid file HTTP URL specified: {why}")))?;
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

/// Splits a URL into its host with its port, and what follows, as the Bot API server does: without a scheme it is http.
fn split_url(url: &str) -> Result<(&str, &str), &'static str> {
    let scheme = url.find([':', '/', '?', '#', '@', '[', ']']).filter(|end| url[*end..].starts_with("://"));
    let rest = match scheme {
        Some(end) if url[..end].eq_ignore_ascii_case("http") || url[..end].eq_ignore_ascii_case("https") => {
            &url[end + 3..]
        }
        Some(_) => return Err("Unsupported URL protocol"),
        None => url,
    };
    let (address, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let colon = address.rfind([':', ']', '@']).filter(|at| *at > 0 && address[*at..].starts_with(':'));
    let (named, port) = colon.map_or((address, None), |at| (&address[..at], Some(&address[at + 1..])));
    let is_port = |port: &str| {
        let digits = port.trim_start_matches('0');
        digits.parse::<u16>().is_ok_and(|number| number > 0 && number.to_string() == digits)
    };
    if port.is_some_and(|port| !is_port(port)) {
        return Err("Wrong port number specified in the URL");
    }
    let (user, host) = named.rsplit_once('@').unwrap_or(("", named));
    let ipv6 = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    match (host, ipv6) {
        (_, Some(ipv6)) if ipv6.parse::<Ipv6Addr>().is_err() => Err("Wrong IPv6 address specified in the URL"),
        ("", _) => Err("URL host is empty"),
        (".", _) => Err("Host is invalid"),
        (_, Some(_)) => Ok((&address[address.rfind('@').map_or(0, |at| at + 1)..], path)),
        (host, None) => {
            check_part(host, false).map_err(|wrong| wrong.0)?;
            check_part(user, true).map_err(|wrong| wrong.1)?;
            Ok((&address[address.rfind('@').map_or(0, |at| at + 1)..], path))
        }
    }
}

/// Checks the characters of a host or of who the user is; says what is wrong for either.
fn check_part(part: &str, takes_colon: bool) -> Result<(), (&'static str, &'static str)> {
    let bytes = part.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let is_hex = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
        match byte {
            b'%' if is_hex(at + 1) && is_hex(at + 2) => at += 2,
            b'%' => {
                return Err((
                    "Wrong percent-encoded symbol in URL host",
                    "Wrong percent-encoded symbol in URL userinfo",
                ));
            }
            b':' if takes_colon => {}
            byte if byte.is_ascii_alphanumeric() || *byte >= 128 || b".-_!$,~*'();&+=".contains(byte) => {}
            _ => return Err(("Disallowed character in URL host", "Disallowed character in URL userinfo")),
        }
        at += 1;
    }
    Ok(())
}

/// A file of the sandbox itself, by the address of a download (of any bot) that it gave out.
fn own_file(files: &MediaFiles, path: &str, kind: FileKind) -> Option<SandboxMedia> {
    let file_name = path.strip_prefix("/file/bot")?.rsplit('/').next()?;
    let id = files.decode(file_name.split('.').next()?).ok()?;
    let max_bytes = if kind == FileKind::Photo { MAX_FETCHED_PHOTO_BYTES } else { MAX_FETCHED_FILE_BYTES };
    (id.kind.passes_as(kind) && id.bytes <= max_bytes).then(|| files.media(&id, MediaOrigin::Url))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_as_the_bot_api_server_reads_them() {
        for (url, host, path) in [
            ("https://e.org/a.jpg", "e.org", "/a.jpg"),
            ("HTTP://user:pass@e.org:81?x", "e.org:81", "?x"),
            ("e.org/a.jpg", "e.org", "/a.jpg"),
            ("http://[::1]:80/a", "[::1]:80", "/a"),
            ("http://%41b.org", "%41b.org", ""),
        ] {
            assert_eq!(split_url(url), Ok((host, path)), "{url}");
        }
        for (url, why) in [
            ("ftp://e.org/a", "Unsupported URL protocol"),
            ("http:///a.jpg", "URL host is empty"),
            ("http://./a", "Host is invalid"),
            ("http://e.org:0/a", "Wrong port number specified in the URL"),
            ("http://e.org:65536/a", "Wrong port number specified in the URL"),
            ("http://e.org:x/a", "Wrong port number specified in the URL"),
            ("http://[::x]/a", "Wrong IPv6 address specified in the URL"),
            ("http://e org/a", "Disallowed character in URL host"),
            ("http://%4/a", "Wrong percent-encoded symbol in URL host"),
        ] {
            assert_eq!(split_url(url), Err(why), "{url}");
        }
    }
}
