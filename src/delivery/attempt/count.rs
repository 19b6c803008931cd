//! Counts attempts and ends in the metrics, and logs the ends.

use super::request::RequestImages;
use crate::delivery::classification::Verdict;
use crate::delivery::context::CourierContext;
use crate::domain::{Notification, RecordUpdate, Status};

/// Counts an attempt that asked Telegram.
pub(super) fn count_attempt(
    context: &CourierContext,
    notification: &Notification,
    verdict: &Verdict,
    images: &RequestImages,
) {
    let (metrics, bot) = (&context.metrics, context.bot_label());
    metrics.attempts.with_label_values(&[bot, verdict.outcome().as_str()]).inc();
    if notification.attempts > 0 {
        metrics.retries.with_label_values(&[bot]).inc();
    }
    match verdict {
        Verdict::FloodWait(_) => metrics.flood_waits.with_label_values(&[bot]).inc(),
        Verdict::FileIdRefused => metrics.file_id_evictions.with_label_values(&[bot]).inc(),
        _ => {}
    }
    metrics.file_id_hits.with_label_values(&[bot]).inc_by(images.remembered.len() as u64);
    metrics.file_id_misses.with_label_values(&[bot]).inc_by(images.uploaded.len() as u64);
    if let (Some(bytes), Verdict::Sent { .. }) = (images.bytes, verdict) {
        metrics.uploads.with_label_values(&[bot]).inc_by(images.files);
        metrics.upload_bytes.with_label_values(&[bot]).inc_by(bytes);
    }
}

/// Counts and logs a notification whose final status is recorded.
pub(super) fn count_finished(context: &CourierContext, notification: &Notification, update: &RecordUpdate) {
    let (metrics, bot) = (&context.metrics, context.bot_label());
    let reason = update.failure.as_ref().map(|failure| failure.description.as_str()).unwrap_or_default();
    match update.status {
        Status::Sent => {
            metrics.sent.with_label_values(&[bot, notification.lane.as_str()]).inc();
            let since = notification.send_at.unwrap_or(notification.accepted_at).max(notification.accepted_at);
            metrics.accept_to_sent_seconds.with_label_values(&[bot]).observe(update.at.since(since).as_secs_f64());
            tracing::info!(message_id = update.message_id, "sent");
        }
        Status::Failed => {
            let class = update.failure.as_ref().map_or("request", |failure| failure.class.as_str());
            metrics.failed.with_label_values(&[bot, class]).inc();
            tracing::warn!(class, reason, "failed");
        }
        Status::Refused => {
            metrics.ended.with_label_values(&[bot, update.status.as_str()]).inc();
            tracing::info!("refused: its turn is too far away for the caller who waits");
        }
        status => {
            metrics.ended.with_label_values(&[bot, status.as_str()]).inc();
            tracing::warn!(status = status.as_str(), reason, "ended unsent");
        }
    }
}
