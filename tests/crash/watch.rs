//! How far a group has come, asked for again and again, and who is in it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

/// A broker that does not answer by then is asked again.
const ASK: Duration = Duration::from_secs(2);

const BETWEEN: Duration = Duration::from_millis(50);

/// Of one partition after the other: one past the last record done, and one past the last record there.
#[derive(Clone, Default, Debug, PartialEq, Eq)]
pub struct Positions {
    pub committed: Vec<i64>,
    pub ends: Vec<i64>,
}

/// What the threads of a run tell one another.
#[derive(Default)]
pub struct Progress {
    pub produced: AtomicU64,
    /// All records are on the topic.
    pub fed: AtomicBool,
    /// The run is over, one way or the other.
    pub over: AtomicBool,
    positions: Mutex<Positions>,
}

impl Progress {
    pub fn positions(&self) -> Positions {
        self.positions.lock().expect("nothing panics with the lock held").clone()
    }

    /// Records on the topic or on their way there that are not done.
    pub fn behind(&self) -> u64 {
        let committed: i64 = self.positions().committed.iter().sum();
        self.produced.load(Ordering::Relaxed).saturating_sub(committed as u64)
    }
}

pub struct Watch {
    consumer: BaseConsumer,
    group: String,
    topic: String,
    partitions: i32,
}

impl Watch {
    pub fn new(mut config: ClientConfig, group: &str, topic: &str, partitions: i32) -> Self {
        // Under read_committed an open transaction would keep the answer back.
        config.set("group.id", group).set("isolation.level", "read_uncommitted").set("enable.auto.commit", "false");
        let consumer = config.create().expect("a consumer");
        Self { consumer, group: group.to_owned(), topic: topic.to_owned(), partitions }
    }

    /// Tells `progress` until the run is over.
    pub fn keep_telling(&self, progress: &Progress) {
        while !progress.over.load(Ordering::Relaxed) {
            if let Some(positions) = self.positions() {
                *progress.positions.lock().expect("nothing panics with the lock held") = positions;
            }
            thread::sleep(BETWEEN);
        }
    }

    /// Nothing if the broker does not answer, or not for all partitions.
    pub fn positions(&self) -> Option<Positions> {
        let positions = self.ask();
        if positions.is_none() {
            // A broker that starts may tell of no partitions, and the client believes that for minutes, without a
            // question: then the last answer would stand while the group goes on.
            let _ = self.consumer.fetch_metadata(Some(&self.topic), ASK);
        }
        positions
    }

    fn ask(&self) -> Option<Positions> {
        let mut asked = TopicPartitionList::new();
        for partition in 0..self.partitions {
            asked.add_partition(&self.topic, partition);
        }
        let answer = self.consumer.committed_offsets(asked, ASK).ok()?;
        let offset = |element: rdkafka::topic_partition_list::TopicPartitionListElem<'_>| match element.offset() {
            _ if element.error().is_err() => None, // the coordinator is not ready
            Offset::Offset(offset) => Some(offset),
            _ => Some(0),
        };
        let committed = answer.elements().into_iter().map(offset).collect::<Option<_>>()?;
        let end = |partition| Some(self.consumer.fetch_watermarks(&self.topic, partition, ASK).ok()?.1);
        let ends = (0..self.partitions).map(end).collect::<Option<_>>()?;
        Some(Positions { committed, ends })
    }

    /// Whether so many members share all partitions, each with some.
    pub fn is_settled(&self, members: usize) -> bool {
        let Ok(list) = self.consumer.fetch_group_list(Some(&self.group), ASK) else {
            return false;
        };
        let Some(group) = list.groups().iter().find(|group| group.name() == self.group) else {
            return false;
        };
        let shares: Vec<_> = group.members().iter().map(|member| partitions_in(member.assignment())).collect();
        group.state() == "Stable"
            && shares.len() == members
            && shares.iter().all(|share| *share > 0)
            && shares.iter().sum::<i32>() == self.partitions
    }
}

/// How many partitions of its one topic an assignment names. Its form: version (2 bytes), number of topics (4), and for
/// each topic the length of its name (2), the name, the number of partitions (4) and the partitions.
fn partitions_in(assignment: Option<&[u8]>) -> i32 {
    let count = |bytes: &[u8]| {
        let name = usize::from(u16::from_be_bytes(bytes.get(6..8)?.try_into().ok()?));
        Some(i32::from_be_bytes(bytes.get(8 + name..12 + name)?.try_into().ok()?))
    };
    assignment.and_then(count).unwrap_or(0)
}

mod tests {
    use super::*;
    use crate::kafka::{broker, unique};
    use crate::supervise::wait_for;

    const DEADLINE: Duration = Duration::from_secs(60);

    /// Goal: a watch whose client was told of too few partitions, as by a broker that has just started, sees the others
    /// soon. Method: the topic gets another one. By itself, the client would ask for news of it after five minutes.
    #[test]
    fn a_watch_does_not_believe_for_minutes_that_a_partition_is_missing() {
        let (broker, name) = (broker(), unique("watch"));
        let watch = |partitions| Watch::new(broker.client_config(), &name, &name, partitions);
        broker.create_topic(&name, 1, &[]);
        let (one, two) = (watch(1), watch(2));
        wait_for("one partition", DEADLINE, || one.positions());
        assert_eq!(two.positions(), None);
        broker.grow_topic(&name, 2);
        let seen = wait_for("two partitions", DEADLINE, || two.positions());
        assert_eq!(seen, Positions { committed: vec![0, 0], ends: vec![0, 0] });
    }
}
