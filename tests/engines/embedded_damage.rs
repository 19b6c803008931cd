//! The embedded engine on a file that is damaged, is another's, or was restored. The damage is real: bytes of files.

use crate::engines::contract::{self, bot, next, notification, open_embedded};
use pixcourier::adapters::embedded::{self, BackupError, Embedded, OpenError, restore};
use pixcourier::adapters::objects::blob_files;
use pixcourier::domain::{NotificationId, Timestamp};
use pixcourier::ports::Submission;
use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tempfile::TempDir;

const PAGE_BYTES: u64 = 1024;
const MARK: &str = "pixcourier.damaged";

fn database(folder: &Path) -> PathBuf {
    folder.join(Embedded::DATABASE_FILE)
}

fn log(folder: &Path) -> PathBuf {
    folder.join("pixcourier.db-wal")
}

fn backup(folder: &Path, target: &Path) -> Result<u64, BackupError> {
    embedded::backup(folder, blob_files(folder), target)
}

async fn accept(engine: &Embedded, name: &str) -> Result<NotificationId, String> {
    let sent = notification(&bot(name), 1);
    let id = sent.id;
    let answer = engine.ports.acceptor.accept(&Submission { notification: sent, idempotency: None }).await;
    answer.map(|_| id).map_err(|error| error.to_string())
}

async fn accept_many(engine: &Embedded, count: usize) -> Vec<NotificationId> {
    let all = futures_util::future::join_all((0..count).map(|_| accept(engine, "damage"))).await;
    all.into_iter().collect::<Result<_, _>>().unwrap()
}

/// Moves the write-ahead log of an open engine into its file.
fn checkpoint(folder: &Path) {
    let conn = rusqlite::Connection::open(database(folder)).unwrap();
    let busy: bool = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).unwrap();
    assert!(!busy);
}

/// Overwrites every page but the first few.
fn overwrite_pages(folder: &Path) {
    let mut file = OpenOptions::new().write(true).open(database(folder)).unwrap();
    let pages = file.metadata().unwrap().len() / PAGE_BYTES;
    assert!(pages > 20, "{pages} pages are too few for a test");
    file.seek(SeekFrom::Start(2 * PAGE_BYTES)).unwrap();
    file.write_all(&vec![0xa5; usize::try_from((pages - 2) * PAGE_BYTES).unwrap()]).unwrap();
}

fn refused(folder: &Path) -> String {
    let error = open_embedded(folder).err().expect("a damaged file is refused");
    assert!(matches!(error, OpenError::Damaged(_)), "{error:?}");
    assert!(error.to_string().contains("pixcourier restore"), "it says what to do: {error}");
    error.to_string()
}

