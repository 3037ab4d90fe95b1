//! A service in a thread of the test, on topics of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

use hotlead::config::settings::{Kafka, LogFormat, Secret, Settings, Start, Topics};
use hotlead::core::event::{FieldPath, Kind};
use hotlead::core::rule::RuleSet;
use hotlead::core::spec::{ConditionSpec, FilterSpec, Matcher, RuleSpec, RulesSpec, Scalar, SignalSpec, Test};
use hotlead::core::time::Span;
use hotlead::run::{self, Hooks, Mode, RunError};
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::{Offset, TopicPartitionList};

use super::DEADLINE;
use crate::kafka::{Outgoing, Record, broker};
use crate::supervise::wait_for;

/// A deployment named after its topics, which begin with `name`; the events topic is created, with 4 partitions.
pub fn settings(name: &str, instance: &str) -> Settings {
    let topic = |last: &str| format!("{name}.{last}");
    let events = topic("events");
    // Room for records that are larger than we decode.
    broker().create_topic(&events, 4, &[("max.message.bytes", "20000000")]);
    // Sessions as short as the test broker allows, so that what is given up is taken over soon.
    let short = [("session.timeout.ms", "6000"), ("heartbeat.interval.ms", "500")];
    let short = short.map(|(key, value)| (key.to_owned(), Secret::inline(value)));
    Settings {
        kafka: Kafka {
            brokers: broker().bootstrap().split(',').map(str::to_owned).collect(),
            properties: BTreeMap::from(short),
        },
        group: name.to_owned(),
        instance: instance.to_owned(),
        start: Start::Earliest,
        topics: Topics {
            events,
            alerts: topic("alerts"),
            dead_letter: topic("dead-letter"),
            state: topic("state"),
            feedback: topic("feedback"),
            ops: topic("ops"),
            delivery: topic("delivery"),
            replication_factor: None,
        },
        rules: PathBuf::new(),
        lead_key: vec![FieldPath::UserId],
        commit_interval: Duration::from_millis(200),
        max_leads: 1_000_000,
        workers: 1,
        sinks: Vec::new(),
        routing: Default::default(),
        http: None,
        log: LogFormat::Text,
    }
}

/// The topics that a service writes.
pub fn topics_of(settings: &Settings) -> [String; 3] {
    let Topics { alerts, dead_letter, ops, .. } = &settings.topics;
    [alerts, dead_letter, ops].map(String::clone)
}

/// One rule: who asks for a demo is hot.
fn rules() -> RulesSpec {
    let named = Matcher { tests: vec![Test::Equals(vec![Scalar::Text("demo requested".to_owned())])] };
    RulesSpec {
        version: "sha256:0".to_owned(),
        grace: Span::from_secs(300),
        max_future_skew: Span::from_secs(300),
        forget_after: Span::from_secs(400 * 86_400),
        signals: vec![SignalSpec {
            name: "demo_request".to_owned(),
            filter: FilterSpec { on: Some(Kind::Track), fields: vec![(FieldPath::Name, named)] },
        }],
        ignore: Vec::new(),
        scoring: None,
        suppress: Vec::new(),
        flags: Vec::new(),
        rules: vec![RuleSpec {
            id: "demo-requested".to_owned(),
            when: ConditionSpec::Signal("demo_request".to_owned()),
            cooldown: Span::from_secs(3600),
            tier: "hot".to_owned(),
            campaign: None,
            despite: Vec::new(),
        }],
    }
}

/// Lead `u<lead>` asks for a demo.
pub fn demo_request(lead: usize, event: usize) -> Outgoing {
    let value = format!(
        r#"{{"id":"e-{event}","time":"2026-11-22T10:02:14.120Z","type":"track","name":"Demo Requested","lead":{{"user_id":"u{lead}"}}}}"#
    );
    Outgoing::new(format!("u{lead}"), value)
}

pub struct Live {
    pub hooks: Hooks,
    /// By the wall clock, before its first step.
    pub begun: SystemTime,
    settings: Settings,
    thread: Option<JoinHandle<Result<(), RunError>>>,
}

impl Live {
    /// Starts one and waits until it consumes.
    pub fn start(settings: &Settings, mode: Mode) -> Self {
        let live = Self::begin(settings, mode);
        wait_for("the service to be ready", DEADLINE, || {
            let ended = live.thread.as_ref().is_some_and(JoinHandle::is_finished);
            assert!(!ended, "it ended instead of running");
            live.hooks.readiness.is_ready().ok()
        });
        live
    }

    /// Starts one.
    pub fn begin(settings: &Settings, mode: Mode) -> Self {
        let (hooks, begun) = (Hooks::new(mode), SystemTime::now());
        let (of_thread, inner) = (hooks.clone(), settings.clone());
        let rules = Arc::new(RuleSet::compile(rules()));
        let thread = Some(thread::spawn(move || run::start(inner, rules, of_thread)));
        Self { hooks, begun, settings: settings.clone(), thread }
    }

    /// Tells it to stop and waits for its end.
    pub fn stop(mut self) -> Result<(), RunError> {
        self.hooks.stop.stop();
        self.join()
    }

    /// Waits until it ends by itself.
    pub fn ended(mut self) -> Result<(), RunError> {
        wait_for("its end", DEADLINE, || self.thread.as_ref().is_some_and(JoinHandle::is_finished).then_some(()));
        self.join()
    }

    fn join(&mut self) -> Result<(), RunError> {
        let thread = self.thread.take().expect("joined once");
        thread.join().expect("no panic in the service")
    }

    /// All committed alerts that opened, when there are `count` of them.
    pub fn alerts(&self, count: usize) -> Vec<Record> {
        self.of_kind("opened", count)
    }

    /// All committed alerts of a kind, when there are `count` of them.
    pub fn of_kind(&self, kind: &str, count: usize) -> Vec<Record> {
        let r#type = format!("hotlead.alert.{kind}.v1");
        at_least(&self.settings.topics.alerts, count, |record| header(record, "ce_type") == Some(&r#type))
    }

    /// All committed dead letters, when there are `count` of them.
    pub fn dead_letters(&self, count: usize) -> Vec<Record> {
        at_least(&self.settings.topics.dead_letter, count, |_| true)
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.hooks.stop.stop();
    }
}

fn at_least(topic: &str, count: usize, wanted: impl Fn(&Record) -> bool) -> Vec<Record> {
    wait_for(&format!("{count} records of {topic}"), DEADLINE, || {
        let mut records = broker().consume_visible(topic);
        records.retain(&wanted);
        (records.len() >= count).then_some(records)
    })
}

/// The different ids of alerts.
pub fn alert_ids(alerts: &[Record]) -> BTreeSet<String> {
    let id = |alert: &Record| header(alert, "ce_id").expect("an id").to_owned();
    alerts.iter().map(id).collect()
}

/// A header's text.
pub fn header<'a>(record: &'a Record, name: &str) -> Option<&'a str> {
    let (_, value) = record.headers.iter().find(|(known, _)| known == name)?;
    std::str::from_utf8(value.as_deref()?).ok()
}

/// As retention does: what lies before `offset` is gone.
pub fn delete_before(topic: &str, partition: i32, offset: i64) {
    let admin: AdminClient<DefaultClientContext> = broker().client_config().create().expect("an admin client");
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, partition, Offset::Offset(offset)).expect("an offset");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(admin.delete_records(&list, &AdminOptions::new())).expect("the broker answers");
}
