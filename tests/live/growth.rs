//! An events topic that gets more partitions: noticed while running and at the start, refused, and mended by a command.

use std::collections::BTreeMap;
use std::time::Duration;

use hotlead::codec::ledger::{self, Entry};
use hotlead::codec::state::{self, NamesId, StateRecord};
use hotlead::core::ids::Partition;
use hotlead::core::names::Names;
use hotlead::core::stored::Form;
use hotlead::sink::partition_of;
use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};

use super::DEADLINE;
use super::program::Program;
use crate::kafka::{Outgoing, broker, unique};
use crate::supervise::wait_for;

const RULES: &str = "version: 1
signals: { pricing_view: { on: page, where: { page.path: /pricing } } }
rules: [ { id: pricing-surge, when: { count: { signal: pricing_view, at_least: 3, within: 1h } } } ]
";

const LEADS: usize = 20;

/// The `n`-th pricing view of every lead.
fn views(n: usize) -> impl Iterator<Item = Outgoing> {
    (0..LEADS).map(move |lead| {
        let value = format!(
            r#"{{"id":"{lead}-{n}","time":"2026-11-22T10:0{n}:00Z","type":"page","lead":{{"user_id":"u{lead}"}},"page":{{"path":"/pricing"}}}}"#
        );
        Outgoing::new(format!("u{lead}"), value)
    })
}

fn state_of_all(name: &str) -> String {
    let mut dump = Program::with_rules(RULES, &["state", "dump", "--json"], broker().bootstrap(), name);
    let text = dump.output();
    assert_eq!(dump.exit_code(), Some(0), "{}", dump.log());
    text
}

/// Goal: more partitions lose no lead's memory. Method: two views each, growth, the move, and the third view.
#[test]
fn a_topic_that_grows_is_refused_until_the_state_has_moved() {
    let name = unique("growth");
    let (events, alerts) = (format!("{name}.events"), format!("{name}.hotlead.alerts"));
    broker().create_topic(&events, 2, &[]);
    let start = |arguments: &[&str]| Program::with_rules(RULES, arguments, broker().bootstrap(), &name);

    let mut running = start(&["run"]);
    running.logs("running");
    broker().produce(&events, views(1).chain(views(2)));
    let before = wait_for("the state of all leads", DEADLINE, || {
        let dump = state_of_all(&name);
        let seen = dump.lines().filter(|line| line.contains("2026-11-22T10:02:00.000Z"));
        (seen.count() == LEADS).then_some(dump)
    });
    broker().grow_topic(&events, 5);
    assert_eq!(running.exit_code(), Some(69), "{}", running.log());
    let mut again = start(&["run"]);
    assert_eq!(again.exit_code(), Some(69), "{}", again.log());
    for log in [running.log(), again.log()] {
        assert!(log.contains("has 5 partitions and "), "{log}");
        assert!(log.contains("hotlead state move --config"), "{log}");
    }

    let mut moving = start(&["state", "move"]);
    assert_eq!(moving.exit_code(), Some(0), "{}", moving.log());
    assert!(moving.log().contains(&format!(" of {LEADS} leads have moved")), "{}", moving.log());
    assert_eq!(state_of_all(&name), before, "nothing but the place has changed");

    let last = start(&["run"]);
    last.logs("running");
    broker().produce(&events, views(3));
    let records = wait_for("an alert for each lead", DEADLINE, || {
        let records = broker().consume_visible(&alerts);
        (records.len() >= LEADS).then_some(records)
    });
    drop(last);
    assert_eq!(super::alert_ids(&records).len(), LEADS);
}

/// States by lead and partition.
type States = BTreeMap<(String, i32), String>;

/// The topics of a deployment whose instances are stopped; the events have 5 partitions and had 2. States are texts, for
/// the move does not look into them.
struct Stopped {
    name: String,
}

const OLD: i32 = 2;
const NOW: i32 = 5;

impl Stopped {
    fn new(state: i32, feedback: i32) -> Self {
        let site = Self { name: unique("stopped") };
        for (topic, partitions) in [("events", NOW), ("hotlead.state", state), ("hotlead.feedback", feedback)] {
            if partitions > 0 {
                broker().create_topic(&site.topic(topic), partitions, &[]);
            }
        }
        site
    }

    fn topic(&self, last: &str) -> String {
        format!("{}.{last}", self.name)
    }

