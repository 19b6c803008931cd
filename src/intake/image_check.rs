//! Checks images on threads for blocking work, few at a time, so that many uploads at once take turns and not memory.
//!
//! To read an image is light, to decode one is heavy: it takes seconds and hundreds of megabytes. Both have places of their
//! own, so that nobody's photo waits for what others have scaled down.

use super::caller::Caller;
use super::rejection::{ProblemCode, Rejection};
use super::turns::{Caring, Turn, TurnLimits, Turns};
use crate::domain::{FileContent, ImageFormat, Sha256};
use crate::imaging::{self, FittedPhoto, ImageInfo, ImageRejection, Oversight, PhotoLimits, Stop};
use lru::LruCache;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;

/// For images that are read. A turn is as long as a small photo takes; one of 10 MB takes a tenth of a second.
const LIGHT: TurnLimits = TurnLimits {
    places: 2,
    begun: 16,
    begun_by_caller: 8,
    turn: Duration::from_millis(10),
    running_time: Duration::from_secs(10),
};
/// What reading an image may take of memory at a light place, in bytes. Progressive JPEGs of 22 megapixels and more need more.
const LIGHT_MEMORY_BYTES: usize = 8 << 20;
/// For images that are decoded, and for the few that take much memory to be read: one at a time.
const HEAVY: TurnLimits = TurnLimits {
    places: 1,
    begun: 1,
    begun_by_caller: 1,
    turn: Duration::from_secs(60),
    running_time: Duration::from_secs(60),
};
/// Of how many images it is remembered what was found: some 300 bytes each.
const REMEMBERED_VERDICTS: NonZeroUsize = NonZeroUsize::new(4096).expect("not zero");

/// The format, from the first bytes ([`ImageFormat::SNIFF_BYTES`] if there are as many).
pub fn format(head: &[u8]) -> Result<ImageFormat, Rejection> {
    imaging::sniff(head).map_err(reject)
}

/// Checks images.
#[derive(Clone, Debug)]
pub struct ImageInspector {
    light: Arc<Turns>,
    heavy: Arc<Turns>,
    /// What Telegram would say to an image as a photo, by its digest: the bytes of a digest never change.
    verdicts: Arc<Mutex<LruCache<Sha256, Result<ImageInfo, Rejection>>>>,
    runtime: Handle,
}

impl ImageInspector {
    /// Checks on the threads for blocking work of the present runtime. What has begun holds one of them, also while it waits for its
    /// next turn, so there must be more than may have begun ([`TurnLimits::begun`], light and heavy), however many ask: Tokio
    /// has 512 unless told otherwise, and the runtimes of the threads that answer are told.
    pub fn new() -> Self {
        let verdicts = Arc::new(Mutex::new(LruCache::new(REMEMBERED_VERDICTS)));
        Self { light: Turns::new(LIGHT), heavy: Turns::new(HEAVY), verdicts, runtime: Handle::current() }
    }

    /// What was found of an image lately.
    pub fn verdict(&self, sha256: &Sha256) -> Option<Result<ImageInfo, Rejection>> {
        self.verdicts.lock().unwrap_or_else(PoisonError::into_inner).get(sha256).cloned()
    }

    /// Reads an image to its end, and rejects what Telegram would not take as a photo.
    pub async fn verify(&self, content: FileContent, sha256: Sha256, caller: &Caller) -> Result<ImageInfo, Rejection> {
        if let Some(known) = self.verdict(&sha256) {
            return known;
        }
        let verdict = self.read(caller, move |oversight| imaging::verify(&content, oversight)).await?;
        let is_final = !matches!(verdict, Err(ImageRejection::File(_) | ImageRejection::Stopped(_)));
        let verdict = verdict.map_err(reject);
        if is_final {
            self.verdicts.lock().unwrap_or_else(PoisonError::into_inner).put(sha256, verdict.clone());
        }
        verdict
    }

    /// Reads an image of any dimensions to its end, and rejects one that is damaged.
    pub async fn verify_whole(&self, content: FileContent, caller: &Caller) -> Result<(), Rejection> {
        self.read(caller, move |oversight| imaging::verify_whole(&content, oversight)).await?.map_err(reject)
    }

