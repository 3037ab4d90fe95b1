//! The live path on a real Kafka: what only a broker can show.

mod growth;
mod history;
mod program;
mod rights;
mod running;
mod state;
mod takeover;

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hotlead::codec::{self, ops::Notice};
use hotlead::config::settings::{Kafka, Secret, Settings};
use hotlead::core::limits::MAX_RECORD;
use hotlead::run::{Hooks, Mode, RunError};
use hotlead::source::Probe;
use hotlead::telemetry::access::Right;
use hotlead::telemetry::broker_log::BrokerLog;
use rdkafka::ClientConfig;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use running::{Live, alert_ids, demo_request, header, settings, topics_of};

use crate::kafka::{Broker, Login, Options, Outgoing, Record, broker, own_broker, unique};
use crate::supervise::wait_for;

const DEADLINE: Duration = Duration::from_secs(60);

/// Goal: what the rules ask for is on the alert topic, once, as a CloudEvent, and its offsets are committed with it.
#[test]
fn alerts_arrive_exactly_once_and_a_restart_does_not_repeat_them() {
    let settings = settings(&unique("once"), "a");
    let live = Live::start(&settings, Mode::Transactional);
    broker().produce(&settings.topics.events, (0..40).map(|n| demo_request(n, n)));
    let alerts = live.alerts(40);
    let leads: BTreeSet<_> = alerts.iter().map(|alert| alert.key.clone()).collect();
    assert_eq!(leads.len(), 40, "one alert for each lead");
    let alert = &alerts[0];
    let value: serde_json::Value = serde_json::from_str(&alert.value_text()).unwrap();
    assert_eq!(header(alert, "ce_id"), value["id"].as_str());
    assert_eq!(header(alert, "ce_type"), Some("hotlead.alert.opened.v1"));
    assert_eq!(header(alert, "ce_subject"), value["lead"]["key"].as_str());
    let text = live.hooks.metrics.encode();
    assert!(text.contains("hotlead_alerts_total{rule=\"demo-requested\"} 40"), "{text}");
    assert!(text.contains("hotlead_alert_records_total{rule=\"demo-requested\",kind=\"opened\"} 40"), "{text}");
    assert!(text.contains("hotlead_events_total{outcome=\"applied\"} 40"), "{text}");
    live.stop().expect("a clean end");

    let live = Live::start(&settings, Mode::Transactional);
    broker().produce(&settings.topics.events, (40..50).map(|n| demo_request(n, n)));
    assert_eq!(alert_ids(&live.alerts(50)).len(), 50, "ten more, none twice");
    live.stop().expect("a clean end");
}

/// Goal: ready means that every partition is being read, also while two workers of one process share them out. Method:
/// each joins whenever it does; at the moment of ready all partitions have an owner here.
#[test]
fn ready_means_that_every_partition_has_an_owner() {
    for _ in 0..3 {
        let settings = Settings { workers: 2, ..settings(&unique("ready"), "a") };
        let live = Live::start(&settings, Mode::Transactional);
        let text = live.hooks.metrics.encode();
        for partition in 0..4 {
            let owned = format!("hotlead_leads{{partition=\"{partition}\"}}");
            assert!(text.contains(&owned), "{owned}: {text}");
        }
        live.stop().expect("a clean end");
    }
}

/// Goal: bad input never stops the stream and is never lost. Method: each kind between two good events.
#[test]
fn poison_between_good_events_becomes_dead_letters_with_the_same_bytes() {
    let settings = settings(&unique("poison"), "a");
    let live = Live::start(&settings, Mode::Transactional);
    let deep = "[".repeat(10_000);
    let poison: Vec<(&str, Vec<u8>)> = vec![
        ("not_json", b"{\"a\":".to_vec()),
        ("not_utf8", vec![b'{', b'"', 0xff, 0xfe, b'"', b'}']),
        ("too_deep", deep.into_bytes()),
        ("too_large", vec![b'x'; MAX_RECORD + 1]),
        ("unknown_format", b"{}".to_vec()),
    ];
    let records = poison.iter().enumerate().flat_map(|(n, (reason, value))| {
        let bad = Outgoing {
            key: Some(format!("key of {reason}").into_bytes()),
            value: Some(value.clone()),
            headers: vec![("trace".to_owned(), b"\x00\x01".to_vec())],
            partition: Some(0),
            ..Outgoing::default()
        };
        let good = Outgoing { partition: Some(0), ..demo_request(n, n) };
        [good, bad]
    });
    broker().produce(&settings.topics.events, records);
    let letters = live.dead_letters(poison.len());
    for (reason, value) in &poison {
        let key = format!("key of {reason}").into_bytes();
        let letter = letters.iter().find(|letter| letter.key.as_ref() == Some(&key));
        let letter = letter.unwrap_or_else(|| panic!("no dead letter for {reason}"));
        assert_eq!(letter.value.as_ref(), Some(value), "{reason}: the original bytes");
        assert_eq!(letter.headers[0], ("trace".to_owned(), Some(b"\x00\x01".to_vec())));
        assert_eq!(header(letter, "hotlead_reason"), Some(*reason));
        let place = format!("{}/0@", settings.topics.events);
        let source = header(letter, "hotlead_source").expect("its coordinates");
        assert!(source.starts_with(&place), "{source}");
    }
    assert_eq!(live.alerts(poison.len()).len(), poison.len(), "the good ones");
    live.stop().expect("a clean end");
}

