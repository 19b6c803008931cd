//! The contract of [`Blobs`].

use futures_util::StreamExt;
use futures_util::future::join_all;
use pixcourier::domain::{FileContent, Sha256, Timestamp};
use pixcourier::ports::{Blobs, MediaIndex, Spooled};
use std::sync::Arc;
use std::time::Duration;

/// The largest piece that a blob may be read in.
const PIECE: usize = 256 * 1024;

/// Runs every check. `pins` is the index that goes with the store; nothing else may use either meanwhile.
pub async fn suite(blobs: Arc<dyn Blobs>, pins: Arc<dyn MediaIndex>) {
    blobs.ready().await.expect("a store that works is ready");
    bytes_come_back_as_they_were_put(&blobs).await;
    what_was_never_put_is_not_there(&blobs).await;
    equal_puts_are_one(&blobs).await;
    what_is_put_to_be_accepted_is_there_at_once(&blobs).await;
    a_reader_that_goes_away_disturbs_nobody(&blobs).await;
    a_sweep_takes_what_is_unused_and_unpinned(&blobs, &pins).await;
    what_stat_found_is_not_swept_soon(&blobs, &pins).await;
}

/// A file on disk with its digest; deleted with the returned handle.
pub fn spool(bytes: &[u8]) -> (Spooled, tempfile::NamedTempFile) {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), bytes).expect("written");
    let spooled = Spooled {
        content: FileContent::File(file.path().to_owned()),
        sha256: Sha256::of(bytes),
        size: bytes.len() as u64,
    };
    (spooled, file)
}

/// So many bytes that do not repeat; another seed, other bytes.
pub fn noise(size: usize, seed: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    std::iter::repeat_with(|| random.u8(..)).take(size).collect()
}

/// Puts bytes, gives their digest.
pub async fn put(blobs: &Arc<dyn Blobs>, bytes: &[u8]) -> Sha256 {
    let (spooled, _file) = spool(bytes);
    blobs.put(&spooled).await.expect("put");
    assert!(!blobs.put(&spooled).await.expect("put again"), "it is held by now");
    spooled.sha256
}

/// Reads a blob whole, checking the pieces.
pub async fn read(blobs: &Arc<dyn Blobs>, sha256: &Sha256) -> Option<Vec<u8>> {
    let (size, mut stream) = blobs.open(sha256).await.expect("open")?;
    let mut bytes = Vec::new();
    while let Some(piece) = stream.next().await {
        let piece = piece.expect("a piece");
        assert!(piece.len() <= PIECE, "a piece of {} bytes", piece.len());
        bytes.extend_from_slice(&piece);
    }
    assert_eq!(bytes.len() as u64, size, "as many as announced");
    Some(bytes)
}

/// Byte for byte, at every size that has an edge.
pub async fn bytes_come_back_as_they_were_put(blobs: &Arc<dyn Blobs>) {
    for size in [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE, 5_000_011] {
        let bytes = noise(size, size as u64);
        let sha256 = put(blobs, &bytes).await;
        assert_eq!(blobs.stat(&sha256).await.expect("stat"), Some(size as u64));
        let read = read(blobs, &sha256).await.expect("it is held");
        assert!(read == bytes, "{size} bytes came back changed");
    }
}

/// Neither by stat nor by open.
pub async fn what_was_never_put_is_not_there(blobs: &Arc<dyn Blobs>) {
    let never = Sha256::of(b"never put");
    assert_eq!(blobs.stat(&never).await.expect("stat"), None);
    assert!(blobs.open(&never).await.expect("open").is_none());
}

/// One after the other or all at once: one blob, whole.
pub async fn equal_puts_are_one(blobs: &Arc<dyn Blobs>) {
    let bytes = noise(700_000, 7);
    let (spooled, _file) = spool(&bytes);
    for result in join_all((0..16).map(|_| blobs.put(&spooled))).await {
        result.expect("put");
    }
    blobs.put(&spooled).await.expect("put");
    assert!(read(blobs, &spooled.sha256).await.expect("it is held") == bytes);
}

