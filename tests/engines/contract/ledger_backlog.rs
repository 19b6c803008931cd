//! The contract of [`Ledger::deepest_chats`].

use super::{bot, later, notification};
use pixcourier::domain::{Attempt, AttemptOutcome, BotName, ChatId, Notification, RecordUpdate, Status, Timestamp};
use pixcourier::ports::{Acceptor, Begin, BeginConditions, ChatBacklog, Ledger, Submission};
use std::sync::Arc;
use std::time::Duration;

/// Runs every check. What `acceptor` accepts is never taken from its queue.
pub async fn suite(acceptor: Arc<dyn Acceptor>, ledger: Arc<dyn Ledger>) {
    the_deepest_chats_are_told_with_their_oldest(&*acceptor, &*ledger).await;
}

async fn accept(acceptor: &dyn Acceptor, notification: Notification) -> Notification {
    let submission = Submission { notification: notification.clone(), idempotency: None };
    acceptor.accept(&submission).await.expect("accepted");
    notification
}

fn counts(chat: &ChatBacklog) -> [u64; 5] {
    Status::OPEN.map(|status| chat.open.get(status))
}

async fn the_deepest_chats_are_told_with_their_oldest(acceptor: &dyn Acceptor, ledger: &dyn Ledger) {
    let name: BotName = bot("d-deep");
    assert_eq!(ledger.deepest_chats(&name, 20).await.expect("deepest").chats, []);
    let mut first = Vec::new();
    for (chat, count) in [(1, 5), (-2, 3), (3, 1)] {
        for number in 0..count {
            let accepted = accept(acceptor, notification(&name, chat)).await;
            if number == 0 {
                first.push(accepted);
            }
        }
    }
    let by_name = Notification { chat_id: ChatId::Username("@some_news".into()), ..notification(&name, 1) };
    accept(acceptor, by_name).await;
    // Ids tell milliseconds.
    tokio::time::sleep(Duration::from_millis(2)).await;
    accept(acceptor, later(&name, 3, Duration::from_secs(3_600))).await;
    accept(acceptor, notification(&bot("d-other"), 1)).await;
    // One is under way, one was told to wait, one has been sent.
    let now = Timestamp::now();
    let go = Begin::Proceed { interrupted: false, interrupted_attempts: 0 };
    for one in &first {
        assert_eq!(ledger.begin(one, now, &BeginConditions::NONE).await.expect("begin"), go);
    }
    let flood = Attempt { outcome: AttemptOutcome::FloodWait, retry_after: Some(60), ..Attempt::interrupted(now) };
    let told = RecordUpdate { attempt: Some(flood), ..RecordUpdate::of(Status::Retrying, now) };
    assert!(ledger.settle(&first[1], &told).await.expect("settle"));
    assert!(ledger.settle(&first[2], &RecordUpdate::of(Status::Sent, now)).await.expect("settle"));

    let deepest = ledger.deepest_chats(&name, 20).await.expect("deepest");
    let found: Vec<_> = deepest.chats.iter().map(|it| (it.chat.to_string(), counts(it))).collect();
    let of = |chat: &str, counts| (chat.to_owned(), counts);
    // In the order of `Status::OPEN`: queued, scheduled, sending, retrying, held. What is as deep comes by its age.
    let expected = [
        of("1", [4, 0, 1, 0, 0]),
        of("-2", [2, 0, 0, 1, 0]),
        of("@some_news", [1, 0, 0, 0, 0]),
        of("3", [0, 1, 0, 0, 0]),
    ];
    assert_eq!(found, expected);
    assert_eq!((deepest.open, deepest.looked_at), (10, 10));
    assert_eq!(deepest.chats[0].oldest_at, first[0].id.made_at());
    let waits: Vec<_> = deepest.chats.iter().map(|it| it.flood_wait_until.is_some()).collect();
    assert_eq!(waits, [false, true, false, false]);
    let one = ledger.deepest_chats(&name, 1).await.expect("deepest");
    assert_eq!((one.chats.len(), one.open), (1, 10));
}
