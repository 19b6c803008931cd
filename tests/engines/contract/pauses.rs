//! The contract of [`Pauses`], and of [`Ledger::begin`] about what is paused.

use super::{bot, eventually, notification};
use pixcourier::domain::{
    Attempt, AttemptOutcome, ChatId, Notification, Pause, PauseTarget, RecordUpdate, Status, Timestamp,
};
use pixcourier::ports::{
    Acceptor, Begin, BeginConditions, Cancelled, Ledger, MAX_PAUSED_CHATS, Paused, Pauses, Submission,
};
use std::sync::Arc;
use std::time::Duration;

/// Runs every check. What `acceptor` accepts is never taken from its queue. `other` is another process on the same store, or the
/// same one.
pub async fn suite(ports: PausePorts, other: Arc<dyn Pauses>) {
    nothing_begins_for_a_paused_bot_and_all_goes_on_afterwards(&ports).await;
    a_paused_chat_holds_back_itself_alone(&ports).await;
    both_pauses_must_end(&ports).await;
    what_has_begun_goes_on_and_what_has_ended_is_skipped(&ports).await;
    what_is_paused_can_be_cancelled_and_expire(&ports).await;
    the_first_pause_stays_until_it_is_ended(&ports).await;
    a_group_stays_paused_when_it_becomes_a_supergroup(&ports).await;
    only_so_many_chats_may_be_paused(&ports).await;
    every_process_knows_within_a_moment(&ports, &*other).await;
}

/// The ports of one process.
#[derive(Clone)]
pub struct PausePorts {
    pub acceptor: Arc<dyn Acceptor>,
    pub ledger: Arc<dyn Ledger>,
    pub pauses: Arc<dyn Pauses>,
}

const GO: Begin = Begin::Proceed { interrupted: false, interrupted_attempts: 0 };
const IN_ORDER: BeginConditions = BeginConditions { in_order: true, ..BeginConditions::NONE };

fn of(name: &str, chat: Option<i64>) -> PauseTarget {
    PauseTarget { bot: bot(name), chat: chat.map(ChatId::Id) }
}

fn because(reason: &str) -> Pause {
    let now = Timestamp::from_unix_millis(Timestamp::now().unix_millis());
    Pause { since: now, client: Some("boss".parse().expect("a name")), reason: Some(reason.to_owned()) }
}

impl PausePorts {
    async fn pause(&self, target: &PauseTarget) {
        assert_eq!(self.pauses.pause(target, &because("a test")).await.expect("pause"), Paused::New);
    }

    async fn resume(&self, target: &PauseTarget) {
        assert!(self.pauses.resume(target).await.expect("resume").is_some());
    }

