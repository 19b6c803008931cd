//! A backup is taken of a service that accepts, copied where it does harm, and restored as it should be.

use crate::images::Picture;
use crate::load::Letter;
use crate::sandbox;
use crate::service::{Engine, Service};
use crate::support::wait::WAIT_TIMEOUT;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_a_busy_service_is_restored_and_delivered_and_a_wrong_copy_is_refused() {
    let sandbox = sandbox::start();
    // Nothing is delivered before the restore: what was accepted before the backup must be in it.
    let mut service = Service::new("backup", Engine::Embedded, "http://127.0.0.1:9");
    service.start().await;
    let mut accepted = Vec::new();
    for number in 0..40 {
        accepted.push(post(&service, number).await.0);
    }
    let saved = service.data_dir().parent().unwrap().join("saved.db");
    let done = AtomicBool::new(false);
    let backup = async {
        let made = pixcourier(&service, "backup", &saved).await;
        done.store(true, Ordering::Relaxed);
        made
    };
    let accepting = async {
        let (mut count, mut longest) = (0, Duration::ZERO);
        while !done.load(Ordering::Relaxed) {
            longest = longest.max(post(&service, 1_000 + count).await.1);
            count += 1;
        }
        (count, longest)
    };
    let (made, (count, longest)) = tokio::join!(backup, accepting);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let refused = pixcourier(&service, "restore", &saved).await;
    assert!(said(&refused).contains("in use by another process"), "{}", said(&refused));
    for number in 5_000..5_300 {
        post(&service, number).await;
    }
    service.kill9();

    let database = service.data_dir().join("pixcourier.db");
    std::fs::copy(&saved, &database).unwrap();
    for _ in 0..2 {
        let started = serve(&service).await;
        assert_eq!(started.status.code(), Some(1), "{}", said(&started));
        assert!(said(&started).contains("`pixcourier restore`"), "it says what to do: {}", said(&started));
    }
    let restored = pixcourier(&service, "restore", &saved).await;
    assert!(restored.status.success(), "{}", said(&restored));
    service.set("BOT_API_URL", &sandbox.url());
    service.start().await;
    let deadline = Instant::now() + WAIT_TIMEOUT;
    for id in &accepted {
        let path = format!("/v1/notifications/{id}");
        while service.client().get(&path).await.unwrap().json()["status"] != "sent" {
            assert!(Instant::now() < deadline, "{id} was accepted before the backup and is not sent");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    println!(
        "backup, embedded: {} accepted before it, all sent after the restore; {count} accepted beside it, the slowest in {:.0} ms",
        accepted.len(),
        longest.as_secs_f64() * 1e3
    );
}

async fn post(service: &Service, number: u64) -> (String, Duration) {
    let letter = Letter::new(format!("letter {number}"), 1_000 + number as i64, Picture::medium(number));
    let began = Instant::now();
    let answer = service.client().post(&letter).await.unwrap();
    assert_eq!(answer.status, 202, "{}", answer.text);
    (answer.json()["id"].as_str().unwrap().to_owned(), began.elapsed())
}

/// Runs a subcommand with the configuration of the service.
async fn pixcourier(service: &Service, subcommand: &str, file: &Path) -> Output {
    output(service, &[subcommand, file.to_str().unwrap()]).await
}

/// Runs the service to its end, which is near.
async fn serve(service: &Service) -> Output {
    output(service, &["serve", "--listen", "127.0.0.1:0"]).await
}

async fn output(service: &Service, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pixcourier"));
    command.args(arguments).envs(service.environment());
    tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
