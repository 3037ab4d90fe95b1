//! The topics that we write: created with the right settings, or named in one error with the command that does it.

use std::fmt::Write;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::error::RDKafkaErrorCode;

use crate::config::settings::{Kafka, Settings, Topics};
use crate::core::limits::{MAX_LEDGER_RECORD, MAX_SENT_RECORD, MAX_STATE_RECORD};
use crate::core::time::Span;

/// How long the brokers may take for one wish.
const WAIT: Option<Duration> = Some(Duration::from_secs(15));

const DAY_MS: u64 = 86_400_000;

/// A sink's `max_age` is at most 30 days.
const LEDGER_DAYS: u64 = 35;

/// How a topic of ours has to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicSpec {
    /// Its full name.
    pub name: String,
    /// Its partitions.
    pub partitions: i32,
    /// `None` is the broker's default.
    pub replication_factor: Option<i32>,
    /// Settings that differ from the broker's defaults, or must not depend on them.
    pub config: Vec<(&'static str, String)>,
}

impl TopicSpec {
    /// The topics that detection writes, for an events topic of so many partitions.
    pub fn of_detection(topics: &Topics, partitions: i32) -> Vec<Self> {
        let spec = |name: &str, config: Vec<(&'static str, String)>| Self {
            name: name.to_owned(),
            partitions,
            replication_factor: topics.replication_factor,
            config,
        };
        let kept =
            |days: u64| vec![("cleanup.policy", "delete".to_owned()), ("retention.ms", (days * DAY_MS).to_string())];
        let mut dead_letter = kept(30);
        // Whatever came in must go out, with a few headers more and perhaps compressed less well.
        dead_letter.push(("max.message.bytes", MAX_SENT_RECORD.to_string()));
        // Few records, and their readers want them in order.
        let ops = Self { partitions: 1, ..spec(&topics.ops, kept(30)) };
        vec![spec(&topics.alerts, kept(7)), spec(&topics.dead_letter, dead_letter), ops]
    }

    /// The topics that hold what is remembered of leads and said about them: partition by partition like the events.
    pub fn of_state(topics: &Topics, partitions: i32) -> Vec<Self> {
        let spec = |name: &str, config: Vec<(&'static str, String)>| Self {
            name: name.to_owned(),
            partitions,
            replication_factor: topics.replication_factor,
            config,
        };
        // Small segments and a low ratio: the older half of a changelog would be read at each restore.
        let compacted = vec![
            ("cleanup.policy", "compact".to_owned()),
            ("min.cleanable.dirty.ratio", "0.1".to_owned()),
            ("segment.bytes", (64 << 20).to_string()),
            ("segment.ms", (DAY_MS / 24).to_string()),
            ("max.message.bytes", MAX_STATE_RECORD.to_string()),
        ];
        let kept = vec![("cleanup.policy", "delete".to_owned()), ("retention.ms", (30 * DAY_MS).to_string())];
        vec![spec(&topics.state, compacted), spec(&topics.feedback, kept)]
    }

    /// The ledgers of these sinks: partition by partition like the alerts, and kept for longer than an alert may wait.
    pub fn of_delivery<'a>(topics: &Topics, sinks: impl Iterator<Item = &'a str>, partitions: i32) -> Vec<Self> {
        let spec = |sink: &str| Self {
            name: topics.ledger(sink),
            partitions,
            replication_factor: topics.replication_factor,
            config: vec![
                ("cleanup.policy", "compact,delete".to_owned()),
                ("retention.ms", (LEDGER_DAYS * DAY_MS).to_string()),
                ("min.cleanable.dirty.ratio", "0.1".to_owned()),
                ("segment.bytes", (64 << 20).to_string()),
                ("max.message.bytes", MAX_LEDGER_RECORD.to_string()),
            ],
        };
        sinks.map(spec).collect()
    }

    /// The command that gives it more partitions.
    pub fn grow_command(&self, brokers: &str) -> String {
        let Self { name, partitions, .. } = self;
        format!("kafka-topics.sh --bootstrap-server {brokers} --alter --topic {name} --partitions {partitions}")
    }

    fn command(&self, brokers: &str) -> String {
        let Self { name, partitions, .. } = self;
        let mut command =
            format!("kafka-topics.sh --bootstrap-server {brokers} --create --topic {name} --partitions {partitions}");
        if let Some(factor) = self.replication_factor {
            let _ = write!(command, " --replication-factor {factor}");
        }
        for (key, value) in &self.config {
            let _ = write!(command, " --config {key}={value}");
        }
        command
    }
}