    async fn accept(&self, name: &str, chat: i64) -> Notification {
        let notification = notification(&bot(name), chat);
        let submission = Submission { notification: notification.clone(), idempotency: None };
        self.acceptor.accept(&submission).await.expect("accepted");
        notification
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

    async fn send(&self, notification: &Notification) {
        assert_eq!(self.begin(notification, IN_ORDER).await, GO);
        self.settle(notification, AttemptOutcome::Sent).await;
    }

    async fn status(&self, notification: &Notification) -> (Status, usize) {
        let record = self.ledger.get(notification.id).await.expect("get").expect("recorded");
        (record.status, record.attempts.len())
    }
}

/// Whatever the conditions, and without a mark; and no other bot.
async fn nothing_begins_for_a_paused_bot_and_all_goes_on_afterwards(ports: &PausePorts) {
    let (first, second) = (ports.accept("p-bot", 1).await, ports.accept("p-bot", 2).await);
    let late = notification(&bot("p-bot"), 3);
    ports.pause(&of("p-bot", None)).await;
    for one in [&first, &second, &late] {
        for conditions in [IN_ORDER, BeginConditions::NONE] {
            assert_eq!(ports.begin(one, conditions).await, Begin::Paused);
        }
    }
    assert_eq!(ports.status(&first).await, (Status::Queued, 0), "no mark");
    ports.send(&ports.accept("p-chat", 1).await).await;
    ports.resume(&of("p-bot", None)).await;
    for one in [&first, &second, &late] {
        ports.send(one).await;
    }
}

async fn a_paused_chat_holds_back_itself_alone(ports: &PausePorts) {
    let (paused, free) = (ports.accept("p-chat", 2).await, ports.accept("p-chat", 3).await);
    let elsewhere = ports.accept("p-bot", 2).await;
    ports.pause(&of("p-chat", Some(2))).await;
    assert_eq!(ports.begin(&paused, IN_ORDER).await, Begin::Paused);
    ports.send(&free).await;
    ports.send(&elsewhere).await;
    ports.resume(&of("p-chat", Some(2))).await;
    ports.send(&paused).await;
    let by_name = Notification { chat_id: ChatId::Username("@some_news".into()), ..notification(&bot("p-chat"), 1) };
    let named = PauseTarget { bot: bot("p-chat"), chat: Some(by_name.chat_id.clone()) };
    ports.pause(&named).await;
    assert_eq!(ports.begin(&by_name, IN_ORDER).await, Begin::Paused);
    ports.resume(&named).await;
    ports.send(&by_name).await;
}

async fn both_pauses_must_end(ports: &PausePorts) {
    let one = ports.accept("p-both", 1).await;
    ports.pause(&of("p-both", None)).await;
    ports.pause(&of("p-both", Some(1))).await;
    ports.resume(&of("p-both", None)).await;
    assert_eq!(ports.begin(&one, IN_ORDER).await, Begin::Paused, "its chat is paused still");
    ports.resume(&of("p-both", Some(1))).await;
    ports.send(&one).await;
}

async fn what_has_begun_goes_on_and_what_has_ended_is_skipped(ports: &PausePorts) {
    let (begun, ended) = (ports.accept("p-begun", 1).await, ports.accept("p-begun", 2).await);
    assert_eq!(ports.begin(&begun, IN_ORDER).await, GO);
    ports.send(&ended).await;
    ports.pause(&of("p-begun", None)).await;
    ports.settle(&begun, AttemptOutcome::Transient).await;
    assert_eq!(ports.status(&begun).await, (Status::Retrying, 1), "what became of it is written");
    assert_eq!(ports.begin(&begun, IN_ORDER).await, Begin::Paused);
    assert_eq!(ports.begin(&ended, IN_ORDER).await, Begin::Skip(Status::Sent));
    ports.resume(&of("p-begun", None)).await;
    ports.send(&begun).await;
}

async fn what_is_paused_can_be_cancelled_and_expire(ports: &PausePorts) {
    let (cancelled, expired) = (ports.accept("p-end", 1).await, ports.accept("p-end", 2).await);
    ports.pause(&of("p-end", None)).await;
    assert!(matches!(ports.ledger.cancel(cancelled.id, Timestamp::now()).await, Ok(Cancelled::Done(_))));
    assert_eq!(ports.begin(&cancelled, IN_ORDER).await, Begin::Skip(Status::Cancelled));
    let update = RecordUpdate::of(Status::Expired, Timestamp::now());
    assert!(ports.ledger.settle(&expired, &update).await.expect("settle"));
    assert_eq!(ports.status(&expired).await, (Status::Expired, 0));
    ports.resume(&of("p-end", None)).await;
}

async fn the_first_pause_stays_until_it_is_ended(ports: &PausePorts) {
    let (pauses, target) = (&ports.pauses, of("p-first", Some(-5)));
    let (first, second) = (because("first"), Pause { client: None, reason: None, ..because("") });
    assert_eq!(pauses.resume(&target).await.expect("resume"), None);
    assert_eq!(pauses.pause(&target, &first).await.expect("pause"), Paused::New);
    assert_eq!(pauses.pause(&target, &second).await.expect("pause"), Paused::Already(first.clone()));
    let list = pauses.list().await.expect("list");
    let of_bot = list.of(&target.bot).expect("it has some");
    assert_eq!((&of_bot.bot, of_bot.chats.get(&ChatId::Id(-5))), (&None, Some(&first)));
    assert_eq!(pauses.resume(&target).await.expect("resume"), Some(first));
    assert_eq!(pauses.resume(&target).await.expect("resume"), None);
    assert_eq!(pauses.pause(&target, &second).await.expect("pause"), Paused::New);
    assert_eq!(pauses.resume(&target).await.expect("resume"), Some(second));
    assert_eq!(pauses.list().await.expect("list").of(&target.bot).cloned().unwrap_or_default().chats.len(), 0);
}

/// By whichever id it is named, before and afterwards.
async fn a_group_stays_paused_when_it_becomes_a_supergroup(ports: &PausePorts) {
    let moved = |one: &Notification| Notification { chat_id: ChatId::Id(-1_001), ..one.clone() };
    let (first, second) = (ports.accept("p-group", -1).await, ports.accept("p-group", -1).await);
    assert_eq!(ports.begin(&first, IN_ORDER).await, GO);
    ports.pause(&of("p-group", Some(-1))).await;
    ports.settle(&moved(&first), AttemptOutcome::Migrated).await;
    assert_eq!(ports.begin(&second, IN_ORDER).await, Begin::Migrated(-1_001));
    for one in [&first, &second] {
        assert_eq!(ports.begin(&moved(one), BeginConditions::NONE).await, Begin::Paused, "under its new id");
    }
    let known = ports.pauses.known();
    eventually("the pause under the new id", true, async || {
        known.borrow().forbid(&bot("p-group"), &ChatId::Id(-1_001))
    })
    .await;
    ports.resume(&of("p-group", Some(-1))).await;
    ports.send(&moved(&first)).await;
    ports.pause(&of("p-group", Some(-1))).await;
    let again = ports.pauses.pause(&of("p-group", Some(-1_001)), &because("again")).await.expect("pause");
    assert!(matches!(again, Paused::Already(_)), "it is one chat: {again:?}");
    assert_eq!(ports.begin(&moved(&second), IN_ORDER).await, Begin::Paused);
    ports.resume(&of("p-group", Some(-1_001))).await;
    ports.send(&moved(&second)).await;
}

async fn only_so_many_chats_may_be_paused(ports: &PausePorts) {
    let last = i64::try_from(MAX_PAUSED_CHATS).expect("few");
    for chat in 1..=last {
        ports.pause(&of("p-many", Some(chat))).await;
    }
    let pause = async |target| ports.pauses.pause(&target, &because("more")).await.expect("pause");
    assert_eq!(pause(of("p-many", Some(last + 1))).await, Paused::TooMany);
    assert!(matches!(pause(of("p-many", Some(1))).await, Paused::Already(_)));
    assert_eq!(pause(of("p-many", None)).await, Paused::New, "the bot itself does not count");
    assert_eq!(pause(of("p-known", Some(7))).await, Paused::New, "nor do those of other bots");
    ports.resume(&of("p-known", Some(7))).await;
    for chat in (1..=last).map(Some).chain([None]) {
        ports.resume(&of("p-many", chat)).await;
    }
}

/// Without asking.
async fn every_process_knows_within_a_moment(ports: &PausePorts, other: &dyn Pauses) {
    let (here, there, chat) = (ports.pauses.known(), other.known(), ChatId::Id(3));
    let knows = async |is_paused: bool| {
        let asked = tokio::time::Instant::now();
        for known in [&here, &there] {
            eventually("the news", is_paused, async || known.borrow().forbid(&bot("p-known"), &chat)).await;
        }
        assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
    };
    ports.pause(&of("p-known", None)).await;
    knows(true).await;
    ports.pause(&of("p-known", Some(3))).await;
    ports.resume(&of("p-known", None)).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    knows(true).await;
    ports.resume(&of("p-known", Some(3))).await;
    knows(false).await;
}
