//! One attempt at one notification: mark, send, judge, write down, ack. Everything durable that a send needs happens
//! here, in the order that [`super`] gives; what to do next is told to the courier.

mod books;
mod request;

pub use books::ack;

use super::classify::{Judgement, Verdict, classify};
use super::retry;
use crate::domain::{
    Attempt, AttemptOutcome, ChatId, DeliveryGuarantee, Failure, FailureClass, MediaSource, Notification, RecordUpdate,
    Status, Timestamp,
};
use crate::ports::{Begin, Blobs, FileIds, FileKey, Ledger, MediaIndex, Messenger, OutcomeNotifier, Queue, Receipt};
use crate::settings::Bot;
use crate::telemetry::Metrics;
use books::{complete, count, hand_on, write_down};
use request::{Unprepared, Used, prepare};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How many times a notification may be cut off by the end of its courier before it is taken for the cause.
const MAX_INTERRUPTED_ATTEMPTS: u32 = 5;

/// What a courier works with.
#[derive(Clone)]
pub struct Desk {
    /// Its bot.
    pub bot: Arc<Bot>,
    /// Where notifications come from.
    pub queue: Arc<dyn Queue>,
    /// Where outcomes go.
    pub ledger: Arc<dyn Ledger>,
    /// What is known about images.
    pub media: Arc<dyn MediaIndex>,
    /// Their bytes.
    pub blobs: Arc<dyn Blobs>,
    /// The way out.
    pub messenger: Arc<dyn Messenger>,
    /// The way back to callers that wait.
    pub outcome_notifier: Arc<dyn OutcomeNotifier>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// How many attempts that got an answer, or may have, before a passing fault becomes a failure.
    pub max_attempts: u32,
}

/// How an attempt ended, for the courier.
#[derive(Debug)]
pub struct Report {
    /// What happens to the notification.
    pub next: Step,
    /// The file_ids that are good now for the notification's images.
    pub file_ids: FileIds,
    /// The remembered file_ids of which one was refused: which one, Telegram does not say.
    pub refused: FileIds,
    /// What it says about Telegram as a whole.
    pub weather: Weather,
}

/// What happens to a notification after an attempt.
#[derive(Debug, PartialEq)]
pub enum Step {
    /// It is final, written down and acked.
    Done,
    /// Nothing left the house, because a part of ours was away; nothing counts.
    NotBegun,
    /// Again after this wait.
    Again(Duration),
    /// Telegram asked for this wait.
    Flood(Duration),
    /// Again, to the chat's new id.
    Migrated(ChatId),
}

/// What an attempt says about Telegram as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    /// It answers.
    Fair,
    /// It does not: connect errors, silence, 5xx.
    Foul,
    /// It refuses the bot.
    Refused,
    /// Nothing was asked.
    Untold,
}

/// The images of a notification whose bytes we hold and that need to be uploaded once only: each once, with its size.
pub fn images_of(bot: &Bot, notification: &Notification) -> Vec<(FileKey, u64)> {
    let Some(telegram) = bot.telegram() else { return Vec::new() };
    let call = &notification.call;
    let reusable = call.media.iter().filter(|media| media.kind.is_reusable());
    let mut images: Vec<_> = reusable
        .filter_map(|media| match media.source {
            MediaSource::Blob { sha256, size } => {
                let sha256 = call.identity(media, &sha256);
                Some((FileKey { bot_id: telegram.id, kind: media.kind, sha256 }, size))
            }
            _ => None,
        })
        .collect();
    images.sort_unstable();
    images.dedup();
    images
}

/// Whether the bot is still ours.
#[derive(Clone)]
pub struct Standing {
    /// The ownership as it is now.
    pub ownership: watch::Receiver<Option<u64>>,
    /// The ownership under which the attempt was started.
    pub epoch: u64,
}

/// One attempt on its course.
pub struct Errand<'a> {
    /// The courier's desk.
    pub desk: &'a Desk,
    /// What is to be sent; changed by what is learnt.
    pub notification: &'a mut Notification,
    /// What to ack.
    pub receipt: &'a Receipt,
    /// Telegram was not answering when it started, so that it fails is not held against the notification.
    pub away: bool,
}

