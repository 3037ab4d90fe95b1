//! Partitions that come from others: what is not known yet holds up nothing else, and offsets that are gone are no new
//! beginning.

use std::collections::BTreeSet;
use std::time::Duration;

use hotlead::run::{Mode, RunError};
use hotlead::source::{Change, Member, SourceError};
use hotlead::telemetry::broker_log::BrokerLog;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, Producer};
use rdkafka::{Offset, TopicPartitionList};

use super::DEADLINE;
use super::running::{Live, demo_request, settings};
use crate::kafka::{Outgoing, broker, unique};
use crate::supervise::wait_for;

/// Goal: while a dead owner's transaction hides the committed offset of a partition, the partitions that we have go on.
/// Method: another member of the group keeps one partition, leaves a transaction open that moves its offset, and goes.
#[test]
fn an_offset_that_nobody_knows_yet_holds_up_no_other_partition() {
    let settings = settings(&unique("hidden"), "a");
    let topic = settings.topics.events.as_str();
    let mut config = broker().client_config();
    config.set("group.id", &settings.group).set("enable.auto.commit", "false");
    config.set("partition.assignment.strategy", "cooperative-sticky").set("session.timeout.ms", "6000");
    let other: BaseConsumer = config.create().expect("a consumer");
    other.subscribe(&[topic]).expect("a subscription");
    let owned = |consumer: &BaseConsumer| -> BTreeSet<i32> {
        let _ = consumer.poll(Duration::from_millis(20));
        let owned = consumer.assignment().expect("it is known");
        owned.elements().iter().map(|element| element.partition()).collect()
    };
    wait_for("the other one's partitions", DEADLINE, || (owned(&other).len() == 4).then_some(()));
    let live = Live::begin(&settings, Mode::Transactional);
    let theirs = wait_for("each to have half", DEADLINE, || {
        let owned = owned(&other);
        (owned.len() == 2 && live.hooks.readiness.is_ready().is_ok()).then_some(owned)
    });
    let ours = (0..4).find(|partition| !theirs.contains(partition)).expect("one of four");
    let hidden = *theirs.first().expect("one of two");

    let mut config = broker().client_config();
    config.set("transactional.id", format!("{}-other", settings.group)).set("transaction.timeout.ms", "60000");
    let producer: BaseProducer = config.create().expect("a producer");
    producer.init_transactions(DEADLINE).expect("it begins");
    producer.begin_transaction().expect("begun");
    let mut offsets = TopicPartitionList::new();
    offsets.add_partition_offset(topic, hidden, Offset::Offset(0)).expect("added");
    let member = other.group_metadata().expect("a member");
    producer.send_offsets_to_transaction(&offsets, &member, DEADLINE).expect("sent");
    drop(other);

    wait_for("the group to give us the rest", DEADLINE, || live.hooks.readiness.is_ready().err());
    let send = |n: usize, partition: i32| {
        broker().produce(topic, [Outgoing { partition: Some(partition), ..demo_request(n, n) }]);
    };
    send(0, ours);
    assert_eq!(live.alerts(1).len(), 1);
    assert!(live.hooks.readiness.is_ready().is_err(), "the other half is not known yet");
    producer.abort_transaction(DEADLINE).expect("it was open all the time");
    send(1, hidden);
    assert_eq!(live.alerts(2).len(), 2, "and then it goes on too");
    live.stop().expect("a clean end");
}

/// Goal: a group that Kafka has forgotten, after a week without a member, neither skips what came meanwhile nor reads
/// again what leads' state has in it already, without a word.
#[test]
fn state_without_offsets_is_refused() {
    let settings = settings(&unique("forgotten"), "a");
    let live = Live::start(&settings, Mode::Transactional);
    broker().produce(&settings.topics.events, [demo_request(0, 0)]);
    live.alerts(1);
    live.stop().expect("a clean end");

    let admin: AdminClient<DefaultClientContext> = broker().client_config().create().expect("an admin client");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    wait_for("the group to be empty and deleted", DEADLINE, || {
        let deleted = runtime.block_on(admin.delete_groups(&[&settings.group], &AdminOptions::new()));
        deleted.expect("an answer").into_iter().all(|group| group.is_ok()).then_some(())
    });
    match Live::begin(&settings, Mode::Transactional).ended() {
        Err(RunError::Unreachable(text)) => {
            let said = format!("group {} has no committed offsets, but {}/", settings.group, settings.topics.state);
            assert!(text.starts_with(&said), "{text}");
        }
        other => panic!("it ended with {other:?}"),
    }
}

/// Goal: a process that slept in the middle of a commit does not fence the one that took its name meanwhile: it learns by
/// its place in the group who is the elder.
#[test]
fn a_member_whose_name_was_taken_learns_of_it_by_its_heartbeats() {
    let settings = settings(&unique("namesake"), "a");
    let join = || {
        let topic = &settings.topics.events;
        let member = Member::join(&settings.kafka, &settings.group, Some("namesake-0"), topic, BrokerLog::default())
            .expect("a member");
        let partitions = wait_for("its partitions", DEADLINE, || match member.next_change().expect("not fenced") {
            Some(Change::Assigned(partitions)) => Some(partitions),
            _ => None,
        });
        member.hold(&partitions).expect("they are taken");
        member
    };
    let elder = join();
    assert_eq!(elder.wait_for_heartbeats(), Ok(()), "alone");
    let younger = join();
    assert_eq!(elder.wait_for_heartbeats(), Err(SourceError::Fenced));
    assert_eq!(younger.wait_for_heartbeats(), Ok(()));
}
