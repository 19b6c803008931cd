//! Whether Telegram would take an uploaded file, and as what.

use super::media_store::ReceivedFile;
use super::signature::{FileSignature, SIGNATURE_BYTES};
use crate::domain::{FileContent, ImageFormat};
use crate::imaging::{self, ImageRejection, Oversight};
use crate::sandbox::log::{FileKind, MediaOrigin, SandboxMedia, SandboxThumbnail};
use crate::sandbox::sandbox_error::{ApiResult, SandboxError};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The largest photo (Bot API).
const MAX_PHOTO_BYTES: u64 = 10_485_760;
/// The largest thumbnail (TDLib).
const MAX_THUMBNAIL_BYTES: u64 = 204_799;
/// The longest side of a thumbnail, in pixels (Bot API).
const MAX_THUMBNAIL_SIDE_PIXELS: u16 = 320;
/// What the names of photos must end with (TDLib).
const PHOTO_EXTENSIONS: [&str; 6] = ["jpg", "jpeg", "gif", "png", "tif", "bmp"];

/// An uploaded file as media of a kind. With `detect` it may turn out to be of another kind than it was sent as.
pub async fn check_file(
    upload: &ReceivedFile,
    kind: FileKind,
    detect: bool,
    max_file_bytes: u64,
) -> ApiResult<SandboxMedia> {
    if upload.bytes == 0 {
        return Err(SandboxError::bad("file must be non-empty"));
    }
    let mut media = SandboxMedia::new(kind, MediaOrigin::Upload, upload.sha256, upload.bytes);
    media.file_name = Some(upload.file_name.chars().take(255).collect::<String>().into());
    if kind != FileKind::Photo {
        if upload.bytes > max_file_bytes {
            return Err(SandboxError::new(413, "Request Entity Too Large"));
        }
        let (signature, size) = inspect(&upload.path).await;
        if detect {
            media.kind = signature.sent_as(kind);
        }
        if matches!(media.kind, FileKind::Animation | FileKind::Sticker) {
            (media.width, media.height) = size.unwrap_or_default();
        }
        return Ok(media);
    }
    if upload.bytes > MAX_PHOTO_BYTES {
        return Err(too_big(upload.bytes, "photo", MAX_PHOTO_BYTES));
    }
    let extension = Path::new(&upload.file_name).extension().and_then(|extension| extension.to_str()).unwrap_or("");
    if !PHOTO_EXTENSIONS.contains(&extension.to_ascii_lowercase().as_str()) {
        let text = "photo has unsupported extension. Use one of .jpg, .jpeg, .gif, .png, .tif or .bmp";
        return Err(SandboxError::bad(text));
    }
    (media.width, media.height) = match inspect(&upload.path).await.1 {
        Ok(size) => size,
        Err(ImageRejection::Dimensions { .. } | ImageRejection::Ratio { .. } | ImageRejection::NoPixels) => {
            return Err(SandboxError::core("PHOTO_INVALID_DIMENSIONS", "PHOTO_INVALID_DIMENSIONS"));
        }
        Err(_) => return Err(SandboxError::core("IMAGE_PROCESS_FAILED", "IMAGE_PROCESS_FAILED")),
    };
    Ok(media)
}

/// A thumbnail, unless it is one that Telegram passes over: not a JPEG, or too wide or high.
pub async fn check_thumbnail(upload: &ReceivedFile) -> ApiResult<Option<SandboxThumbnail>> {
    if upload.bytes == 0 {
        return Err(SandboxError::bad("file must be non-empty"));
    }
    if upload.bytes > MAX_THUMBNAIL_BYTES {
        return Err(too_big(upload.bytes, "thumbnail", MAX_THUMBNAIL_BYTES));
    }
    Ok(match inspect(&upload.path).await {
        (FileSignature::Image(ImageFormat::Jpeg), Ok((width, height)))
            if width.max(height) <= MAX_THUMBNAIL_SIDE_PIXELS =>
        {
            Some(SandboxThumbnail { sha256: upload.sha256, bytes: upload.bytes, width, height })
        }
        _ => None,
    })
}

fn too_big(bytes: u64, what: &str, most: u64) -> SandboxError {
    SandboxError::bad(format!("file of size {bytes} bytes is too big for a {what}; the maximum size is {most} bytes"))
}

/// What a file looks like and, of an image that decodes to its end, its size in pixels.
async fn inspect(path: &Path) -> (FileSignature, Result<(u16, u16), ImageRejection>) {
    let path: PathBuf = path.to_owned();
    let looked = tokio::task::spawn_blocking(move || {
        let mut head = Vec::new();
        let size = imaging::verify(&FileContent::File(path.clone()), &Oversight::none());
        let size = size.map(|image| (image.width as u16, image.height as u16));
        File::open(&path).ok()?.take(SIGNATURE_BYTES as u64).read_to_end(&mut head).ok()?;
        Some((FileSignature::of(&head), size))
    });
    looked.await.ok().flatten().unwrap_or((FileSignature::Unknown, Err(ImageRejection::NoPixels)))
}
