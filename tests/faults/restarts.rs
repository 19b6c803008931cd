//! SIGTERM under load: a stop in order loses nothing and repeats nothing.

use crate::images::Picture;
use crate::load::{Book, Client, Letter, Load, Plan};
use crate::service::{Engine, Service};
use crate::support::answer::Answer;
use crate::{reconcile, sandbox, wait};
use bytes::Bytes;
use futures_util::stream;
use reqwest::multipart::Part;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const STOPS: usize = 3;
const GRACE: Duration = Duration::from_secs(10);
const WAIT_TIMEOUT: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn stops_under_load_lose_nothing_and_repeat_nothing_on_the_embedded_engine() {
    restart(Engine::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stops_under_load_lose_nothing_and_repeat_nothing_on_the_distributed_engine() {
    restart(Engine::shared()).await;
}

/// The sandbox holds every answer back for a while, so that each stop finds sends in flight that have arrived already:
/// if they were not waited for, they would arrive twice.
async fn restart(engine: Engine) {
    let sandbox = sandbox::slow(Duration::from_millis(200));
    let mut service = Service::new("restarts", engine.clone(), &sandbox.url());
    service.set("GRACE_PERIOD_SECONDS", &GRACE.as_secs().to_string());
    service.start().await;
    let plan = Plan { count: 100_000, clients: 8, chats: 60, rest: Duration::from_millis(20), mixed: false };
    let load = Load::start(&service.client(), plan);
    let mut slow_posts = Vec::new();
    let mut stops = Vec::new();
    for stop in 0..STOPS {
        let sent = sandbox.stats().sends;
        wait::until_true("traffic", WAIT_TIMEOUT, async || sandbox.stats().sends > sent + 200).await;
        let pieces = Arc::new(AtomicUsize::new(0));
        let post = tokio::spawn(post_slowly(service.client(), stop, pieces.clone()));
        wait::until_true("an upload under way", WAIT_TIMEOUT, async || pieces.load(Ordering::Relaxed) >= 2).await;
        let probe = tokio::spawn(watch_readiness(service.client()));
        let began = Instant::now();
        service.process().terminate();
        let status = service.end(GRACE + Duration::from_secs(5)).await;
        let took = began.elapsed();
        assert_eq!(status.code(), Some(0), "a stop in order ends with 0, not {status}");
        assert!(took <= GRACE + Duration::from_secs(1), "the stop took {:.1} s", took.as_secs_f64());
        stops.push(format!("{:.1} s", took.as_secs_f64()));
        assert!(probe.await.unwrap(), "/readyz never said 503 before the port was closed");
        let left = service.in_flight().await;
        assert!(left.is_empty(), "left in flight: {left:?}");
        slow_posts.push(post.await.unwrap());
        service.start().await;
    }
    load.enough();
    let mut book = load.finish(WAIT_TIMEOUT).await;
    for (letter, answer) in &slow_posts {
        book.confirm(letter, answer);
    }
    let figures = reconcile::compare(&service.client(), &sandbox, &book, WAIT_TIMEOUT).await;
    let cut: Vec<_> = book.tries.iter().filter_map(|attempt| attempt.result.as_ref().err()).collect();
    let refused = cut.iter().filter(|error| error.contains("ConnectionRefused")).count();
    println!(
        "SIGTERM, {}: {figures}; stopped in {}; {refused} connections refused while it was away, {} requests cut off",
        engine.name(),
        stops.join(", "),
        cut.len() - refused,
    );
    cut.iter().filter(|error| !error.contains("ConnectionRefused")).for_each(|error| println!("cut off: {error}"));
    book.assert_polite();
    figures.assert_kept();
    assert_eq!(figures.duplicates(), 0, "{:?}", figures.extra);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_does_not_wait_for_a_telegram_that_never_answers() {
    let sandbox = sandbox::slow(Duration::from_secs(60));
    let mut service = Service::new("stalled", Engine::Embedded, &sandbox.url());
    service.set("GRACE_PERIOD_SECONDS", "2");
    service.start().await;
    let mut book = Book::default();
    for number in 0..10 {
        let letter = Letter::new(format!("letter {number}"), 1000 + number as i64, Picture::small(number));
        let answer = service.client().post(&letter).await.unwrap();
        assert_eq!(answer.status, 202, "{}", answer.text);
        book.confirm(&letter, &answer);
    }
    wait::until_true("sends", WAIT_TIMEOUT, async || sandbox.stats().sends == 10).await;
    let began = Instant::now();
    service.process().terminate();
    let status = service.end(Duration::from_secs(10)).await;
    let took = began.elapsed();
    assert_eq!(status.code(), Some(0));
    assert!(took < Duration::from_secs(5), "the stop took {:.1} s", took.as_secs_f64());
    let in_flight = service.in_flight().await;
    sandbox.clear_faults();
    service.start().await;
    let figures = reconcile::compare(&service.client(), &sandbox, &book, WAIT_TIMEOUT).await;
    println!(
        "SIGTERM, no answers: {figures}; stopped in {:.1} s with {} in flight",
        took.as_secs_f64(),
        in_flight.len()
    );
    figures.assert_kept();
    assert!(figures.extra.iter().all(|(caption, times)| *times == 1 && in_flight.contains(caption)), "{figures}");
}

/// A post whose body takes a second and a half to arrive: it is under way at the stop and must be answered.
async fn post_slowly(client: Client, number: usize, sent: Arc<AtomicUsize>) -> (Letter, Answer) {
    const PIECES: usize = 15;
    let letter = Letter::new(format!("slow letter {number}"), 5, Picture::small(number as u64));
    let bytes = letter.picture.bytes();
    let pieces: Vec<Bytes> = bytes.chunks(bytes.len().div_ceil(PIECES)).map(Bytes::copy_from_slice).collect();
    let body = stream::unfold((pieces.into_iter(), sent), async |(mut pieces, sent)| {
        // The pace of the sender.
        tokio::time::sleep(Duration::from_millis(100)).await;
        sent.fetch_add(1, Ordering::Relaxed);
        Some((Ok::<_, std::io::Error>(pieces.next()?), (pieces, sent)))
    });
    let part = Part::stream_with_length(reqwest::Body::wrap_stream(body), bytes.len() as u64);
    let answer = client.post_body(&letter, part).await.expect("a request that is under way at a stop is answered");
    assert_eq!(answer.status, 202, "{}", answer.text);
    (letter, answer)
}

/// Asks until the port is closed; whether the answer was 503 at the end.
async fn watch_readiness(client: Client) -> bool {
    let mut said_no = false;
    while let Ok(answer) = client.get("/readyz").await {
        said_no = answer.status == 503;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    said_no
}
