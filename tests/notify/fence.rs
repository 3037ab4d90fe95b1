//! What the ledger's fence rests on, shown on a real broker without any of our code between: a member that lost its
//! partition writes nothing, also with an open transaction, and whoever reads after the takeover sees all there will be.

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerGroupMetadata};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};

use crate::kafka::{Outgoing, broker, unique};
use crate::supervise::wait_for;

const DEADLINE: Duration = Duration::from_secs(60);

fn member(group: &str, topic: &str) -> BaseConsumer {
    let mut config = broker().client_config();
    config.set("group.id", group).set("enable.auto.commit", "false").set("auto.offset.reset", "earliest");
    config.set("session.timeout.ms", "2000").set("heartbeat.interval.ms", "400");
    let consumer: BaseConsumer = config.create().expect("a consumer");
    consumer.subscribe(&[topic]).expect("a subscription");
    consumer
}

fn joined(consumer: &BaseConsumer) -> ConsumerGroupMetadata {
    wait_for("an assignment", DEADLINE, || {
        let _ = consumer.poll(Duration::from_millis(50));
        (consumer.assignment().expect("it is known").count() == 1).then_some(())
    });
    consumer.group_metadata().expect("a member")
}

fn producer(id: &str) -> BaseProducer {
    let mut config = broker().client_config();
    config.set("transactional.id", id).set("transaction.timeout.ms", "10000");
    let producer: BaseProducer = config.create().expect("a producer");
    producer.init_transactions(DEADLINE).expect("it begins");
    producer
}

/// One record for the ledger, and how far the topic is done, in the name of a member.
fn write(
    producer: &BaseProducer,
    (ledger, value): (&str, &str),
    topic: &str,
    member: &ConsumerGroupMetadata,
) -> rdkafka::error::KafkaResult<()> {
    producer.begin_transaction()?;
    producer.send(BaseRecord::to(ledger).partition(0).key("id").payload(value)).map_err(|(error, _)| error)?;
    producer.flush(DEADLINE)?;
    let mut offsets = TopicPartitionList::new();
    offsets.add_partition_offset(topic, 0, Offset::Offset(1))?;
    producer.send_offsets_to_transaction(&offsets, member, DEADLINE)?;
    producer.commit_transaction(DEADLINE)
}

#[test]
fn a_member_of_an_older_generation_writes_nothing() {
    let name = unique("fence");
    let (topic, ledger) = (format!("{name}.alerts"), format!("{name}.ledger"));
    broker().create_topic(&topic, 1, &[]);
    broker().create_topic(&ledger, 1, &[]);
    broker().produce(&topic, [Outgoing::new("k", "an alert")]);
    let (zombie, owner) = (producer(&format!("{name}-a")), producer(&format!("{name}-b")));
    // The first member has the partition, and then is not heard of any more.
    let first = member(&name, &topic);
    let old = joined(&first);
    write(&zombie, (&ledger, "parked by the first"), &topic, &old).expect("it is the owner");
    drop(first);
    let second = member(&name, &topic);
    let new = joined(&second);
    write(&owner, (&ledger, "delivered by the second"), &topic, &new).expect("it is the owner");
    write(&zombie, (&ledger, "parked by the zombie"), &topic, &old).expect_err("an older generation");
    zombie.abort_transaction(DEADLINE).expect("it can be ended");
    let values: Vec<_> = broker().consume_all_read_committed(&ledger).iter().map(|r| r.value_text()).collect();
    assert_eq!(values, ["parked by the first", "delivered by the second"]);
}
