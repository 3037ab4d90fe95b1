//! Deliveries on a real broker: what is read, what is committed and when, and what a restart repeats.

use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use hotlead::config::settings::{Settings, SinkRoute, Start, Takes};
use hotlead::core::spec::{Matcher, Scalar, Test};
use hotlead::core::time::Timestamp;
use hotlead::notify::{self, AttemptResult, Change, Counts, Ending, Observer, Place, Reason, Unobserved, sample};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Offset, TopicPartitionList};

use super::receiver::{Receiver, SECRET, settings, sink};
use crate::kafka::{Broker, Outgoing, broker, unique};
use crate::supervise::wait_for;

const DEADLINE: Duration = Duration::from_secs(60);

pub fn alert(number: u128, lead: &str) -> Outgoing {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    let mut alert = sample::alert(number, Timestamp::from_millis(now.as_millis() as i64));
    alert.lead.key = lead.to_owned();
    alert.lead.name = Some(lead.to_owned());
    Outgoing {
        partition: Some(0),
        headers: vec![("ce_id".into(), alert.id.to_string().into())],
        ..Outgoing::new(lead, serde_json::to_vec(&alert).expect("JSON"))
    }
}

/// What a sink's group has committed for partition 0; -1 is nothing.
fn committed(broker: &Broker, settings: &Settings, sink: &str) -> i64 {
    committed_by(broker, &format!("{}.{sink}", settings.group), &settings.topics.alerts)
}

/// What a group has committed for partition 0 of a topic; -1 is nothing.
pub fn committed_by(broker: &Broker, group: &str, topic: &str) -> i64 {
    let mut config = broker.client_config();
    let consumer: BaseConsumer = config.set("group.id", group).create().expect("a consumer");
    let mut asked = TopicPartitionList::new();
    asked.add_partition(topic, 0);
    match consumer.committed_offsets(asked, DEADLINE).expect("offsets").elements()[0].offset() {
        Offset::Offset(offset) => offset,
        _ => -1,
    }
}

/// Adds up what is told of one sink.
#[derive(Default)]
struct Tally(Mutex<(Counts, Vec<Ending>)>);

impl Tally {
    fn of(&self, sink: &str) -> Option<MutexGuard<'_, (Counts, Vec<Ending>)>> {
        (sink == "crm").then(|| self.0.lock().expect("not poisoned"))
    }
}

impl Observer for Tally {
    fn attempted(&self, _: &str, _: AttemptResult) {}
    fn accepted(&self, _: &str, _: Duration) {}
    fn ended(&self, sink: &str, _: Place, ending: Ending) {
        self.of(sink).into_iter().for_each(|mut tally| tally.1.push(ending));
    }
    fn expired(&self, _: &str, _: u64) {}
    fn assigned(&self, _: &str) {}
    fn counted(&self, sink: &str, counts: Counts) {
        self.of(sink).into_iter().for_each(|mut tally| tally.0 = counts);
    }
    fn stands(&self, _: &str, _: &Change) {}
}

