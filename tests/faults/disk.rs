//! The disk is full.

use crate::images::Picture;
use crate::load::{Book, Letter};
use crate::service::{Engine, Service};
use crate::{reconcile, sandbox};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const WAIT_TIMEOUT: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_at_once_and_keeps_what_was_accepted_on_the_embedded_engine() {
    let Some((disk, ballast)) = disk_with_ballast("disk", 64, 16) else { return };
    // Nothing is delivered before the disk is free again: what is accepted must wait there.
    let sandbox = sandbox::start();
    let mut service = Service::new("disk", Engine::Embedded, "http://127.0.0.1:9");
    service.set("DATA_DIR", &disk.path().join("data").display().to_string());
    service.start().await;

    let mut book = Book::default();
    let rejection = fill(&service, &mut book, 0).await;
    let kept = book.confirmed.len();
    let (probes, untrue) = probe_while_full(&service, &mut book).await;
    service.kill9();
    let in_flight = service.in_flight().await;
    service.start_unready().await;
    let again = fill(&service, &mut book, 1000).await;
    let fate = service.client().get(&format!("/v1/notifications/{}", book.confirmed["letter 0"])).await.unwrap();
    assert_eq!(fate.status, 200, "what is known can be asked while the disk is full: {}", fate.text);

    std::fs::remove_file(&ballast).unwrap();
    wait_until_ready(&service).await;
    service.kill9();
    service.set("BOT_API_URL", &sandbox.url());
    service.start().await;
    post_last(&service, &mut book).await;
    let figures = reconcile::compare(&service.client(), &sandbox, &book, WAIT_TIMEOUT).await;
    println!(
        "disk full, embedded: {figures}; {kept} were accepted before it was full; refused with {} after {:.2} s, after kill -9 and a start with {} after {:.2} s; {} in flight at the kill; of {probes} probes right after a rejection {untrue} said ready",
        rejection.0,
        rejection.1.as_secs_f64(),
        again.0,
        again.1.as_secs_f64(),
        in_flight.len(),
    );
    figures.assert_kept();
    assert_eq!(untrue, 0, "ready was said right after a rejection");
    assert!(kept > 20, "only {kept} fitted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_folder_of_images_is_told_by_readyz_on_the_distributed_engine() {
    let Some((disk, ballast)) = disk_with_ballast("folder", 24, 20) else { return };
    let sandbox = sandbox::start();
    let mut service = Service::new("folder", Engine::shared(), &sandbox.url());
    service.set("BLOB_URL", &format!("file://{}", disk.path().join("blobs").display()));
    service.start().await;

    let mut book = Book::default();
    let (status, slowest) = fill(&service, &mut book, 0).await;
    let (probes, untrue) = probe_while_full(&service, &mut book).await;
    std::fs::remove_file(&ballast).unwrap();
    wait_until_ready(&service).await;
    post_last(&service, &mut book).await;
    let figures = reconcile::compare(&service.client(), &sandbox, &book, WAIT_TIMEOUT).await;
    println!(
        "folder full, distributed: {figures}; refused with {status} after {:.2} s; of {probes} probes right after a rejection {untrue} said ready",
        slowest.as_secs_f64(),
    );
    figures.assert_kept();
    assert_eq!(untrue, 0, "ready was said right after a rejection");
}

/// A small file system, and a file on it that takes so much of it, both in MiB; `None`, told, where none can be mounted.
pub fn disk_with_ballast(test: &str, size: u32, ballast: usize) -> Option<(SmallDisk, PathBuf)> {
    let disk = SmallDisk::mount(size)
        .inspect_err(|reason| println!("{test} full: SKIPPED, a small file system cannot be mounted here: {reason}"))
        .ok()?;
    let file = disk.path().join("ballast");
    std::fs::write(&file, vec![0; ballast << 20]).unwrap();
    Some((disk, file))
}

/// Posts one when there is room again.
async fn post_last(service: &Service, book: &mut Book) {
    let letter = letter(5000);
    let answer = service.client().post(&letter).await.unwrap();
    assert_eq!(answer.status, 202, "there is room again: {}", answer.text);
    book.confirm(&letter, &answer);
}

fn letter(number: u64) -> Letter {
    Letter::new(format!("letter {number}"), 1000 + number as i64, Picture::medium(number))
}

/// Posts until refused three times in a row; the status of a rejection and how long the slowest took.
async fn fill(service: &Service, book: &mut Book, first: u64) -> (u16, Duration) {
    let mut rejections = Vec::new();
    for number in first..first + 500 {
        let (letter, began) = (letter(number), Instant::now());
        let answer = service.client().post(&letter).await.expect("a full disk is told, not felt");
        if answer.status == 202 {
            rejections.clear();
            book.confirm(&letter, &answer);
            continue;
        }
        let problem = answer.json();
        assert!([503, 507].contains(&answer.status.as_u16()), "{}", answer.text);
        assert!(answer.retry_after().is_some(), "a {} without Retry-After", answer.status);
        assert!(problem["detail"].as_str().is_some_and(|reason| !reason.is_empty()), "{}", answer.text);
        rejections.push((answer.status.as_u16(), began.elapsed()));
        if rejections.len() == 3 {
            let slowest = rejections.iter().map(|(_, took)| *took).max().unwrap();
            assert!(slowest < Duration::from_millis(1500), "a rejection took {:.1} s", slowest.as_secs_f64());
            return (answer.status.as_u16(), slowest);
        }
    }
    panic!("it never said that the disk is full");
}

/// Posts and probes in turn, for longer than a failed write alone makes it unready. How many probes came right after a
/// rejection, and how many of those said ready.
async fn probe_while_full(service: &Service, book: &mut Book) -> (usize, usize) {
    let (mut probes, mut untrue) = (0, 0);
    let began = Instant::now();
    for number in 600.. {
        let letter = letter(number);
        let answer = service.client().post(&letter).await.expect("a full disk is told, not felt");
        if answer.status == 202 {
            book.confirm(&letter, &answer);
        } else {
            for _ in 0..10 {
                let ready = service.client().get("/readyz").await.unwrap();
                probes += 1;
                untrue += usize::from(ready.status == 200);
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        if began.elapsed() > Duration::from_secs(8) {
            break;
        }
    }
    assert!(probes > 0, "nothing was refused on a full disk");
    (probes, untrue)
}

async fn wait_until_ready(service: &Service) {
    let deadline = Instant::now() + WAIT_TIMEOUT;
    while service.client().get("/readyz").await.unwrap().status != 200 {
        assert!(Instant::now() < deadline, "there is room again, and it does not say so");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// A file system of its own in memory, gone with its owner.
pub struct SmallDisk(TempDir);

impl SmallDisk {
    fn mount(megabytes: u32) -> Result<Self, String> {
        let folder = TempDir::with_prefix("pixcourier-disk-").unwrap();
        let size = format!("size={megabytes}m");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder.path()).output();
        match mounted {
            Ok(output) if output.status.success() => Ok(Self(folder)),
            Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    pub fn path(&self) -> PathBuf {
        Path::new(self.0.path()).to_owned()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: the service may still be ending.
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}
