//! What could not be written yet: a line of changes per subject, in order. Pure.

use crate::domain::{Notification, NotificationId, RecordUpdate, Sha256, Status, Timestamp};
use crate::ports::FileKey;
use std::collections::{HashMap, VecDeque};

/// A change that waits for Redis. Writing one twice does what writing it once does.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Change {
    /// The record of an accepted notification.
    Create(Notification),
    /// The mark of an attempt, written late. `interrupted`: it follows one whose end was never written, which the
    /// ledger counts when it finds both.
    Begin { notification: Notification, at: Timestamp, interrupted: bool },
    /// What an attempt led to.
    Settle(Notification, Box<RecordUpdate>),
    /// A file_id, kept.
    Keep(FileKey, String),
    /// A file_id, refused.
    Evict(FileKey, String),
    /// A blob that is needed.
    Pin(Sha256, Timestamp),
    /// An idempotency key whose request is accepted.
    Finish(String),
}

/// What a change is about. Changes of one subject are written in order, those of several side by side.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Subject {
    Notification(NotificationId),
    File(FileKey),
    Blob(Sha256),
    Key(String),
}

impl Change {
    pub(super) fn subject(&self) -> Subject {
        match self {
            Self::Create(notification) | Self::Begin { notification, .. } | Self::Settle(notification, _) => {
                Subject::Notification(notification.id)
            }
            Self::Keep(key, _) | Self::Evict(key, _) => Subject::File(*key),
            Self::Pin(sha256, _) => Subject::Blob(*sha256),
            Self::Finish(key) => Subject::Key(key.clone()),
        }
    }

    /// When its notification was accepted, and the status that it leads to.
    fn outcome(&self) -> Option<(Timestamp, Status)> {
        match self {
            Self::Create(notification) => Some((notification.accepted_at, Status::accepted(notification))),
            Self::Begin { notification, .. } => Some((notification.accepted_at, Status::Sending)),
            Self::Settle(notification, update) => Some((notification.accepted_at, update.status)),
            _ => None,
        }
    }

    /// Whether the next change, written alone, does what both do: a begin and a update create what is missing.
    fn is_covered_by(&self, next: &Change) -> bool {
        match (self, next) {
            (Self::Create(_), Self::Begin { .. } | Self::Settle(..)) => true,
            (Self::Begin { interrupted, .. }, Self::Settle(..)) => !interrupted,
            (Self::Begin { .. }, Self::Begin { .. }) => false,
            (Self::Pin(_, until), Self::Pin(_, later)) => until <= later,
            (same, next) => same == next,
        }
    }
}

/// There is no room for another change.
#[derive(Debug)]
pub(super) struct Full;

/// Changes waiting to be written.
pub(super) struct Pending {
    lines: HashMap<Subject, Line>,
    /// The subjects that nobody is writing at the moment, the longest waiting first.
    free: VecDeque<Subject>,
    length: usize,
    limit: usize,
}

#[derive(Default)]
struct Line {
    changes: VecDeque<Change>,
    /// The first change is being written: it may neither be changed nor dropped.
    busy: bool,
}

impl Pending {
    pub(super) fn new(limit: usize) -> Self {
        Self { lines: HashMap::new(), free: VecDeque::new(), length: 0, limit }
    }

    /// How many changes are waiting.
    pub(super) fn len(&self) -> usize {
        self.length
    }

    pub(super) fn has(&self, subject: &Subject) -> bool {
        self.lines.contains_key(subject)
    }

    /// The last change of a subject, which is what holds once all are written.
    pub(super) fn last(&self, subject: &Subject) -> Option<&Change> {
        self.lines.get(subject)?.changes.back()
    }

    /// The status that forbids this copy of a notification to be sent or settled, once all is written: it is final, or
    /// that of a later acceptance.
    pub(super) fn stop(&self, notification: &Notification) -> Option<Status> {
        let line = self.lines.get(&Subject::Notification(notification.id))?;
        let forbids = |(accepted_at, status): &(Timestamp, Status)| {
            *accepted_at > notification.accepted_at || (*accepted_at == notification.accepted_at && status.is_final())
        };
        line.changes.iter().rev().filter_map(Change::outcome).find(forbids).map(|(_, status)| status)
    }