/// What to do when a topic that goes partition by partition with the events has more of them: topics do not shrink, so
/// the events topic is another one, and nothing tells where its leads were.
pub fn made_anew(settings: &Settings, partitions: i32, topic: &str, count: i32) -> String {
    let Topics { events, state, feedback, .. } = &settings.topics;
    let (group, brokers) = (&settings.group, settings.kafka.bootstrap());
    let delete = |topic: &str| format!("kafka-topics.sh --bootstrap-server {brokers} --delete --topic {topic}");
    format!(
        "topic {events} has {partitions} partitions and {topic} has {count}: it was made anew with fewer, and state \
         cannot be moved to fewer. Make {events} with {count} partitions as before, or let every lead start anew: stop \
         every instance of group {group}, then\n    {}\n    {}\n    hotlead run --fresh-state",
        delete(state),
        delete(feedback)
    )
}

/// A topic that is not there, and why we did not create it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// How it has to be.
    pub spec: TopicSpec,
    /// Why it is still missing.
    pub reason: String,
}

/// One text that names every missing topic and the command that creates it.
pub fn instructions(brokers: &str, missing: &[Missing]) -> String {
    let mut text = match missing {
        [one] => format!("topic {} is missing", one.spec.name),
        _ => {
            let names: Vec<_> = missing.iter().map(|one| one.spec.name.as_str()).collect();
            format!("topics {} are missing", names.join(", "))
        }
    };
    for Missing { spec, reason } in missing {
        let _ = write!(text, "\n  {}: {reason}; create it:\n    {}", spec.name, spec.command(brokers));
    }
    text
}

/// Why topics could not be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TopicFault {
    /// These are still missing; a person has to create them.
    Missing(Vec<Missing>),
    /// The brokers did not answer: ask again.
    Away(String),
}

/// Creates topics; one that is there already is fine. Blocks; not for a thread of an async runtime.
///
/// # Errors
/// [`TopicFault`].
pub fn create(kafka: &Kafka, specs: Vec<TopicSpec>) -> Result<(), TopicFault> {
    let away = |text: String| TopicFault::Away(text);
    let (admin, runtime) = admin(kafka).map_err(away)?;
    let options = AdminOptions::new().request_timeout(WAIT).operation_timeout(WAIT);
    let topics: Vec<_> = specs.iter().map(wanted).collect();
    let results = runtime.block_on(admin.create_topics(&topics, &options)).map_err(|error| away(error.to_string()))?;
    let mut missing = Vec::new();
    for (spec, result) in specs.into_iter().zip(results) {
        match result {
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((_, code)) => missing.push(Missing { spec, reason: reason(code) }),
        }
    }
    if missing.is_empty() { Ok(()) } else { Err(TopicFault::Missing(missing)) }
}

/// How long a topic keeps its records; `None` if for ever, or if nobody may ask. Blocks; not for a thread of an async runtime.
///
/// # Errors
/// If the brokers do not answer, in words.
pub fn retention(kafka: &Kafka, topic: &str) -> Result<Option<Span>, String> {
    let (admin, runtime) = admin(kafka)?;
    let options = AdminOptions::new().request_timeout(WAIT);
    let asked = [ResourceSpecifier::Topic(topic)];
    let answers = runtime.block_on(admin.describe_configs(&asked, &options)).map_err(|error| error.to_string())?;
    let config = answers.into_iter().next().and_then(Result::ok);
    let said = |name: &str| config.as_ref()?.get(name)?.value.clone();
    // A compacted topic loses what has a successor, not what is old.
    let is_deleted = said("cleanup.policy").is_some_and(|policy| policy.contains("delete"));
    let length = said("retention.ms").and_then(|text| text.parse().ok()).filter(|ms: &i64| is_deleted && *ms >= 0);
    Ok(length.map(Span::from_millis))
}