impl Errand<'_> {
    /// Makes the attempt. `known`: the file_ids that the courier has for its images.
    pub async fn run(mut self, known: FileIds, standing: Standing) -> Report {
        let (at, started) = (Timestamp::now(), tokio::time::Instant::now());
        if let Some(report) = self.begin(at).await {
            return report;
        }
        if self.notification.expires_at <= at {
            return self.end(RecordUpdate::of(Status::Expired, at)).await;
        }
        let (request, used) = match prepare(self.desk, self.notification, known).await {
            Ok(prepared) => prepared,
            Err(Unprepared::Gone) => {
                let failure = failure(FailureClass::Content, "the image is no longer held here: send it again");
                return self.end(failed(failure)).await;
            }
            Err(Unprepared::Away(reason)) => return self.put_off(&reason).await,
        };
        // The last look before it leaves: what came before may have taken long, and the bot may have a new owner.
        // The mark stays: whoever owns the bot now may have set its own on top.
        if *standing.ownership.borrow() != Some(standing.epoch) {
            return Report::quiet(Step::NotBegun);
        }
        let result = self.desk.messenger.call(request).await;
        let judgement = classify(result, !used.remembered.is_empty());
        let record = Attempt {
            at,
            duration_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            uploaded: used.bytes.is_some(),
            outcome: outcome(&judgement.verdict),
            error_code: judgement.error_code,
            reason: judgement.reason.clone(),
            retry_after: None,
        };
        count(self.desk, self.notification, &record, &used, &judgement);
        self.conclude(record, judgement, used).await
    }

    /// Says that its time is over, unless it may have been sent. `turn`: when it would have been sent.
    pub async fn expire(mut self, turn: Timestamp) {
        loop {
            let now = Timestamp::now();
            let next_attempt_at = self.notification.reply_to.is_some().then_some(turn);
            match self.begin(now).await {
                None => {
                    self.end(RecordUpdate { next_attempt_at, ..RecordUpdate::of(Status::Expired, now) }).await;
                    break;
                }
                Some(Report { next: Step::NotBegun, .. }) => {
                    tokio::time::sleep(retry::backoff(4, fastrand::f64())).await;
                }
                Some(_) => break,
            }
        }
    }

    /// Says that it has crashed its courier too often.
    pub async fn bury(self, words: &str) {
        self.end(failed(failure(FailureClass::Buried, words))).await;
    }

    /// Marks the start, unless there is nothing to start.
    async fn begin(&mut self, at: Timestamp) -> Option<Report> {
        match self.desk.ledger.begin(self.notification, at).await {
            Ok(Begin::Proceed { interrupted: false, .. }) => None,
            Ok(Begin::Proceed { interrupted: true, interrupted_attempts }) => {
                tracing::warn!(interrupted_attempts, "an attempt was cut off; it may have been sent");
                self.desk.metrics.attempts.with_label_values(&[self.desk.bot.name.as_str(), "ambiguous"]).inc();
                let words = "cut off before its end was seen; it may have been sent";
                if self.notification.delivery == DeliveryGuarantee::AtMostOnce {
                    let failure = Some(failure(FailureClass::Ambiguous, words));
                    return Some(self.end(RecordUpdate { failure, ..RecordUpdate::of(Status::Unknown, at) }).await);
                }
                if interrupted_attempts >= MAX_INTERRUPTED_ATTEMPTS {
                    let words = format!(
                        "cut off {interrupted_attempts} times by the end of its courier; it may be what ends it"
                    );
                    return Some(self.end(failed(failure(FailureClass::Buried, &words))).await);
                }
                None
            }
            Ok(Begin::Skip(status)) => {
                tracing::debug!(status = status.as_str(), "nothing to send");
                ack(self.desk, self.receipt).await;
                Some(Report::quiet(Step::Done))
            }
            Err(error) => {
                tracing::warn!(%error, "cannot begin");
                Some(Report::quiet(Step::NotBegun))
            }
        }
    }

    /// Takes the mark of the start back: nothing has left.
    async fn put_off(&self, reason: &str) -> Report {
        tracing::warn!(reason, "put off");
        write_down(self.desk, self.notification, &RecordUpdate::of(Status::Retrying, Timestamp::now())).await;
        Report::quiet(Step::NotBegun)
    }

    /// Writes a final status down.
    async fn end(&self, update: RecordUpdate) -> Report {
        complete(self.desk, self.notification, self.receipt, &update).await;
        Report::quiet(Step::Done)
    }

    /// Draws the consequences of a judgement and writes them down.
    async fn conclude(self, mut record: Attempt, judgement: Judgement, used: Used) -> Report {
        let words = judgement.reason.clone().unwrap_or_default();
        let failure = |class| Failure { class, error_code: judgement.error_code, description: words.clone() };
        let mut report = Report { weather: weather(&judgement), ..Report::quiet(Step::Done) };
        let end = |status, class, record| RecordUpdate {
            attempt: Some(record),
            failure: Some(failure(class)),
            ..RecordUpdate::of(status, Timestamp::now())
        };
        let (status, step) = match judgement.verdict {
            Verdict::Sent { message_id, file_ids } => {
                let done_already = judgement.reason.is_some().then(|| failure(FailureClass::Request));
                let result = match self.notification.reply_to {
                    Some(_) => judgement.result,
                    None => judgement.result.as_ref().and_then(numbers),
                };
                let update = RecordUpdate {
                    attempt: Some(record),
                    message_id,
                    failure: done_already.filter(|_| self.notification.reply_to.is_some()),
                    result,
                    ..RecordUpdate::of(Status::Sent, Timestamp::now())
                };
                report.file_ids = self.sent(update, file_ids, used).await;
                return report;
            }
            Verdict::Permanent(class) => {
                report.file_ids = used.remembered;
                self.end(end(Status::Failed, class, record)).await;
                return report;
            }
            Verdict::Ambiguous if self.notification.delivery == DeliveryGuarantee::AtMostOnce => {
                report.file_ids = used.remembered;
                self.end(end(Status::Unknown, FailureClass::Ambiguous, record)).await;
                return report;
            }
            Verdict::FloodWait(wait) => {
                record.retry_after = Some(wait.as_secs());
                // A little later than asked, each by its own bit.
                (Status::Retrying, Step::Flood(wait + Duration::from_secs_f64(0.1 + 0.4 * fastrand::f64())))
            }
            Verdict::Migrated(to) => (Status::Retrying, Step::Migrated(ChatId::Id(to))),
            Verdict::FileIdRefused => {
                for (key, id) in &used.remembered {
                    let _ = self.desk.media.evict(key, id).await;
                }
                report.refused = used.remembered.clone();
                self.notification.attempts += 1;
                (Status::Retrying, Step::Again(Duration::ZERO))
            }
            Verdict::Configuration => (Status::Held, Step::Again(Duration::from_secs(1))),
            Verdict::Unreadable => (Status::Retrying, Step::NotBegun),
            Verdict::Unreachable => (Status::Retrying, Step::Again(retry::backoff(2, fastrand::f64()))),
            Verdict::Transient | Verdict::Ambiguous => {
                // What fails while Telegram is away for everybody is not held against the notification.
                if !self.away {
                    self.notification.attempts += 1;
                }
                (Status::Retrying, Step::Again(retry::backoff(self.notification.attempts, fastrand::f64())))
            }
        };
        if report.refused.is_empty() {
            report.file_ids = used.remembered;
        }
        if self.notification.attempts >= self.desk.max_attempts {
            self.end(end(Status::Failed, FailureClass::Exhausted, record)).await;
            return report;
        }
        if let Step::Migrated(to) = &step {
            self.notification.chat_id = to.clone();
        }
        let wait = match &step {
            Step::Again(wait) | Step::Flood(wait) => Some(*wait),
            _ => None,
        };
        let now = Timestamp::now();
        let next_attempt_at = wait.map(|wait| now.plus(wait));
        let update = RecordUpdate { attempt: Some(record), next_attempt_at, ..RecordUpdate::of(status, now) };
        tracing::info!(reason = %words, wait_ms = wait.map(|wait| wait.as_millis() as u64), "to be tried again");
        write_down(self.desk, self.notification, &update).await;
        Report { next: step, ..report }
    }

    /// Writes down that it was sent, after what follows it has been queued; returns the file_ids that are good now.
    async fn sent(&self, update: RecordUpdate, file_ids: Vec<Option<String>>, used: Used) -> FileIds {
        let mut known = used.remembered;
        for (key, message) in used.uploaded {
            if let Some(id) = file_ids.get(message).cloned().flatten() {
                // Lost, it costs one more upload.
                let _ = self.desk.media.keep(&key, &id).await;
                known.insert(key, id);
            }
        }
        for (key, message) in used.by_content {
            if let Some(id) = file_ids.get(message).and_then(Option::as_ref) {
                let _ = self.desk.media.keep(&key, id).await;
            }
        }
        if let Some(next) = self.notification.successor(update.message_id) {
            hand_on(self.desk, &next).await;
        }
        let file_id = file_ids.into_iter().next().flatten().or_else(|| known.values().next().cloned());
        self.end(RecordUpdate { file_id, ..update }).await;
        known
    }
}

