//! The object store, in a folder and in a bucket of a real S3-compatible server (`tests/with-s3`).

use crate::engines::contract::blobs::{noise, put, read, spool, suite};
use crate::engines::redis::ledger;
use pixcourier::adapters::objects::ObjectBlobs;
use pixcourier::domain::{Sha256, Timestamp};
use pixcourier::ports::{BlobError, Blobs};
use pixcourier::settings::{BlobLocation, S3Bucket};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tempfile::TempDir;

/// A quarter of it is less than the two seconds for which the suite leaves blobs unused.
const SHORT: Duration = Duration::from_secs(8);
const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

fn given(name: &str) -> String {
    let variable = format!("PIXCOURIER_TEST_S3_{name}");
    std::env::var(&variable).unwrap_or_else(|_| {
        panic!("{variable} is not set: run the tests by `make test`, or one by `tests/with-s3 tests/with-brokers cargo test NAME`")
    })
}

/// A place of its own in the bucket.
fn bucket() -> S3Bucket {
    S3Bucket {
        bucket: given("BUCKET"),
        prefix: format!("test-{:016x}/deeper", fastrand::u64(..)),
        endpoint: Some(given("ENDPOINT")),
        region: "us-east-1".to_owned(),
        access_key_id: Some(given("ACCESS_KEY_ID").into()),
        secret_access_key: Some(given("SECRET_ACCESS_KEY").into()),
        ca: None,
    }
}

fn open(location: BlobLocation, retention: Duration) -> Arc<dyn Blobs> {
    // The process does this when it starts; whoever is first here has done it for all.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Arc::new(ObjectBlobs::new(&location, retention).expect("a store"))
}

fn in_folder(folder: &TempDir, retention: Duration) -> Arc<dyn Blobs> {
    open(BlobLocation::Folder(folder.path().join("a folder/to be made")), retention)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn make_older(path: &Path, age: Duration) {
    let file = fs::File::options().write(true).open(path).expect("the file is there");
    file.set_modified(SystemTime::now() - age).expect("its time can be set");
}

#[tokio::test]
async fn a_folder_keeps_the_contract() {
    let folder = TempDir::new().unwrap();
    suite(in_folder(&folder, SHORT), ledger()).await;
}

#[tokio::test]
async fn a_bucket_keeps_the_contract() {
    suite(open(BlobLocation::S3(bucket()), SHORT), ledger()).await;
}

#[tokio::test]
async fn large_blobs_go_up_in_parts_and_many_at_once() {
    let blobs = open(BlobLocation::S3(bucket()), WEEK);
    let images: Vec<_> = (0..8).map(|seed| noise(12_000_001, seed)).collect();
    let puts = futures_util::future::join_all(images.iter().map(|image| put(&blobs, image))).await;
    for (sha256, image) in puts.iter().zip(&images) {
        assert!(read(&blobs, sha256).await.expect("it is held") == *image);
    }
}

#[tokio::test]
async fn what_is_nearly_due_to_be_swept_is_absent_until_it_is_put_again() {
    let folder = TempDir::new().unwrap();
    let blobs = in_folder(&folder, WEEK);
    let bytes = noise(300_000, 1);
    let sha256 = put(&blobs, &bytes).await;
    let path = files(folder.path()).pop().expect("one file");

    make_older(&path, WEEK - Duration::from_secs(2 * 3600));
    assert_eq!(blobs.stat(&sha256).await.unwrap(), Some(300_000), "renewed by being asked for");
    let age = fs::metadata(&path).unwrap().modified().unwrap().elapsed().unwrap_or_default();
    assert!(age < Duration::from_secs(60), "{age:?}");

    make_older(&path, WEEK - Duration::from_secs(1800));
    assert_eq!(blobs.stat(&sha256).await.unwrap(), None);
    put(&blobs, &bytes).await;
    assert_eq!(blobs.stat(&sha256).await.unwrap(), Some(300_000));
    assert!(read(&blobs, &sha256).await.expect("it is held") == bytes);
}

#[tokio::test]
async fn an_upload_that_does_not_succeed_leaves_nothing_and_a_crashed_one_is_swept() {
    let folder = TempDir::new().unwrap();
    let blobs = in_folder(&folder, WEEK);
    let (mut spooled, _file) = spool(&noise(600_000, 1));
    spooled.size += 1;
    assert!(matches!(blobs.put(&spooled).await, Err(BlobError::Unavailable(_))), "the file ends too early");
    assert_eq!(blobs.stat(&spooled.sha256).await.unwrap(), None);
    assert_eq!(files(folder.path()), Vec::<PathBuf>::new());

    let sha256 = put(&blobs, &noise(1_000, 2)).await;
    let whole = files(folder.path()).pop().unwrap();
    let (young, old) = (whole.with_file_name(format!("{sha256}#1")), whole.with_file_name(format!("{sha256}#2")));
    fs::write(&young, b"half an im").unwrap();
    fs::write(&old, b"half an im").unwrap();
    make_older(&old, 2 * WEEK);
    blobs.sweep(Timestamp::now().minus(WEEK), ledger().as_ref()).await.unwrap();
    assert!(young.exists() && whole.exists() && !old.exists());
}

#[tokio::test]
async fn a_store_that_is_away_says_so_without_its_secrets() {
    let away = S3Bucket { endpoint: Some("http://user:hunter2@127.0.0.1:1".to_owned()), ..bucket() };
    let no_bucket = S3Bucket { bucket: "no-such-bucket".to_owned(), ..bucket() };
    for (settings, reason) in [(away, "no connection"), (no_bucket, "NoSuchBucket")] {
        let secrets = ["hunter2".to_owned(), given("SECRET_ACCESS_KEY"), given("ACCESS_KEY_ID"), given("ENDPOINT")];
        let blobs = open(BlobLocation::S3(settings), WEEK);
        let (spooled, _file) = spool(b"bytes");
        let mut errors = vec![
            blobs.ready().await.expect_err("not ready"),
            blobs.put(&spooled).await.expect_err("not stored"),
            blobs.open(&Sha256::of(b"x")).await.map(drop).expect_err("nobody knows"),
        ];
        // An answer to HEAD has no body to tell a missing bucket from a missing object.
        errors.extend(blobs.stat(&Sha256::of(b"x")).await.err());
        for error in errors {
            let text = format!("{error} {error:?}");
            assert!(!secrets.iter().any(|secret| text.contains(secret)), "{text}");
            assert!(text.contains(reason), "{text}");
        }
    }
}

#[tokio::test]
async fn a_folder_that_has_gone_is_not_ready() {
    let folder = TempDir::new().unwrap();
    let blobs = in_folder(&folder, WEEK);
    blobs.ready().await.expect("ready");
    fs::remove_dir_all(folder.path().join("a folder")).unwrap();
    assert!(blobs.ready().await.is_err());
}
