//! The judge: what must be true of a world, in terms of what callers and Telegram see. It knows nothing of the engine but
//! what goes through its ports.

use super::limits::StrictLimits;
use crate::domain::{
    AttemptOutcome, DeliveryGuarantee, FailureClass, Lane, Notification, NotificationId, Record, Status, Timestamp,
};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What may be broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// 30 messages in any second.
    BotLimit,
    /// 20 messages in any minute to a group.
    GroupLimit,
    /// 1 message a second to a private chat, with a burst of 3.
    PrivateLimit,
    /// The same, where only what a former owner sent at once (an album) makes it too many.
    AlbumDebt,
    /// Nothing arrives in a chat before a `retry_after` is over that its worker was told, or that was recorded before
    /// the attempt began.
    FloodWait,
    /// Within a chat and lane, messages appear in the order of their acceptance, also in a group that has become a supergroup
    /// meanwhile.
    Order,
    /// One more message of a notification than one needs a recorded doubt each; `at_most_once` never makes two.
    Duplicate,
    /// What a caller was told to be cancelled is not sent.
    Cancelled,
    /// Nothing begins for what is paused, and of a paused bot nothing leaves once its owner knows.
    Paused,
    /// Nothing leaves after its `expires_at`.
    Expired,
    /// The final record says what happened.
    Truth,
    /// Doubt is recorded only where something may have been sent.
    Doubt,
    /// Nothing leaves the queue before its end is recorded.
    Ack,
    /// Every notification comes to its end.
    Lost,
    /// A message to an idle chat is sent within 3 s and what the bot's own limit needs.
    Starved,
}

/// A rule that was broken.
#[derive(Clone, Debug)]
pub struct Violation {
    /// Which.
    pub rule: Rule,
    /// When, since the start of the world.
    pub at: Duration,
    /// How.
    pub what: String,
}

/// What is known of one notification.
struct Story {
    accepted: Notification,
    accepted_at: Duration,
    /// The first message to an idle chat, which must not wait for those to others.
    is_probe: bool,
    /// Requests that arrived at Telegram.
    arrivals: u32,
    /// The numbers of the messages that Telegram made of them.
    messages: Vec<i64>,
    /// How many attempts may have been sent for all that their worker, or the next one, can know.
    doubts: u32,
    /// How many attempts were answered with a fault that passes.
    faults: u32,
    /// Telegram has refused it for good.
    refused: bool,
    cancelled: bool,
    under_way: Option<UnderWay>,
}

/// An attempt that has begun, as the ledger sees it.
struct UnderWay {
    worker: usize,
    began: Duration,
    /// Its request has left, its worker is dead, or its end is on its way to the ledger: nobody else can know.
    in_doubt: bool,
}

/// A wait that Telegram has asked for.
struct Flood {
    told_to: usize,
    until: Duration,
    recorded_at: Option<Duration>,
}

/// A pause of a chat, or of the bot.
struct PauseSpan {
    chat: Option<i64>,
    from: Duration,
    /// Since when workers know.
    known: Option<Duration>,
    until: Option<Duration>,
}

/// For so long after the owner knows of a pause, what had left arrives.
const ON_ITS_WAY: Duration = Duration::from_millis(50);

/// Watches a world.
#[derive(Default)]
pub struct Judge {
    stories: BTreeMap<NotificationId, Story>,
    limits: StrictLimits,
    floods: BTreeMap<i64, Vec<Flood>>,
    /// The latest notification that has appeared in each chat and lane.
    appeared: BTreeMap<(i64, Lane), NotificationId>,
    /// When something was broken, recovery included: nobody is called starved then.
    disturbances: Vec<(Duration, Duration)>,
    pauses: Vec<PauseSpan>,
    /// How long the bot's own limit may hold a message up: one message of each chat.
    pub bot_limit_allowance: Duration,
    /// What was broken.
    pub violations: Vec<Violation>,
    /// How many requests arrived.
    pub arrivals: u64,
}

impl Judge {
    fn breaks(&mut self, rule: Rule, at: Duration, what: String) {
        self.violations.push(Violation { rule, at, what });
    }

    fn story(&mut self, id: NotificationId) -> &mut Story {
        self.stories.get_mut(&id).expect("only what was accepted")
    }

    /// A notification was accepted.
    pub fn accepted(&mut self, now: Duration, notification: &Notification, is_probe: bool) {
        let story = Story {
            accepted: notification.clone(),
            accepted_at: now,
            is_probe,
            arrivals: 0,
            messages: Vec::new(),
            doubts: 0,
            faults: 0,
            refused: false,
            cancelled: false,
            under_way: None,
        };
        self.stories.insert(notification.id, story);
    }

    /// Its caller was told that it is cancelled.
    pub fn cancelled(&mut self, id: NotificationId) {
        self.story(id).cancelled = true;
    }

