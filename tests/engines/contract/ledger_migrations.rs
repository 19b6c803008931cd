//! The contract of [`Ledger`] about groups that become supergroups: the first notification that is refused for it tells the
//! ledger, and so every owner to come.

use super::{bot, later, notification};
use pixcourier::domain::{Attempt, AttemptOutcome, ChatId, Lane, Notification, RecordUpdate, Status, Timestamp};
use pixcourier::ports::{Acceptor, Begin, BeginConditions, Ledger, Submission};
use std::sync::Arc;
use std::time::Duration;

/// Runs every check. What `acceptor` accepts is never taken from its queue.
pub async fn suite(acceptor: Arc<dyn Acceptor>, ledger: Arc<dyn Ledger>) {
    let ports = MigrationPorts { acceptor, ledger };
    what_comes_for_the_old_id_is_told_the_new_one(&ports).await;
    the_records_of_a_migrated_group_name_its_new_id(&ports).await;
    the_order_of_a_group_outlives_its_migration(&ports).await;
    one_that_stands_in_no_order_may_be_told_first(&ports).await;
    only_who_is_told_so_has_migrated(&ports).await;
    two_ids_never_send_each_other_what_comes(&ports).await;
}

const GO: Begin = Begin::Proceed { interrupted: false, interrupted_attempts: 0 };
const IN_ORDER: BeginConditions = BeginConditions { in_order: true, ..BeginConditions::NONE };

struct MigrationPorts {
    acceptor: Arc<dyn Acceptor>,
    ledger: Arc<dyn Ledger>,
}

impl MigrationPorts {
    /// So many for a chat, in the order of their ids.
    async fn accepted(&self, chat: i64, count: usize) -> Vec<Notification> {
        let all: Vec<_> = (0..count).map(|_| notification(&bot("m-group"), chat)).collect();
        for one in &all {
            self.accept(one).await;
        }
        all
    }

    async fn accept(&self, notification: &Notification) {
        let submission = Submission { notification: notification.clone(), idempotency: None };
        self.acceptor.accept(&submission).await.expect("accepted");
    }

    async fn begin(&self, notification: &Notification, conditions: BeginConditions) -> Begin {
        self.ledger.begin(notification, Timestamp::now(), &conditions).await.expect("begin")
    }

    async fn settle(&self, notification: &Notification, outcome: AttemptOutcome) {
        let now = Timestamp::now();
        let status = if outcome == AttemptOutcome::Sent { Status::Sent } else { Status::Retrying };
        let attempt = Some(Attempt { outcome, ..Attempt::interrupted(now) });
        let update = RecordUpdate { attempt, ..RecordUpdate::of(status, now) };
        assert!(self.ledger.settle(notification, &update).await.expect("settle"));
    }

    /// Begins, and is told by Telegram that the group has migrated.
    async fn migrate(&self, first: &Notification, to: i64) {
        assert_eq!(self.begin(first, IN_ORDER).await, GO);
        self.settle(&moved(first, to), AttemptOutcome::Migrated).await;
    }

    async fn send(&self, notification: &Notification) {
        assert_eq!(self.begin(notification, IN_ORDER).await, GO);
        self.settle(notification, AttemptOutcome::Sent).await;
    }

    async fn chat_in_record(&self, notification: &Notification) -> ChatId {
        let record = self.ledger.get(notification.id).await.expect("get").expect("recorded");
        record.notification.chat_id
    }
}

fn moved(notification: &Notification, to: i64) -> Notification {
    Notification { chat_id: ChatId::Id(to), ..notification.clone() }
}

/// Whatever else holds, and without a mark.
async fn what_comes_for_the_old_id_is_told_the_new_one(ports: &MigrationPorts) {
    let all = ports.accepted(-1, 3).await;
    ports.migrate(&all[0], -1_001).await;
    let pause = BeginConditions { then_pause: Duration::from_secs(3600), ..IN_ORDER };
    assert_eq!(ports.begin(&moved(&all[0], -1_001), pause).await, GO);
    let urgent = Notification { lane: Lane::Urgent, ..notification(&bot("m-group"), -1) };
    for one in [&all[1], &all[2], &urgent] {
        for conditions in [IN_ORDER, BeginConditions::NONE] {
            assert_eq!(ports.begin(one, conditions).await, Begin::Migrated(-1_001));
        }
    }
    let record = ports.ledger.get(all[1].id).await.expect("get").expect("recorded");
    assert_eq!((record.status, record.attempts.len()), (Status::Queued, 0), "no mark");
    let held_up = ports.begin(&moved(&all[1], -1_001), BeginConditions::NONE).await;
    assert!(matches!(held_up, Begin::TooSoon(_)), "its new chat has a memory of its own: {held_up:?}");
}