/// Of the messages of an album, their numbers: they are needed to change them.
fn numbers(result: &Value) -> Option<Value> {
    let messages = result.as_array()?;
    Some(messages.iter().map(|message| json!({"message_id": message.get("message_id")})).collect())
}

fn weather(judgement: &Judgement) -> Weather {
    match judgement.verdict {
        Verdict::Unreachable | Verdict::Ambiguous => Weather::Foul,
        Verdict::Configuration => Weather::Refused,
        Verdict::Unreadable => Weather::Untold,
        _ => Weather::Fair,
    }
}

fn outcome(verdict: &Verdict) -> AttemptOutcome {
    match verdict {
        Verdict::Sent { .. } => AttemptOutcome::Sent,
        Verdict::FloodWait(_) => AttemptOutcome::FloodWait,
        Verdict::Migrated(_) => AttemptOutcome::Migrated,
        Verdict::FileIdRefused => AttemptOutcome::FileIdRefused,
        Verdict::Transient | Verdict::Unreachable | Verdict::Unreadable => AttemptOutcome::Transient,
        Verdict::Ambiguous => AttemptOutcome::Ambiguous,
        Verdict::Configuration => AttemptOutcome::Configuration,
        Verdict::Permanent(_) => AttemptOutcome::Permanent,
    }
}

fn failure(class: FailureClass, description: &str) -> Failure {
    Failure { class, error_code: None, description: description.to_owned() }
}

fn failed(failure: Failure) -> RecordUpdate {
    RecordUpdate { failure: Some(failure), ..RecordUpdate::of(Status::Failed, Timestamp::now()) }
}

impl Report {
    fn quiet(next: Step) -> Self {
        Self { next, file_ids: FileIds::new(), refused: FileIds::new(), weather: Weather::Untold }
    }
}