/// Whatever makes it durable, whoever asks sees it; and it is one with what is put otherwise.
pub async fn what_is_put_to_be_accepted_is_there_at_once(blobs: &Arc<dyn Blobs>) {
    for size in [PIECE, PIECE + 1] {
        let bytes = noise(size, 30 + size as u64);
        let (spooled, _file) = spool(&bytes);
        assert!(blobs.put_to_accept(&spooled).await.expect("put"), "it is new");
        assert_eq!(blobs.stat(&spooled.sha256).await.expect("stat"), Some(size as u64));
        assert!(!blobs.put_to_accept(&spooled).await.expect("put again") && !blobs.put(&spooled).await.expect("put"));
        assert!(read(blobs, &spooled.sha256).await.expect("it is held") == bytes);
    }
}

/// A courier may stop in the middle of an upload.
pub async fn a_reader_that_goes_away_disturbs_nobody(blobs: &Arc<dyn Blobs>) {
    let bytes = noise(2_000_000, 8);
    let sha256 = put(blobs, &bytes).await;
    for _ in 0..20 {
        let (_, mut stream) = blobs.open(&sha256).await.expect("open").expect("it is held");
        stream.next().await.expect("a first piece").expect("readable");
    }
    for whole in join_all((0..8).map(|_| read(blobs, &sha256))).await {
        assert!(whole.expect("it is held") == bytes);
    }
}

/// Age and pin both protect; what is swept can be put again.
pub async fn a_sweep_takes_what_is_unused_and_unpinned(blobs: &Arc<dyn Blobs>, pins: &Arc<dyn MediaIndex>) {
    let everything = || Timestamp::now().plus(Duration::from_secs(10));
    blobs.sweep(everything(), pins.as_ref()).await.expect("the leftovers of other checks go");
    let (kept, lost) = (noise(600_000, 20), noise(600_000, 21));
    let pinned = put(blobs, &kept).await;
    let unpinned = put(blobs, &lost).await;
    pins.pin(&pinned, Timestamp::now().plus(Duration::from_secs(3_600))).await.expect("pin");

    let an_hour_ago = Timestamp::now().minus(Duration::from_secs(3_600));
    assert_eq!(blobs.sweep(an_hour_ago, pins.as_ref()).await.expect("sweep"), 0, "both were used within the hour");
    assert_eq!(blobs.sweep(everything(), pins.as_ref()).await.expect("sweep"), 1, "the one without a pin");
    assert_eq!(blobs.stat(&unpinned).await.expect("stat"), None);
    assert!(blobs.open(&unpinned).await.expect("open").is_none());
    assert!(read(blobs, &pinned).await.expect("pinned") == kept);

    assert_eq!(put(blobs, &lost).await, unpinned);
    assert!(read(blobs, &unpinned).await.expect("put again") == lost);
}

/// A caller who was told that the image is held has time to use it.
pub async fn what_stat_found_is_not_swept_soon(blobs: &Arc<dyn Blobs>, pins: &Arc<dyn MediaIndex>) {
    let (asked, put_again, forgotten) = (noise(1_000, 30), noise(1_000, 31), noise(1_000, 32));
    let found = put(blobs, &asked).await;
    let refreshed = put(blobs, &put_again).await;
    let unused = put(blobs, &forgotten).await;
    // Stores that note the time of the last use may do so in whole seconds.
    tokio::time::sleep(Duration::from_millis(2_200)).await;
    let moment = Timestamp::now().minus(Duration::from_millis(1_000));
    assert_eq!(blobs.stat(&found).await.expect("stat"), Some(1_000));
    put(blobs, &put_again).await;
    blobs.sweep(moment, pins.as_ref()).await.expect("sweep");
    assert!(read(blobs, &found).await.is_some(), "stat said that it stays");
    assert!(read(blobs, &refreshed).await.is_some(), "a put is a use, also of what is there");
    assert!(read(blobs, &unused).await.is_none(), "the third had no use");
}
