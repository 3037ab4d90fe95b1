//! The metrics of the whole program, by the names that interface.md pins.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::core::ids::Partition;

/// Names and values of a metric's labels, from closed sets or the rules file.
pub type LabelSet = Vec<(&'static str, String)>;

type Counters = Family<LabelSet, Counter>;
type Gauges = Family<LabelSet, Gauge>;
type Ages = Family<LabelSet, Gauge<f64, AtomicU64>>;
type Histograms = Family<LabelSet, Histogram>;

/// Seconds from an event to its alert: from one quick transaction to a day of backlog.
const WAITING: [f64; 16] =
    [0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 600.0, 3600.0, 86_400.0];

/// Seconds of one commit.
const COMMITTING: [f64; 12] = [0.001, 0.0025, 0.005, 0.0075, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 10.0];

/// A clone is another handle to the same numbers.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    registry: Registry,
    events: Counters,
    decisions: Counters,
    alerts: Counters,
    alert_records: Counters,
    dead_letters: Counters,
    clamped: Counter,
    foreign_keys: Counter,
    offsets_lost: Counter,
    aborts: Counter,
    forgotten: Counter,
    freed: Counter,
    deliveries: Counters,
    delivery_attempts: Counters,
    deliveries_in_flight: Gauges,
    deliveries_parked: Gauges,
    deliveries_consumed: Counters,
    deliveries_handed_back: Counters,
    event_to_alert: Histogram,
    event_to_delivered: Histograms,
    commit: Histogram,
    restore: Histogram,
    leads: Gauges,
    lag: Gauges,
    restore_left: Gauges,
    notices: Counters,
    sink_troubles: Gauges,
    clock_skew: Gauges,
    heartbeat_age: Ages,
    /// By sink, when the newest heartbeat was on its topic.
    heartbeats: Mutex<BTreeMap<String, Instant>>,
}

fn waiting() -> Histogram {
    Histogram::new(WAITING)
}

