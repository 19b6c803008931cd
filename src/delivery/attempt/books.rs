//! What is written down: outcomes to the ledger, acks to the queue, counts to the metrics.

use super::Desk;
use super::request::Used;
use crate::delivery::classify::{Judgement, Verdict};
use crate::delivery::retry;
use crate::domain::{Attempt, Notification, RecordUpdate, Status};
use crate::ports::{Outcome, QueueError, Receipt};

/// Writes a final status, then acks, then counts.
pub(super) async fn complete(desk: &Desk, notification: &Notification, receipt: &Receipt, update: &RecordUpdate) {
    let written = write_down(desk, notification, update).await;
    if let Some(address) = notification.reply_to.as_deref().filter(|_| written) {
        desk.outcome_notifier.notify(address, notification.id, &Outcome::of(update)).await;
    }
    ack(desk, receipt).await;
    if !written {
        return;
    }
    let (metrics, bot) = (&desk.metrics, desk.bot.name.as_str());
    let reason = update.failure.as_ref().map(|failure| failure.description.as_str()).unwrap_or_default();
    match update.status {
        Status::Sent => {
            metrics.sent.with_label_values(&[bot]).inc();
            let since = notification.send_at.unwrap_or(notification.accepted_at).max(notification.accepted_at);
            metrics.accept_to_sent_seconds.with_label_values(&[bot]).observe(update.at.since(since).as_secs_f64());
            tracing::info!(message_id = update.message_id, "sent");
        }
        Status::Failed => {
            let class = update.failure.as_ref().map_or("request", |failure| failure.class.as_str());
            metrics.failed.with_label_values(&[bot, class]).inc();
            tracing::warn!(class, reason, "failed");
        }
        status => {
            metrics.ended.with_label_values(&[bot, status.as_str()]).inc();
            tracing::warn!(status = status.as_str(), reason, "ended unsent");
        }
    }
}

/// Writes to the ledger until it is written: what happened must not be lost for want of a ledger. Returns whether the
/// record took it (it does not if it was final already).
pub(super) async fn write_down(desk: &Desk, notification: &Notification, update: &RecordUpdate) -> bool {
    let mut faults = 0;
    loop {
        match desk.ledger.settle(notification, update).await {
            Ok(written) => return written,
            Err(error) => {
                faults += 1;
                tracing::warn!(%error, status = update.status.as_str(), "cannot write the outcome yet");
                tokio::time::sleep(retry::backoff(faults.min(4), fastrand::f64())).await;
            }
        }
    }
}

/// Queues what follows, until it is queued: it was accepted with what it follows.
pub(super) async fn hand_on(desk: &Desk, next: &Notification) {
    let mut faults = 0;
    while let Err(error) = desk.queue.publish(next).await {
        faults += 1;
        tracing::warn!(%error, next = %next.id, "cannot queue what follows yet");
        tokio::time::sleep(retry::backoff(faults.min(4), fastrand::f64())).await;
    }
}

/// Acks until it is acked or no longer ours.
pub async fn ack(desk: &Desk, receipt: &Receipt) {
    let mut faults = 0;
    while let Err(QueueError::Unavailable(reason) | QueueError::Full(reason)) = desk.queue.ack(receipt).await {
        faults += 1;
        tracing::warn!(%reason, "cannot ack yet");
        tokio::time::sleep(retry::backoff(faults.min(4), fastrand::f64())).await;
    }
}

/// Counts an attempt.
pub(super) fn count(desk: &Desk, notification: &Notification, record: &Attempt, used: &Used, judgement: &Judgement) {
    let (metrics, bot) = (&desk.metrics, desk.bot.name.as_str());
    metrics.attempts.with_label_values(&[bot, record.outcome.as_str()]).inc();
    if notification.attempts > 0 {
        metrics.retries.with_label_values(&[bot]).inc();
    }
    if matches!(judgement.verdict, Verdict::FloodWait(_)) {
        metrics.flood_waits.with_label_values(&[bot]).inc();
    }
    if judgement.verdict == Verdict::FileIdRefused {
        metrics.file_id_evictions.with_label_values(&[bot]).inc();
    }
    metrics.file_id_hits.with_label_values(&[bot]).inc_by(used.remembered.len() as u64);
    metrics.file_id_misses.with_label_values(&[bot]).inc_by(used.uploaded.len() as u64);
    if let (Some(bytes), Verdict::Sent { .. }) = (used.bytes, &judgement.verdict) {
        metrics.uploads.with_label_values(&[bot]).inc_by(used.files);
        metrics.upload_bytes.with_label_values(&[bot]).inc_by(bytes);
    }
}
