//! The metrics, as a struct with its own registries. Few labels, all from small sets: bots, lanes, classes; never a chat.

use prometheus::{
    GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
    core::Collector, process_collector::ProcessCollector,
};
use std::cell::RefCell;
use std::collections::BTreeMap;

fn options(name: &str, help: &str) -> Opts {
    Opts::new(format!("pixcourier_{name}"), help)
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A registry for each metric, by its name. A page is made of one after the other: what a registry is asked for it tells as a tree of
/// small texts, which of hundreds of bots takes many times what the page does.
#[derive(Default)]
struct Registries(BTreeMap<String, Registry>);

impl Registries {
    fn register(&mut self, collector: impl Collector + 'static) {
        let name = collector.desc().first().map(|desc| desc.fq_name.clone()).unwrap_or_default();
        let registry = self.0.entry(name).or_default();
        registry.register(Box::new(collector)).expect("registered once");
    }
}

/// Registers a new metric.
fn registered<M: Collector + Clone + 'static>(registries: &RefCell<Registries>, metric: prometheus::Result<M>) -> M {
    let metric = metric.expect("valid name");
    registries.borrow_mut().register(metric.clone());
    metric
}

/// All metrics of a process.
pub struct Metrics {
    registries: Registries,
    /// Notifications accepted, by `bot` and `lane`.
    pub accepted: IntCounterVec,
    /// Notifications sent, by `bot` and `lane`.
    pub sent: IntCounterVec,
    /// Notifications failed, by `bot` and `class`.
    pub failed: IntCounterVec,
    /// Notifications that ended unsent otherwise, by `bot` and `status` (expired, refused, cancelled, unknown).
    pub ended: IntCounterVec,
    /// Those of them that were ended as unknown a day after they expired, because their end was lost, by `bot`.
    pub lost: IntCounterVec,
    /// Attempts, by `bot` and `outcome`.
    pub attempts: IntCounterVec,
    /// Attempts that were not the first of their notification, by `bot`.
    pub retries: IntCounterVec,
    /// Uploads that Telegram took, by `bot`.
    pub uploads: IntCounterVec,
    /// Bytes of those uploads, by `bot`.
    pub upload_bytes: IntCounterVec,
    /// Sends by a remembered file_id, by `bot`.
    pub file_id_hits: IntCounterVec,
    /// Images for which the bot had no file_id yet, by `bot`.
    pub file_id_misses: IntCounterVec,
    /// file_ids that Telegram refused, by `bot`.
    pub file_id_evictions: IntCounterVec,
    /// Waits that Telegram asked for, by `bot`.
    pub flood_waits: IntCounterVec,
    /// Notifications that are still to be sent, wherever they wait, by `bot`, `lane` and `status` (queued, scheduled, sending,
    /// retrying, held).
    pub open: IntGaugeVec,
    /// Notifications ready in the queue or handed out and not acked, by `bot` and `lane`.
    pub queue_depth: IntGaugeVec,
    /// Notifications that have gone back to the queue until their turn, as far as the owner knows, by `bot` and `lane`.
    pub deferred: IntGaugeVec,
    /// Notifications whose attempt is under way here, by `bot` and `lane`.
    pub in_flight: IntGaugeVec,
    /// For how many seconds the oldest has waited that the owner has here; 0 for none; by `bot` and `lane`.
    pub oldest_age_seconds: GaugeVec,
    /// Seconds from acceptance (or `send_at`) to sent, by `bot`.
    pub accept_to_sent_seconds: HistogramVec,
    /// Seconds that a notification waited for the rate limits alone, by `bot`.
    pub rate_limit_wait_seconds: HistogramVec,
    /// The part of its configured rate that the bot keeps: below 1 for a while after flood waits, by `bot`.
    pub rate_ratio: GaugeVec,
    /// Chats that are written to more slowly than configured, for a while after flood waits, by `bot`.
    pub slowed_chats: IntGaugeVec,
    /// 1 while this process owns the bot, by `bot`.
    pub owned: IntGaugeVec,
    /// How often this process has handed the bot over to another, in order, by `bot`.
    pub hand_overs: IntCounterVec,
    /// 1 while the circuit breaker is open (Telegram does not answer), by `bot`.
    pub breaker_open: IntGaugeVec,
    /// 1 while Telegram refuses the bot's token, by `bot`.
    pub held: IntGaugeVec,
    /// 1 while somebody has paused the bot, by `bot`; the same in every process.
    pub bots_paused: IntGaugeVec,
    /// Chats that somebody has paused, by `bot`; the same in every process.
    pub chats_paused: IntGaugeVec,
    /// 1 while a part answers, by `part` (queue, ledger, blobs, disk).
    pub part_up: IntGaugeVec,
    /// 1 once the embedded database was found damaged.
    pub damaged: IntGauge,
    /// Changes that wait in memory for the ledger to come back; lost if the process dies before it does.
    pub ledger_buffered: IntGauge,
    /// Notifications that were due and could be brought nowhere: their bot has no queues at the broker any more.
    pub orphans: IntGauge,
    /// Registrations and what else changed the recipient book by way of a bot, by `bot` and `outcome`.
    pub registrations: IntCounterVec,
    /// HTTP requests answered, by `route` (a template, or `none`), `method` and `status`.
    pub http_requests: IntCounterVec,
    /// Seconds to answer them, by `route`.
    pub http_request_seconds: HistogramVec,
    /// Those of clients with a name, by `client` and `status`.
    pub client_requests: IntCounterVec,
    /// Notifications accepted from clients with a name, by `client`.
    pub client_accepted: IntCounterVec,
    /// Tries at a callback, by `result` (delivered, retried, refused_address, given_up).
    pub callbacks: IntCounterVec,
    /// Callbacks that are still to be delivered, those aside that were given up.
    pub callbacks_waiting: IntGauge,
    /// Event streams that are open.
    pub event_streams: IntGauge,
}

