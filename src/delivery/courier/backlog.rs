//! What of a bot's backlog its owner sees, for the metrics.

use super::state::Courier;
use crate::domain::{Lane, Timestamp};

/// Of one lane.
#[derive(Clone, Copy, Default)]
struct LaneBacklog {
    in_flight: u64,
    /// The earliest moment from which on one that is here has waited to be sent.
    since: Option<Timestamp>,
}

impl Courier {
    /// Shows how much is in flight and how much has gone back to the queue until its turn, and since when the oldest waits that is
    /// here. The first of each chat is here as long as there is room for it; those behind it are younger.
    pub(super) fn show_backlog(&self) {
        let mut lanes = [LaneBacklog::default(); Lane::ALL.len()];
        for held in self.held.values() {
            let (notification, lane) = (&held.notification, &mut lanes[held.notification.lane as usize]);
            lane.in_flight += u64::from(held.in_flight);
            let since = notification.send_at.map_or(notification.accepted_at, |at| at.max(notification.accepted_at));
            lane.since = Some(lane.since.map_or(since, |oldest| oldest.min(since)));
        }
        let (metrics, now) = (&self.context.metrics, Timestamp::now());
        for (lane, backlog) in Lane::ALL.into_iter().zip(lanes) {
            let labels = &[self.context.bot_label(), lane.as_str()];
            metrics.in_flight.with_label_values(labels).set(gauge(backlog.in_flight));
            metrics.deferred.with_label_values(labels).set(gauge(self.scheduler.deferred(lane)));
            let age = backlog.since.map_or(0.0, |since| now.since(since).as_secs_f64());
            metrics.oldest_age_seconds.with_label_values(labels).set(age);
        }
    }

    /// Nothing of it is known here any more.
    pub(super) fn clear_backlog(&self) {
        for lane in Lane::ALL {
            let (metrics, labels) = (&self.context.metrics, &[self.context.bot_label(), lane.as_str()]);
            metrics.in_flight.with_label_values(labels).set(0);
            metrics.deferred.with_label_values(labels).set(0);
            metrics.oldest_age_seconds.with_label_values(labels).set(0.0);
        }
    }
}

fn gauge(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