fn committing() -> Histogram {
    Histogram::new(COMMITTING)
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

impl Metrics {
    /// What [`Self::encode`] gives, for the header of an HTTP answer.
    pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

    /// All families, every number at 0.
    #[rustfmt::skip]
    pub fn new() -> Self {
        let mut inner = Inner {
            registry: Registry::with_prefix("hotlead"),
            events: Counters::default(), decisions: Counters::default(), alerts: Counters::default(),
            alert_records: Counters::default(), dead_letters: Counters::default(), clamped: Counter::default(), foreign_keys: Counter::default(),
            offsets_lost: Counter::default(), aborts: Counter::default(), deliveries: Counters::default(),
            delivery_attempts: Counters::default(), deliveries_in_flight: Gauges::default(), event_to_alert: waiting(),
            deliveries_parked: Gauges::default(), deliveries_consumed: Counters::default(),
            deliveries_handed_back: Counters::default(),
            event_to_delivered: Histograms::new_with_constructor(waiting), commit: committing(), restore: waiting(),
            leads: Gauges::default(), lag: Gauges::default(), restore_left: Gauges::default(), forgotten: Counter::default(),
            freed: Counter::default(),
            notices: Counters::default(), sink_troubles: Gauges::default(), clock_skew: Gauges::default(), heartbeat_age: Ages::default(),
            heartbeats: Mutex::default(),
        };
        let build = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        let r = &mut inner.registry;
        r.register("events", "Events by what became of them", inner.events.clone());
        r.register("decisions", "Decisions on touched rules", inner.decisions.clone());
        r.register("alerts", "Alerts that opened, committed to the alert topic", inner.alerts.clone());
        r.register("alert_records", "Records committed to the alert topic, by what happened: opened, updated or closed", inner.alert_records.clone());
        r.register("dead_letters", "Records that could not be read, by reason", inner.dead_letters.clone());
        r.register("events_clamped", "Events from too far in the future, clamped to their record's timestamp", inner.clamped.clone());
        r.register("foreign_keys", "Records whose key is not the key of their lead", inner.foreign_keys.clone());
        r.register("offsets_lost", "Records that retention removed before they were read", inner.offsets_lost.clone());
        r.register("aborts", "Commit rounds that were aborted and done again", inner.aborts.clone());
        r.register("leads_forgotten", "Leads that were forgotten because a partition had more than max_leads", inner.forgotten.clone());
        r.register("leads_freed", "Leads that were freed because they were silent for so long that their next event starts them anew", inner.freed.clone());
        r.register("deliveries", "Deliveries by their terminal state", inner.deliveries.clone());
        r.register("delivery_attempts", "Attempts to deliver by their result", inner.delivery_attempts.clone());
        r.register("delivery_in_flight", "Alerts in memory without a terminal state that the ledger does not hold", inner.deliveries_in_flight.clone());
        r.register("delivery_parked", "Alerts that the ledger holds for a later attempt", inner.deliveries_parked.clone());
        r.register("delivery_consumed", "Alerts that a sink took in: from the alert topic, parked in its ledger, or redriven", inner.deliveries_consumed.clone());
        r.register("delivery_handed_back", "Alerts that went to another owner with their partition", inner.deliveries_handed_back.clone());
        r.register("event_to_alert_seconds", "From an event's record timestamp until its alert is committed", inner.event_to_alert.clone());
        r.register("event_to_delivered_seconds", "From an event's record timestamp until its alert is delivered", inner.event_to_delivered.clone());
        r.register("commit_seconds", "One commit round, from begin to committed", inner.commit.clone());
        r.register("restore_seconds", "Restoring the state of one partition", inner.restore.clone());
        r.register("leads", "Leads with state, by partition of the events topic", inner.leads.clone());
        r.register("restore_left", "Records of the changelog that are still to be read before a partition goes on", inner.restore_left.clone());
        r.register("consumer_lag", "Log end offset less the next offset to read", inner.lag.clone());
        r.register("notices", "Notices to the ops topic, by sink (empty: about none) and type", inner.notices.clone());
        r.register("sink_trouble", "1 while a sink is failing, blocked or disabled, else 0", inner.sink_troubles.clone());
        r.register("clock_skew_seconds", "How far the other side's clock is ahead of ours, by its newest answer", inner.clock_skew.clone());
        r.register("heartbeat_age_seconds", "Since the newest heartbeat of a sink reached the ops topic", inner.heartbeat_age.clone());
        r.register("build", "The program's version", build);
        Self(Arc::new(inner))
    }

    /// All metrics as OpenMetrics text.
    pub fn encode(&self) -> String {
        for (sink, beat) in self.0.heartbeats.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            self.0.heartbeat_age.get_or_create(&of_sink(sink)).set(beat.elapsed().as_secs_f64());
        }
        let mut text = String::new();
        // Writing to a String does not fail.
        let _ = encode(&mut text, &self.0.registry);
        text
    }

    pub(super) fn events(&self, outcome: &str) -> Counter {
        counter(&self.0.events, vec![("outcome", outcome.to_owned())])
    }

    pub(super) fn decisions(&self, rule: &str, decision: &str) -> Counter {
        let labels = vec![("rule", rule.to_owned()), ("decision", decision.to_owned())];
        counter(&self.0.decisions, labels)
    }

    pub(super) fn alerts(&self, rule: &str) -> Counter {
        counter(&self.0.alerts, vec![("rule", rule.to_owned())])
    }

    pub(super) fn alert_records(&self, rule: &str, kind: &str) -> Counter {
        counter(&self.0.alert_records, vec![("rule", rule.to_owned()), ("kind", kind.to_owned())])
    }

    pub(super) fn dead_letters(&self, reason: &str) -> Counter {
        counter(&self.0.dead_letters, vec![("reason", reason.to_owned())])
    }

    pub(super) fn clamped(&self) -> &Counter<u64, AtomicU64> {
        &self.0.clamped
    }

    pub(super) fn foreign_keys(&self) -> &Counter<u64, AtomicU64> {
        &self.0.foreign_keys
    }

    pub(super) fn freed(&self, leads: u64) {
        self.0.freed.inc_by(leads);
    }

    pub(super) fn forgotten(&self, leads: u64) {
        self.0.forgotten.inc_by(leads);
    }

    pub(super) fn offsets_lost(&self) -> &Counter<u64, AtomicU64> {
        &self.0.offsets_lost
    }

    pub(super) fn aborts(&self) -> &Counter<u64, AtomicU64> {
        &self.0.aborts
    }

    pub(super) fn commit_seconds(&self) -> &Histogram {
        &self.0.commit
    }

    /// Deliveries reached their terminal state; `reason` is empty unless they were given up.
    pub fn delivery(&self, sink: &str, outcome: &str, reason: &str, number: u64) {
        let labels = [("sink", sink), ("outcome", outcome), ("reason", reason)];
        let labels = labels.map(|(name, value)| (name, value.to_owned())).to_vec();
        self.0.deliveries.get_or_create(&labels).inc_by(number);
    }

    /// One attempt to deliver.
    pub fn delivery_attempt(&self, sink: &str, result: &str) {
        let labels = vec![("sink", sink.to_owned()), ("result", result.to_owned())];
        self.0.delivery_attempts.get_or_create(&labels).inc();
    }

    /// Alerts without a terminal state: in memory, and in the ledger.
    pub fn set_undelivered(&self, sink: &str, in_flight: usize, parked: usize) {
        let labels = vec![("sink", sink.to_owned())];
        for (gauge, alerts) in [(&self.0.deliveries_in_flight, in_flight), (&self.0.deliveries_parked, parked)] {
            gauge.get_or_create(&labels).set(i64::try_from(alerts).unwrap_or(i64::MAX));
        }
    }

    /// Alerts that a sink took in, and those that went on to another owner: what was taken in less these is the sum of
    /// all that has its terminal state, is in flight, or parked.
    pub fn deliveries_taken(&self, sink: &str, consumed: u64, handed_back: u64) {
        let labels = vec![("sink", sink.to_owned())];
        self.0.deliveries_consumed.get_or_create(&labels).inc_by(consumed);
        self.0.deliveries_handed_back.get_or_create(&labels).inc_by(handed_back);
    }

    /// A notice goes to the ops topic; `sink` is empty if it is about none.
    pub fn notice(&self, sink: &str, name: &'static str) {
        let labels = vec![("sink", sink.to_owned()), ("type", name.to_owned())];
        self.0.notices.get_or_create(&labels).inc();
    }

    /// Whether a sink has this trouble now.
    pub fn set_sink_trouble(&self, sink: &str, trouble: &'static str, has_it: bool) {
        let labels = vec![("sink", sink.to_owned()), ("trouble", trouble.to_owned())];
        self.0.sink_troubles.get_or_create(&labels).set(i64::from(has_it));
    }

    /// The clock of a sink's other side is so many seconds ahead of ours.
    pub fn set_clock_skew(&self, sink: &str, seconds: i64) {
        self.0.clock_skew.get_or_create(&of_sink(sink)).set(seconds);
    }

    /// A heartbeat of this sink reached the ops topic then.
    pub fn heartbeat(&self, sink: &str, at: Instant) {
        self.0.heartbeats.lock().unwrap_or_else(PoisonError::into_inner).insert(sink.to_owned(), at);
    }

    /// Seconds from an event's record timestamp until its alert is delivered.
    pub fn delivered_after(&self, sink: &str, seconds: f64) {
        let labels = vec![("sink", sink.to_owned())];
        self.0.event_to_delivered.get_or_create(&labels).observe(seconds);
    }

    /// Seconds from an event's record timestamp until its alert is committed.
    pub fn alerted_after(&self, seconds: f64) {
        self.0.event_to_alert.observe(seconds);
    }

    /// Seconds that restoring one partition took.
    pub fn restored_after(&self, seconds: f64) {
        self.0.restore.observe(seconds);
    }

    /// Leads with state of one partition.
    pub fn set_leads(&self, partition: Partition, leads: usize) {
        let labels = vec![("partition", partition.to_string())];
        let leads = i64::try_from(leads).unwrap_or(i64::MAX);
        self.0.leads.get_or_create(&labels).set(leads);
    }

    /// Records of a partition that are not read yet.
    pub fn set_lag(&self, topic: &str, partition: Partition, records: i64) {
        self.0.lag.get_or_create(&lag_labels(topic, partition)).set(records);
    }

    /// Records of the changelog that a partition being restored has still to read; `None` once it is not.
    pub fn set_restore_left(&self, partition: Partition, records: Option<i64>) {
        let labels = vec![("partition", partition.to_string())];
        match records {
            Some(records) => drop(self.0.restore_left.get_or_create(&labels).set(records)),
            None => drop(self.0.restore_left.remove(&labels)),
        }
    }

    /// A partition is no longer ours: what we know of it is out of date.
    pub fn forget_partition(&self, topic: &str, partition: Partition) {
        self.0.leads.remove(&vec![("partition", partition.to_string())]);
        self.0.lag.remove(&lag_labels(topic, partition));
    }
}