/// The upper bounds of buckets, in seconds.
const WAIT_BUCKETS_SECONDS: &[f64] =
    &[0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0, 86400.0];

impl Metrics {
    /// A fresh set.
    pub fn new() -> Self {
        let registries = RefCell::new(Registries::default());
        registries.borrow_mut().register(ProcessCollector::for_self());
        let counter = |name, help, labels| registered(&registries, IntCounterVec::new(options(name, help), labels));
        let gauge = |name, help, labels| registered(&registries, IntGaugeVec::new(options(name, help), labels));
        let real_gauge = |name, help, labels| registered(&registries, GaugeVec::new(options(name, help), labels));
        let histogram = |name, help, labels, buckets: &[f64]| {
            let options = HistogramOpts { common_opts: options(name, help), buckets: buckets.to_vec() };
            registered(&registries, HistogramVec::new(options, labels))
        };
        let bot = &["bot"];
        let single = |name, help| registered(&registries, IntGauge::with_opts(options(name, help)));
        let build_info = options("build_info", "1; the label is its version").const_label("version", VERSION);
        registered(&registries, IntGauge::with_opts(build_info)).set(1);
        Self {
            accepted: counter("notifications_accepted_total", "Notifications accepted", &["bot", "lane"]),
            sent: counter("notifications_sent_total", "Notifications sent", &["bot", "lane"]),
            failed: counter("notifications_failed_total", "Notifications failed for good", &["bot", "class"]),
            ended: counter(
                "notifications_ended_total",
                "Notifications that ended unsent, not failed",
                &["bot", "status"],
            ),
            lost: counter("notifications_lost_total", "Notifications whose end was lost, ended as unknown", bot),
            attempts: counter("attempts_total", "Attempts at delivery", &["bot", "outcome"]),
            retries: counter("retries_total", "Attempts after the first", bot),
            uploads: counter("uploads_total", "Uploads that Telegram took", bot),
            upload_bytes: counter("upload_bytes_total", "Bytes of the uploads that Telegram took", bot),
            file_id_hits: counter("file_id_hits_total", "Sends by a remembered file_id", bot),
            file_id_misses: counter("file_id_misses_total", "Images without a remembered file_id", bot),
            file_id_evictions: counter("file_id_evictions_total", "Remembered file_ids that Telegram refused", bot),
            flood_waits: counter("flood_waits_total", "Waits that Telegram asked for", bot),
            open: gauge("notifications_open", "Notifications that are still to be sent", &["bot", "lane", "status"]),
            queue_depth: gauge("queue_depth", "Notifications ready in the queue or out unacked", &["bot", "lane"]),
            deferred: gauge(
                "deferred_notifications",
                "Notifications back in the queue until their turn",
                &["bot", "lane"],
            ),
            in_flight: gauge("in_flight_notifications", "Notifications whose attempt is under way", &["bot", "lane"]),
            oldest_age_seconds: real_gauge(
                "oldest_notification_age_seconds",
                "Time that the oldest has waited",
                &["bot", "lane"],
            ),
            accept_to_sent_seconds: histogram(
                "accept_to_sent_seconds",
                "From acceptance or send_at to sent",
                bot,
                WAIT_BUCKETS_SECONDS,
            ),
            rate_limit_wait_seconds: histogram(
                "rate_limit_wait_seconds",
                "Waited for the limits alone",
                bot,
                WAIT_BUCKETS_SECONDS,
            ),
            rate_ratio: real_gauge("rate_ratio", "Part of its rate that the bot keeps after flood waits", bot),
            slowed_chats: gauge("slowed_chats", "Chats that are slowed after flood waits", bot),
            owned: gauge("owned", "1 while this process owns the bot", bot),
            hand_overs: counter("hand_overs_total", "Times this process has handed the bot over to another", bot),
            breaker_open: gauge("breaker_open", "1 while Telegram does not answer for the bot", bot),
            held: gauge("held", "1 while Telegram refuses the bot's token", bot),
            bots_paused: gauge("bots_paused", "1 while somebody has paused the bot", bot),
            chats_paused: gauge("chats_paused", "Chats of the bot that somebody has paused", bot),
            part_up: gauge("part_up", "1 while a part answers", &["part"]),
            damaged: single("damaged", "1 once the embedded database was found damaged"),
            ledger_buffered: single("ledger_buffered", "Changes that wait in memory for the ledger"),
            orphans: single("orphans", "Notifications whose bot has no queues any more"),
            registrations: counter(
                "registrations_total",
                "Registrations with a bot, and what else it changed in the recipient book",
                &["bot", "outcome"],
            ),
            http_requests: counter("http_requests_total", "HTTP requests answered", &["route", "method", "status"]),
            http_request_seconds: histogram(
                "http_request_seconds",
                "Time to answer an HTTP request",
                &["route"],
                &[0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0],
            ),
            client_requests: counter(
                "client_requests_total",
                "HTTP requests of named clients answered",
                &["client", "status"],
            ),
            client_accepted: counter(
                "client_notifications_accepted_total",
                "Notifications accepted from named clients",
                &["client"],
            ),
            callbacks: counter("callbacks_total", "Tries at a callback", &["result"]),
            callbacks_waiting: single("callbacks_waiting", "Callbacks that are still to be delivered"),
            event_streams: single("event_streams", "Event streams that are open"),
            registries: registries.into_inner(),
        }
    }

    /// The page that Prometheus reads.
    pub fn page(&self) -> String {
        let mut page = String::new();
        for registry in self.registries.0.values() {
            TextEncoder::new().encode_utf8(&registry.gather(), &mut page).expect("a text takes whatever is written");
        }
        page
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}