/// Goal: workers share the partitions, and a process that joins takes some without a loss or a repetition.
#[test]
fn a_second_process_takes_partitions_over_and_gives_them_back() {
    let mut settings = settings(&unique("share"), "a");
    settings.workers = 2;
    let first = Live::start(&settings, Mode::Transactional);
    let events = settings.topics.events.clone();
    let send = |from: usize, to: usize| {
        broker().produce(&events, (from..to).map(|n| demo_request(n, n)));
    };
    send(0, 300);
    settings.instance = "b".to_owned();
    settings.workers = 1;
    let second = Live::start(&settings, Mode::Transactional);
    send(300, 600);
    wait_for("partitions of the second process", DEADLINE, || {
        second.hooks.metrics.encode().contains("hotlead_leads{").then_some(())
    });
    send(600, 900);
    first.alerts(900);
    second.stop().expect("a clean end");
    send(900, 1000);
    // The second's partitions come back when its session is over; then nothing may be missing.
    let alerts = first.alerts(1000);
    assert_eq!(alerts.len(), 1000, "lost or twice");
    assert_eq!(alert_ids(&alerts).len(), 1000, "twice");
    first.stop().expect("a clean end");
}

/// Goal: of two processes with one name the older ends, and says so.
#[test]
fn the_older_of_two_processes_of_one_name_is_fenced() {
    let settings = settings(&unique("fence"), "same");
    let first = Live::start(&settings, Mode::Transactional);
    let second = Live::start(&settings, Mode::Transactional);
    broker().produce(&settings.topics.events, (0..8).map(|n| demo_request(n, n)));
    let fault = first.ended().expect_err("fenced");
    assert_eq!(fault, RunError::Fenced { instance: "same".to_owned() });
    assert_eq!(fault.exit_code(), 75);
    assert_eq!(second.alerts(8).len(), 8);
    second.stop().expect("a clean end");
}

/// Goal: offsets that retention took are counted and on the ops topic, once, and reading goes on at the earliest.
#[test]
fn lost_offsets_are_told_once_and_reading_goes_on() {
    let settings = settings(&unique("gap"), "a");
    let events = settings.topics.events.clone();
    let live = Live::start(&settings, Mode::Transactional);
    let to = |n| Outgoing { partition: Some(0), ..demo_request(n, n) };
    broker().produce(&events, (0..10).map(to));
    live.alerts(10);
    live.stop().expect("a clean end");
    broker().produce(&events, (10..20).map(to));
    running::delete_before(&events, 0, 15);
    let live = Live::start(&settings, Mode::Transactional);
    let leads: Vec<_> = live.alerts(15).into_iter().filter_map(|alert| alert.key).collect();
    assert!(leads.contains(&b"u15".to_vec()), "{leads:?}");
    broker().produce(&events, (20..25).map(to));
    assert_eq!(alert_ids(&live.alerts(20)).len(), 20);
    let (hooks, before) = (live.hooks.clone(), live.begun);
    live.stop().expect("a clean end");
    assert_lost(&settings, &hooks, 5, before);
}