    /// Puts the mark of an attempt into its line; whether it interrupts another, and how many in this line do.
    pub(super) fn begin(&mut self, notification: &Notification, at: Timestamp) -> Result<(bool, u32), Full> {
        let subject = Subject::Notification(notification.id);
        let interrupted =
            self.last(&subject).and_then(Change::outcome) == Some((notification.accepted_at, Status::Sending));
        self.push(Change::Begin { notification: notification.clone(), at, interrupted })?;
        let is_interrupted = |change: &&Change| {
            matches!(change, Change::Begin { interrupted: true, notification: one, .. }
                if one.accepted_at == notification.accepted_at)
        };
        let interrupted_attempts =
            self.lines.get(&subject).map_or(0, |line| line.changes.iter().filter(is_interrupted).count());
        Ok((interrupted, u32::try_from(interrupted_attempts).unwrap_or(u32::MAX)))
    }

    /// Puts a change at the end of its subject's line.
    pub(super) fn push(&mut self, change: Change) -> Result<(), Full> {
        let subject = change.subject();
        if let Some(line) = self.lines.get_mut(&subject) {
            let untouchable = line.busy && line.changes.len() == 1;
            let last = line.changes.back_mut().expect("a line is dropped with its last change");
            if !untouchable && last.is_covered_by(&change) {
                *last = change;
                return Ok(());
            }
        }
        if self.length >= self.limit {
            return Err(Full);
        }
        self.length += 1;
        let line = self.lines.entry(subject.clone()).or_default();
        if line.changes.is_empty() {
            self.free.push_back(subject);
        }
        line.changes.push_back(change);
        Ok(())
    }

    /// The next change to write; nobody else gets one of its subject until [`Pending::written`] or
    /// [`Pending::failed`] is said of it.
    pub(super) fn take(&mut self) -> Option<(Subject, Change)> {
        let subject = self.free.pop_front()?;
        let line = self.lines.get_mut(&subject).expect("free subjects have a line");
        line.busy = true;
        let change = line.changes.front().expect("a line is dropped with its last change").clone();
        Some((subject, change))
    }

    /// The change last taken of this subject is written.
    pub(super) fn written(&mut self, subject: Subject) {
        let Some(line) = self.lines.get_mut(&subject) else { return };
        line.changes.pop_front();
        line.busy = false;
        self.length -= 1;
        if line.changes.is_empty() {
            self.lines.remove(&subject);
        } else {
            self.free.push_back(subject);
        }
    }

    /// It is not; it stays first of its line.
    pub(super) fn failed(&mut self, subject: Subject) {
        if let Some(line) = self.lines.get_mut(&subject) {
            line.busy = false;
            self.free.push_back(subject);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{BotName, Call, ChatId, DeliveryGuarantee, Lane, MediaKind};
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
            reply_to: None,
            then: Vec::new(),
        }
    }

    fn settle(number: u128, status: Status) -> Change {
        Change::Settle(notification(number), RecordUpdate::of(status, Timestamp::from_unix_millis(2_000)).into())
    }

    fn begin(number: u128, interrupted: bool) -> Change {
        Change::Begin { notification: notification(number), at: Timestamp::from_unix_millis(1_500), interrupted }
    }

    fn drain(pending: &mut Pending) -> Vec<Change> {
        let mut all = Vec::new();
        while let Some((subject, change)) = pending.take() {
            all.push(change);
            pending.written(subject);
        }
        all
    }