fn counter(family: &Counters, labels: LabelSet) -> Counter {
    family.get_or_create_owned(&labels)
}

fn of_sink(sink: &str) -> LabelSet {
    vec![("sink", sink.to_owned())]
}

fn lag_labels(topic: &str, partition: Partition) -> LabelSet {
    vec![("topic", topic.to_owned()), ("partition", partition.to_string())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_pinned_ones() {
        let metrics = Metrics::new();
        metrics.events("applied").inc();
        metrics.decisions("surge", "fire").inc();
        metrics.alerts("surge").inc();
        metrics.alert_records("surge", "updated").inc();
        metrics.dead_letters("not_json").inc();
        metrics.delivery("crm", "delivered", "", 1);
        metrics.set_undelivered("crm", 3, 4);
        metrics.deliveries_taken("crm", 9, 1);
        metrics.delivered_after("crm", 0.2);
        metrics.set_leads(Partition(3), 7);
        metrics.set_lag("engagement", Partition(3), 9);
        metrics.notice("crm", "sink.blocked");
        metrics.set_sink_trouble("crm", "blocked", true);
        metrics.heartbeat("crm", Instant::now());
        let text = metrics.encode();
        for line in [
            "hotlead_events_total{outcome=\"applied\"} 1",
            "hotlead_decisions_total{rule=\"surge\",decision=\"fire\"} 1",
            "hotlead_alerts_total{rule=\"surge\"} 1",
            "hotlead_alert_records_total{rule=\"surge\",kind=\"updated\"} 1",
            "hotlead_dead_letters_total{reason=\"not_json\"} 1",
            "hotlead_deliveries_total{sink=\"crm\",outcome=\"delivered\",reason=\"\"} 1",
            "hotlead_delivery_in_flight{sink=\"crm\"} 3",
            "hotlead_delivery_parked{sink=\"crm\"} 4",
            "hotlead_delivery_consumed_total{sink=\"crm\"} 9",
            "hotlead_delivery_handed_back_total{sink=\"crm\"} 1",
            "hotlead_event_to_alert_seconds_count 0",
            "hotlead_event_to_delivered_seconds_count{sink=\"crm\"} 1",
            "hotlead_commit_seconds_count 0",
            "hotlead_leads{partition=\"3\"} 7",
            "hotlead_consumer_lag{topic=\"engagement\",partition=\"3\"} 9",
            "hotlead_restore_seconds_count 0",
            "hotlead_notices_total{sink=\"crm\",type=\"sink.blocked\"} 1",
            "hotlead_sink_trouble{sink=\"crm\",trouble=\"blocked\"} 1",
            "hotlead_heartbeat_age_seconds{sink=\"crm\"} ",
            "hotlead_build_info{version=",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
        metrics.forget_partition("engagement", Partition(3));
        let text = metrics.encode();
        assert!(!text.contains("partition=\"3\""), "{text}");
    }
}