    /// Writes to `out` a photo of what Telegram would not take as one: see [`imaging::fit`].
    pub async fn fit(&self, content: FileContent, out: PathBuf, caller: &Caller) -> Result<FittedPhoto, Rejection> {
        let work = move |oversight: &Oversight| imaging::fit(&content, &out, PhotoLimits::default(), oversight);
        self.run(&self.heavy, usize::MAX, caller, work).await?.map_err(reject)
    }

    /// Reads at a light place, or at a heavy one if it takes much memory.
    async fn read<T: Send + 'static>(
        &self,
        caller: &Caller,
        work: impl Fn(&Oversight) -> Result<T, ImageRejection> + Clone + Send + 'static,
    ) -> Result<Result<T, ImageRejection>, Rejection> {
        match self.run(&self.light, LIGHT_MEMORY_BYTES, caller, work.clone()).await? {
            Err(ImageRejection::NeedsMemory) => self.run(&self.heavy, usize::MAX, caller, work).await,
            read => Ok(read),
        }
    }

    /// Runs work once there is a place for it. When this is dropped the work ends soon, and gives up its place.
    async fn run<T: Send + 'static>(
        &self,
        places: &Arc<Turns>,
        memory: usize,
        caller: &Caller,
        work: impl FnOnce(&Oversight) -> Result<T, ImageRejection> + Send + 'static,
    ) -> Result<Result<T, ImageRejection>, Rejection> {
        let turn: Arc<Turn> = Arc::new(places.begin(caller.clone()).await);
        let _caring = Caring(Arc::downgrade(&turn));
        let work = move || work(&Oversight::new(Arc::new(move || turn.go_on()), memory));
        self.runtime.spawn_blocking(work).await.map_err(|error| match error.is_panic() {
            true => crashed(),
            false => Rejection::unavailable("spool", &error),
        })
    }
}

/// An image that makes its decoder panic counts as damaged.
fn crashed() -> Rejection {
    tracing::error!("an image made its decoder panic");
    reject(ImageRejection::Damaged("it cannot be decoded"))
}

fn reject(unfit: ImageRejection) -> Rejection {
    let code = match &unfit {
        ImageRejection::File(error) => return Rejection::of_spool(error),
        // Nobody is there to be told, or it was given all the memory that there is.
        ImageRejection::Stopped(Stop::Unwanted) | ImageRejection::NeedsMemory => {
            return Rejection::unavailable("spool", &unfit);
        }
        ImageRejection::Format(_)
        | ImageRejection::NoPixels
        | ImageRejection::Unsupported(_)
        | ImageRejection::Stopped(Stop::TooLong) => ProblemCode::NotAnImage,
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
            (ImageRejection::Stopped(Stop::TooLong), ProblemCode::NotAnImage),
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
        let inspector = ImageInspector::new();
        let work = |_: &Oversight| -> Result<(), ImageRejection> { panic!("as decoders do") };
        let rejection = inspector.read(&Caller::default(), work).await.unwrap_err();
        assert_eq!(rejection.code, ProblemCode::ImageDamaged);
    }

    #[tokio::test]
    async fn what_takes_much_memory_is_read_at_a_heavy_place() {
        let work = |oversight: &Oversight| match oversight.memory_bytes() {
            LIGHT_MEMORY_BYTES => Err(ImageRejection::NeedsMemory),
            _ => Ok(()),
        };
        ImageInspector::new().read(&Caller::default(), work).await.unwrap().unwrap();
    }

    #[test]
    fn what_waits_for_its_turn_keeps_no_thread_from_others() {
        let threads = LIGHT.begun + HEAVY.begun;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(threads).build();
        runtime.unwrap().block_on(async {
            let inspector = ImageInspector::new();
            let long = |oversight: &Oversight| {
                // Three turns of work.
                for _ in 0..3 {
                    let began = std::time::Instant::now();
                    while began.elapsed() < LIGHT.turn {
                        std::hint::spin_loop();
                    }
                    oversight.go_on()?;
                }
                Ok(())
            };
            let caller = Caller::default();
            let all = futures_util::future::join_all((0..20).map(|_| inspector.read(&caller, long)));
            let all = tokio::time::timeout(Duration::from_secs(60), all).await.expect("none waits for ever");
            assert!(all.into_iter().all(|read| read.unwrap().is_ok()));
        });
    }
}
