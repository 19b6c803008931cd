//! The contract of [`MediaIndex`].

use super::{bot, notification};
use futures_util::future::join_all;
use pixcourier::domain::{MediaKind, RecordUpdate, Sha256, Status, Timestamp};
use pixcourier::ports::{Begin, BeginConditions, FileIds, FileKey, Ledger, MediaIndex};
use std::sync::Arc;
use std::time::Duration;

/// Runs every check.
pub async fn suite(index: Arc<dyn MediaIndex>, ledger: Arc<dyn Ledger>) {
    attempts_get_file_ids_and_teach_them(&index, &ledger).await;
    a_file_id_is_good_for_one_bot_and_content(&index).await;
    only_the_refused_file_id_is_evicted(&index).await;
    a_pin_holds_until_its_end_and_is_never_shortened(&index).await;
    concurrent_pins_keep_the_latest_end(&index).await;
}

fn key(bot_id: u64, content: &str) -> FileKey {
    FileKey { bot_id, kind: MediaKind::Photo, sha256: Sha256::of(content.as_bytes()) }
}

/// With the begin and the end of an attempt, of what has ended already too.
pub async fn attempts_get_file_ids_and_teach_them(index: &Arc<dyn MediaIndex>, ledger: &Arc<dyn Ledger>) {
    let (first, second) = (key(3, "first"), key(3, "second"));
    let (one, other) = (notification(&bot("l-files"), 1), notification(&bot("l-files"), 2));
    let begin = async |notification, wanted: &[FileKey]| {
        let begun = ledger.begin_with(notification, Timestamp::now(), &BeginConditions::NONE, wanted).await;
        begun.expect("begin")
    };
    let learn = async |key: FileKey, file_id: &str| {
        let sent = RecordUpdate::of(Status::Sent, Timestamp::now());
        let learnt = FileIds::from([(key, file_id.to_owned())]);
        ledger.settle_with(&one, &sent, &learnt).await.expect("settle")
    };
    let go = Begin::Proceed { interrupted: false, interrupted_attempts: 0 };
    assert_eq!(begin(&one, &[first, second]).await, (go, FileIds::new()));
    assert!(learn(first, "AgAC-first").await);
    assert!(!learn(second, "AgAC-second").await, "it has ended, and yet the file_id is kept");
    assert_eq!(index.file_id(&first).await.expect("file_id").as_deref(), Some("AgAC-first"));
    let both = FileIds::from([(first, "AgAC-first".to_owned()), (second, "AgAC-second".to_owned())]);
    assert_eq!(begin(&other, &[first, key(3, "third"), second]).await, (go, both));
    assert_eq!(begin(&one, &[first]).await, (Begin::Skip(Status::Sent), FileIds::new()));
}

/// Kept under the whole key, the last one counts.
pub async fn a_file_id_is_good_for_one_bot_and_content(index: &Arc<dyn MediaIndex>) {
    let largest = 1 << 53;
    assert_eq!(index.file_id(&key(largest, "a")).await.expect("file_id"), None);
    index.keep(&key(largest, "a"), "AgACAgIAAxkBAAIB-_").await.expect("keep");
    let kept = index.file_id(&key(largest, "a")).await.expect("file_id");
    assert_eq!(kept.as_deref(), Some("AgACAgIAAxkBAAIB-_"));
    assert_eq!(index.file_id(&key(1, "a")).await.expect("file_id"), None, "another bot");
    assert_eq!(index.file_id(&key(largest, "b")).await.expect("file_id"), None, "another content");
    index.keep(&key(largest, "a"), "newer").await.expect("keep");
    assert_eq!(index.file_id(&key(largest, "a")).await.expect("file_id").as_deref(), Some("newer"));
}

/// Another that took its place meanwhile stays.
pub async fn only_the_refused_file_id_is_evicted(index: &Arc<dyn MediaIndex>) {
    let key = key(2, "evicted");
    index.evict(&key, "never kept").await.expect("evicting what is not there is fine");
    index.keep(&key, "fresh").await.expect("keep");
    index.evict(&key, "stale").await.expect("evict");
    assert_eq!(index.file_id(&key).await.expect("file_id").as_deref(), Some("fresh"));
    index.evict(&key, "fresh").await.expect("evict");
    assert_eq!(index.file_id(&key).await.expect("file_id"), None);
}

/// The later of two ends counts, in whichever order they come.
pub async fn a_pin_holds_until_its_end_and_is_never_shortened(index: &Arc<dyn MediaIndex>) {
    let now = Timestamp::now();
    let minutes = |minutes: u64| now.plus(Duration::from_secs(60 * minutes));
    let image = Sha256::of(b"pinned");
    assert!(!index.is_pinned(&image, now).await.expect("is_pinned"));
    index.pin(&image, minutes(60)).await.expect("pin");
    assert!(index.is_pinned(&image, now).await.expect("is_pinned"));
    assert!(index.is_pinned(&image, minutes(59)).await.expect("is_pinned"));
    assert!(!index.is_pinned(&image, minutes(61)).await.expect("is_pinned"), "it ends");
    index.pin(&image, minutes(10)).await.expect("pin");
    assert!(index.is_pinned(&image, minutes(59)).await.expect("is_pinned"), "never shortened");
    index.pin(&image, minutes(120)).await.expect("pin");
    assert!(index.is_pinned(&image, minutes(119)).await.expect("is_pinned"), "lengthened");
    assert!(!index.is_pinned(&Sha256::of(b"unpinned"), now).await.expect("is_pinned"), "others are not pinned");
}

/// No pin is lost to another at the same moment.
pub async fn concurrent_pins_keep_the_latest_end(index: &Arc<dyn MediaIndex>) {
    let now = Timestamp::now();
    let image = Sha256::of(b"pinned by many");
    let ends = (1..=50).rev().map(|minute| now.plus(Duration::from_secs(60 * minute)));
    for pinned in join_all(ends.map(|end| index.pin(&image, end))).await {
        pinned.expect("pin");
    }
    assert!(index.is_pinned(&image, now.plus(Duration::from_secs(60 * 50 - 5))).await.expect("is_pinned"));
}