    /// Writes states, and the names before the first one of a partition.
    fn keep(&self, states: &States) {
        let (_, key, value) = state::names(&Names::default());
        let mut partitions: Vec<i32> = states.keys().map(|(_, partition)| *partition).collect();
        partitions.sort_unstable();
        partitions.dedup();
        let named = |partition| Outgoing {
            partition: Some(partition),
            timestamp: None,
            key: Some(key.clone()),
            value: Some(value.clone()),
            headers: Vec::new(),
        };
        let kept = states.iter().map(|((lead, partition), text)| Outgoing {
            partition: Some(*partition),
            value: Some(written(text)),
            ..Outgoing::new(lead.clone(), "")
        });
        broker().produce(&self.topic("hotlead.state"), partitions.into_iter().map(named).chain(kept));
    }

    /// What the changelog holds, after a look at the names: they stand once in a partition, before what is written in
    /// them, or the log cleaner would leave states whose names come later.
    fn kept(&self) -> States {
        let (mut states, mut named) = (States::new(), BTreeMap::new());
        for record in broker().consume_all_read_committed(&self.topic("hotlead.state")) {
            let partition = record.partition;
            let key = record.key.expect("a key");
            match state::read(&key, record.value.as_deref()).expect("a record of ours") {
                StateRecord::Names(id, _) => {
                    assert_eq!(named.insert((partition, id), ()), None, "names twice in partition {partition}");
                }
                StateRecord::Lead { lead, names, state: (_, text) } => {
                    assert!(named.contains_key(&(partition, names)), "{lead} in {partition} has no names");
                    states.insert((lead.to_owned(), partition), String::from_utf8(text.to_vec()).expect("text"));
                }
                StateRecord::Gone { lead } => {
                    states.remove(&(lead.to_owned(), partition));
                }
            }
        }
        states
    }

    fn command(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let mut program = self.begin(arguments);
        (program.exit_code(), program.log())
    }

    fn begin(&self, arguments: &[&str]) -> Program {
        Program::with_rules(RULES, arguments, broker().bootstrap(), &self.name)
    }

    /// A transaction that is open.
    fn transaction(&self, id: &str) -> BaseProducer {
        let mut config = broker().client_config();
        config.set("transactional.id", format!("{}-{id}", self.name)).set("transaction.timeout.ms", "600000");
        let producer: BaseProducer = config.create().expect("a producer");
        producer.init_transactions(DEADLINE).expect("the broker answers");
        producer.begin_transaction().expect("a transaction");
        producer
    }

    /// Writes a state, or its end, in a transaction.
    fn write(&self, producer: &BaseProducer, lead: &str, partition: Partition, text: Option<&str>) {
        let (topic, value) = (self.topic("hotlead.state"), text.map(written));
        let mut record = BaseRecord::<[u8], [u8]>::to(&topic).partition(partition.0).key(lead.as_bytes());
        record.payload = value.as_deref();
        producer.send(record).map_err(|(error, _)| error).expect("room");
        producer.flush(DEADLINE).expect("the broker answers");
    }
}

/// A text as a state.
fn written(text: &str) -> Vec<u8> {
    let (id, ..): (NamesId, _, _) = state::names(&Names::default());
    [&state::head(id, Form::Compact)[..], text.as_bytes()].concat()
}

/// The states of all leads where murmur2 says.
fn states(partitions: i32) -> States {
    let lead = |n| format!("u{n}");
    (0..LEADS).map(|n| ((lead(n), home(&lead(n), partitions).0), format!("of {n}"))).collect()
}

fn home(lead: &str, partitions: i32) -> Partition {
    partition_of(lead.as_bytes(), partitions)
}

/// A lead that another partition has when there are more.
fn mover() -> String {
    let mut leads = (0..LEADS).map(|n| format!("u{n}"));
    leads.find(|lead| home(lead, OLD) != home(lead, NOW)).expect("one of them")
}

