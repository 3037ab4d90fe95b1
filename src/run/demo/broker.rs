//! The demo's Kafka: librdkafka's in-process broker, with topics made through it and a producer that fills them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rdkafka::error::KafkaError;
use rdkafka::producer::Producer;

use super::opening::Opening;
use super::sent::Sent;
use crate::run::simulate::SimulatedEvent;
use crate::run::simulate::output::{Sender, send, sender_config};

/// Partitions of every topic of the demo: more than one, as on a real one.
pub(super) const PARTITIONS: i32 = 4;

/// Real time that one look at the clock covers at most: a stop is noticed within it.
const NAP: Duration = Duration::from_millis(100);

/// A broker that lives in this process and ends with it.
pub(super) struct Broker {
    sender: Sender,
    /// `host:port`.
    pub(super) address: String,
}

impl Broker {
    /// Starts it, with these topics.
    pub(super) fn start(topics: &[&str]) -> Result<Self, KafkaError> {
        // This client owns the broker: it is there as long as the client is.
        let sender: Sender = sender_config().set("test.mock.num.brokers", "1").create()?;
        let address = {
            let cluster = sender.client().mock_cluster().expect("a client with mock brokers has a mock cluster");
            for topic in topics {
                cluster.create_topic(topic, PARTITIONS, 1)?;
            }
            first_join_at_once(&sender);
            cluster.bootstrap_servers()
        };
        Ok(Self { sender, address })
    }

    /// Fills a topic on a thread of its own until `stop`.
    pub(super) fn fill(self, topic: String, opening: Opening, feed: &Feed) -> JoinHandle<()> {
        let feed = feed.clone();
        thread::spawn(move || {
            let begin = Instant::now();
            for (after, event) in opening.events() {
                if !feed.wait_until(begin + after) {
                    break;
                }
                feed.note(&event);
                if let Err(error) = send(&self.sender, &topic, &event) {
                    tracing::error!("the demo's broker refused an event: {error}");
                    break;
                }
            }
            // The broker must outlive the worker, which commits while it stops.
            feed.wait_for_release();
        })
    }
}

/// What the thread that fills the topic shares with the demo.
#[derive(Clone, Default)]
pub(super) struct Feed(Arc<FeedState>);

#[derive(Default)]
struct FeedState {
    stop: AtomicBool,
    release: AtomicBool,
    events: AtomicU64,
    sent: Sent,
}

impl Feed {
    /// Ends the events.
    pub(super) fn stop(&self) {
        self.0.stop.store(true, Ordering::Relaxed);
    }

    /// Ends the broker: nobody needs it any more.
    pub(super) fn release(&self) {
        self.stop();
        self.0.release.store(true, Ordering::Relaxed);
    }

    /// Events sent so far.
    pub(super) fn events(&self) -> u64 {
        self.0.events.load(Ordering::Relaxed)
    }

    /// When events were sent, by their JSON's id.
    pub(super) fn sent(&self) -> &Sent {
        &self.0.sent
    }

    fn note(&self, event: &SimulatedEvent) {
        self.0.events.fetch_add(1, Ordering::Relaxed);
        self.0.sent.note(&event.id);
    }

    /// False if it was stopped meanwhile.
    fn wait_until(&self, due: Instant) -> bool {
        loop {
            if self.0.stop.load(Ordering::Relaxed) {
                return false;
            }
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            thread::sleep(left.min(NAP));
        }
    }

    fn wait_for_release(&self) {
        while !self.0.release.load(Ordering::Relaxed) {
            thread::sleep(NAP);
        }
    }
}

/// A group's first member need not wait three seconds for others.
fn first_join_at_once(sender: &Sender) {
    // SAFETY: the client is alive, and the cluster that belongs to it lives as long; neither call keeps a pointer. The
    // wrapper has no method for it.
    unsafe {
        let cluster = rdkafka::bindings::rd_kafka_handle_mock_cluster(sender.client().native_ptr());
        rdkafka::bindings::rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, 0);
    }
}