async fn assert_held(engine: &Embedded, accepted: &[NotificationId]) {
    for id in accepted {
        assert!(engine.ports.ledger.get(*id).await.unwrap().is_some(), "{id} was accepted before the backup");
    }
    let mut subscription = engine.ports.queue.subscribe(&bot("damage"), 100).await.unwrap();
    let mut missing: BTreeSet<_> = accepted.iter().copied().collect();
    while !missing.is_empty() {
        let delivery = next(&mut subscription).await;
        missing.remove(&delivery.notification.id);
        engine.ports.queue.ack(&delivery.receipt).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_with_damaged_pages_is_refused_until_a_backup_is_restored() {
    let folder = tempfile::tempdir().unwrap();
    let saved = folder.path().join("saved.db");
    let engine = open_embedded(folder.path()).unwrap();
    let accepted = accept_many(&engine, 300).await;
    engine.close().await;
    assert!(backup(folder.path(), &saved).unwrap() > 0);
    overwrite_pages(folder.path());
    let before = std::fs::read(database(folder.path())).unwrap();
    refused(folder.path());
    refused(folder.path());
    assert!(std::fs::read(database(folder.path())).unwrap() == before, "it is left alone");
    let error = backup(folder.path(), &folder.path().join("bad.db")).unwrap_err();
    assert!(matches!(error, BackupError::Damaged { .. }), "{error:?}");
    assert!(!folder.path().join("bad.db").exists(), "no backup is made of what is damaged");

    let moved = restore(folder.path(), &saved).unwrap().expect("the damaged file is kept");
    assert!(std::fs::read(moved).unwrap() == before);
    let engine = open_embedded(folder.path()).unwrap();
    assert_held(&engine, &accepted).await;
    engine.close().await;
    assert!(!folder.path().join(MARK).exists());
    let left = std::fs::read_dir(folder.path()).unwrap().flatten().map(|entry| entry.file_name());
    assert_eq!(left.filter(|name| name.to_string_lossy().contains("copy")).count(), 0, "no unfinished copy is left");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damage_that_is_found_while_it_runs_stops_it_and_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let engine = open_embedded(folder.path()).unwrap();
    let accepted = accept_many(&engine, 300).await;
    checkpoint(folder.path());
    overwrite_pages(folder.path());
    // No connection has read a record yet: what the writer remembers of its pages would do for many more writes.
    engine.ports.ledger.get(accepted[0]).await.unwrap_err();
    for _ in 0..3 {
        let answer = accept(&engine, "damage").await.unwrap_err();
        assert!(answer.contains("damaged"), "{answer}");
    }
    let unready = engine.ports.acceptor.ready().await.unwrap_err().to_string();
    assert!(unready.contains("damaged"), "{unready}");
    assert!(folder.path().join(MARK).exists(), "the next start is told");
    engine.close().await;
    refused(folder.path());
}

/// A folder whose database is an older copy beside the live log of what came after it.
async fn copy_over_a_live_log() -> (TempDir, PathBuf, Vec<NotificationId>) {
    let live = tempfile::tempdir().unwrap();
    let engine = open_embedded(live.path()).unwrap();
    let accepted = accept_many(&engine, 200).await;
    let saved = live.path().join("saved.db");
    backup(live.path(), &saved).unwrap();
    accept_many(&engine, 2_000).await;
    checkpoint(live.path());
    accept_many(&engine, 100).await;
    let restored = tempfile::tempdir().unwrap();
    std::fs::copy(&saved, database(restored.path())).unwrap();
    std::fs::copy(log(live.path()), log(restored.path())).unwrap();
    let kept = restored.path().join("kept.db");
    std::fs::copy(&saved, &kept).unwrap();
    engine.close().await;
    (restored, kept, accepted)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_that_is_copied_over_a_live_log_is_refused_and_can_be_restored() {
    let (folder, kept, accepted) = copy_over_a_live_log().await;
    let said = refused(folder.path());
    assert!(said.contains("pixcourier.db-wal belongs to another file"), "{said}");
    assert!(log(folder.path()).exists(), "it is left alone");
    refused(folder.path());
    restore(folder.path(), &kept).unwrap();
    let engine = open_embedded(folder.path()).unwrap();
    assert_held(&engine, &accepted).await;
    engine.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_is_a_copy_that_says_the_log_could_be_its_own() {
    let (folder, _kept, _accepted) = copy_over_a_live_log().await;
    let mut file = OpenOptions::new().write(true).open(database(folder.path())).unwrap();
    file.seek(SeekFrom::Start(18)).unwrap();
    file.write_all(&[2, 2]).unwrap();
    drop(file);
    refused(folder.path());
    assert!(log(folder.path()).exists(), "the pages of the log are not moved into the file");
    refused(folder.path());
}

#[tokio::test]
async fn what_is_no_database_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let text = b"this is a letter to Ada and no database at all\n".repeat(200);
    std::fs::write(database(folder.path()), &text).unwrap();
    refused(folder.path());
    assert!(std::fs::read(database(folder.path())).unwrap() == text);
    let error = restore(folder.path(), &database(folder.path())).unwrap_err();
    assert!(matches!(error, BackupError::Damaged { .. }), "{error:?}");
    let foreign = folder.path().join("foreign.db");
    rusqlite::Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE letters (x)").unwrap();
    let error = restore(folder.path(), &foreign).unwrap_err();
    assert!(matches!(error, BackupError::Foreign(_)), "{error:?}");
    assert!(std::fs::read(database(folder.path())).unwrap() == text, "a failed restore changes nothing");
}

#[tokio::test]
async fn a_sound_file_that_is_marked_is_used_and_the_mark_goes() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(MARK), "it was damaged").unwrap();
    let said = refused(folder.path());
    assert!(said.contains("gone"), "a restore that was interrupted does not end with an empty database: {said}");
    assert!(!database(folder.path()).exists());
    std::fs::remove_file(folder.path().join(MARK)).unwrap();
    open_embedded(folder.path()).unwrap().close().await;
    std::fs::write(folder.path().join(MARK), "it was damaged").unwrap();
    let engine = open_embedded(folder.path()).unwrap();
    accept(&engine, "damage").await.unwrap();
    engine.close().await;
    assert!(!folder.path().join(MARK).exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_of_a_service_that_accepts_has_all_that_was_accepted_before_it() {
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let engine = open_embedded(folder.path()).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let accepting = tokio::spawn({
        let (engine, stop) = (engine.clone(), stop.clone());
        async move {
            let mut longest = 0;
            while !stop.load(Ordering::Relaxed) {
                let began = Timestamp::now();
                accept(&engine, "damage").await.unwrap();
                longest = longest.max(Timestamp::now().since(began).as_millis());
            }
            longest
        }
    });
    let accepted = accept_many(&engine, 500).await;
    let saved = elsewhere.path().join("saved.db");
    let (from, to) = (folder.path().to_owned(), saved.clone());
    tokio::task::spawn_blocking(move || backup(&from, &to)).await.unwrap().unwrap();
    stop.store(true, Ordering::Relaxed);
    println!("the longest acceptance beside a backup took {} ms", accepting.await.unwrap());
    let again = backup(folder.path(), &saved).unwrap_err();
    assert!(matches!(again, BackupError::Exists(_)), "{again:?}");
    let in_use = restore(folder.path(), &saved).unwrap_err();
    assert!(matches!(in_use, BackupError::Open(OpenError::InUse(_))), "{in_use:?}");
    let live = restore(elsewhere.path(), &database(folder.path())).unwrap_err();
    assert!(matches!(live, BackupError::InUse(_)), "{live:?}");
    engine.close().await;

    let other = elsewhere.path().join("data");
    assert_eq!(restore(&other, &saved).unwrap(), None);
    let engine = open_embedded(&other).unwrap();
    assert_held(&engine, &accepted).await;
    engine.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_holds_the_images_and_a_restored_one_gives_them_back() {
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let engine = open_embedded(folder.path()).unwrap();
    let images = [0, 1, 256 * 1024, 256 * 1024 + 1, 3_000_000].map(|size| contract::blobs::noise(size, size as u64));
    let mut digests = Vec::new();
    for image in &images {
        digests.push(contract::blobs::put(&engine.ports.blobs, image).await);
    }
    let accepted = accept_many(&engine, 10).await;
    let saved = elsewhere.path().join("saved.db");
    assert!(backup(folder.path(), &saved).unwrap() > 3_000_000);
    engine.close().await;

    let other = elsewhere.path().join("data");
    restore(&other, &saved).unwrap();
    let engine = open_embedded(&other).unwrap();
    assert_eq!(engine.unpack_blobs().await.unwrap(), images.len() as u64);
    for (digest, image) in digests.iter().zip(&images) {
        assert!(contract::blobs::read(&engine.ports.blobs, digest).await.unwrap() == *image);
    }
    assert_held(&engine, &accepted).await;
    engine.close().await;
    assert_eq!(std::fs::metadata(&saved).unwrap().len() / 1_000_000, 3, "the backup stays as it is");
}