    #[test]
    fn changes_of_one_subject_are_written_one_after_the_other() {
        let mut pending = Pending::new(10);
        pending.push(settle(1, Status::Retrying)).unwrap();
        pending.push(settle(1, Status::Sent)).unwrap();
        pending.push(settle(2, Status::Failed)).unwrap();
        let (first, change) = pending.take().unwrap();
        assert_eq!(change, settle(1, Status::Retrying));
        let (second, change) = pending.take().unwrap();
        assert_eq!(change, settle(2, Status::Failed));
        assert!(pending.take().is_none(), "the first subject is being written");
        pending.failed(first);
        pending.written(second);
        assert_eq!(drain(&mut pending), [settle(1, Status::Retrying), settle(1, Status::Sent)]);
        assert_eq!(pending.len(), 0);
    }

    #[test]
    fn what_the_next_change_does_too_takes_no_room() {
        let mut pending = Pending::new(1);
        pending.push(Change::Create(notification(1))).unwrap();
        pending.push(begin(1, false)).unwrap();
        pending.push(settle(1, Status::Sent)).unwrap();
        assert_eq!(drain(&mut pending), [settle(1, Status::Sent)]);
        let pin = |millis| Change::Pin(Sha256::of(b"x"), Timestamp::from_unix_millis(millis));
        pending.push(pin(5)).unwrap();
        pending.push(pin(7)).unwrap();
        assert!(pending.push(pin(6)).is_err(), "a shorter one is a change of its own, and the room is taken");
    }

    #[test]
    fn what_is_being_written_is_not_replaced() {
        let mut pending = Pending::new(10);
        pending.push(begin(1, false)).unwrap();
        let (subject, _) = pending.take().unwrap();
        pending.push(settle(1, Status::Sent)).unwrap();
        pending.written(subject);
        assert_eq!(drain(&mut pending), [settle(1, Status::Sent)]);
    }

    #[test]
    fn a_full_buffer_takes_nothing_and_forgets_nothing() {
        let mut pending = Pending::new(2);
        pending.push(settle(1, Status::Sent)).unwrap();
        pending.push(settle(2, Status::Sent)).unwrap();
        assert!(pending.push(settle(3, Status::Sent)).is_err());
        assert_eq!(drain(&mut pending).len(), 2);
    }

    #[test]
    fn an_attempt_that_was_cut_off_is_counted_and_written() {
        let mut pending = Pending::new(10);
        let at = Timestamp::from_unix_millis(1_500);
        pending.push(Change::Create(notification(1))).unwrap();
        for expected in [(false, 0), (true, 1), (true, 2)] {
            assert_eq!(pending.begin(&notification(1), at).unwrap(), expected);
        }
        pending.push(settle(1, Status::Retrying)).unwrap();
        assert_eq!(pending.begin(&notification(1), at).unwrap(), (false, 2));
        let retrying = settle(1, Status::Retrying);
        let written = [begin(1, false), begin(1, true), begin(1, true), retrying, begin(1, false)];
        assert_eq!(drain(&mut pending), written);
    }

    #[test]
    fn what_will_be_final_or_was_accepted_again_later_stops() {
        let mut pending = Pending::new(10);
        let key = FileKey { bot_id: 1, kind: MediaKind::Photo, sha256: Sha256::of(b"x") };
        let older = notification(1);
        let newer = Notification { accepted_at: Timestamp::from_unix_millis(1_200), ..older.clone() };
        let stops = |pending: &Pending| (pending.stop(&older), pending.stop(&newer));
        pending.push(Change::Keep(key, "id".into())).unwrap();
        pending.push(begin(1, false)).unwrap();
        assert_eq!(stops(&pending), (None, None));
        pending.push(settle(1, Status::Failed)).unwrap();
        assert_eq!(stops(&pending), (Some(Status::Failed), None));
        pending.begin(&newer, Timestamp::from_unix_millis(1_500)).unwrap();
        assert_eq!(stops(&pending), (Some(Status::Sending), None));
        pending.push(Change::Settle(newer.clone(), RecordUpdate::of(Status::Sent, newer.accepted_at).into())).unwrap();
        assert_eq!(stops(&pending), (Some(Status::Sent), Some(Status::Sent)));
    }
}