/// So that they say where the message is.
async fn the_records_of_a_migrated_group_name_its_new_id(ports: &MigrationPorts) {
    let all = ports.accepted(-2, 3).await;
    ports.migrate(&all[0], -1_002).await;
    for one in &all {
        assert_eq!(ports.chat_in_record(one).await, ChatId::Id(if one.id == all[0].id { -1_002 } else { -2 }));
        ports.send(&moved(one, -1_002)).await;
        assert_eq!(ports.chat_in_record(one).await, ChatId::Id(-1_002));
    }
    let straight = notification(&bot("m-group"), -2);
    ports.settle(&moved(&straight, -1_002), AttemptOutcome::Sent).await;
    assert_eq!(ports.chat_in_record(&straight).await, ChatId::Id(-1_002));
}

/// What was accepted for the old id comes before what was accepted later, for either.
async fn the_order_of_a_group_outlives_its_migration(ports: &MigrationPorts) {
    let former = ports.accepted(-3, 3).await;
    let present = ports.accepted(-1_003, 1).await;
    ports.migrate(&former[0], -1_003).await;
    let last = &present[0];
    assert_eq!(ports.begin(last, IN_ORDER).await, Begin::Behind(former[0].id), "it stands under the new id");
    ports.send(&moved(&former[0], -1_003)).await;
    for wait in [last, &moved(&former[2], -1_003)] {
        assert_eq!(ports.begin(wait, IN_ORDER).await, Begin::Behind(former[1].id), "it is away under the old id");
    }
    assert_eq!(ports.begin(last, BeginConditions::NONE).await, GO, "who does not ask does not wait");
    ports.settle(last, AttemptOutcome::Transient).await;
    for one in &former[1..] {
        assert_eq!(ports.begin(last, IN_ORDER).await, Begin::Behind(one.id));
        ports.send(&moved(one, -1_003)).await;
    }
    ports.send(last).await;
}

/// It keeps the order of the others all the same.
async fn one_that_stands_in_no_order_may_be_told_first(ports: &MigrationPorts) {
    let all = ports.accepted(-7, 2).await;
    let scheduled = later(&bot("m-group"), -7, Duration::from_secs(1));
    ports.accept(&scheduled).await;
    ports.migrate(&scheduled, -1_007).await;
    let next = moved(&all[1], -1_007);
    assert_eq!(ports.begin(&next, IN_ORDER).await, Begin::Behind(all[0].id));
    assert_eq!(ports.begin(&all[0], IN_ORDER).await, Begin::Migrated(-1_007));
    ports.send(&moved(&all[0], -1_007)).await;
    ports.send(&next).await;
}

/// No other group and no other bot; nor by another name that its courier goes by.
async fn only_who_is_told_so_has_migrated(ports: &MigrationPorts) {
    let first = &ports.accepted(-4, 1).await[0];
    ports.migrate(first, -1_004).await;
    for free in [notification(&bot("m-group"), -5), notification(&bot("m-other"), -4)] {
        assert_eq!(ports.begin(&free, IN_ORDER).await, GO);
        ports.settle(&moved(&free, -1_009), AttemptOutcome::Transient).await;
        let next = Notification { chat_id: free.chat_id.clone(), ..notification(&free.bot, -5) };
        assert_eq!(ports.begin(&next, BeginConditions::NONE).await, GO);
    }
}

/// Whoever said so last is believed.
async fn two_ids_never_send_each_other_what_comes(ports: &MigrationPorts) {
    let first = &ports.accepted(-6, 1).await[0];
    ports.migrate(first, -1_006).await;
    ports.migrate(&moved(first, -1_006), -6).await;
    assert_eq!(ports.begin(&notification(&bot("m-group"), -1_006), IN_ORDER).await, Begin::Migrated(-6));
    ports.send(first).await;
}
