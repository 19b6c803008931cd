//! Images that are made to cost much: what another caller waits meanwhile, and how much memory it takes.

use crate::support::images::{chunk, head, png};
use crate::support::program::Program;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use reqwest::Client;
use reqwest::multipart::{Form, Part};
use std::io::Write;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// How long the other caller is watched.
const WATCH: Duration = Duration::from_secs(4);
/// What it may wait. These tests run unoptimized, beside others: the release profile is some ten times faster.
const MAX_WAIT: Duration = Duration::from_secs(2);
const LIMIT_MIB: u64 = 150;

/// A TIFF of so many tiles of one pixel, each with its place and its length.
fn tiles(side: u32) -> Vec<u8> {
    let (count, tables) = (side * side, 16 + 2 + 10 * 12 + 4);
    let mut tiff = b"II*\0\x10\0\0\0\0\0\0\0\0\0\0\0\x0a\0".to_vec();
    let fields = [
        (256, 1, side),
        (257, 1, side),
        (258, 1, 8),
        (259, 1, 1),
        (262, 1, 1),
        (277, 1, 1),
        (322, 1, 1),
        (323, 1, 1),
        (324, count, tables),
        (325, count, tables + 4 * count),
    ];
    for (tag, count, value) in fields {
        tiff.extend([u16::to_le_bytes(tag), 4_u16.to_le_bytes()].concat());
        tiff.extend([count.to_le_bytes(), value.to_le_bytes()].concat());
    }
    tiff.extend([0; 4]);
    (0..count).for_each(|_| tiff.extend(8_u32.to_le_bytes()));
    (0..count).for_each(|_| tiff.extend(1_u32.to_le_bytes()));
    tiff
}

/// A GIF whose data comes in blocks of one byte, so many of them.
fn one_byte_blocks(blocks: usize) -> Vec<u8> {
    let mut gif = b"GIF89a\xd0\x07\xd0\x07\0\0\0,\0\0\0\0\xd0\x07\xd0\x07\0\x08".to_vec();
    // A clear code, then 200 literals, and again: nine bits each.
    let (mut held, mut count, mut written, mut number) = (0_u32, 0, 0, 0_u32);
    while written < blocks {
        let code = if number.is_multiple_of(201) { 256 } else { number % 256 };
        held |= code << count;
        (count, number) = (count + 9, number + 1);
        while count >= 8 {
            gif.extend([1, held as u8]);
            (held, count, written) = (held >> 8, count - 8, written + 1);
        }
    }
    gif.extend(b"\0;");
    gif
}

/// A black PNG of more pixels than a photo has.
fn large_picture() -> Vec<u8> {
    let (width, height) = (6000, 5000);
    let mut pixels = ZlibEncoder::new(Vec::new(), Compression::fast());
    let row = vec![0; 1 + 3 * width as usize];
    (0..height).for_each(|_| pixels.write_all(&row).unwrap());
    let data = pixels.finish().unwrap();
    [head(width, height, 8, 2), chunk(b"IDAT", &data), chunk(b"IEND", b"")].concat()
}

fn form(image: &[u8], oversize: &'static str) -> Form {
    let part = Part::bytes(image.to_vec()).file_name("a");
    Form::new().text("chat_id", "42").text("oversize", oversize).part("photo", part)
}

/// Sends a whole request and hangs up without waiting for the answer.
async fn send_and_hang_up(url: &str, image: &[u8]) {
    let address = url.trim_start_matches("http://");
    let mut body = b"--b\r\nContent-Disposition: form-data; name=\"chat_id\"\r\n\r\n42\r\n".to_vec();
    body.extend(b"--b\r\nContent-Disposition: form-data; name=\"photo\"; filename=\"a\"\r\n\r\n");
    body.extend_from_slice(image);
    body.extend(b"\r\n--b--\r\n");
    let head = format!(
        "POST /v1/notifications HTTP/1.1\r\nHost: {address}\r\nContent-Type: multipart/form-data; boundary=b\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    let mut connection = TcpStream::connect(address).await.unwrap();
    connection.write_all(head.as_bytes()).await.unwrap();
    connection.write_all(&body).await.unwrap();
    // Until then the service may read: what is not read yet is lost with the connection.
    tokio::time::sleep(Duration::from_millis(50)).await;
}

/// What another caller's small photo waits at most, while an attack goes on.
async fn longest_wait(client: &Client, url: &str, number: &mut u64) -> Duration {
    let (begin, mut longest) = (Instant::now(), Duration::ZERO);
    while begin.elapsed() < WATCH {
        *number += 1;
        let photo = png(640, 480, 20_000, *number);
        let asked = Instant::now();
        let answer = client.post(url).multipart(form(&photo, "reject")).send().await.unwrap();
        assert_eq!(answer.status(), 202);
        longest = longest.max(asked.elapsed());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    longest
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_callers_photo_hardly_waits_for_images_that_are_made_to_cost_much() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (tiff, gif, picture) = (tiles(612), one_byte_blocks(5_000_000), large_picture());
    assert!(tiff.len() > 2_900_000 && gif.len() > 9_900_000);
    for attack in ["nothing else", "two TIFFs of 1x1 tiles, hung up", "GIFs of one-byte blocks", "ten shrinks"] {
        let (service, client) = (Program::serve("http://127.0.0.1:9", &[], Stdio::null()), Client::new());
        let url = format!("{}/v1/notifications", service.url);
        let post = |image: &[u8], oversize| -> JoinHandle<()> {
            let request = client.post(&url).multipart(form(image, oversize)).send();
            tokio::spawn(async move { drop(request.await) })
        };
        let attackers: Vec<_> = match attack {
            "GIFs of one-byte blocks" => (0..4_u8).map(|n| post(&[&gif[..], &[n]].concat(), "reject")).collect(),
            "ten shrinks" => (0..10_u8).map(|n| post(&[&picture[..], &[n]].concat(), "shrink")).collect(),
            "nothing else" => Vec::new(),
            _ => {
                tokio::join!(send_and_hang_up(&service.url, &tiff), send_and_hang_up(&service.url, &tiff));
                Vec::new()
            }
        };
        let wait = longest_wait(&client, &url, &mut 0).await;
        let memory = service.peak_mib();
        attackers.iter().for_each(JoinHandle::abort);
        println!("HOSTILE {attack}: another caller waits {} ms at most; {memory} MiB at the peak", wait.as_millis());
        assert!(wait < MAX_WAIT && memory < LIMIT_MIB, "{attack}: {wait:?}, {memory} MiB");
    }
}
