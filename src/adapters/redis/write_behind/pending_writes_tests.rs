use super::*;
use crate::domain::{BotName, Call, ChatId, DeliveryGuarantee, Lane, MediaKind, NotificationId, RecordUpdate, Sha256};
use crate::ports::FileKey;
use serde_json::Map;

fn notification(number: u128) -> Notification {
    let at = Timestamp::from_unix_millis(1_000);
    Notification {
        v: 1,
        id: NotificationId::from_number(number),
        bot: BotName::default_bot(),
        chat_id: ChatId::Id(1),
        lane: Lane::Normal,
        delivery: DeliveryGuarantee::AtLeastOnce,
        call: Call { method: "sendPhoto".into(), params: Map::new(), media: Vec::new() },
        accepted_at: at,
        send_at: None,
        expires_at: at,
        tags: Vec::new(),
        attempts: 0,
        deferral: None,
        first_accepted_at: None,
        reply_to: None,
        follows: None,
        then: Vec::new(),
        client: None,
        callback_url: None,
    }
}

fn settle(number: u128, status: Status) -> LedgerChange {
    LedgerChange::Settle(notification(number), RecordUpdate::of(status, Timestamp::from_unix_millis(2_000)).into())
}

fn begin(number: u128, interrupted: bool) -> LedgerChange {
    LedgerChange::Begin { notification: notification(number), at: Timestamp::from_unix_millis(1_500), interrupted }
}

fn drain(pending: &mut PendingWrites) -> Vec<LedgerChange> {
    let mut all = Vec::new();
    while let Some((entity, change)) = pending.start_next() {
        all.push(change);
        pending.mark_written(entity);
    }
    all
}

#[test]
fn changes_of_one_entity_are_written_one_after_the_other() {
    let mut pending = PendingWrites::new(10);
    pending.push(settle(1, Status::Retrying)).unwrap();
    pending.push(settle(1, Status::Sent)).unwrap();
    pending.push(settle(2, Status::Failed)).unwrap();
    let (first, change) = pending.start_next().unwrap();
    assert_eq!(change, settle(1, Status::Retrying));
    let (second, change) = pending.start_next().unwrap();
    assert_eq!(change, settle(2, Status::Failed));
    assert!(pending.start_next().is_none(), "the first entity is being written");
    pending.mark_failed(first);
    pending.mark_written(second);
    assert_eq!(drain(&mut pending), [settle(1, Status::Retrying), settle(1, Status::Sent)]);
    assert_eq!(pending.len(), 0);
}

#[test]
fn what_the_next_change_does_too_takes_no_room() {
    let mut pending = PendingWrites::new(1);
    pending.push(LedgerChange::Create(notification(1))).unwrap();
    pending.push(begin(1, false)).unwrap();
    pending.push(settle(1, Status::Sent)).unwrap();
    assert_eq!(drain(&mut pending), [settle(1, Status::Sent)]);
    let pin = |millis| LedgerChange::Pin(Sha256::of(b"x"), Timestamp::from_unix_millis(millis));
    pending.push(pin(5)).unwrap();
    pending.push(pin(7)).unwrap();
    assert!(pending.push(pin(6)).is_err(), "a shorter one is a change of its own, and the room is taken");
}

#[test]
fn what_is_being_written_is_not_replaced() {
    let mut pending = PendingWrites::new(10);
    pending.push(begin(1, false)).unwrap();
    let (entity, _) = pending.start_next().unwrap();
    pending.push(settle(1, Status::Sent)).unwrap();
    pending.mark_written(entity);
    assert_eq!(drain(&mut pending), [settle(1, Status::Sent)]);
}

#[test]
fn a_full_buffer_takes_nothing_and_forgets_nothing() {
    let mut pending = PendingWrites::new(2);
    pending.push(settle(1, Status::Sent)).unwrap();
    pending.push(settle(2, Status::Sent)).unwrap();
    assert!(pending.push(settle(3, Status::Sent)).is_err());
    assert_eq!(drain(&mut pending).len(), 2);
}

#[test]
fn an_attempt_that_was_cut_off_is_counted_and_written() {
    let mut pending = PendingWrites::new(10);
    let at = Timestamp::from_unix_millis(1_500);
    pending.push(LedgerChange::Create(notification(1))).unwrap();
    for expected in [(false, 0), (true, 1), (true, 2)] {
        assert_eq!(pending.push_begin(&notification(1), at).unwrap(), expected);
    }
    pending.push(settle(1, Status::Retrying)).unwrap();
    assert_eq!(pending.push_begin(&notification(1), at).unwrap(), (false, 2));
    let retrying = settle(1, Status::Retrying);
    let written = [begin(1, false), begin(1, true), begin(1, true), retrying, begin(1, false)];
    assert_eq!(drain(&mut pending), written);
}

#[test]
fn what_will_be_final_or_was_accepted_again_later_stops() {
    let mut pending = PendingWrites::new(10);
    let key = FileKey { bot_id: 1, kind: MediaKind::Photo, sha256: Sha256::of(b"x") };
    let older = notification(1);
    let newer = Notification { accepted_at: Timestamp::from_unix_millis(1_200), ..older.clone() };
    let stops = |pending: &PendingWrites| (pending.superseding_status(&older), pending.superseding_status(&newer));
    pending.push(LedgerChange::KeepFileId(key, "id".into())).unwrap();
    pending.push(begin(1, false)).unwrap();
    assert_eq!(stops(&pending), (None, None));
    pending.push(settle(1, Status::Failed)).unwrap();
    assert_eq!(stops(&pending), (Some(Status::Failed), None));
    pending.push_begin(&newer, Timestamp::from_unix_millis(1_500)).unwrap();
    assert_eq!(stops(&pending), (Some(Status::Sending), None));
    pending
        .push(LedgerChange::Settle(newer.clone(), RecordUpdate::of(Status::Sent, newer.accepted_at).into()))
        .unwrap();
    assert_eq!(stops(&pending), (Some(Status::Sent), Some(Status::Sent)));
}
