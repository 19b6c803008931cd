//! The embedded engine: the contracts of all ports, and what only a file on a disk can be asked.

use crate::engines::contract::{
    self, acceptor::AcceptorPorts, bot, callbacks::CallbackPorts, event_log::EventPorts, later, next, notification,
    open_embedded, ownership,
};
use pixcourier::adapters::embedded::{Embedded, OpenError};
use pixcourier::adapters::objects::blob_files;
use pixcourier::domain::{
    Attempt, Notification, NotificationId, Pause, PauseTarget, RecordUpdate, Sha256, Status, Timestamp,
};
use pixcourier::ports::{
    Begin, BeginConditions, Cancelled, Day, Paused, Ports, Resubmitted, Spooled, Submission, Taken,
};
use std::collections::HashSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

fn fresh() -> (Embedded, TempDir) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    (open_embedded(folder.path()).expect("open"), folder)
}

fn acceptor_ports(engine: &Embedded) -> AcceptorPorts {
    let Ports { acceptor, queue, ledger, media, .. } = engine.ports.clone();
    AcceptorPorts { acceptor, queue, ledger, media }
}

fn plainly(notification: Notification) -> Submission {
    Submission { notification, idempotency: None }
}

/// One number out of a closed engine's file.
fn ask(folder: &Path, sql: &str) -> i64 {
    let conn = rusqlite::Connection::open(folder.join(Embedded::DATABASE_FILE)).expect("open");
    conn.query_row(sql, [], |row| row.get(0)).expect("one number")
}

