//! Many large uploads at once fit into little memory.

use crate::support::images;
use crate::support::program::Program;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use futures_util::future::join_all;
use futures_util::stream;
use reqwest::multipart::{Form, Part};
use reqwest::{Body, Client};
use std::io::Write;
use std::process::Stdio;

const CLIENTS: u32 = 200;
/// Width and height of 10 MB of colours.
const SIDE: u32 = 1825;
const LIMIT_MIB: u64 = 150;

/// What is the same in all images: noise, stored rather than compressed, so that all of its bytes are pixels.
fn tail() -> Bytes {
    let mut random = fastrand::Rng::with_seed(1);
    let mut pixels = ZlibEncoder::new(Vec::new(), Compression::none());
    let mut row = vec![0; 1 + 3 * SIDE as usize];
    for _ in 0..SIDE {
        random.fill(&mut row[1..]);
        pixels.write_all(&row).unwrap();
    }
    [images::chunk(b"IDAT", &pixels.finish().unwrap()), images::chunk(b"IEND", b"")].concat().into()
}

/// A form that is made while it is sent: a head of its own for each client, one tail for all.
fn form(client: u32, tail: &Bytes) -> Form {
    let head = [images::head(SIDE, SIDE, 8, 2), images::chunk(b"noIs", &client.to_be_bytes())].concat();
    let pieces = tail.chunks(65_536).map(|piece| tail.slice_ref(piece));
    let pieces: Vec<_> = std::iter::once(Bytes::from(head)).chain(pieces).collect();
    let length = pieces.iter().map(|piece| piece.len() as u64).sum();
    let body = Body::wrap_stream(stream::iter(pieces.into_iter().map(Ok::<_, std::io::Error>)));
    let part = Part::stream_with_length(body, length).file_name("a.png");
    Form::new().text("chat_id", (client + 1).to_string()).part("photo", part)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_uploads_of_ten_megabytes_stay_under_150_mib() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (service, client) = (Program::serve("http://127.0.0.1:9", &[], Stdio::null()), Client::new());
    let tail = tail();
    let before = service.peak_mib();
    let url = format!("{}/v1/notifications", service.url);
    let answers = join_all((0..CLIENTS).map(|i| client.post(&url).multipart(form(i, &tail)).send())).await;
    for answer in answers {
        assert_eq!(answer.unwrap().status(), 202);
    }
    let peak = service.peak_mib();
    println!("{CLIENTS} uploads of {} bytes at once: {before} MiB before, {peak} MiB at the peak", tail.len());
    assert!(peak < LIMIT_MIB, "{peak} MiB");
}
