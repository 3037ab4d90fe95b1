//! Where simulated events go: lines of text, or records of a topic.

use std::io::{self, Write};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};

use super::SimulatedEvent;

/// How long brokers may take to answer the first question: somebody waits at a terminal.
const ASK: Duration = Duration::from_secs(10);

/// How long they may take at the end to acknowledge what was sent.
const DEADLINE: Duration = Duration::from_secs(30);

/// Spreads events over time: `per_second` of them, or as fast as they go.
#[derive(Debug)]
pub struct Pace {
    begin: Instant,
    per_second: Option<u32>,
    sent: u64,
}

impl Pace {
    /// Starts now. `None` and 0 mean no limit.
    pub fn new(per_second: Option<u32>) -> Self {
        Self { begin: Instant::now(), per_second: per_second.filter(|rate| *rate > 0), sent: 0 }
    }

    /// When the next event is due; `None` if it is at once.
    fn next_due(&mut self) -> Option<Instant> {
        let rate = self.per_second?;
        let after = Duration::from_secs_f64(self.sent as f64 / f64::from(rate));
        self.sent += 1;
        Some(self.begin + after)
    }

    /// Whether events are spread at all: then each is to be seen at once.
    fn is_slow(&self) -> bool {
        self.per_second.is_some()
    }

    fn wait(&mut self) {
        if let Some(due) = self.next_due() {
            thread::sleep(due.saturating_duration_since(Instant::now()));
        }
    }
}

/// Writes one JSON object a line.
///
/// # Errors
/// When `out` cannot be written; a closed pipe too, which the caller takes as the end.
pub fn to_lines(events: impl Iterator<Item = SimulatedEvent>, mut pace: Pace, out: &mut impl Write) -> io::Result<()> {
    for event in events {
        pace.wait();
        writeln!(out, "{}", event.json)?;
        if pace.is_slow() {
            out.flush()?;
        }
    }
    out.flush()
}

/// A client that sends records keyed by lead, to the partition that a Java client would choose.
pub(in crate::run) type Sender = ThreadedProducer<DefaultProducerContext>;

/// What every sender of simulated events is configured with.
pub(in crate::run) fn sender_config() -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("client.id", "hotlead-simulate")
        .set("partitioner", "murmur2_random")
        .set("enable.idempotence", "true")
        .set("linger.ms", "2")
        .set("queue.buffering.max.messages", "20000");
    config
}

/// Sends one event, its record's timestamp its own time; waits while the client's queue is full.
///
/// # Errors
/// When the client refuses it for another reason.
pub(in crate::run) fn send(sender: &Sender, topic: &str, event: &SimulatedEvent) -> Result<(), KafkaError> {
    let mut record = BaseRecord::to(topic).key(&event.lead_key).payload(&event.json).timestamp(event.time.as_millis());
    loop {
        match sender.send(record) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), again)) => {
                record = again;
                thread::sleep(Duration::from_millis(5));
            }
            Err((error, _)) => return Err(error),
        }
    }
}

/// Sends all events to a topic that exists, and waits until they are acknowledged.
///
/// # Errors
/// One line for people, when the brokers cannot be reached, the topic is not there or something was not acknowledged.
pub fn to_topic(
    events: impl Iterator<Item = SimulatedEvent>,
    mut pace: Pace,
    brokers: &str,
    topic: &str,
) -> Result<(), String> {
    let unreachable = |error: KafkaError| format!("{brokers}, topic {topic}: {error}");
    let sender: Sender = sender_config().set("bootstrap.servers", brokers).create().map_err(unreachable)?;
    // Asked first: a topic that the broker would create by itself has the wrong number of partitions.
    let known = sender.client().fetch_metadata(Some(topic), ASK).map_err(unreachable)?;
    if known.topics().iter().all(|found| found.partitions().is_empty()) {
        return Err(format!("{brokers}: there is no topic {topic}"));
    }
    for event in events {
        pace.wait();
        send(&sender, topic, &event).map_err(unreachable)?;
    }
    sender.flush(DEADLINE).map_err(unreachable)
}

#[cfg(test)]
mod tests {
    use rdkafka::consumer::{BaseConsumer, Consumer};
    use rdkafka::mocking::MockCluster;
    use rdkafka::{Message, Offset, TopicPartitionList};

    use super::*;
    use crate::run::simulate::{Scenario, Simulator};

    fn some(count: usize) -> impl Iterator<Item = SimulatedEvent> {
        let start = Scenario::START;
        Simulator::new(Scenario { seed: 1, leads: 10, start }).take(count)
    }

    #[test]
    fn every_event_is_a_line() {
        let mut out = Vec::new();
        to_lines(some(20), Pace::new(None), &mut out).expect("written");
        let text = String::from_utf8(out).expect("text");
        let lines: Vec<&str> = text.lines().collect();
        let json: Vec<String> = some(20).map(|event| event.json).collect();
        assert_eq!(lines, json);
    }

    #[test]
    fn a_closed_pipe_is_an_error_for_the_caller_to_judge() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let error = to_lines(some(1), Pace::new(None), &mut Closed).expect_err("closed");
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn a_pace_makes_events_due_evenly() {
        let mut pace = Pace::new(Some(4));
        let begin = pace.begin;
        let due: Vec<_> = (0..3).filter_map(|_| pace.next_due()).map(|due| due - begin).collect();
        assert_eq!(due, [0, 250, 500].map(Duration::from_millis));
        assert_eq!(Pace::new(Some(0)).next_due(), None);
    }

    #[test]
    fn a_topic_gets_records_keyed_by_lead_with_the_time_of_their_event() {
        let cluster = MockCluster::new(1).expect("a broker");
        cluster.create_topic("engagement", 1, 1).expect("a topic");
        let brokers = cluster.bootstrap_servers();
        to_topic(some(20), Pace::new(None), &brokers, "engagement").expect("sent");

        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &brokers)
            .set("group.id", "test")
            .set("fetch.wait.max.ms", "10")
            .create()
            .expect("a consumer");
        let mut all = TopicPartitionList::new();
        all.add_partition_offset("engagement", 0, Offset::Beginning).expect("an offset");
        consumer.assign(&all).expect("assigned");
        let deadline = Instant::now() + DEADLINE;
        for event in some(20) {
            let record = loop {
                assert!(Instant::now() < deadline, "waited in vain for a record");
                if let Some(record) = consumer.poll(Duration::from_millis(100)) {
                    break record.expect("a record");
                }
            };
            assert_eq!(record.key(), Some(event.lead_key.as_bytes()));
            assert_eq!(record.payload(), Some(event.json.as_bytes()));
            assert_eq!(record.timestamp().to_millis(), Some(event.time.as_millis()));
        }
    }
}
