//! Every series of the metrics at its first value from the start, in every role: a counter that is born at 1 hides its first event
//! from `increase()`, and an owner that there never was from `== 0`.

use crate::domain::{AttemptOutcome, FailureClass, Lane, Status};
use crate::http::routing::RouteStatuses;
use crate::settings::Settings;
use crate::telemetry::Metrics;
use std::collections::BTreeSet;

/// Of notifications that end unsent and have not failed.
const ENDED: [Status; 4] = [Status::Expired, Status::Refused, Status::Cancelled, Status::Unknown];

/// Shows that it is not known who calls: no client with a name gets it.
const UNAUTHORIZED: u16 = 401;

/// Creates them; `routes` are those of the role.
pub fn create(metrics: &Metrics, settings: &Settings, routes: &[RouteStatuses]) {
    for bot in settings.bots.keys() {
        of_bot(metrics, bot.as_str());
    }
    for part in ["queue", "ledger", "blobs", "disk"] {
        // Whether it answers is asked first thing.
        metrics.part_up.with_label_values(&[part]).set(1);
    }
    for RouteStatuses { route, method, statuses } in routes {
        for status in statuses {
            metrics.http_requests.with_label_values(&[&**route, method, status.to_string().as_str()]);
        }
    }
    let mut statuses: BTreeSet<_> = routes.iter().flat_map(|route| &route.statuses).collect();
    statuses.remove(&UNAUTHORIZED);
    for client in settings.clients.iter().map(|client| client.name.as_str()) {
        metrics.client_accepted.with_label_values(&[client]);
        for status in &statuses {
            metrics.client_requests.with_label_values(&[client, status.to_string().as_str()]);
        }
    }
}

fn of_bot(metrics: &Metrics, bot: &str) {
    for lane in Lane::ALL.map(Lane::as_str) {
        for counter in [&metrics.accepted, &metrics.sent] {
            counter.with_label_values(&[bot, lane]);
        }
        for gauge in [&metrics.deferred, &metrics.in_flight] {
            gauge.with_label_values(&[bot, lane]);
        }
        metrics.oldest_age_seconds.with_label_values(&[bot, lane]);
    }
    for class in FailureClass::ALL {
        metrics.failed.with_label_values(&[bot, class.as_str()]);
    }
    for status in ENDED {
        metrics.ended.with_label_values(&[bot, status.as_str()]);
    }
    for outcome in AttemptOutcome::ALL {
        metrics.attempts.with_label_values(&[bot, outcome.as_str()]);
    }
    let counters = [
        &metrics.lost,
        &metrics.retries,
        &metrics.uploads,
        &metrics.upload_bytes,
        &metrics.file_id_hits,
        &metrics.file_id_misses,
        &metrics.file_id_evictions,
        &metrics.flood_waits,
        &metrics.hand_overs,
    ];
    for counter in counters {
        counter.with_label_values(&[bot]);
    }
    let gauges = [
        &metrics.owned,
        &metrics.held,
        &metrics.breaker_open,
        &metrics.slowed_chats,
        &metrics.bots_paused,
        &metrics.chats_paused,
    ];
    for gauge in gauges {
        gauge.with_label_values(&[bot]);
    }
    metrics.rate_ratio.with_label_values(&[bot]).set(1.0);
    for histogram in [&metrics.accept_to_sent_seconds, &metrics.rate_limit_wait_seconds] {
        histogram.with_label_values(&[bot]);
    }
}
