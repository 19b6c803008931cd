//! One attempt at one notification: mark, send, judge, write down, ack. Everything durable that a send needs happens
//! here, in the order that [`super`] gives; what to do next is told to the courier.

mod books;
mod request;

pub use books::ack;

use super::classify::{Judgement, Verdict, classify};
use super::retry;
use crate::domain::{
    Attempt, AttemptOutcome, ChatId, Delivery, Failure, FailureClass, MediaSource, Notification, Settlement, Status,
    Timestamp,
};
use crate::ports::{Begin, Blobs, FileKey, Ledger, MediaIndex, Messenger, Queue, Receipt};
use crate::settings::Bot;
use crate::telemetry::Metrics;
use books::{complete, count, write_down};
use request::{Unprepared, Used, prepare};
use std::sync::Arc;
use std::time::Duration;

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
    /// The file_id that is good now for the notification's image.
    pub file_id: Option<String>,
    /// The remembered file_id that was refused.
    pub refused_file_id: Option<String>,
    /// What it says about Telegram as a whole.
    pub weather: Weather,
}

/// What happens to a notification after an attempt.
#[derive(Debug, PartialEq)]
pub enum Step {
    /// It is final, written down and acked.
    Done,
    /// It never began; again after this wait, nothing counted.
    NotBegun(Duration),
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

/// The image of a notification, if it has one whose bytes we hold.
pub fn image_of(bot: &Bot, notification: &Notification) -> Option<(FileKey, u64)> {
    notification.call.media.iter().find_map(|media| match media.source {
        MediaSource::Blob { sha256, size } => Some((FileKey { bot_id: bot.id, kind: media.kind, sha256 }, size)),
        _ => None,
    })
}

/// Makes one attempt. `file_id`: the one to use for its image, if the courier knows one. `away`: Telegram was not
/// answering when it started, so that it fails is not held against the notification.
pub async fn attempt(
    desk: &Desk,
    notification: &mut Notification,
    receipt: &Receipt,
    file_id: Option<String>,
    away: bool,
) -> Report {
    let (at, started) = (Timestamp::now(), tokio::time::Instant::now());
    if let Some(report) = begin(desk, notification, receipt, at).await {
        return report;
    }
    let prepared = prepare(desk, notification, file_id).await;
    let (result, used) = match prepared {
        Ok((request, used)) => (desk.messenger.call(request).await, used),
        Err(Unprepared::Gone) => {
            let failure = failed(FailureClass::Content, "the image is no longer held here: send it again");
            return finish(desk, notification, receipt, Status::Failed, None, Some(failure), Weather::Untold).await;
        }
        Err(Unprepared::Away(reason)) => {
            let wait = retry::backoff(3, fastrand::f64());
            tracing::warn!(reason, "the image cannot be read yet");
            let settlement = Settlement {
                next_attempt_at: Some(Timestamp::now().plus(wait)),
                ..Settlement::of(Status::Retrying, Timestamp::now())
            };
            write_down(desk, notification, &settlement).await;
            return Report {
                next: Step::NotBegun(wait),
                file_id: None,
                refused_file_id: None,
                weather: Weather::Untold,
            };
        }
    };
    let judgement = classify(&result, used.remembered.is_some());
    let record = Attempt {
        at,
        duration_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        uploaded: used.upload.is_some(),
        outcome: outcome(&judgement.verdict),
        error_code: judgement.error_code,
        reason: judgement.reason.clone(),
        retry_after: None,
    };
    count(desk, notification, &record, &used, &judgement);
    conclude(desk, notification, receipt, record, judgement, used, away).await
}

/// Marks the start, unless there is nothing to start.
async fn begin(desk: &Desk, notification: &mut Notification, receipt: &Receipt, at: Timestamp) -> Option<Report> {
    if notification.expires_at <= at {
        return Some(expire(desk, notification, receipt).await);
    }
    loop {
        match desk.ledger.begin(notification, at).await {
            Ok(Begin::Go { interrupted: false, .. }) => return None,
            Ok(Begin::Stop(status)) => {
                tracing::debug!(status = status.as_str(), "nothing to send");
                ack(desk, receipt).await;
                return Some(Report::quiet(Step::Done));
            }
            Ok(Begin::Go { interrupted: true, .. }) => {
                tracing::warn!("an attempt was cut off by a crash; it may have been sent");
                let words = "cut off by a crash of its courier; it may have been sent";
                let cut_off = Attempt {
                    at,
                    duration_ms: 0,
                    uploaded: false,
                    outcome: AttemptOutcome::Ambiguous,
                    error_code: None,
                    reason: Some(words.to_owned()),
                    retry_after: None,
                };
                desk.metrics.attempts.with_label_values(&[desk.bot.name.as_str(), "ambiguous"]).inc();
                notification.attempts += 1;
                let exhausted = notification.attempts >= desk.max_attempts;
                if notification.delivery == Delivery::AtMostOnce || exhausted {
                    let (status, class) = match notification.delivery {
                        Delivery::AtMostOnce => (Status::Unknown, FailureClass::Ambiguous),
                        Delivery::AtLeastOnce => (Status::Failed, FailureClass::Buried),
                    };
                    let failure = failed(class, words);
                    return Some(
                        finish(desk, notification, receipt, status, Some(cut_off), Some(failure), Weather::Untold)
                            .await,
                    );
                }
                let settlement = Settlement { attempt: Some(cut_off), ..Settlement::of(Status::Retrying, at) };
                write_down(desk, notification, &settlement).await;
            }
            Err(error) => {
                tracing::warn!(%error, "cannot begin");
                return Some(Report::quiet(Step::NotBegun(Duration::from_secs(1))));
            }
        }
    }
}

/// Says that its time is over.
pub async fn expire(desk: &Desk, notification: &Notification, receipt: &Receipt) -> Report {
    finish(desk, notification, receipt, Status::Expired, None, None, Weather::Untold).await
}

/// Says that it has crashed its courier too often.
pub async fn bury(desk: &Desk, notification: &Notification, receipt: &Receipt, words: &str) -> Report {
    let failure = failed(FailureClass::Buried, words);
    finish(desk, notification, receipt, Status::Failed, None, Some(failure), Weather::Untold).await
}

/// Draws the consequences of a judgement and writes them down.
async fn conclude(
    desk: &Desk,
    notification: &mut Notification,
    receipt: &Receipt,
    mut record: Attempt,
    judgement: Judgement,
    used: Used,
    away: bool,
) -> Report {
    let words = judgement.reason.clone().unwrap_or_default();
    let failure = |class| Failure { class, error_code: judgement.error_code, description: words.clone() };
    let mut report = Report { weather: weather(&judgement), ..Report::quiet(Step::Done) };
    report.file_id = used.remembered.clone();
    let (status, step) = match judgement.verdict {
        Verdict::Sent { message_id, file_id } => {
            if let (Some(key), Some(id), true) = (&used.key, &file_id, used.upload.is_some()) {
                // Lost, it costs one more upload.
                let _ = desk.media.keep(key, id).await;
                report.file_id = Some(id.clone());
            }
            let settlement = Settlement {
                attempt: Some(record),
                message_id,
                file_id: file_id.or_else(|| used.remembered.clone()),
                ..Settlement::of(Status::Sent, Timestamp::now())
            };
            complete(desk, notification, receipt, &settlement).await;
            return report;
        }
        Verdict::Permanent(class) => {
            let failed =
                finish(desk, notification, receipt, Status::Failed, Some(record), Some(failure(class)), report.weather);
            return Report { file_id: report.file_id.clone(), ..failed.await };
        }
        Verdict::Ambiguous if notification.delivery == Delivery::AtMostOnce => {
            let failure = failure(FailureClass::Ambiguous);
            let weather = report.weather;
            return finish(desk, notification, receipt, Status::Unknown, Some(record), Some(failure), weather).await;
        }
        Verdict::FloodWait(wait) => {
            record.retry_after = Some(wait.as_secs());
            // A little later than asked, each by its own bit.
            (Status::Retrying, Step::Flood(wait + Duration::from_secs_f64(0.1 + 0.4 * fastrand::f64())))
        }
        Verdict::Migrated(to) => (Status::Retrying, Step::Migrated(ChatId::Id(to))),
        Verdict::FileIdRefused => {
            if let (Some(key), Some(id)) = (&used.key, &used.remembered) {
                let _ = desk.media.evict(key, id).await;
            }
            report.file_id = None;
            report.refused_file_id = used.remembered.clone();
            notification.attempts += 1;
            (Status::Retrying, Step::Again(Duration::ZERO))
        }
        Verdict::Configuration => (Status::Held, Step::Again(Duration::from_secs(1))),
        Verdict::Unreachable => (Status::Retrying, Step::Again(retry::backoff(2, fastrand::f64()))),
        Verdict::Transient | Verdict::Ambiguous => {
            // What fails while Telegram is away for everybody is not held against the notification.
            if !away {
                notification.attempts += 1;
            }
            (Status::Retrying, Step::Again(retry::backoff(notification.attempts, fastrand::f64())))
        }
    };
    if notification.attempts >= desk.max_attempts {
        let failure = failure(FailureClass::Exhausted);
        let weather = report.weather;
        return finish(desk, notification, receipt, Status::Failed, Some(record), Some(failure), weather).await;
    }
    if let Step::Migrated(to) = &step {
        notification.chat_id = to.clone();
    }
    let wait = match &step {
        Step::Again(wait) | Step::Flood(wait) => *wait,
        _ => Duration::ZERO,
    };
    let settlement = Settlement {
        attempt: Some(record),
        next_attempt_at: Some(Timestamp::now().plus(wait)),
        ..Settlement::of(status, Timestamp::now())
    };
    tracing::info!(reason = %words, wait_ms = wait.as_millis() as u64, "to be tried again");
    write_down(desk, notification, &settlement).await;
    Report { next: step, ..report }
}

async fn finish(
    desk: &Desk,
    notification: &Notification,
    receipt: &Receipt,
    status: Status,
    attempt: Option<Attempt>,
    failure: Option<Failure>,
    weather: Weather,
) -> Report {
    let settlement = Settlement { attempt, failure, ..Settlement::of(status, Timestamp::now()) };
    complete(desk, notification, receipt, &settlement).await;
    Report { weather, ..Report::quiet(Step::Done) }
}

fn weather(judgement: &Judgement) -> Weather {
    match judgement.verdict {
        Verdict::Unreachable | Verdict::Ambiguous => Weather::Foul,
        Verdict::Configuration => Weather::Refused,
        Verdict::Transient if judgement.error_code.is_none() => Weather::Untold,
        _ => Weather::Fair,
    }
}

fn outcome(verdict: &Verdict) -> AttemptOutcome {
    match verdict {
        Verdict::Sent { .. } => AttemptOutcome::Sent,
        Verdict::FloodWait(_) => AttemptOutcome::FloodWait,
        Verdict::Migrated(_) => AttemptOutcome::Migrated,
        Verdict::FileIdRefused => AttemptOutcome::FileIdRefused,
        Verdict::Transient | Verdict::Unreachable => AttemptOutcome::Transient,
        Verdict::Ambiguous => AttemptOutcome::Ambiguous,
        Verdict::Configuration => AttemptOutcome::Configuration,
        Verdict::Permanent(_) => AttemptOutcome::Permanent,
    }
}

fn failed(class: FailureClass, description: &str) -> Failure {
    Failure { class, error_code: None, description: description.to_owned() }
}

impl Report {
    fn quiet(next: Step) -> Self {
        Self { next, file_id: None, refused_file_id: None, weather: Weather::Untold }
    }
}