#[tokio::test]
async fn its_queue_keeps_the_contract() {
    let (engine, _folder) = fresh();
    contract::queue::suite(engine.ports.queue.clone(), engine.ports.queue.clone()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_ledger_keeps_the_contract() {
    let (engine, _folder) = fresh();
    contract::ledger::suite(engine.ports.ledger.clone()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_ledger_keeps_the_contract_of_begin() {
    let (engine, _folder) = fresh();
    contract::ledger_conditions::suite(engine.ports.acceptor.clone(), engine.ports.ledger.clone()).await;
    contract::ledger_migrations::suite(engine.ports.acceptor.clone(), engine.ports.ledger.clone()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_accepted_counts_in_its_lane_and_does_so_after_a_restart() {
    let (engine, folder) = fresh();
    let Ports { acceptor, ledger, .. } = &engine.ports;
    let counted = contract::ledger_counts::what_is_accepted_counts_in_its_lane(acceptor, ledger).await;
    engine.close().await;
    let engine = open_embedded(folder.path()).unwrap();
    contract::ledger_counts::they_are_the_same(&engine.ports.ledger, counted).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_pauses_keep_the_contract_and_outlive_it() {
    let (engine, folder) = fresh();
    let Ports { acceptor, ledger, pauses, .. } = engine.ports.clone();
    let ports = contract::pauses::PausePorts { acceptor: acceptor.clone(), ledger: ledger.clone(), pauses };
    contract::pauses::suite(ports.clone(), ports.pauses.clone()).await;
    contract::ledger_backlog::suite(acceptor, ledger).await;
    let target = PauseTarget { bot: bot("p-kept"), chat: None };
    let pause = Pause { since: Timestamp::now(), client: None, reason: None };
    assert_eq!(ports.pauses.pause(&target, &pause).await.expect("pause"), Paused::New);
    engine.close().await;
    let reopened = open_embedded(folder.path()).expect("reopened");
    let known = reopened.ports.pauses.known().borrow().clone();
    assert!(known.of(&target.bot).is_some_and(|pauses| pauses.bot.is_some()), "known from the start");
    let late = notification(&target.bot, 1);
    let begun = reopened.ports.ledger.begin(&late, Timestamp::now(), &BeginConditions::NONE).await.expect("begin");
    assert_eq!(begun, Begin::Paused);
}

#[tokio::test]
async fn its_switchboard_keeps_the_contract() {
    let (engine, _folder) = fresh();
    contract::outcome_notifier::suite(engine.ports.outcome_notifier.clone(), engine.ports.outcome_notifier.clone())
        .await;
}

#[tokio::test]
async fn its_media_index_keeps_the_contract() {
    let (engine, _folder) = fresh();
    contract::media_index::suite(engine.ports.media.clone(), engine.ports.ledger.clone()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_recipient_book_keeps_the_contract() {
    let (engine, _folder) = fresh();
    contract::recipients::suite(engine.ports.recipients.clone()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_callbacks_keep_the_contract() {
    let (engine, _folder) = fresh();
    let Ports { acceptor, ledger, callbacks, .. } = engine.ports.clone();
    contract::callbacks::suite(CallbackPorts { acceptor, ledger, callbacks }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_event_log_keeps_the_contract_and_outlives_the_process() {
    let (engine, folder) = fresh();
    let Ports { acceptor, ledger, event_log: log, .. } = engine.ports.clone();
    contract::event_log::suite(EventPorts { acceptor, ledger: ledger.clone(), log: log.clone() }).await;
    let end = log.keep(Duration::from_secs(60)).await.unwrap();
    let ended = notification(&bot("events"), 7);
    ledger.settle(&ended, &RecordUpdate::of(Status::Sent, Timestamp::now())).await.unwrap();
    engine.close().await;
    let engine = open_embedded(folder.path()).expect("open");
    let page = engine.ports.event_log.after(end, 10).await.unwrap().expect("it is kept");
    assert_eq!(page.events.iter().map(|(_, record)| record.notification.id).collect::<Vec<_>>(), [ended.id]);
    engine.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_quotas_keep_the_contract_and_outlive_the_process() {
    let (engine, folder) = fresh();
    contract::quotas::suite(engine.ports.quotas.clone()).await;
    let (client, day) = (contract::quotas::client("kept"), Day::of(Timestamp::now()));
    assert!(engine.ports.quotas.take(&client, day, 3, 4).await.unwrap().counted);
    engine.close().await;
    let engine = open_embedded(folder.path()).expect("open");
    assert_eq!(engine.ports.quotas.take(&client, day, 2, 4).await.unwrap(), Taken { counted: false, used: 3 });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_operations_keep_the_contract() {
    let (engine, _folder) = fresh();
    contract::operations::suite(engine.ports.operations.clone()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_blobs_keep_the_contract() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    // A quarter of it is less than the time for which the suite leaves blobs unused.
    let engine = pixcourier::app::open_embedded(folder.path(), Duration::from_secs(8)).expect("open");
    contract::blobs::suite(engine.ports.blobs.clone(), engine.ports.media.clone()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_acceptor_keeps_the_contract() {
    let (engine, _folder) = fresh();
    contract::acceptor::suite(acceptor_ports(&engine)).await;
    contract::finish::suite(acceptor_ports(&engine)).await;
}

#[tokio::test]
async fn a_data_folder_belongs_to_one_engine_at_a_time() {
    let (engine, folder) = fresh();
    let second = open_embedded(folder.path()).err().unwrap();
    assert!(matches!(second, OpenError::InUse(_)), "{second:?}");
    assert!(second.to_string().contains("in use by another process"), "{second}");
    engine.close().await;
    let third = open_embedded(folder.path()).unwrap();
    third.ports.queue.ready().await.unwrap();
    engine.ports.queue.ready().await.unwrap_err();
    engine.ports.queue.publish(&notification(&bot("late"), 1)).await.unwrap_err();
    engine.close().await;
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_refused_and_left_alone() {
    let (engine, folder) = fresh();
    engine.close().await;
    let conn = rusqlite::Connection::open(folder.path().join(Embedded::DATABASE_FILE)).unwrap();
    conn.pragma_update(None, "user_version", 99).unwrap();
    drop(conn);
    let refused = open_embedded(folder.path()).err().unwrap();
    assert!(matches!(refused, OpenError::Newer { found: 99, .. }), "{refused:?}");
    assert_eq!(ask(folder.path(), "PRAGMA user_version"), 99);
}

#[tokio::test]
async fn what_was_accepted_is_there_after_a_restart() {
    let (engine, folder) = fresh();
    let name = bot("restart");
    let bytes = contract::blobs::noise(600_000, 1);
    let image = contract::blobs::put(&engine.ports.blobs, &bytes).await;
    let sent = contract::with_image(&name, 1, image);
    engine.ports.acceptor.accept(&plainly(sent.clone())).await.unwrap();
    let mut subscription = engine.ports.queue.subscribe(&name, 4).await.unwrap();
    assert_eq!(next(&mut subscription).await.redeliveries, 0);
    engine.close().await;
    assert!(subscription.deliveries.recv().await.is_none(), "deliveries end with the queue");
    assert!(!folder.path().join("pixcourier.db-wal").exists(), "nothing is left in the log");

    let engine = open_embedded(folder.path()).unwrap();
    assert_eq!(engine.ports.ledger.get(sent.id).await.unwrap().unwrap().status, Status::Queued);
    assert!(contract::blobs::read(&engine.ports.blobs, &image).await.unwrap() == bytes);
    assert!(engine.ports.media.is_pinned(&image, Timestamp::now()).await.unwrap());
    let mut subscription = engine.ports.queue.subscribe(&name, 4).await.unwrap();
    let back = next(&mut subscription).await;
    assert_eq!((back.notification, back.redeliveries), (sent, 1));
}

#[tokio::test]
async fn a_second_word_on_a_delivery_changes_nothing() {
    let (engine, _folder) = fresh();
    let (queue, name) = (&engine.ports.queue, bot("twice"));
    let sent = notification(&name, 1);
    queue.publish(&sent).await.unwrap();
    let mut subscription = queue.subscribe(&name, 4).await.unwrap();
    let first = next(&mut subscription).await;
    queue.defer(&first.receipt, &sent, Timestamp::now()).await.unwrap();
    let second = next(&mut subscription).await;
    queue.ack(&first.receipt).await.unwrap();
    queue.defer(&first.receipt, &sent, Timestamp::now()).await.unwrap();
    assert_eq!(queue.depth(&name).await.unwrap().lanes, [0, 1, 0], "the second delivery is still out, alone");
    queue.ack(&second.receipt).await.unwrap();
    queue.ack(&second.receipt).await.unwrap();
    queue.defer(&second.receipt, &sent, Timestamp::now()).await.unwrap();
    assert_eq!(queue.depth(&name).await.unwrap().lanes, [0, 0, 0]);
}

#[tokio::test]
async fn of_many_retries_of_one_notification_one_is_taken() {
    let (engine, _folder) = fresh();
    let name = bot("again");
    let sent = later(&name, 1, Duration::from_secs(3_600));
    engine.ports.acceptor.accept(&plainly(sent.clone())).await.unwrap();
    let cancelled = engine.ports.ledger.cancel(sent.id, Timestamp::now()).await.unwrap();
    assert!(matches!(cancelled, Cancelled::Done(_)), "{cancelled:?}");
    let fresh = Notification { send_at: None, ..sent };
    let answers = futures_util::future::join_all((0..10).map(|_| engine.ports.acceptor.resubmit(&fresh))).await;
    let taken = answers.iter().filter(|answer| matches!(answer, Ok(Resubmitted::Done(_)))).count();
    assert_eq!(taken, 1, "{answers:?}");
    let mut subscription = engine.ports.queue.subscribe(&name, 4).await.unwrap();
    let delivered = next(&mut subscription).await;
    engine.ports.queue.ack(&delivered.receipt).await.unwrap();
    contract::nothing_comes(&mut subscription, "one was taken").await;
}

/// As of a bot that is configured no more: what was never begun has expired, what was begun may have been sent, and what
/// somebody holds is left to them.
#[tokio::test]
async fn what_expired_in_the_queue_long_ago_ends_and_leaves_it() {
    let (engine, _folder) = fresh();
    let Ports { acceptor, ledger, queue, .. } = engine.ports.clone();
    let (name, other, now) = (bot("removed"), bot("held"), Timestamp::now());
    let hour = |number: u64| now.plus(Duration::from_secs(number * 3_600));
    let accept = async |one: Notification| {
        let one = Notification { expires_at: hour(1), ..one };
        acceptor.accept(&plainly(one.clone())).await.unwrap();
        one
    };
    let ready = accept(notification(&name, 1)).await;
    let scheduled = accept(later(&name, 2, Duration::from_secs(1_800))).await;
    let (undone, cut_off) = (accept(notification(&name, 3)).await, accept(notification(&name, 4)).await);
    let (refused, held) = (accept(notification(&name, 5)).await, accept(notification(&other, 1)).await);
    for one in [&undone, &cut_off, &refused, &held] {
        ledger.begin(one, now, &BeginConditions::NONE).await.unwrap();
    }
    ledger.settle(&undone, &RecordUpdate::of(Status::Retrying, now)).await.unwrap();
    let attempt = Some(Attempt::interrupted(now));
    ledger.settle(&refused, &RecordUpdate { attempt, ..RecordUpdate::of(Status::Retrying, now) }).await.unwrap();
    let mut subscription = queue.subscribe(&other, 4).await.unwrap();
    next(&mut subscription).await;

    assert!(ledger.end_lost(hour(1), hour(25)).await.unwrap().is_empty(), "none has expired before its last hour");
    let ended = ledger.end_lost(hour(2), hour(25)).await.unwrap();
    assert_eq!(ended.len(), 5, "{ended:?}");
    assert_eq!(ended.iter().filter(|it| **it == (name.clone(), Status::Expired)).count(), 3, "{ended:?}");
    assert!(ledger.end_lost(hour(2), hour(25)).await.unwrap().is_empty());
    let statuses = [
        (&ready, Status::Expired),
        (&scheduled, Status::Expired),
        (&undone, Status::Expired),
        (&cut_off, Status::Unknown),
        (&refused, Status::Unknown),
        (&held, Status::Sending),
    ];
    for (one, status) in statuses {
        assert_eq!(ledger.get(one.id).await.unwrap().unwrap().status, status, "to {} of {}", one.chat_id, one.bot);
    }
    assert_eq!(queue.depth(&name).await.unwrap().lanes, [0, 0, 0]);
    assert_eq!(queue.depth(&other).await.unwrap().lanes, [0, 1, 0]);
    let mut later_owner = queue.subscribe(&name, 4).await.unwrap();
    contract::nothing_comes(&mut later_owner, "the queue has forgotten them").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn equal_images_are_held_once_and_failed_uploads_not_at_all() {
    let (engine, folder) = fresh();
    let bytes = contract::blobs::noise(1_000_000, 2);
    let (spooled, _file) = contract::blobs::spool(&bytes);
    for put in futures_util::future::join_all((0..8).map(|_| engine.ports.blobs.put(&spooled))).await {
        put.unwrap();
    }
    let (other, _other_file) = contract::blobs::spool(&contract::blobs::noise(700_000, 3));
    let cut = Spooled { size: other.size + 1, ..other };
    let error = engine.ports.blobs.put(&cut).await.unwrap_err();
    assert!(error.to_string().contains("the upload cannot be read"), "{error}");
    assert_eq!(engine.ports.blobs.stat(&cut.sha256).await.unwrap(), None);
    engine.close().await;
    let held: Vec<_> = blob_files(folder.path()).map(Result::unwrap).collect();
    assert_eq!(held.iter().map(|(sha256, _)| *sha256).collect::<Vec<_>>(), [spooled.sha256]);
    assert!(std::fs::read(&held[0].1).unwrap() == bytes);
}

/// Puts a blob into the file of a closed engine, as versions did that kept them there.
fn pack(folder: &Path, number: i64, sha256: Option<Sha256>, bytes: &[u8]) {
    let conn = rusqlite::Connection::open(folder.join(Embedded::DATABASE_FILE)).unwrap();
    let sql = "INSERT INTO blobs (number, sha256, size, used_at) VALUES (?1, ?2, ?3, 0)";
    conn.execute(sql, (number, sha256.map(|sha256| *sha256.as_bytes()), bytes.len() as i64)).unwrap();
    for (index, piece) in bytes.chunks(256 * 1024).enumerate() {
        let sql = "INSERT INTO pieces (place, bytes) VALUES (?1, ?2)";
        conn.execute(sql, (number << 20 | index as i64, piece)).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn images_that_stand_in_the_file_are_moved_out_of_it_at_the_start() {
    let (engine, folder) = fresh();
    engine.close().await;
    let images = [0, 1, 256 * 1024, 1_000_000].map(|size| contract::blobs::noise(size, size as u64));
    for (number, image) in (1..).zip(&images) {
        pack(folder.path(), number, Some(Sha256::of(image)), image);
    }
    // One whose upload was interrupted, and one whose bytes are not what they should be.
    pack(folder.path(), 7, None, &contract::blobs::noise(2_000_000, 7));
    let damaged = Sha256::of(b"the picture");
    pack(folder.path(), 8, Some(damaged), b"another picture");

    let engine = open_embedded(folder.path()).unwrap();
    assert_eq!(engine.unpack_blobs().await.unwrap(), 5);
    for image in &images {
        assert!(contract::blobs::read(&engine.ports.blobs, &Sha256::of(image)).await.unwrap() == *image);
    }
    assert_eq!(engine.ports.blobs.stat(&damaged).await.unwrap(), None);
    assert_eq!(engine.unpack_blobs().await.unwrap(), 0);
    engine.close().await;
    assert_eq!(ask(folder.path(), "SELECT count(*) FROM pieces") + ask(folder.path(), "SELECT count(*) FROM blobs"), 0);
    let left = std::fs::read_dir(folder.path()).unwrap().flatten().map(|entry| entry.file_name());
    assert_eq!(left.filter(|name| name.to_string_lossy().contains("image")).count(), 0, "no file of the move is left");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn swept_records_give_their_disk_space_back() {
    const MIB: u64 = 1024 * 1024;
    let (engine, folder) = fresh();
    let (name, long) = (bot("swept"), "long ".repeat(4_000));
    let accepted = (0..3_000).map(|chat| {
        let mut sent = notification(&name, chat + 1);
        sent.call.params.insert("text".to_owned(), long.clone().into());
        sent
    });
    let accepted: Vec<_> = accepted.collect();
    for some in accepted.chunks(100) {
        let submissions: Vec<_> = some.iter().cloned().map(plainly).collect();
        let accepting = futures_util::future::join_all(submissions.iter().map(|one| engine.ports.acceptor.accept(one)));
        assert!(accepting.await.iter().all(Result::is_ok));
        let ending = some.iter().map(|sent| engine.ports.ledger.cancel(sent.id, Timestamp::now()));
        assert!(futures_util::future::join_all(ending).await.iter().all(Result::is_ok));
    }
    let everything = Timestamp::now().plus(Duration::from_secs(1_000_000));
    assert_eq!(engine.ports.ledger.sweep(everything).await.unwrap(), 3_000);
    engine.close().await;
    let size = std::fs::metadata(folder.path().join(Embedded::DATABASE_FILE)).unwrap().len();
    assert!(size < 20 * MIB, "{size} bytes after a sweep of 60 MB");
}

/// The environment variable that makes [`a_child_that_accepts_until_it_is_killed`] one.
const CHILD: &str = "PIXCOURIER_TEST_CHILD_FOLDER";

/// Not a test by itself: run by the next one as another process. It tells an id once it has been accepted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_that_accepts_until_it_is_killed() {
    let Some(folder) = std::env::var_os(CHILD) else { return };
    let engine = open_embedded(Path::new(&folder)).unwrap();
    let mut subscription = engine.ports.queue.subscribe(&bot("killed"), 10).await.unwrap();
    ownership(&mut subscription).await;
    let tasks = (0..8).map(|chat| {
        let engine = engine.clone();
        tokio::spawn(async move {
            loop {
                let sent = notification(&bot("killed"), chat + 1);
                engine.ports.acceptor.accept(&plainly(sent.clone())).await.unwrap();
                println!("accepted {}", sent.id);
            }
        })
    });
    futures_util::future::join_all(tasks).await;
}

#[tokio::test]
async fn a_killed_process_loses_nothing_that_it_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let mut accepted = Vec::<NotificationId>::new();
    for round in 1..=3 {
        let (_crate, module) = module_path!().split_once("::").unwrap();
        let child_test = format!("{module}::a_child_that_accepts_until_it_is_killed");
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &child_test, "--nocapture"])
            .env(CHILD, folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        for line in lines.map_while(Result::ok) {
            // Whole lines only: the last one may be cut by the kill.
            if let Some(id) = line.strip_prefix("accepted ").and_then(|id| id.parse().ok()) {
                accepted.push(id);
            }
            if accepted.len() == 300 * round {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
    }
    let engine = open_embedded(folder.path()).unwrap();
    for id in &accepted {
        assert!(engine.ports.ledger.get(*id).await.unwrap().is_some(), "{id} was accepted");
    }
    let mut subscription = engine.ports.queue.subscribe(&bot("killed"), 100).await.unwrap();
    let mut delivered = HashSet::new();
    let mut counted = 0;
    while !accepted.iter().all(|id| delivered.contains(id)) {
        let one = next(&mut subscription).await;
        counted = counted.max(one.redeliveries);
        assert!(delivered.insert(one.notification.id), "each is queued once");
        engine.ports.queue.ack(&one.receipt).await.unwrap();
    }
    assert_eq!(counted, 3, "what was out at all three kills tells of them");
}