    /// The bot or a chat is paused from now on, or goes on.
    pub fn paused(&mut self, now: Duration, chat: Option<i64>, is_paused: bool) {
        let under_way = self.pauses.iter_mut().find(|span| span.chat == chat && span.until.is_none());
        match (under_way, is_paused) {
            (None, true) => self.pauses.push(PauseSpan { chat, from: now, known: None, until: None }),
            (Some(span), false) => span.until = Some(now),
            _ => {}
        }
    }

    /// Workers know what is paused.
    pub fn news_of_pause(&mut self, now: Duration) {
        let news = self.pauses.iter_mut().filter(|span| span.until.is_none() && span.known.is_none());
        news.for_each(|span| span.known = Some(now));
    }

    /// Whether what began then and arrives now breaks a pause.
    fn breaks_pause(&self, began: Duration, now: Duration, chat: i64) -> bool {
        self.pauses.iter().filter(|span| span.chat.is_none_or(|paused| paused == chat)).any(|span| {
            let lasts = |at: Duration| span.until.is_none_or(|until| at < until);
            let has_begun = span.from < began && lasts(began);
            let has_left =
                span.chat.is_none() && span.known.is_some_and(|known| known + ON_ITS_WAY < now) && lasts(now);
            has_begun || has_left
        })
    }

    /// Something is broken until then.
    pub fn disturbed(&mut self, from: Duration, until: Duration) {
        self.disturbances.push((from, until));
    }

    /// The ledger has let a worker begin.
    pub fn began(&mut self, began: Duration, id: NotificationId, worker: usize, is_alive: bool) {
        let story = self.story(id);
        let before = story.under_way.replace(UnderWay { worker, began, in_doubt: !is_alive });
        story.doubts += u32::from(before.is_some_and(|before| before.in_doubt));
    }

    /// A request leaves, or the worker tells the ledger how the attempt has ended.
    pub fn leaves(&mut self, id: NotificationId, worker: usize) {
        let own = self.story(id).under_way.as_mut().filter(|under_way| under_way.worker == worker);
        own.into_iter().for_each(|under_way| under_way.in_doubt = true);
    }

    /// The ledger has the end of an attempt, or of the notification.
    pub fn settled(&mut self, now: Duration, id: NotificationId, outcome: Option<AttemptOutcome>, chat: i64) {
        self.story(id).under_way = None;
        if outcome == Some(AttemptOutcome::FloodWait) {
            for flood in self.floods.entry(chat).or_default().iter_mut().filter(|flood| flood.recorded_at.is_none()) {
                flood.recorded_at = Some(now);
            }
        }
    }

    /// A worker is no more: of its attempts, nobody knows.
    pub fn died(&mut self, worker: usize) {
        let under_way = self.stories.values_mut().filter_map(|story| story.under_way.as_mut());
        under_way.filter(|it| it.worker == worker).for_each(|it| it.in_doubt = true);
    }

    /// A request arrives at Telegram that left at a moment of the wall clock.
    pub fn arrives(&mut self, now: Duration, left_at: Timestamp, id: NotificationId, worker: usize, chat: i64) {
        self.arrivals += 1;
        let story = self.story(id);
        story.arrivals += 1;
        let (began, cost) = (story.under_way.as_ref().map_or(now, |it| it.began), story.accepted.call.cost());
        let (cancelled, expired) = (story.cancelled, story.accepted.expires_at < left_at);
        let waited = (story.is_probe && story.arrivals == 1).then_some(story.accepted_at);
        for (rule, what) in self.limits.count(now, worker, chat, cost) {
            self.breaks(rule, now, what);
        }
        let binds = |flood: &&Flood| {
            flood.until > now && (flood.told_to == worker || flood.recorded_at.is_some_and(|at| at < began))
        };
        if let Some(flood) = self.floods.get(&chat).and_then(|floods| floods.iter().find(binds)) {
            self.breaks(Rule::FloodWait, now, format!("{id} to {chat}, {:?} early", flood.until - now));
        }
        if self.breaks_pause(began, now, chat) {
            self.breaks(Rule::Paused, now, format!("{id} to {chat}, begun at {began:?}"));
        }
        if cancelled {
            self.breaks(Rule::Cancelled, now, format!("{id} was cancelled"));
        }
        if expired {
            self.breaks(Rule::Expired, now, format!("{id} has expired"));
        }
        if let Some(since) = waited {
            self.check_wait(since, now, id);
        }
    }

    fn check_wait(&mut self, since: Duration, now: Duration, id: NotificationId) {
        let undisturbed = !self.disturbances.iter().any(|(from, until)| *from < now && since < *until);
        let limit = Duration::from_secs(3) + self.bot_limit_allowance;
        if undisturbed && now - since > limit {
            self.breaks(Rule::Starved, now, format!("{id} waited {:?} of {limit:?}", now - since));
        }
    }

