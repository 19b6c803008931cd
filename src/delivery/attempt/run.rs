//! An attempt from its start to its report.

use super::attempt_run::{AttemptRun, OwnershipCheck};
use super::begin::ASK_AGAIN_IF_PAUSED;
use super::count::count_attempt;
use super::departure_gate::Approach;
use super::recording::record_outcome;
use super::report::AttemptReport;
use super::request::{PrepareError, prepare};
use super::reusable_images::reusable_images;
use crate::delivery::classification::classify;
use crate::delivery::next_step::NextStep;
use crate::domain::{Attempt, FailureClass, RecordUpdate, Status, Timestamp};
use crate::ports::FileIds;
use tokio::time::Instant;

const LOST: &str = "the bot was given up before the request left";
const HELD_BACK: &str = "the bot was paused, or is handed over, before the request left";

impl AttemptRun {
    /// Makes the attempt. `known`: the file_ids that the courier has for its images; `approach`: where its request leaves.
    pub async fn run(&mut self, mut known: FileIds, mut owner: OwnershipCheck, approach: Approach) -> AttemptReport {
        // A new owner may have it under way, which a begin would take for an attempt that was interrupted.
        tokio::select! {
            biased;
            () = owner.lost() => return AttemptReport::unasked(self.await_part()),
            () = approach.awake() => {}
        }
        let (at, started) = (Timestamp::now(), Instant::now());
        let images = reusable_images(&self.context.bot, &self.notification).into_iter().map(|(key, _)| key);
        let wanted: Vec<_> = images.filter(|key| !known.contains_key(key)).collect();
        match self.begin(at, &self.begin_conditions(), &wanted).await {
            Ok(found) => known.extend(found),
            Err(report) => return report,
        }
        if self.notification.expires_at <= at {
            return self.finish(RecordUpdate::of(self.too_late(), at)).await;
        }
        // What comes before the request may take long, and the mark is to be taken back before a new owner finds it.
        let prepared = tokio::select! {
            biased;
            () = owner.lost() => return self.undo_begin(LOST, self.await_part()).await,
            prepared = prepare(&self.context, &self.notification, known) => prepared,
        };
        let (request, images) = match prepared {
            Ok(prepared) => prepared,
            Err(PrepareError::ImageGone) => {
                return self.fail(FailureClass::Content, "the image is no longer held here: send it again").await;
            }
            Err(PrepareError::StoreUnavailable(reason)) => return self.undo_begin(&reason, self.await_part()).await,
        };
        let (chat, cost) = (&self.notification.chat_id, self.notification.call.cost());
        let departed = tokio::select! {
            biased;
            () = owner.lost() => None,
            departed = approach.leave(chat, cost, images.bytes.is_some()) => departed,
        };
        // Checked last before it leaves. The mark of a new owner is not taken back: the ledger tells them apart.
        let is_owner = owner.is_owner();
        let Some(departed) = departed.filter(|_| is_owner) else {
            return match is_owner {
                true => self.undo_begin(HELD_BACK, NextStep::Paused(ASK_AGAIN_IF_PAUSED)).await,
                false => self.undo_begin(LOST, self.await_part()).await,
            };
        };
        let now = Timestamp::now();
        if self.notification.expires_at <= now {
            return self.finish(RecordUpdate::of(self.too_late(), now)).await;
        }
        let result = self.context.messenger.call(request).await;
        drop(departed);
        let answer = classify(result, !images.remembered.is_empty());
        let attempt = Attempt {
            at,
            duration_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            uploaded: images.bytes.is_some(),
            outcome: answer.verdict.outcome(),
            error_code: answer.error_code,
            reason: answer.reason.clone(),
            retry_after: answer.verdict.retry_after(),
        };
        count_attempt(&self.context, &self.notification, &answer.verdict, &images);
        self.conclude(attempt, answer, images).await
    }

    /// Takes the mark of the start back: nothing has left.
    async fn undo_begin(&self, reason: &str, next: NextStep) -> AttemptReport {
        tracing::warn!(reason, "postponed");
        let update = RecordUpdate::of(Status::Retrying, Timestamp::now());
        record_outcome(&self.context, &self.notification, &update, &FileIds::new()).await;
        AttemptReport::unasked(next)
    }
}
