//! Questions to the brokers that belong to no worker: do you answer, which topics are there, is the group new.

use std::fmt;
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::config::settings::Kafka;
use crate::telemetry::access::{Denied, Resource, Right};
use crate::telemetry::broker_log::{BrokerLog, Trouble};

/// Why a question was not answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProbeFault {
    /// No answer, or a refusal that may end: one line that says where and why.
    Away(String),
    /// librdkafka refuses the configuration.
    Config(String),
    /// We lack a right: the line about it.
    Forbidden(String),
}

impl fmt::Display for ProbeFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Away(text) | Self::Config(text) | Self::Forbidden(text) => f.write_str(text),
        }
    }
}

/// How far a group has come in a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The first offset that it has still to read, of those that are still there.
    pub next: i64,
    /// The offset after the last one.
    pub end: i64,
    /// Whether it has committed one.
    pub begun: bool,
}

impl Standing {
    /// Records that it has still to read, markers of transactions among them.
    pub fn unread(self) -> u64 {
        u64::try_from(self.end - self.next).unwrap_or(0)
    }
}

/// The callbacks of clients that are no group members.
pub(super) struct Quiet(pub(super) BrokerLog);

impl ClientContext for Quiet {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        self.0.line(level as i32, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let code = error.rdkafka_error_code().map_or(0, |code| code as i32);
        self.0.fault(code, reason);
    }
}

impl ConsumerContext for Quiet {}

/// The settings of a consumer outside any group: nobody joins, and nothing is committed. `preferred` gives way to the
/// file's properties.
pub(super) fn outside_groups(kafka: &Kafka, group: &str, preferred: &[(&str, &str)]) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", kafka.bootstrap());
    for (name, value) in preferred.iter().copied().chain(kafka.client_properties()) {
        config.set(name, value);
    }
    // One is named because librdkafka wants one.
    config.set("group.id", group);
    config.set("enable.auto.commit", "false");
    config.set("enable.auto.offset.store", "false");
    config.set("auto.offset.reset", "earliest");
    config.set("isolation.level", "read_committed");
    config
}

/// A client that only asks; it never joins the group.
pub struct Probe {
    consumer: BaseConsumer<Quiet>,
    brokers: String,
    group: String,
    log: BrokerLog,
}