    /// Telegram has made a message of it.
    pub fn appears(&mut self, now: Duration, id: NotificationId, message: i64) {
        let story = self.story(id);
        story.messages.push(message);
        let (first, accepted) = (story.messages.len() == 1, &story.accepted);
        if first && accepted.keeps_order() {
            let place = (chat_number(accepted), accepted.lane);
            let last = self.appeared.entry(place).or_insert(id);
            if *last > id {
                let what = format!("{id} after {last} in {place:?}");
                self.breaks(Rule::Order, now, what);
            } else {
                *last = id;
            }
        }
    }

    /// Telegram has refused it for good.
    pub fn refused(&mut self, id: NotificationId) {
        self.story(id).refused = true;
    }

    /// A worker was told to wait.
    pub fn told_to_wait(&mut self, worker: usize, chat: i64, until: Duration) {
        self.floods.entry(chat).or_default().push(Flood { told_to: worker, until, recorded_at: None });
    }

    /// A worker was told of a fault, or has waited in vain; `doubtful` if it cannot know whether the message appeared.
    pub fn faulted(&mut self, id: NotificationId, doubtful: bool) {
        let story = self.story(id);
        story.faults += 1;
        story.doubts += u32::from(doubtful);
    }

    /// It leaves the queue, while its record says so.
    pub fn acked(&mut self, now: Duration, id: NotificationId, copy: Timestamp, record: Option<&Record>) {
        let may_go = record.is_some_and(|it| it.status.is_final() || it.notification.accepted_at > copy);
        if !may_go {
            self.breaks(Rule::Ack, now, format!("{id} is {:?}", record.map(|record| record.status)));
        }
    }

    /// Which have not ended.
    pub fn open<'a>(&self, record: impl Fn(NotificationId) -> Option<&'a Record>) -> BTreeSet<NotificationId> {
        let ended = |id: &NotificationId| record(*id).is_some_and(|record| record.status.is_final());
        self.stories.keys().copied().filter(|id| !ended(id)).collect()
    }

    /// Compares what happened with what is recorded, at the end of the world.
    pub fn close<'a>(&mut self, now: Duration, record: impl Fn(NotificationId) -> Option<&'a Record>) {
        let mut found = Vec::new();
        for (id, story) in &self.stories {
            match record(*id) {
                Some(record) => found.extend(story.compare(record).map(|(rule, what)| (rule, format!("{id} {what}")))),
                None => found.push((Rule::Lost, format!("{id} has no record"))),
            }
        }
        for (rule, what) in found {
            self.breaks(rule, now, what);
        }
    }
}

impl Story {
    /// What is wrong with its record.
    fn compare(&self, record: &Record) -> impl Iterator<Item = (Rule, String)> {
        let sent = u32::try_from(self.messages.len()).unwrap_or(u32::MAX);
        let in_doubt = record.attempts.iter().filter(|attempt| attempt.outcome == AttemptOutcome::Ambiguous).count();
        let in_doubt = u32::try_from(in_doubt).unwrap_or(u32::MAX);
        let once = self.accepted.delivery == DeliveryGuarantee::AtMostOnce;
        let class = record.failure.as_ref().map(|failure| failure.class);
        let true_to_fact = match record.status {
            Status::Sent => record.message_id.is_some_and(|message| self.messages.contains(&message)),
            Status::Failed => match class {
                Some(FailureClass::Exhausted) => self.faults >= MAX_ATTEMPTS,
                Some(FailureClass::Buried) => self.doubts >= 5,
                _ => self.refused,
            },
            Status::Expired => record.updated_at >= self.accepted.expires_at,
            Status::Cancelled => self.cancelled,
            Status::Unknown => once,
            _ => true,
        };
        let unsent_is_sent = record.status != Status::Sent && sent > 0 && in_doubt == 0;
        let said = || format!("is {:?} with {sent} messages, {in_doubt} doubts told of {}", record.status, self.doubts);
        let checks = [
            (Rule::Lost, !record.status.is_final()),
            (Rule::Truth, !true_to_fact || unsent_is_sent),
            (Rule::Duplicate, sent > 1 + in_doubt || (once && sent > 1)),
            (Rule::Doubt, in_doubt > self.doubts || (record.status == Status::Unknown && self.doubts == 0)),
        ];
        let broken: Vec<_> = checks.into_iter().filter(|check| check.1).map(|(rule, _)| (rule, said())).collect();
        broken.into_iter()
    }
}

/// After how many answers that are faults a notification fails.
pub const MAX_ATTEMPTS: u32 = 10;

/// The number of the chat that a notification was accepted for.
pub fn chat_number(notification: &Notification) -> i64 {
    match notification.chat_id {
        crate::domain::ChatId::Id(id) => id,
        crate::domain::ChatId::Username(_) => 0,
    }
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
