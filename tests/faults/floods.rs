//! Two hundred clients upload ten megabytes each at once.

use crate::images::Picture;
use crate::load::{Book, Letter};
use crate::process::Process;
use crate::service::{Engine, Service};
use crate::{reconcile, sandbox};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const CLIENTS: u64 = 200;
/// What the service may have in memory at any moment, in kB.
const MEMORY: u64 = 150 * 1024;
const WAIT_TIMEOUT: Duration = Duration::from_secs(90);

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_uploads_of_ten_megabytes_at_once_stay_under_150_mb_on_the_embedded_engine() {
    flood(Engine::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_uploads_of_ten_megabytes_at_once_stay_under_150_mb_on_the_distributed_engine() {
    flood(Engine::shared()).await;
}

async fn flood(engine: Engine) {
    let sandbox = sandbox::start();
    let mut service = Service::new("floods", engine.clone(), &sandbox.url());
    service.start().await;
    let idle = peak(service.process());
    let began = Instant::now();
    let mut posts = JoinSet::new();
    for number in 0..CLIENTS {
        // A connection of its own for everyone.
        let client = service.client();
        posts.spawn(async move {
            let letter = Letter::new(format!("letter {number}"), 1000 + number as i64, Picture::big(number));
            // On a slow disk the store or the ledger may say "later" to a crowd like this; a caller asks again.
            let deadline = Instant::now() + WAIT_TIMEOUT;
            loop {
                match client.post(&letter).await {
                    Ok(answer) if answer.status == 503 && Instant::now() < deadline => {
                        // The pace of a caller that asks again.
                        tokio::time::sleep(Duration::from_millis(500)).await;
                    }
                    answer => break (answer, letter),
                }
            }
        });
    }
    let mut book = Book::default();
    while let Some(posted) = posts.join_next().await {
        let (answer, letter) = posted.unwrap();
        let answer =
            answer.unwrap_or_else(|error| panic!("{}: {error:?}\n{}", letter.caption, service.process().last_words()));
        assert_eq!(answer.status, 202, "{}", answer.text);
        book.confirm(&letter, &answer);
    }
    let (accepted_after, accepting) = (began.elapsed(), peak(service.process()));
    let figures = reconcile::compare(&service.client(), &sandbox, &book, WAIT_TIMEOUT).await;
    let in_all = peak(service.process());
    println!(
        "{CLIENTS} uploads of 10 MB at once, {}: {figures}; accepted in {:.1} s; resident memory at most {} MB ({} idle, {} when all were accepted)",
        engine.name(),
        accepted_after.as_secs_f64(),
        in_all / 1024,
        idle / 1024,
        accepting / 1024,
    );
    figures.assert_kept();
    assert_eq!((figures.delivered as u64, figures.duplicates()), (CLIENTS, 0));
    assert!(in_all < MEMORY, "{} MB of memory", in_all / 1024);
}

/// The most that was ever resident, in kB: the kernel's own mark, so no peak is missed between two looks.
fn peak(process: &Process) -> u64 {
    let peak = process.memory("VmHWM");
    assert!(peak > 0, "the memory of the process cannot be read");
    peak
}