fn create_topics(broker: &Broker, settings: &Settings) {
    broker.create_topic(&settings.topics.alerts, 1, &[]);
    broker.create_topic(&settings.topics.dead_letter, 1, &[]);
    for sink in &settings.sinks {
        broker.create_topic(&settings.topics.ledger(&sink.id), 1, &[("cleanup.policy", "compact")]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_reach_every_sink_and_are_committed_when_their_outcome_is_known() {
    let broker = tokio::task::block_in_place(broker);
    let status = Arc::new(AtomicU16::new(503));
    let answer = status.clone();
    let crm = Receiver::start(move |request| match request.lead().as_str() {
        "bad" => (422, "no"),
        "late" => (answer.load(Ordering::Relaxed), "later"),
        _ => (200, ""),
    });
    let (crm, slack) = (crm.await, Receiver::start(|_| (200, "ok")).await);
    let sinks = vec![sink("crm", Start::Earliest, crm.webhook(&[SECRET])), sink("sdr", Start::Earliest, slack.slack())];
    let settings = settings(broker.bootstrap(), &unique("notify"), sinks);
    tokio::task::block_in_place(|| {
        create_topics(broker, &settings);
        broker.produce(&settings.topics.alerts, [alert(1, "a"), alert(2, "late"), alert(3, "bad"), alert(4, "b")]);
    });
    let tally = Arc::new(Tally::default());
    let running = notify::start(&settings, tally.clone()).expect("it starts");
    tokio::task::block_in_place(|| {
        wait_for("slack", DEADLINE, || (slack.seen().len() == 4).then_some(()));
        wait_for("slack's commit", DEADLINE, || (committed(broker, &settings, "sdr") == 4).then_some(()));
        let dead = wait_for("the dead letter", DEADLINE, || broker.consume_visible(&settings.topics.dead_letter).pop());
        assert_eq!(dead.key.as_deref(), Some(b"bad".as_slice()));
        let header = |name: &str| dead.headers.iter().find(|(n, _)| n == name).and_then(|(_, value)| value.clone());
        assert_eq!(header("hotlead_reason"), Some(b"message".to_vec()));
        assert_eq!(header("hotlead_source"), Some(format!("{}/0@2", settings.topics.alerts).into_bytes()));
        assert_eq!(header("ce_id"), Some(b"00000000000000000000000000000003".to_vec()));
        wait_for("the commit up to the late one", DEADLINE, || {
            (committed(broker, &settings, "crm") == 1).then_some(())
        });
        status.store(200, Ordering::Relaxed);
        wait_for("the rest", DEADLINE, || (committed(broker, &settings, "crm") == 4).then_some(()));
    });
    let ids: Vec<_> =
        crm.seen().iter().filter(|r| r.lead() == "late").map(|r| r.header("webhook-id").to_owned()).collect();
    assert!(ids.len() >= 2 && ids.iter().all(|id| *id == format!("{:032x}", 2)), "{ids:?}");
    let told = || tally.of("crm").map(|tally| (tally.0, tally.1.len())).expect("of crm");
    let all = (Counts { consumed: 4, ended: 4, ..Counts::default() }, 4);
    tokio::task::block_in_place(|| wait_for("the sums", DEADLINE, || (told() == all).then_some(())));
    let given_up = |ending: &&Ending| **ending == Ending::GivenUp(Reason::Message);
    assert_eq!(tally.of("crm").expect("of crm").1.iter().filter(given_up).count(), 1);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_repeats_what_has_no_outcome_and_nothing_else_and_a_new_sink_begins_at_the_end() {
    let broker = tokio::task::block_in_place(broker);
    let open = Arc::new(AtomicBool::new(false));
    let is_open = open.clone();
    let crm = Receiver::start(move |request| match request.lead().as_str() {
        "late" if !is_open.load(Ordering::Relaxed) => (500, ""),
        _ => (200, ""),
    });
    let crm = crm.await;
    let sinks = vec![sink("crm", Start::Latest, crm.webhook(&[SECRET]))];
    let settings = settings(broker.bootstrap(), &unique("restart"), sinks);
    let leads = || crm.seen().iter().map(super::receiver::Request::lead).collect::<Vec<_>>();
    tokio::task::block_in_place(|| {
        create_topics(broker, &settings);
        broker.produce(&settings.topics.alerts, [alert(1, "before")]);
    });
    let running = notify::start(&settings, Arc::new(Unobserved)).expect("it starts");
    tokio::task::block_in_place(|| {
        wait_for("its beginning", DEADLINE, || (committed(broker, &settings, "crm") == 1).then_some(()));
        broker.produce(&settings.topics.alerts, [alert(2, "a"), alert(3, "late")]);
        wait_for("both attempts", DEADLINE, || (leads().len() >= 2).then_some(()));
    });
    running.stop().await;
    assert_eq!(committed(broker, &settings, "crm"), 2, "up to the late one");
    let before = leads();
    assert!(before.contains(&"a".to_owned()) && !before.contains(&"before".to_owned()), "{before:?}");
    open.store(true, Ordering::Relaxed);
    let running = notify::start(&settings, Arc::new(Unobserved)).expect("it starts");
    tokio::task::block_in_place(|| {
        wait_for("the rest", DEADLINE, || (committed(broker, &settings, "crm") == 3).then_some(()));
    });
    running.stop().await;
    assert_eq!(leads()[before.len()..], ["late"]);
}

/// Goal: a record that a sink does not take moves its offset and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn each_sink_gets_what_it_asks_for_and_one_gets_the_rest() {
    let broker = tokio::task::block_in_place(broker);
    let (hot, rest) = (Receiver::start(|_| (200, "")).await, Receiver::start(|_| (200, "")).await);
    let sinks = vec![
        sink("hot", Start::Earliest, hot.webhook(&[SECRET])),
        sink("rest", Start::Earliest, rest.webhook(&[SECRET])),
    ];
    let mut settings = settings(broker.bootstrap(), &unique("routes"), sinks);
    let wanted = Matcher { tests: vec![Test::Equals(vec![Scalar::Text("b".into())])] };
    let routes = [("hot", Takes::Only(vec![("lead.key".into(), wanted)])), ("rest", Takes::Rest)];
    settings.routing.sinks = routes.map(|(id, takes)| SinkRoute { id: id.into(), takes, fallback: None }).into();
    tokio::task::block_in_place(|| {
        create_topics(broker, &settings);
        broker.produce(
            &settings.topics.alerts,
            [alert(1, "a"), alert(2, "b"), alert(3, "a"), alert(4, "b"), alert(5, "c")],
        );
    });
    let running = notify::start(&settings, Arc::new(Unobserved)).expect("it starts");
    tokio::task::block_in_place(|| {
        for id in ["hot", "rest"] {
            wait_for("every offset", DEADLINE, || (committed(broker, &settings, id) == 5).then_some(()));
        }
    });
    running.stop().await;
    let leads = |receiver: &Receiver| receiver.seen().iter().map(super::receiver::Request::lead).collect::<Vec<_>>();
    assert_eq!(leads(&hot), ["b", "b"]);
    let mut left = leads(&rest);
    left.sort(); // different leads do not wait for each other
    assert_eq!(left, ["a", "a", "c"]);
}