fn admin(kafka: &Kafka) -> Result<(AdminClient<DefaultClientContext>, tokio::runtime::Runtime), String> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", kafka.bootstrap());
    for (name, value) in kafka.client_properties() {
        config.set(name, value);
    }
    let admin = config.create().map_err(|error| error.to_string())?;
    let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(|error| error.to_string())?;
    Ok((admin, runtime))
}

fn wanted(spec: &TopicSpec) -> NewTopic<'_> {
    let replication = TopicReplication::Fixed(spec.replication_factor.unwrap_or(-1));
    let topic = NewTopic::new(&spec.name, spec.partitions, replication);
    spec.config.iter().fold(topic, |topic, (key, value)| topic.set(key, value))
}

fn reason(code: RDKafkaErrorCode) -> String {
    match code {
        RDKafkaErrorCode::TopicAuthorizationFailed | RDKafkaErrorCode::ClusterAuthorizationFailed => {
            "hotlead is not permitted to create it".to_owned()
        }
        code => format!("Kafka refused to create it ({code})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topics(replication_factor: Option<i32>) -> Topics {
        let name = str::to_owned;
        Topics {
            events: name("engagement"),
            alerts: name("hotlead.alerts"),
            dead_letter: name("hotlead.dead-letter"),
            state: name("hotlead.state"),
            feedback: name("hotlead.feedback"),
            ops: name("hotlead.ops"),
            delivery: name("hotlead.delivery"),
            replication_factor,
        }
    }

    #[test]
    fn the_error_names_each_topic_and_its_command() {
        let specs = TopicSpec::of_detection(&topics(Some(3)), 4);
        let reason = reason(RDKafkaErrorCode::TopicAuthorizationFailed);
        let missing: Vec<_> = specs.into_iter().map(|spec| Missing { spec, reason: reason.clone() }).collect();
        #[rustfmt::skip]
        assert_eq!(instructions("k1:9092,k2:9092", &missing), "\
topics hotlead.alerts, hotlead.dead-letter, hotlead.ops are missing
  hotlead.alerts: hotlead is not permitted to create it; create it:
    kafka-topics.sh --bootstrap-server k1:9092,k2:9092 --create --topic hotlead.alerts --partitions 4 --replication-factor 3 --config cleanup.policy=delete --config retention.ms=604800000
  hotlead.dead-letter: hotlead is not permitted to create it; create it:
    kafka-topics.sh --bootstrap-server k1:9092,k2:9092 --create --topic hotlead.dead-letter --partitions 4 --replication-factor 3 --config cleanup.policy=delete --config retention.ms=2592000000 --config max.message.bytes=100000000
  hotlead.ops: hotlead is not permitted to create it; create it:
    kafka-topics.sh --bootstrap-server k1:9092,k2:9092 --create --topic hotlead.ops --partitions 1 --replication-factor 3 --config cleanup.policy=delete --config retention.ms=2592000000");
    }

    #[test]
    fn each_sink_has_a_ledger() {
        let specs = TopicSpec::of_delivery(&topics(None), ["crm", "sdr"].into_iter(), 4);
        let names: Vec<_> = specs.iter().map(|spec| spec.name.as_str()).collect();
        assert_eq!(names, ["hotlead.delivery.crm", "hotlead.delivery.sdr"]);
        assert_eq!(
            specs[0].grow_command("k:1"),
            "kafka-topics.sh --bootstrap-server k:1 --alter --topic hotlead.delivery.crm --partitions 4"
        );
    }

    #[test]
    fn one_missing_topic_with_the_brokers_replication() {
        let spec =
            TopicSpec { name: "engagement".to_owned(), partitions: 4, replication_factor: None, config: Vec::new() };
        let missing = Missing { spec, reason: "events come from it".to_owned() };
        assert_eq!(
            instructions("k:1", &[missing]),
            "topic engagement is missing\n  engagement: events come from it; create it:\n    kafka-topics.sh \
             --bootstrap-server k:1 --create --topic engagement --partitions 4"
        );
    }
}