/// Goal: an aborted round has told nobody of a gap; the round that jumps it tells it. Method: in one round with the jump,
/// a dead letter that its topic does not take.
#[test]
fn lost_offsets_are_told_once_although_the_jump_was_aborted() {
    let mut settings = settings(&unique("gap-abort"), "a");
    let events = settings.topics.events.clone();
    broker().create_topic(&settings.topics.dead_letter, 1, &[("max.message.bytes", "1048588")]);
    let to = |n| Outgoing { partition: Some(0), ..demo_request(n, n) };
    let live = Live::start(&settings, Mode::Transactional);
    broker().produce(&events, (0..10).map(to));
    live.alerts(10);
    live.stop().expect("a clean end");
    let giant: Vec<u8> = (0..MAX_RECORD + 1).map(|_| fastrand::u8(..)).collect();
    let giant = Outgoing { partition: Some(0), ..Outgoing::new("u10", giant) };
    broker().produce(&events, (10..15).map(to).chain([giant, to(16)]));
    running::delete_before(&events, 0, 15);
    // Nothing but the alert behind the dead letter makes the round due.
    settings.commit_interval = DEADLINE;
    let live = Live::start(&settings, Mode::Transactional);
    live.alerts(11);
    let (hooks, before) = (live.hooks.clone(), live.begun);
    live.stop().expect("a clean end");
    let text = hooks.metrics.encode();
    assert!(text.contains("hotlead_dead_letters_total{reason=\"too_large\"} 1"), "{text}");
    let letters = broker().consume_all_read_committed(&settings.topics.dead_letter);
    assert_eq!(letters.iter().map(|letter| &letter.value).collect::<Vec<_>>(), [&None], "it was aborted once");
    assert_lost(&settings, &hooks, 5, before);
}