/// Goal: a move that was interrupted is finished by the next one, wherever it was. Method: the topics as they are between
/// any two steps, also with a transaction that a killed process left open.
#[test]
fn a_move_that_was_interrupted_is_finished_by_the_next_one() {
    #[rustfmt::skip]
    let rows = [
        // partitions of state, feedback, leads lie by, a transaction is open, why
        (OLD, OLD, OLD, false, "nothing was done"),
        (OLD, 0,   OLD, false, "nothing was done, and there is no feedback"),
        (NOW, OLD, OLD, false, "the state has grown"),
        (NOW, OLD, OLD, true,  "it was killed while it wrote"),
        (NOW, OLD, NOW, false, "the leads have moved"),
        (NOW, NOW, NOW, false, "all was done"),
    ];
    for (state, feedback, by, open, why) in rows {
        let site = Stopped::new(state, feedback);
        site.keep(&states(by));
        let left = open.then(|| {
            let producer = site.transaction("state-move");
            site.write(&producer, &mover(), home(&mover(), OLD), None);
            producer
        });
        if feedback != NOW {
            let (code, log) = site.command(&["run"]);
            assert!(code == Some(69) && log.contains("hotlead state move --config FILE"), "{why}: {log}");
        }
        let (code, log) = site.command(&["state", "move"]);
        assert_eq!(code, Some(0), "{why}: {log}");
        drop(left);
        assert_eq!(site.kept(), states(NOW), "{why}: {log}");
        let (code, log) = site.command(&["state", "move"]);
        assert_eq!((code, log.as_str()), (Some(0), "nothing has to move: all topics have 5 partitions\n"), "{why}");
    }
}

/// Goal: a move that cannot write says what stands, and keeps `hotlead run` from starting without state. Method: the topic
/// takes the markers of transactions and nothing larger.
#[test]
fn a_move_that_cannot_write_leaves_run_refused() {
    let site = Stopped::new(OLD, OLD);
    site.keep(&states(OLD));
    let largest = |bytes: &str| {
        let admin: AdminClient<DefaultClientContext> = broker().client_config().create().expect("an admin client");
        let topic = site.topic("hotlead.state");
        let config = AlterConfig::new(ResourceSpecifier::Topic(&topic)).set("max.message.bytes", bytes);
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let altered =
            runtime.block_on(admin.alter_configs([&config], &AdminOptions::new())).expect("the broker answers");
        assert!(altered.iter().all(Result::is_ok), "{altered:?}");
    };
    largest("100");
    let (code, log) = site.command(&["state", "move"]);
    assert_eq!(code, Some(69), "{log}");
    let stands = format!(
        "no lead has moved. {} has 5 partitions now and {} still 2, so `hotlead run` does not start",
        site.topic("hotlead.state"),
        site.topic("hotlead.feedback")
    );
    assert!(log.contains(&stands), "{log}");
    assert_eq!(site.kept(), states(OLD));
    let (code, log) = site.command(&["run"]);
    assert!(code == Some(69) && log.contains("hotlead state move --config FILE"), "{log}");
    largest("1000000");
    let (code, log) = site.command(&["state", "move"]);
    assert_eq!(code, Some(0), "{log}");
    assert_eq!(site.kept(), states(NOW));
}

/// Goal: what an instance writes while it ends is moved too. Method: one that is still a member when the move begins, and
/// whose last round is committed only after it has left.
#[test]
fn the_last_round_of_an_instance_that_ends_meanwhile_is_moved() {
    let site = Stopped::new(OLD, OLD);
    site.keep(&states(OLD));
    let mut config = broker().client_config();
    let member: BaseConsumer = config.set("group.id", &site.name).create().expect("a consumer");
    member.subscribe(&[&site.topic("events")]).expect("a subscription");
    wait_for("the member", DEADLINE, || {
        let _ = member.poll(Duration::from_millis(50));
        let groups = member.fetch_group_list(Some(&site.name), DEADLINE).ok()?;
        groups.groups().iter().any(|group| !group.members().is_empty()).then_some(())
    });
    let mut moving = site.begin(&["state", "move"]);
    moving.logs("waiting for 1 members of group ");
    let round = site.transaction("a-0");
    site.write(&round, &mover(), home(&mover(), OLD), Some("the last round"));
    member.unsubscribe();
    drop(member);
    moving.logs("waiting for what is still being written to ");
    round.commit_transaction(DEADLINE).expect("the broker answers");
    assert_eq!(moving.exit_code(), Some(0), "{}", moving.log());
    let mut expected = states(NOW);
    expected.insert((mover(), home(&mover(), NOW).0), "the last round".to_owned());
    assert_eq!(site.kept(), expected);
}

