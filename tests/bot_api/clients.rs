//! Client libraries of the Bot API, unmodified but for the base URL, against service and sandbox. What they do is in
//! `tests/clients`, one program for each; `tests/with-clients` installs them.

use crate::support::test_app::{OTHER_TOKEN, On, TOKEN, TestApp};
use pixcourier::sandbox::SandboxOptions;
use pixcourier::settings::RateLimits;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// About what Telegram takes.
const ROUND_TRIP: Duration = Duration::from_millis(50);

/// What every library must be able to do.
const EVERYWHERE: [&str; 10] = [
    "photo_by_bytes",
    "photo_by_path",
    "photo_by_url",
    "photo_by_file_id",
    "document_and_animation",
    "album",
    "edit_media",
    "download",
    "error",
    "long_poll",
];

/// What the files guide of python-telegram-bot speaks of, beside every way of every kind.
const GUIDE: [&str; 20] = [
    "the_last_size_of_a_photo_is_the_largest",
    "thumbnails_are_uploads_only",
    "a_document_keeps_its_name",
    "an_album_mixes_upload_url_and_file_id",
    "albums_of_documents_and_of_music",
    "a_bad_mix_in_an_album_is_refused",
    "media_are_edited_by_upload_url_and_file_id",
    "files_are_downloaded_to_memory_and_to_the_drive",
    "the_largest_size_of_a_photo_is_downloaded",
    "the_base_urls_are_the_only_settings",
    "file_ids_of_one_bot_are_refused_for_another",
    "a_photo_is_no_document_and_the_other_way_round",
    "inline_queries_are_answered_from_cached_files_and_by_url",
    "an_inline_answer_from_another_bots_file_is_refused",
    "updates_come_by_long_polling",
    "other_messages_pass_too",
    "errors_are_the_librarys_own",
    "a_hundred_send_at_once",
    "a_flood_behind_the_service_is_invisible",
    "a_restart_of_telegram_is_invisible",
];
const KINDS: [&str; 6] = ["document", "photo", "video", "audio", "animation", "voice"];
const WAYS: [&str; 7] = ["bytes", "path", "open_file", "input_file_with_a_name", "url", "file_id", "object"];

fn guide() -> Vec<String> {
    let ways = KINDS.iter().flat_map(|kind| WAYS.iter().map(move |way| format!("{kind}_by_{way}")));
    ways.chain(GUIDE.map(str::to_owned)).collect()
}

fn everywhere() -> Vec<String> {
    EVERYWHERE.map(str::to_owned).into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn python_telegram_bot_works_on_the_embedded_engine() {
    drive(On::Embedded, || python("ptb.py"), guide()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn python_telegram_bot_works_on_the_distributed_engine() {
    drive(On::Distributed, || python("ptb.py"), guide()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_that_send_at_once_are_kept_within_telegrams_limits_and_upload_once() {
    let app = TestApp::of_two_bots(
        On::Embedded,
        RateLimits::default(),
        SandboxOptions { latency: ROUND_TRIP, ..SandboxOptions::default() },
    )
    .await;
    let check = "a_hundred_send_at_once";
    let mut command = python("ptb.py");
    command.env("ONLY", check);
    run(&app, command, &[check]).await;
    let stats = app.sandbox.stats();
    assert_eq!([stats.sends, stats.uploads, stats.too_many_requests, stats.violations], [100, 1, 0, 0], "{stats:#?}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn aiogram_works() {
    drive(On::Embedded, || python("aiogram_bot.py"), everywhere()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn grammy_works() {
    drive(On::Embedded, || node("grammy.js"), everywhere()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn telegraf_works() {
    drive(On::Embedded, || node("telegraf.js"), everywhere()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn teloxide_works() {
    drive(On::Embedded, || Command::new(installed("TELOXIDE")), everywhere()).await;
}

async fn drive(on: On, client: impl FnOnce() -> Command, expected: Vec<String>) {
    let app = TestApp::with_two_bots(on).await;
    let expected: Vec<_> = expected.iter().map(String::as_str).collect();
    run(&app, client(), &expected).await;
    app.stop().await;
}

/// Runs a client to its end. Every check must have been made, and none must have failed.
pub async fn run(app: &TestApp, mut command: Command, expected: &[&str]) {
    command.envs([
        ("BASE_URL", app.api.as_str()),
        ("SANDBOX", &app.sandbox.url()),
        ("TOKEN", TOKEN),
        ("OTHER_TOKEN", OTHER_TOKEN),
        ("MEDIA", &format!("{}/media", clients())),
    ]);
    let said = run_command(command).await;
    let done: Vec<_> = said.lines().filter_map(|line| line.strip_prefix("ok ")).collect();
    let missed: Vec<_> = expected.iter().filter(|name| !done.contains(name)).collect();
    assert!(missed.is_empty(), "never checked: {missed:?}");
}

/// Runs a command that must succeed; what it says.
pub async fn run_command(mut command: Command) -> String {
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let (said, complaints) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{}:\n{said}\n{complaints}", output.status);
    said
}

/// One of the Python clients.
pub fn python(script: &str) -> Command {
    let mut command = Command::new(installed("PYTHON"));
    command.arg(format!("{}/python/{script}", clients())).env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// One of the JavaScript clients.
pub fn node(script: &str) -> Command {
    let mut command = Command::new(installed("NODE"));
    command.arg(format!("{}/node/{script}", clients())).env("NODE_PATH", installed("NODE_MODULES"));
    command
}

/// The folder of all of them.
pub fn clients() -> String {
    let folder = format!("{}/tests/clients", env!("CARGO_MANIFEST_DIR"));
    assert!(Path::new(&folder).is_dir());
    folder
}

/// A path that `tests/with-clients` tells.
pub fn installed(what: &str) -> String {
    let variable = format!("PIXCOURIER_TEST_{what}");
    std::env::var(&variable).unwrap_or_else(|_| {
        panic!("{variable} is not set: run the tests by `make test`, or these by `tests/with-clients cargo test NAME`")
    })
}
