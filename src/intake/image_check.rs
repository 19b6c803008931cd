//! Checks images on threads for blocking work, few at a time, so that many uploads at once take turns and not memory.

use super::rejection::{ProblemCode, Rejection};
use crate::domain::ImageFormat;
use crate::imaging::{self, FittedPhoto, ForeignFormat, ImageInfo, ImageRejection, PhotoLimits};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::task::{JoinError, spawn_blocking};

/// How many images are checked at a time: it is work for the processor.
const MAX_CONCURRENT_CHECKS: usize = 2;

/// The format, from the first bytes ([`ImageFormat::SNIFF_BYTES`] if there are as many).
pub fn format(head: &[u8]) -> Result<ImageFormat, Rejection> {
    imaging::sniff(head).map_err(reject)
}

/// Whether bytes begin like an image of a format that Telegram does not take as a photo.
pub fn is_foreign_picture(head: &[u8]) -> bool {
    ImageFormat::sniff(head).is_none() && matches!(ForeignFormat::of(head), ForeignFormat::WebP | ForeignFormat::Boxes)
}

/// Checks images, [`MAX_CONCURRENT_CHECKS`] at a time.
#[derive(Clone, Debug)]
pub struct ImageInspector {
    checks: Arc<Semaphore>,
}

impl ImageInspector {
    pub fn new() -> Self {
        Self { checks: Arc::new(Semaphore::new(MAX_CONCURRENT_CHECKS)) }
    }

    /// Reads an image to its end, and rejects what Telegram would not take as a photo.
    pub async fn verify(&self, path: PathBuf) -> Result<ImageInfo, Rejection> {
        self.run(move || imaging::verify(&path)).await
    }

    /// Reads an image of any dimensions to its end, and rejects one that is damaged.
    pub async fn verify_whole(&self, path: PathBuf) -> Result<(), Rejection> {
        self.run(move || imaging::verify_whole(&path)).await
    }

    /// Writes to `out` a photo of what Telegram would not take as one: see [`imaging::fit`].
    pub async fn fit(&self, path: PathBuf, out: PathBuf) -> Result<FittedPhoto, Rejection> {
        self.run(move || imaging::fit(&path, &out, PhotoLimits::default())).await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, ImageRejection> + Send + 'static,
    ) -> Result<T, Rejection> {
        // The work holds the permit, since it goes on when the caller has hung up.
        let permit = self.checks.clone().acquire_owned().await;
        let work = move || {
            let _permit = permit;
            work()
        };
        match spawn_blocking(work).await {
            Ok(result) => result.map_err(reject),
            Err(error) => Err(crashed(&error)),
        }
    }
}

/// An image that makes its decoder panic counts as damaged.
fn crashed(error: &JoinError) -> Rejection {
    if error.is_panic() {
        tracing::error!(%error, "an image made its decoder panic");
        return reject(ImageRejection::Damaged("it cannot be decoded"));
    }
    Rejection::unavailable("spool", error)
}

fn reject(unfit: ImageRejection) -> Rejection {
    let code = match &unfit {
        ImageRejection::File(error) => return Rejection::of_spool(error),
        ImageRejection::Format(_) | ImageRejection::NoPixels | ImageRejection::Unsupported(_) => {
            ProblemCode::NotAnImage
        }
        ImageRejection::Truncated | ImageRejection::Damaged(_) => ProblemCode::ImageDamaged,
        ImageRejection::Dimensions { .. } => ProblemCode::ImageDimensions,
        ImageRejection::Ratio { .. } => ProblemCode::ImageRatio,
        ImageRejection::TooLarge { .. } => ProblemCode::ImageTooLarge,
    };
    Rejection::field(code, "photo", unfit.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_against_an_image_has_a_code_and_blames_the_photo() {
        let (width, height) = (9, 9);
        for (unfit, code) in [
            (ImageRejection::Format(imaging::ForeignFormat::WebP), ProblemCode::NotAnImage),
            (ImageRejection::NoPixels, ProblemCode::NotAnImage),
            (ImageRejection::Unsupported("an arithmetic JPEG"), ProblemCode::NotAnImage),
            (ImageRejection::Truncated, ProblemCode::ImageDamaged),
            (ImageRejection::Damaged("a table is missing"), ProblemCode::ImageDamaged),
            (ImageRejection::Dimensions { width, height }, ProblemCode::ImageDimensions),
            (ImageRejection::Ratio { width, height }, ProblemCode::ImageRatio),
            (ImageRejection::TooLarge { width, height }, ProblemCode::ImageTooLarge),
        ] {
            let rejection = reject(unfit);
            assert_eq!((rejection.code, rejection.field.as_deref()), (code, Some("photo")), "{}", rejection.detail);
        }
    }

    #[test]
    fn what_is_no_photo_is_told_what_it_is() {
        for (head, word) in [
            (&b"RIFF\x01\x02\x03\x04WEBP"[..], "WebP"),
            (b"\0\0\0\x20ftypheic", "HEIC"),
            (b"<svg xmlns=\"", "SVG"),
            (b"%PDF-1.7\n\0\0\0", "PDF"),
            (b"hello world!", "JPEG, PNG"),
            (b"", "empty"),
        ] {
            let rejection = format(head).unwrap_err();
            assert!(
                rejection.code == ProblemCode::NotAnImage && rejection.detail.contains(word),
                "{}",
                rejection.detail
            );
        }
    }

    #[tokio::test]
    async fn an_image_that_makes_its_decoder_panic_is_damaged() {
        let rejection = ImageInspector::new().run::<()>(|| panic!("as decoders do")).await.unwrap_err();
        assert_eq!(rejection.code, ProblemCode::ImageDamaged);
    }
}
