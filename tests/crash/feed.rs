//! Brings the events of a run to their topic, all of them, whatever happens to the broker.
//!
//! An idempotent producer alone does not settle this: after a broker's kill -9 some of its records were seen twice on the
//! topic, and a client may give up what it "possibly persisted". So what the client gives up is sent again, here. That
//! may put a record there twice: the twin and the backtest read the topic, so to them it is an event like others.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::ClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseRecord, ProducerContext, ThreadedProducer};

use super::Form;
use super::oracle::Records;
use super::stream::Stream;
use super::watch::Progress;
use crate::kafka::Outgoing;

/// No record is acknowledged for so long: the broker does not come back.
const STUCK: Duration = Duration::from_secs(300);

/// What became of the records.
#[derive(Default)]
struct Fates {
    sent: u64,
    acknowledged: u64,
    /// To be sent again.
    given_up: Vec<Outgoing>,
}

#[derive(Clone, Default)]
struct Told(Arc<Mutex<Fates>>);

impl ClientContext for Told {}
impl ProducerContext for Told {
    type DeliveryOpaque = Box<Outgoing>;
    fn delivery(&self, result: &DeliveryResult<'_>, record: Box<Outgoing>) {
        let mut fates = self.0.lock().expect("nothing panics with the lock held");
        match result {
            Ok(_) => fates.acknowledged += 1,
            Err((error, _)) => {
                println!("a record is sent again: {error}");
                fates.given_up.push(*record);
            }
        }
    }
}

/// A producer that gives no record up.
pub struct Feeder {
    producer: ThreadedProducer<Told>,
    told: Told,
    topic: String,
}

impl Feeder {
    pub fn new(mut config: ClientConfig, topic: &str) -> Self {
        let told = Told::default();
        config.set("acks", "all").set("linger.ms", "1").set("partitioner", "murmur2_random");
        // In order, also where the client tries again.
        config.set("enable.idempotence", "false").set("max.in.flight", "1");
        let producer = config.create_with_context(told.clone()).expect("a producer");
        Self { producer, told, topic: topic.to_owned() }
    }

    /// Hands a record to the client, after those that it gave up.
    pub fn send(&self, record: Outgoing) {
        self.send_again();
        self.fates(|fates| fates.sent += 1);
        self.hand_over(record);
    }

    /// Waits until all records are acknowledged.
    ///
    /// # Panics
    /// If none is for minutes.
    pub fn finish(&self) {
        let mut moved = (Instant::now(), 0);
        loop {
            let (sent, acknowledged) = self.fates(|fates| (fates.sent, fates.acknowledged));
            if acknowledged == sent {
                return;
            }
            if acknowledged != moved.1 {
                moved = (Instant::now(), acknowledged);
            }
            let still = moved.0.elapsed();
            assert!(still < STUCK, "of {sent} records {acknowledged} are acknowledged, and for {still:?} no other");
            self.send_again();
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn send_again(&self) {
        let given_up = self.fates(|fates| std::mem::take(&mut fates.given_up));
        given_up.into_iter().for_each(|record| self.hand_over(record));
    }

    fn fates<T>(&self, look: impl FnOnce(&mut Fates) -> T) -> T {
        look(&mut self.told.0.lock().expect("nothing panics with the lock held"))
    }

    fn hand_over(&self, record: Outgoing) {
        let start = Instant::now();
        let mut kept = Box::new(record);
        loop {
            // The client copies what it sends; the record itself comes back with its fate.
            let copy = kept.clone();
            let mut outgoing = BaseRecord::<[u8], [u8], _>::with_opaque_to(&self.topic, kept);
            outgoing.timestamp = copy.timestamp;
            outgoing.key = copy.key.as_deref();
            outgoing.payload = copy.value.as_deref();
            match self.producer.send(outgoing) {
                Ok(()) => return,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), again)) => {
                    assert!(start.elapsed() < STUCK, "no room in the producer's queue");
                    kept = again.delivery_opaque;
                    thread::sleep(Duration::from_millis(10));
                }
                Err((error, _)) => panic!("a record that cannot be sent: {error}"),
            }
        }
    }
}

/// Produces the events of a run, evenly, and never far ahead of the group.
pub fn feed(form: &Form, feeder: &Feeder, progress: &Progress) -> Records {
    let mut records = Records::default();
    let step = Duration::from_secs(1) / form.rate as u32;
    let mut due = Instant::now();
    for record in Stream::new(form.seed, form.story, form.leads).take(form.events as usize) {
        // Five seconds ahead: then it waits, so that faults meet a group at work and not an end of events.
        while (progress.behind() > 5 * form.rate || Instant::now() < due) && !progress.over.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(1));
        }
        due = (due + step).max(Instant::now() - Duration::from_millis(50)); // no burst after a wait
        if progress.over.load(Ordering::Relaxed) {
            return records;
        }
        records.add(record.key.as_deref().expect("a lead"), record.value.as_deref().expect("an event"));
        feeder.send(record);
        progress.produced.fetch_add(1, Ordering::Relaxed);
    }
    feeder.finish();
    progress.fed.store(true, Ordering::Relaxed);
    records
}

mod tests {
    use super::*;
    use crate::kafka::{Broker, Options, own_broker};
    use crate::supervise::wait_for;

    /// Goal: a client that gives records up, as one does across a broker's end, costs the run no event. Method: the
    /// broker stands still for longer than the client waits.
    #[test]
    fn what_the_client_gives_up_is_sent_again() {
        let _one_at_a_time = own_broker();
        let mut broker = Broker::start_own(&Options::default());
        broker.create_topic("events", 2, &[("retention.ms", "-1")]);
        let mut config = broker.client_config();
        config.set("message.timeout.ms", "1000");
        let feeder = Feeder::new(config, "events");
        let record = |n: u32| Outgoing { timestamp: Some(1_740_787_200_000), ..Outgoing::new("u1", n.to_string()) };
        feeder.send(record(0));
        feeder.finish();
        broker.tell("STOP");
        (1..50).for_each(|n| feeder.send(record(n)));
        wait_for("the client's giving up", STUCK, || feeder.fates(|fates| (!fates.given_up.is_empty()).then_some(())));
        broker.tell("CONT");
        feeder.finish();
        let there = broker.consume_all_read_committed("events");
        let mut there: Vec<u32> = there.iter().map(|record| record.value_text().parse().expect("a number")).collect();
        there.sort_unstable();
        there.dedup(); // what was on its way when the client gave it up may be there twice
        assert_eq!(there, Vec::from_iter(0..50));
    }
}