/// Offsets 10 to 10 + `count` of the events' partition 0 were lost after `before`: that is counted, and said once.
fn assert_lost(settings: &Settings, hooks: &Hooks, count: u64, before: SystemTime) {
    let text = hooks.metrics.encode();
    assert!(text.contains(&format!("hotlead_offsets_lost_total {count}\n")), "{text}");
    let records = broker().consume_all_read_committed(&settings.topics.ops);
    let [record] = &records[..] else { panic!("one record, no more: {records:?}") };
    assert_eq!(record.key.as_deref(), Some(settings.group.as_bytes()));
    let notice = codec::ops::read(record.value_text().as_bytes()).expect("a record of the ops topic");
    let before = before.duration_since(UNIX_EPOCH).expect("a clock").as_millis();
    assert!(notice.time.as_millis() >= i64::try_from(before).expect("a time"), "{notice:?}");
    let (place, last) = (&settings.topics.events, 9 + count);
    let reason = format!("{place}/0: offsets 10 to {last} were gone before they were read");
    let r#type = codec::ops::Type::OffsetsLost;
    let wanted = Notice { r#type, sink: None, time: notice.time, reason, since: None, count };
    assert_eq!(notice, wanted);
}

/// Goal: a round that cannot be committed leaves nothing behind and is done again. Method: a dead-letter topic that
/// takes small records only.
#[test]
fn a_dead_letter_that_its_topic_does_not_take_aborts_once_and_then_goes_without_its_value() {
    let settings = settings(&unique("large"), "a");
    let dead_letters = &settings.topics.dead_letter;
    broker().create_topic(dead_letters, 1, &[("max.message.bytes", "1048588")]);
    let live = Live::start(&settings, Mode::Transactional);
    // Random bytes, so that compression does not make them fit.
    let giant: Vec<u8> = (0..MAX_RECORD + 1).map(|_| fastrand::u8(..)).collect();
    broker().produce(&settings.topics.events, [demo_request(1, 1), Outgoing::new("u2", giant), demo_request(3, 3)]);
    let letters = live.dead_letters(1);
    assert_eq!(letters[0].value, None);
    assert_eq!(header(&letters[0], "hotlead_reason"), Some("too_large"));
    assert_eq!(alert_ids(&live.alerts(2)).len(), 2);
    assert_eq!(broker().consume_all_read_committed(&settings.topics.alerts).len(), 2, "none twice");
    live.stop().expect("a clean end");
}

/// Goal: a crash in the middle of a round does not keep readers waiting. Method: a transaction of the same id is left
/// open; the service ends it.
#[test]
fn a_transaction_that_a_crash_left_open_is_ended_by_the_next_start() {
    let settings = settings(&unique("open"), "a");
    for topic in topics_of(&settings) {
        broker().create_topic(&topic, 1, &[]);
    }
    let mut config = broker().client_config();
    config.set("transactional.id", format!("{}-a-0", settings.group));
    let crashed: BaseProducer = config.create().unwrap();
    crashed.init_transactions(DEADLINE).unwrap();
    crashed.begin_transaction().unwrap();
    let half = BaseRecord::<str, str>::to(&settings.topics.alerts).payload("half a round");
    crashed.send(half).map_err(|(error, _)| error).unwrap();
    crashed.flush(DEADLINE).unwrap();
    let live = Live::start(&settings, Mode::Transactional);
    broker().produce(&settings.topics.events, [demo_request(1, 1)]);
    let values: Vec<_> = live.alerts(1).iter().map(Record::value_text).collect();
    assert!(values[0].contains("\"key\":\"u1\""), "{values:?}");
    live.stop().expect("a clean end");
}

#[test]
fn without_transactions_alerts_arrive_too() {
    let settings = settings(&unique("plain"), "a");
    let live = Live::start(&settings, Mode::Plain);
    broker().produce(&settings.topics.events, (0..20).map(|n| demo_request(n, n)));
    assert_eq!(alert_ids(&live.alerts(20)).len(), 20);
    live.stop().expect("a clean end");
    let live = Live::start(&settings, Mode::Plain);
    broker().produce(&settings.topics.events, [demo_request(20, 20)]);
    assert_eq!(live.alerts(21).len(), 21, "offsets were committed");
    live.stop().expect("a clean end");
}

/// Goal: the demo's way, without a broker: librdkafka's in-process cluster.
#[test]
fn the_in_process_cluster_will_do_without_transactions() {
    let mut settings = settings(&unique("mock"), "a");
    let cluster = MockCluster::new(1).unwrap();
    settings.kafka.brokers = vec![cluster.bootstrap_servers()];
    let topics = topics_of(&settings);
    for topic in topics.iter().chain([&settings.topics.events]) {
        cluster.create_topic(topic, 4, 1).unwrap();
    }
    let live = Live::start(&settings, Mode::Plain);
    let mut alerts = live.hooks.hot.subscribe();
    let mut config = broker().client_config();
    config.set("bootstrap.servers", cluster.bootstrap_servers());
    let producer: BaseProducer = config.create().unwrap();
    for event in (0..20).map(|n| demo_request(n, n)) {
        let (key, value) = (event.key.unwrap(), event.value.unwrap());
        let record = BaseRecord::to(&settings.topics.events).key(&key).payload(&value);
        producer.send(record).map_err(|(error, _)| error).unwrap();
    }
    producer.flush(DEADLINE).unwrap();
    let mut leads = BTreeSet::new();
    wait_for("hot leads", DEADLINE, || {
        leads.extend(alerts.try_recv().map(|alert| alert.lead.key.clone()));
        (leads.len() == 20).then_some(())
    });
    live.stop().expect("a clean end");
}

/// Goal: a topic that we need and may not create is one error with the command.
#[test]
fn a_missing_events_topic_is_named_with_its_command() {
    let mut settings = settings(&unique("missing"), "a");
    settings.topics.events = unique("nowhere");
    let fault = Live::begin(&settings, Mode::Transactional).ended().expect_err("no topic");
    assert_eq!(fault.exit_code(), 69);
    let command = format!("--create --topic {} --partitions", settings.topics.events);
    assert!(fault.to_string().contains(&command), "{fault}");
}

/// What a client's configuration says, as our file would.
fn kafka_of(config: &ClientConfig) -> Kafka {
    let names = ["security.protocol", "sasl.mechanism", "sasl.username", "sasl.password", "ssl.ca.location"];
    let value = |name: &str| config.get(name).expect("set by the broker").to_owned();
    Kafka {
        brokers: vec![value("bootstrap.servers")],
        properties: names.map(|name| (name.to_owned(), Secret::inline(value(name)))).into(),
    }
}

/// Goal: wrong credentials are told as such, not as a lost connection, and right ones let us in.
#[test]
fn a_wrong_password_is_one_clear_line() {
    let _own = own_broker();
    let login = Login { user: "hotlead".to_owned(), password: "right".to_owned() };
    let broker = Broker::start_own(&Options { tls_scram: Some(login), ..Options::default() });
    let config = broker.tls_client_config();
    let ask = |password: &str| {
        let mut kafka = kafka_of(&config);
        let secret = Secret::resolved(password, "env:PASSWORD");
        kafka.properties.insert("sasl.password".to_owned(), secret);
        let probe = Probe::new(&kafka, "probe", BrokerLog::default()).expect("good properties");
        probe.partitions("nowhere", Right::Read, Duration::from_secs(5))
    };
    let answer = wait_for("an answer over TLS", DEADLINE, || ask("right").ok());
    assert_eq!(answer, None, "there is no such topic");
    let fault = ask("wrong").expect_err("a wrong password").to_string();
    assert!(fault.contains("refuses the credentials: "), "{fault}");
    assert!(!fault.contains("wrong"), "{fault}");
}
