//! What follows from Telegram's answer: the outcome is recorded, and the courier is told what to do next.

use super::attempt_run::AttemptRun;
use super::recording::{finish, publish_follow_up, record_outcome};
use super::report::AttemptReport;
use super::request::RequestImages;
use crate::delivery::classification::{Classification, Verdict};
use crate::delivery::next_step::NextStep;
use crate::delivery::timeouts::RETRY_BACKOFF;
use crate::domain::{Attempt, ChatId, FailureClass, RecordUpdate, Status, Timestamp};
use crate::ports::{FileIds, FileKey};
use serde_json::{Value, json};
use std::time::Duration;

/// Between two probes whether Telegram still refuses the bot; the circuit breaker makes it longer.
const REFUSED_BOT_PAUSE: Duration = Duration::from_secs(1);

impl AttemptRun {
    /// Draws the consequences of an answer and records them.
    pub(super) async fn conclude(
        &mut self,
        attempt: Attempt,
        answer: Classification,
        images: RequestImages,
    ) -> AttemptReport {
        let mut report = AttemptReport::answered(NextStep::Done, answer.verdict.upstream_health());
        match &answer.verdict {
            Verdict::Sent { message_id, file_ids } => {
                report.file_ids = self.conclude_sent(attempt, &answer, *message_id, file_ids, images).await;
                return report;
            }
            Verdict::FileIdRefused => {
                for (key, id) in &images.remembered {
                    // Not evicted, it is refused once more.
                    let _ = self.context.ports.media.evict(key, id).await;
                }
                report.refused = images.remembered;
            }
            _ => report.file_ids = images.remembered,
        }
        if let Some((status, class)) = self.final_failure(&answer.verdict) {
            let failure = Some(answer.failure(class));
            let update = RecordUpdate::of(status, Timestamp::now());
            self.finish(RecordUpdate { attempt: Some(attempt), failure, ..update }).await;
            return report;
        }
        report.next = self.retry_step(&answer.verdict);
        if let NextStep::Migrate(to) = &report.next {
            self.notification.chat_id = to.clone();
        }
        let (now, pause) = (Timestamp::now(), report.next.retry_pause());
        let reason = answer.reason.as_deref().unwrap_or_default();
        tracing::info!(%reason, wait_ms = pause.map(|pause| pause.as_millis() as u64), "to be tried again");
        let next_attempt_at = pause.map(|pause| now.plus(pause));
        let update = RecordUpdate::of(answer.verdict.retry_status(), now);
        let update = RecordUpdate { attempt: Some(attempt), next_attempt_at, ..update };
        record_outcome(&self.context, &self.notification, &update, &FileIds::new()).await;
        report
    }

    /// The final status and the reason, if there is no other attempt; else counts this one.
    fn final_failure(&mut self, verdict: &Verdict) -> Option<(Status, FailureClass)> {
        let failure = verdict.final_failure(self.notification.delivery);
        if failure.is_some() {
            return failure;
        }
        if verdict.counts_as_attempt(self.telegram_down) {
            self.notification.attempts += 1;
        }
        let exhausted = self.notification.attempts >= self.context.max_attempts;
        exhausted.then_some((Status::Failed, FailureClass::Exhausted))
    }

    /// What to do about an answer that was not the last word.
    fn retry_step(&self, verdict: &Verdict) -> NextStep {
        let retry = |failures| NextStep::Retry(RETRY_BACKOFF.pause(failures, fastrand::f64()));
        match verdict {
            // A little later than asked, each by its own bit.
            Verdict::FloodWait(wait) => {
                NextStep::FloodWait(*wait + Duration::from_secs_f64(0.1 + 0.4 * fastrand::f64()))
            }
            Verdict::Migrated(to) => NextStep::Migrate(ChatId::Id(*to)),
            Verdict::FileIdRefused => NextStep::Retry(Duration::ZERO),
            Verdict::Configuration => NextStep::Retry(REFUSED_BOT_PAUSE),
            Verdict::Unreadable | Verdict::Intercepted => NextStep::Postpone(self.postponement()),
            // As after a second failure: one that never reached Telegram is not counted.
            Verdict::Unreachable => retry(2),
            Verdict::Transient | Verdict::Ambiguous => retry(self.notification.attempts),
            Verdict::Sent { .. } | Verdict::Permanent(_) => NextStep::Done,
        }
    }

    /// Records that it was sent, after what follows it has been queued; returns the file_ids that are good now.
    async fn conclude_sent(
        &self,
        attempt: Attempt,
        answer: &Classification,
        message_id: Option<i64>,
        file_ids: &[Option<String>],
        images: RequestImages,
    ) -> FileIds {
        let update = RecordUpdate::of(Status::Sent, Timestamp::now());
        let caller_waits = self.notification.reply_to.is_some();
        // An edit that found nothing to change counts as sent; a caller that waits is told Telegram's words.
        let failure = (caller_waits && answer.reason.is_some()).then(|| answer.failure(FailureClass::Request));
        let result = answer.result.as_ref();
        let result = if caller_waits { result.cloned() } else { result.and_then(album_message_ids) };
        let (known, learnt) = file_ids_of(file_ids, images);
        if let Some(next) = self.notification.successor(message_id) {
            publish_follow_up(&self.context, &next).await;
        }
        let file_id = file_ids.first().cloned().flatten().or_else(|| known.values().next().cloned());
        let update = RecordUpdate { attempt: Some(attempt), message_id, file_id, failure, result, ..update };
        finish(&self.context, &self.notification, &self.receipt, &update, &learnt).await;
        known
    }
}

/// The file_ids that are good now: those known before with those that an answer gives to uploaded images. And what is to be
/// kept of it for others.
fn file_ids_of(answered: &[Option<String>], images: RequestImages) -> (FileIds, FileIds) {
    let of = |uploaded: Vec<(FileKey, usize)>| -> FileIds {
        let file_id = |message: usize| answered.get(message).cloned().flatten();
        uploaded.into_iter().filter_map(|(key, message)| Some((key, file_id(message)?))).collect()
    };
    let mut learnt = of(images.uploaded);
    let mut known = images.remembered;
    known.extend(learnt.clone());
    learnt.extend(of(images.uploaded_by_bytes));
    (known, learnt)
}

/// Of the messages of an album, their numbers: they are needed to change them.
fn album_message_ids(result: &Value) -> Option<Value> {
    let messages = result.as_array()?;
    Some(messages.iter().map(|message| json!({"message_id": message.get("message_id")})).collect())
}