/// Goal: states that are not where their keys say are refused, and left alone when asked for: they overwrite nothing.
/// Method: a lead that is known in all partitions.
#[test]
fn states_that_are_not_where_their_keys_say_are_refused_or_stay() {
    let site = Stopped::new(OLD, OLD);
    let (stray, elsewhere) = (mover(), 1 - home(&mover(), OLD).0);
    let mut kept = states(OLD);
    kept.insert((stray.clone(), elsewhere), "a stray".to_owned());
    site.keep(&kept);
    let (code, log) = site.command(&["state", "move"]);
    assert_eq!(code, Some(69), "{log}");
    for text in [
        format!("1 of {} states are not in the partition that murmur2 of the lead's key gives: ", kept.len()),
        format!("{stray:?} (in {elsewhere}, expected in {})", 1 - elsewhere),
        "this run has changed nothing".to_owned(),
    ] {
        assert!(log.contains(&text), "{text}: {log}");
    }
    assert_eq!(site.kept(), kept);

    let (code, log) = site.command(&["state", "move", "--leave-strays"]);
    assert!(code == Some(0) && log.contains("1 states stay in a partition that the lead's key does not give"), "{log}");
    let mut expected = states(NOW);
    let replaced = expected.contains_key(&(stray.clone(), elsewhere));
    if !replaced {
        expected.insert((stray, elsewhere), "a stray".to_owned());
    }
    assert_eq!(site.kept(), expected);
}

/// Goal: who is to be forgotten does not live on in the new place, who was not heard of yet is told. Method: two
/// erasures of which the group has heard the first, before the lead came back; and events that nobody has read.
#[test]
fn erasures_that_nobody_has_heard_are_done_and_unread_events_are_told() {
    let site = Stopped::new(OLD, OLD);
    site.keep(&states(OLD));
    let (lead, place) = (mover(), home(&mover(), OLD));
    let back = states(OLD).into_keys().find(|(lead, at)| *at == place.0 && *lead != mover()).expect("another one").0;
    let feedback = site.topic("hotlead.feedback");
    let erasure = |lead: &str| Outgoing {
        partition: Some(place.0),
        ..Outgoing::new(lead, format!(r#"{{"version":1,"kind":"erase","lead":"{lead}"}}"#))
    };
    broker().produce(&feedback, [erasure(&back), erasure(&lead)]);
    let mut config = broker().client_config();
    let group: BaseConsumer = config.set("group.id", &site.name).create().expect("a consumer");
    let mut heard = TopicPartitionList::new();
    heard.add_partition_offset(&feedback, place.0, Offset::Offset(1)).expect("an offset");
    group.commit(&heard, CommitMode::Sync).expect("the broker answers");
    let unread = |partition| Outgoing { partition: Some(partition), ..Outgoing::new("u0", "{}") };
    broker().produce(&site.topic("events"), [unread(0), unread(0), unread(1), unread(4)]);

    // Its sinks have to hear of it too: no owner of the events will tell them.
    let topic = site.topic("hotlead.delivery.sdr");
    broker().create_topic(&topic, 2, &[]);
    let sinks = "sinks:\n  - { id: sdr, slack: { webhook_url: 'env:HOTLEAD_TEST_NOT_SET' } }\n  - { id: new, slack: { webhook_url: 'env:HOTLEAD_TEST_NOT_SET' } }\n";
    let mut moving = Program::with_config(RULES, sinks, &["state", "move"], broker().bootstrap(), &site.name);
    let (code, log) = (moving.exit_code(), moving.log());
    assert_eq!(code, Some(0), "{log}");
    let told: Vec<_> =
        broker().consume_visible(&topic).into_iter().map(|record| (record.partition, record.value)).collect();
    assert_eq!(told.iter().map(|(partition, _)| *partition).collect::<Vec<_>>(), [0, 1]);
    for (_, value) in &told {
        let Ok(Some(Entry::Erase(erasure))) = ledger::read(value.as_deref()) else { panic!("{told:?}") };
        assert_eq!((erasure.lead, erasure.source), (ledger::lead_hash(lead.as_bytes()), None));
    }
    assert!(log.contains(&format!("1 leads were erased, as {feedback} says")), "{log}");
    assert!(
        log.contains(&format!("3 records of the old partitions of {} are not read yet", site.topic("events"))),
        "{log}"
    );
    let mut expected = states(NOW);
    expected.remove(&(lead.clone(), home(&lead, NOW).0));
    assert_eq!(site.kept(), expected);
}