impl Probe {
    /// A client of the group; contacts nobody yet.
    ///
    /// # Errors
    /// [`ProbeFault::Config`].
    pub fn new(kafka: &Kafka, group: &str, log: BrokerLog) -> Result<Self, ProbeFault> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", kafka.bootstrap());
        for (name, value) in kafka.client_properties() {
            config.set(name, value);
        }
        config.set("group.id", group);
        config.set("enable.auto.commit", "false");
        let consumer =
            config.create_with_context(Quiet(log.clone())).map_err(|error| ProbeFault::Config(refused(&error)))?;
        Ok(Self { consumer, brokers: kafka.bootstrap(), group: group.to_owned(), log })
    }

    /// Partitions of a topic that is to be used like this; `None` if there is no such topic.
    ///
    /// # Errors
    /// [`ProbeFault::Away`] or [`ProbeFault::Forbidden`].
    pub fn partitions(&self, topic: &str, right: Right, wait: Duration) -> Result<Option<i32>, ProbeFault> {
        let metadata = self.consumer.fetch_metadata(Some(topic), wait);
        self.serve();
        let metadata = metadata.map_err(|error| self.away(&error))?;
        self.log.answered();
        let Some(found) = metadata.topics().iter().find(|found| found.name() == topic) else {
            return Ok(None);
        };
        match found.error().map(RDKafkaErrorCode::from) {
            None => Ok(i32::try_from(found.partitions().len()).ok().filter(|n| *n > 0)),
            Some(RDKafkaErrorCode::TopicAuthorizationFailed) => {
                Err(ProbeFault::Forbidden(Denied { resource: Resource::Topic(topic), right }.to_string()))
            }
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => Ok(None),
            Some(other) => Err(ProbeFault::Away(format!("topic {topic}: {other}"))),
        }
    }

    /// Whether the group has committed an offset of any of the topic's partitions.
    ///
    /// # Errors
    /// [`ProbeFault::Away`] or [`ProbeFault::Forbidden`].
    pub fn has_committed(&self, topic: &str, partitions: i32, wait: Duration) -> Result<bool, ProbeFault> {
        let mut list = TopicPartitionList::new();
        list.add_partition_range(topic, 0, partitions - 1);
        let committed = self.consumer.committed_offsets(list, wait);
        self.serve();
        let committed = committed.map_err(|error| match self.log.newest_trouble() {
            // Of the group: the topic is not asked about. The error itself says that time is over.
            Some((Trouble::Rights, _)) => {
                let denied = Denied { resource: Resource::Group(&self.group), right: Right::Read };
                ProbeFault::Forbidden(denied.to_string())
            }
            _ => self.away(&error),
        })?;
        Ok(committed.elements().iter().any(|element| matches!(element.offset(), Offset::Offset(_))))
    }

    /// How far the group has come in each of a topic's partitions, in their order.
    ///
    /// # Errors
    /// [`ProbeFault::Away`].
    pub fn standing(&self, topic: &str, partitions: i32, wait: Duration) -> Result<Vec<Standing>, ProbeFault> {
        let mut list = TopicPartitionList::new();
        list.add_partition_range(topic, 0, partitions - 1);
        let committed = self.consumer.committed_offsets(list, wait);
        self.serve();
        let committed = committed.map_err(|error| self.away(&error))?;
        let standing = committed.elements().into_iter().map(|element| {
            let ends = self.consumer.fetch_watermarks(topic, element.partition(), wait);
            let (low, end) = ends.map_err(|error| self.away(&error))?;
            let committed = match element.offset() {
                Offset::Offset(next) => Some(next),
                _ => None,
            };
            Ok(Standing { next: committed.unwrap_or(low).max(low), end, begun: committed.is_some() })
        });
        standing.collect()
    }

    /// Members of a group; one that stopped without leaving counts until its session ends.
    ///
    /// # Errors
    /// [`ProbeFault::Away`].
    pub fn members(&self, group: &str, wait: Duration) -> Result<usize, ProbeFault> {
        let groups = self.consumer.fetch_group_list(Some(group), wait);
        self.serve();
        let groups = groups.map_err(|error| self.away(&error))?;
        Ok(groups.groups().iter().filter(|found| found.name() == group).map(|found| found.members().len()).sum())
    }

    /// Lets callbacks speak.
    fn serve(&self) {
        // One event a call; faults come in pairs.
        for _ in 0..16 {
            let _ = self.consumer.poll(Duration::ZERO);
        }
    }

    fn away(&self, error: &KafkaError) -> ProbeFault {
        let brokers = &self.brokers;
        ProbeFault::Away(match self.log.newest_trouble() {
            Some((Trouble::Authentication, text)) => {
                format!("Kafka at {brokers} refuses the credentials: {text}")
            }
            Some((Trouble::Tls, text)) => format!("no TLS with Kafka at {brokers}: {text}"),
            Some((Trouble::Unreachable | Trouble::Other, text)) => format!("cannot reach Kafka at {brokers}: {text}"),
            Some((Trouble::Rights, _)) | None => {
                let code = error.rdkafka_error_code();
                let text = code.map_or_else(|| error.to_string(), |code| code.to_string());
                format!("cannot reach Kafka at {brokers}: {text}")
            }
        })
    }
}

/// Names the property; its value may be a secret.
pub(super) fn refused(error: &KafkaError) -> String {
    match error {
        KafkaError::ClientConfig(_, _, name, _) => {
            format!("kafka.properties: {name} is refused by librdkafka")
        }
        other => format!("kafka.properties: {other}"),
    }
}
